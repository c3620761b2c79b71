"""The recipe of CONTRIBUTING.md, carried out: an op is added, runs, is proved, is removed again.

`any_of` is OR over spikes. What is written here is what the recipe names, and nothing else.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pytest
from c_runs import COMPILERS, needs_compiler, same
from test_meanings import TABLES, fires, table
from torch import maximum

from snncc.artifact import Program, load_program, program_digest, save_program
from snncc.artifact.program import canonical
from snncc.backends import c99
from snncc.backends.c99 import table as c_table
from snncc.backends.c99.currents import put
from snncc.backends.c99.draft import FORMS
from snncc.backends.c99.terms import Indices, Term, dealt
from snncc.backends.lava_nc import expressible, process_network, terms
from snncc.backends.lava_nc.loihi import limits, synapses
from snncc.backends.nir_graph import table as nir_table
from snncc.backends.onnx_graph import FORM
from snncc.backends.onnx_graph import table as onnx_table
from snncc.backends.onnx_graph.running import onnx_executor
from snncc.backends.onnx_graph.value import Value
from snncc.backends.torch_tensors import forms
from snncc.backends.torch_tensors import table as tensors
from snncc.checker import check, currents, rules, values
from snncc.chips import unrolling
from snncc.diagnostics import SnnccError
from snncc.ir import INTEGER, Array, Context, Graph, GraphBuilder, Kind, Op, ValueType, verify
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames
from snncc.ir.op import require
from snncc.ir.text import parse_graph, print_graph
from snncc.mfi import Level, certificate, prove
from snncc.mfi import rules as needs
from snncc.mfi.certificate import certify
from snncc.mfi.widths import bounds as widths
from snncc.mfi.widths import witnesses
from snncc.mfi.widths.proof import prove_widths
from snncc.runtime import ALL, interpret
from snncc.runtime.compare import layer_inputs
from snncc.runtime.counts import fan_out, synaptic_operations
from snncc.runtime.executors import executor_of
from snncc.runtime.interpreter import VALUE, At, Computed
from snncc.runtime.proofs.dynamic_proof import prove_by_running


# 1. The op: a type rule, and the equation in words.
@dataclass(frozen=True)
class AnyOf(Op):
    """y = 1 where at least one of the sources spikes, else 0."""

    mnemonic: ClassVar[str] = "any_of"

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        require(len(inputs) > 0, "any_of needs a source")
        require(all(source.kind is Kind.SPIKE for source in inputs), "any_of reads spikes")
        require(all(source == inputs[0] for source in inputs), "the sources of any_of differ")
        return inputs[0]


# 3. The meanings.
def value(at: At, op: AnyOf) -> Computed:
    total: Array = at.sources[0] != 0
    for more in at.sources[1:]:
        total = total | (more != 0)
    return Computed(total)


def end(at: widths.End, op: AnyOf) -> Array:
    return np.full((1,) * len(at.names), int(at.upper), np.int64)


def need(at: needs.At, op: AnyOf) -> needs.Need:
    return needs.Need(Level.STRICT, ("logic",), reason="OR of bits")


def rule(at: certificate.Judged, op: AnyOf) -> str:
    return "any-spike"


def checked(site: values.NodeRecord) -> values.Found:
    sources = site.sources
    currents.require(len(sources) > 0, "any_of needs a source")
    currents.require(all(v.kind == "spike" for v in sources), "any_of reads spikes")
    currents.require(len({v.axes for v in sources}) == 1, "the sources of any_of differ")
    return values.Value("spike", sources[0].axes, (0, 1)), values.statement("any-spike", "logic")


def in_onnx(at: onnx_table.At, op: AnyOf) -> Value:
    one, other = at.sources
    return at.w.where(at.w.cast(one, np.bool_), one, other)


def on_tensors(at: tensors.At, op: AnyOf) -> tensors.Computed:
    return tensors.Computed(reduce(maximum, at.sources))


def in_c(at: c_table.At, op: AnyOf) -> None:
    def either() -> Term:
        one, other = at.sources

        def write(indices: Indices) -> str:
            first, second, _ = dealt(indices, one, other)
            return f"({one.write(first)} | {other.write(second)})"

        return Term(one.ctype, (0, 1), (*one.leaves, *other.leaves), write)

    put(at, either)


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(cast("dict[str, type[Op]]", INTEGER.ops), "any_of", AnyOf)
    monkeypatch.setitem(rules.OPS, "any_of", (checked, "", {}))
    with ExitStack() as stack:
        for name in TABLES:
            stack.enter_context(table(name).restored())
        VALUE.of(AnyOf)(value)
        widths.END.of(AnyOf)(end)
        needs.NEED.of(AnyOf)(need)
        certificate.RULE.of(AnyOf)(rule)
        fan_out.FAN_OUT.each(AnyOf)(lambda at, op: None)
        synaptic_operations.ADDITIONS.each(AnyOf)(lambda at, op: 0)
        expressible.OBSTACLE.each(AnyOf)(lambda at, op: "no process takes the OR of spikes")
        unrolling.REACHED.refuses(AnyOf, why="an OR is no sum of synapses", help="a sum")
        no_current = dict(why="it gives spikes, not a current", help="report it")
        for other in (witnesses.SHARE, layer_inputs.VARIANCE, limits.CURRENT, synapses.SYNAPSES):
            other.refuses(AnyOf, **no_current)
        for other in (terms.TERMS, process_network.PROCESS):
            other.refuses(AnyOf, why="no process takes the OR of spikes", help="leave it out")
        nir_table.FORM.refuses(AnyOf, why="NIR has no OR of spikes", help="`snncc run`")
        FORM.of(AnyOf)(in_onnx)
        c99.FORM.of(AnyOf)(in_c)
        tensors.VALUE.of(AnyOf)(on_tensors)
        forms.BOUND.refuses(AnyOf, why="it is no matrix product", help="nothing: it is exact")
        yield


def program() -> Graph:
    b = GraphBuilder("integer", 4, "exact")
    image = b.add(Frames(("f",), (3,)), name="image")
    w = b.constant("w", np.array([[1, -2, 1], [-1, 3, 2]], np.int8), ("k", "f"))
    current = b.add(Contract(w, ("f",), ("k",)), [image], name="current")
    other = b.constant("x", np.array([[-1, 2, 0], [1, -3, 1]], np.int8), ("k", "f"))
    second = b.add(Contract(other, ("f",), ("k",)), [image], name="second")
    spikes = [fires(b, current, 130), fires(b, second, 90)]
    either = b.add(AnyOf(), spikes, name="either")
    v = b.constant("v", np.array([[2, 1], [1, -1]], np.int8), ("j", "k"))
    last = fires(b, b.add(Contract(v, ("k",), ("j",)), [either]), 1)
    head = b.constant("h", np.array([[1, 1], [2, -1]], np.int8), ("o", "j"))
    graph = b.finish(b.add(IntegerReadout(), [b.add(Contract(head, ("j",), ("o",)), [last])]))
    verify(graph)
    return graph


def images() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (16, 3)).astype(np.uint8)


def by_hand(graph: Graph, spikes: dict[str, Array]) -> Array:
    """Membranes of the last population, from the spikes of the two before."""
    first, second, *_ = (node.name for node in graph.select(IntegerPopulation))
    either = (spikes[first] + spikes[second] > 0).astype(np.int64)
    current = either @ graph.constants["v"].astype(np.int64).T
    level, found = np.zeros_like(current[:, 0]), list[Array]()
    for t in range(graph.steps):
        z = (level >> 1) + current[:, t]
        found.append(z)
        level = np.where(z >= 1, 0, z)
    return np.stack(found, axis=1)


@pytest.mark.usefixtures("added")
def test_every_table_has_an_answer() -> None:
    for name in TABLES:
        assert table(name).holes() == set(), name
    assert set(rules.OPS) == INTEGER.words


@pytest.mark.usefixtures("added")
def test_it_runs_and_multiplies_nothing() -> None:
    graph = program()
    run = interpret(graph, images(), ALL)
    first, second, last = (node.name for node in graph.select(IntegerPopulation))
    both = run.spikes[first] & run.spikes[second]
    one = run.spikes[first] ^ run.spikes[second]
    assert both.any()
    assert one.any()
    assert not (both | one).all()
    assert np.array_equal(run.membranes[last], by_hand(graph, dict(run.spikes)))
    proof = prove_by_running(graph, images(), ALL)
    assert np.array_equal(proof.execution.readout, run.readout)
    assert np.array_equal(proof.execution.membranes[last], run.membranes[last])


@pytest.mark.usefixtures("added")
def test_it_is_text_a_file_and_a_proof(tmp_path: Path) -> None:
    graph, path = program(), tmp_path / "p.snncc"
    assert print_graph(parse_graph(print_graph(graph), graph.constants)) == print_graph(graph)
    save_program(path, Program(graph, {}))
    loaded = load_program(path)
    verdict = prove(loaded.graph)
    assert verdict.level is Level.STRICT
    assert next(op for op in verdict.ops if op.name == "either").need.arithmetic == ("logic",)
    content = path.read_bytes()
    record = certify(loaded.graph, program_digest(loaded), hashlib.sha256(content).hexdigest())
    by_node: dict[str, Any] = {node["name"]: node for node in record["nodes"]}
    assert by_node["either"]["rule"] == "any-spike"
    said = (canonical(record) + "\n").encode()
    assert check(content, said) == json.loads(said)
    assert all(width.holds for width in prove_widths(loaded.graph))


@pytest.mark.usefixtures("added")
def test_tensors_give_its_bits() -> None:
    graph, given = program(), images()
    wanted, found = interpret(graph, given, ALL), executor_of(graph, "torch")(given, ALL)
    assert np.array_equal(found.readout, wanted.readout)
    assert all(np.array_equal(found.spikes[name], wanted.spikes[name]) for name in wanted.spikes)


@pytest.mark.usefixtures("added")
def test_it_is_a_node_of_onnx() -> None:
    for library in ("onnx_ir", "onnxruntime"):
        pytest.importorskip(library)
    graph = program()
    with onnx_executor(Program(graph, {}), 60.0, lambda _: None) as execute:
        found = execute(images(), ALL)
    wanted = interpret(graph, images(), ALL)
    assert np.array_equal(found.readout, wanted.readout)
    for name, membranes in wanted.membranes.items():
        assert np.array_equal(found.membranes[name], membranes)


@pytest.mark.usefixtures("added")
@needs_compiler
def test_it_is_written_in_c() -> None:
    for form in FORMS:
        assert same([(program(), images())], COMPILERS[0], form) > 0


@pytest.mark.usefixtures("added")
def test_lava_says_why_it_is_no_process() -> None:
    with pytest.raises(SnnccError, match="no process takes the OR of spikes") as caught:
        expressible.check_expressible(program())
    assert caught.value.code == "SNN040"


def test_afterwards_nothing_of_it_is_left() -> None:
    assert "any_of" not in INTEGER.ops
    assert "any_of" not in rules.OPS
    for name in TABLES:
        meaning = table(name)
        assert meaning.refusal(AnyOf) is None
        assert not meaning.knows(AnyOf())
