"""What the simulator says it takes, against what NumPy allocates."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from executions import images_of
from programs import lowered
from test_executors import wide
from test_units import Net

from snncc.backends.cpu.plan.encoding import plan_units
from snncc.backends.cpu.vm.runner import Memory
from snncc.cli.main import run
from snncc.diagnostics import SnnccError
from snncc.ir import Graph
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.projections import Concat, Frames, Sum
from snncc.machine import memory as machine_memory
from snncc.machine.memory import free_memory, megabytes, require_memory
from snncc.runtime import ALL, memory_use
from snncc.runtime.host_layers import HostLayer
from snncc.runtime.hybrid_runner import HybridRunner
from snncc.runtime.memory_use import MemoryUse
from snncc.runtime.recording import run_recorded
from snncc.runtime.simulator import Simulator

MB = 1 << 20


def peak_of(work: Callable[[], object]) -> int:
    """Bytes that were allocated at once while something ran, beyond what was there before."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        result = work()
        _, peak = tracemalloc.get_traced_memory()
        assert result is not None
        return peak - before
    finally:
        tracemalloc.stop()


def everything(graph: Graph) -> frozenset[str]:
    return frozenset(node.name for node in graph.select(IntegerPopulation))


@pytest.fixture(scope="module")
def digits(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Graph, np.ndarray, Path]:
    from snncc.artifact import load_program

    program = tmp_path_factory.mktemp("digits") / "digits.snncc"
    model, data = root / "examples/digits_mixer.pth", root / "examples/digits.npz"
    assert run(["compile", str(model), "-o", str(program), "--normalize", "0.3,0.35"]) == 0
    return load_program(program).graph, np.load(data)["x_test"], program


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("images", [1, 40, 200])
def test_a_recorded_batch_takes_what_was_said(
    digits: tuple[Graph, np.ndarray, Path], images: int, threads: int
) -> None:
    graph, data, _ = digits
    simulator = Simulator(graph, threads)
    simulator.run(data[:1], ALL)  # plans
    use = memory_use.memory_use(graph, everything(graph))
    seen = peak_of(lambda: simulator.run(data[:images], ALL))
    said = use.running(images, simulator.threads)
    assert abs(seen - said) < 0.1 * said + 20_000, (seen, said)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_batch_that_records_nothing_takes_what_was_said(
    digits: tuple[Graph, np.ndarray, Path], threads: int
) -> None:
    graph, data, _ = digits
    simulator = Simulator(graph, threads)
    use = memory_use.memory_use(graph)
    for images in (1, 500):
        simulator.run(data[:1])
        seen = peak_of(lambda n=images: simulator.run(data[:n]))
        said = use.running(images, simulator.threads)
        assert abs(seen - said) < 0.1 * said + 20_000, (images, seen, said)


def test_the_whole_run_takes_what_was_said(digits: tuple[Graph, np.ndarray, Path]) -> None:
    graph, data, _ = digits
    for record, images in ((None, 100), (ALL, 100), (None, 1)):
        use = memory_use.memory_use(graph, everything(graph) if record else frozenset())
        seen = peak_of(lambda r=record, n=images: Simulator(graph, 2).run(data[:n], r))
        said = use.peak(images, Simulator(graph, 2).threads) - use.program
        assert abs(seen - said) < 0.1 * said + 20_000, (record, images, seen, said)


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 5])
def test_random_networks_take_what_was_said(seed: int) -> None:
    graph = lowered(seed)
    images = np.concatenate([images_of(seed)] * 60)
    simulator = Simulator(graph, 2)
    simulator.run(images[:1], ALL)
    use = memory_use.memory_use(graph, everything(graph))
    seen, said = peak_of(lambda: simulator.run(images, ALL)), use.running(len(images), 2)
    assert abs(seen - said) < 0.1 * said + 20_000, (seen, said)


def test_a_second_plan_shares_the_constants_of_the_first() -> None:
    graph = lowered(1)
    simulator = Simulator(graph)
    first = simulator.runner(frozenset()).plan.block
    assert simulator.runner(everything(graph)).plan.block is first
    assert simulator.runner(frozenset(), stream=True).plan.block is first


