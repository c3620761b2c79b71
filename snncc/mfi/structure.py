"""What passes can do around one node of a traced or spiking graph, without doing it.

Every answer is a reason why not, or "" where it can be done; the conditions are those of
`PushProjectionsToSpikes`, `FoldBatchnormIntoWeights` and `FoldBatchnormIntoThresholds`
(tests hold the two sides against each other).
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from snncc.ir import TIME, Array, Graph, Node, Op, Param
from snncc.ir import traced_ops as traced
from snncc.ir.projections import Concat, Contract, Convolve, Sum
from snncc.ir.spiking_ops import Affine, Population
from snncc.mfi.compositions import windows_compose
from snncc.mfi.domains import Domain, Values

Contraction = traced.Linear | traced.Mean | traced.Total | Contract
Convolution = traced.Conv | Convolve
CONTRACTIONS = (traced.Linear, traced.Mean, traced.Total, Contract)
CONVOLUTIONS = (traced.Conv, Convolve)
MAPS = (*CONTRACTIONS, *CONVOLUTIONS)
AFFINES = (traced.BatchNorm, traced.Scale, Affine)
SUMS = (traced.Add, Sum)
CONCATS = (traced.TracedConcat, Concat)
MOVES = (traced.Rearrange, traced.Repeat)
NEURONS = (traced.Lif, Population)
GROWTH = 4
"""A composition may hold at most so many times the weights of its two parts."""


@dataclass(frozen=True)
class Structure:
    """A graph, the domains of its values, and who reads what (filled as it is asked for)."""

    graph: Graph
    domains: Mapping[str, Domain]
    _live: dict[str, tuple[Node, ...]] = field(default_factory=dict[str, tuple[Node, ...]])

    def source(self, name: str) -> Node:
        """The node that made a value's elements, whatever moved them since."""
        node = self.graph[name]
        while isinstance(node.op, MOVES):
            node = self.graph[node.inputs[0]]
        return node

    def activation(self, name: str) -> Node:
        """The nearest node that made a value real, going back from a reader of it."""
        node = self.source(name)
        while isinstance(node.op, (*MAPS, *AFFINES, *SUMS, *CONCATS)):
            real = [n for n in node.inputs if self.domains[n].values is Values.REAL]
            if not real:
                return node
            node = self.source(real[-1])
        return node

    def live_readers(self, name: str) -> tuple[Node, ...]:
        """Who still reads a value once every linear map reads spikes instead."""
        if name not in self._live:
            self._live[name] = self._find_live(name)
        return self._live[name]

    def _find_live(self, name: str) -> tuple[Node, ...]:
        found: dict[str, Node] = {}
        for reader in self.graph.readers.get(name, ()):
            if isinstance(reader.op, MOVES):
                found.update({n.name: n for n in self.live_readers(reader.name)})
            elif isinstance(reader.op, (*AFFINES, *SUMS, *CONCATS)):
                if self.live_readers(reader.name) or self.is_output(reader.name):
                    found[reader.name] = reader
            elif not isinstance(reader.op, MAPS):
                found[reader.name] = reader
        return tuple(found.values())

    def is_output(self, name: str) -> bool:
        """Whether the network answers with this value, perhaps moved."""
        return self.source(self.graph.output).name == self.source(name).name

    # A constant factor: where can it go?

    def absorbed(self, node: Node, axes: tuple[str, ...]) -> str:
        """Why the readers of a scaled value cannot take the factor into constants of theirs."""
        readers = self._past_steps(node.name) if TIME not in axes else self.live_readers(node.name)
        others = [r for r in readers if not isinstance(r.op, NEURONS)]
        if others:
            return f"the scaled value meets others in {others[0].name} ({others[0].op.mnemonic})"
        if readers and TIME in axes:
            return "it differs from step to step"
        if self.is_output(node.name) and axes:
            return "it is part of the network's answer"
        return ""

    def _past_steps(self, name: str) -> tuple[Node, ...]:
        """Readers of a value; a scale that is one number a step lets a factor pass behind it."""
        found: list[Node] = []
        for reader in self.live_readers(name):
            affine = isinstance(reader.op, AFFINES)
            passes = affine and set(factor_of(self.graph, reader)[0]) <= {TIME}
            found += self._past_steps(reader.name) if passes else (reader,)
        return tuple(found)

    def into_weights(self, name: str, axes: tuple[str, ...], *, shared: bool = True) -> str:
        """Why a factor over `axes` of a value cannot move into the weights that made it.

        Args:
            name: the value.
            axes: along which the factor varies.
            shared: whether other readers matter; a composed map is a copy of its own.
        """
        readers = self.live_readers(self.source(name).name)
        if shared and len(readers) + self.is_output(name) > 1:
            return "the current has another reader"
        node = self.source(name)
        if self.domains[node.name].binary and not isinstance(node.op, AFFINES):
            return _outside(axes, (), "bare spike") if axes else ""
        op = node.op
        match op:
            case traced.Linear(out=out):
                return _outside(axes, out, "linear map")
            case Contract(out=out, shared=kept):
                return _outside(axes, (*out, *kept), "linear map")
            case traced.Conv(out_channel=channel) | Convolve(out_channel=channel):
                return _outside(axes, (channel,), "convolution")
            case traced.Mean() | traced.Total():
                if self.domains[node.inputs[0]].discrete:
                    return _outside(axes, (), "mean")
                return self.into_weights(node.inputs[0], axes, shared=False)
            case _ if isinstance(op, SUMS):
                return self._first(((name, axes) for name in node.inputs), shared)
            case traced.TracedConcat(along=along, out=out) | Concat(along=along, out=out):
                parts = zip(node.inputs, along, strict=True)
                renamed = ((n, tuple(a if x == out else x for x in axes)) for n, a in parts)
                return self._first(renamed, shared)
            case _ if isinstance(op, AFFINES):
                if self.domains[node.inputs[0]].binary:
                    own, _ = factor_of(self.graph, node)
                    return _outside(axes, own, "scaled spike")
                return self.into_weights(node.inputs[0], axes, shared=shared)
            case _ if self.domains[node.name].values is Values.PIXEL:
                return "it scales the input itself"
            case _:
                return f"{node.name} ({called(node)}) stands before it"

    def _first(self, parts: Iterable[tuple[str, tuple[str, ...]]], shared: bool) -> str:
        reasons = (self.into_weights(name, axes, shared=shared) for name, axes in parts)
        return next((reason for reason in reasons if reason), "")

    # A linear map: can it read spikes?

    def reads_spikes(self, op: Op, name: str, path: list[str]) -> str:
        """Why a linear map of a value cannot become maps of spikes or pixels.

        Args:
            op: the map.
            name: what it reads.
            path: takes down what the map is pushed through.
        """
        node = self.source(name)
        if node.name in path:
            return ""
        domain, inner = self.domains[node.name], node.op
        if isinstance(inner, SUMS):
            wide = {n for n in node.type.names if n != TIME}
            if any({n for n in self.graph[i].type.names if n != TIME} != wide for i in node.inputs):
                return f"a value is broadcast in {node.name} before it"
        elif isinstance(inner, CONCATS):
            reason = _cuts_across(op, inner)
            if reason:
                return reason
        elif isinstance(inner, AFFINES):
            axes, _ = factor_of(self.graph, node)
            if isinstance(op, CONVOLUTIONS) and not set(axes) <= {op.channel}:
                return f"{node.name} scales its input along {', '.join(axes)}"
        elif isinstance(inner, MAPS):
            reason = self._composes(op, node)
            if reason:
                return reason
        elif domain.binary or domain.values is Values.PIXEL:
            return ""
        else:
            return f"its input comes from {node.name} ({called(node)})"
        path.append(node.name)
        reasons = (self.reads_spikes(op, source, path) for source in node.inputs)
        return next((reason for reason in reasons if reason), "")

    def _composes(self, op: Op, node: Node) -> str:
        """Why a map after the map of a node is not one map, "" where it is."""
        inner = node.op
        if isinstance(op, CONVOLUTIONS) or isinstance(inner, CONVOLUTIONS):
            reason = windows_compose(self.graph, op, node)
            return f"{node.name} stands before it without a neuron between; {reason}" * bool(reason)
        outer = _weights(self.graph, op, "out:", "mid:")
        inside = _weights(self.graph, inner, "mid:", "in:")
        read = {name for name in outer if name.startswith("mid:")}
        joined = math.prod(n for k, n in {**inside, **outer}.items() if k not in read)
        parts = math.prod(outer.values()) + math.prod(inside.values())
        if joined > GROWTH * parts:
            return f"composed with {node.name} it would be a map of {joined} weights"
        return ""


