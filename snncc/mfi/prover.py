"""The verdict: the level of every op, of the input and output on their own lines, of the whole."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from snncc.diagnostics import Finding
from snncc.ir import DIALECTS, Graph, Loc, Node, ValueType, VerifyError, verify
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.projections import Frames
from snncc.ir.encodings import from_host
from snncc.ir.populations import kept_by, membrane_of, neuron_nodes
from snncc.ir.types import BYTE, PIXEL
from snncc.meaning import Meaning
from snncc.mfi.ladder import Level
from snncc.mfi.models import spiking_rules, traced_rules
from snncc.mfi.models.analysis import domains_of
from snncc.mfi.models.domains import Domain, Values
from snncc.mfi.models.real_rules import left_factor
from snncc.mfi.models.structure import NEURONS, Judged, Structure, display_name
from snncc.mfi.outcome import Outcome, standing
from snncc.mfi.rules import UNKNOWN, Need, need_of

ENCODINGS = {
    "bit-planes": "inside the program: each of a pixel's 8 bits selects weights (select, add, "
    "shift); no multiplication from the first pixel on",
    "host": "OUTSIDE the program: the first layer's current is computed by the host, which "
    "multiplies pixels by weights unless it uses bit planes itself",
}
INTEGER_READOUT = (
    "integers, summed over time inside the program; the largest integer is the prediction. "
    "Reading logits in real units takes one multiplication a class, by the host, afterwards"
)
UNSEEN = ("SNN022", "SNN023", "SNN024")
"""Data read by Python, random numbers, tensors from nowhere: one run does not show the model."""
FIRES = (*NEURONS, IntegerPopulation)
REAL_NEEDS: Mapping[str, Meaning[Judged, Need]] = {
    "traced": traced_rules.NEED,
    "spiking": spiking_rules.NEED,
}


@dataclass(frozen=True)
class OpVerdict:
    """What was found for one node.

    Attributes:
        name: of the node.
        module_path: in the user's model, "" for the root.
        op: its mnemonic; of a function that no pass lowers, the function's name.
        need: what it needs.
        loc: its place in the user's model, if known.
        domain: the numbers that its result can be.
        encodes: whether it reads the image and a host may compute it instead of the program.
    """

    name: str
    module_path: str
    op: str
    need: Need
    loc: Loc | None = None
    domain: Domain | None = None
    encodes: bool = False


@dataclass(frozen=True)
class Verdict:
    """What was found for a whole program or model.

    Attributes:
        level: that of the worst op.
        encoding: how the image enters and who computes that.
        readout: how the answer leaves.
        ops: every node, in order.
        current_bits, membrane_bits: widest that any input can make necessary, proved by interval
            analysis over all steps; 0 where nothing is proved.
        encoding_level: of what turns the image into currents, wherever that is computed.
        readout_level: of what makes the answer of the last spikes.
    """

    level: Level
    encoding: str
    readout: str
    ops: tuple[OpVerdict, ...]
    current_bits: int = 0
    membrane_bits: int = 0
    encoding_level: Level = Level.STRICT
    readout_level: Level = Level.STRICT

    def above(self, level: Level) -> tuple[OpVerdict, ...]:
        """The ops that need more than a level."""
        return tuple(op for op in self.ops if op.need.level > level)

    @property
    def unjudged(self) -> tuple[OpVerdict, ...]:
        """The ops about which nothing is known; they have level none."""
        return tuple(op for op in self.ops if not op.need.judged)


def prove(
    graph: Graph,
    image: tuple[float, float] | None = None,
    findings: Sequence[Finding] = (),
    outcome: Outcome | None = None,
) -> Verdict:
    """Holds every node of a graph against the table of its dialect.

    An integer program that breaks a rule of docs/program_rules.md has level none, with every rule
    that it breaks, whoever made it: what its tables say holds for legal programs.

    Args:
        graph: of any dialect. A traced graph is judged by what the passes make of it.
        image: bounds of a traced model's input; None for pixels / 255.
        findings: of the recorder. Those that say that the graph is not the whole model have level
            none: nothing is known about what it did not see.
        outcome: of the passes on a traced graph (`judge_model` runs them); None for a spiking graph
            as it stands.

    Raises:
        ValueError: a traced graph without an outcome: nothing says what compiling makes of it.
        SnnccError: SNN040 for an op of the dialect that has no rule.
    """
    verdict = prove_rules(graph, image, findings, outcome)
    if not DIALECTS[graph.dialect].integer or verdict.level is Level.NONE:
        return verdict
    try:
        verify(graph)
    except VerifyError as error:
        broken = tuple(_broken(problem) for problem in error.problems)
        return replace(verdict, level=Level.NONE, ops=verdict.ops + broken)
    return verdict


def _broken(problem: str) -> OpVerdict:
    help = "a program that `snncc compile` wrote breaks none"
    return OpVerdict("", "", "rule", Need(Level.NONE, UNKNOWN, reason=problem, help=help))


def prove_rules(
    graph: Graph,
    image: tuple[float, float] | None = None,
    findings: Sequence[Finding] = (),
    outcome: Outcome | None = None,
) -> Verdict:
    """`prove` without asking whether an integer program is legal."""
    if outcome is None and graph.dialect == "traced":
        raise ValueError("a traced graph is judged by what the passes make of it: see judge_model")
    outcome = standing(graph) if outcome is None else outcome
    domains = domains_of(graph, image)
    need = _rule(graph, domains, outcome)
    ops = tuple(
        OpVerdict(
            node.name,
            node.module_path,
            display_name(node),
            need(node),
            node.loc,
            domains[node.name],
            _encodes(graph, node, domains),
        )
        for node in graph.nodes
    )
    ops += tuple(_added(node, outcome) for node in outcome.added)
    ops += tuple(_unseen(finding) for finding in findings if finding.code in UNSEEN)
    ranges = [node.type.range for node in graph.nodes if node.type.range is not None]
    membranes = [
        each for node in neuron_nodes(graph) for each in kept_by(node.op, graph.context)
    ] + [membrane_of(node.op) or (0, 0) for node in neuron_nodes(graph)]
    encoding, encoding_level = _encoding(graph, ops)
    readout, readout_level = _readout(graph, ops, domains)
    return Verdict(
        max((op.need.level for op in ops), default=Level.STRICT),
        encoding,
        readout,
        ops,
        max((bits(r) for r in ranges), default=0),
        max((bits(r) for r in membranes), default=0),
        encoding_level,
        readout_level,
    )


def _unseen(finding: Finding) -> OpVerdict:
    loc = finding.loc
    call = loc.call if loc else "?"
    need = Need(Level.NONE, UNKNOWN, reason=finding.message, help=finding.help)
    return OpVerdict(call, loc.module_path if loc else "", call, need, loc)


def _added(node: Node, outcome: Outcome) -> OpVerdict:
    """A factor that no op of the model stands for: the passes put it there."""
    loc = node.loc
    where = f"stays: {outcome.left[node.name]}"
    need = left_factor(outcome, node.name, (), np.ones(1), where)
    return OpVerdict(node.name, loc.module_path if loc else "", display_name(node), need, loc)


def _rule(graph: Graph, domains: Mapping[str, Domain], outcome: Outcome) -> Callable[[Node], Need]:
    """The rule of a node in its dialect's table; what is no op of it has level none."""
    structure, table = Structure(graph, domains, outcome), REAL_NEEDS.get(graph.dialect)

    def rule(node: Node) -> Need:
        reason = outcome.refused.get(node.name)
        if reason is not None and node.name not in outcome.currents:
            return Need(Level.NONE, UNKNOWN, reason=f"it cannot be compiled: {reason}")
        if table is None or not table.dialect.has(node.op):
            return need_of(graph, node)
        return table(Judged(structure, node), node)

    return rule


