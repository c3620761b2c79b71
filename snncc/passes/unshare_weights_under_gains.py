"""The strict alternative to a gain: one copy of the weights for every token, or every step."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snncc.ir import TIME, Graph, Node, fuse
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Sum
from snncc.ir.dialects.spiking import Affine
from snncc.passes.dense_map import DenseMap
from snncc.passes.named import Named
from snncc.passes.pipeline import Note, PassResult
from snncc.passes.rewriter import Rewriter, rewrite


@dataclass(frozen=True)
class UnshareWeightsUnderGains:
    """a_n * (W s)_n = (a_n W) s for every n: the map's weight gets the scale's axes.

    It costs as many times the weights as there are tokens; hardware without weight sharing stores
    them anyway. A scale over the time axis gives a bank of weights for every step. Only for a map
    that nobody else reads; a convolution can be unshared over steps alone.
    """

    name: ClassVar[str] = "unshare_weights_under_gains"

    def run(self, graph: Graph) -> PassResult:
        """Unshares; a site that keeps its gain says why."""
        return rewrite(graph, _visit)


class Shared(ValueError):
    """Why a scale stays outside the weights."""


def _visit(rewriter: Rewriter, node: Node, notes: list[Note]) -> str:
    if not isinstance(node.op, Affine) or node.op.scale is None:
        return rewriter.emit(node, node.op, *rewriter.inputs(node))
    scale = rewriter.named(node.op.scale, 1.0)
    try:
        unshared = scaled_current(rewriter, node, node.inputs[0], scale)
    except Shared as reason:
        notes.append(Note(node.name, False, str(reason)))
        return rewriter.emit(node, node.op, *rewriter.inputs(node))
    notes.append(Note(node.name, True, f"weights unshared over {', '.join(scale.axes)}"))
    return unshared


def scaled_current(rewriter: Rewriter, site: Node, name: str, scale: Named) -> str:
    """New name of scale * value; a sum of maps is scaled map by map.

    Raises:
        Shared: the value is no map, or has another reader.
    """
    if rewriter.old.sole_reader(name) is None:
        raise Shared("others read the same current")
    new, old = rewriter.new, rewriter.old[name]
    source = new[rewriter.value[name]]
    locs = fuse(source.locs, site.locs)
    if not set(scale.axes) <= {TIME, *source.type.names}:
        raise Shared(f"a {source.op.mnemonic} does not lie over {', '.join(scale.axes)}")
    if isinstance(source.op, Contract):
        op = DenseMap.read(source.op, new).scaled_result(scale).op(new, source.op.weight.name)
        return new.add(op, source.inputs, locs, name)
    if isinstance(source.op, Convolve) and set(scale.axes) <= {TIME, source.op.out_channel}:
        return new.add(_banks(rewriter, source.op, scale), source.inputs, locs, name)
    if isinstance(source.op, Sum) and isinstance(old.op, Sum):
        parts = [scaled_current(rewriter, site, part, scale) for part in old.inputs]
        return new.add(Sum(), parts, locs, name)
    if isinstance(source.op, Concat) and isinstance(old.op, Concat):
        return new.add(source.op, _parts(rewriter, site, old, old.op, scale), locs, name)
    raise Shared(f"a {source.op.mnemonic} cannot be unshared over {', '.join(scale.axes)}")


def _parts(rewriter: Rewriter, site: Node, old: Node, op: Concat, scale: Named) -> list[str]:
    """Every part of a concat with its own part of the scale."""
    start, parts = 0, list[str]()
    for name, axis in zip(old.inputs, op.along, strict=True):
        stop = start + rewriter.old[name].type.size(axis)
        own = scale.take(op.out, start, stop).renamed(op.out, axis)
        parts.append(scaled_current(rewriter, site, name, own))
        start = stop
    return parts


def _banks(rewriter: Rewriter, op: Convolve, scale: Named) -> Convolve:
    """The convolution with scaled weights, one bank for every step if the scale has steps."""
    weight = np.asarray(rewriter.array(op.weight), np.float64)
    rows = scale.over((TIME, op.out_channel))[..., None, None, None]
    if TIME not in scale.axes:
        param = rewriter.new.constant(op.weight.name, weight * rows[0], op.weight.axes)
        return replace(op, weight=param)
    axes = op.weight.axes if op.banks else (TIME, *op.weight.axes)
    return replace(op, weight=rewriter.new.constant(op.weight.name, weight * rows, axes))
