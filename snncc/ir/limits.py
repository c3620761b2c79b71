"""The stated limits of a program: above every real network, below what hangs or fills memory.

docs/program_rules.md lists them. They hold for spiking and integer graphs, whoever made them; the
checker has its own copy.
"""

import math
from collections.abc import Iterator

from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import Gain, IntegerPopulation
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.projections import Concat, Convolve, Sum
from snncc.ir.dialects.spiking import Affine
from snncc.ir.dialects.windows import Largest
from snncc.ir.graph import Graph, Node, params_of
from snncc.ir.types import TIME

MOST_STEPS = 1 << 12
MOST_NODES = 1 << 14
MOST_INPUTS = 1 << 12
"""Sources of one node."""
MOST_TERMS = 1 << 12
"""Ways from a current back to the maps that it is made of."""
DEEPEST = 256
"""Sums, gains and concats that follow each other."""
MOST_AXES = 16
MOST_ELEMENTS = 1 << 26
"""Of one value at one step, and of an image with its padding."""
MOST_NEURON_STEPS = 1 << 30
"""Time steps times neurons that constants tell apart, over all populations."""
LARGEST_GEOMETRY = 1 << 12
"""Of a stride, a dilation or a padding."""
MOST_CONSTANT_BYTES = 1 << 31
MOST_NUMBERS = 1 << 31
"""Numbers of constants, those that several nodes read counted for each."""

Found = tuple[str, str]
"""Name of a node, "" for the whole program, and what is wrong."""


def limit_problems(graph: Graph) -> Iterator[Found]:
    """Everything in which a graph exceeds a limit. Its nodes are in topological order."""
    if graph.steps > MOST_STEPS:
        yield "", f"{shown(graph.steps)} time steps, the most are {MOST_STEPS}"
    if len(graph.nodes) > MOST_NODES:
        yield "", f"{len(graph.nodes)} nodes, the most are {MOST_NODES}"
        return
    total = sum(array.nbytes for array in graph.constants.values())
    if total > MOST_CONSTANT_BYTES:
        yield "", f"{total} bytes of constants, the most are {MOST_CONSTANT_BYTES}"
    for node in graph.nodes:
        yield from ((node.name, text) for text in _of_node(graph, node))
    named = (param.name for node in graph.nodes for param in params_of(node.op))
    numbers = sum(graph.constants[name].size for name in named if name in graph.constants)
    if numbers > MOST_NUMBERS:
        yield "", f"nodes read {numbers} numbers of constants, the most are {MOST_NUMBERS}"
    yield from _nesting(graph)
    work = sum(_told_apart(graph, node) for node in graph.nodes) * graph.steps
    if work > MOST_NEURON_STEPS:
        what = f"{shown(work)} neurons times steps that constants tell apart"
        yield "", f"{what}, the most are {MOST_NEURON_STEPS}"


def _of_node(graph: Graph, node: Node) -> Iterator[str]:
    if len(node.inputs) > MOST_INPUTS:
        yield f"{len(node.inputs)} sources, the most are {MOST_INPUTS}"
    rank = max([len(node.type.axes), *(len(param.axes) for param in params_of(node.op))])
    if rank > MOST_AXES:
        yield f"{rank} axes, the most are {MOST_AXES}"
    elif node.type.neurons > MOST_ELEMENTS:
        yield f"{shown(node.type.neurons)} elements, the most are {MOST_ELEMENTS}"
    if isinstance(node.op, Convolve):
        yield from _of_kernel(graph, node, node.op)


def _of_kernel(graph: Graph, node: Node, op: Convolve) -> Iterator[str]:
    geometry = (*op.stride, *op.dilation, *op.padding)
    largest = max(geometry, default=0)
    if largest > LARGEST_GEOMETRY:
        what = "a stride, dilation or padding of"
        yield f"{what} {shown(largest)}, the most is {LARGEST_GEOMETRY}"
        return
    if len(node.inputs) != 1 or min(geometry, default=0) < 0:
        return  # the type rule says so
    margins = dict(zip((op.height, op.width), op.padding, strict=False))
    axes = graph[node.inputs[0]].type.axes
    sizes = [a.size + 2 * margins.get(a.name, 0) for a in axes if a.name != TIME]
    if math.prod(sizes) > MOST_ELEMENTS:
        yield f"{shown(math.prod(sizes))} elements with padding, the most are {MOST_ELEMENTS}"


def _nesting(graph: Graph) -> Iterator[Found]:
    """Terms and depth of what is made of other values without a map or a neuron between."""
    terms: dict[str, int] = {}
    depth: dict[str, int] = {}
    for node in graph.nodes:
        inner = isinstance(node.op, Affine | Concat | Gain | Gate | Largest | Sum | Take)
        terms[node.name] = sum(terms[name] for name in node.inputs) if inner else 1
        depth[node.name] = 1 + max((depth[n] for n in node.inputs), default=0) if inner else 0
        if terms[node.name] > MOST_TERMS:
            found = shown(terms[node.name])
            yield node.name, f"a current of {found} terms, the most are {MOST_TERMS}"
            terms[node.name] = 1
        if depth[node.name] > DEEPEST:
            yield node.name, f"sums, gains, gates, windows and concats nested deeper than {DEEPEST}"
            depth[node.name] = 0


def _told_apart(graph: Graph, node: Node) -> int:
    """How many neurons of a population have constants of their own; 0 for other nodes."""
    op = node.op
    if not isinstance(op, IntegerPopulation | IntegerNeuron):
        return 0
    sizes: dict[str, int] = {}
    for param in params_of(op):
        if param.name in graph.constants:
            sizes |= dict(zip(param.axes, graph.constants[param.name].shape, strict=False))
    return math.prod(size for name, size in sizes.items() if name != TIME)


def shown(number: int) -> str:
    """A number in a message; its size in bits where its digits would fill the screen."""
    bits = number.bit_length()
    return str(number) if bits <= 128 else f"a number of {bits} bits"
