"""The certificate: everything that the proof of a program says, in a form that others can check.

Nothing in it has to be believed. `snncc.checker` recomputes all of it from the program file and
shares no code with this module. docs/certificate.md says what every field means.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snncc.ir import INTEGER, Graph, Kind, Node, Op, verify
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.windows import Largest
from snncc.meaning import Meaning
from snncc.mfi.ladder import Level
from snncc.mfi.prover import Verdict, prove_rules
from snncc.mfi.rules import Need
from snncc.mfi.widths.bounds import before_shift

Json = Any
SCHEMA = 1


def certify(graph: Graph, program: str, file: str) -> dict[str, Json]:
    """The certificate of a verified integer program.

    Args:
        graph: integer dialect.
        program: sha256 over manifest and constants, as the artefact names it.
        file: sha256 of the file's bytes.

    Raises:
        ValueError: the program is not multiplication-free, so that there is nothing to certify; or
            a VerifyError, which is one: it breaks a rule of docs/program_rules.md.
    """
    verify(graph)
    return statement(graph, program, file)


def statement(graph: Graph, program: str, file: str) -> dict[str, Json]:
    """What a certificate of a graph would say, whether or not the graph is a legal program.

    Raises:
        ValueError: the graph multiplies.
        SnnccError: SNN040 for an op of the integer dialect that has no rule.
    """
    verdict = prove_rules(graph)
    if verdict.level is Level.NONE:
        raise ValueError("a program that multiplies has no certificate")
    return {
        "schema": SCHEMA,
        "program": program,
        "file": file,
        "profile": graph.profile,
        "steps": graph.steps,
        "level": verdict.level.label,
        "input": _encoding(graph),
        "output": _output(graph),
        "nodes": _nodes(graph, verdict),
    }


def _encoding(graph: Graph) -> str:
    found = {node.op.encoding for node in graph.select(Frames) if isinstance(node.op, Frames)}
    return found.pop() if len(found) == 1 else "none"


def _output(graph: Graph) -> dict[str, Json]:
    op = graph[graph.output].op
    unit = op.unit if isinstance(op, IntegerReadout) else None
    return {"node": graph.output, "unit": unit}


def _nodes(graph: Graph, verdict: Verdict) -> list[Mapping[str, Json]]:
    return [
        {
            "name": node.name,
            "op": node.op.word,
            "rule": RULE(Judged(graph, node, found.need), node),
            "arithmetic": list(found.need.arithmetic),
            "level": found.need.level.label,
            "adders": found.need.adders,
            "range": list(node.type.range or ()),
            "before_shift": _before_shift(graph, node),
            "membrane": _membrane(graph, node),
        }
        for node, found in zip(graph.nodes, verdict.ops, strict=True)
    ]


@dataclass(frozen=True)
class Judged:
    """A node with what it needs."""

    graph: Graph
    node: Node
    need: Need

    def by_level(self, rule: str) -> str:
        """A rule that has another name where one shift is not enough."""
        return rule if self.need.level is Level.STRICT else f"{rule}-add"


RULE: Meaning[Judged, str] = Meaning("the certificate", INTEGER)
"""Name of the rule that gave the level, as docs/certificate.md lists them."""


@RULE.of(Frames)
def frames(at: Judged, op: Frames) -> str:
    return "image"


@RULE.of(Concat)
def side_by_side(at: Judged, op: Concat) -> str:
    return "side-by-side"


@RULE.of(Sum)
def total(at: Judged, op: Sum) -> str:
    return "add-counts" if at.node.type.kind is Kind.COUNT else "add-currents"


@RULE.of(SumAlong)
def total_along(at: Judged, op: SumAlong) -> str:
    return "add-along"


@RULE.of(Gate)
def gate(at: Judged, op: Gate) -> str:
    kind = at.node.type.kind
    return "and-of-spikes" if kind is Kind.SPIKE else f"gated-{kind.value}"


@RULE.of(Product)
def product(at: Judged, op: Product) -> str:
    spikes = at.graph[at.node.inputs[1]].type.kind is Kind.SPIKE
    return "count-of-ands" if spikes else "sum-of-selected"


@RULE.of(Delay)
def delayed(at: Judged, op: Delay) -> str:
    return "delayed"


@RULE.of(Take)
def taken(at: Judged, op: Take) -> str:
    return "taken"


@RULE.of(MultiThreshold)
def staircase(at: Judged, op: MultiThreshold) -> str:
    return "thresholds-passed"


@RULE.of(Largest)
def largest(at: Judged, op: Largest) -> str:
    kind = at.node.type.kind
    return "or-of-spikes" if kind is Kind.SPIKE else f"largest-{kind.value}"


@RULE.of(Gain)
def gain(at: Judged, op: Gain) -> str:
    return at.by_level("gain-by-shift")


@RULE.of(IntegerPopulation)
def population(at: Judged, op: IntegerPopulation) -> str:
    return at.by_level("leak-by-shift")


@RULE.of(IntegerNeuron)
def states(at: Judged, op: IntegerNeuron) -> str:
    return at.by_level("states-by-shift")


@RULE.of(IntegerReadout)
def readout(at: Judged, op: IntegerReadout) -> str:
    return "sum-over-time"


@RULE.each(Contract, Convolve)
def projection(at: Judged, op: Op) -> str:
    source = at.graph[at.node.inputs[0]].type
    if source.kind is Kind.SPIKE:
        return "spikes-select"
    return f"{source.word}-bits-select" if at.need.arithmetic else "host-current"


def _before_shift(graph: Graph, node: Node) -> list[int] | None:
    if not isinstance(node.op, Gain):
        return None
    return list(before_shift(graph, node, node.op))


def _membrane(graph: Graph, node: Node) -> dict[str, Json] | None:
    """What the program declares and what interval analysis over T steps finds."""
    if isinstance(node.op, IntegerNeuron):
        return _states(graph, node, node.op)
    if not isinstance(node.op, IntegerPopulation):
        return None
    (current,) = graph.input_types(node)
    reached = node.op.membrane_range(current, graph.context)
    return {"declared": list(node.op.membrane), "reached": list(reached)}


def _states(graph: Graph, node: Node, op: IntegerNeuron) -> dict[str, Json]:
    """The same of what is compared, and of every state."""
    states, form = op.reach(graph.input_types(node)[0], graph.context)
    pairs = zip(op.states_within, states, strict=True)
    return {
        "declared": list(op.membrane),
        "reached": list(form),
        "states": [{"declared": list(own), "reached": list(found)} for own, found in pairs],
    }