def test_what_does_not_fit_is_refused_before_it_runs(
    digits: tuple[Graph, np.ndarray, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, data, _ = digits
    simulator = Simulator(graph)
    monkeypatch.setattr(machine_memory, "UNNOTICED", 0)
    monkeypatch.setattr(machine_memory, "free_memory", lambda: 40 * MB)
    simulator.run(data[:500])
    with pytest.raises(SnnccError) as caught:
        simulator.run(data[:500], ALL)
    assert caught.value.code == "SNN004"
    fitting = int(str(caught.value).split("--limit ")[1].split(")")[0])
    assert 1 < fitting < 500
    assert len(simulator.run(data[:fitting], ALL).readout) == fitting
    with pytest.raises(SnnccError):
        simulator.run(data[: fitting + 1], ALL)


def test_a_recording_is_refused_whole_not_at_its_last_chunk(
    digits: tuple[Graph, np.ndarray, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, data, _ = digits
    ran: list[int] = []

    def execute(images: np.ndarray, record: object) -> object:
        ran.append(len(images))
        return Simulator(graph).run(images, record)

    monkeypatch.setattr(machine_memory, "UNNOTICED", 0)
    monkeypatch.setattr(machine_memory, "free_memory", lambda: 4 * MB)
    with pytest.raises(SnnccError) as caught:
        run_recorded(graph, data[:500], execute, ALL)
    assert caught.value.code == "SNN004"
    assert ran == []


def test_a_recording_takes_no_more_than_was_said(
    digits: tuple[Graph, np.ndarray, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, data, _ = digits
    said: list[int] = []

    def note(what: str, images: int, each: int, besides: int) -> None:
        said.append(images * each + besides)

    monkeypatch.setattr("snncc.runtime.recording.require_memory", note)
    simulator = Simulator(graph)
    simulator.run(data[:1], ALL)
    monkeypatch.setattr("snncc.runtime.recording.CHUNK_BYTES", 2 * MB)
    seen = peak_of(lambda: run_recorded(graph, data[:500], simulator.run, ALL))
    assert 0.5 * said[0] < seen < 1.1 * said[0]


def test_free_memory_is_known_here() -> None:
    free = free_memory()
    assert free is not None
    assert free > MB
    require_memory("results", 1, machine_memory.UNNOTICED + 1)
    with pytest.raises(SnnccError) as caught:
        require_memory("results", 1000, 1 << 50)
    assert caught.value.code == "SNN004"


def test_inspect_prints_the_peak(
    digits: tuple[Graph, np.ndarray, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import json

    graph, _, program = digits
    # Planning is measured; twice measured it differs by what Python has not freed yet.
    once = memory_use.memory_use(graph)
    monkeypatch.setattr(memory_use, "memory_use", lambda _: once)
    assert run(["inspect", str(program), "--batch", "100", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["memory"]
    use = MemoryUse(**{k: found[k] for k in MemoryUse.__dataclass_fields__})
    assert found["peak"] == use.peak(100, found["threads"])
    assert found["program"] == sum(a.nbytes for a in graph.constants.values())
    assert run(["inspect", str(program), "--batch", "100"]) == 0
    text = capsys.readouterr().out
    assert "for 100 images on one thread" in text
    assert megabytes(found["peak"]) in text


def test_sizes_have_about_three_digits() -> None:
    sizes = (0, 999, 1000, 12_345, 999_000, 1_000_000, 134_400_000, 5_600_000_000)
    assert [megabytes(size) for size in sizes] == [
        *("0 bytes", "999 bytes", "1.0 kB", "12.3 kB", "999 kB", "1.0 MB", "134 MB", "5,600 MB")
    ]


def wide_layer(neurons: int) -> Graph:
    """Membranes of more than 32 bits in a layer that is larger than what NumPy takes by itself."""
    net = Net(3)
    first = net.fire(net.dense(net.image(y=20, x=3), "x", "c", neurons), "first")
    far = net.b.add(Sum((30, 0)), [net.dense(first, "c", "d", n) for n in (neurons, neurons)])
    return net.finish(net.fire(far, "second", decay=(3, 2), reset="soft"))


def beside() -> Graph:
    """Spikes of two populations side by side."""
    net = Net(3)
    image = net.image(y=20, x=3)
    parts = [net.fire(net.dense(image, "x", "c", 300), name) for name in ("one", "two")]
    joined = net.b.add(Concat(("c", "c"), "c"), parts)
    return net.finish(net.fire(net.dense(joined, "c", "d", 40), "last"))


@pytest.mark.parametrize("make", [lambda: wide(2**24), lambda: wide_layer(200), beside])
def test_host_units_take_what_was_said(make: Callable[[], Graph]) -> None:
    """NumPy's arrays of one unit at a time; what is said holds and is not far too much."""
    graph = make()
    shape = next(n.type.shape for n in graph.select(Frames))
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    plan = plan_units(graph, graph.steps, everything(graph))
    assert plan.host
    memory = Memory(plan)
    HybridRunner(graph, plan).run(memory, image)
    for unit in plan.host.values():
        layer = HostLayer(unit)
        seen = peak_of(lambda run=layer.run: run(memory.values, image, 0, graph.steps, 0) + 1)
        assert seen <= unit.scratch + 12_000, (unit.node.name, seen, unit.scratch)
        assert unit.scratch <= 8 * seen, (unit.node.name, seen, unit.scratch)
    simulator = Simulator(graph, 1)
    simulator.run(image[None], ALL)
    use = memory_use.memory_use(graph, everything(graph))
    assert use.hosting == max(unit.scratch for unit in plan.host.values())
    seen = peak_of(lambda: simulator.run(image[None], ALL))
    assert seen <= 1.1 * use.running(1, 1) + 20_000
