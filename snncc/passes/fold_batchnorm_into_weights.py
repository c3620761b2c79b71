"""A scale over a map's own output axis belongs into its weights."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snncc.ir import TIME, Graph, Kind, Node
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Sum
from snncc.ir.dialects.spiking import Affine
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.windows import Largest
from snncc.passes.dense_map import DenseMap
from snncc.passes.named import Named
from snncc.passes.pipeline import Note, PassResult
from snncc.passes.rewriter import Rewriter, rewrite


class NotFoldable(ValueError):
    """Why a scale cannot move into the weights."""


@dataclass(frozen=True)
class FoldBatchnormIntoWeights:
    """X = a*I + d with I = W s: W' = a*W, legal when a lies over output axes of W.

    Any number of currents may meet afterwards, with any sign of a; a = 0 leaves zero weights and
    the offset. The scale moves through sums and concats of currents that nobody else reads. The
    decision is by axis identity, never by length (design law; Mixer-SNN's token-axis norms).
    """

    name: ClassVar[str] = "fold_batchnorm_into_weights"

    def run(self, graph: Graph) -> PassResult:
        """Folds where it is legal; every site that stays says why."""
        return rewrite(graph, _visit)


def _visit(rewriter: Rewriter, node: Node, notes: list[Note]) -> str:
    sources = rewriter.inputs(node)
    if not isinstance(node.op, Affine) or node.op.scale is None:
        return rewriter.emit(node, node.op, *sources)
    scale = rewriter.named(node.op.scale, 1.0)
    try:
        _check_sole_reader(rewriter.old, node.inputs[0])
        folded = _scaled(rewriter, node, node.inputs[0], scale)
    except NotFoldable as reason:
        notes.append(Note(node.name, False, str(reason)))
        return rewriter.emit(node, node.op, *sources)
    over = f" over {', '.join(scale.axes)}" if scale.axes else ""
    notes.append(Note(node.name, True, f"folded into the weights{over}"))
    if node.op.offset is None:
        return folded
    return rewriter.emit(node, Affine(offset=node.op.offset), folded)


def _check_sole_reader(graph: Graph, name: str) -> None:
    if graph.sole_reader(name) is None:
        raise NotFoldable("the current has another reader")


def _scaled(rewriter: Rewriter, site: Node, old_name: str, scale: Named) -> str:
    """New name of scale * value, built from the value's own definition.

    Raises:
        NotFoldable: some map below does not output along the scale's axes.
    """
    old = rewriter.old[old_name]
    new = rewriter.new
    match old.op:
        case Contract(out=out, shared=shared):
            _check_axes(scale, (*out, *shared), "linear map")
            dense = DenseMap.read(old.op, new).scaled_result(scale)
            folded = dense.op(new, old.op.weight.name)
            return new.add(folded, rewriter.inputs(old), (*old.locs, *site.locs), old.name)
        case Convolve(out_channel=channel, weight=weight):
            _check_axes(scale, (channel,), "convolution")
            rows = scale.over((channel,)).reshape(-1, 1, 1, 1)
            array = np.asarray(rewriter.array(weight), np.float64) * rows
            op = replace(old.op, weight=new.constant(weight.name, array, weight.axes))
            return new.add(op, rewriter.inputs(old), (*old.locs, *site.locs), old.name)
        case Sum():
            for name in old.inputs:
                _check_sole_reader(rewriter.old, name)
            parts = [_scaled(rewriter, site, name, scale) for name in old.inputs]
            return new.add(Sum(), parts, (*old.locs, *site.locs), old.name)
        case SumAlong():
            _check_sole_reader(rewriter.old, old.inputs[0])
            value = _scaled(rewriter, site, old.inputs[0], scale)
            return new.add(old.op, [value], (*old.locs, *site.locs), old.name)
        case Affine(scale=inner, offset=offset):
            _check_sole_reader(rewriter.old, old.inputs[0])
            own = rewriter.named(inner, 1.0)
            try:
                value = _scaled(rewriter, site, old.inputs[0], scale * own)
            except NotFoldable:
                if inner is None:
                    raise
                value = _scaled(rewriter, site, old.inputs[0], scale)
                value = new.add(Affine(scale=inner), [value], old.locs, old.name)
            if offset is None:
                return value
            shifted = (scale * rewriter.named(offset, 0.0)).store(new, offset.name)
            return new.add(Affine(offset=shifted), [value], site.locs, old.name)
        case Concat(along=along, out=out):
            start, parts = 0, list[str]()
            for name, axis in zip(old.inputs, along, strict=True):
                _check_sole_reader(rewriter.old, name)
                stop = start + rewriter.old[name].type.size(axis)
                part = scale.take(out, start, stop).renamed(out, axis)
                parts.append(_scaled(rewriter, site, name, part))
                start = stop
            return new.add(old.op, parts, (*old.locs, *site.locs), old.name)
        case Gate():
            gate, passing = old.inputs
            have = set(rewriter.old[passing].type.names)
            if not set(scale.axes) <= have:
                raise NotFoldable(
                    f"it runs over {', '.join(scale.axes)}, of which what passes is alike"
                )
            _check_sole_reader(rewriter.old, passing)
            value = _scaled(rewriter, site, passing, scale)
            parts = [rewriter.value[gate], value]
            return new.add(old.op, parts, (*old.locs, *site.locs), old.name)
        case Product(summed=summed):
            gate, passing = old.inputs
            have = set(rewriter.old[passing].type.names) - set(summed)
            if old.type.kind is not Kind.CURRENT or not set(scale.axes) <= have:
                over = f"over {', '.join(scale.axes)}" if scale.axes else "a count"
                raise NotFoldable(f"it scales what spikes have selected and added up, {over}")
            _check_sole_reader(rewriter.old, passing)
            value = _scaled(rewriter, site, passing, scale)
            parts = [rewriter.value[gate], value]
            return new.add(old.op, parts, (*old.locs, *site.locs), old.name)
        case Take(axes=over, out=made):
            source = rewriter.old[old.inputs[0]].type
            try:
                for at, (axis, name) in enumerate(zip(over, made, strict=True)):
                    scale = scale.scattered(name, axis, old.op.index(at), source.size(axis))
            except ValueError as error:
                raise NotFoldable(str(error)) from error
            _check_sole_reader(rewriter.old, old.inputs[0])
            value = _scaled(rewriter, site, old.inputs[0], scale)
            return new.add(old.op, [value], (*old.locs, *site.locs), old.name)
        case Largest(axes=over, offset=None):
            if set(scale.axes) & set(over):
                raise NotFoldable("it runs over an axis of which the largest element is taken")
            if scale.array.min() < 0.0:
                raise NotFoldable("a negative scale would make the largest the least")
            _check_sole_reader(rewriter.old, old.inputs[0])
            value = _scaled(rewriter, site, old.inputs[0], scale)
            return new.add(old.op, [value], (*old.locs, *site.locs), old.name)
        case _ if old.type.kind is Kind.REAL:
            raise NotFoldable("it scales the input itself")
        case _:
            raise NotFoldable(f"a {old.op.mnemonic} stands before it")


def _check_axes(scale: Named, allowed: tuple[str, ...], what: str) -> None:
    foreign = [n for n in scale.axes if n not in allowed]
    if TIME in foreign:
        raise NotFoldable(f"it differs from step to step and the {what} has one weight for all")
    if foreign:
        raise NotFoldable(
            f"it runs over {', '.join(foreign)}, which the {what} carries; its output is "
            f"{', '.join(allowed) or 'not weighted'}"
        )
