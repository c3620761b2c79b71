"""Projections as matrix products: which rows of the source side by side, times which matrix.

For a layer where most inputs are active, a library's matrix product is faster than lists of active
inputs. It multiplies: the bits are the same, the execution is not free of multiplications.

Only projections that contract their source's lanes have this form. Where the lanes are kept (maps
along one axis, depthwise convolutions) the event kernels add whole vectors under a mask, at the
same cost whatever the activity; pixels are taken bit by bit.
"""

from dataclasses import dataclass

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.arrangement import Arrangement, Image, Source
from snncc.backends.cpu.parts.projections import lane_of, selection_of
from snncc.ir import Array, Graph, Node
from snncc.ir.dialects.projections import Contract, Convolve

MOST_COUNT = (1 << 7) - 1
"""Two products of such a count with weights of 8 bits are added in 16 bits by some libraries."""
MOST_BLOCKS = 64
"""With more matrices than this (weights shared along a long axis) products are too small."""


@dataclass(frozen=True)
class DenseBlock:
    """Rows of a result that take the same matrix.

    Attributes:
        rows: int64 [m]: which rows of the result.
        taps: int32 [m, taps]: rows of the source, side by side the left operand; -1 is silence.
        matrix: integers, [steps or 1, taps * lanes of the source, lanes of the result].
    """

    rows: Array
    taps: Array
    matrix: Array


@dataclass(frozen=True)
class DenseSum:
    """A projection of spikes as matrix products.

    Attributes:
        source: the population that it reads.
        source_rows, source_lanes: of the population's arrangement.
        blocks: every row of the result is in one of them.
        reach: no sum of any choice of weights of one result is larger in magnitude. The proved
            range of the current says so, for its ends are the sums of all negative and of all
            positive weights.
        most: the largest number of the source: 1 of spikes, more of counts.
    """

    source: str
    source_rows: int
    source_lanes: int
    blocks: tuple[DenseBlock, ...]
    reach: int
    most: int = 1

    @property
    def products(self) -> int:
        """Multiplications of one step."""
        return sum(len(b.rows) * b.matrix.shape[1] * b.matrix.shape[2] for b in self.blocks)

    @property
    def shape(self) -> str:
        """What the time of it depends on."""
        blocks = [(*block.taps.shape, *block.matrix.shape) for block in self.blocks]
        types = sorted({str(block.matrix.dtype) for block in self.blocks})
        widths = f"{' '.join(types)}, {self.reach.bit_length()} bits"  # of weights and of sums
        counts = f" counts to {self.most}" if self.most > 1 else ""
        return f"{self.source_rows}x{self.source_lanes}{counts} {blocks} {widths}"


@dataclass(frozen=True)
class DenseUnit:
    """A unit of a plan that is a matrix product.

    Attributes:
        sum: what it computes.
        source: place of the source's bits, bytes of a row of them.
        planes: how many planes they are, bytes from one to the next.
        place: of the result in the working memory.
        size: bytes of an element of the result.
        shape: of the result: its rows along each axis, and its lanes.
        strides: of one step, of each of these axes, in bytes.
    """

    sum: DenseSum
    source: tuple[int, int]
    planes: tuple[int, int]
    place: int
    size: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def dense_sum(graph: Graph, node: Node, source: Source, unit: Arrangement) -> DenseSum | None:
    """A projection as matrix products, or None where it has not this form."""
    if isinstance(source, Image) or not isinstance(node.op, Contract | Convolve):
        return None
    if node.type.range is None or not graph[node.inputs[0]].type.temporal:
        return None
    _, most = graph[node.inputs[0]].type.domain or (0, 0)
    if most > MOST_COUNT:
        return None
    if lane_of(node, source) != unit.lane:
        return None
    taps, weights, kind = selection_of(graph, node, source, unit)
    if kind != f.EVENTS:
        return None
    patterns, which = np.unique(taps[..., 1], axis=0, return_inverse=True)
    if len(patterns) > MOST_BLOCKS:
        return None
    inner = np.arange(source.lanes)
    blocks: list[DenseBlock] = []
    for number, begins in enumerate(patterns):
        rows = np.flatnonzero(which.reshape(-1) == number)
        chosen = (begins[:, None] + inner).reshape(-1)
        tapped = np.ascontiguousarray(taps[rows, :, 0])
        blocks.append(DenseBlock(rows, tapped, np.ascontiguousarray(weights[:, chosen])))
    low, high = node.type.range
    reach = max(-low, high)
    lies = source.row_count, source.lanes
    return DenseSum(node.inputs[0], *lies, tuple(blocks), reach, max(1, most))
