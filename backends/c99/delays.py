"""C's delays: rings of what was read in the last steps."""

from snncc.backends.c99.draft import Draft
from snncc.backends.c99.integers import kept_in
from snncc.backends.c99.nests import axes_of, nest, strides_of
from snncc.backends.c99.table import FORM, At
from snncc.backends.c99.terms import Leaf, dealt, strides_in
from snncc.ir import Graph, Node
from snncc.ir.dialects.delays import Delay


@FORM.of(Delay)
def delay(at: At, op: Delay) -> None:
    """What was read `steps` steps ago lies where this step's is written at its end."""
    node, draft = at.node, at.draft
    axes, size = axes_of(node.type), node.type.neurons
    memory = draft.buffer(kept_in(node.type), op.steps * size, lasting=True)
    place = ""
    if op.steps > 1:
        place = draft.ring(size, op.steps * size)
    draft.hold(node, Leaf(memory.name, strides_of(axes), place))
    start = draft.constant(op.start)
    first = Leaf(memory.name, strides_of(axes))
    turn = draft.start.fresh("d")
    with (
        draft.start.loop(op.steps, {turn: ("0", size)}),
        nest(draft.start, axes, [*strides_in(start), first.strides]) as indices,
    ):
        mine, (last,) = dealt(indices, start)
        target = Leaf(first.base, first.strides, turn)
        draft.start.line(f"{target.at(last)} = {start.write(mine)};")


def write_delays(draft: Draft) -> None:
    """At the end of a step: what a delay reads is kept; one that reads a delay comes before it."""
    nodes = draft.graph.select(Delay)
    for node in _readers_first(draft.graph, nodes):
        x, kept = draft.term(node.inputs[0]), draft.read(node.name)
        with nest(draft.w, axes_of(node.type), [*strides_in(x), kept.strides]) as indices:
            mine, (last,) = dealt(indices, x)
            draft.w.line(f"{kept.at(last)} = {x.write(mine)};")


def _readers_first(graph: Graph, nodes: tuple[Node, ...]) -> list[Node]:
    """Delays, each before the delay that it reads: no loop leads through delays alone."""
    found: list[Node] = []
    left = {node.name: node for node in nodes}
    while left:
        read = {node.inputs[0] for node in left.values()}
        free = [node for name, node in left.items() if name not in read]
        found += free
        for node in free:
            del left[node.name]
    return found
