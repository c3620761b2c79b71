"""A decay that no shift gives exactly disappears when the membrane's unit shrinks as it decays."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snncc.ir import TIME, Graph, Node
from snncc.ir.dialects.spiking import Affine, Population
from snncc.passes.named import Named
from snncc.passes.pipeline import Note, PassResult
from snncc.passes.rewriter import Rewriter, rewrite

EXACT = 1e-12


@dataclass(frozen=True)
class MeasureDecaysByStep:
    """Y[t] = decay^t Yh[t]: Yh[t] = Vh[t-1] + decay^-t (X[t] + bias), threshold decay^-t K.

    Exact in real numbers for either reset (substitute). The current is scaled by decay^-t, which
    is left to what scales by step become: a gain, or a bank of weights. Decays 0, 1 and 1/m stay:
    the integer program has them exactly (see `IntegerPopulation`).
    """

    name: ClassVar[str] = "measure_decays_by_step"

    def run(self, graph: Graph) -> PassResult:
        """Rewrites every population with another decay; the note says how far its scale reaches."""
        return rewrite(graph, _visit)


def is_exact_in_integers(decay: float) -> bool:
    """Whether an integer program has the decay exactly: 0, 1, or 1/m."""
    return decay == 0.0 or abs(round(1.0 / decay) * decay - 1.0) < EXACT


def _visit(rewriter: Rewriter, node: Node, notes: list[Note]) -> str:
    op, sources = node.op, rewriter.inputs(node)
    if not isinstance(op, Population):
        return rewriter.emit(node, op, *sources)
    if is_exact_in_integers(op.decay):
        notes.append(Note(node.name, False, f"decay {op.decay:.6g} is exact in integers"))
        return rewriter.emit(node, op, *sources)
    growth = Named((TIME,), op.decay ** -np.arange(rewriter.old.steps, dtype=np.float64))
    new = rewriter.new
    bias = rewriter.named(op.bias, 0.0) * growth
    threshold = rewriter.named(op.threshold, 0.0) * growth
    scale = Affine(growth.store(new, f"{node.name}.growth"))
    current = rewriter.emit(node, scale, sources[0], name=f"{node.name}.current")
    still = replace(
        op,
        decay=1.0,
        threshold=threshold.store(new, f"{node.name}.threshold"),
        bias=None if bias.is_zero() else bias.store(new, f"{node.name}.bias"),
    )
    most = float(growth.array[-1])
    notes.append(
        Note(node.name, True, f"decay {op.decay:.6g} in units that shrink {most:.3g} fold")
    )
    return rewriter.emit(node, still, current)
