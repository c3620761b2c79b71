"""Every op is known or refused with a reason in every table; an op that none knows is SNN040."""

import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pytest
from random_networks import random_network
from test_architecture import modules

import snncc
from snncc import checker
from snncc.artifact import Program, save_program
from snncc.backends.c99.source import Source
from snncc.backends.lava_nc import registers
from snncc.backends.lava_nc.bundle_files import network_of
from snncc.backends.lava_nc.loihi.limits import loihi_findings
from snncc.backends.nir_graph.file import draft_of
from snncc.backends.onnx_graph.model import onnx_model
from snncc.checker.rules import OPS
from snncc.cli.main import run
from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import SnnccError
from snncc.ir import (
    INTEGER,
    SPIKING,
    TRACED,
    Context,
    Dialect,
    Graph,
    GraphBuilder,
    Kind,
    Loc,
    Op,
    ValueType,
    verify,
)
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames, Sum
from snncc.ir.dialects.spiking import Affine, Population, Readout
from snncc.meaning import Meaning
from snncc.mfi import prove
from snncc.mfi.certificate import certify, statement
from snncc.mfi.models.analysis import domains_of
from snncc.mfi.prover import prove_rules
from snncc.mfi.widths.proof import prove_widths
from snncc.passes.move_offsets_into_populations import MoveOffsetsIntoPopulations
from snncc.passes.pipeline import run_passes
from snncc.runtime import ALL, interpret
from snncc.runtime.compare.layer_inputs import inputs_of
from snncc.runtime.counts.synaptic_operations import count_operations
from snncc.runtime.cross_check import check_compiled
from snncc.runtime.memory_use import memory_use
from snncc.runtime.proofs.dynamic_proof import prove_by_running
from snncc.runtime.proofs.plan_inspection import inspect_plans
from snncc.runtime.simulator import Simulator
from snncc.semantics.spiking import run_spiking
from snncc.semantics.traced import run_traced

ROOT = Path(__file__).parents[2]
TABLE = re.compile(r"^(\w+): Meaning\[", re.MULTILINE)
TABLES = {
    f"{module}.{name}": (module, name)
    for module, file in sorted(modules(ROOT).items())
    for name in TABLE.findall(file.read_text())
}
RAW = CompileOptions(normalize=((0.0,), (1.0 / 255.0,)))
IMAGES = np.array([[5, 1, 255], [0, 0, 0], [200, 7, 90]], np.uint8)


def table(name: str) -> Meaning[Any, Any]:
    module, attribute = TABLES[name]
    return cast("Meaning[Any, Any]", getattr(importlib.import_module(module), attribute))


def test_the_tables_are_found() -> None:
    assert len(TABLES) >= 18
    assert "snncc.runtime.interpreter.table.VALUE" in TABLES
    assert {table(name).dialect.name for name in TABLES} == {"integer", "spiking", "traced"}
    held = [file for file in modules(ROOT).values() if "] = Meaning(" in file.read_text()]
    assert len(held) == len({module for module, _ in TABLES.values()})


@pytest.mark.parametrize("name", TABLES)
def test_every_op_is_known_or_refused_with_a_reason(name: str) -> None:
    meaning = table(name)
    assert meaning.holes() == set(), meaning.name
    for op in meaning.dialect.ops.values():
        refused = meaning.refusal(op)
        assert refused is None or (refused.why and refused.help), op


def test_the_checker_knows_the_ops_of_the_integer_dialect() -> None:
    assert set(OPS) == INTEGER.words


@dataclass(frozen=True)
class AnyOf(Op):
    """y = 1 where one of the inputs spikes."""

    mnemonic: ClassVar[str] = "any_of"

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        return inputs[0]


@dataclass(frozen=True)
class Halved(Op):
    """A current, halved: an op whose result is a current."""

    mnemonic: ClassVar[str] = "halved"

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        return inputs[0]


def add_to(patch: pytest.MonkeyPatch, dialect: Dialect, *ops: type[Op]) -> None:
    for op in ops:
        patch.setitem(cast("dict[str, type[Op]]", dialect.ops), op.mnemonic, op)


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> Iterator[Graph]:
    """A legal program with two ops that no table knows: of spikes, and of a current."""
    add_to(monkeypatch, INTEGER, AnyOf, Halved)
    yield program()
    monkeypatch.undo()
    assert {"any_of", "halved"}.isdisjoint(INTEGER.ops)


