"""What surrounds a network of Lava's own processes: images in, answers out, recordings.

The network itself is LIFReset, LIF, Dense, Sparse, DelaySparse and ring buffers of lava-nc. A
LIFReset starts every sample with v = 0 in the step in which the sample reaches it, so what it did
before does not matter: biases need no gate.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from arithmetic import Leak
from host import FOLDER, Block, LavaNetwork
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyRefPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, RefPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
from lava.proc.lif.process import LIFReset
from scipy.sparse import csr_matrix, identity
from window import Window

PLANES = 8
MIXED = 2
"""In the sign mode MIXED a synapse holds even numbers: twice the weight."""


def ring_source(name: str, data: np.ndarray) -> Source:
    """Lava's ring buffer with a name; data is [elements, steps]."""
    source = Source(data=data)
    source.name = name
    return source


def ring_sink(
    name: str,
    shape: tuple[int, ...],
    net: StockNetwork,
    arrival: int,
    offset: np.ndarray | int = 0,
) -> Sink:
    """Lava's ring buffer for what the readout's synapses send; see `StockNetwork.run`."""
    sink = Sink(shape=shape, buffer=max(1, net.steps_needed))
    sink.name = name
    net.sink, net.sink_arrival, net.offset = sink, arrival, offset
    return sink


class StockNetwork(LavaNetwork):
    """A network of Lava's own processes; see `LavaNetwork`."""

    sink: Sink
    sink_arrival: int
    offset: np.ndarray | int

    def __init__(
        self, images: np.ndarray, *, record: bool = False, period: int | None = None
    ) -> None:
        super().__init__(images, record=record, period=period)
        if record:
            self._recorders = list(self._record_all())

    # What processes are made of

    def starts(self, arrival: int) -> int:
        """Offset of the step, from 1, in which a sample's window begins, modulo the period."""
        return (1 + arrival) % self.window.period

    def synapses(self, key: str, plane: int | None = None, dense: bool = False) -> Any:
        """Weights [neurons, inputs] as a synapse of the sign mode MIXED holds them.

        Args:
            key: of the arrays.
            plane: bit of the image that the synapses read, if they read one.
            dense: whether an array is wanted in place of a sparse matrix.
        """
        rows, columns, weights, (neurons, inputs) = (
            self._tensors[f"{key}.{part}"] for part in ("rows", "columns", "weights", "shape")
        )
        if plane is not None:
            columns, inputs = columns + plane * int(inputs), PLANES * inputs
        values = MIXED * weights.astype(np.int32)
        matrix = csr_matrix((values, (rows, columns)), (int(neurons), int(inputs)))
        return matrix.toarray() if dense else matrix

    def identity(self, count: int, value: int = MIXED) -> csr_matrix:
        """One synapse from each input to its own neuron; delays are int64."""
        return csr_matrix(identity(count, dtype=np.int64) * value)

    def planes(self, arrival: int) -> np.ndarray:
        """The bit planes of the images, [8 * elements, steps], sent from `arrival` on."""
        flat = self.images.reshape(len(self.images), -1)
        bits = (flat[:, None] >> np.arange(PLANES, dtype=np.uint8)[None, :, None]) & 1
        return self._over_steps(bits.reshape(len(flat), -1).astype(np.int32), arrival)

    def currents(self, key: str, shift: int, arrival: int) -> np.ndarray:
        """What the images' synapses add up to, [neurons, steps]: computed here, on the host."""
        weights = self.synapses(key).astype(np.int64)
        flat = self.images.reshape(len(self.images), -1).astype(np.int64)
        return self._over_steps((weights.dot(flat.T).T // MIXED) << shift, arrival)

    def _over_steps(self, each: np.ndarray, arrival: int) -> np.ndarray:
        """[elements, steps] from [samples, elements], each during its own window."""
        data = np.zeros((each.shape[1], max(1, self.steps_needed)), each.dtype)
        for k, column in enumerate(each):
            first = k * self.window.period + arrival
            data[:, first : first + self.STEPS] = column[:, None]
        return data

    # Running

    def run(self, progress: Any = None) -> None:
        """Runs all samples, then adds up what arrived at the sink in each window."""
        super().run(progress)
        if self.window.samples == 0:
            return
        arrived = np.rint(self.sink.data.get()).astype(np.int64)
        for k in range(self.window.samples):
            first = k * self.window.period + self.sink_arrival
            total = arrived[:, first : first + self.STEPS].sum(axis=1)
            self.answers[k] = total.reshape(self.ANSWER) + self.offset

    # Recording

    def _record_all(self) -> Iterator[Recorder]:
        manifest = json.loads((FOLDER / "manifest.json").read_text())
        for process in self._processes():
            if isinstance(process, LIFReset):
                population = manifest["populations"][process.name]
                axes = {n: size for n, size in population["axes"].items() if n != "t"}
                logs = self.log(process.name, axes)
                yield Recorder(process, self.window, population["arrival"], logs)

    def _processes(self) -> Iterator[AbstractProcess]:
        for part in [self, *(p for p in vars(self).values() if isinstance(p, Block))]:
            yield from (p for p in vars(part).values() if isinstance(p, AbstractProcess))


class Recorder(AbstractProcess):
    """Writes down what a LIFReset did; it is no part of the network and changes nothing in it.

    The membrane before the reset is not kept by LIF where it fires. There it is put together from
    what LIF keeps: its leaked membrane of the step before, its current and its bias.
    """

    def __init__(self, lif: LIFReset, window: Window, arrival: int, logs: Any) -> None:
        shape = lif.s_out.shape
        given = lif.proc_params
        super().__init__(window=window, arrival=arrival, logs=logs, kept=4096 - given["dv"])
        self.s_in = InPort(shape=shape)
        self.u, self.v, self.bias_mant, self.bias_exp = (RefPort(shape=shape) for _ in range(4))
        lif.s_out.connect(self.s_in)
        for name in ("u", "v", "bias_mant", "bias_exp"):
            getattr(self, name).connect_var(getattr(lif, name))


@implements(proc=Recorder, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class RecorderModel(PyLoihiProcessModel):
    """Reads after every step, once spikes have been sent."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    u: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)
    v: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)
    bias_mant: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)
    bias_exp: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.window: Window = proc_params["window"]
        self.arrival: int = proc_params["arrival"]
        self.logs = proc_params["logs"]
        self.leak = Leak(proc_params["kept"], 12, rounding="zero")
        self.bias: np.ndarray | None = None
        self.spikes: np.ndarray | None = None
        self.before: np.ndarray | None = None

    def run_spk(self) -> None:
        self.spikes = self.s_in.recv().astype(np.int64)

    def post_guard(self) -> bool:
        return True

    def run_post_mgmt(self) -> None:
        u, v = (port.read().astype(np.int64) for port in (self.u, self.v))
        if self.bias is None:
            exponent = self.bias_exp.read().astype(np.int64)
            self.bias = self.bias_mant.read().astype(np.int64) << exponent
        now = self.window.at(self.time_step, self.arrival)
        if now is None:
            return
        sample, step = now
        before = self.before if step else np.zeros_like(v)
        level = np.where(self.spikes != 0, self.leak(before) + u + self.bias, v)
        shape = self.logs["spikes"].shape[2:]
        self.logs["spikes"][sample, step] = self.spikes.reshape(shape)
        self.logs["membranes"][sample, step] = level.reshape(shape)
        self.before = v
