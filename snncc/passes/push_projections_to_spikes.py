"""Every projection reads spikes or counts: linear maps are pushed through what stands between."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snncc.diagnostics import Finding
from snncc.ir import Graph, Kind, Node
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.moves import ZEROS, Take
from snncc.ir.dialects.neurons import Neuron
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Sum
from snncc.ir.dialects.spiking import Affine, Opaque
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.types import TIME
from snncc.passes.compose_maps import compose
from snncc.passes.counts_of_spikes import CountsOfSpikes
from snncc.passes.dense_map import DenseMap, NotComposable, scattered
from snncc.passes.named import Named
from snncc.passes.pipeline import Note, PassResult
from snncc.passes.rewriter import Rewriter
from snncc.semantics.arrays import convolve

MOST_COPIES = 64
"""Outputs of a map behind a gate, at most: what passes is mapped for each of them."""

ROOM = 1 << 20
"""Weights that such a map may have, where the maps that it is made of are far smaller."""


@dataclass(frozen=True)
class PushProjectionsToSpikes:
    """W(a*x + d) = (W*a)x + Wd; W(x1 + x2) = Wx1 + Wx2; W[x1; x2] = W1 x1 + W2 x2; W(Vx) = (WV)x.

    Of what a spike s lets pass W(s x) is the sum of s (Wx), a product.

    After it the input's normalisation sits in the first projection (with a bias of its own for
    every border position), a BatchNorm on spikes and a mean over space in the readout's, sums of
    spikes are counts that one projection reads, and concatenated spikes are several projections.

    Attributes:
        counts: whether a projection may read counts; otherwise it is distributed over the spikes
            that are added, with the same weights for each.
    """

    name: ClassVar[str] = "push_projections_to_spikes"
    counts: bool = True

    def run(self, graph: Graph) -> PassResult:
        """Pushes; every projection that still reads a real current is refused (SNN030)."""
        rewriter = Rewriter(graph)
        counts = CountsOfSpikes(rewriter) if self.counts else None
        held: set[str] = set()
        findings: list[Finding] = []
        notes: list[Note] = []
        for node in graph.nodes:
            sources = rewriter.inputs(node)
            if not isinstance(node.op, Contract | Convolve):
                rewriter.value[node.name] = rewriter.emit(node, node.op, *sources)
                continue
            push = _Push(rewriter, node, held, counts)
            try:
                rewriter.value[node.name] = push.apply(node.op, sources[0])
            except NotComposable as error:
                refused = not isinstance(error, BehindRefused)
                source = rewriter.new[sources[0]]
                if refused and isinstance(node.op, Contract) and _adds_places(node.op, source):
                    rewriter.value[node.name] = _added_up(rewriter, node, node.op, sources[0])
                    notes.append(Note(node.name, True, f"added up as it stands: {error}"))
                    continue
                findings += [_real_current(node, str(error))] if refused else []
                notes.append(Note(node.name, False, str(error), refused=refused))
                rewriter.value[node.name] = rewriter.emit(node, node.op, *sources)
                held.add(rewriter.value[node.name])
                continue
            if push.through:
                through = " and ".join(dict.fromkeys(push.through))
                names = tuple(dict.fromkeys(push.passed))
                notes.append(Note(node.name, True, f"pushed through {through}", names))
        return PassResult(rewriter.finish(), tuple(notes), tuple(findings))


def _adds_places(op: Contract, source: Node) -> bool:
    """Whether a map only adds a current up along axes, times one number."""
    plain = bool(op.summed) and not (op.into or op.out or op.shared)
    return plain and source.type.kind is Kind.CURRENT and not isinstance(source.op, Opaque)


def _added_up(rewriter: Rewriter, site: Node, op: Contract, source: str) -> str:
    """The sum of currents, and its share as a scale, which thresholds behind it take."""
    total = rewriter.emit(site, SumAlong(op.summed), source, name=f"{site.name}.total")
    return rewriter.emit(site, Affine(scale=op.weight), total)


class BehindRefused(NotComposable):
    """What a map reads is refused already, and its finding says it all."""


def _real_current(node: Node, reason: str) -> Finding:
    return Finding(
        "SNN030",
        "a linear map reads real-valued currents, not spikes",
        node.loc,
        why=reason,
        help="put a spiking neuron before it, or compose the two maps in the model",
    )


class _Push:
    """One projection on its way to the spikes."""

    def __init__(
        self, rewriter: Rewriter, site: Node, held: set[str], counts: CountsOfSpikes | None
    ) -> None:
        self.rewriter = rewriter
        self.held = held
        self.counts = counts
        self.new = rewriter.new
        self.site = site
        self.through: list[str] = []
        self.passed: list[str] = []
        self.room = 0

    def apply(self, op: Contract | Convolve, source: str) -> str:
        """The new name of op(source).

        Raises:
            NotComposable: a real current stays in between.
        """
        node = self.new[source]
        if isinstance(node.op, Concat):
            return self.concat(op, node, node.op)
        if node.type.domain is not None:
            return self.rewriter.emit(self.site, op, source)
        self.through.append(node.op.mnemonic)
        self.passed.append(source)
        count = None if self.counts is None else self.counts.of(source)
        if count is not None:
            return self.rewriter.emit(self.site, op, count)
        match node.op:
            case Affine():
                return self.affine(op, node, node.op)
            case Sum():
                return self.sum([self.apply(op, self.spread(s, node)) for s in node.inputs])
            case Contract() | Convolve():
                composed = self.compose(op, node.op, node)
                if source in self.held:
                    raise BehindRefused(f"{source} before it reads real-valued currents itself")
                return self.apply(composed, node.inputs[0])
            case Take():
                return self.take(op, node, node.op)
            case Gate() if isinstance(op, Contract):
                return self.gate(op, node, node.op)
            case Neuron() if isinstance(op, Contract) and _scales(op, set(node.type.names)):
                return self.read_out(op, source)
            case Opaque(function=function):
                raise BehindRefused(f"its input comes from {source} ({function.partition(':')[0]})")
            case _:
                raise NotComposable(f"its input comes from %{source}, a {node.op.mnemonic}")

    def read_out(self, op: Contract, source: str) -> str:
        """Membranes that are only scaled, as by a mean over time, keep their scale."""
        scale = self.rewriter.named(op.weight, 1.0).compact()
        if not scale.axes and float(scale.array) == 1.0:
            return source
        stored = scale.store(self.new, op.weight.name)
        return self.rewriter.emit(self.site, Affine(scale=stored), source)

    def gate(self, op: Contract, node: Node, gate: Gate) -> str:
        """W (s x) = sum over what W adds up of s (W x): what passes is mapped for every output.

        A map that adds nothing up stays before the gate.
        """
        bit, passing = (self.new[name] for name in node.inputs)
        gone, scale = {*op.into, *op.summed}, _scales(op, set(passing.type.names))
        if scale:
            return self.rewriter.emit(self.site, gate, bit.name, self.apply(op, passing.name))
        weight = self.rewriter.array(op.weight)
        lead, outs = len(op.shared), len(op.out)
        count = int(np.prod(weight.shape[lead : lead + outs]))
        apart = set(op.out).isdisjoint((*bit.type.names, *passing.type.names))
        if not gone <= {*bit.type.names} & {*passing.type.names} or not apart:
            raise NotComposable(f"what %{node.name} lets pass is not added up as spikes select it")
        if not gone or count > MOST_COPIES:
            raise NotComposable(f"it would need {count} copies of the map before %{node.name}")
        order = (*op.shared, *op.into, *op.out)
        named = Named((*op.shared, *(f"out {n}" for n in op.out), *op.into), weight)
        moved = named.over((*op.shared, *op.into, *(f"out {n}" for n in op.out)))
        stored = self.new.constant(op.weight.name, moved, order)
        wide = Contract(stored, (), op.out, (*op.shared, *op.into))
        self.room, before = ROOM, self.room
        mapped = self.apply(wide, passing.name)
        self.room = before
        summed = (*op.into, *op.summed)
        return self.rewriter.emit(self.site, Product(summed, gate.inverted), bit.name, mapped)

    def take(self, op: Contract | Convolve, node: Node, take: Take) -> str:
        """Weights of what is taken become weights of what it is taken from; the rest waits."""
        source, kept = self.new[node.inputs[0]].type, list[int]()
        for at, (axis, name) in enumerate(zip(take.axes, take.out, strict=True)):
            index = take.index(at)
            if isinstance(op, Contract):
                if name in (*op.shared, *op.summed):
                    raise NotComposable(f"it adds up or tells apart what {node.name} takes")
                if name in op.into:
                    dense = DenseMap.read(op, self.new).taken(name, axis, index, source.size(axis))
                    op = dense.op(self.new, op.weight.name)
                else:
                    kept.append(at)
            elif name == op.channel and op.groups == 1:
                weight = scattered(self.rewriter.array(op.weight), -3, index, source.size(axis))
                stored = self.new.constant(op.weight.name, weight, op.weight.axes)
                op = replace(op, weight=stored, channel=axis)
            else:
                op = _padded(op, name, axis, take.runs[at], source.size(axis), node)
        mapped = self.apply(op, node.inputs[0])
        if not kept:
            return mapped
        axes, out = (tuple(names[at] for at in kept) for names in (take.axes, take.out))
        rest = Take(axes, out, tuple(take.runs[at] for at in kept))
        return self.rewriter.emit(self.site, rest, mapped)

    def spread(self, source: str, total: Node) -> str:
        """One source of a sum, refused when the sum broadcasts it."""
        names = {n for n in total.type.names if n != TIME}
        if names != {n for n in self.new[source].type.names if n != TIME}:
            raise NotComposable(f"%{source} is broadcast in a sum before it")
        return source

    def sum(self, parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else self.rewriter.emit(self.site, Sum(), *parts)

    def concat(self, op: Contract | Convolve, node: Node, cat: Concat) -> str:
        """Slices the weight, or keeps the concat behind the maps when its axis is carried."""
        self.through.append("concat")
        self.passed.append(node.name)
        gone = op.into + op.summed if isinstance(op, Contract) else (op.channel,)
        if isinstance(op, Convolve) and cat.out in (op.height, op.width):
            raise NotComposable("its input is concatenated along height or width")
        if isinstance(op, Convolve) and cat.out == op.channel and op.groups > 1:
            raise NotComposable("a grouped convolution reads concatenated channels")
        parts: list[str] = []
        start = 0
        for source, along in zip(node.inputs, cat.along, strict=True):
            stop = start + self.new[source].type.size(along)
            parts.append(self.apply(self.part(op, cat.out, start, stop, along), source))
            start = stop
        if cat.out in gone:
            return self.sum(parts)
        return self.rewriter.emit(self.site, Concat(cat.along, cat.out), *parts)

    def part(
        self, op: Contract | Convolve, axis: str, start: int, stop: int, name: str
    ) -> Contract | Convolve:
        if isinstance(op, Contract):
            dense = DenseMap.read(op, self.new).part(axis, start, stop, name)
            return dense.op(self.new, op.weight.name)
        if axis != op.channel:
            return op
        array = self.rewriter.array(op.weight)[..., start:stop, :, :]
        weight = self.new.constant(op.weight.name, array, op.weight.axes)
        return replace(op, weight=weight, channel=name)

    def affine(self, op: Contract | Convolve, node: Node, affine: Affine) -> str:
        """Gives op(scale * x + offset) as one map and a new offset."""
        source = self.new[node.inputs[0]].type
        scale = self.rewriter.named(affine.scale, 1.0)
        offset = self.rewriter.named(affine.offset, 0.0)
        if isinstance(op, Contract):
            dense = DenseMap.read(op, self.new)
            bias = dense.of_constant(offset, source)
            inner: Contract | Convolve = dense.scaled_source(scale, source).op(
                self.new, op.weight.name
            )
        else:
            bias = self.border_bias(op, offset, node)
            inner = self.scaled_channels(op, scale)
        mapped = self.apply(inner, node.inputs[0])
        if affine.offset is None:
            return mapped
        stored = bias.store(self.new, f"{self.site.name}.offset")
        return self.rewriter.emit(self.site, Affine(offset=stored), mapped)

    def scaled_channels(self, op: Convolve, scale: Named) -> Convolve:
        if not set(scale.axes) <= {op.channel, TIME}:
            raise NotComposable(f"its input is scaled along {scale.axes}, not along its channels")
        weight = np.asarray(self.rewriter.array(op.weight), np.float64)
        outputs, inputs = weight.shape[-4:-2]
        banked = op.banks or TIME in scale.axes
        over = scale.over((TIME, op.channel)) if banked else scale.over((op.channel,))
        per_channel = np.broadcast_to(over, (*over.shape[:-1], inputs * op.groups))
        by_group = per_channel.reshape(*over.shape[:-1], op.groups, inputs)
        rows = np.repeat(by_group, outputs // op.groups, axis=-2)[..., None, None]
        axes = (TIME, *op.weight.axes) if banked and not op.banks else op.weight.axes
        return replace(op, weight=self.new.constant(op.weight.name, weight * rows, axes))

    def border_bias(self, op: Convolve, offset: Named, node: Node) -> Named:
        """What a constant input adds at every position: less where zero padding is met."""
        axes = (op.height, op.width, op.channel)
        if op.banks:
            raise NotComposable("a constant is added before a convolution with weights by step")
        if not set(offset.axes) <= set(axes):
            raise NotComposable(f"its input has an offset along {offset.axes}")
        shape = tuple(node.type.size(n) for n in axes)
        image = np.broadcast_to(offset.over(axes), shape)[None]
        weight = np.asarray(self.rewriter.array(op.weight), np.float64)
        result = convolve(image, weight, op.stride, op.padding, op.dilation, op.groups)[0]
        return Named((op.out_height, op.out_width, op.out_channel), result)

    def compose(
        self, op: Contract | Convolve, inner: Contract | Convolve, node: Node
    ) -> Contract | Convolve:
        """One map that does op after inner; a mere scale leaves a convolution its form."""
        if isinstance(op, Convolve) and _scales(inner, {op.channel, TIME}):
            return self.scaled_channels(op, self.rewriter.named(inner.weight, 1.0))
        if isinstance(inner, Convolve) and not inner.banks and _scales(op, {inner.out_channel}):
            scale = self.rewriter.named(op.weight, 1.0)
            axes = (inner.out_channel, "in", "kh", "kw")
            weight = Named(axes, self.rewriter.array(inner.weight)) * scale
            stored = self.new.constant(inner.weight.name, weight.array, inner.weight.axes)
            return replace(inner, weight=stored)
        if self.room and isinstance(op, Contract) and isinstance(inner, Contract):
            outer, first = (DenseMap.read(each, self.new) for each in (op, inner))
            return outer.after(first, self.room).op(self.new, op.weight.name)
        return compose(op, inner, node, self.new)


def _padded(
    op: Convolve, name: str, axis: str, runs: tuple[int, ...], size: int, node: Node
) -> Convolve:
    """Zeros on both sides along height or width are the convolution's own padding."""
    both = len(runs) == 9 and runs[0] == runs[6] == ZEROS and runs[2] == runs[8]
    if name not in (op.height, op.width) or not both or runs[3:6] != (0, 1, size):
        raise NotComposable(f"{node.name} before it moves what it reads in groups or along places")
    at = (op.height, op.width).index(name)
    padding = tuple(p + runs[2] if i == at else p for i, p in enumerate(op.padding))
    height, width = (axis if n == name else n for n in (op.height, op.width))
    return replace(op, height=height, width=width, padding=(padding[0], padding[1]))


def _scales(op: Contract | Convolve, axes: set[str]) -> bool:
    """Whether a map only multiplies, by numbers over some of these axes."""
    plain = isinstance(op, Contract) and not (op.into or op.out or op.summed)
    return plain and isinstance(op, Contract) and set(op.shared) <= axes
