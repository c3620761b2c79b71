"""Single steps against the batch; states that are kept, resumed elsewhere, damaged."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from executions import images_of
from programs import lowered
from test_executors import wide

from snncc.artifact import load_program
from snncc.backends.cpu.streams.state import StreamState, load_state, save_state
from snncc.backends.cpu.streams.stream import Answer
from snncc.cli.main import run
from snncc.diagnostics import SnnccError
from snncc.ir import TIME, Graph, params_of
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.runtime import ALL, Execution, interpret
from snncc.runtime.simulator import Simulator


def check_against(graph: Graph, whole: Execution, place: int, answers: list[Answer]) -> None:
    """Spikes, membranes, counts and the last answer are those of image `place` of a batch."""
    assert [a.done for a in answers] == list(range(1, graph.steps + 1))
    assert np.array_equal(answers[-1].readout, whole.readout[place])
    assert np.array_equal(answers[-1].logits, whole.logits[place])
    for name, spikes in whole.spikes.items():
        axis = graph[name].type.names.index(TIME)
        for t, answer in enumerate(answers):
            assert np.array_equal(answer.spikes[name], spikes[place].take(t, axis)), (name, t)
            levels = whole.membranes[name][place].take(t, axis)
            assert np.array_equal(answer.membranes[name], levels), (name, t)
            assert answer.spike_counts[name] == answer.spikes[name].sum()


@pytest.mark.parametrize("seed", range(40))
def test_single_steps_are_the_batch_run(seed: int) -> None:
    graph, images = lowered(seed), images_of(seed)[:2]
    whole = interpret(graph, images, ALL)
    simulator = Simulator(graph, 1 + seed % 2)
    for place, image in enumerate(images):
        check_against(graph, whole, place, list(simulator.stream(image, ALL)))


@pytest.mark.parametrize("weight", [2**20, 2**24, 2**40])
def test_wide_programs_stream_with_host_units(weight: int) -> None:
    graph = wide(weight)
    simulator = Simulator(graph)
    assert "fire" in simulator.host_units
    images = np.random.default_rng(0).integers(0, 256, (3, 3)).astype(np.uint8)
    whole = interpret(graph, images, ALL)
    for place, image in enumerate(images):
        check_against(graph, whole, place, list(simulator.stream(image, ALL)))


@pytest.mark.parametrize(
    "rule",
    [
        {"decay": (3, 2), "decay_offset": 1},
        {"decay": (1, 0), "reset": "soft"},
        {"compare": "gt", "decay": (3, 2), "decay_offset": 2},
        {"compare": "gt", "decay": (1, 3), "reset": "soft"},
    ],
)
def test_every_kind_of_neuron_streams(rule: dict[str, object]) -> None:
    seed = next(s for s in range(50) if stepwise(lowered(s)))
    graph = lowered(seed)
    nodes = []
    for node in graph.nodes:
        op = node.op
        if isinstance(op, IntegerPopulation):
            op = replace(op, **rule, membrane=(-(2**24), 2**24))  # type: ignore[arg-type]
            op = replace(op, rounding=Rounding.exact_for(op.compare))
        nodes.append(replace(node, op=op))
    graph = replace(graph, nodes=tuple(nodes))
    images = images_of(seed)[:2]
    whole = interpret(graph, images, ALL)
    simulator = Simulator(graph)
    for place, image in enumerate(images):
        check_against(graph, whole, place, list(simulator.stream(image, ALL)))


def weights_by_step(graph: Graph) -> bool:
    return any(TIME in p.axes for node in graph.nodes for p in params_of(node.op))


def stepwise(graph: Graph) -> bool:
    """Whether a population's constants differ from step to step."""
    return any(TIME in p.axes for n in graph.select(IntegerPopulation) for p in params_of(n.op))


