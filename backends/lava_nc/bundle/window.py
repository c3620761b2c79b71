"""When which sample is where, and what all models of the network's processes share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from arithmetic import Axes
from lava.magma.core.model.py.model import PyLoihiProcessModel


@dataclass(frozen=True)
class Window:
    """Sample k enters at steps k * period .. k * period + steps - 1.

    A process whose values arrive `arrival` steps later works on it that much later. With
    period = steps the samples follow each other without a gap, each layer busy with another one.
    """

    samples: int
    steps: int
    period: int

    def __post_init__(self) -> None:
        if self.period < self.steps:
            raise ValueError(f"a sample takes {self.steps} steps, the period is {self.period}")

    def at(self, time_step: int, arrival: int) -> tuple[int, int] | None:
        """Sample and step within it at one step of Lava, which counts from 1; None between."""
        sample, step = divmod(time_step - 1 - arrival, self.period)
        return (sample, step) if 0 <= sample < self.samples and step < self.steps else None


def port_shape(axes: Axes) -> tuple[int, ...]:
    """Lengths of the axes; a port of one number still has an axis."""
    return tuple(axes.values()) or (1,)


class WindowedModel(PyLoihiProcessModel):
    """A model that knows which sample it is looking at."""

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.window: Window = proc_params["window"]
        self.arrival: int = proc_params["arrival"]

    def now(self) -> tuple[int, int] | None:
        """Sample and step within it, or None outside every window."""
        return self.window.at(self.time_step, self.arrival)
