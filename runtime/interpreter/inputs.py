"""The interpreter's inputs: the images as they are."""

from snncc.ir.dialects.projections import Frames
from snncc.runtime.interpreter.table import VALUE, At, Computed


@VALUE.of(Frames)
def frames(at: At, op: Frames) -> Computed:
    return Computed(at.images)
