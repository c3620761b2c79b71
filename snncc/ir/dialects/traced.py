"""Ops of the traced dialect: what the model says, with its dimensions named.

A traced value's axes stand in the order of the model's own tensor (the batch left out), so a
recorded array and a traced value differ only by the batch axis. A dimension that the model made by
merging several axes stands as those axes, side by side.
"""

from dataclasses import dataclass, fields
from typing import ClassVar

from snncc.ir.dialects.projections import Contract, Convolve, join_axes
from snncc.ir.dialects.step_windows import require_window
from snncc.ir.op import Context, Op, Param, require, require_axes
from snncc.ir.types import TIME, Axis, Kind, ValueType


@dataclass(frozen=True)
class Input(Op):
    """The network's input, real numbers.

    Attributes:
        axes, shape: of a sample.
        frames: whether time, among the axes, has a frame of its own for every step; else all steps
            see one image.
    """

    mnemonic: ClassVar[str] = "input"
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    frames: bool = False

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        require(not inputs, "an input has no source")
        axes = tuple(Axis(n, s) for n, s in zip(self.axes, self.shape, strict=True))
        return ValueType(Kind.REAL, axes)


@dataclass(frozen=True)
class Linear(Op):
    """y[.., out] = sum over `into` of weight[out, into] * x[.., into] + bias[out].

    `out` takes the place of `into`, whose axes stand side by side.
    """

    mnemonic: ClassVar[str] = "linear"
    weight: Param
    into: tuple[str, ...]
    out: tuple[str, ...]
    bias: Param | None = None

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        (x,) = inputs
        weight = context.array(self.weight)
        require(self.weight.axes == (*self.out, *self.into), "weight axes must be out + into")
        for name, size in zip(self.into, weight.shape[len(self.out) :], strict=True):
            require(
                name in x.names and x.size(name) == size,
                f"weight has {size} elements on axis {name!r} of {x}",
            )
        at = x.names.index(self.into[0])
        require(
            x.names[at : at + len(self.into)] == self.into, f"{self.into} are not adjacent in {x}"
        )
        out = tuple(Axis(n, s) for n, s in zip(self.out, weight.shape, strict=False))
        axes = (*x.axes[:at], *out, *x.axes[at + len(self.into) :])
        result = ValueType(Kind.REAL, axes)
        if self.bias is not None:
            require_axes(self.bias, result, context)
        return result

    @property
    def map(self) -> Contract:
        """Without its bias."""
        return Contract(self.weight, self.into, self.out)


@dataclass(frozen=True)
class Conv(Op):
    """A two-dimensional convolution (cross-correlation, zero padding), channels before height.

    weight: (out_channel, in_channel of a group, kernel height, kernel width). A one-dimensional
    convolution has kernel height 1 over a height axis of length 1 named "one".
    """

    mnemonic: ClassVar[str] = "conv"
    weight: Param
    channel: str
    height: str
    width: str
    out_channel: str
    out_height: str
    out_width: str
    bias: Param | None = None
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        (x,) = inputs
        weight = context.array(self.weight)
        require(weight.ndim == 4, "a convolution's weight has four axes")
        for name in (self.channel, self.height, self.width):
            require(name in x.names, f"{x} has no axis {name!r}")
        require(
            weight.shape[1] * self.groups == x.size(self.channel),
            f"weight {weight.shape} in {self.groups} groups does not fit {x}",
        )
        sizes = self.map.output_size(x, weight)
        place = {
            self.channel: Axis(self.out_channel, weight.shape[0]),
            self.height: Axis(self.out_height, sizes[0]),
            self.width: Axis(self.out_width, sizes[1]),
        }
        result = ValueType(Kind.REAL, tuple(place.get(a.name, a) for a in x.axes))
        if self.bias is not None:
            require_axes(self.bias, result, context)
        return result

    @property
    def map(self) -> Convolve:
        """Without its bias."""
        return Convolve(**{f.name: getattr(self, f.name) for f in fields(Convolve)})


