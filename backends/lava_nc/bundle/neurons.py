"""Populations, and what happens to currents on their way to them, without losing a step.

Sum, Gain and Population answer in the step in which they are asked. A Relay holds a value back, so
that all that meets has the same age.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from arithmetic import Axes, Constant, Ints, Leak, Term, at_step, gain, signed_digits
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from window import Window, WindowedModel, port_shape

IN_PORTS = ("a_in", "a_in_1", "a_in_2", "a_in_3", "a_in_4", "a_in_5", "a_in_6", "a_in_7")
"""What a Sum or a Population can receive by different shifts, axes or places."""


class Sum(AbstractProcess):
    """Currents that meet: each InPort adds its term. What meets at one InPort, Lava adds itself.

    Args:
        name: module path in the model.
        window, arrival: when which sample arrives.
        axes: of the sum.
        terms: what each InPort adds, in the order of `IN_PORTS`.
        rest: what a subclass's model needs.
    """

    def __init__(
        self,
        *,
        name: str,
        window: Window,
        arrival: int,
        axes: Axes,
        terms: Sequence[Term],
        **rest: Any,
    ) -> None:
        super().__init__(name=name, window=window, arrival=arrival, axes=axes, terms=terms, **rest)
        for i, port in enumerate(IN_PORTS):
            shape = port_shape(terms[i].axes) if i < len(terms) else (1,)
            setattr(self, port, InPort(shape=shape))
        self.a_out = OutPort(shape=port_shape(axes))


class _SumModel(WindowedModel):
    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    a_in_1: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    a_in_2: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    a_in_3: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    a_in_4: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    a_in_5: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    a_in_6: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    a_in_7: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.axes: Axes = proc_params["axes"]
        self.terms: Sequence[Term] = proc_params["terms"]
        self.shape = tuple(self.axes.values())

    def total(self) -> Ints:
        """What arrives at all InPorts in this step."""
        total = np.zeros(self.shape, np.int64)
        for port, term in zip(IN_PORTS, self.terms, strict=False):
            x = getattr(self, port).recv().reshape(tuple(term.axes.values()))
            term.add_to(total, self.axes, x)
        return total


@implements(proc=Sum, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySumModel(_SumModel):
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int64)

    def run_spk(self) -> None:
        self.a_out.send(self.total().reshape(self.a_out.shape))


class Gain(AbstractProcess):
    """A current times a constant: y = (mantissa * x + 2^(shift - 1)) >> shift, as shifted adds.

    Args:
        name: module path in the model.
        window, arrival: when which sample arrives.
        axes: of the current.
        mantissa: integers over any of the axes, and over "t" when they differ by step.
        shift: at least 0.
    """

    def __init__(
        self, *, name: str, window: Window, arrival: int, axes: Axes, mantissa: Constant, shift: int
    ) -> None:
        super().__init__(
            name=name, window=window, arrival=arrival, axes=axes, mantissa=mantissa, shift=shift
        )
        self.a_in = InPort(shape=port_shape(axes))
        self.a_out = OutPort(shape=port_shape(axes))


@implements(proc=Gain, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyGainModel(WindowedModel):
    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.shape = tuple(proc_params["axes"].values())
        mantissa = proc_params["mantissa"].spread(tuple(proc_params["axes"]))
        self.digits = [signed_digits(step) for step in mantissa]
        self.shift: int = proc_params["shift"]

    def run_spk(self) -> None:
        x = self.a_in.recv().reshape(self.shape)
        now = self.now()
        digits = self.digits[0 if now is None or len(self.digits) == 1 else now[1]]
        self.a_out.send(gain(x, digits, self.shift).reshape(self.a_out.shape))


class Relay(AbstractProcess):
    """Sends what it received `delay` steps ago: one unit weight a neuron, nothing computed.

    Args:
        name: of what is relayed, and by how much.
        axes: of the value.
        delay: steps, at least 1.
    """

    def __init__(self, *, name: str, axes: Axes, delay: int) -> None:
        super().__init__(name=name, delay=delay)
        self.a_in = InPort(shape=port_shape(axes))
        self.a_out = OutPort(shape=port_shape(axes))


@implements(proc=Relay, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRelayModel(PyLoihiProcessModel):
    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.delay: int = proc_params["delay"]
        self.held: deque[Ints] = deque()

    def run_spk(self) -> None:
        late = len(self.held) == self.delay
        self.a_out.send(self.held.popleft() if late else np.zeros(self.a_out.shape, np.int64))
        self.held.append(self.a_in.recv())


class Population(Sum):
    """Neurons in integers.

    Z[t] = leak(V[t-1]) + polarity * (X[t] + offset) + bias
    S[t] = 1 if Z[t] >= threshold (compare "gt": Z[t] > threshold), else 0
    V[t] = 0 where S[t] = 1 (reset "hard"), or Z[t] - S[t] * threshold ("soft")

    V is 0 before a sample's first step. Outside its window a population neither fires nor changes.

    Args:
        name: module path in the model.
        window, arrival: when which sample arrives.
        axes: of the neurons.
        terms: what each InPort adds to X, as in `Sum`.
        leak: what remains of a membrane.
        threshold, bias, polarity, offset: over any of the axes, and over "t" if they differ by
            step.
        compare, reset: see above.
        log: arrays that take spikes and membranes Z, each [samples, t, *axes], or None.
    """

    def __init__(
        self,
        *,
        name: str,
        window: Window,
        arrival: int,
        axes: Axes,
        terms: Sequence[Term],
        leak: Leak,
        threshold: Constant,
        bias: Constant | None = None,
        polarity: Constant | None = None,
        offset: Constant | None = None,
        compare: str = "ge",
        reset: str = "hard",
        log: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        super().__init__(
            name=name,
            window=window,
            arrival=arrival,
            axes=axes,
            terms=terms,
            leak=leak,
            threshold=threshold,
            bias=bias or Constant(np.array(0)),
            polarity=polarity or Constant(np.array(1)),
            offset=offset or Constant(np.array(0)),
            compare=compare,
            reset=reset,
            log=log,
        )
        self.s_out = self.a_out
        del self.a_out
        self.v = Var(shape=port_shape(axes), init=0)


@implements(proc=Population, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyPopulationModel(_SumModel):
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=1)
    v: np.ndarray = LavaPyType(np.ndarray, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        names = tuple(self.axes)
        self.thresholds = proc_params["threshold"].spread(names)
        self.biases = proc_params["bias"].spread(names)
        self.polarities = proc_params["polarity"].spread(names)
        self.offsets = proc_params["offset"].spread(names)
        self.leak: Leak = proc_params["leak"]
        self.compare: str = proc_params["compare"]
        self.reset: str = proc_params["reset"]
        self.log: Mapping[str, np.ndarray] | None = proc_params["log"]

    def run_spk(self) -> None:
        current = self.total()
        now = self.now()
        spikes = np.zeros(self.shape, np.int32)
        if now is not None:
            sample, t = now
            before = self.v.reshape(self.shape) if t > 0 else np.zeros(self.shape, np.int64)
            spikes = self.update(before, current, sample, t)
        self.s_out.send(spikes.reshape(self.s_out.shape))

    def update(self, before: Ints, current: Ints, sample: int, t: int) -> np.ndarray:
        """Moves the membranes on by one step and gives the spikes."""
        x = current + at_step(self.offsets, t)
        sign = at_step(self.polarities, t)
        x = np.where(sign == 0, 0, np.where(sign > 0, x, -x))
        z = self.leak(before) + x + at_step(self.biases, t)
        threshold = at_step(self.thresholds, t)
        fires = z >= threshold if self.compare == "ge" else z > threshold
        after = np.zeros_like(z) if self.reset == "hard" else z - threshold
        self.v[...] = np.where(fires, after, z).reshape(self.v.shape)
        if self.log is not None:
            self.log["spikes"][sample, t] = fires
            self.log["membranes"][sample, t] = z
        return fires.astype(np.int32)


class Readout(AbstractProcess):
    """What the network answers: y = offset + the sum of a window's currents.

    `y_out` carries the sum so far; at a window's last step that is the answer.

    Args:
        name: module path in the model.
        window, arrival: when which sample arrives.
        axes: of the answer.
        offset: over the axes, or None.
        answers: array that takes y, [samples, *axes].
    """

    def __init__(
        self,
        *,
        name: str,
        window: Window,
        arrival: int,
        axes: Axes,
        answers: np.ndarray,
        offset: Constant | None = None,
    ) -> None:
        super().__init__(
            name=name,
            window=window,
            arrival=arrival,
            axes=axes,
            offset=offset or Constant(np.array(0)),
            answers=answers,
        )
        self.a_in = InPort(shape=port_shape(axes))
        self.y_out = OutPort(shape=port_shape(axes))
        self.y = Var(shape=port_shape(axes), init=0)


@implements(proc=Readout, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyReadoutModel(WindowedModel):
    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int64)
    y_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int64)
    y: np.ndarray = LavaPyType(np.ndarray, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.offset = proc_params["offset"].spread(tuple(proc_params["axes"]))[0]
        self.answers: np.ndarray = proc_params["answers"]

    def run_spk(self) -> None:
        current = self.a_in.recv()
        now = self.now()
        if now is not None:
            sample, t = now
            if t == 0:
                self.y[...] = np.broadcast_to(self.offset, self.y.shape)
            self.y += current
            self.answers[sample] = self.y.reshape(self.answers.shape[1:])
        self.y_out.send(self.y)
