"""Matrix products beside event kernels: the same bits, whoever multiplies, whatever is chosen."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from random_networks import random_images, random_network
from test_convolutions import network
from test_executors import wide

from snncc.artifact import load_program
from snncc.backends.cpu.dense import choice as kernel_choice
from snncc.backends.cpu.dense import layers as dense_kernels
from snncc.backends.cpu.dense import products
from snncc.backends.cpu.dense.choice import known_rates, projections_of_spikes
from snncc.backends.cpu.dense.timing import KernelTimes, LayerTimes, cache_file, machine
from snncc.backends.cpu.plan.encoding import plan_units
from snncc.backends.cpu.vm.runner import Memory
from snncc.cli.main import run
from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.ir import Graph, GraphBuilder, verify
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Concat, Contract, Frames
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import ALL, Execution, interpret
from snncc.runtime.hybrid_runner import HybridRunner
from snncc.runtime.simulator import Simulator

Rates = dict[str, float]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times that tests measure are not those of the user."""
    for name in ("SNNCC_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))


def small(seed: int, bits: int) -> tuple[Graph, np.ndarray]:
    """A random network of few bits, which fits 32-bit units more often, and images."""
    traced = random_network(seed)
    options = CompileOptions(normalize=((0.0,), (1.0 / 255.0,)))
    spiking = run_passes(traced, spiking_passes(options))
    graph = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, bits), bits)])
    return graph, random_images(traced, seed, 3)


def same(wanted: Execution, got: Execution, where: object) -> None:
    assert np.array_equal(wanted.readout, got.readout), where
    assert wanted.spike_counts == got.spike_counts, where
    assert set(wanted.spikes) == set(got.spikes), where
    for name in wanted.spikes:
        assert np.array_equal(wanted.spikes[name], got.spikes[name]), (where, name)
        assert np.array_equal(wanted.membranes[name], got.membranes[name]), (where, name)


def wide_layers(inputs: int, outputs: int, level: int, weight: type = np.int8) -> Graph:
    """Pixels that fire at a level, one wide layer behind them."""
    rng = np.random.default_rng(0)
    b = GraphBuilder("integer", 4, "exact")
    image = b.add(Frames(("p",), (inputs,)), name="image")

    def fire(current: str, threshold: int, name: str) -> str:
        k = b.constant("k", np.array(threshold))
        bounds = IntegerPopulation(k).membrane_range(b[current].type, b.context)
        return b.add(IntegerPopulation(k, membrane=bounds), [current], name=name)

    one = b.constant("one", np.eye(inputs, dtype=np.int8), ("f", "p"))
    spikes = fire(b.add(Contract(one, ("p",), ("f",)), [image]), level, "first")
    span = min(np.iinfo(weight).max, 1 << 20)
    matrix = rng.integers(-span, span + 1, (outputs, inputs)).astype(weight)
    current = b.add(
        Contract(b.constant("w", matrix, ("o", "f")), ("f",), ("o",)), [spikes], name="wide"
    )
    last = fire(current, span, "second")
    head = b.constant("h", rng.integers(-3, 4, (2, outputs)).astype(np.int8), ("c", "o"))
    answer = b.add(Contract(head, ("o",), ("c",)), [last])
    graph = b.finish(b.add(IntegerReadout(), [answer]))
    verify(graph)
    return graph


@pytest.mark.parametrize("seed", range(24))
def test_random_networks_have_the_same_bits(seed: int) -> None:
    graph, images = small(seed, (4, 8)[seed % 2])
    wanted = interpret(graph, images, ALL)
    for kernels, threads in product(("event", "dense"), (1, 2)):
        simulator = Simulator(graph, threads, kernels)
        same(wanted, simulator.run(images, ALL), (kernels, threads))
        for at in range(len(images)):  # fewer images than threads: they share one
            single = simulator.run(images[at : at + 1], ALL)
            for name in wanted.membranes:
                assert np.array_equal(single.membranes[name], wanted.membranes[name][at : at + 1])


def test_most_random_networks_have_dense_layers() -> None:
    counts = []
    for seed in range(16):
        simulator = Simulator(small(seed, (4, 8)[seed % 2])[0], 1, "dense")
        counts.append(len(simulator.dense_layers))
    assert np.mean(np.array(counts) > 0) > 0.6
    assert sum(counts) > 30


@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
def test_convolutions_have_the_same_bits(stride: tuple[int, int]) -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 4, 9, 10)).astype(np.uint8)
    paddings, dilations = ((0, 0), (1, 2)), ((1, 1), (2, 3))
    for case in product(paddings, dilations, (1, 2), ((3, 2), (1, 3))):
        graph = network(stride, *case)
        wanted = interpret(graph, images, ALL)
        simulator = Simulator(graph, 2, "dense")
        assert len(simulator.dense_layers) == 2, case
        same(wanted, simulator.run(images, ALL), case)
        same(interpret(graph, images[:1], ALL), simulator.run(images[:1], ALL), case)


