"""ONNX's inputs: the images as they are."""

from snncc.backends.onnx_graph.table import FORM, At
from snncc.backends.onnx_graph.value import Value
from snncc.ir import TIME
from snncc.ir.dialects.projections import Frames

IMAGES = "images"


@FORM.of(Frames)
def frames(at: At, op: Frames) -> Value:
    images = at.draft.entering(IMAGES, at.node.type)
    if TIME not in images.axes:
        return images
    return at.w.transpose(images, (TIME, *(axis for axis in images.axes if axis != TIME)))
