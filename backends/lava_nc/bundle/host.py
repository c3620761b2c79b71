"""The host's side of the network: tensors in, samples through, answers and recordings out."""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from arithmetic import Axes, Constant, Ints
from lava.magma.core.run_conditions import RunSteps
from watch import ReportingSimCfg
from window import Window

FOLDER = Path(__file__).resolve().parent
CHANNEL_SLOTS = 2
"""Messages that wait in a channel. One step sends one; Lava's 64 would only take memory."""


def shared_array(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Zeros in memory that Lava's processes, which are forks of this one, write into as well.

    `Var.get` hands over one number at a time, as a float64: 0.1 ms each.
    """
    count = math.prod(shape)
    memory = mmap.mmap(-1, max(1, count * np.dtype(dtype).itemsize))
    return np.frombuffer(memory, dtype, count).reshape(shape)


class LavaNetwork:
    """Processes of one program, and what is around them.

    `network.Network` fills in what depends on the program.

    Args:
        images: uint8 [samples, *axes of the image].
        record: whether spikes and membranes of every population are kept.
        period: steps from one sample to the next; T if None, at least T.

    Attributes:
        window: when which sample enters.
        answers: int64 [samples, *axes of the readout], filled while it runs.
        spikes, membranes: by population, [samples, t, *axes], filled while it runs.
    """

    STEPS: ClassVar[int]
    DEPTH: ClassVar[int]
    IMAGE: ClassVar[tuple[int, ...]]
    ANSWER: ClassVar[tuple[int, ...]]
    LAST: Any

    def __init__(
        self, images: np.ndarray, *, record: bool = False, period: int | None = None
    ) -> None:
        if images.dtype != np.uint8 or images.shape[1:] != self.IMAGE:
            raise ValueError(
                f"images must be uint8 [n, {', '.join(map(str, self.IMAGE))}], "
                f"not {images.dtype} {list(images.shape)}"
            )
        self.images = images
        self.window = Window(len(images), self.STEPS, period or self.STEPS)
        self.answers = shared_array((len(images), *self.ANSWER), np.int64)
        self.spikes: dict[str, np.ndarray] = {}
        self.membranes: dict[str, np.ndarray] = {}
        self._record = record
        self._steps_run = 0
        with np.load(FOLDER / "tensors.npz", allow_pickle=False) as file:
            self._tensors = {name: file[name] for name in file.files}
        self.build()
        self.connect()

    def build(self) -> None:
        """Makes the processes."""
        raise NotImplementedError

    def connect(self) -> None:
        """Connects their ports."""
        raise NotImplementedError

    def tensor(self, name: str) -> Ints:
        """An array of the program as int64."""
        return self._tensors[name].astype(np.int64)

    def constant(self, name: str, *axes: str) -> Constant:
        """An array of the program over named axes."""
        return Constant(self._tensors[name], axes)

    def log(self, name: str, axes: Axes) -> Mapping[str, np.ndarray] | None:
        """Where a population writes what it did; None if nothing is recorded."""
        if not self._record:
            return None
        shape = (self.window.samples, self.STEPS, *axes.values())
        self.spikes[name] = shared_array(shape, np.uint8)
        self.membranes[name] = shared_array(shape, np.int64)
        return {"spikes": self.spikes[name], "membranes": self.membranes[name]}

    @property
    def steps_needed(self) -> int:
        """Steps of Lava until the last sample is answered."""
        window = self.window
        if window.samples == 0:
            return 0
        return (window.samples - 1) * window.period + self.DEPTH + self.STEPS

    def run(self, progress: Callable[[int], None] | None = None) -> None:
        """Runs all samples through and leaves the processes paused.

        Args:
            progress: called with the number of samples that are answered, now and then.
        """
        window = self.window
        chunk = window.period * max(1, window.samples // 50)
        while self._steps_run < self.steps_needed:
            steps = min(chunk, self.steps_needed - self._steps_run)
            self.LAST.run(
                RunSteps(num_steps=steps),
                ReportingSimCfg(select_tag="fixed_pt"),
                {"pypy_channel_size": CHANNEL_SLOTS},
            )
            self._steps_run += steps
            since = self._steps_run - self.DEPTH - self.STEPS
            if progress is not None:
                progress(max(0, min(window.samples, since // window.period + 1)))

    def stop(self) -> None:
        """Ends the processes; what was recorded stays."""
        self.LAST.stop()

    def __enter__(self) -> LavaNetwork:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Block:
    """The processes of one part of the model; their names are its module paths."""

    def __init__(self, net: LavaNetwork) -> None:
        self.build(net)

    def build(self, net: LavaNetwork) -> None:
        """Makes the processes."""
        raise NotImplementedError