def test_answers_so_far_are_those_of_a_program_that_ends_there() -> None:
    """Without weights by step, T only says when to stop: the first steps are a shorter program."""
    seed = next(
        s
        for s in range(50)
        if not any(TIME in p.axes for n in lowered(s).nodes for p in params_of(n.op))
    )
    graph, image = lowered(seed), images_of(seed)[0]
    for answer in Simulator(graph).stream(image):
        axes = {
            n.name: tuple(
                replace(a, size=answer.done) if a.name == TIME else a for a in n.type.axes
            )
            for n in graph.nodes
        }
        nodes = tuple(replace(n, type=replace(n.type, axes=axes[n.name])) for n in graph.nodes)
        shorter = replace(graph, steps=answer.done, nodes=tuple(nodes))
        assert np.array_equal(answer.readout, interpret(shorter, image[None]).readout[0])


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_a_stream_goes_on_from_every_step(seed: int, tmp_path: Path) -> None:
    graph, image = lowered(seed), images_of(seed)[0]
    whole = interpret(graph, image[None], ALL)
    stream, answers = Simulator(graph).stream(image, ALL), []
    states = [stream.state()]
    for answer in stream:
        answers.append(answer)
        states.append(stream.state())
    for done, state in enumerate(states):
        path = tmp_path / f"{done}.npz"
        save_state(path, state)
        for threads in (1, 2):
            rest = list(Simulator(graph, threads).resume(load_state(path), ALL))
            check_against(graph, whole, 0, answers[:done] + rest)
        again = Simulator(graph).resume(load_state(path)).state()
        assert np.array_equal(again.readout, state.readout)
        for name, membranes in state.membranes.items():
            assert np.array_equal(again.membranes[name], membranes)


def test_another_process_goes_on_with_the_same_bits(root: Path, tmp_path: Path) -> None:
    graph, image = digits(root, tmp_path)
    whole = interpret(graph, image[None], ALL)
    stream, kept = Simulator(graph).stream(image, ALL), []
    for _ in range(graph.steps):
        save_state(tmp_path / f"{stream.done}.npz", stream.state())
        kept.append(stream.step())
    check_against(graph, whole, 0, kept)
    code = """
import sys
from pathlib import Path
import numpy as np
from snncc.artifact import load_program
from snncc.runtime.simulator import Simulator
from snncc.backends.cpu.streams.state import load_state
simulator = Simulator(load_program(Path(sys.argv[1])).graph)
for path in sys.argv[2:]:
    last = list(simulator.resume(load_state(Path(path))))[-1]
    np.save(path + ".npy", last.readout)
"""
    paths = [str(tmp_path / f"{done}.npz") for done in range(graph.steps)]
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "p.snncc"), *paths], check=True)
    for path in paths:
        assert np.array_equal(np.load(path + ".npy"), whole.readout[0]), path


def digits(root: Path, folder: Path) -> tuple[Graph, np.ndarray]:
    model, data = root / "examples/digits_mixer.pth", root / "examples/digits.npz"
    program = folder / "p.snncc"
    assert run(["compile", str(model), "-o", str(program), "--normalize", "0.3,0.35"]) == 0
    return load_program(program).graph, np.load(data)["x_test"][0]


def test_later_steps_do_not_change_a_state() -> None:
    graph, image = lowered(1), images_of(1)[0]
    for stream in (Simulator(graph).stream(image), Simulator(graph, 2).stream(image)):
        stream.step()
        state = stream.state()
        before = {name: values.copy() for name, values in state.membranes.items()}
        readout = state.readout.copy()
        list(stream)
        assert np.array_equal(state.readout, readout)
        assert all(np.array_equal(state.membranes[n], v) for n, v in before.items())


def test_a_finished_stream_says_so() -> None:
    graph, image = lowered(3), images_of(3)[0]
    stream = Simulator(graph).stream(image)
    list(stream)
    assert stream.finished
    with pytest.raises(SnnccError) as caught:
        stream.step()
    assert caught.value.code == "SNN001"
    resumed = Simulator(graph).resume(stream.state())
    assert resumed.finished
    assert list(resumed) == []


