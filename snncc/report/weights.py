"""Weights of every projection, against the largest that its bits hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from snncc.ir import Array, Graph
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.mfi.prover import bits
from snncc.report.origin import weight_bits_of

BINS = 48


@dataclass(frozen=True)
class WeightFacts:
    """Stored weights of one projection.

    Attributes:
        name: of the projection.
        count: how many.
        bits: that the file says they were rounded to, or that their span needs.
        clip: the largest weight of so many bits; less than it never means cut off.
        declared: whether `bits` is what the file says.
        low, high: least and largest.
        zeros: how many are 0.
        clipped: how many are at the clip edge, clip or -clip, or beyond.
        counts: weights by size, in `BINS` bins from -clip to clip.
    """

    name: str
    count: int
    bits: int
    clip: int
    declared: bool
    low: int
    high: int
    zeros: int
    clipped: int
    counts: tuple[int, ...]


def edges() -> Array:
    """Borders of the bins, as shares of the clip edge."""
    return np.linspace(-1.0, 1.0, BINS + 1)


def weights_of(graph: Graph, report: Mapping[str, Any] | None = None) -> tuple[WeightFacts, ...]:
    """Every projection, in the program's order.

    Args:
        graph: integer dialect.
        report: what the program's file says of its origin: the bits of its weights.
    """
    return tuple(
        _weights(node.name, graph.constants[node.op.weight.name], report or {})
        for node in graph.nodes
        if isinstance(node.op, Contract | Convolve)
    )


def _weights(name: str, array: Array, report: Mapping[str, Any]) -> WeightFacts:
    wide = array.astype(np.int64)
    low, high = int(wide.min(initial=0)), int(wide.max(initial=0))
    said = weight_bits_of(report, name)
    fits = said is not None and max(-low, high) < 1 << (said - 1)
    width = said if said is not None and fits else max(2, bits((low, high)))
    clip = (1 << (width - 1)) - 1
    counts, _ = np.histogram(np.clip(wide / clip, -1.0, 1.0), edges())
    return WeightFacts(
        name,
        wide.size,
        width,
        clip,
        fits,
        low,
        high,
        int((wide == 0).sum()),
        int((np.abs(wide) >= clip).sum()),
        tuple(int(n) for n in counts),
    )
