"""What of a program has no process: all of it is said at once."""

from dataclasses import dataclass

from snncc.backends.lava_nc import registers
from snncc.diagnostics import Finding, SnnccError
from snncc.ir import INTEGER, TIME, Graph, Kind, Node, Op
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
from snncc.ir.types import BYTE
from snncc.meaning import Meaning

PROFILES = ("exact", registers.PROFILE)


def check_expressible(graph: Graph) -> None:
    """Says what cannot run step by step.

    Raises:
        SnnccError: SNN040, for everything in the program that has no process.
    """
    if graph.profile not in PROFILES:
        raise SnnccError(
            "SNN040",
            f"the Lava backend takes programs of the profile {' or '.join(PROFILES)}, "
            f"not {graph.profile!r}",
        )
    found = [_finding(graph, node) for node in graph.nodes]
    findings = [finding for finding in found if finding is not None]
    if findings:
        raise SnnccError.of(findings)


@dataclass(frozen=True)
class At:
    """A node of which is asked whether it can be a process."""

    graph: Graph
    node: Node


OBSTACLE: Meaning[At, str] = Meaning("the Lava backend", INTEGER)
"""Why an op cannot be a process where it stands; "" if it can."""


def _finding(graph: Graph, node: Node) -> Finding | None:
    if not OBSTACLE.knows(node.op):
        return OBSTACLE.finding(node)
    why = _obstacle(graph, node)
    if not why:
        return None
    place = node.loc
    help = "run the program with `snncc run`, which has every step at hand"
    return Finding("SNN040", f"{node.name} has no Lava process", place, why, help)


def _obstacle(graph: Graph, node: Node) -> str:
    """Why one node cannot be a process; "" if it can."""
    pixels = any(isinstance(graph[name].op, Frames) for name in node.inputs)
    if pixels and not isinstance(node.op, Contract | Convolve):
        return "only projections take an image's bit planes"
    own = OBSTACLE(At(graph, node), node)
    if own:
        return own
    if node.name == graph.output and not isinstance(node.op, IntegerReadout):
        return "a program ends in a readout"
    return ""


SUMS_OVER_STEPS = "it sums over steps, and a process sees one step at a time"


COUNTS = "wires carry spikes and currents, and no counts yet"


@OBSTACLE.each(Gain, IntegerPopulation, IntegerReadout)
def everywhere(at: At, op: Op) -> str:
    return ""


@OBSTACLE.of(Sum)
def added(at: At, op: Sum) -> str:
    return COUNTS if at.node.type.kind is Kind.COUNT else ""


@OBSTACLE.of(Frames)
def frames(at: At, op: Frames) -> str:
    if len(at.graph.select(Frames)) > 1:
        return "a bundle takes one image a sample"
    if op.domain != BYTE:
        return f"a bundle's image has eight planes of 0..255, not of {op.domain[0]}..{op.domain[1]}"
    if TIME in op.axes:
        return "a bundle sends one image for all steps of a window, not a frame for each"
    return ""


@OBSTACLE.of(Contract)
def contract(at: At, op: Contract) -> str:
    if _reads_a_count(at):
        return COUNTS
    return SUMS_OVER_STEPS if TIME in (*op.into, *op.out, *op.summed) else ""


@OBSTACLE.of(Convolve)
def convolve(at: At, op: Convolve) -> str:
    if _reads_a_count(at):
        return COUNTS
    return SUMS_OVER_STEPS if TIME in (op.channel, op.height, op.width) else ""


def _reads_a_count(at: At) -> bool:
    """Whether what is read is a count that the program makes, not the image."""
    source = at.graph[at.node.inputs[0]]
    return source.type.kind is Kind.COUNT and not isinstance(source.op, Frames)


@OBSTACLE.of(Largest)
def largest(at: At, op: Largest) -> str:
    return "no process takes the largest of spikes or currents yet"


@OBSTACLE.of(IntegerNeuron)
def states(at: At, op: IntegerNeuron) -> str:
    return "no process has neurons of several states, or whose reset comes a step late, yet"


@OBSTACLE.of(Gate)
def gated(at: At, op: Gate) -> str:
    return "no process lets spikes gate others yet"


@OBSTACLE.of(Delay)
def delayed(at: At, op: Delay) -> str:
    return "no process holds spikes or currents back for later steps yet, so that loops cannot run"


@OBSTACLE.of(Product)
def multiplied(at: At, op: Product) -> str:
    return "no process adds up what spikes select yet"


@OBSTACLE.of(MultiThreshold)
def staircase(at: At, op: MultiThreshold) -> str:
    return "no process counts how many thresholds a current has passed yet"


@OBSTACLE.of(SumAlong)
def added_along(at: At, op: SumAlong) -> str:
    return "no process adds currents along an axis yet"


@OBSTACLE.of(Take)
def taken(at: At, op: Take) -> str:
    return "no process moves elements along an axis yet"


@OBSTACLE.of(Concat)
def side_by_side(at: At, op: Concat) -> str:
    if at.node.type.kind is Kind.COUNT:
        return COUNTS
    if TIME not in (*op.along, op.out):
        return ""
    return "it puts steps side by side, and a process sees one step at a time"