def factor_of(graph: Graph, node: Node) -> tuple[tuple[str, ...], Array]:
    """The factor of an affine op: the axes along which it varies, and its values, flat."""
    match node.op:
        case traced.BatchNorm(var=var, weight=weight, eps=eps):
            gamma = 1.0 if weight is None else graph.constants[weight.name]
            values: Array = np.asarray(gamma / np.sqrt(graph.constants[var.name] + eps))
            return _varying(var, values)
        case traced.Scale(scale=Param() as scale) | Affine(scale=Param() as scale):
            return _varying(scale, graph.constants[scale.name])
        case _:
            return (), np.ones(1)


def offset_of(graph: Graph, node: Node) -> Array:
    """The offset of an affine op, flat; of a BatchNorm as long as its factor."""
    match node.op:
        case traced.BatchNorm(mean=mean, bias=bias):
            _, factor = factor_of(graph, node)
            beta = 0.0 if bias is None else graph.constants[bias.name].reshape(-1)
            values: Array = beta - factor * graph.constants[mean.name].reshape(-1)
            return values
        case traced.Scale(offset=Param() as offset) | Affine(offset=Param() as offset):
            return graph.constants[offset.name].reshape(-1)
        case _:
            return np.zeros(1)


def aligned(op: Op) -> bool:
    """Whether factor and offset of an affine op lie over the same axes in the same order."""
    match op:
        case traced.BatchNorm():
            return True
        case traced.Scale(scale=Param() as scale, offset=Param() as offset):
            return scale.axes == offset.axes
        case Affine(scale=Param() as scale, offset=Param() as offset):
            return scale.axes == offset.axes
        case _:
            return False


