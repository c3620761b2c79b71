"""The interpreter's inputs: the images as they are."""

from snncc.ir.projections import Pixels
from snncc.runtime.interpreter.table import VALUE, At, Computed


@VALUE.of(Pixels)
def pixels(at: At, op: Pixels) -> Computed:
    return Computed(at.images)
