"""Gains for the simulator: constants as tables of shifts and signs, applied by a compiled loop."""

from dataclasses import dataclass

import numpy as np

from snncc.ir import Array, Graph, Node
from snncc.ir.arrays import count, spread
from snncc.ir.integer_ops import Gain
from snncc.runtime import kernels
from snncc.runtime.digits import signed_digits


@dataclass(frozen=True)
class GainTable:
    """The mantissas of one gain, ready for `kernels.scale`.

    Attributes:
        shifts: int8 [groups, terms], powers of two; a group is one mantissa.
        signs: int8 [groups, terms], 1 or -1; 0 ends the terms of a group.
        shift: the right shift.
        inner: how many neighbouring elements one mantissa holds for.
    """

    shifts: Array
    signs: Array
    shift: int
    inner: int


def gain_table(graph: Graph, node: Node) -> GainTable:
    """Groups run over the axes from the first to the last that the mantissa lies over."""
    op = node.op
    if not isinstance(op, Gain):
        raise TypeError(op.mnemonic)
    names, shape = node.type.names, node.type.shape
    places = [i for i, name in enumerate(names) if name in op.mantissa.axes]
    first, last = (min(places), max(places) + 1) if places else (0, 0)
    mantissa = graph.constants[op.mantissa.name].astype(np.int64)
    over = spread(mantissa, op.mantissa.axes, names[first:last])
    each = np.broadcast_to(over, shape[first:last]).reshape(-1)
    digits = np.stack([*signed_digits(each), np.zeros_like(each, np.int8)], axis=1)
    order = np.argsort(digits == 0, axis=1, kind="stable")  # powers in use first
    terms = max(1, int((digits != 0).sum(axis=1).max(initial=0)))
    signs = np.take_along_axis(digits, order, axis=1)[:, :terms]
    shifts = order[:, :terms].astype(np.int8)
    inner = count(shape[last:])
    return GainTable(np.ascontiguousarray(shifts), np.ascontiguousarray(signs), op.shift, inner)


def apply_gain(table: GainTable, source: Array, dtype: type[np.generic]) -> Array:
    """The current [batch, *axes] times its constants, in the given integer type."""
    groups = len(table.shifts)
    rows = source.size // max(1, groups * table.inner)
    x = np.ascontiguousarray(source).reshape(rows, groups, table.inner)
    out = np.empty(x.shape, dtype)
    kernels.scale(x, table.shifts, table.signs, table.shift, out)
    return out.reshape(source.shape)