def _varying(param: Param, values: Array) -> tuple[tuple[str, ...], Array]:
    axes = tuple(
        name
        for at, name in enumerate(param.axes)
        if not (values == values.take([0], axis=at)).all()
    )
    return axes, values.reshape(-1)


def _outside(axes: tuple[str, ...], allowed: tuple[str, ...], what: str) -> str:
    foreign = [n for n in axes if n not in allowed]
    if not foreign:
        return ""
    own = ", ".join(allowed) or "not weighted"
    return f"it runs over {', '.join(foreign)}, which the {what} carries; its output is {own}"


def _cuts_across(op: Op, cat: Op) -> str:
    """Why a map cannot be split over the parts of a concat."""
    if not isinstance(op, CONVOLUTIONS) or not isinstance(cat, traced.TracedConcat | Concat):
        return ""
    if cat.out in (op.height, op.width):
        return "its input is concatenated along height or width"
    if cat.out == op.channel and op.groups > 1:
        return "a grouped convolution reads concatenated channels"
    return ""


def _weights(graph: Graph, op: Op, outputs: str, inputs: str) -> dict[str, int]:
    """Axes of a contraction's weight under prefixed names, and their lengths."""
    match op:
        case traced.Linear(weight=weight, into=into) | Contract(weight=weight, into=into):
            sizes = list(zip(weight.axes, graph.constants[weight.name].shape, strict=True))
            first = len(sizes) - len(into)
            return {
                **{outputs + name: size for name, size in sizes[:first]},
                **{inputs + name: size for name, size in sizes[first:]},
            }
        case _:
            return {}


def called(node: Node) -> str:
    """The op's mnemonic, or the name of a function that no pass lowers."""
    op = node.op
    return op.function.partition(":")[0] if isinstance(op, traced.Foreign) else op.mnemonic
