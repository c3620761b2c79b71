"""Delays of the spiking dialect in integers."""

from dataclasses import replace
from typing import Protocol

import numpy as np

from snncc.diagnostics import SnnccError
from snncc.ir import Array, Kind, Node, Param
from snncc.ir.dialects.delays import Delay
from snncc.ir.types import BIT
from snncc.passes.named import Named
from snncc.passes.rewriter import Rewriter
from snncc.quantize.units import Units


class Lowering(Protocol):
    """What is known on the way: the new graph, and what an integer of each current counts."""

    @property
    def rewriter(self) -> Rewriter: ...
    @property
    def fraction(self) -> dict[str, int]: ...
    @property
    def units(self) -> Units: ...
    def integers(self, like: Param, values: Array) -> Param: ...


def lowered_delay(lowering: Lowering, node: Node, op: Delay) -> str:
    """Spikes stay spikes; a current keeps its unit, and its start is rounded to the grid.

    Raises:
        SnnccError: SNN040 for a current that is delayed before it exists: its range is not known.
    """
    rewriter = lowering.rewriter
    real = None if op.start is None else np.asarray(rewriter.array(op.start), np.float64)
    if node.type.kind is Kind.SPIKE:
        bits = None
        if op.start is not None and real is not None:
            bits = lowering.integers(op.start, np.round(real))
        return rewriter.emit(node, replace(op, range=BIT, start=bits))
    source = rewriter.value.get(node.inputs[0])
    if source is None:
        raise SnnccError(
            "SNN040",
            f"{node.name}: a current is fed back, not spikes",
            node.loc,
            why="how large it can become is not known before it is delayed",
            help="delay the spikes before the linear map: the current is the same",
        )
    ends, stored = [0, *(rewriter.new[source].type.range or ())], None
    if op.start is not None and real is not None:
        unit = lowering.units.unit[node.inputs[0]] * Named.scalar(2.0 ** -lowering.fraction[source])
        values = Named(op.start.axes, real) / unit
        grid = Named(values.axes, np.round(values.array)).compact()
        axes = tuple(name for name in op.axes if name in grid.axes)
        stored = lowering.integers(Param(f"{node.name}.start", axes), grid.over(axes))
        ends += [int(grid.array.min()), int(grid.array.max())]
    result = rewriter.emit(node, replace(op, range=(min(ends), max(ends)), start=stored))
    lowering.fraction[result] = lowering.fraction[source]
    return result
