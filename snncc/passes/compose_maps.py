"""Two maps without a neuron between them as one, where one of them is a convolution."""

from dataclasses import replace
from math import gcd

import numpy as np

from snncc.ir import TIME, Array, GraphBuilder, Node, Param
from snncc.ir.dialects.composition import NotOneMap, Window, composed_windows, require_few
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.ir.types import ValueType
from snncc.passes.dense_map import OUT, DenseMap, NotComposable
from snncc.passes.named import Named

_KERNEL = ("out", "in", "kh", "kw")


def compose(
    op: Contract | Convolve, inner: Contract | Convolve, node: Node, builder: GraphBuilder
) -> Contract | Convolve:
    """One map that does `op` after `inner`.

    Args:
        op: the outer map.
        inner: the map whose result it reads.
        node: where `inner` stands.
        builder: holds their weights, and takes the new one.

    Raises:
        NotComposable: it would not be exact, or far larger; says what stands before the outer map.
    """
    if isinstance(op, Contract) and isinstance(inner, Contract):
        outer = DenseMap.read(op, builder)
        return outer.after(DenseMap.read(inner, builder)).op(builder, op.weight.name)
    work = _Composition(builder, node)
    try:
        if isinstance(op, Convolve):
            first = inner if isinstance(inner, Convolve) else work.as_convolution(inner, op)
            return work.convolutions(op, first)
        if not isinstance(inner, Convolve):
            raise TypeError(inner.mnemonic)
        places = {inner.out_height, inner.out_width}
        if not places & {*op.into, *op.summed, *op.shared, *op.out}:
            return work.convolutions(work.behind(op, inner), inner)
        return work.flattened(op, inner)
    except NotOneMap as error:
        raise NotComposable(
            f"{_before(node)} stands before it without a neuron between; {error}"
        ) from error


def _before(node: Node) -> str:
    """What a node of a map is to the user."""
    call = node.locs[0].call if node.locs else ""
    kind = "linear map" if isinstance(node.op, Contract) else "convolution"
    if "pool" in call.lower():
        kind = "pooling"
    return f"the {kind} {call}".rstrip() if call else f"a {kind}"


