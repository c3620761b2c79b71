"""Neurons of Loihi in the integer dialect, with the bits of Lava's fixed-point LIF.

    u = zero(u * (4096 - iDecay) / 4096) + (acc << 6)        zero(x): rounded toward zero
    v = zero(v * (4096 - vDecay) / 4096) + u + (bias << 6)
    s = v > vThMant << 6;  v = 0 where s

u has 24 bits and wraps around, v is held at +-(2^23 - 1). That u never does is proved here, or the
layer is refused. At the upper end of v a neuron fires either way; the lower end is a `floor`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from snncc.frontends.lava_dl.layer_checks import WHOLE_DECAY
from snncc.frontends.lava_dl.records import NO_FORM, Ints, Layer, Refused
from snncc.ir import GraphBuilder, Param
from snncc.ir.arrays import narrow
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.neurons import READ, STATE
from snncc.ir.dialects.projections import Sum

SHIFT = 6
REGISTER = (1 << 23) - 1
"""The largest u and v."""
NO_THRESHOLD = (1 << 17) - 1
"""From here on a last layer is read and not meant to fire."""
Decay = tuple[int, int]
Bias = tuple[Ints, tuple[str, ...]]
"""Numbers over axes of a layer."""


@dataclass
class _State:
    """One state of an `IntegerNeuron`, see there."""

    leak: int = 0
    gain: int = 0
    reads: dict[int, int] = field(default_factory=dict[int, int])
    shift: int = 0
    floor: int | None = None


@dataclass(frozen=True)
class Neurons:
    """The neurons of a layer.

    Attributes:
        builder: of the program.
        layer: checked.
    """

    builder: GraphBuilder
    layer: Layer

    def shifted(self, current: str) -> str:
        """What arrives << 6, or as the weights' exponent says, within 24 bits."""
        shift = SHIFT + self.layer.of_neuron("wgtExp")
        name = f"{self.layer.name}.input"
        made = self.builder.add(Sum((shift,)), [current], (self.layer.loc,), name)
        self.require_register("current", self.builder[made].type.range or (0, 0))
        return made

    def spikes(self, current: str, bias: Bias | None) -> str:
        """Spiking neurons that read a current; the name of their node."""
        x = self.shifted(current)
        kept = self.kept("iDecay")
        if kept == (0, 0):
            made = self._population(x, bias)
            if made.membrane[0] >= -REGISTER:
                return self.builder.add(made, [x], (self.layer.loc,), self.layer.name)
        return self._add(x, bias, self.layer.of_neuron("vThMant"))

    def membrane(self, current: str, bias: Bias | None) -> str:
        """Neurons that never fire, as the membrane that they give."""
        made = self._add(self.shifted(current), bias, None)
        low, high = self.builder[made].type.range or (0, 0)
        if low < -REGISTER or high > REGISTER:
            raise self.refused(f"a membrane that can reach {low:,}..{high:,}", "Lava cuts it there")
        return made

    def kept(self, name: str) -> Decay:
        """(p, k): p / 2^k of a state stays, in lowest terms."""
        left = WHOLE_DECAY - self.layer.of_neuron(name)
        common = math.gcd(left, WHOLE_DECAY)
        return left // common, (WHOLE_DECAY // common).bit_length() - 1

    def require_register(self, what: str, ends: tuple[int, int]) -> None:
        """Raises Refused: what is held in u could leave its 24 bits."""
        if ends[0] < -REGISTER - 1 or ends[1] > REGISTER:
            told = f"a {what} that can reach {ends[0]:,}..{ends[1]:,}"
            raise self.refused(told, "Loihi's has 24 bits and wraps around")

    def refused(self, told: str, why: str) -> Refused:
        found = self.layer.wrong(f"has {told}", why, NO_FORM)
        return Refused(replace(found, help="give fewer --steps, or train with smaller weights"))

    def constant(self, what: str, values: Ints, axes: Sequence[str]) -> Param:
        """Stores integers."""
        return self.builder.constant(f"{self.layer.name}.{what}", narrow(values), tuple(axes))

    def _population(self, x: str, bias: Bias | None) -> IntegerPopulation:
        level = np.asarray(self.layer.of_neuron("vThMant") << SHIFT)
        op = IntegerPopulation(
            threshold=self.constant("threshold", level, ()),
            bias=None if bias is None else self.constant("bias", bias[0] << SHIFT, bias[1]),
            decay=self.kept("vDecay"),
            compare="gt",
            rounding=Rounding.TO_ZERO,
        )
        reach = op.membrane_range(self.builder[x].type, self.builder.context)
        return replace(op, membrane=reach)

    def _add(self, x: str, bias: Bias | None, threshold: int | None) -> str:
        """A neuron of several states: what is kept of u and v is two of each.

        zero(a) = max(floor(a), 0) - max(floor(-a), 0), so that floors are enough.
        """
        states: list[_State] = []
        kept = self.kept("iDecay")
        current = -1 if kept == (0, 0) else self._leaking(states, kept, {}, 1)
        membrane = self._leaking(
            states, self.kept("vDecay"), {} if current < 0 else {current: 1}, int(current < 0)
        )
        made = self._neuron(x, states, membrane, bias, threshold)
        if made.states_within[membrane][0] < -REGISTER:
            states[membrane].floor = -REGISTER
            made = self._neuron(x, states, membrane, bias, threshold)
        if current >= 0:
            self.require_register("current", made.states_within[current])
        return self.builder.add(made, [x], (self.layer.loc,), self.layer.name)

    @staticmethod
    def _leaking(states: list[_State], kept: Decay, reads: dict[int, int], gain: int) -> int:
        """Appends a state that keeps p / 2^k of itself, rounded toward zero; its number."""
        factor, shift = kept
        here = len(states)
        if shift == 0:
            states.append(_State(leak=factor, gain=gain, reads=reads))
            return here
        states.append(_State(reads={here + 2: factor}, shift=shift, floor=0))
        states.append(_State(reads={here + 2: -factor}, shift=shift, floor=0))
        states.append(_State(gain=gain, reads={**reads, here: 1, here + 1: -1}))
        return here + 2

    def _neuron(
        self,
        x: str,
        states: Sequence[_State],
        membrane: int,
        bias: Bias | None,
        threshold: int | None,
    ) -> IntegerNeuron:
        n = len(states)
        reads = np.zeros((n, n), np.int64)
        for i, state in enumerate(states):
            for j, factor in state.reads.items():
                reads[i, j] = factor
        keep = np.ones(n, np.int64)
        keep[membrane] = 0
        floors = np.array([state.floor or 0 for state in states])
        has_floor = tuple(state.floor is not None for state in states)
        level = None if threshold is None else np.asarray((threshold << SHIFT) + 1)
        op = IntegerNeuron(
            leak=self.constant("leak", np.array([state.leak for state in states]), (STATE,)),
            gain=self.constant("gain", np.array([state.gain for state in states]), (STATE,)),
            form=self.constant("form", np.eye(n, dtype=np.int64)[membrane], (STATE,)),
            threshold=None if level is None else self.constant("threshold", level, ()),
            bias=None if bias is None else self._bias(n, membrane, bias),
            reads=self.constant("reads", reads, (STATE, READ)) if reads.any() else None,
            keep=None if threshold is None else self.constant("keep", keep, (STATE,)),
            floor=self.constant("floor", floors, (STATE,)) if any(has_floor) else None,
            has_floor=has_floor if any(has_floor) else (),
            shift=tuple(state.shift for state in states),
            states_within=((0, 0),) * n,
        )
        within, form = op.within(self.builder[x].type, self.builder.context)
        return replace(op, states_within=within, membrane=form)

    def _bias(self, n: int, membrane: int, bias: Bias) -> Param:
        values, axes = bias
        every = np.zeros((n, *values.shape), np.int64)
        every[membrane] = values << SHIFT
        return self.constant("bias", every, (STATE, *axes))
