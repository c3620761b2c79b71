"""Pictures with a row for each layer: rates, flips and margins, work, time, widths."""

from collections.abc import Mapping, Sequence
from typing import Any

from snncc.report.activity import Watched
from snncc.report.difference import LayerFlips
from snncc.report.origin import Beside
from snncc.report.pictures.style import PAPER, Palette, bars, legend, plain, rows
from snncc.report.widths import WidthFacts
from snncc.report.work import TimeFacts, WorkFacts


def rates(
    axes: Any,
    found: Sequence[tuple[str, float]],
    beside: Mapping[str, Beside] | None = None,
    palette: Palette = PAPER,
) -> Any:
    """Spikes of a neuron at a step, by layer; a mark for the real-valued network's."""
    names = [name for name, _ in found]
    shares = [100 * rate for _, rate in found]
    plain(axes, palette, "spikes of a neuron at a step, %")
    bars(axes, shares, palette.own, "program")
    known = (
        [(i, 100 * beside[n].rate) for i, n in enumerate(names) if n in beside] if beside else []
    )
    if known:
        places, values = zip(*known, strict=True)
        axes.plot(
            values, places, "D", markersize=4, color=palette.other, label="float network", zorder=3
        )
        legend(axes, palette)
    rows(axes, names, palette)
    axes.set_xlim(0, _room([*shares, *(value for value, _ in known)]))
    return axes


def margins(
    axes: Any,
    watched: Sequence[Watched],
    flips: Sequence[LayerFlips] = (),
    beside: Mapping[str, Beside] | None = None,
    palette: Palette = PAPER,
) -> Any:
    """Share of membranes near the threshold, and of spikes that differ, by layer."""
    names = [each.name for each in watched] or [each.name for each in flips] or list(beside or {})
    plain(axes, palette, "of images, steps and neurons, %")
    shown: list[float] = []
    if watched:
        near = [100 * each.near / max(1, each.membranes) for each in watched]
        shown += near
        bars(axes, near, palette.faint, "near the threshold")
    place = {name: i for i, name in enumerate(names)}
    for layers, mark, colour, label in (
        (
            {n: each.flips for n, each in (beside or {}).items()},
            "D",
            palette.other,
            "flips: rounding",
        ),
        ({each.name: each.share for each in flips}, "o", palette.alarm, "flips: other"),
    ):
        known = [(100 * share, place[name]) for name, share in layers.items() if name in place]
        if known:
            values, places = zip(*known, strict=True)
            shown += values
            axes.plot(values, places, mark, markersize=4, color=colour, label=label, zorder=3)
    legend(axes, palette)
    rows(axes, names, palette)
    axes.set_xlim(0, _room(shown))
    return axes


def work(axes: Any, found: Sequence[WorkFacts], palette: Palette = PAPER) -> Any:
    """Synaptic operations an image, by projection, on a logarithmic axis."""
    plain(axes, palette, "synaptic operations an image")
    bars(axes, [each.dense for each in found], palette.faint, "dense")
    bars(axes, [each.effective for each in found], palette.own, "effective", 0.34)
    rows(axes, [each.name for each in found], palette)
    largest = max((max(each.dense, each.effective) for each in found), default=1.0)
    axes.set_xscale("symlog", linthresh=1.0)
    axes.set_xlim(0, max(10.0, 2 * largest))
    axes.set_xticks([0, *(10**k for k in range(0, 16, 2) if 10**k <= 2 * largest)])
    axes.minorticks_off()
    legend(axes, palette)
    return axes


def times(axes: Any, found: Sequence[TimeFacts], palette: Palette = PAPER) -> Any:
    """Microseconds of one image, by unit of the simulator."""
    plain(axes, palette, "microseconds of one image on one thread")
    bars(axes, [1e6 * each.seconds for each in found], palette.own)
    rows(axes, [each.name for each in found], palette)
    axes.set_xlim(0, _room([1e6 * each.seconds for each in found]))
    return axes


def widths(
    axes: Any, found: Sequence[WidthFacts], register: int = 16, palette: Palette = PAPER
) -> Any:
    """Bits of membranes: declared, proved, reached; and the line of a register."""
    plain(axes, palette, "bits, sign included")
    bars(axes, [each.bits[0] for each in found], palette.faint, "declared")
    bars(axes, [each.bits[1] for each in found], palette.own, "proved", 0.34)
    known = [(each.bits[2], i) for i, each in enumerate(found) if each.bits[2] is not None]
    if known:
        values, at = zip(*known, strict=True)
        axes.plot(values, at, "D", markersize=4, color=palette.other, label="reached", zorder=3)
    axes.axvline(register, color=palette.alarm, linewidth=1.2, label=f"register, {register}")
    rows(axes, [each.name for each in found], palette)
    most = max([register, *(each.bits[0] for each in found)]) + 2
    axes.set_xlim(0, most)
    axes.set_xticks(range(0, most, 4 if most <= 40 else 8))
    legend(axes, palette, 4)
    return axes


def _room(values: Sequence[float]) -> float:
    """The right end of an axis that shows all of these."""
    return 1.05 * max(values, default=0.0) or 1.0
