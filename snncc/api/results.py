"""What a run gives: answers, and spikes and membranes of populations, with the names of axes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncc.api.plots import ResultPlots

Ints = NDArray[np.int64]


@dataclass(frozen=True, repr=False, eq=False)
class Recorded:
    """What one population did, for every image and step.

    Attributes:
        name: of the population.
        values: spikes are 0 or 1, uint8; membranes are integers at the comparison, before the
            reset. Both are [*axes].
        axes: names of the axes of `values`: "batch", then "t" and those of the population.
        threshold: integers that broadcast against `values`; a neuron fires where its membrane is at
            or, when the population compares with "gt", above it.
    """

    name: str
    values: NDArray[Any]
    axes: tuple[str, ...]
    threshold: Ints

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.values, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{a}={n}" for a, n in zip(self.axes, self.values.shape, strict=True))
        return f"<{self.name}: {self.values.dtype} {sizes}>"


class RecordedPopulations(Mapping[str, Recorded]):
    """Populations by name; one that has not been recorded yet is when it is asked for.

    A run is deterministic to the last bit, so running again gives what the first run did.
    """

    def __init__(self, names: tuple[str, ...], record: Callable[[str], Recorded]) -> None:
        self._names = names
        self._record = record
        self._known: dict[str, Recorded] = {}

    def __getitem__(self, name: str) -> Recorded:
        if name not in self._names:
            raise KeyError(f"no population is called {name!r}; there are: {', '.join(self._names)}")
        if name not in self._known:
            self._known[name] = self._record(name)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"<{len(self)} populations: {', '.join(self._names[:4])}{', ...' * (len(self) > 4)}>"


@dataclass(frozen=True, repr=False, eq=False)
class Result:
    """What a program answers, and what its neurons did.

    Attributes:
        predictions: int64 [n]: the class with the largest logit.
        logits: float64 [n, classes], in real units.
        readout: int64 [n, classes]: the integers that logits are a multiple of.
        spike_rates: by population: share of neurons that fire at a step.
        spikes: by population, recorded when first asked for.
        membranes: likewise.
    """

    predictions: Ints
    logits: NDArray[np.float64]
    readout: Ints
    spike_rates: Mapping[str, float]
    spikes: Mapping[str, Recorded]
    membranes: Mapping[str, Recorded]

    @property
    def plot(self) -> ResultPlots:
        """Pictures as matplotlib's axes: `result.plot.raster("layer")`."""
        return ResultPlots(self)

    def accuracy(self, labels: Any) -> float:
        """Share of images whose prediction is the label.

        Args:
            labels: integers [n].

        Raises:
            ValueError: there are not as many labels as images, or they are no classes.
        """
        truth = np.asarray(labels)
        if truth.shape != self.predictions.shape:
            raise ValueError(
                f"labels have shape {truth.shape}, predictions {self.predictions.shape}"
            )
        classes = max(1, self.logits[:1].size)
        if truth.dtype.kind not in "iu" or (
            truth.size and not 0 <= truth.min() <= truth.max() < classes
        ):
            raise ValueError(f"labels are no integers from 0 to {classes - 1}: {truth.dtype}")
        return float((self.predictions == truth).mean())

    def __repr__(self) -> str:
        images, classes = len(self.predictions), self.logits.shape[-1]
        return f"<Result: {images:,} images, {classes} classes, {len(self.spikes)} populations>"
