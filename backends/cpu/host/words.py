"""Spikes as words of 64: what can be computed of all of them at once, without unpacking one."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from snncc.backends.cpu.plan.host import HostUnit
from snncc.backends.cpu.plan.places import Form, Place
from snncc.ir import TIME, Array
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.projections import Sum
from snncc.ir.dialects.windows import Largest

Words = NDArray[np.uint64]
LANES = ""
"""The last axis: the words of a row."""


def words_of(place: Place, memory: Array, first: int, last: int, plane: int = 0) -> Words:
    """One plane's words where they lie, [steps or 1, *axes of the rows, words of a row]."""
    lay = place.arrangement
    rows: Words = place.packed(memory, first, last, plane).view(np.uint64)
    return rows.reshape(-1, *lay.sizes, lay.words)


def names_of(place: Place) -> tuple[str, ...]:
    """The axes of its words."""
    return (TIME, *place.arrangement.rows, LANES)


def lie_alike(places: tuple[Place, ...]) -> bool:
    """Whether all are bits that lie alike, so that words of one meet those of another."""
    first = places[0]
    return all(
        place.form is Form.BITS
        and (place.bits, place.type.temporal) == (first.bits, first.type.temporal)
        for place in places
    )


def add(unit: HostUnit, memory: Array, first: int, last: int) -> bool:
    """Counts as planes: every source is added by half adders that go through all words at once."""
    if not isinstance(unit.node.op, Sum) or not lie_alike((*unit.reads, unit.writes)):
        return False
    total: list[Words] = []
    for place in unit.reads:
        for plane in range(place.planes):
            carry = words_of(place, memory, first, last, plane)
            for at in range(plane, len(total)):
                total[at], carry = total[at] ^ carry, total[at] & carry
                if not carry.any():
                    break
            else:
                total.append(carry.copy())
    planes = unit.writes.planes
    for plane in range(planes):
        words = words_of(unit.writes, memory, first, last, plane)
        words[...] = total[plane] if plane < len(total) else 0
    return True


def gate(unit: HostUnit, memory: Array, first: int, last: int) -> bool:
    """AND, or AND NOT, of every plane of what passes."""
    op = unit.node.op
    if not isinstance(op, Gate) or not lie_alike((*unit.reads, unit.writes)):
        return False
    opens = words_of(unit.reads[0], memory, first, last)
    opens = ~opens if op.inverted else opens
    for x, y in _planes(unit, memory, first, last):
        np.bitwise_and(opens, x, out=y)
    return True


def take(unit: HostUnit, memory: Array, first: int, last: int) -> bool:
    """Rows of words in another order."""
    op = unit.node.op
    if not isinstance(op, Take) or not _moves_rows(unit, dict(zip(op.axes, op.out, strict=True))):
        return False
    (source,) = unit.reads
    for x, y in _planes(unit, memory, first, last):
        for at, name in enumerate(op.axes):
            if name != source.arrangement.lane:
                x = _taken(x, op.index(at), names_of(source).index(name))
        y[...] = x.transpose(_order(unit, dict(zip(op.axes, op.out, strict=True))))
    return True


def largest(unit: HostUnit, memory: Array, first: int, last: int) -> bool:
    """Windows of spikes: the OR of their rows."""
    op = unit.node.op
    if not isinstance(op, Largest) or not _moves_rows(
        unit, dict(zip(op.axes, op.out, strict=True))
    ):
        return False
    (source,) = unit.reads
    if source.planes > 1 or source.arrangement.lane in op.axes:
        return False
    for x, y in _planes(unit, memory, first, last):
        for at, name in enumerate(op.axes):
            x = windows(op, at, x, names_of(source).index(name), np.bitwise_or, 0)
        y[...] = x.transpose(_order(unit, dict(zip(op.axes, op.out, strict=True))))
    return True


def windows(op: Largest, at: int, x: Array, axis: int, join: np.ufunc, none: int) -> Array:
    """The largest along one axis, place of the window after place.

    Args:
        op: whose windows.
        at: which of its axes.
        x: the values, [..., axis, ...].
        axis: of the array.
        join: what the larger of two is.
        none: what every value is at least.
    """
    length, size = x.shape[axis], op.size[at]
    stride, padding = op.stride[at], op.padding[at]
    found: Array = np.full((*x.shape[:axis], size, *x.shape[axis + 1 :]), none, x.dtype)
    lead = (slice(None),) * axis
    for place in range(op.kernel[at]):
        start = place * op.dilation[at] - padding
        low = max(0, -(start // stride))
        high = min(size, (length - 1 - start) // stride + 1)
        if low < high:
            here = (*lead, slice(low, high))
            begin = start + low * stride
            taken = x[(*lead, slice(begin, begin + (high - low - 1) * stride + 1, stride))]
            join(found[here], taken, out=found[here])
    return found


def _planes(unit: HostUnit, memory: Array, first: int, last: int) -> Iterator[tuple[Words, Words]]:
    """Planes of what passes and of the result; what passes is read last."""
    source, target = unit.reads[-1], unit.writes
    for plane in range(target.planes):
        place = words_of(target, memory, first, last, plane)
        if plane < source.planes:
            yield words_of(source, memory, first, last, plane), place
        else:
            place[...] = 0


def _moves_rows(unit: HostUnit, renamed: dict[str, str]) -> bool:
    """Whether lanes stay what they are, so that whole rows change places."""
    (source,), target, op = unit.reads, unit.writes, unit.node.op
    if source.form is not Form.BITS or target.form is not Form.BITS:
        return False
    lane = source.arrangement.lane
    if target.arrangement.lane != renamed.get(lane, lane):
        return False
    if lane not in renamed or not isinstance(op, Take):
        return lane not in renamed
    index = op.index(op.axes.index(lane))
    return np.array_equal(index, np.arange(source.arrangement.lanes))


def _order(unit: HostUnit, renamed: dict[str, str]) -> list[int]:
    """Where the result's axes are among those of the source."""
    names = [renamed.get(name, name) for name in names_of(unit.reads[0])]
    return [names.index(name) for name in names_of(unit.writes)]


def _taken(x: Array, index: NDArray[np.int64], axis: int) -> Array:
    found: Array = np.take(x, index, axis)
    if int(index.min()) < 0:
        np.moveaxis(found, axis, 0)[index < 0] = 0
    return found
