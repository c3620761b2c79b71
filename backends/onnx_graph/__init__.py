"""Integer programs as ONNX graphs: the same integers from the operators of ONNX, opset 17.

Every op has one function, in the file of its family, which `table.FORM` lists; `model` puts them
together. onnx, onnx_ir and onnxruntime are imported when a graph is made or run (`library`).

The graph multiplies where the program selects and adds: MatMulInteger and ConvInteger of bits are
selected additions in another spelling, Mul and Div by constants are shifted additions. The bits are
the program's; the verdict on multiplications is of the program and not of this spelling.
"""

from snncc.backends.onnx_graph import (
    currents,
    gates,
    inputs,
    moves,
    neurons,
    projections,
    readout,
    thresholds,
    windows,
)
from snncc.backends.onnx_graph.table import FORM

FAMILIES = (inputs, projections, currents, windows, moves, gates, thresholds, neurons, readout)
"""The files that fill the table: importing them is what does it."""

__all__ = ["FAMILIES", "FORM"]
