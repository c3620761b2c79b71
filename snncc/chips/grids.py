"""Elements of values as flat numbers, in the order of their axes without time."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from snncc.chips.synapses import NONE, Synapses
from snncc.ir import TIME, Graph, Node
from snncc.ir.arrays import align
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.projections import Concat, Contract, Convolve

Ints = NDArray[np.int64]


def axes_of(node: Node) -> dict[str, int]:
    """Lengths of a value's axes at one step, in order."""
    return {axis.name: axis.size for axis in node.type.axes if axis.name != TIME}


def strides(sizes: Mapping[str, int]) -> dict[str, int]:
    """How far apart neighbours along an axis are."""
    names = [*sizes]
    return {n: math.prod(sizes[m] for m in names[at + 1 :]) for at, n in enumerate(names)}


def _grid(names: Sequence[str], sizes: Mapping[str, int], steps: Mapping[str, int]) -> Ints:
    """The flat place of every element over some axes, the others at 0; [elements]."""
    flat = np.zeros(1, np.int64)
    for name in names:
        along = np.arange(sizes[name], dtype=np.int64) * steps.get(name, 0)
        flat = (flat[:, None] + along[None, :]).ravel()
    return flat


def contraction(graph: Graph, node: Node, op: Contract) -> Synapses:
    """All entries of a contraction's map with a weight that is not 0."""
    source = graph[node.inputs[0]]
    ins, outs = axes_of(source), axes_of(node)
    step_in, step_out = strides(ins), strides(outs)
    weight = np.atleast_1d(graph.constants[op.weight.name].astype(np.int64))
    found = np.nonzero(weight)  # a single number has one axis here, and no role
    shared, out = len(op.shared), len(op.out)
    columns = np.zeros(len(found[0]), np.int64)
    rows = columns.copy()
    for at, name in enumerate(op.shared):
        columns, rows = columns + found[at] * step_in[name], rows + found[at] * step_out[name]
    for at, name in enumerate(op.out, shared):
        rows = rows + found[at] * step_out[name]
    for at, name in enumerate(op.into, shared + out):
        columns = columns + found[at] * step_in[name]
    carried = [n for n in ins if n not in (*op.into, *op.summed, *op.shared)]
    column = columns[:, None, None] + _grid(carried, ins, step_in)[None, :, None]
    column = column + _grid(op.summed, ins, step_in)[None, None, :]
    row = rows[:, None, None] + _grid(carried, ins, step_out)[None, :, None]
    weights = np.broadcast_to(weight[found][:, None, None], column.shape)
    shape = node.type.neurons, source.type.neurons
    return Synapses(
        np.broadcast_to(row, column.shape).ravel(), column.ravel(), weights.ravel(), shape
    )


def convolution(graph: Graph, node: Node, op: Convolve) -> Synapses:
    """All entries of a convolution's map inside of the image, with a weight that is not 0."""
    source = graph[node.inputs[0]]
    ins, outs = axes_of(source), axes_of(node)
    step_in, step_out = strides(ins), strides(outs)
    weight = graph.constants[op.weight.name].astype(np.int64)
    o, c, p, q = np.nonzero(weight)
    per_group = weight.shape[0] // op.groups
    channel = o // per_group * weight.shape[1] + c
    y, x = np.arange(outs[op.out_height]), np.arange(outs[op.out_width])
    top = op.stride[0] * y[None] + (op.dilation[0] * p - op.padding[0])[:, None]
    left = op.stride[1] * x[None] + (op.dilation[1] * q - op.padding[1])[:, None]
    inside = ((top >= 0) & (top < ins[op.height]))[:, :, None]
    inside = inside & ((left >= 0) & (left < ins[op.width]))[:, None, :]
    column = (channel * step_in[op.channel])[:, None, None] + (top * step_in[op.height])[:, :, None]
    column = (column + (left * step_in[op.width])[:, None, :])[inside]
    row = (o * step_out[op.out_channel])[:, None, None] + (y * step_out[op.out_height])[
        None, :, None
    ]
    row = (row + (x * step_out[op.out_width])[None, None, :])[inside]
    values = np.broadcast_to(weight[o, c, p, q][:, None, None], inside.shape)[inside]
    carried = [n for n in ins if n not in (op.channel, op.height, op.width)]
    rows = row[:, None] + _grid(carried, ins, step_out)[None]
    columns = column[:, None] + _grid(carried, ins, step_in)[None]
    weights = np.broadcast_to(values[:, None], rows.shape).ravel()
    return Synapses(
        rows.ravel(), columns.ravel(), weights, (node.type.neurons, source.type.neurons)
    )


def _elements(node: Node) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The flat places of a value's elements, [1, *axes without time], and these axes."""
    sizes = axes_of(node)
    at = np.arange(node.type.neurons, dtype=np.int64)
    return at.reshape(1, *sizes.values()), tuple(sizes)


def spread_index(source: Node, target: Node) -> Ints | None:
    """For each element of a sum that of one source; None where they are the same."""
    if axes_of(source) == axes_of(target) and [*axes_of(source)] == [*axes_of(target)]:
        return None
    at, names = _elements(source)
    sizes = axes_of(target)
    return np.broadcast_to(align(at, names, tuple(sizes))[0], [*sizes.values()]).ravel()


def concat_index(graph: Graph, node: Node, op: Concat, place: int) -> Ints:
    """For each element of a concat that of one source, or `NONE`."""
    lengths = [
        graph[name].type.size(along) for name, along in zip(node.inputs, op.along, strict=True)
    ]
    at, names = _elements(graph[node.inputs[place]])
    renamed = tuple(op.out if name == op.along[place] else name for name in names)
    sizes = axes_of(node)
    found = np.full([*sizes.values()], NONE, np.int64)
    start = sum(lengths[:place])
    part = np.moveaxis(found, [*sizes].index(op.out), 0)[start : start + lengths[place]]
    part[...] = np.moveaxis(align(at, renamed, tuple(sizes))[0], [*sizes].index(op.out), 0)
    return found.ravel()


def take_index(source: Node, op: Take) -> Ints:
    """For each element that is taken that of the source, or `NONE` for a zero."""
    at, names = _elements(source)
    found = at[0]
    for place, name in enumerate(op.axes):
        index, axis = op.index(place), names.index(name)
        chosen = np.take(found, np.maximum(index, 0), axis)
        lead = [1] * chosen.ndim
        lead[axis] = len(index)
        found = np.where((index < 0).reshape(lead), NONE, chosen)
    flat: Ints = found.ravel()
    return flat
