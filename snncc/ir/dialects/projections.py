"""Linear maps between named axes: the ops that the spiking and the integer dialect share."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from snncc.ir.dialects.selections import selected_range
from snncc.ir.op import (
    WIDEST,
    Array,
    Context,
    Op,
    Param,
    TypeRuleError,
    is_integer,
    require,
    require_narrow,
    require_room,
)
from snncc.ir.types import BYTE, TIME, Axis, Kind, ValueType

PIXELS = "pixels"
"""The word for frames that are an 8-bit image."""
Term = TypeVar("Term")


@dataclass(frozen=True)
class Contract(Op):
    """A linear map that contracts named axes of its source.

    y[carried, shared, out] = sum over `into` and `summed` of
        weight[shared, out, into] * x[carried, shared, into, summed]

    Every source axis that is not named is carried. Roles, not names, say what is contracted:
    `out` may hold a name that `into` holds too, and no axis of the source has two roles. A weight
    shared over the time axis is a bank for every step; a source without time is then the same at
    every step. Time has no other role: a step never reads another. In the integer dialect x is a
    bit (or, for counts, several) and the product is a selection.

    Attributes:
        weight: axes are shared + out + into, in this order.
        into: source axes that are contracted with the weight.
        out: axes that take their place; one for one in place, otherwise at the end.
        shared: source axes along which the weight differs and which are kept.
        summed: source axes along which the source is simply added up.
    """

    mnemonic: ClassVar[str] = "contract"
    weight: Param
    into: tuple[str, ...] = ()
    out: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    summed: tuple[str, ...] = ()

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        (source,) = inputs
        require(
            TIME not in (*self.into, *self.out, *self.summed),
            "the time axis is neither read across steps nor made",
        )
        if TIME in self.shared:
            source = source.with_time(context.steps)
        weight = context.array(self.weight)
        roles = (*self.shared, *self.out, *self.into)
        if self.weight.axes != roles:
            raise TypeRuleError(f"weight lies over {self.weight.axes}, roles say {roles}")
        sizes = dict(zip(self.out, weight.shape[len(self.shared) :], strict=False))
        for name, size in (
            *zip(self.shared, weight.shape, strict=False),
            *zip(self.into, weight.shape[len(self.shared) + len(self.out) :], strict=True),
        ):
            if name not in source.names:
                raise TypeRuleError(f"source {source} has no axis {name!r}")
            if source.size(name) != size:
                sizes_differ = f"weight has {size} elements on axis {name!r}, the source "
                raise TypeRuleError(sizes_differ + str(source.size(name)))
        if not set(self.summed) <= set(source.names):
            raise TypeRuleError(f"{source} lacks one of {self.summed}")
        gone = {*self.into, *self.summed}
        require(len(gone) == len(self.into) + len(self.summed), "an axis is contracted twice")
        taken = len(gone) + len(self.shared)
        require(len({*gone, *self.shared}) == taken, "an axis of the source has two roles")
        axes: list[Axis] = []
        if len(self.into) == len(self.out):
            place = dict(zip(self.into, self.out, strict=True))
            axes = [
                Axis(place[a.name], sizes[place[a.name]]) if a.name in place else a
                for a in source.axes
                if a.name not in self.summed
            ]
        else:
            axes = [a for a in source.axes if a.name not in gone]
            axes += [Axis(name, sizes[name]) for name in self.out]
        _require_distinct(axes)
        return ValueType(Kind.CURRENT, tuple(axes), self._range(source, weight))

    def _range(self, source: ValueType, weight: Array) -> tuple[int, int] | None:
        if not is_integer(weight):
            return None
        rows = weight.reshape(*weight.shape[: len(self.shared) + len(self.out)], -1)
        return selected_range(rows, source, math.prod(source.size(name) for name in self.summed))


@dataclass(frozen=True)
class Convolve(Op):
    """A two-dimensional convolution over named axes (cross-correlation, as in PyTorch).

    y[o, i, j] = sum over c, p, q of
        weight[o, c, p, q] * x[c, s_h * i + d_h * p - pad_h, s_w * j + d_w * q - pad_w]

    with stride s, dilation d, x = 0 outside the image and c running over the group of o. Axes of
    the result are the carried ones, then (out_height, out_width, out_channel). A weight that leads
    with the time axis is a bank for every step; a source without time is then the same at each.

    Attributes:
        weight: axes (out_channel, in_channel of one group, kernel height, kernel width), with a
            leading time axis for banks.
        channel, height, width: source axes.
        out_channel, out_height, out_width: names of the result's axes.
    """

    mnemonic: ClassVar[str] = "convolve"
    weight: Param
    channel: str
    height: str
    width: str
    out_channel: str
    out_height: str
    out_width: str
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        (source,) = inputs
        weight = context.array(self.weight)
        if self.banks:
            source = source.with_time(context.steps)
            require(weight.shape[:1] == (context.steps,), "one bank of weights a step is needed")
            weight = weight[0]
        require(weight.ndim == 4, "a convolution's weight has four axes")
        require(TIME not in self.weight.axes[-4:], "only banks lie over the time axis")
        self._require_geometry()
        for name in (self.channel, self.height, self.width):
            if name not in source.names:
                raise TypeRuleError(f"source {source} has no axis {name!r}")
        channels = source.size(self.channel)
        require(
            weight.shape[1] * self.groups == channels and weight.shape[0] % self.groups == 0,
            f"weight {weight.shape} in {self.groups} groups does not fit {channels} channels",
        )
        height, width = self.output_size(source, weight)
        require(height > 0 and width > 0, f"kernel {weight.shape[2:]} is larger than the image")
        carried = [a for a in source.axes if a.name not in (self.channel, self.height, self.width)]
        axes = [
            *carried,
            Axis(self.out_height, height),
            Axis(self.out_width, width),
            Axis(self.out_channel, weight.shape[0]),
        ]
        _require_distinct(axes)
        bounds = None
        if is_integer(weight):
            rows = context.array(self.weight)
            bounds = selected_range(rows.reshape(*rows.shape[:-3], -1), source, 1)
        return ValueType(Kind.CURRENT, tuple(axes), bounds)

    def _require_geometry(self) -> None:
        read = {self.channel, self.height, self.width}
        require(len(read) == 3, "channel, height and width must be three axes")
        made = (self.out_channel, self.out_height, self.out_width)
        require(TIME not in (*read, *made), "the time axis is neither read across steps nor made")
        require(min(self.stride) >= 1, f"stride {self.stride} is not at least 1")
        require(min(self.dilation) >= 1, f"dilation {self.dilation} is not at least 1")
        require(min(self.padding) >= 0, f"padding {self.padding} is negative")
        require(self.groups >= 1, f"{self.groups} groups")

    @property
    def banks(self) -> bool:
        """Whether there are weights of their own for every step."""
        return self.weight.axes[:1] == (TIME,)

    def output_size(self, source: ValueType, weight: Array) -> tuple[int, int]:
        """Height and width of the result."""
        height, width = (
            (source.size(name) + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
            for name, pad, dilation, kernel, stride in zip(
                (self.height, self.width),
                self.padding,
                self.dilation,
                weight.shape[2:],
                self.stride,
                strict=True,
            )
        )
        return height, width


@dataclass(frozen=True)
class Concat(Op):
    """Currents, spikes or counts side by side along one axis.

    y[offset_i + c] = x_i[c] on axis `out`, where source i calls that axis `along[i]`.
    Sources without the time axis are repeated when another one has it; time itself is never `out`
    or one of `along`.
    """

    mnemonic: ClassVar[str] = "concat"
    along: tuple[str, ...]
    out: str

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        require(len(inputs) == len(self.along) > 0, "one axis name per source is needed")
        require(TIME not in (*self.along, self.out), "steps cannot be put side by side")
        for source in inputs:
            # Real: a normalised image before maps are pushed through; integer programs have none.
            sides = source.kind in (Kind.CURRENT, Kind.SPIKE, Kind.COUNT, Kind.REAL)
            require(sides, f"currents, spikes or counts stand side by side, not {source}")
        first = next((i for i in inputs if i.temporal), inputs[0])
        lead = self.along[inputs.index(first)]
        total = sum(i.size(a) for i, a in zip(inputs, self.along, strict=True))
        rest = {a for a in first.axes if a.name != lead}
        for source, along in zip(inputs, self.along, strict=True):
            require(along in source.names, f"source {source} has no axis {along!r}")
            other = {a for a in source.axes if a.name != along}
            require(
                other == rest or other == {a for a in rest if a.name != TIME},
                f"{source} and {first} differ on an axis that is not concatenated",
            )
        axes = tuple(Axis(self.out, total) if a.name == lead else a for a in first.axes)
        _require_distinct(axes)
        kinds = {i.kind for i in inputs}
        require(len(kinds) == 1, "sources of one concat must be of one kind")
        return ValueType(first.kind, axes, hull([i.range for i in inputs]))


@dataclass(frozen=True)
class Sum(Op):
    """Currents that meet: y = sum over i of x_i * 2^shifts[i].

    An axis that a source lacks is broadcast. Shifts align grids in the integer dialect and are
    zero elsewhere (an empty tuple means all zero). Sources are all currents, or all spikes and
    counts: their sum is a count, and has no shifts.
    """

    mnemonic: ClassVar[str] = "sum"
    shifts: tuple[int, ...] = ()

    def terms(self, sources: Sequence[Term]) -> Iterator[tuple[Term, int]]:
        """What belongs to each source, with the shift of that source."""
        return zip(sources, self.shifts or (0,) * len(sources), strict=True)

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        require(len(inputs) > 0, "a sum needs a source")
        require(
            not self.shifts or (len(self.shifts) == len(inputs) and min(self.shifts) >= 0),
            "one shift of at least 0 per source is needed",
        )
        require_room(max(self.shifts, default=0) < WIDEST, f"a shift is {WIDEST} or more")
        counts = all(source.domain is not None for source in inputs)
        for source in inputs:
            added = counts or source.kind is Kind.CURRENT
            require(added, f"only currents can be summed, or spikes and counts, not {source}")
        require(not (counts and self.shifts), "counts are of one unit, and have no shifts")
        axes = join_axes(inputs)
        ranges = [i.domain or i.range for i in inputs]
        bounds = None
        if all(r is not None for r in ranges):
            pairs = [*self.terms([r for r in ranges if r is not None])]
            bounds = sum(r[0] << s for r, s in pairs), sum(r[1] << s for r, s in pairs)
        return ValueType(Kind.COUNT if counts else Kind.CURRENT, axes, bounds)

    def verify(self, inputs: tuple[ValueType, ...], context: Context) -> None:
        """No sum of some of the sources may need more bits either: all orders are legal."""
        low = high = 0
        for source, shift in self.terms(inputs):
            if source.range is not None:
                low += min(0, source.range[0] << shift)
                high += max(0, source.range[1] << shift)
        require_narrow("what is added up", low, high)


def join_axes(inputs: tuple[ValueType, ...]) -> tuple[Axis, ...]:
    """Axes of an elementwise result: those of the widest source, in its order.

    Raises:
        TypeRuleError: a source has an axis that the widest one lacks.
    """
    widest = max(inputs, key=lambda i: len(i.axes))
    missing = {a for i in inputs for a in i.axes} - set(widest.axes)
    if missing == {a for i in inputs for a in i.axes if a.name == TIME} and missing:
        return (*missing, *widest.axes)
    if missing:
        raise TypeRuleError(f"axes {sorted(map(str, missing))} do not occur in {widest}")
    return widest.axes


def hull(ranges: list[tuple[int, int] | None]) -> tuple[int, int] | None:
    """The smallest interval around all of them, or None if one is unknown."""
    known = [r for r in ranges if r is not None]
    if len(known) < len(ranges) or not known:
        return None
    return min(r[0] for r in known), max(r[1] for r in known)


def _require_distinct(axes: list[Axis] | tuple[Axis, ...]) -> None:
    names = [axis.name for axis in axes]
    require(len(set(names)) == len(names), f"the result would have an axis twice: {names}")


@dataclass(frozen=True)
class Frames(Op):
    """What enters: whole numbers of a domain, the same at every step or a frame for each.

    `bit-planes`: every reader adds, for each bit b of an element, its weights selected by that
    bit, shifted left by b, which is exactly weight * element; of a domain below 0 the sign bit's
    are subtracted. `host`: the readers' currents are computed outside, with the same integers.

    Attributes:
        axes: names of the axes of one sample, in the order of the user's array; time is one of
            them where every step has a frame of its own.
        shape: their lengths.
        encoding: "bit-planes" or "host".
        domain: the least and the largest number that an element can be; an image has 0..255.
    """

    mnemonic: ClassVar[str] = "frames"
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    encoding: str = "bit-planes"
    domain: tuple[int, int] = BYTE

    @property
    def word(self) -> str:
        """An 8-bit image is what texts and files have always called pixels."""
        image = self.domain == BYTE and TIME not in self.axes
        return PIXELS if image else self.mnemonic

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        require(not inputs, "an image has no source")
        require(len(self.axes) > 0, "an image needs an axis")
        require(self.encoding in ("bit-planes", "host"), f"unknown encoding {self.encoding!r}")
        low, high = self.domain
        require(low <= 0 <= high and low < high, f"a domain holds 0 and more, not {low}..{high}")
        require(
            high <= (255 if low == 0 else 127) and low >= -128,
            f"numbers {low}..{high} need more than 8 bits",
        )
        axes = tuple(Axis(n, s) for n, s in zip(self.axes, self.shape, strict=True))
        _require_distinct(axes)
        require(min(self.shape, default=1) >= 1, f"an image of shape {list(self.shape)} is empty")
        if TIME in self.axes:
            frames, steps = dict(zip(self.axes, self.shape, strict=True))[TIME], context.steps
            require(frames == steps, f"its time axis has {frames} frames, and T is {steps}")
            require(self.encoding == "bit-planes", "frames of steps enter as bit planes alone")
        return ValueType(Kind.COUNT, axes, self.domain)