def _encodes(graph: Graph, node: Node, domains: Mapping[str, Domain]) -> bool:
    """Whether a node makes currents of an image that `encoding=host` leaves to the host."""
    images = [name for name in node.inputs if domains[name].values is Values.FRAME]
    if not images or domains[node.name].values is Values.FRAME:
        return False
    return graph.dialect == "traced" or any(from_host(graph, name) for name in images)


def _encoding(graph: Graph, ops: tuple[OpVerdict, ...]) -> tuple[str, Level]:
    if graph.dialect == "traced":
        first = [op for op in ops if op.encodes]
        level = max((op.need.level for op in first), default=Level.STRICT)
        names = ", ".join(op.module_path or op.name for op in first)
        how = "as bit planes: " + ENCODINGS["bit-planes"].partition(": ")[2]
        if level > Level.STRICT:
            how = (
                f"needs {' and '.join(dict.fromkeys(a for o in first for a in o.need.arithmetic))}"
            )
        return f"8-bit pixels into {names or 'nothing'}; {how}", level
    images = [(n.name, n.op.encoding) for n in graph.select(Frames) if isinstance(n.op, Frames)]
    ways = list(dict.fromkeys(encoding for _, encoding in images))
    level = Level.NONE if set(ways) - {"bit-planes"} else Level.STRICT
    entering = [node.type for node in graph.select(Frames)]
    texts = {way: f"{way}, {_way(way, entering)}" for way in ways}
    if len(images) == 1:
        return texts[ways[0]], level
    by_way = {way: ", ".join(n for n, encoding in images if encoding == way) for way in ways}
    each = "; ".join(f"{by_way[way]}: {texts[way]}" for way in ways)
    return f"{len(images)} images; {each}" if images else "no image", level


def _way(encoding: str, entering: Sequence[ValueType]) -> str:
    """How an encoding reads what enters, which may be other numbers than pixels."""
    text = ENCODINGS.get(encoding, "unknown")
    if all(kind.word == PIXEL and not kind.temporal for kind in entering):
        return text
    spans = ", ".join("{}..{}".format(*kind.domain or BYTE) for kind in entering)
    frames = ", of a frame for every step," if any(kind.temporal for kind in entering) else ""
    signed = any(negative for kind in entering for _, negative in kind.planes)
    text = text.replace("each of a pixel's 8 bits", f"each bit of a number {spans}{frames}")
    text = text.replace("add, shift", "add, subtract, shift" if signed else "add, shift")
    return text.replace("pixel", "number")


def _readout(
    graph: Graph, ops: tuple[OpVerdict, ...], domains: Mapping[str, Domain]
) -> tuple[str, Level]:
    """Everything behind the last neurons."""
    before: set[str] = set()
    for node in reversed(graph.nodes):
        if isinstance(node.op, FIRES) or node.name in before:
            before.update((node.name, *node.inputs))
    last = [op for op in ops if op.name not in before]
    if not before:
        last = [op for op in ops if op.name == graph.output]
    level = max((op.need.level for op in last), default=Level.STRICT)
    if graph.dialect == "integer":
        return INTEGER_READOUT, level
    answer = domains[graph.output]
    kind = "real activations" if answer.values is Values.REAL else "currents, summed"
    names = ", ".join(op.module_path or op.name for op in last if op.need.arithmetic)
    return f"{kind}; from {names or 'the last neurons'}", level


def bits(interval: tuple[int, int]) -> int:
    """Bits of a signed integer that holds an interval."""
    low, high = interval
    return max((low if low >= 0 else ~low).bit_length(), high.bit_length()) + 1