class _Composition:
    def __init__(self, builder: GraphBuilder, node: Node) -> None:
        self.builder = builder
        self.node = node

    def array(self, param: Param) -> Array:
        return np.asarray(self.builder.context.array(param), np.float64)

    def source(self) -> ValueType:
        return self.builder[self.node.inputs[0]].type

    # A contraction as a convolution with a kernel of one element.

    def as_convolution(self, inner: Contract, op: Convolve) -> Convolve:
        """A linear map over the channels that the convolution `op` reads."""
        if inner.summed or inner.out not in ((op.channel,), ()) or len(inner.into) > 1:
            raise NotOneMap("the first makes more than the second's channels anew")
        shared = tuple(n for n in inner.shared if n != TIME)
        if len(inner.into) != len(inner.out) or not set(shared) <= {op.channel} - {*inner.out}:
            raise NotOneMap(f"the first has weights of its own over {', '.join(inner.shared)}")
        channel = inner.into[0] if inner.into else op.channel
        axes = (*inner.shared, *(OUT + n for n in inner.out), *inner.into)
        weight = Named(axes, self.array(inner.weight))
        return self.pointwise(weight, channel, op.channel, op.height, op.width, bool(inner.into))

    def behind(self, op: Contract, inner: Convolve) -> Convolve:
        """A linear map over the channels that the convolution `inner` makes."""
        channel = inner.out_channel
        if op.summed or op.into not in ((channel,), ()) or len(op.out) != len(op.into):
            raise NotOneMap("the second reads more than the first's channels")
        if not set(op.shared) <= {TIME, channel}:
            raise NotOneMap(f"the second has weights of its own over {', '.join(op.shared)}")
        axes = (*op.shared, *(OUT + n for n in op.out), *op.into)
        out = op.out[0] if op.out else channel
        weight = Named(axes, self.array(op.weight))
        return self.pointwise(
            weight, channel, out, inner.out_height, inner.out_width, bool(op.into)
        )

    def pointwise(
        self, weight: Named, channel: str, out: str, height: str, width: str, mixes: bool
    ) -> Convolve:
        """A convolution of one element; one group for each channel where it does not mix them."""
        lead = (TIME,) if TIME in weight.axes else ()
        if mixes:
            array, groups = weight.over((*lead, OUT + out, channel)), 1
        else:
            size = self.node.type.size(channel)
            over = weight.over((*lead, channel))
            wide = np.broadcast_to(over, (*over.shape[:-1], size))
            array, groups = wide[..., None], size
        kernel = array[..., None, None]
        param = self.builder.constant("pointwise", kernel, (*lead, *_KERNEL))
        return Convolve(param, channel, height, width, out, height, width, groups=groups)

    # Two convolutions.

    def convolutions(self, op: Convolve, inner: Convolve) -> Convolve:
        outer, first = self.array(op.weight), self.array(inner.weight)
        high, wide = composed_windows(op, inner, (outer, first), self.source(), self.node.type)
        weight = _composed(outer, first, op, inner, (high, wide))
        axes = ((TIME,) if weight.ndim > 4 else ()) + _KERNEL
        return replace(
            op,
            weight=self.builder.constant(op.weight.name, weight, axes),
            channel=inner.channel,
            height=inner.height,
            width=inner.width,
            stride=(high.stride, wide.stride),
            padding=(high.padding, wide.padding),
            dilation=(high.dilation, wide.dilation),
            groups=gcd(op.groups, inner.groups),
        )

    # A contraction of what a convolution makes, with its places.

    def flattened(self, op: Contract, inner: Convolve) -> Contract:
        """A linear map that reads or adds up all places: weights of its own for every pixel."""
        gone = {*op.into, *op.summed}
        channel, height, width = inner.out_channel, inner.out_height, inner.out_width
        if not {height, width} <= gone or inner.banks:
            raise NotOneMap("the second reads only a part of the places that the first makes")
        rest = tuple(n for n in op.into if n not in (channel, height, width))
        if rest:
            raise NotOneMap(f"the second also reads {', '.join(rest)}")
        kernel, source, middle = self.array(inner.weight), self.source(), self.node.type
        channels, spatial = (
            middle.size(channel),
            (source.size(inner.height), source.size(inner.width)),
        )
        depthwise = inner.groups == channels == source.size(inner.channel)
        mixes = channel in gone
        keeps = depthwise and not mixes and inner.channel == channel
        shared = tuple(n for n in op.shared if n != channel)
        lead = (*shared, *(OUT + n for n in op.out))
        read = Named((*op.shared, *lead[len(shared) :], *op.into), self.array(op.weight))
        array = read.over((*lead, channel, height, width))
        sizes, rows = array.shape[: len(lead)], int(np.prod(array.shape[: len(lead)]))
        each = channels if keeps else source.size(inner.channel) * (1 if mixes else channels)
        require_few(rows * each * spatial[0] * spatial[1], read.array.size, kernel.size)
        shape = (rows, channels, middle.size(height), middle.size(width))
        outer = np.broadcast_to(array.reshape(rows, *array.shape[len(lead) :]), shape)
        dense = kernel if keeps else _blocks(kernel, inner.groups, 1)[0]
        weight = _adjoint(outer, dense, inner, spatial, mixes=mixes)
        into: tuple[str, ...] = (inner.channel, inner.height, inner.width)
        out, summed = op.out, tuple(n for n in op.summed if n not in (channel, height, width))
        if mixes:
            named = Named((*lead, *into), weight[:, 0].reshape(*sizes, *weight.shape[2:]))
        elif keeps:
            named = Named((*lead, *into), weight[:, :, 0].reshape(*sizes, channels, *spatial))
            shared, into = (*shared, inner.channel), into[1:]
        else:
            axes = (*lead, OUT + channel, *into)
            named = Named(axes, weight.reshape(*sizes, *weight.shape[1:]))
            out = (*out, channel)
        return DenseMap(named, into, out, shared, summed).op(self.builder, op.weight.name)


