"""What meets in a sum, term by term: which value arrives, shifted how far, and at which place."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from snncc.backends.lava_nc.schedule import Schedule
from snncc.ir import INTEGER, TIME, Graph, Node, ValueType
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


@dataclass(frozen=True)
class Term:
    """current[place] += x << shift.

    Attributes:
        source: node whose value x is.
        axes: x's, by the names that the current has for them; a missing one is broadcast.
        shift: weight exponent.
        at: first index of x along an axis, where it is not 0. So a concatenation is a sum.
    """

    source: str
    axes: tuple[tuple[str, int], ...]
    shift: int = 0
    at: tuple[tuple[str, int], ...] = ()

    def fits(self, other: "Term") -> bool:
        """Whether Lava may add both at one InPort."""
        return (self.axes, self.shift, self.at) == (other.axes, other.shift, other.at)


def step_axes(kind: ValueType) -> dict[str, int]:
    """Axes of a value at one step."""
    return {axis.name: axis.size for axis in kind.axes if axis.name != TIME}


def inlined(graph: Graph, schedule: Schedule, node: Node) -> bool:
    """Whether the only reader adds up the parts itself: then the sum needs no process."""
    reader = graph.sole_reader(node.name)
    return (
        isinstance(node.op, Sum | Concat)
        and reader is not None
        and isinstance(reader.op, Sum | IntegerPopulation)
        and reader.inputs.count(node.name) == 1
        and schedule.wait(node.name, reader.name) == 0
    )


def terms_into(graph: Graph, schedule: Schedule, name: str) -> list[Term]:
    """What a sum or a population adds where it reads this value: its parts, if it is inlined."""
    node = graph[name]
    if inlined(graph, schedule, node):
        return terms_of(graph, schedule, node)
    return [Term(name, tuple(step_axes(node.type).items()))]


def terms_of(graph: Graph, schedule: Schedule, node: Node) -> list[Term]:
    """The terms of a sum, of a concatenation, or of a population's current."""
    return TERMS(At(graph, schedule, node), node)


@dataclass(frozen=True)
class At:
    """A node that adds up what it reads."""

    graph: Graph
    schedule: Schedule
    node: Node

    def of(self, name: str) -> list[Term]:
        """The terms of an input."""
        return terms_into(self.graph, self.schedule, name)


TERMS: Meaning[At, list[Term]] = Meaning("the sums of the Lava backend", INTEGER)


@TERMS.of(Sum)
def added(at: At, op: Sum) -> list[Term]:
    return [
        replace(term, shift=term.shift + shift)
        for name, shift in op.terms(at.node.inputs)
        for term in at.of(name)
    ]


@TERMS.of(Concat)
def side_by_side(at: At, op: Concat) -> list[Term]:
    terms: list[Term] = []
    start = 0
    for name, axis in zip(at.node.inputs, op.along, strict=True):
        axes = step_axes(at.graph[name].type)
        renamed = tuple((op.out if n == axis else n, size) for n, size in axes.items())
        terms.append(Term(name, renamed, 0, ((op.out, start),) if start else ()))
        start += axes[axis]
    return terms


@TERMS.of(IntegerPopulation)
def current(at: At, op: IntegerPopulation) -> list[Term]:
    return at.of(at.node.inputs[0])


TERMS.refuses(
    Take,
    why="no process moves elements along an axis yet",
    help="choose the parts in the weights of the layer that reads them",
)
TERMS.refuses(
    Delay,
    why="its processes hold no spikes or currents back for later steps yet",
    help="run the program with `snncc run`, which does",
)
TERMS.refuses(
    Product,
    why="no process adds up what spikes select yet",
    help="run the program with `snncc run`, which has every step at hand",
)
TERMS.refuses(
    IntegerNeuron,
    why="no process has neurons of several states, or whose reset comes a step late, yet",
    help="use a neuron of one state whose reset is hard, or takes off its threshold, for Lava",
)
TERMS.refuses(
    SumAlong,
    why="no process adds currents along an axis yet",
    help="run the program with `snncc run`, which has every step at hand",
)
TERMS.refuses(
    MultiThreshold,
    why="no process counts how many thresholds a current has passed yet",
    help="run the program with `snncc run`, or put neurons in its place for Lava",
)
TERMS.refuses(
    Gate,
    why="no process lets spikes gate others yet",
    help="add the two, or concatenate them, in place of the product",
)
TERMS.refuses(
    Largest,
    why="no process takes the largest of spikes or currents yet",
    help="use average pooling or a strided convolution in its place for Lava",
)
TERMS.refuses(
    Frames,
    Contract,
    Convolve,
    Gain,
    IntegerReadout,
    why="its process adds up nothing: only sums and populations do",
    help="this is a fault of snncc: please report it with the program",
)


def by_port(terms: Iterable[Term]) -> list[list[Term]]:
    """Terms that may share an InPort; one value comes to a port only once."""
    ports: list[list[Term]] = []
    for term in terms:
        for port in ports:
            if port[0].fits(term) and term.source not in {t.source for t in port}:
                port.append(term)
                break
        else:
            ports.append([term])
    return ports
