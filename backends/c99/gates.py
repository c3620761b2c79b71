"""C's products: what spikes select is added up."""

from snncc.backends.c99.currents import passing, totalled
from snncc.backends.c99.integers import bounds_of, wider, working
from snncc.backends.c99.table import FORM, At
from snncc.backends.c99.terms import Indices, Term, dealt
from snncc.ir.dialects.products import Product


@FORM.of(Product)
def product(at: At, op: Product) -> None:
    """In a type that holds the sum of any of what passes: its declared ends lie around 0."""
    (bit, x), out = at.sources, at.draft.keep(at.node)
    ctype = wider(x.ctype, working(*bounds_of(at.node.type)))

    def write(indices: Indices) -> str:
        first, second, _ = dealt(indices, bit, x)
        return passing(x.cast(ctype, second), bit.cast(ctype, first), op.inverted)

    selected = Term(ctype, bounds_of(at.node.type), (*bit.leaves, *x.leaves), write)
    summed = [axis for axis in at.inputs[0].axes if axis.name in op.summed]
    totalled(at, selected, summed, out, ctype)
