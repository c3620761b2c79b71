"""C's inputs: the frame that the caller gives."""

from snncc.backends.c99.nests import axes_of, strides_of
from snncc.backends.c99.table import FORM, At
from snncc.backends.c99.terms import Leaf
from snncc.ir.dialects.projections import Frames

FRAME = "frame"


@FORM.of(Frames)
def frames(at: At, op: Frames) -> None:
    """As it is; copied where steps read an image that is given with the first of them."""
    node, draft = at.node, at.draft
    given = Leaf(FRAME, strides_of(axes_of(node.type)))
    later = [reader for reader in draft.graph.readers[node.name] if reader.type.temporal]
    if node.type.temporal or not later:
        draft.hold(node, given)
        return
    kept = draft.keep(node, lasting=True)
    with at.w.loop(node.type.neurons, {}) as i:
        at.w.line(f"{kept.base}[{i}] = {FRAME}[{i}];")
