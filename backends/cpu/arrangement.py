"""How a value lies in memory: rows of lanes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncc.backends.cpu.fields import GROUP
from snncc.diagnostics import SnnccError
from snncc.ir import TIME, ValueType
from snncc.ir.arrays import count

Places = NDArray[np.int64]


class NotExpressible(SnnccError):
    """A program has no plan.

    Args:
        reason: why.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(
            "SNN040",
            "the simulator has no plan for this program",
            why=reason,
            help="run it with the interpreter (--executor interpreter), which takes every program",
        )


@dataclass(frozen=True)
class Arrangement:
    """Which axis the lanes of a value are, and the order of the others.

    Attributes:
        rows: axes in order, the last fastest.
        sizes: their lengths.
        lane: the axis of the lanes; "" for a single lane.
        lanes: its length.
    """

    rows: tuple[str, ...]
    sizes: tuple[int, ...]
    lane: str
    lanes: int

    @property
    def row_count(self) -> int:
        return count(self.sizes)

    @property
    def words(self) -> int:
        """64-bit words that the spikes of one row take."""
        return -(-self.lanes // 64)

    @property
    def padded(self) -> int:
        """Lanes of one row in working memory: whole groups."""
        return -(-self.lanes // GROUP) * GROUP

    def coordinates(self) -> dict[str, Places]:
        """For every row its place along each axis."""
        grids = np.indices(self.sizes).reshape(len(self.sizes), self.row_count)
        return dict(zip(self.rows, grids, strict=True))


@dataclass(frozen=True)
class Image:
    """A source that is the image: its pixels in the order of its axes, not rows of lanes."""


def frame_stride(kind: ValueType) -> int:
    """Bytes from one step's frame to the next in what enters; 0 where all steps see the same."""
    if not kind.temporal:
        return 0
    return count(kind.shape[1 + kind.names.index(TIME) :])


def planes_of(kind: ValueType) -> int:
    """How many planes of bits spikes or counts from 0 on lie in."""
    return max(1, len(kind.planes))


IMAGE = Image()
Source = Arrangement | Image
"""How lies what a projection reads."""


def arrange(kind: ValueType, lane: str) -> Arrangement:
    """A value with the given axis as lanes and the others in the order of its type."""
    rest = [axis for axis in kind.axes if axis.name not in (TIME, lane)]
    return Arrangement(
        tuple(axis.name for axis in rest),
        tuple(axis.size for axis in rest),
        lane,
        kind.size(lane) if lane else 1,
    )
