"""A scale before a general neuron becomes part of what its states take in of the current."""

from dataclasses import dataclass, replace
from typing import ClassVar

from snncc.ir import TIME, Graph, Node, fuse
from snncc.ir.dialects.neurons import Neuron
from snncc.ir.dialects.spiking import Affine
from snncc.passes.neuron_constants import by_state
from snncc.passes.pipeline import Note, PassResult
from snncc.passes.rewriter import Rewriter, rewrite


@dataclass(frozen=True)
class FoldScalesIntoNeurons:
    """X = a*I: every state's gain becomes gain * a; weights stay as they are.

    Behind a neuron that never fires a scale becomes part of the form that it gives. Legal for any a
    that is the same at every step, over any of the neurons' axes, whatever its sign; other readers
    of I keep it unscaled. What differs from step to step stays a gain.
    """

    name: ClassVar[str] = "fold_scales_into_neurons"

    def run(self, graph: Graph) -> PassResult:
        """Folds every scale that stands directly before a neuron, or behind a silent one."""
        return rewrite(graph, _visit)


def _visit(rewriter: Rewriter, node: Node, notes: list[Note]) -> str:
    op, sources = node.op, rewriter.inputs(node)
    if isinstance(op, Affine):
        return _behind(rewriter, node, op, notes)
    if not isinstance(op, Neuron):
        return rewriter.emit(node, op, *sources)
    source = rewriter.old[node.inputs[0]]
    if not isinstance(source.op, Affine) or source.op.offset is not None:
        return rewriter.emit(node, op, *sources)
    scale = rewriter.named(source.op.scale, 1.0)
    if TIME in scale.axes:
        reason = "the scale before it differs from step to step"
        notes.append(Note(node.name, False, reason))
        return rewriter.emit(node, op, *sources)
    new = rewriter.new
    gain = by_state((rewriter.named(op.gain, 0.0) * scale).compact(), op.states(new.context))
    stored = new.constant(f"{node.name}.gain", gain.array, gain.axes)
    over = ", ".join(scale.axes) or "all neurons"
    notes.append(Note(node.name, True, f"{source.name} folded into gains over {over}"))
    below = rewriter.value[source.inputs[0]]
    return new.add(replace(op, gain=stored), [below], fuse(source.locs, node.locs), node.name)


def _behind(rewriter: Rewriter, node: Node, op: Affine, notes: list[Note]) -> str:
    """A scale of membranes that nothing else reads."""
    old, (name,) = rewriter.old, rewriter.inputs(node)
    silent, new = rewriter.new[name], rewriter.new
    plain = op.offset is None and op.scale is not None and TIME not in op.scale.axes
    if not plain or not isinstance(silent.op, Neuron) or old.sole_reader(node.inputs[0]) is None:
        return rewriter.emit(node, op, name)
    what = "form" if silent.op.read is None else "read"
    scaled = rewriter.named(getattr(silent.op, what), 0.0) * rewriter.named(op.scale, 1.0)
    form = by_state(scaled.compact(), silent.op.states(new.context))
    stored = new.constant(f"{silent.name}.{what}", form.array, form.axes)
    notes.append(Note(silent.name, True, f"{node.name} folded into what is read out"))
    locs = fuse(silent.locs, node.locs)
    changed = replace(silent.op, form=stored)
    if silent.op.read is not None:
        changed = replace(silent.op, read=stored)
    return new.add(changed, silent.inputs, locs, silent.name)