@dataclass(frozen=True)
class BatchNorm(Op):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, all over `axes`: by identity, not length.

    mean, var, weight, bias are over the same axes; a BatchNorm1d over tokens that the model made
    of height and width lies over both.
    """

    mnemonic: ClassVar[str] = "batchnorm"
    mean: Param
    var: Param
    weight: Param | None
    bias: Param | None
    eps: float

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        (x,) = inputs
        for param in (self.mean, self.var, self.weight, self.bias):
            if param is not None:
                require_axes(param, x, context)
        return x.with_kind(Kind.REAL)


@dataclass(frozen=True)
class Lif(Op):
    """Integrate-and-fire neurons in SpikingJelly's form, from V = start before step 0.

    decay_input:     V = V + (X - (V - v_reset)) / tau
    not decay_input: V = V - (V - v_reset) / tau + X
    IF (tau None):   V = V + X
    S = 1 if V >= v_threshold ("gt": V > v_threshold);
    V = v_reset where S = 1, or V - v_threshold * S when v_reset is None.

    Attributes:
        threshold: thresholds over any of the neurons' axes, in place of v_threshold.
        start: V before the first step; None for v_reset (0 if that is None).
    """

    mnemonic: ClassVar[str] = "lif"
    tau: float | None = 2.0
    v_threshold: float = 1.0
    v_reset: float | None = 0.0
    decay_input: bool = True
    compare: str = "ge"
    threshold: Param | None = None
    start: float | None = None

    @property
    def rest(self) -> float:
        """Where V stays without input."""
        return self.v_reset or 0.0

    @property
    def breaks_loops(self) -> bool:
        return True

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        (x,) = inputs
        axes = x.axes if x.temporal else (Axis(TIME, context.steps), *x.axes)
        if self.threshold is not None:
            require_axes(self.threshold, x.without(TIME), context)
        return ValueType(Kind.SPIKE, axes)


@dataclass(frozen=True)
class Add(Op):
    """y = sum of the sources; an axis that a source lacks is broadcast."""

    mnemonic: ClassVar[str] = "add"

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        return ValueType(Kind.REAL, join_axes(inputs))


@dataclass(frozen=True)
class Scale(Op):
    """y = scale * x + offset with constants of the model, each over some of x's axes."""

    mnemonic: ClassVar[str] = "scale"
    scale: Param | None = None
    offset: Param | None = None

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        (x,) = inputs
        for param in (self.scale, self.offset):
            if param is not None:
                require_axes(param, x, context)
        return x.with_kind(Kind.REAL)


@dataclass(frozen=True)
class TracedConcat(Op):
    """Sources side by side: source i calls the axis `along[i]`, the result calls it `out`."""

    mnemonic: ClassVar[str] = "traced_concat"
    along: tuple[str, ...]
    out: str

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        total = 0
        for x, name in zip(inputs, self.along, strict=True):
            require(name in x.names, f"{x} has no axis {name!r}")
            total += x.size(name)
        first, lead = inputs[0], self.along[0]
        rest = first.without(lead).axes
        for x, name in zip(inputs, self.along, strict=True):
            require(x.without(name).axes == rest, f"{x} and {first} differ beside the joined axis")
        kind = first.kind if all(x.kind is first.kind for x in inputs) else Kind.REAL
        axes = tuple(Axis(self.out, total) if a.name == lead else a for a in first.axes)
        return ValueType(kind, axes)


@dataclass(frozen=True)
class Rearrange(Op):
    """The same elements with their axes in another order (any permute, view, reshape, flatten)."""

    mnemonic: ClassVar[str] = "rearrange"
    order: tuple[str, ...]

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        (x,) = inputs
        require(sorted(self.order) == sorted(x.names), f"{self.order} is no order of {x}")
        by_name = {a.name: a for a in x.axes}
        return ValueType(x.kind, tuple(by_name[n] for n in self.order))


@dataclass(frozen=True)
class Repeat(Op):
    """The same value at every one of T steps: y[t, ..] = x[..]."""

    mnemonic: ClassVar[str] = "repeat"

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        (x,) = inputs
        require(not x.temporal, f"{x} has a time axis already")
        return ValueType(x.kind, (Axis(TIME, context.steps), *x.axes))


@dataclass(frozen=True)
class Mean(Op):
    """y = mean of x over the named axes."""

    mnemonic: ClassVar[str] = "mean"
    axes: tuple[str, ...]

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        (x,) = inputs
        require(set(self.axes) <= set(x.names), f"{x} lacks one of {self.axes}")
        return x.without(*self.axes).with_kind(Kind.REAL)


@dataclass(frozen=True)
class Total(Op):
    """y = sum of x over the named axes.

    Attributes:
        axes: what is summed over.
        window: where time is among them, the first step that is added and the one behind the last;
            () for all steps.
    """

    mnemonic: ClassVar[str] = "total"
    axes: tuple[str, ...]
    window: tuple[int, ...] = ()

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        (x,) = inputs
        require(not self.window or TIME in self.axes, "steps are chosen, and time is not summed")
        require_window(self.window, context.steps)
        require(set(self.axes) <= set(x.names), f"{x} lacks one of {self.axes}")
        return x.without(*self.axes).with_kind(Kind.REAL)


COMPLEX = "complex"
"""Stands before the name of a function that reads or gives complex numbers."""


@dataclass(frozen=True)
class Foreign(Op):
    """Something that the model does and that no pass can lower, kept so that it can be named.

    Attributes:
        function: what was called, e.g. "layernorm", "softmax", "torch.matmul".
        axes, shape: the result's axes.
        terms: how many products are added up for one element, where products of values are; 0 when
            that is not known.
        constants: whether tensors that do not depend on the input are among its operands.
        help: what the user can do, where it is not the usual.
    """

    mnemonic: ClassVar[str] = "foreign"
    function: str
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    terms: int = 1
    constants: bool = False
    help: str = ""

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        axes = tuple(Axis(n, s) for n, s in zip(self.axes, self.shape, strict=True))
        return ValueType(Kind.REAL, axes)
