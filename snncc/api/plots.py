"""`program.plot` and `result.plot`: the report's pictures one by one, as matplotlib's axes.

Each takes axes to draw on, or makes a figure of its own. They need `pip install 'snncc[report]'`.
"""

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from snncc.api.arguments import classes_of
from snncc.ir import TIME, Graph
from snncc.report.extras import library

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from snncc.api.results import Recorded, Result
    from snncc.report.activity import Watched

WIDE, ROW = 6.4, 0.24
"""Inches: of a figure, and of a row in it."""


class ProgramPlots:
    """Pictures of a program: `graph`, `weights`, `widths`."""

    def __init__(self, graph: Graph, report: Mapping[str, Any]) -> None:
        self._graph, self._report = graph, report

    def graph(self, ax: "Axes | None" = None) -> "Axes":
        """The network from the image down: thick boxes are populations, colours are levels."""
        from snncc.mfi import prove
        from snncc.report.layout import layout
        from snncc.report.network import nodes_of
        from snncc.report.pictures.graph import graph

        nodes = nodes_of(self._graph, prove(self._graph), self._report)
        size = layout([node.name for node in nodes], {node.name: node.inputs for node in nodes})
        axes = ax or _figure(size.width / 80, size.height / 80)
        return _drawn(graph(axes, nodes))

    def weights(self, ax: "Axes | None" = None) -> "Axes":
        """Histograms of weights, by projection, between the clip edges of their bits."""
        from snncc.report.pictures.ridges import weights
        from snncc.report.weights import weights_of

        found = weights_of(self._graph, self._report)
        return _drawn(weights(ax or _of_rows(len(found)), found))

    def widths(self, ax: "Axes | None" = None, *, register: int = 16) -> "Axes":
        """Bits of membranes and of the answer, declared and proved, beside a register's.

        Raises:
            SnnccError: SNN004 when nobody can prove them, one by one.
        """
        from snncc.report.pictures.layers import widths
        from snncc.report.widths import proved_widths

        every = proved_widths(self._graph)
        found = [each for each in every if each.what in ("membrane", "readout")]
        return _drawn(widths(ax or _of_rows(len(found)), found, register))


class ResultPlots:
    """Pictures of a run: `rates`, `raster`, `membranes`, `confusion`."""

    def __init__(self, result: "Result") -> None:
        self._result = result

    def rates(self, ax: "Axes | None" = None) -> "Axes":
        """How often the neurons of every population fire."""
        from snncc.report.pictures.layers import rates

        found = list(self._result.spike_rates.items())
        return _drawn(rates(ax or _of_rows(len(found)), found))

    def raster(
        self, name: str, ax: "Axes | None" = None, *, beside: "Result | None" = None
    ) -> "Axes":
        """Spikes of some neurons of a population; those that differ from another run are marked.

        Args:
            name: of the population.
            ax: to draw on; None for a figure of its own.
            beside: another result, of the same images.

        Raises:
            KeyError: no population is called so.
            ValueError: the other result's spikes have another shape.
        """
        from snncc.report.pictures.spikes import raster
        from snncc.report.raster import raster_of

        own = _over_steps(self._result.spikes[name], lambda recorded: recorded.values)
        other = None
        if beside is not None:
            other = _over_steps(beside.spikes[name], lambda recorded: recorded.values)
            if other.shape != own.shape:
                raise ValueError(f"spikes are {list(own.shape)} here, {list(other.shape)} beside")
        return _drawn(raster(ax or _figure(WIDE, 3.6), raster_of(name, own, other)))

    def membranes(self, names: Collection[str] = (), ax: "Axes | None" = None) -> "Axes":
        """Membranes at the comparison, against the threshold; of all populations for no names.

        Raises:
            KeyError: no population is called so.
        """
        from snncc.report.pictures.ridges import membranes

        wanted = (names,) if isinstance(names, str) else tuple(names)
        found = [self._watched(name) for name in wanted or self._result.spikes]
        return _drawn(membranes(ax or _of_rows(len(found)), found))

    def confusion(self, labels: Any, ax: "Axes | None" = None) -> "Axes":
        """Which classes are taken for which.

        Args:
            labels: integers [n].
            ax: to draw on; None for a figure of its own.

        Raises:
            ValueError: labels are not one class for each image.
        """
        from snncc.report.answers import answers_of
        from snncc.report.pictures.confusion import confusion

        self._result.accuracy(labels)
        classes = max(1, self._result.logits[:1].size)
        found = answers_of(self._result.predictions, classes, classes_of(labels))
        return _drawn(confusion(ax or _figure(4.8, 4.8), found))

    def _watched(self, name: str) -> "Watched":
        from snncc.report.activity import Tally

        spikes, membranes = self._result.spikes[name], self._result.membranes[name]
        levels = _over_steps(membranes, lambda recorded: recorded.threshold)[0]
        tally = Tally(name, membranes.axes[1:], levels)
        tally.add(spikes.values, membranes.values.astype(np.int64))
        return tally.watched()


def _over_steps(recorded: "Recorded", of: "Callable[[Recorded], Any]") -> Any:
    """Values or thresholds as [batch, t, *others]."""
    return np.moveaxis(of(recorded), recorded.axes.index(TIME), 1)


def _of_rows(count: int) -> Any:
    return _figure(WIDE, 1.2 + ROW * count)


def _figure(width: float, height: float) -> Any:
    """Axes of a new figure that notebooks show."""
    pyplot = library("matplotlib.pyplot", "a picture")
    return pyplot.subplots(figsize=(width, height), layout="constrained")[1]


def _drawn(axes: Any) -> "Axes":
    found: Axes = axes
    return found
