"""The trained Mixer-SNN: golden logits and spikes, agreement at every width, equal executors."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from compiled_mixers import CompiledMixers

from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.frontends.checkpoint import load_checkpoint
from snncc.frontends.mixer_snn.load import load_mixer, steps_of
from snncc.frontends.torch_recorder import trace_model
from snncc.ir import Graph, params_of
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.ir.dialects.spiking import Population
from snncc.passes.pipeline import PassEvent, run_passes
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator
from snncc.semantics.spiking import run_spiking
from snncc.semantics.traced import run_traced

NORMALIZE = ((0.1307,), (0.3081,))


@pytest.fixture(scope="module")
def data(shared: Path) -> dict[str, np.ndarray]:
    parts = ("mnist_32x32.npz", "mixer_spe_mnist_golden.npz")
    return {k: a for part in parts for k, a in np.load(shared / "data" / part).items()}


@pytest.fixture(scope="module")
def traced(shared: Path) -> Graph:
    checkpoint = load_checkpoint(shared / "data/mixer_spe_mnist.pth")
    assert steps_of(checkpoint) == 4
    model, config, _ = load_mixer(checkpoint)
    assert (config.dim, config.depths, config.patch_size) == (24, (1, 1, 2, 1), 4)
    trace = trace_model(model, (3, 32, 32), 4)
    assert trace.findings == ()
    return trace.graph


def differing_spikes(
    traced: Graph, graph: Graph, values: dict[str, np.ndarray], golden: dict[str, np.ndarray]
) -> int:
    """Golden spikes, of the first 8 images, that a graph does not have."""
    count = 0
    for key in (k for k in golden if k.startswith("spikes/")):
        path = key.removeprefix("spikes/")
        shape = tuple(golden[f"shape/{path}"])
        wanted = np.unpackbits(golden[key])[: np.prod(shape)].reshape(shape)
        names = graph[path].type.names
        order = [1 + names.index("t"), 0]
        order += [1 + names.index(n) for n in traced[path].type.names if n != "t"]
        got = values[path][:8].transpose(order).reshape(shape)
        count += int((got != wanted).sum())
    return count


def test_trace_and_every_pass_keep_every_golden_spike(
    traced: Graph, data: dict[str, np.ndarray]
) -> None:
    images = data["x_test"][:8]
    normal = (images / 255.0 - 0.1307) / 0.3081
    values = run_traced(traced, np.repeat(normal[:, None], 4, axis=1))
    assert differing_spikes(traced, traced, values, data) == 0
    checked = []

    def check(event: PassEvent) -> None:
        values = run_spiking(event.graph, images)
        assert differing_spikes(traced, event.graph, values, data) == 0, event.name
        error = np.abs(values[event.graph.output] - data["logits"][:8]).max()
        assert error < 1e-9, event.name
        checked.append(event.name)

    for gain in ("shift-add", "unshared"):
        run_passes(traced, spiking_passes(CompileOptions(normalize=NORMALIZE, gain=gain)), check)
    assert len(checked) == 13


def test_folded_network_gives_all_golden_logits(traced: Graph, data: dict[str, np.ndarray]) -> None:
    spiking = run_passes(traced, spiking_passes(CompileOptions(normalize=NORMALIZE)))
    values = run_spiking(spiking, data["x_test"])
    assert np.abs(values[spiking.output] - data["logits"]).max() < 1e-9


def test_corrupting_any_constant_of_any_node_is_caught(
    traced: Graph, data: dict[str, np.ndarray]
) -> None:
    """Each constant is changed, one at a time; some spike, current or logit must differ."""
    spiking = run_passes(traced, spiking_passes(CompileOptions(normalize=NORMALIZE)))
    images = data["x_test"][:4]
    right = run_spiking(spiking, images)
    missed = []
    for name, array in spiking.constants.items():
        wrong = np.array(array, np.float64)
        wrong += 0.25 * max(1.0, float(np.abs(wrong).max()))
        graph = replace(spiking, constants={**spiking.constants, name: wrong})
        values = run_spiking(graph, images)
        if all(np.array_equal(values[n], right[n]) for n in right):
            missed.append(name)
    # Nobody can see a weight whose inputs never spike: the last block's axis maps (h = w = 1).
    unseen = {
        node.op.weight.name
        for node in spiking.select(Contract, Convolve)
        if right[node.inputs[0]].sum() == 0
    }
    # Nor the constants of a neuron that stays silent: those same axis maps, on every image.
    unseen |= {
        param.name
        for node in spiking.select(Population)
        if right[node.name].sum() == 0
        for param in params_of(node.op)
    }
    assert set(missed) <= unseen
    assert len(missed) <= 6


@pytest.mark.parametrize(("bits", "agreement"), [(4, 0.98), (8, 0.99), (16, 0.997), (24, 1.0)])
def test_agreement_with_the_original(
    mixer: CompiledMixers, data: dict[str, np.ndarray], bits: int, agreement: float
) -> None:
    execution = Simulator(mixer(bits).graph).run(data["x_test"])
    predictions = execution.logits.argmax(axis=1)
    assert np.mean(predictions == data["logits"].argmax(axis=1)) >= agreement
    if bits >= 8:
        assert abs(np.mean(predictions == data["y_test"]) - 0.975) <= 0.005


def test_logits_are_in_real_units(mixer: CompiledMixers, data: dict[str, np.ndarray]) -> None:
    execution = Simulator(mixer(24).graph).run(data["x_test"][:100])
    assert np.abs(execution.logits - data["logits"][:100]).mean() < 1e-3


def test_weights_keep_to_their_bits(mixer: CompiledMixers) -> None:
    for bits in (4, 8, 16, 24):
        graph = mixer(bits).graph
        for node in graph.nodes:
            weight = getattr(node.op, "weight", None)
            if weight is not None:
                largest = int(np.abs(graph.constants[weight.name].astype(np.int64)).max())
                assert largest <= 2 ** (bits - 1) - 1, (bits, node.name)


def test_interpreter_and_simulator_agree_on_all_images(
    mixer: CompiledMixers, data: dict[str, np.ndarray]
) -> None:
    graph = mixer(8).graph
    simulator = Simulator(graph)
    for start in range(0, 1000, 250):
        images = data["x_test"][start : start + 250]
        slow, fast = interpret(graph, images, ALL), simulator.run(images, ALL)
        assert np.array_equal(slow.readout, fast.readout)
        assert len(slow.spikes) == 35
        for name in slow.spikes:
            assert np.array_equal(slow.spikes[name], fast.spikes[name]), name
            assert np.array_equal(slow.membranes[name], fast.membranes[name]), name


def test_two_compiles_give_the_same_bytes(
    mixer: CompiledMixers, shared: Path, tmp_path: Path
) -> None:
    """In processes of their own, with different hash seeds."""
    there = tmp_path / "there.snncc"
    arguments = ["compile", str(shared / "data/mixer_spe_mnist.pth"), "-o", str(there)]
    arguments += ["--input-shape", "3,32,32", "--normalize", "0.1307,0.3081", "--calibrate"]
    arguments += [f"{shared / 'data/mnist_32x32.npz'}:x_cal"]
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    threads = {k: v for k, v in os.environ.items() if k == "OMP_NUM_THREADS"}
    subprocess.run(
        [sys.executable, "-m", "snncc", *arguments],
        check=True,
        capture_output=True,
        env={"PYTHONHASHSEED": seed, "PATH": "", **threads},
    )
    assert mixer.file(8).read_bytes() == there.read_bytes()


def test_running_imports_no_torch(mixer: CompiledMixers, shared: Path) -> None:
    path = mixer.file(8)
    code = (
        "import sys; from snncc.cli.main import run\n"
        f"code = run(['run', {str(path)!r}, {str(shared / 'data/mnist_32x32.npz:x_test')!r},"
        " '--limit', '8', '--json'])\n"
        "assert code == 0 and 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
