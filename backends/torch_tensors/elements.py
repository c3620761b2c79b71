"""What is computed element by element on tensors, and elements that change places."""

import torch
from torch import Tensor

from snncc.backends.torch_tensors.axes import aligned, timed
from snncc.backends.torch_tensors.table import TYPES, VALUE, At, Computed
from snncc.ir import TIME, Kind
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import Gain, IntegerReadout
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.projections import Concat, Frames, Sum
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.thresholds import LEVEL, MultiThreshold
from snncc.ir.dialects.windows import Largest


@VALUE.of(Frames)
def frames(at: At, op: Frames) -> Computed:
    return Computed(at.images)


@VALUE.of(Concat)
def concat(at: At, op: Concat) -> Computed:
    made = at.node.type
    parts: list[Tensor] = []
    for x, names, along in zip(at.sources, at.names, op.along, strict=True):
        renamed = tuple(op.out if name == along else name for name in names)
        if made.temporal:
            x, renamed = timed(x, renamed, made.size(TIME))
        parts.append(aligned(x, renamed, made.names))
    dtype = TYPES[made.dtype] if made.domain is not None else torch.int64
    return Computed(torch.cat([part.to(dtype) for part in parts], 1 + made.names.index(op.out)))


@VALUE.of(Sum)
def add(at: At, op: Sum) -> Computed:
    made = at.node.type.names
    parts = [aligned(x, names, made) for x, names in zip(at.wide, at.names, strict=True)]
    total = torch.zeros((), dtype=torch.int64, device=at.memory.device)
    for part, shift in op.terms(parts):
        total = total + (part << shift)
    return Computed(total)


@VALUE.of(SumAlong)
def add_along(at: At, op: SumAlong) -> Computed:
    places = [1 + at.names[0].index(name) for name in op.summed]
    return Computed(at.wide[0].sum(dim=places))


@VALUE.of(Gain)
def gain(at: At, op: Gain) -> Computed:
    x, names, made = at.wide[0], at.names[0], at.node.type.names
    if TIME in made:
        x, names = timed(x, names, at.graph.steps)
    scaled = aligned(x, names, made) * at.constant(op.mantissa, made)
    return Computed((scaled + ((1 << op.shift) >> 1)) >> op.shift)


@VALUE.of(Gate)
def gate(at: At, op: Gate) -> Computed:
    made = at.node.type.names
    bit, x = (aligned(s, n, made) for s, n in zip(at.sources, at.names, strict=True))
    opens = (bit != 0) != op.inverted
    return Computed(torch.where(opens, x, torch.zeros_like(x)))


@VALUE.of(Take)
def take(at: At, op: Take) -> Computed:
    """Where a zero is wanted, the first element is taken and put out again."""
    x = at.sources[0]
    for place, name in enumerate(op.axes):
        axis, index = 1 + at.names[0].index(name), op.index(place)
        chosen = torch.from_numpy(index).to(at.memory.device)
        x = x.index_select(axis, chosen.clamp(min=0))
        if op.fills:
            kept = (chosen >= 0).reshape(-1, *[1] * (x.dim() - axis - 1))
            x = torch.where(kept, x, torch.zeros_like(x))
    return Computed(x)


@VALUE.of(Largest)
def largest(at: At, op: Largest) -> Computed:
    """Axis after axis, since windows are products."""
    x, names = at.sources[0], at.names[0]
    if op.offset is not None:
        x = x + at.constant(op.offset, names)
    for place, name in enumerate(op.axes):
        axis = 1 + names.index(name)
        rows = torch.from_numpy(op.places(place, x.shape[axis])).to(at.memory.device)
        found = x.index_select(axis, rows[0])
        for row in rows[1:]:
            found = torch.maximum(found, x.index_select(axis, row))
        x = found
    return Computed(x)


@VALUE.of(MultiThreshold)
def staircase(at: At, op: MultiThreshold) -> Computed:
    made, x, names = at.node.type, at.wide[0], at.names[0]
    if made.temporal:
        x, names = timed(x, names, at.graph.steps)
    x = aligned(x, names, made.names)
    if op.polarity is not None:
        x = x * at.constant(op.polarity, made.names)
    found = torch.full_like(x, op.lowest)
    for level in at.constant(op.thresholds, (*made.names, LEVEL)).unbind(-1):
        found += x >= level
    return Computed(found.to(TYPES[made.dtype]))


@VALUE.of(Delay)
def delay(at: At, op: Delay) -> Computed:
    """Outside of loops all steps are known: those before the first stand in front of them."""
    x, names = timed(at.sources[0], at.names[0], at.graph.steps)
    x = aligned(x, names, (TIME, *op.axes))
    past = before_first(at, op, x[:, 0])
    return Computed(torch.cat([past, x], dim=1)[:, : at.graph.steps])


def before_first(at: At, op: Delay, like: Tensor) -> Tensor:
    """What a delay gives before it has read anything, [batch, steps, *axes of one step]."""
    queue = like.new_zeros((len(like), op.steps, *op.shape))
    return queue if op.start is None else queue + at.constant(op.start, op.axes).to(like.dtype)


@VALUE.of(IntegerReadout)
def readout(at: At, op: IntegerReadout) -> Computed:
    x, names = timed(at.wide[0], at.names[0], at.graph.steps)
    total = aligned(x, names, (TIME, *at.node.type.names)).sum(dim=1)
    return Computed(
        total if op.offset is None else total + at.constant(op.offset, at.node.type.names)
    )


def bits_of(kind: Kind) -> torch.dtype:
    """The type in which a delay of a loop holds what it reads."""
    return torch.uint8 if kind is Kind.SPIKE else torch.int64
