"""Currents and counts as they lie in memory, in as few bytes as they have there."""

import numpy as np

from snncc.backends.cpu.host.words import windows
from snncc.backends.cpu.plan.host import HostUnit
from snncc.backends.cpu.plan.places import Form, Place
from snncc.ir import TIME, Array
from snncc.ir.arrays import count
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Sum
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.windows import Largest

INT32 = (1 << 31) - 1
MOST_SPREAD = 1 << 22
"""Numbers that are selected at once."""


def add(unit: HostUnit, memory: Array, first: int, last: int) -> bool:
    """Counts of 32 bits, whatever their sources lie like."""
    op, kind = unit.node.op, unit.node.type
    low, high = kind.range or (-INT32 - 1, 0)
    whole = isinstance(op, Sum) and not op.shifts and not _image(unit)
    if not whole or min(low, -high) < -INT32:
        return False
    dtype = np.uint8 if low >= 0 and high <= 255 else np.int32
    sizes = (last - first if n == TIME else kind.size(n) for n in kind.names)
    total = np.zeros((*sizes,), dtype)
    for place in unit.reads:
        part = _placed(place.read(memory, memory, first, last), place, kind.names)
        np.add(total, part, out=total, casting="unsafe")  # what is added is at most the sum
    unit.writes.write(memory, total, first, last)
    return True


def gate(unit: HostUnit, memory: Array, first: int, last: int) -> bool:
    """What passes stays, the rest is 0."""
    op, names = unit.node.op, unit.node.type.names
    if not isinstance(op, Gate) or _image(unit):
        return False
    bit, x = (_placed(p.read(memory, memory, first, last), p, names) for p in unit.reads)
    unit.writes.write(memory, np.where(bit == 0 if op.inverted else bit != 0, x, 0), first, last)
    return True


def take(unit: HostUnit, memory: Array, first: int, last: int) -> bool:
    """Elements in another order."""
    op, (source,) = unit.node.op, unit.reads
    if not isinstance(op, Take) or op.fills or _image(unit):
        return False
    x = source.read(memory, memory, first, last)
    for at, name in enumerate(op.axes):
        x = np.take(x, op.index(at), source.type.names.index(name))
    unit.writes.write(memory, x, first, last)
    return True


def largest(unit: HostUnit, memory: Array, first: int, last: int) -> bool:
    """Axis after axis, since windows are products."""
    op, (source,) = unit.node.op, unit.reads
    if not isinstance(op, Largest) or op.offset is not None or _image(unit):
        return False
    x = source.read(memory, memory, first, last)
    for at, name in enumerate(op.axes):
        axis = source.type.names.index(name)
        x = windows(op, at, x, axis, np.maximum, np.iinfo(x.dtype).min)
    unit.writes.write(memory, x, first, last)
    return True


def add_along(unit: HostUnit, memory: Array, first: int, last: int) -> bool:
    """Sums of 64 bits, of elements of as many as they have."""
    op, (source,) = unit.node.op, unit.reads
    if not isinstance(op, SumAlong) or source.form is not Form.INTEGERS:
        return False
    axes = tuple(source.type.names.index(name) for name in op.summed)
    x = source.view(memory, first, last)
    unit.writes.write(memory, x.sum(axis=axes, dtype=np.int64), first, last)
    return True


def select(unit: HostUnit, memory: Array, first: int, last: int) -> bool:
    """Products whose spikes select no rows; not those that would be spread over much memory."""
    op = unit.node.op
    if not isinstance(op, Product) or _image(unit):
        return False
    names = (*unit.node.type.names, *op.summed)
    bit, x = (_placed(p.read(memory, memory, first, last), p, names) for p in unit.reads)
    shape = np.broadcast_shapes(bit.shape, x.shape)
    if count(shape) > MOST_SPREAD:
        return False
    chosen = np.where(bit == 0 if op.inverted else bit != 0, x, 0)
    total = chosen.sum(axis=tuple(range(len(shape) - len(op.summed), len(shape))), dtype=np.int64)
    unit.writes.write(memory, total, first, last)
    return True


def _image(unit: HostUnit) -> bool:
    """Whether it reads the image, which does not lie in the working memory."""
    return any(place.form is Form.IMAGE for place in unit.reads)


def _placed(x: Array, place: Place, target: tuple[str, ...]) -> Array:
    """The axes in the order of the result, length 1 where one is lacking."""
    names = place.type.names
    moved = x.transpose([names.index(name) for name in target if name in names])
    sizes = iter(moved.shape)
    return moved.reshape([next(sizes) if name in names else 1 for name in target])
