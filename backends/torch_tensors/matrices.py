"""Exact matrix products, in the numbers that a proof allows."""

import torch
from torch import Tensor

from snncc.backends.torch_tensors.forms import Form
from snncc.backends.torch_tensors.table import TYPES

CHUNK = 1 << 24
"""Products of int64 at a time: bounds memory."""
TILE = 8
"""Products in int8 take multiples of so many inputs and outputs..."""
ROWS = 32
"""... and at least so many rows."""


def product(x: Tensor, weight: Tensor, form: Form) -> Tensor:
    """[blocks, rows, inputs] times [blocks, inputs, outputs], as int64.

    Args:
        x: integers of any type.
        weight: integers, in the type of the form or any other.
        form: in which the product is exact.
    """
    x, weight = x.to(TYPES[form]), weight.to(TYPES[form])
    if form is Form.INT64:
        return _added(x, weight)
    if form is Form.INT8:
        pairs = zip(x.unbind(), weight.unbind(), strict=True)
        return torch.stack([_in_bytes(rows, matrix) for rows, matrix in pairs]).to(torch.int64)
    if len(x) == 1:
        return torch.mm(x[0], weight[0]).to(torch.int64)[None]
    return torch.bmm(x, weight).to(torch.int64)


def _added(x: Tensor, weight: Tensor) -> Tensor:
    """Products one by one and their sum: no library multiplies matrices of int64 on all devices."""
    blocks, rows, inputs = x.shape
    outputs = weight.shape[-1]
    made = x.new_zeros((blocks, rows, outputs))
    step = max(1, CHUNK // max(1, blocks * inputs * outputs))
    for start in range(0, rows, step):
        part = x[:, start : start + step, :, None] * weight[:, None]
        made[:, start : start + step] = part.sum(dim=2)
    return made


def _in_bytes(rows: Tensor, matrix: Tensor) -> Tensor:
    """A product in int8, added up in int32; zeros fill up what the kernels' tiles want."""
    (count, inputs), outputs = rows.shape, matrix.shape[1]
    more = -inputs % TILE or TILE * (inputs == 0)
    x = torch.nn.functional.pad(rows, (0, more, 0, max(0, ROWS - count)))
    w = torch.nn.functional.pad(matrix, (0, -outputs % TILE, 0, more))
    return torch._int_mm(x.contiguous(), w.contiguous())[:count, :outputs]
