"""Which nodes of an integer program are neurons: those that fire, and those that keep a state."""

from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.graph import Graph, Node
from snncc.ir.op import Context, Op

Interval = tuple[int, int]


def is_population(op: Op) -> bool:
    """Whether an op gives spikes of neurons, one a step or none; counts of spikes are values."""
    return isinstance(op, IntegerPopulation) or (isinstance(op, IntegerNeuron) and op.gives_bits)


def is_neuron(op: Op) -> bool:
    """Whether an op keeps a state from step to step."""
    return isinstance(op, IntegerPopulation | IntegerNeuron)


def population_nodes(graph: Graph) -> tuple[Node, ...]:
    """The nodes whose neurons fire, in order."""
    return tuple(node for node in graph.nodes if is_population(node.op))


def count_nodes(graph: Graph) -> tuple[Node, ...]:
    """The nodes that give counts by comparing: neurons that fire several times, staircases."""
    return tuple(
        node
        for node in graph.nodes
        if isinstance(node.op, MultiThreshold)
        or (isinstance(node.op, IntegerNeuron) and node.op.fires and not node.op.gives_bits)
    )


def neuron_nodes(graph: Graph) -> tuple[Node, ...]:
    """The nodes that keep a state from step to step, those that never fire among them."""
    return graph.select(IntegerPopulation, IntegerNeuron)


def membrane_of(op: Op) -> Interval | None:
    """The declared interval of what is compared, or of what is read out; None without neurons."""
    return op.membrane if isinstance(op, IntegerPopulation | IntegerNeuron) else None


def kept_by(op: Op, context: Context) -> tuple[Interval, ...]:
    """The intervals of the integers that a neuron keeps from step to step; () for none."""
    if isinstance(op, IntegerPopulation):
        return (op.membrane,)
    if not isinstance(op, IntegerNeuron):
        return ()
    counts = (op.counts,) if op.remembers else ()
    return (*op.states_within, *counts)
