"""Gains for the simulator: constants as tables of shifts and signs, applied by a compiled loop."""

from dataclasses import dataclass

import numpy as np

from snncc.ir import Array, Graph, Node
from snncc.ir.arrays import count, spread
from snncc.ir.digits import signed_digits
from snncc.ir.integer_ops import Gain
from snncc.runtime import kernels


@dataclass(frozen=True)
class GainTable:
    """The mantissas of one gain, ready for `kernels.scale`.

    Attributes:
        shifts: int8 [terms, groups], powers of two; groups are the places of the axes from the
            first to the last that the mantissa lies over.
        signs: int8 [terms, groups], 1, -1, or 0 for no term.
        shift: the right shift.
        inner: how many neighbouring elements share a mantissa.
    """

    shifts: Array
    signs: Array
    shift: int
    inner: int


def gain_table(graph: Graph, node: Node) -> GainTable:
    """The table of one gain, with as many terms as its longest mantissa has signed digits."""
    op = node.op
    if not isinstance(op, Gain):
        raise TypeError(op.mnemonic)
    names, shape = node.type.names, node.type.shape
    places = [names.index(name) for name in op.mantissa.axes] or [-1]
    over = slice(max(0, min(places)), max(places) + 1)
    mantissa = spread(
        graph.constants[op.mantissa.name].astype(np.int64), op.mantissa.axes, names[over]
    )
    each = np.broadcast_to(mantissa, shape[over]).reshape(-1)
    digits = np.stack([*signed_digits(each), np.zeros_like(each, np.int8)])
    powers = np.argsort(digits == 0, axis=0, kind="stable")  # those in use first
    terms = int((digits != 0).sum(axis=0).max(initial=0))
    signs = np.take_along_axis(digits, powers, axis=0)[:terms]
    shifts = powers[:terms].astype(np.int8)
    return GainTable(
        np.ascontiguousarray(shifts),
        np.ascontiguousarray(signs),
        op.shift,
        count(shape[over.stop :]),
    )


def apply_gain(table: GainTable, source: Array, dtype: type[np.generic]) -> Array:
    """The current [batch, *axes] times its constants, in the given integer type."""
    groups = table.shifts.shape[1]
    rows = source.size // max(1, groups * table.inner)
    single = table.inner == 1
    shape = (rows, groups) if single else (rows, groups, table.inner)
    x = np.ascontiguousarray(source).reshape(shape)
    out = np.empty(shape, dtype)
    kernel = kernels.scale if single else kernels.scale_groups
    kernel(x, table.shifts, table.signs, table.shift, out)
    return out.reshape(source.shape)
