"""Arrays with named axes, [batch, *axes]: what every executor of every dialect needs."""

import numpy as np

from snncc.ir.graph import Node
from snncc.ir.op import Array
from snncc.ir.types import TIME


def align(array: Array, axes: tuple[str, ...], target: tuple[str, ...]) -> Array:
    """[batch, *axes] with its axes in the order of `target`, length 1 where it lacks one."""
    moved = array.transpose([0, *(1 + axes.index(n) for n in target if n in axes)])
    sizes = iter(moved.shape[1:])
    return moved.reshape([moved.shape[0], *(next(sizes) if n in axes else 1 for n in target)])


def spread(array: Array, axes: tuple[str, ...], target: tuple[str, ...]) -> Array:
    """A constant [*axes] over the axes of a value, [*target] without the batch."""
    over: Array = align(array[None], axes, target)[0]
    return over


def over_steps(x: Array, names: tuple[str, ...], steps: int) -> Array:
    """[batch, t, ...]; a value without time is the same at every step."""
    if TIME in names:
        return np.moveaxis(x, 1 + names.index(TIME), 1)
    return np.broadcast_to(x[:, None], (x.shape[0], steps, *x.shape[1:]))


def at_step(constant: Array, t: int) -> Array:
    """What a constant [t or 1, ...] is at one step."""
    step: Array = constant[t if len(constant) > 1 else 0]
    return step


def timed(x: Array, names: tuple[str, ...], steps: int) -> tuple[Array, tuple[str, ...]]:
    """A value and its axes with a time axis: a leading one is added when there is none."""
    if TIME in names:
        return x, names
    return over_steps(x, names, steps), (TIME, *names)


def concat(
    sources: list[Array],
    names: list[tuple[str, ...]],
    along: tuple[str, ...],
    out: str,
    node: Node,
) -> Array:
    """Values side by side along `out`; one without time is repeated when the result has it."""
    target = node.type.names
    parts: list[Array] = []
    for x, axes, name in zip(sources, names, along, strict=True):
        renamed = tuple(out if n == name else n for n in axes)
        part = align(x, renamed, target)
        if TIME in target and TIME not in renamed:
            part = np.repeat(part, node.type.size(TIME), axis=1 + target.index(TIME))
        parts.append(part)
    return np.concatenate(parts, axis=1 + target.index(out))


def narrow(values: Array) -> Array:
    """The same integers in the smallest signed type; the same array where it is of that type."""
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    for dtype in (np.int8, np.int16, np.int32):
        info = np.iinfo(dtype)
        if info.min <= low and high <= info.max:
            return values.astype(dtype, copy=False)
    return values.astype(np.int64, copy=False)


def count(sizes: tuple[int, ...]) -> int:
    """Number of elements of a shape; 1 for none."""
    return int(np.prod(sizes, dtype=np.int64))