def program() -> Graph:
    b = GraphBuilder("integer", 3, "exact")
    image = b.add(Frames(("f",), (3,)), name="image")
    w = b.constant("w", np.array([[1, -2, 1], [3, 0, 2]], np.int8), ("k", "f"))
    current = b.add(Contract(w, ("f",), ("k",)), [image], name="current")
    spikes = [fires(b, current, level) for level in (300, 500)]
    either = b.add(AnyOf(), spikes, (Loc("layer.any", "net.py", 7, "torch.any"),), "either")
    v = b.constant("v", np.array([[2, 1], [1, -1]], np.int8), ("j", "k"))
    more = b.add(Halved(), [b.add(Contract(v, ("k",), ("j",)), [either])], name="half")
    last = fires(b, more, 1)
    head = b.constant("h", np.array([[1, 1]], np.int8), ("o", "j"))
    graph = b.finish(b.add(IntegerReadout(), [b.add(Contract(head, ("j",), ("o",)), [last])]))
    verify(graph)
    return graph


def fires(b: GraphBuilder, current: str, level: int) -> str:
    axis = b[current].type.names[-1]
    op = IntegerPopulation(b.constant("level", np.array([level, level]), (axis,)), decay=(1, 1))
    return b.add(replace(op, membrane=op.membrane_range(b[current].type, b.context)), [current])


def refused(caught: BaseException | None, *names: str) -> None:
    assert isinstance(caught, SnnccError)
    assert caught.code == "SNN040", str(caught)
    text = str(caught)
    assert any(f"no form for {name} (" in text for name in names or ("any_of",)), text
    assert "= why: nothing says what" in text
    assert "= help: " in text
    assert names or "--> layer.any   torch.any" in text


def layer_inputs(graph: Graph) -> None:
    nodes = graph.select(IntegerPopulation)
    spikes = {n.name: np.ones((2, *n.type.shape), np.uint8) for n in nodes}
    inputs_of(graph, nodes[-1], spikes, IMAGES[:2])


ENTRIES: dict[str, Callable[[Graph], object]] = {
    "interpret": lambda g: interpret(g, IMAGES, ALL),
    "simulator": lambda g: Simulator(g, 1).run(IMAGES),
    "stream": lambda g: Simulator(g, 1).stream(IMAGES[0]),
    "matrix products": lambda g: Simulator(g, 1, "dense"),
    "chosen kernels": lambda g: Simulator(g, 1, "auto"),
    "cross-check": lambda g: check_compiled(g, IMAGES),
    "dynamic proof": lambda g: prove_by_running(g, IMAGES),
    "count": lambda g: count_operations(g, IMAGES),
    "memory": memory_use,
    "plans": inspect_plans,
    "verdict": prove,
    "rules": prove_rules,
    "widths": lambda g: list(prove_widths(g)),
    "certificate": lambda g: certify(g, "", ""),
    "statement": lambda g: statement(g, "", ""),
    "rounding": layer_inputs,
    "lava": network_of,
    "stock lava": lambda g: network_of(replace(g, profile=registers.PROFILE)),
    "onnx": lambda g: onnx_model(Program(g, {})),
    "c": Source,
    "nir": draft_of,
    "run": lambda g: api(g).run(IMAGES),
    "run, interpreter": lambda g: api(g).run(IMAGES, executor="interpreter"),
    "verify": lambda g: api(g).verify(),
    "page": lambda g: api(g)._repr_html_(),
}


def api(graph: Graph) -> snncc.Program:
    return snncc.Program(Program(graph, {}))


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_op_that_nobody_knows_is_refused_with_its_place(entry: str, stranger: Graph) -> None:
    with pytest.raises(SnnccError) as caught:
        ENTRIES[entry](stranger)
    names = ("any_of", "halved") if entry == "rounding" else ()
    refused(caught.value, *names)


def test_both_ops_are_named_at_once(stranger: Graph) -> None:
    for entry in ("interpret", "simulator", "count", "widths", "lava", "memory"):
        with pytest.raises(SnnccError) as caught:
            ENTRIES[entry](stranger)
        messages = [finding.message for finding in caught.value.findings]
        assert [m.partition(" no form for ")[2] for m in messages] == [
            "any_of (either)",
            "halved (half)",
        ]


