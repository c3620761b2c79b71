"""A spiking graph in float32 tensors with gradients; spikes have a surrogate's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from snncc.backends.torch_tensors.axes import aligned, at_step, ordered, timed
from snncc.ir import SPIKING, TIME, Graph, Node, Param
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.neurons import Neuron
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.dialects.spiking import Affine, Opaque, Population, Readout
from snncc.ir.dialects.step_windows import steps_in
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.windows import Largest
from snncc.meaning import Meaning

WIDTH = 0.5
"""Of the surrogate: half the base of a triangle around the threshold, in units of it."""
Names = tuple[str, ...]


@dataclass(frozen=True)
class At:
    """A node whose value is asked for.

    Attributes:
        graph: spiking dialect.
        node: one of it.
        sources: values of its inputs, [batch, *axes of their types].
        images: float32, [batch, *axes of the image].
        constants: of the graph, float32; those of weights may have gradients.
    """

    graph: Graph
    node: Node
    sources: Sequence[Tensor]
    images: Tensor
    constants: Mapping[str, Tensor]

    @property
    def names(self) -> list[Names]:
        """Axes of every source."""
        return [self.graph[name].type.names for name in self.node.inputs]

    def over(self, param: Param, target: Names) -> Tensor:
        """A constant over the axes of a value, without the batch."""
        return aligned(self.constants[param.name][None], param.axes, target)[0]


VALUE: Meaning[At, Tensor] = Meaning("tuning", SPIKING)


class Spike(torch.autograd.Function):
    """1 where a distance from the threshold is not negative; its gradient is a triangle's."""

    @staticmethod
    def forward(ctx: Any, distance: Tensor) -> Tensor:
        """Whether neurons fire."""
        ctx.save_for_backward(distance)
        return (distance >= 0).to(distance.dtype)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Tensor:
        """The gradient times the triangle's height."""
        distance: Tensor = ctx.saved_tensors[0]
        gradient: Tensor = grad_outputs[0]
        return gradient * torch.clamp(1 - distance.abs() / WIDTH, min=0) / WIDTH


