"""A smaller program with the same fault: cut off above, sources of sums left out, fewer steps."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from snncc.ir import TIME, Graph, GraphBuilder, Node, params_of, verify
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Concat, Contract, Sum
from snncc.ir.op import TypeRuleError
from snncc.ir.verifier import VerifyError

MOST_TRIES = 60


def shrunk(
    graph: Graph, images: np.ndarray, wrong: Callable[[Graph, np.ndarray], bool]
) -> tuple[Graph, np.ndarray]:
    """The smallest that a few steps lead to.

    Args:
        graph: a program that is wrong.
        images: uint8 [n, *axes of the image].
        wrong: whether a program shows the fault on images.
    """
    tries = MOST_TRIES
    changed = True
    while changed:
        changed = False
        for smaller in candidates(graph):
            tries -= 1
            if tries < 0:
                break
            if wrong(smaller, images):
                graph, changed = smaller, True
                break
    for count in range(len(images)):
        pair = np.stack([images[count], images[count]])
        if wrong(graph, pair):
            return graph, pair
    return graph, images


def candidates(graph: Graph) -> Iterator[Graph]:
    """Smaller programs, the smallest first; each passes the verifier."""
    for made in (*_cut(graph), *_without_sources(graph), *_fewer_steps(graph)):
        if made is not None and len(made.nodes) <= len(graph.nodes):
            try:
                verify(made)
            except VerifyError:
                continue
            yield made


def _cut(graph: Graph) -> Iterator[Graph | None]:
    """Programs that answer with the sum of one population's spikes."""
    for node in graph.select(IntegerPopulation):
        b = GraphBuilder(graph.dialect, graph.steps, graph.profile)
        b.share(graph)
        made: dict[str, str] = {}
        for each in graph.nodes:
            if not isinstance(each.op, IntegerReadout):
                made[each.name] = b.keep(each)
            if each is node:
                break
        names = tuple(n for n in node.type.names if n != TIME)
        one = b.constant("one", np.ones(1, np.int8), ("sum_of_all",))
        answer = b.add(Contract(one, (), ("sum_of_all",), (), names), [node.name])
        smaller = b.finish(b.add(IntegerReadout(), [answer], name="readout"))
        if len(smaller.nodes) < len(graph.nodes):
            yield smaller


def _without_sources(graph: Graph) -> Iterator[Graph | None]:
    """Programs in which a sum or a concat has one source less."""
    for node in graph.nodes:
        for place in range(len(node.inputs) if isinstance(node.op, Sum | Concat) else 0):
            if len(node.inputs) < 2:
                break
            inputs = (*node.inputs[:place], *node.inputs[place + 1 :])
            op = node.op
            if isinstance(op, Sum) and op.shifts:
                op = Sum((*op.shifts[:place], *op.shifts[place + 1 :]))
            if isinstance(op, Concat):
                op = Concat((*op.along[:place], *op.along[place + 1 :]), op.out)
            yield _rebuilt(graph, graph.steps, {node.name: replace(node, op=op, inputs=inputs)})


def _fewer_steps(graph: Graph) -> Iterator[Graph | None]:
    varies = any(TIME in p.axes for node in graph.nodes for p in params_of(node.op))
    for steps in {1, graph.steps // 2} - {0, graph.steps} if not varies else ():
        yield _rebuilt(graph, steps, {})


def _rebuilt(graph: Graph, steps: int, changed: dict[str, Node]) -> Graph | None:
    """The program with other nodes; types and membranes follow, None where they do not fit."""
    b = GraphBuilder(graph.dialect, steps, graph.profile)
    b.share(graph)
    try:
        for node in graph.nodes:
            new = changed.get(node.name, node)
            if isinstance(new.op, IntegerPopulation):
                reached = new.op.membrane_range(b[new.inputs[0]].type, b.context)
                new = replace(new, op=replace(new.op, membrane=reached))
            b.keep(new)
        return b.finish(graph.output)
    except (TypeRuleError, KeyError, ValueError):
        return None
