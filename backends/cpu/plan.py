"""The plan of a program for the CPU: number formats, weight layouts, images at once."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snncc.ir import Array, Graph, Kind, Node
from snncc.ir.projections import Contract, Convolve

CHUNK_BYTES = 1 << 28
"""Values of one chunk of images may take about so much memory."""


@dataclass(frozen=True)
class CpuPlan:
    """Decisions for one program.

    Attributes:
        formats: integer type of every current: the narrowest of int32 and int64 that its proved
            range fits.
        weights: by projection, laid out so that one input's row is contiguous:
            [blocks, inputs, outputs] or [groups, inputs, kernel h, kernel w, outputs], the latter
            with the steps in front for weight banks.
        images: how many images run at once.
    """

    formats: Mapping[str, type[np.generic]]
    weights: Mapping[str, Array]
    images: int


def plan_for_cpu(graph: Graph) -> CpuPlan:
    """Plans an integer program."""
    formats = {node.name: _format(node) for node in graph.nodes if node.type.kind is Kind.CURRENT}
    weights = {node.name: _layout(graph, node) for node in graph.select(Contract, Convolve)}
    return CpuPlan(formats, weights, _images_at_once(graph))


def _format(node: Node) -> type[np.generic]:
    low, high = node.type.range or (-(2**62), 2**62)
    return np.int32 if low >= -(2**31) and high < 2**31 else np.int64


def _layout(graph: Graph, node: Node) -> Array:
    op = node.op
    if isinstance(op, Contract):
        weight = graph.constants[op.weight.name]
        blocks = _count(weight.shape[: len(op.shared)])
        outputs = _count(weight.shape[len(op.shared) : len(op.shared) + len(op.out)])
        moved = weight.reshape(blocks, outputs, -1).transpose(0, 2, 1)
        return np.ascontiguousarray(moved)
    if isinstance(op, Convolve):
        weight = graph.constants[op.weight.name]
        *banks, outputs, inputs, kh, kw = weight.shape
        grouped = weight.reshape(*banks, op.groups, outputs // op.groups, inputs, kh, kw)
        return np.ascontiguousarray(np.moveaxis(grouped, -4, -1))
    raise TypeError(f"{op.mnemonic} has no weights")


def _images_at_once(graph: Graph) -> int:
    widest = 1
    for node in graph.nodes:
        bytes_each = 1 if node.type.kind in (Kind.SPIKE, Kind.PIXEL) else 8
        widest = max(widest, _count(node.type.shape) * bytes_each)
    return max(1, min(256, CHUNK_BYTES // (4 * widest)))


def _count(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))
