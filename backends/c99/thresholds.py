"""C's staircases: how many thresholds a current has passed."""

from snncc.backends.c99.currents import totalled
from snncc.backends.c99.integers import bounds_of, wider, working
from snncc.backends.c99.neurons import signed
from snncc.backends.c99.table import FORM, At
from snncc.backends.c99.terms import Indices, Term, dealt
from snncc.ir.dialects.thresholds import LEVEL, MultiThreshold
from snncc.ir.types import Axis


@FORM.of(MultiThreshold)
def staircase(at: At, op: MultiThreshold) -> None:
    """Thresholds stand as near as no current reaches."""
    (x,), out = at.sources, at.draft.keep(at.node)
    far = max(abs(end) for end in x.bounds)
    polarity = at.draft.constant(op.polarity, usual=1)
    threshold = at.draft.constant(op.thresholds, within=(-far - 1, far + 1))
    ctype = wider(x.ctype, polarity.ctype, threshold.ctype, working(-far - 1, far + 1))
    terms = (x, polarity, threshold)

    def write(indices: Indices) -> str:
        ix, ip, it, _ = dealt(indices, *terms)
        drive = x.cast(ctype, ix)
        if op.polarity is not None:
            drive = signed(at, polarity, polarity.cast(ctype, ip), ctype, drive)
        return f"({drive} >= {threshold.cast(ctype, it)})"

    leaves = tuple(leaf for term in terms for leaf in term.leaves)
    passed = Term(working(0, 1), (0, 1), leaves, write)
    levels = [Axis(LEVEL, op.levels(at.graph.context))]
    counted = working(0, levels[0].size, *bounds_of(at.node.type))
    totalled(at, passed, levels, out, counted, op.lowest)
