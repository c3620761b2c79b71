"""What `snncc run --on lava` does: runs the exported bundle, and the CPU beside it."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snncc.cli.output import print_facts, progress, say

if TYPE_CHECKING:
    from snncc.artifact import Program
    from snncc.backends.lava_nc.environment import LavaEnvironment
    from snncc.ir.images import ImageSource
    from snncc.runtime import Execution
    from snncc.runtime.comparison import Comparison
    from snncc.runtime.recording import Recording


@dataclass(frozen=True)
class OnLava:
    """What Lava did, beside the CPU.

    Attributes:
        lava: where it ran.
        executor: what ran on the CPU.
        execution: Lava's answers and counts of spikes.
        recording: Lava's spikes and membranes.
        comparison: A is the CPU, B is Lava.
        seconds: Lava's, its start included.
        cpu_seconds: of the CPU.
        spikes: (image, step, neuron) that were compared; as many membranes.
    """

    lava: "LavaEnvironment"
    executor: str
    execution: "Execution"
    recording: "Recording"
    comparison: "Comparison"
    seconds: float
    cpu_seconds: float
    spikes: int


def run_on_lava(
    program: "Program",
    images: "ImageSource",
    lava: "LavaEnvironment",
    seconds: float,
    executor: str,
    threads: int | None,
    quiet: bool,
) -> OnLava:
    """Exports a program, runs it under Lava and on the CPU, and compares every spike.

    Args:
        program: what to run.
        images: of its shape.
        lava: runs the bundle.
        seconds: that Lava may take.
        executor: "simulator" or "interpreter": the CPU's.
        threads: of the simulator; None for as many as the machine gives.
        quiet: without a progress bar.

    Raises:
        SnnccError: of the export; SNN053 or SNN054 when Lava fails or takes too long.
    """
    from snncc.artifact import program_digest
    from snncc.backends.lava_nc import write_bundle
    from snncc.runtime import ALL
    from snncc.runtime.child_process import guarded_folder
    from snncc.runtime.comparison import Side, compare
    from snncc.runtime.executors import executor_of
    from snncc.runtime.lava_executor import lava_executor
    from snncc.runtime.recording import run_recorded

    graph, digest = program.graph, program_digest(program)
    pixels = images[0 : len(images)]
    with progress("running on Lava", quiet) as advance, guarded_folder() as folder:
        bundle = folder.path / "bundle"
        write_bundle(program, bundle)
        start = time.perf_counter()
        execute = lava_executor(
            graph, bundle, lava, folder, seconds, lambda done: advance(done, len(pixels))
        )
        execution, recording = run_recorded(graph, pixels, execute, ALL, digest)
        lava_seconds = time.perf_counter() - start
    with progress("running on the CPU", quiet):
        start = time.perf_counter()
        on_cpu = executor_of(graph, executor, threads)
        _, expected = run_recorded(graph, pixels, on_cpu, ALL, digest)
        cpu_seconds = time.perf_counter() - start
    result = compare(Side("A", expected, graph), Side("B", recording, graph))
    spikes = sum(array.size for array in recording.spikes.values())
    return OnLava(
        *(lava, executor, execution, recording, result, lava_seconds, cpu_seconds, spikes)
    )


def lava_record(done: OnLava) -> dict[str, Any]:
    """The run in JSON form."""
    from snncc.cli.compare_command import comparison_record

    return {
        "lava-nc": done.lava.lava,
        "python": str(done.lava.python),
        "seconds": done.seconds,
        "cpu_seconds": done.cpu_seconds,
        "compared": done.spikes,
        **_differing(done.comparison),
        "comparison": comparison_record(done.comparison),
    }


def print_verdict(done: OnLava) -> None:
    """Says whether Lava did what the CPU did; if not, where they part."""
    from snncc.cli.compare_command import print_comparison

    result, count = done.comparison, _differing(done.comparison)
    layers = len(result.layers)
    say()
    print_facts(
        [
            ("Lava", f"lava-nc {done.lava.lava}, Python {done.lava.version}, {done.seconds:.2f} s"),
            ("CPU", f"{done.executor}, {done.cpu_seconds:.2f} s"),
            ("compared", f"{result.images:,} images, {result.steps} steps, {layers} populations"),
            ("spikes", f"{count['spikes']:,} of {done.spikes:,} differ"),
            ("membranes", f"{count['membranes']:,} of {done.spikes:,} differ"),
            ("answers", f"{count['answers']:,} of {result.images:,} differ"),
        ]
    )
    if result.first is not None:
        say()
        print_comparison(result, [f"CPU ({done.executor})", f"Lava ({done.lava.python})"])


def _differing(result: "Comparison") -> dict[str, int]:
    return {
        "spikes": sum(layer.spikes for layer in result.layers),
        "membranes": sum(layer.membranes or 0 for layer in result.layers),
        "answers": result.readouts or 0,
    }


def environment_for(on: str, lava_python: Path | None) -> "LavaEnvironment | None":
    """The Lava environment of `--on lava`, found before long work starts.

    Raises:
        SnnccError: SNN051 when there is none.
    """
    if on != "lava":
        return None
    from snncc.backends.lava_nc.environment import require_lava

    return require_lava(lava_python)
