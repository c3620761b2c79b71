"""ONNX graphs as files, and what cannot be written or run: each refused with its code."""

import importlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_runs
import pytest
from onnx_runs import checked, same_as_interpreted
from programs import lowered
from random_networks import random_images, random_network

import snncc
from snncc.artifact import Program, program_digest
from snncc.backends.onnx_graph import FORM, library, steps
from snncc.backends.onnx_graph.files import check_free, data_path, write_model
from snncc.backends.onnx_graph.model import onnx_model, serialised, start_inputs
from snncc.backends.onnx_graph.running import onnx_executor, session_of
from snncc.diagnostics import SnnccError
from snncc.ir import TIME, GraphBuilder
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames
from snncc.runtime import ALL, interpret

SEED = 1


@pytest.fixture
def program() -> Program:
    return Program(lowered(SEED), {"network": "drawn"})


def pictures(count: int = 3) -> np.ndarray:
    return random_images(random_network(SEED), SEED, count)


@pytest.mark.parametrize("form", ["scan", "step"])
def test_equal_programs_give_equal_bytes(program: Program, form: str, tmp_path: Path) -> None:
    first, second = (serialised(onnx_model(program, form)) for _ in range(2))
    assert first == second
    api = snncc.Program(program)
    api.export("onnx", tmp_path / "net.onnx", form=form)
    assert (tmp_path / "net.onnx").read_bytes() == first
    assert os.listdir(tmp_path) == ["net.onnx"]


def test_the_file_says_what_it_is(program: Program) -> None:
    model = checked(serialised(onnx_model(program, record=["lif.3"])))
    said = {entry.key: entry.value for entry in model.metadata_props}
    graph = program.graph
    assert said["snncc.program"] == program_digest(program)
    assert said["snncc.version"] == model.producer_version == snncc.__version__
    assert (said["snncc.form"], said["snncc.steps"]) == ("scan", str(graph.steps))
    inputs, outputs = (json.loads(said[f"snncc.{key}"]) for key in ("inputs", "outputs"))
    assert set(inputs) == {value.name for value in model.graph.input}
    assert set(outputs) == {value.name for value in model.graph.output}
    kind = graph["lif.3"].type
    assert outputs["lif.3[spikes]"] == outputs["lif.3[membranes]"] == ["batch", *kind.names]
    rest = [name for name in kind.names if name != TIME]
    assert inputs["lif.3[state]"] == outputs["lif.3[next]"] == ["batch", *rest]
    assert inputs["images"] == ["batch", *next(iter(graph.nodes)).type.names]
    shapes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    sizes = [kind.size(name) for name in rest]
    assert shapes["lif.3[state]"] == shapes["lif.3[next]"] == ["N", *sizes]
    assert shapes["lif.3[spikes]"] == ["N", "T", *sizes]
    assert float(said["snncc.unit"]) == graph[graph.output].op.unit


def wide() -> Program:
    """Two weights of 1,600 bytes."""
    rng = np.random.default_rng(0)
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("p",), (40,)), name="image")
    rows = [b.constant(n, rng.integers(-99, 99, (40, 40)), ("n", "p")) for n in ("w", "last")]
    current = b.add(Contract(rows[0], ("p",), ("n",)), [image])
    op = IntegerPopulation(b.constant("v", np.array(99), ()))
    op = replace(op, membrane=op.membrane_range(b[current].type, b.context))
    last = replace(rows[1], axes=("k", "n"))
    head = b.add(Contract(last, ("n",), ("k",)), [b.add(op, [current])])
    return Program(b.finish(b.add(IntegerReadout(), [head])), {})


def one_neuron(weight: int, length: int = 5) -> Program:
    """255 times the weight at most enter at every step, and stay; it never fires."""
    b = GraphBuilder("integer", length, "exact")
    image = b.add(Frames(("p",), (1,)), name="image")
    current = b.add(
        Contract(b.constant("w", np.array([[weight]]), ("n", "p")), ("p",), ("n",)), [image]
    )
    op = IntegerPopulation(b.constant("v", np.array(1 << 50), ()), decay=(1, 0))
    op = replace(op, membrane=op.membrane_range(b[current].type, b.context))
    spikes = b.add(op, [current], name="n")
    head = b.add(Contract(b.constant("h", np.array([[1]]), ("k", "n")), ("n",), ("k",)), [spikes])
    return Program(b.finish(b.add(IntegerReadout(), [head])), {})


@pytest.mark.parametrize(
    ("weight", "times"), [(1, 16), (1 << 19, 2), (1 << 20, 1), (-(1 << 20), 1), (1 << 24, 16)]
)
def test_it_says_for_how_many_steps_its_integers_are_proved(weight: int, times: int) -> None:
    """As long as a membrane that keeps all that comes needs no more than the type that it has."""
    found = onnx_model(one_neuron(weight)).metadata_props
    assert (found["snncc.steps"], found["snncc.proved_steps"]) == ("5", str(5 * times))


def test_large_networks_are_proved_for_their_own_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "MOST_WORK", 19)
    assert steps.prove_steps(one_neuron(1).graph).steps == 10
    monkeypatch.setattr(steps, "MOST_WORK", 9)
    assert steps.prove_steps(one_neuron(1).graph).steps == 5


def test_more_steps_than_the_program_has_are_those_of_a_longer_one() -> None:
    """Ten steps of a graph of five, as far as it is proved."""
    short, long = one_neuron(1 << 19), one_neuron(1 << 19, 10)
    images = np.array([[255], [3], [0]], np.uint8)
    run = onnx_runs.Graphs(short.graph, "scan").run(images, steps=np.array([10]))
    same_as_interpreted(long.graph, images, run)


