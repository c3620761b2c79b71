"""One image, step by step: answers as they come, and a state that can be kept and resumed.

    stream = Simulator(graph).stream(image)
    for answer in stream:
        print(answer.done, answer.logits.argmax())
    save_state(path, stream.state())  # at any step; Simulator(graph).resume(load_state(path))

A program that reads a frame at every step can be given them as they come:

    stream = Simulator(graph).stream()
    for frame in camera:
        print(stream.step(frame).logits.argmax())

The bits are those of a batch run, whatever the number of threads and wherever it was interrupted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from snncc.backends.cpu.streams.frames import put_frame
from snncc.backends.cpu.streams.state import StreamState
from snncc.diagnostics import SnnccError
from snncc.execution import Images, Ints, readout_of
from snncc.ir import Array, Graph
from snncc.ir.arrays import spread


@dataclass(frozen=True)
class Step:
    """What one time step of the engine gave.

    Attributes:
        current: what is read out at this step, [*axes of the output], without the offset.
        spikes: 0 or 1 by recorded population, [*axes of its type but time].
        membranes: likewise, at the comparison, before the reset.
        counts: spikes of every population.
    """

    current: Ints
    spikes: Mapping[str, Array]
    membranes: Mapping[str, Ints]
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Answer:
    """What a network has answered after some of its steps.

    Attributes:
        done: how many steps are computed.
        readout: integers, [*axes of the output]; after the last step those of a batch run.
        logits: the same in real units, float64.
        spikes: of this step, 0 or 1 by recorded population, [*axes of its type but time].
        membranes: of this step, Z at the comparison, before the reset; same shape.
        spike_counts: spikes of every population at this step.
    """

    done: int
    readout: Ints
    logits: NDArray[np.float64]
    spikes: Mapping[str, Array]
    membranes: Mapping[str, Ints]
    spike_counts: Mapping[str, int]


class Engine(Protocol):
    """Computes single steps of one image and holds the membranes between them."""

    def step(self, t: int) -> Step:
        """Computes step t, after step t - 1."""
        ...

    def membranes(self) -> dict[str, Ints]:
        """After the reset, by population, [*axes of its type but time]."""
        ...

    def delays(self) -> dict[str, Ints]:
        """The last values that each delay has read, [steps, *axes of one step]."""
        ...

    def resume(self, membranes: Mapping[str, Ints], delays: Mapping[str, Ints]) -> None:
        """Takes what `membranes` and `delays` gave; the next step is not the first."""
        ...


class Stream:
    """One image on its way through a program. `Simulator.stream` and `.resume` make it.

    Args:
        graph: integer dialect.
        image: uint8, [*axes of the image].
        digest: of the graph, as `Simulator.digest` gives it.
        engine: of this image.
        done: how many steps the engine has behind it.
        readout: sum over them, without the offset.
        fed: steps get their frames one by one: `image`, which the engine reads, has only those of
            the steps done.
    """

    def __init__(
        self,
        graph: Graph,
        image: Images,
        digest: str,
        engine: Engine,
        done: int,
        readout: Ints,
        fed: bool = False,
    ) -> None:
        self.graph, self.done, self.fed = graph, done, fed
        self._image, self._digest, self._engine = image, digest, engine
        self._sum = readout
        op, kind = readout_of(graph), graph[graph.output].type
        self._unit = op.unit
        self._offset = np.zeros(kind.shape, np.int64)
        if op.offset is not None:
            constant = graph.constants[op.offset.name].astype(np.int64)
            self._offset += spread(constant, op.offset.axes, kind.names)

    @property
    def finished(self) -> bool:
        return self.done == self.graph.steps

    def step(self, frame: Any = None) -> Answer:
        """Computes the next time step.

        Args:
            frame: what enters at this step, [*axes of the image but time], where the stream was
                started without an image.

        Raises:
            SnnccError: SNN001 when all are computed, or a frame is missing or one too many; SNN016
                for a frame that is not what the program takes. The stream can go on after either.
        """
        if self.finished:
            raise SnnccError(
                "SNN001",
                f"all {self.done} time steps of the image are computed",
                help="start another stream, or look at `finished`",
            )
        self._take(frame)
        found = self._engine.step(self.done)
        self.done += 1
        self._sum = self._sum + found.current
        readout = self._sum + self._offset
        logits = readout.astype(np.float64) * self._unit
        return Answer(self.done, readout, logits, found.spikes, found.membranes, found.counts)

    def __iter__(self) -> Iterator[Answer]:
        """The remaining steps."""
        while not self.finished:
            yield self.step()

    def state(self) -> StreamState:
        """Everything that the remaining steps need; later steps do not change it."""
        membranes, delays = self._engine.membranes(), self._engine.delays()
        image = self._image.copy() if self.fed else self._image
        return StreamState(self._digest, self.done, image, membranes, self._sum, delays, self.fed)

    def _take(self, frame: Any) -> None:
        """Puts the frame of the next step where the engine reads it."""
        if frame is None and not self.fed:
            return
        if frame is None:
            raise SnnccError(
                "SNN001",
                f"step {self.done} has no frame",
                why="the stream was started without an image, so every step brings its own",
                help="give step(frame)",
            )
        if not self.fed:
            raise SnnccError(
                "SNN001",
                f"step {self.done} has a frame too many",
                why="the stream was started with an image, which has the frames of all steps",
                help="leave the frame out, or start the stream without an image",
            )
        put_frame(self.graph, self._image, self.done, frame)