def test_streams_of_one_simulator_do_not_touch_each_other() -> None:
    graph, images = lowered(5), images_of(5)[:4]
    simulator = Simulator(graph)
    whole = simulator.run(images)
    streams = [simulator.stream(image) for image in images]
    for _ in range(graph.steps):
        answers = [stream.step() for stream in streams]
    assert np.array_equal(np.stack([a.readout for a in answers]), whole.readout)


def some_state() -> tuple[Graph, StreamState]:
    graph = lowered(7)
    stream = Simulator(graph).stream(images_of(7)[0])
    stream.step()
    return graph, stream.state()


def test_a_state_of_another_program_is_refused() -> None:
    _, state = some_state()
    with pytest.raises(SnnccError, match="another program") as caught:
        Simulator(lowered(8)).resume(state)
    assert caught.value.code == "SNN016"


def test_a_state_that_cannot_be_is_refused() -> None:
    graph, state = some_state()
    name = next(iter(state.membranes))
    few = dict(state.membranes)
    del few[name]
    flat = {**state.membranes, name: state.membranes[name].reshape(-1)[:1]}
    far = {**state.membranes, name: state.membranes[name] + 2**40}
    wrong = [
        replace(state, done=graph.steps + 1),
        replace(state, done=-1),
        replace(state, membranes=few),
        replace(state, membranes={**state.membranes, "nobody": state.readout}),
        replace(state, membranes=flat),
        replace(state, membranes=far),
        replace(state, readout=state.readout[:1]),
        replace(state, readout=state.readout + 2**40),
        replace(state, image=state.image[:, :1]),
        replace(state, image=state.image.astype(np.int16)),
    ]
    for each in wrong:
        with pytest.raises(SnnccError) as caught:
            Simulator(graph).resume(each)
        assert caught.value.code == "SNN016"
    assert not Simulator(graph).resume(state).finished


def test_a_damaged_file_is_refused_or_gives_the_same_state(tmp_path: Path) -> None:
    graph, state = some_state()
    simulator = Simulator(graph)
    path, rng = tmp_path / "state.npz", np.random.default_rng(0)
    save_state(path, state)
    good = path.read_bytes()
    wanted = list(simulator.resume(state))[-1].readout
    refused = unharmed = 0
    for trial in range(200):
        content = bytearray(good)
        if trial % 4 == 0:
            content = content[: rng.integers(0, len(content))]
        else:
            content[rng.integers(0, len(content))] ^= 1 << rng.integers(0, 8)
        path.write_bytes(content)
        try:
            answer = list(simulator.resume(load_state(path)))[-1]
        except SnnccError as error:
            refused += error.code in ("SNN015", "SNN016")
        else:
            unharmed += 1
            assert np.array_equal(answer.readout, wanted)
    assert refused + unharmed == 200
    assert refused > 100


@pytest.mark.parametrize(
    "change",
    [
        {"schema": np.array(99)},
        {"schema": np.array("one")},
        {"done": np.array(1.0)},
        {"done": np.array([1])},
        {"program": np.array(5)},
        {"readout": np.zeros(3)},
        {"image": None},
    ],
)
def test_a_file_of_another_form_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    save_state(path, some_state()[1])
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files} | change
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})  # type: ignore[arg-type]
    with pytest.raises(SnnccError) as caught:
        load_state(path)
    assert caught.value.code == "SNN016"


def test_equal_states_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        save_state(tmp_path / name, some_state()[1])
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_simulator_of_matrix_products_streams_the_same_bits() -> None:
    graph, images = lowered(2), images_of(2)[:2]
    simulator = Simulator(graph, kernels="dense")
    assert simulator.dense_layers
    whole = simulator.run(images, ALL)
    for place, image in enumerate(images):
        check_against(graph, whole, place, list(simulator.stream(image, ALL)))