def answers(
    graph: Graph, images: Tensor, constants: Mapping[str, Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    """What the network answers, [batch, ...], and the spikes of its populations.

    Raises:
        SnnccError: SNN040 for every op that tuning has no form for.
    """
    VALUE.require(graph)
    values, spikes = dict[str, Tensor](), dict[str, Tensor]()
    for node in graph.nodes:
        sources = [values[name] for name in node.inputs]
        values[node.name] = VALUE(At(graph, node, sources, images, constants), node)
        if isinstance(node.op, Population):
            spikes[node.name] = values[node.name]
        for name in graph.last_uses.get(node.name, ()):
            del values[name]
    return values[graph.output], spikes


@VALUE.of(Frames)
def frames(at: At, op: Frames) -> Tensor:
    return at.images


@VALUE.of(Contract)
def contract(at: At, op: Contract) -> Tensor:
    """Blocks of weights are batches of a product."""
    x, names = at.sources[0], at.names[0]
    if TIME in op.shared:
        x, names = timed(x, names, at.graph.steps)
    for name in op.summed:
        x = x.sum(dim=1 + names.index(name))
        names = tuple(other for other in names if other != name)
    if not op.into and not op.out:
        return aligned(x, names, at.node.type.names) * at.over(op.weight, at.node.type.names)
    carried = [name for name in names if name not in (*op.shared, *op.into)]
    x = ordered(x, names, (*op.shared, *carried, *op.into))
    lead, rest = 1 + len(op.shared), 1 + len(op.shared) + len(carried)
    sizes, weight = x.shape, at.constants[op.weight.name]
    out = weight.shape[len(op.shared) : len(op.shared) + len(op.out)]
    matrix = weight.reshape(*sizes[1:lead], out.numel(), -1).transpose(-1, -2)
    y = x.reshape(*sizes[:lead], -1, sizes[rest:].numel()) @ matrix
    y = y.reshape(*sizes[:rest], *out)
    return ordered(y, (*op.shared, *carried, *op.out), at.node.type.names)


@VALUE.of(Convolve)
def convolve(at: At, op: Convolve) -> Tensor:
    x, names, weight = at.sources[0], at.names[0], at.constants[op.weight.name]
    if op.banks:
        x, names = timed(x, names, at.graph.steps)
    first = (TIME,) if op.banks else ()
    read = (op.channel, op.height, op.width)
    carried = [name for name in names if name not in (*read, *first)]
    x = ordered(x, names, (*first, *carried, *read))
    lead = (x.shape[0], *x.shape[1 + len(first) : -3])

    def one(part: Tensor, kernel: Tensor) -> Tensor:
        flat = part.reshape(-1, *part.shape[-3:])
        y = conv2d(flat, kernel, None, op.stride, op.padding, op.dilation, op.groups)
        return y.reshape(*lead, *y.shape[1:])

    if op.banks:
        y = torch.stack([one(part, w) for part, w in zip(x.unbind(1), weight, strict=True)], 1)
    else:
        y = one(x, weight)
    have = (*first, *carried, op.out_channel, op.out_height, op.out_width)
    return ordered(y, have, at.node.type.names)


@VALUE.of(Concat)
def concat(at: At, op: Concat) -> Tensor:
    made, parts = at.node.type, list[Tensor]()
    for x, names, along in zip(at.sources, at.names, op.along, strict=True):
        renamed = tuple(op.out if name == along else name for name in names)
        if made.temporal:
            x, renamed = timed(x, renamed, made.size(TIME))
        parts.append(aligned(x, renamed, made.names))
    return torch.cat(parts, 1 + made.names.index(op.out))


@VALUE.of(Sum)
def add(at: At, op: Sum) -> Tensor:
    made = at.node.type.names
    parts = [aligned(x, names, made) for x, names in zip(at.sources, at.names, strict=True)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


@VALUE.of(SumAlong)
def add_along(at: At, op: SumAlong) -> Tensor:
    return at.sources[0].sum(dim=[1 + at.names[0].index(name) for name in op.summed])


@VALUE.of(Affine)
def affine(at: At, op: Affine) -> Tensor:
    x, names, made = at.sources[0], at.names[0], at.node.type.names
    x = aligned(*timed(x, names, at.graph.steps), made) if TIME in made else aligned(x, names, made)
    x = x if op.scale is None else x * at.over(op.scale, made)
    return x if op.offset is None else x + at.over(op.offset, made)


@VALUE.of(Population)
def population(at: At, op: Population) -> Tensor:
    x, names = timed(at.sources[0], at.names[0], at.graph.steps)
    x = x if op.polarity is None else x * at.over(op.polarity, names)
    x = x if op.bias is None else x + at.over(op.bias, names)
    thresholds, found = at.over(op.threshold, names), list[Tensor]()
    state, fires = torch.zeros_like(x[:, 0]), cast("Any", Spike)
    for t in range(at.graph.steps):
        threshold: Tensor = at_step(thresholds, t)
        level: Tensor = op.decay * state + x[:, t]
        spike: Tensor = fires.apply((level - threshold) / threshold.abs().clamp(min=1e-6))
        state = level * (1 - spike.detach()) if op.reset == "hard" else level - spike * threshold
        found.append(spike)
    return ordered(torch.stack(found, 1), names, at.node.type.names)


@VALUE.of(Readout)
def readout(at: At, op: Readout) -> Tensor:
    x, names = timed(at.sources[0], at.names[0], at.graph.steps)
    x = x[:, slice(*op.window)] if op.window else x
    if x.shape[1] != steps_in(op.window, at.graph.steps):
        raise ValueError(f"{at.node.name} has {x.shape[1]} steps")
    total = x.sum(dim=1)
    rest = names[1:]
    total = total if op.offset is None else total + at.over(op.offset, rest)
    return ordered(total, rest, at.node.type.names)


VALUE.refuses(
    *(Delay, Gate, Take, Product, Largest, MultiThreshold, Neuron, Opaque),
    why="its gradient is not written",
    help="leave --tune out, or give more bits",
)
