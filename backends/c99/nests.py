"""Loops over named axes: neighbours that are one run of elements become one loop."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from snncc.backends.c99.writer import Writer
from snncc.ir.types import TIME, Axis, ValueType


@dataclass(frozen=True)
class Loop:
    """A loop that takes several arrays along.

    Attributes:
        size: how often it runs.
        strides: by array, how many elements it goes on every time.
    """

    size: int
    strides: tuple[int, ...]


def axes_of(kind: ValueType) -> tuple[Axis, ...]:
    """The axes of one step."""
    return tuple(axis for axis in kind.axes if axis.name != TIME)


def strides_of(axes: Sequence[Axis]) -> dict[str, int]:
    """How far apart neighbours lie in an array over these axes, the last one innermost."""
    found: dict[str, int] = {}
    stride = 1
    for axis in reversed(axes):
        found[axis.name] = stride
        stride *= axis.size
    return found


def merged(loops: Sequence[Loop]) -> list[Loop]:
    """The same elements in the same order by as few loops as there can be."""
    found: list[Loop] = []
    for loop in loops:
        if loop.size == 1:
            continue
        pairs = zip(found[-1].strides, loop.strides, strict=True) if found else ()
        if found and all(outer == inner * loop.size for outer, inner in pairs):
            found[-1] = Loop(found[-1].size * loop.size, loop.strides)
        else:
            found.append(loop)
    return found


@contextmanager
def nest(
    w: Writer, axes: Sequence[Axis], strides: Sequence[Mapping[str, int]]
) -> Generator[list[str]]:
    """Loops over axes; gives the index of the element in each array.

    Args:
        w: the writer.
        axes: outermost first.
        strides: of each array, by axis; an axis that it lacks repeats it.
    """
    over = [Loop(a.size, tuple(each.get(a.name, 0) for each in strides)) for a in axes]
    terms: list[list[str]] = [[] for _ in strides]
    with ExitStack() as stack:
        for loop in merged(over):
            stem = w.fresh("o")
            names = {
                stride: _offset(stem, stride) for stride in loop.strides if stride not in (0, 1)
            }
            running = {name: ("0", stride) for stride, name in names.items()}
            names[1] = stack.enter_context(w.loop(loop.size, running))
            for place, stride in enumerate(loop.strides):
                if stride:
                    terms[place].append(names[stride])
        yield [" + ".join(each) or "0" for each in terms]


def _offset(stem: str, stride: int) -> str:
    return f"{stem}_{stride}" if stride > 0 else f"{stem}_m{-stride}"
