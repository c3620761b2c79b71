"""What compiling a shipped network costs and what its program then gets right.

Networks are examples/digits_mixer.pth and examples/variants/*.pth, calibrated on
examples/digits.npz:x_cal and run on x_test; and those of `FACTORIES`, which are in
examples/trained/ and see small_digits.npz.
"""

import tempfile
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from snncc.artifact import Program, save_program
from snncc.compiler.driver import compile_checkpoint
from snncc.compiler.given import Given
from snncc.compiler.options import CompileOptions
from snncc.ir import Graph
from snncc.ir.dialects.spiking import Population
from snncc.mfi import prove
from snncc.passes.pipeline import PassEvent
from snncc.runtime import ALL, Execution
from snncc.runtime.simulator import Simulator
from snncc.semantics.spiking import run_spiking

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
IMAGES = EXAMPLES / "digits.npz"
VARIANTS = EXAMPLES / "variants"
TRAINED = EXAMPLES / "trained"
FACTORIES = {
    "sew-resnet": "examples.spiking_images:sew_resnet",
    "spikformer": "examples.spiking_images:spikformer",
}
"""Networks of users' own modules, by variant."""
NORMALIZE = ((0.3,), (0.35,))
SIXTEENTHS = ((0.0,), (16.0 / 255.0,))
"""Of small digits, whose grey levels are 0..16."""
CHUNK = 100
"""Images that the real-valued network takes at once; all of them would need gigabytes."""
TIMES = ("compile_seconds", "run_seconds")
"""What differs from run to run; the rest of a row are facts."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Network:
    """A shipped checkpoint and its own logits on the test images."""

    variant: str
    steps: int
    checkpoint: Path
    logits: np.ndarray
    factory: str | None = None
    """Of the module whose weights the checkpoint holds; None for a Mixer-SNN."""

    @property
    def key(self) -> tuple[str, int]:
        return self.variant, self.steps


def shipped() -> list[Network]:
    """All networks, by variant and T."""
    with np.load(IMAGES) as images:
        networks = [Network("patch-cell", 4, EXAMPLES / "digits_mixer.pth", images["logits"])]
    with np.load(VARIANTS / "logits.npz") as logits:
        for path in VARIANTS.glob("*.pth"):
            variant, _, steps = path.stem.rpartition("-t")
            networks.append(Network(variant, int(steps), path, logits[path.stem]))
    with np.load(TRAINED / "logits.npz") as logits:
        for variant, factory in FACTORIES.items():
            path = TRAINED / f"{variant}-t4.pth"
            networks.append(Network(variant, 4, path, logits[path.stem], factory))
    return sorted(networks, key=lambda network: network.key)


def row_of(network: Network, weight_bits: int) -> Row:
    """Compiles and runs one network: exact counts, and the CPU seconds that it took."""
    small = network.factory is not None
    with np.load(TRAINED / "small_digits.npz" if small else IMAGES) as file:
        calibration, images, labels = file["x_cal"], file["x_test"], file["y_test"]
    real: list[Graph] = []

    def keep_spiking(event: PassEvent) -> None:
        if event.graph.select(Population):
            real[:] = [event.graph]

    import_module("torch")  # not part of the time to compile
    start = time.process_time()
    compiled = compile_checkpoint(
        network.checkpoint,
        CompileOptions(
            input_shape=images.shape[1:] if small else None,
            steps=network.steps if small else None,
            normalize=SIXTEENTHS if small else NORMALIZE,
            weight_bits=weight_bits,
        ),
        Given(calibration, observe=keep_spiking),
        model=network.factory,
    )
    compile_seconds = time.process_time() - start
    if compiled.report["steps"] != network.steps:
        raise ValueError(f"{network.checkpoint} has T = {compiled.report['steps']}")
    graph = compiled.program.graph
    simulator = Simulator(graph, threads=1)
    execution = simulator.run(images, ALL)
    start = time.process_time()
    simulator.run(images)
    run_seconds = time.process_time() - start
    predictions, original = execution.logits.argmax(axis=1), network.logits.argmax(axis=1)
    return {
        "variant": network.variant,
        "steps": network.steps,
        "bits": weight_bits,
        "verdict": prove(graph).level.label,
        "images": len(images),
        "correct_original": int((original == labels).sum()),
        "correct": int((predictions == labels).sum()),
        "agreeing": int((predictions == original).sum()),
        **flips(real[0], execution, images),
        "kilobytes": round(size_of(compiled.program) / 1000),
        "compile_seconds": round(compile_seconds, 1),
        "run_seconds": round(run_seconds, 2),
    }


def flips(real: Graph, execution: Execution, images: np.ndarray) -> dict[str, int]:
    """Spikes of a program against those of the folded network in float64, over all populations."""
    names = {node.name for node in real.select(Population)}
    if names != set(execution.spikes):
        raise ValueError(f"populations differ: {sorted(names ^ set(execution.spikes))}")
    counts = {"flips": 0, "spikes": 0, "sites": 0}
    for start in range(0, len(images), CHUNK):
        values = run_spiking(real, images[start : start + CHUNK])
        for name in names:
            wanted, got = values[name], execution.spikes[name][start : start + CHUNK]
            if wanted.shape != got.shape:
                raise ValueError(f"{name} has spikes {wanted.shape} and {got.shape}")
            counts["flips"] += int((wanted != got).sum())
            counts["spikes"] += int(wanted.sum())
            counts["sites"] += wanted.size
    return counts


def size_of(program: Program) -> int:
    """Bytes of a program's file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.snncc"
        save_program(path, program)
        return path.stat().st_size