def test_constants_past_the_limit_lie_beside_the_graph(tmp_path: Path) -> None:
    import onnx
    import onnxruntime

    big = wide()
    model, path = onnx_model(big), tmp_path / "net.onnx"
    content = serialised(model)
    assert write_model(path, model, largest=2000) == (path, data_path(path))
    assert sorted(os.listdir(tmp_path)) == ["net.onnx", "net.onnx.data"]
    assert path.stat().st_size < len(content)
    onnx.checker.check_model(str(path), full_check=True)
    again = onnx.load(path)
    whole = onnx.load_from_string(content)
    values = [
        {t.name: onnx.numpy_helper.to_array(t) for t in m.graph.initializer} for m in (again, whole)
    ]
    assert values[0].keys() == values[1].keys()
    assert all(np.array_equal(values[0][name], values[1][name]) for name in values[0])
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    shape = next(iter(big.graph.nodes)).type.shape
    images = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(np.uint8)
    (readout,) = session.run(["readout"], {"images": images, **start_inputs(model, 2)})
    assert np.array_equal(readout, interpret(big.graph, images).readout)
    first = path.read_bytes(), data_path(path).read_bytes()
    write_model(path, onnx_model(big), largest=2000)
    assert (path.read_bytes(), data_path(path).read_bytes()) == first


def test_only_an_earlier_graph_is_replaced_and_only_by_force(
    program: Program, tmp_path: Path
) -> None:
    path, api = tmp_path / "net.onnx", snncc.Program(program)
    path.write_bytes(b"")
    api.export("onnx", path)
    first = path.read_bytes()
    with pytest.raises(SnnccError, match="is not replaced") as caught:
        api.export("onnx", path)
    assert (caught.value.code, caught.value.findings[0].why) == ("SNN002", "a graph is there")
    api.export("onnx", path, form="step", force=True)
    assert path.read_bytes() != first
    for content in (b"notes", b"\x08\x08\x12\x07pytorch"):
        path.write_bytes(content)
        with pytest.raises(SnnccError, match="is not replaced"):
            api.export("onnx", path, force=True)
        assert path.read_bytes() == content
    path.unlink()
    data_path(path).write_bytes(b"constants of another")
    with pytest.raises(SnnccError, match=r"net\.onnx\.data is not replaced"):
        check_free(path, True)
    with pytest.raises(SnnccError) as caught:
        api.export("onnx", tmp_path)
    assert caught.value.code == "SNN002"


def test_a_disk_that_is_full_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"old")
    program = wide()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    for largest in (1 << 31, 100):
        with pytest.raises(SnnccError, match="cannot be written"):
            write_model(path, onnx_model(program), largest=largest)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["net.onnx"]


def test_what_onnx_has_no_form_for_is_named(program: Program) -> None:
    graph = next(g for g in map(lowered, range(9)) if g.select(Gain))
    known = FORM._known.pop(Gain)  # as an op that somebody adds
    try:
        with pytest.raises(SnnccError, match="ONNX has no form for gain") as caught:
            onnx_model(Program(graph, {}))
    finally:
        FORM._known[Gain] = known
    assert caught.value.code == "SNN040"
    assert len(caught.value.findings) == len(graph.select(Gain))
    with pytest.raises(SnnccError, match="form spiral"):
        onnx_model(program, "spiral")
    with pytest.raises(SnnccError) as caught:
        snncc.Program(program).export("onnx", "net.onnx", form="spiral")
    assert caught.value.code == "SNN001"
    with pytest.raises(SnnccError, match="no effect here"):
        snncc.Program(program).export("lava", "bundle", form="scan")


@pytest.mark.parametrize("missing", sorted(library.PACKAGES))
def test_a_package_that_is_missing_is_named(
    program: Program, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.import_module

    def without(name: str, *rest: Any) -> Any:
        if name == missing:
            raise ImportError(f"No module named {name!r}")
        return real(name, *rest)

    monkeypatch.setattr(library.importlib, "import_module", without)
    from snncc.backends.onnx_graph import target

    with pytest.raises(SnnccError) as caught:
        target.onnx().machine(None)  # type: ignore[misc]
    found = caught.value.findings[0]
    assert found.code == "SNN050"
    assert library.PACKAGES[missing] in found.message
    assert found.help == "pip install 'snncc[onnx]'"


def test_a_run_ends_with_its_seconds(program: Program) -> None:
    with (
        onnx_executor(program, 0.0, lambda _: None) as execute,
        pytest.raises(SnnccError, match="took too long") as caught,
    ):
        execute(pictures(), ALL)
    assert caught.value.code == "SNN054"


def test_a_model_that_onnxruntime_refuses_is_told() -> None:
    with pytest.raises(SnnccError, match="onnxruntime failed") as caught:
        session_of(b"no model")
    assert caught.value.code == "SNN053"
    assert caught.value.findings[0].details


def test_images_run_in_as_many_calls_as_memory_asks_for(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    from snncc.backends.onnx_graph import running

    monkeypatch.setattr(running, "ELEMENTS", 1)
    told: list[int] = []
    with onnx_executor(program, 60.0, told.append) as execute:
        found = execute(pictures(4), ALL)
        some = execute(pictures(2), ("lif.3",))
    assert told == [1, 2, 3, 4, 5, 6]
    assert set(some.spikes) == set(some.membranes) == {"lif.3"}
    wanted = interpret(program.graph, pictures(4), ALL)
    assert found.spike_counts == wanted.spike_counts
    names = [node.name for node in program.graph.select(IntegerPopulation)]
    run = onnx_runs.Run(
        found.readout, found.logits, {**found.spikes}, {**found.membranes}, dict.fromkeys(names)
    )
    same_as_interpreted(program.graph, pictures(4), run)