@pytest.mark.parametrize("weight", [np.int8, np.int32])
@pytest.mark.parametrize("level", [20, 230])
def test_wide_layers_have_the_same_bits(level: int, weight: type) -> None:
    """int8 weights on float32 and MatMulInteger, 20-bit weights on float64."""
    graph = wide_layers(300, 70, level, weight)
    images = np.random.default_rng(2).integers(0, 256, (5, 300)).astype(np.uint8)
    images[0] = 255  # every input active
    wanted = interpret(graph, images, ALL)
    assert (wanted.spikes["first"][0] == 1).all()
    simulator = Simulator(graph, 2, "dense")
    assert "wide" in simulator.dense_layers
    same(wanted, simulator.run(images, ALL), level)


def side_by_side() -> Graph:
    """Weights of their own for every row of an image, beside others along its width.

    The first makes several matrices of one layer; both results have gaps between their rows.
    """
    rng = np.random.default_rng(3)
    b = GraphBuilder("integer", 3, "exact")
    image = b.add(Frames(("h", "w", "p"), (3, 2, 6)), name="image")

    def fire(current: str, threshold: int, name: str) -> str:
        k = b.constant("k", np.array(threshold))
        bounds = IntegerPopulation(k).membrane_range(b[current].type, b.context)
        return b.add(IntegerPopulation(k, membrane=bounds), [current], name=name)

    def weight(*shape: int) -> np.ndarray:
        return rng.integers(-9, 10, shape).astype(np.int8)

    one = b.constant("one", np.eye(6, dtype=np.int8), ("c", "p"))
    spikes = fire(b.add(Contract(one, ("p",), ("c",)), [image]), 200, "first")
    own = b.constant("w", weight(3, 5, 6), ("h", "k", "c"))
    by_row = b.add(Contract(own, ("c",), ("k",), shared=("h",)), [spikes], name="by_row")
    common = b.constant("w", weight(5, 6), ("k", "c"))
    plain = b.add(Contract(common, ("c",), ("k",)), [spikes], name="plain")
    both = b.add(Concat(("w", "w"), "w2"), [by_row, plain], name="both")
    last = fire(both, 7, "second")
    head = b.constant("h", weight(2, 5), ("o", "k"))
    answer = b.add(Contract(head, ("k",), ("o",), summed=("h", "w2")), [last])
    graph = b.finish(b.add(IntegerReadout(), [answer]))
    verify(graph)
    return graph


def test_several_matrices_and_results_with_gaps_have_the_same_bits() -> None:
    graph = side_by_side()
    images = np.random.default_rng(1).integers(0, 256, (3, 3, 2, 6)).astype(np.uint8)
    wanted = interpret(graph, images, ALL)
    assert 0.1 < wanted.spikes["second"].mean() < 0.9
    simulator = Simulator(graph, 2, "dense")
    plan = simulator.runner(frozenset()).plan
    blocks = {plan.names[number]: len(unit.sum.blocks) for number, unit in plan.dense.items()}
    assert blocks["by_row"] == 3
    assert blocks["plain"] == 1
    same(wanted, simulator.run(images, ALL), "side by side")
    same(interpret(graph, images[:1], ALL), simulator.run(images[:1], ALL), "one image")


def test_rows_in_parts_have_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense_kernels, "CHUNK", 200)
    images = np.random.default_rng(1).integers(0, 256, (2, 4, 9, 10)).astype(np.uint8)
    graph = network((1, 1), (1, 2), (1, 1), 1, (3, 2))
    same(interpret(graph, images, ALL), Simulator(graph, 2, "dense").run(images, ALL), "parts")


def test_numpy_has_the_same_bits_where_onnxruntime_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(products, "library", lambda: "numpy")
    for seed in range(4):
        graph, images = small(seed, 8)
        same(interpret(graph, images, ALL), Simulator(graph, 2, "dense").run(images, ALL), seed)


