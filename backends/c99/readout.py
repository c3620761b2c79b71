"""C's answer: the sum over time."""

from snncc.backends.c99.integers import bounds_of, working
from snncc.backends.c99.nests import axes_of, nest, strides_of
from snncc.backends.c99.table import FORM, At
from snncc.backends.c99.terms import Leaf, dealt, strides_in
from snncc.ir import Graph, Node
from snncc.ir.dialects.integer import IntegerReadout

ANSWER = "net_total"


def answer_type(graph: Graph, node: Node) -> str:
    """The type of the answer: it holds every sum on the way."""
    (source,) = graph.input_types(node)
    low, high = (end * graph.steps for end in bounds_of(source))
    least, most = bounds_of(node.type)
    offsets = least - low, most - high
    return working(min(0, low) + offsets[0], max(0, high) + offsets[1], low, high, *offsets)


@FORM.of(IntegerReadout)
def readout(at: At, op: IntegerReadout) -> None:
    """Starts with the offset; every step adds what comes."""
    node, draft = at.node, at.draft
    ctype, axes = answer_type(at.graph, node), axes_of(node.type)
    (x,) = at.sources
    total = Leaf(ANSWER, strides_of(axes))
    draft.hold(node, total)
    with nest(at.w, axes, [*strides_in(x), total.strides]) as indices:
        mine, (last,) = dealt(indices, x)
        text = x.cast(ctype, mine)
        at.w.line(f"{total.at(last)} += {text};")
    offset = draft.constant(op.offset)
    with nest(draft.start, axes, [*strides_in(offset), total.strides]) as indices:
        mine, (last,) = dealt(indices, offset)
        draft.start.line(f"{total.at(last)} = {offset.write(mine)};")