@pytest.fixture
def files(stranger: Graph, tmp_path: Path) -> dict[str, str]:
    """Paths by name: a program that nothing can run, and images."""
    save_program(tmp_path / "p.snncc", Program(stranger, {}))
    np.savez(tmp_path / "d.npz", x=IMAGES)
    names = {"p": "p.snncc", "d": "d.npz", "o": "o.npz", "r": "r.npz", "c": "c.json", "b": "bundle"}
    names |= {"n": "net.onnx", "i": "net.nir"}
    return {key: str(tmp_path / name) for key, name in names.items()}


COMMANDS = {
    "run": "run {p} {d}:x -o {o}",
    "run, interpreter": "run {p} {d}:x --executor interpreter",
    "run, recorded": "run {p} {d}:x --record {r}",
    "run, cross-checked": "run {p} {d}:x --cross-check 2",
    "run, profiled": "run {p} {d}:x --profile",
    "run, dense": "run {p} {d}:x --kernels dense",
    "verify": "verify {p}",
    "verify, run": "verify {p} --run {d}:x",
    "verify, kernels": "verify {p} --kernels",
    "verify, widths": "verify {p} --widths --json",
    "verify, certificate": "verify {p} --certificate {c}",
    "inspect": "inspect {p}",
    "count": "count {p} {d}:x",
    "compare": "compare {p} {p} --data {d}:x",
    "compare, simulators": "compare {p} {p} --data {d}:x --executor-a simulator",
    "warm": "warm {p}",
    "export": "export {p} --to lava -o {b}",
    "export, onnx": "export {p} --to onnx -o {n}",
    "export, c": "export {p} --to c -o {b}",
    "export, nir": "export {p} --to nir -o {i}",
    "run, onnx": "run {p} {d}:x --on onnx",
}
if not all(map(find_spec, ("onnx", "onnx_ir", "onnxruntime"))):
    del COMMANDS["run, onnx"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_so(
    name: str, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(COMMANDS[name].format(**files).split()) == 4
    said = capsys.readouterr().err
    assert "error[SNN040]: " in said
    assert "no form for any_of (either)" in said
    assert "--> layer.any   torch.any" in said
    assert "internal error" not in said
    assert not [key for key in ("o", "r", "c", "b", "n") if Path(files[key]).exists()]


def test_a_program_that_nothing_can_run_is_not_loaded(files: dict[str, str]) -> None:
    with pytest.raises(SnnccError) as caught:
        snncc.load(files["p"])
    refused(caught.value)


def test_the_checker_refuses_it(files: dict[str, str]) -> None:
    content = Path(files["p"]).read_bytes()
    with pytest.raises(checker.Rejected, match="any_of is no op of an integer program"):
        checker.check(content, b"{}")


def test_where_the_dialect_lacks_the_op_a_file_is_damaged(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with pytest.raises(SnnccError) as caught:
        snncc.load(files["p"])
    assert caught.value.code == "SNN017"


@pytest.mark.parametrize("name", [n for n in TABLES if n.split(".")[1] != "semantics"])
def test_a_table_alone_says_who_has_no_form(name: str) -> None:
    meaning, node = table(name), replace(known()["current"], op=Halved(), locs=(Loc("m.half"),))
    with pytest.raises(SnnccError) as caught:
        meaning(None, node)
    refused(caught.value, "halved")
    assert str(caught.value).startswith(f"error[SNN040]: {meaning.name} has no form")
    assert "--> m.half" in str(caught.value)


def known() -> Graph:
    """A program that everything knows."""
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("f",), (3,)), name="image")
    w = b.constant("w", np.array([[1, -2, 1], [3, 0, 2]], np.int8), ("k", "f"))
    current = b.add(Contract(w, ("f",), ("k",)), [image], name="current")
    scaled = b.add(Gain(b.constant("g", np.array([3, 1]), ("k",)), 1), [current], name="scaled")
    head = b.constant("h", np.array([[1, 1]], np.int8), ("o", "k"))
    last = b.add(Contract(head, ("k",), ("o",)), [fires(b, b.add(Sum(), [scaled]), 300)])
    return b.finish(b.add(IntegerReadout(), [last]))


def test_stock_lava_has_no_form_for_a_strange_current(stranger: Graph) -> None:
    with pytest.raises(SnnccError) as caught:
        loihi_findings(stranger)
    refused(caught.value, "halved")


@pytest.mark.parametrize("dialect", [SPIKING, TRACED], ids=lambda dialect: dialect.name)
def test_real_dialects_refuse_an_op_that_nobody_knows(
    dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = random_network(0)
    graph = traced if dialect is TRACED else run_passes(traced, spiking_passes(RAW))
    node = next(n for n in graph.nodes if n.type.kind in (Kind.CURRENT, Kind.REAL) and n.inputs)
    planted = replace(node, op=Halved())
    nodes = tuple(planted if n.name == node.name else n for n in graph.nodes)
    changed = replace(graph, nodes=nodes)
    images = np.zeros((1, *traced["input"].type.shape[1:]), np.uint8)
    inputs = np.zeros((1, *traced["input"].type.shape))
    runs: dict[str, Callable[[], object]] = {
        "values": lambda: (
            run_traced(changed, inputs) if dialect is TRACED else run_spiking(changed, images)
        ),
        "domains": lambda: domains_of(changed),
    }
    if dialect is SPIKING:
        runs["verdict"] = lambda: prove(changed)
    add_to(monkeypatch, dialect, Halved)
    for call in runs.values():
        with pytest.raises(SnnccError) as caught:
            call()
        refused(caught.value, "halved")


def test_an_offset_before_an_op_that_nobody_knows_is_not_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A constant on its way to a population meets an op that may halve it or not."""
    add_to(monkeypatch, SPIKING, Halved)
    b = GraphBuilder("spiking", 2)
    image = b.add(Frames(("f",), (3,)), name="image")
    w = b.constant("w", np.array([[1.0, -2.0, 1.0]]), ("k", "f"))
    current = b.add(Contract(w, ("f",), ("k",)), [image])
    shifted = b.add(Affine(offset=b.constant("d", np.array([7.0]), ("k",))), [current])
    half = b.add(Halved(), [shifted], (Loc("layer.half"),), "half")
    fired = b.add(Population(b.constant("th", np.array(2.0))), [half])
    head = b.constant("h", np.array([[1.0]]), ("o", "k"))
    graph = b.finish(b.add(Readout(), [b.add(Contract(head, ("k",), ("o",)), [fired])]))
    verify(graph)
    with pytest.raises(SnnccError) as caught:
        run_passes(graph, [MoveOffsetsIntoPopulations()])
    refused(caught.value, "halved")


def test_a_second_answer_for_an_op_is_an_error() -> None:
    meaning: Meaning[None, int] = Meaning("a test", INTEGER)
    meaning.of(Sum)(lambda asked, op: 1)
    meaning.refuses(Gain, why="it is refused", help="leave it out")
    with pytest.raises(ValueError, match="answer for sum already"):
        meaning.each(Sum)(lambda asked, op: 2)
    with pytest.raises(ValueError, match="answer for gain already"):
        meaning.of(Gain)(lambda asked, op: 3)
    graph = known()
    assert meaning(None, next(n for n in graph.nodes if isinstance(n.op, Sum))) == 1
    with pytest.raises(SnnccError, match="it is refused"):
        meaning(None, graph["scaled"])
    assert meaning.holes() == set(INTEGER.ops.values()) - {Sum, Gain}


def test_what_a_table_is_taught_it_forgets() -> None:
    meaning: Meaning[int, int] = Meaning("a test", INTEGER)
    meaning.of(Sum)(lambda asked, op: asked)
    node = replace(known()["current"], op=AnyOf())
    with meaning.restored():
        meaning.of(AnyOf)(lambda asked, op: asked + 1)
        meaning.refuses(Halved, why="halves have no form here", help="double it")
        assert meaning(4, node) == 5
    assert not meaning.knows(AnyOf())
    assert meaning.refusal(Halved) is None
    added = replace(node, op=Sum())
    with meaning.replaced(Sum, lambda asked, op: 2 * before(asked, op)) as before:
        assert meaning(4, added) == 8
    assert meaning(4, added) == 4