def _composed(
    outer: Array, first: Array, op: Convolve, inner: Convolve, windows: tuple[Window, Window]
) -> Array:
    """The weight [.., out, in of a group, kernel height, kernel width] of `op` after `inner`."""
    groups = gcd(op.groups, inner.groups)
    second = _blocks(outer, op.groups, groups)
    alone = first.shape[-3] == 1 and inner.groups == first.shape[-4]  # a channel at a time
    before = first[..., 0, :, :].reshape(*first.shape[:-4], groups, -1, *first.shape[-2:])
    before = before if alone else _blocks(first, inner.groups, groups)
    lead = np.broadcast_shapes(outer.shape[:-4], first.shape[:-4])
    outs, ins = second.shape[-4], before.shape[-3]
    result = np.zeros((*lead, groups, outs, ins, *(w.kernel for w in windows)))
    steps = [
        (s * d // w.dilation, e // w.dilation)
        for s, d, e, w in zip(inner.stride, op.dilation, inner.dilation, windows, strict=True)
    ]
    for i in range(second.shape[-2]):
        for j in range(second.shape[-1]):
            tap = second[..., i, j]
            if alone:
                part = tap[..., None, None] * before[..., None, :, :, :]
            else:
                part = np.einsum("...gom,...gmcpq->...gocpq", tap, before, optimize=True)
            result[
                ..., _every(steps[0], i, first.shape[-2]), _every(steps[1], j, first.shape[-1])
            ] += part
    return result.reshape(*lead, groups * outs, ins, *result.shape[-2:])


def _every(step: tuple[int, int], tap: int, kernel: int) -> slice:
    """Where the taps of the inner kernel lie for one tap of the outer one."""
    start, apart = step[0] * tap, max(step[1], 1)
    return slice(start, start + apart * (kernel - 1) + 1, apart)


def _blocks(weight: Array, groups: int, wanted: int) -> Array:
    """A grouped weight as fewer, larger groups: [.., wanted, out, in, kh, kw] with zeros."""
    *lead, outs, ins, rows, columns = weight.shape
    inside = groups // wanted
    parts = weight.reshape(*lead, wanted, inside, outs // groups, ins, rows, columns)
    full = np.zeros((*lead, wanted, inside, outs // groups, inside, ins, rows, columns))
    for i in range(inside):
        full[..., i, :, i, :, :, :] = parts[..., i, :, :, :, :]
    return full.reshape(*lead, wanted, outs // wanted, inside * ins, rows, columns)


def _adjoint(
    outer: Array, kernel: Array, inner: Convolve, spatial: tuple[int, int], *, mixes: bool
) -> Array:
    """What a map of a convolution's result is as a map of its source.

    Args:
        outer: [rows, channels, height, width], the weights of the map.
        kernel: of the convolution: [channels, source channels, height, width].
        inner: the convolution.
        spatial: height and width of its source.
        mixes: whether the map adds up the channels.

    Returns:
        [rows, channel (1 where they are added up), source channel, *spatial].
    """
    outs, ins, height, width = kernel.shape
    (top, left), (down, right) = inner.padding, inner.stride
    extent = [
        max(p + s, st * (n - 1) + d * (k - 1) + 1)
        for p, s, st, n, d, k in zip(
            inner.padding,
            spatial,
            inner.stride,
            outer.shape[2:],
            inner.dilation,
            (height, width),
            strict=True,
        )
    ]
    result = np.zeros((outer.shape[0], 1 if mixes else outs, ins, *extent))
    for i in range(height):
        for j in range(width):
            tap = kernel[:, :, i, j]
            if mixes:
                part = np.einsum("nohw,oc->nchw", outer, tap, optimize=True)[:, None]
            else:
                part = outer[:, :, None] * tap[None, :, :, None, None]
            y, x = i * inner.dilation[0], j * inner.dilation[1]
            rows = slice(y, y + down * (outer.shape[2] - 1) + 1, down)
            columns = slice(x, x + right * (outer.shape[3] - 1) + 1, right)
            result[..., rows, columns] += part
    return result[..., top : top + spatial[0], left : left + spatial[1]]
