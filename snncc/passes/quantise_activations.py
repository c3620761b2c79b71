"""Real activations become counts of few bits, in steps that calibration has chosen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from snncc.ir import Graph, Kind, Node
from snncc.ir.dialects.pointwise import Pointwise
from snncc.ir.dialects.thresholds import LEVEL, MultiThreshold
from snncc.ir.dialects.traced import Scale
from snncc.passes.levels import by_level
from snncc.passes.named import Named, join
from snncc.passes.pipeline import Note, PassResult
from snncc.passes.recognise_staircases import NEVER
from snncc.passes.rewriter import Rewriter, rewrite


@dataclass(frozen=True)
class Code:
    """In what an activation is counted.

    Attributes:
        bits: of the counts, their sign included.
        step: what one more means, over one axis or for all alike; above 0.
        signed: whether the activation goes below 0.
    """

    bits: int
    step: Named
    signed: bool = False

    @property
    def ends(self) -> tuple[int, int]:
        """The least and the largest count."""
        if not self.signed:
            return 0, (1 << self.bits) - 1
        largest = (1 << (self.bits - 1)) - 1
        return -largest, largest

    def nearest(self, x: NDArray[np.float64], step: NDArray[np.float64]) -> NDArray[np.float64]:
        """The multiple of a step that stands for a number: the nearest, halves upward."""
        low, high = self.ends
        return np.clip(np.floor(x / step + 0.5), low, high) * step


@dataclass(frozen=True)
class QuantiseActivations:
    """An activation y = min(max(x, low), high) becomes the nearest multiple of a step.

    That is a count of passed thresholds, (i - 1/2) step, times the step, which folds into the
    weights that read it. It is near to what the model says, not equal.

    Attributes:
        codes: by name of the activation.
    """

    name: ClassVar[str] = "quantise_activations"
    codes: Mapping[str, Code]

    def run(self, graph: Graph) -> PassResult:
        """Replaces the activations that have a code."""
        return rewrite(graph, self._visit)

    def _visit(self, rewriter: Rewriter, node: Node, notes: list[Note]) -> str:
        code = self.codes.get(node.name)
        if code is None or not isinstance(node.op, Pointwise):
            return rewriter.emit(node, node.op, *rewriter.inputs(node))
        new, (source,) = rewriter.new, rewriter.inputs(node)
        if new[source].type.kind not in (Kind.REAL, Kind.CURRENT):
            source = rewriter.emit(node, Scale(), source, name=f"{node.name}.real")
        low, high = code.ends
        whole = np.arange(low + 1, high + 1, dtype=np.float64)
        halves = Named((LEVEL,), whole - 0.5) * code.step
        levels = _within(halves, rewriter.named(node.op.low, -NEVER), -1.0)
        levels = _within(levels, rewriter.named(node.op.high, NEVER), 1.0)
        stored = by_level(levels, node, new, f"{node.name}.thresholds")
        counted = rewriter.emit(node, MultiThreshold(stored, lowest=low), source)
        along = f" along {', '.join(code.step.axes)}" if code.step.axes else ""
        notes.append(Note(node.name, True, f"{code.bits} bits, calibrated{along}", inexact=True))
        step = code.step.store(new, f"{node.name}.scale")
        return rewriter.emit(node, Scale(step), counted, name=f"{node.name}.step")


def _within(levels: Named, bound: Named, side: float) -> Named:
    """A threshold beyond a bound is always passed below (side -1), and never above (side 1)."""
    axes = (*(n for n in join(levels.axes, bound.axes) if n != LEVEL), LEVEL)
    table, end = levels.over(axes), bound.over(axes)
    beyond = table <= end if side < 0 else table > end
    return Named(axes, np.where(beyond, side * NEVER, table))
