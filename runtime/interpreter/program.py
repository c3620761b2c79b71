"""Whole programs and single nodes, by the table of ops."""

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from snncc.execution import (
    Execution,
    Images,
    Ints,
    check_images,
    counts_among,
    readout_of,
    recorded_names,
)
from snncc.ir import Array, Graph, Node
from snncc.ir.cycles import Component, arranged, components
from snncc.ir.populations import is_population
from snncc.runtime.interpreter.loops import Loop, Ran
from snncc.runtime.interpreter.table import VALUE, At, Computed

NO_IMAGES: Images = np.zeros(0, np.uint8)


def interpret(graph: Graph, images: Images, record: Collection[str] | None = None) -> Execution:
    """Runs a program.

    Args:
        graph: integer dialect.
        images: uint8, [batch, *axes of the image].
        record: populations whose spikes and membranes are kept; None for none, `ALL` for all.

    Raises:
        SnnccError: SNN016 when the images are not what the program takes; SNN040 for every op of
            the program that the interpreter does not know.
    """
    images = check_images(graph, images)
    wanted = recorded_names(graph, record)
    unit = readout_of(graph).unit
    values, membranes, counts = run_nodes(graph, images, wanted)
    readout = values[graph.output]
    logits = readout.astype(np.float64) * unit
    numbers = counts_among(graph, wanted)
    spikes = {n: values[n] for n in sorted(wanted - numbers)}
    whole = {n: values[n].astype(graph[n].type.dtype) for n in sorted(numbers)}
    levels = {n: levels for n, levels in membranes.items() if n not in numbers}
    return Execution(readout, logits, spikes, levels, counts, whole)


def run_nodes(
    graph: Graph,
    images: Images,
    wanted: frozenset[str],
    before: Callable[[Node], None] = lambda _: None,
) -> tuple[dict[str, Array], dict[str, Ints], dict[str, int]]:
    """The values that remain at the end (output, wanted populations), membranes, spike counts.

    Args:
        graph: integer dialect.
        images: what `check_images` gives.
        wanted: populations whose spikes and membranes are kept.
        before: called before each node is computed.

    Raises:
        SnnccError: SNN040 for every op that the interpreter does not know.
    """
    VALUE.require(graph)
    graph = arranged(graph)
    values: dict[str, Array] = {}
    membranes: dict[str, Ints] = {}
    counts: dict[str, int] = {}
    for part in components(graph):
        if part.cyclic:
            ran = run_loop(graph, part, values, images, wanted, before)
            values |= ran.values
            membranes |= ran.membranes
        else:
            (node,) = part.nodes
            before(node)
            found = evaluate(graph, node, [values[name] for name in node.inputs], images)
            values[node.name] = found.value
            if found.membranes is not None and node.name in wanted:
                membranes[node.name] = found.membranes
        for node in part.nodes:
            if is_population(node.op):
                counts[node.name] = int(np.count_nonzero(values[node.name]))
            for name in set(graph.last_uses.get(node.name, ())) - wanted:
                del values[name]
    return values, membranes, counts


def run_loop(
    graph: Graph,
    part: Component,
    values: Mapping[str, Array],
    images: Images,
    levels: frozenset[str],
    before: Callable[[Node], None],
) -> Ran:
    """All steps of a loop, from what lies before it."""
    own = {node.name for node in part.nodes}
    outside = dict.fromkeys(n for node in part.nodes for n in node.inputs if n not in own)
    loop = Loop.of(graph, part.nodes, 0, graph.steps)
    sources = {name: values[name] for name in outside}
    return loop.run(sources, len(images), None, before, images, levels)


def evaluate(
    graph: Graph,
    node: Node,
    sources: Sequence[Array],
    images: Images = NO_IMAGES,
    state: Ints | None = None,
) -> Computed:
    """One node by itself, from given inputs and, of a population, from given membranes.

    The steps are the graph's. A part of a program's steps is the graph cut to them, with the state
    that the part before left: then values and membranes are those of a run without a stop.

    Args:
        graph: integer dialect; only the node, its inputs' types and its constants are read.
        node: the node.
        sources: values of its inputs, [batch, *axes of their types].
        images: uint8, [batch, *axes of the image]; for `pixels`.
        state: membranes before the first step, [batch, *axes of one step] in the order of the
            node's type, or of a delay what it read last; None at the start of a program.

    Raises:
        SnnccError: SNN040 for an op that the interpreter does not know.
    """
    return VALUE(At(graph, node, sources, images, state), node)
