"""Ops of the spiking dialect: populations and what shapes their currents, in real numbers."""

from dataclasses import dataclass
from typing import ClassVar

from snncc.ir.dialects.step_windows import require_window
from snncc.ir.op import Context, Op, Param, require, require_axes
from snncc.ir.types import TIME, Axis, Kind, ValueType


@dataclass(frozen=True)
class Affine(Op):
    """y = scale * x + offset, elementwise; what a BatchNorm is at inference.

    Legal on currents and counts. Each of the two may be absent, and may differ from step to step:
    the result then has a time axis though x may have none. Passes fold affines away; those that
    cannot be folded are lowered to gains.
    """

    mnemonic: ClassVar[str] = "affine"
    scale: Param | None = None
    offset: Param | None = None

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        (source,) = inputs
        require(source.kind is not Kind.SPIKE, "a scaled spike is a projection, not an affine")
        result = source.with_kind(Kind.REAL if source.kind is Kind.COUNT else source.kind)
        for param in (self.scale, self.offset):
            if param is not None and TIME in param.axes:
                result = result.with_time(context.steps)
        for param in (self.scale, self.offset):
            if param is not None:
                require_axes(param, result, context)
        return result


@dataclass(frozen=True)
class Population(Op):
    """Neurons with leak, threshold and reset, in the form without input decay.

    Y[t] = decay * V[t-1] + polarity * X[t] + bias
    S[t] = 1 if Y[t] >= threshold (compare "ge"; "gt": if Y[t] > threshold) else 0
    V[t] = 0 where S[t] = 1 (reset "hard"), or Y[t] - S[t] * threshold (reset "soft"); V[-1] = 0

    Threshold, bias and polarity are those of step t where they lie over the time axis.

    SpikingJelly's V' = V + (X - V)/tau is this with decay = 1 - 1/tau and threshold tau * v_th,
    membrane Y = tau * V (substitute; design of the field's LIF in discrete time).

    Attributes:
        threshold: over any of the spikes' axes.
        bias: over any of the spikes' axes, or None.
        polarity: -1, 0 or 1 over any of the spikes' axes, or None for 1 everywhere.
        decay: what remains of the membrane from one step to the next, in [0, 1].
        reset: "hard" or "soft".
        compare: "ge" or "gt".
    """

    mnemonic: ClassVar[str] = "population"
    threshold: Param
    bias: Param | None = None
    polarity: Param | None = None
    decay: float = 0.5
    reset: str = "hard"
    compare: str = "ge"

    @property
    def breaks_loops(self) -> bool:
        return True

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        (current,) = inputs
        require(current.kind is Kind.CURRENT, f"a population integrates a current, not {current}")
        result = current.with_time(context.steps).with_kind(Kind.SPIKE)
        for param in (self.threshold, self.bias, self.polarity):
            if param is not None:
                require_axes(param, result, context)
        require(0.0 <= self.decay <= 1.0, f"decay {self.decay} is outside [0, 1]")
        require(self.reset in ("hard", "soft"), f"unknown reset {self.reset!r}")
        require(self.compare in ("ge", "gt"), f"unknown comparison {self.compare!r}")
        return result


@dataclass(frozen=True)
class Readout(Op):
    """What the network answers: y[k] = sum over t of x[t, k] + offset[k].

    A current that does not change counts once for every step that is summed.

    Attributes:
        offset: over the current's axes, or None.
        window: the first step that is summed and the one behind the last; () for all T.
    """

    mnemonic: ClassVar[str] = "readout"
    offset: Param | None = None
    window: tuple[int, ...] = ()

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        (current,) = inputs
        require_window(self.window, context.steps)
        require(current.kind is Kind.CURRENT, f"a readout sums a current, not {current}")
        if self.offset is not None:
            require_axes(self.offset, current.without(TIME), context)
        return ValueType(Kind.READOUT, current.without(TIME).axes)


@dataclass(frozen=True)
class Opaque(Op):
    """What the model computes and no pass has a form for; the finding of it says why.

    It keeps a model that is refused together, so that passes can go on behind it and everything
    that is wrong is told at once. The integer dialect has no such op: with one of them a network
    cannot be lowered.

    Attributes:
        function: what is computed.
        kind: of the result, "spike" where it is known to be bits, else "current".
        axes, shape: of the result.
    """

    mnemonic: ClassVar[str] = "opaque"
    function: str
    kind: str
    axes: tuple[str, ...]
    shape: tuple[int, ...]

    @property
    def breaks_loops(self) -> bool:
        return True

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        require(
            self.kind in (Kind.SPIKE, Kind.CURRENT), f"{self.kind!r} is neither spikes nor currents"
        )
        axes = tuple(Axis(n, s) for n, s in zip(self.axes, self.shape, strict=True))
        return ValueType(Kind(self.kind), axes)