def test_products_are_exact_up_to_their_bound() -> None:
    """Sums at the ends of what float32 holds, and just above, where float64 must take over."""
    for reach in ((1 << 24) - 1, (1 << 24) + 1, (1 << 31) - 1):
        matrix = np.array([[reach // 2], [reach - reach // 2], [-(reach - 1)]], np.int64)
        bits = np.array(list(product((0, 1), repeat=3)), np.uint8)
        got = products.product_with(matrix, reach)(bits)
        assert np.array_equal(got.astype(np.int64), bits.astype(np.int64) @ matrix), reach


def test_products_of_int8_are_exact_at_full_scale() -> None:
    """Pairs of extreme weights: kernels that saturate at 16 bits would show."""
    rng = np.random.default_rng(0)
    for shape in ((64, 33), (1024, 5), (2048, 160)):
        for matrix in (np.full(shape, -128, np.int8), np.full(shape, 127, np.int8),
                       rng.choice(np.array([-128, 127], np.int8), shape)):  # fmt: skip
            bits = rng.integers(0, 2, (37, shape[0])).astype(np.uint8)
            bits[0] = 1
            got = products.product_with(matrix, 128 * shape[0])(bits)
            assert np.array_equal(got.astype(np.int64), bits.astype(np.int64) @ matrix), shape


def test_one_step_at_a_time_is_the_whole() -> None:
    """The plan that keeps membranes between calls, with weights by step too."""
    seen = 0
    for seed in range(12):
        graph, images = small(seed, 4)
        wanted = Simulator(graph).run(images[:1]).readout
        plan = plan_units(graph, 1, stateful=True, dense=projections_of_spikes(graph))
        runner, memory = HybridRunner(graph, plan), Memory(plan)
        total = np.zeros_like(wanted[0])
        for step in range(graph.steps):
            memory.begin()
            runner.run(memory, np.ascontiguousarray(images[0]), steps=(step, step + 1))
            total += runner.readout(memory, 1)
        whole = Simulator(graph, 1, "dense")
        offset = whole.run(images[:1]).readout[0] - _without_offset(whole, images[0])
        assert np.array_equal(total + offset, wanted[0]), seed
        seen += len(plan.dense)
    assert seen > 10


def _without_offset(simulator: Simulator, image: np.ndarray) -> np.ndarray:
    runner = simulator.runner(frozenset())
    memory = Memory(runner.plan)
    runner.run(memory, np.ascontiguousarray(image))
    return runner.readout(memory, simulator.graph.steps)


def test_a_product_that_fails_stops_every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = wide_layers(64, 32, 20)
    simulator = Simulator(graph, 2, "dense")
    if simulator.threads < 2:
        pytest.skip("one processor")

    def fail(*_: object) -> None:
        raise MemoryError("no room for the operands")

    monkeypatch.setattr(dense_kernels.DenseLayer, "run", fail)
    with pytest.raises(MemoryError):
        simulator.run(np.zeros((1, 64), np.uint8))


def test_masked_layers_and_wide_currents_stay_event_driven() -> None:
    graph = wide(2**40)
    simulator = Simulator(graph, 2, "dense")
    assert "fire" in simulator.host_units
    assert simulator.dense_layers == ("contract",)  # what reads the spikes is narrow
    images = np.random.default_rng(0).integers(0, 256, (4, 3)).astype(np.uint8)
    same(interpret(graph, images, ALL), simulator.run(images, ALL), "wide")


# ---- auto


def fake_times(monkeypatch: pytest.MonkeyPatch, crossover: float) -> list[str]:
    """Layers whose event kernels take what a product takes at this activity."""
    asked: list[str] = []

    def of(_self: object, name: str, _layer: object) -> LayerTimes:
        asked.append(name)
        return LayerTimes(0.0, 1.0, crossover)

    monkeypatch.setattr(kernel_choice.KernelTimes, "of", of)
    return asked


def test_auto_takes_products_above_the_crossover(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = fake_times(monkeypatch, 0.4)
    graph = wide_layers(64, 32, 20)
    images = np.random.default_rng(2).integers(0, 256, (3, 64)).astype(np.uint8)
    wanted = interpret(graph, images, ALL)
    head = next(iter(set(projections_of_spikes(graph)) - {"wide"}))
    cases: list[tuple[Rates, set[str]]] = [
        ({"first": 0.39, "second": 0.0}, set()),
        ({"first": 0.42, "second": 0.0}, set()),  # a tie goes to events
        ({"first": 0.5, "second": 0.2}, {"wide"}),
        ({"first": 0.1, "second": 0.9}, {head}),
    ]
    for rates, dense in cases:
        simulator = Simulator(graph, 2, "auto", rates)
        assert set(simulator.dense_layers) == dense
        same(wanted, simulator.run(images, ALL), rates)
    assert set(asked) == {"wide", head}


def test_auto_without_rates_looks_at_the_first_image(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_times(monkeypatch, 0.4)
    graph = wide_layers(64, 32, 20)
    for level, expected in ((0, False), (255, True)):
        images = np.full((2, 64), level, np.uint8)
        for rates in (None, {"first": 0.5}):  # rates of some populations are none
            simulator = Simulator(graph, 1, "auto", rates)
            assert simulator.dense_layers == ()
            same(interpret(graph, images, ALL), simulator.run(images, ALL), level)
            assert ("wide" in simulator.dense_layers) is expected
    nothing = Simulator(graph, 1, "auto")
    assert nothing.run(np.zeros((0, 64), np.uint8)).readout.shape == (0, 2)


def test_auto_with_host_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are asked for what reads the host's spikes; what the host computes has none."""
    graph = wide(2**40)
    images = np.random.default_rng(0).integers(0, 256, (4, 3)).astype(np.uint8)
    for crossover, wanted in ((1.1, ()), (0.0, ("contract",))):
        asked = fake_times(monkeypatch, crossover)
        for rates in (None, {"fire": 0.9}):
            simulator = Simulator(graph, 2, "auto", rates)
            same(interpret(graph, images, ALL), simulator.run(images, ALL), rates)
            assert simulator.dense_layers == wanted
        assert set(asked) == {"contract"}


def test_times_are_measured_once_and_kept(tmp_path: Path) -> None:
    graph = wide_layers(200, 100, 20)
    layers = projections_of_spikes(graph)
    plan = plan_units(graph, graph.steps, dense=layers, both=True)
    sums = {plan.names[number]: unit.sum for number, unit in plan.dense.items()}
    first = KernelTimes(graph, layers)
    measured = {name: first.of(name, layer) for name, layer in sums.items()}
    assert all(time.product > 0.0 and time.events(0.5) > 0.0 for time in measured.values())
    first.save()
    again = KernelTimes(graph, layers)
    assert {name: again.of(name, layer) for name, layer in sums.items()} == measured
    kept = cache_file()
    assert kept is not None
    assert kept.is_relative_to(tmp_path)
    rows = json.loads(kept.read_text())[machine()]
    for damaged in (
        *("", "[]", "{}", json.dumps({"another machine": rows}), json.dumps({machine(): [1]})),
        *(json.dumps({machine(): {key: row}}) for key in rows for row in ([1.0], ["a", 1, 1])),
    ):
        kept.write_text(damaged)
        assert KernelTimes(graph, layers).known == {}, damaged


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    for name in ("SNNCC_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(blocked))
    graph = wide_layers(40, 20, 20)
    images = np.full((2, 40), 255, np.uint8)
    simulator = Simulator(graph, 1, "auto")
    same(interpret(graph, images, ALL), simulator.run(images, ALL), "no cache")


def test_a_crossover_is_where_both_take_the_same() -> None:
    time = LayerTimes(quiet=2.0, slope=10.0, product=6.0)
    assert time.events(time.crossover) == pytest.approx(time.product)
    assert LayerTimes(2.0, 10.0, 1.0).crossover == 0.0
    assert LayerTimes(2.0, 0.0, 3.0).crossover == float("inf")


def test_rates_come_from_what_the_compilation_measured() -> None:
    found = {"fidelity": {"populations": [{"name": "a", "rate": 0.25, "flips": 0.0}]}}
    assert known_rates(found) == {"a": 0.25}
    assert known_rates({}) is None
    assert known_rates({"fidelity": None}) is None


# ---- the command


@pytest.fixture(scope="module")
def program(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dense") / "digits.snncc"
    data = f"{root / 'examples/digits.npz'}:x_cal"
    options = ["--normalize", "0.3,0.35", "--calibrate", data]
    assert run(["compile", str(root / "examples/digits_mixer.pth"), "-o", str(out), *options]) == 0
    return out


def test_run_says_which_layers_multiply(
    root: Path,
    program: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_times(monkeypatch, 0.06)
    digits, outputs = f"{root / 'examples/digits.npz'}:x_test", {}
    for kernels in ("event", "dense", "auto"):
        out, recorded = tmp_path / f"{kernels}.npz", tmp_path / f"{kernels}-spikes.npz"
        asked = [] if kernels == "event" else ["--kernels", kernels]
        base = ["run", str(program), digits, "--limit", "20", *asked]
        capsys.readouterr()
        assert run([*base, "--record", str(recorded), "-o", str(out), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)["kernels"]
        assert found["asked"] == kernels
        outputs[kernels] = (out.read_bytes(), recorded.read_bytes(), len(found["dense"]))
        assert ("library" in found) == bool(found["dense"])
        assert run(base) == 0
        text = " ".join(capsys.readouterr().out.split())
        multiplies = "not an execution without multiplications" in text
        assert multiplies is bool(found["dense"])
    assert outputs["event"][:2] == outputs["dense"][:2] == outputs["auto"][:2]
    assert outputs["event"][2] == 0 < outputs["auto"][2] < outputs["dense"][2]


def test_the_interpreter_has_no_kernels(
    root: Path, program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", str(program), f"{root / 'examples/digits.npz'}:x_test"]
    assert run([*arguments, "--executor", "interpreter", "--kernels", "dense"]) == 2
    assert "--kernels chooses among those of --executor simulator" in capsys.readouterr().err


def test_event_kernels_alone_are_what_verify_inspects(program: Path) -> None:
    """`test_kernel_inspection` looks at what it finds there."""
    graph = load_program(program).graph
    assert Simulator(graph).kernels.dense == frozenset()
