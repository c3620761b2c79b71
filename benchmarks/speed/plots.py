"""The page's plots, as SVG."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from speed.comparison import OURS

mpl.use("Agg")
mpl.rcParams.update({"svg.hashsalt": "snncc", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3})
LABELS = {
    "width": "neurons of a layer",
    "depth": "dense layers",
    "steps": "T",
    "batch": "images at once",
    "threads": "threads, 8 images",
}
GIGA = 1e9


def plot(found: dict[str, Any], folder: Path) -> list[str]:
    """Writes every plot that there are numbers for; returns the files' names."""
    names: list[str] = []
    if found["tables"]:
        names.append(_ratios(found["tables"], folder))
    if found["sweeps"]:
        names += [_activity(found["sweeps"], folder), _sweeps(found["sweeps"], folder)]
    return names


def _ratios(tables: list[dict[str, Any]], folder: Path) -> str:
    rows = max(len(table["rows"]) for table in tables)
    figure, axes = plt.subplots(
        len(tables), 1, figsize=(7, 0.28 * rows * len(tables) + 1), squeeze=False
    )
    for axis, table in zip(axes[:, 0], tables, strict=True):
        others = [r for r in table["rows"] if r["name"] != OURS and "ratio" in r]
        for place, row in enumerate(others):
            ratio = row["ratio"]
            axis.barh(place, ratio["median"], color="#4477aa")
            axis.hlines(place, ratio["least"], ratio["most"], color="black")
        axis.set_yticks(range(len(others)), [row["name"] for row in others])
        axis.axvline(1, color="#cc3311")
        axis.set_xscale("log")
        axis.set_title(f"{table['network']}, batch {table['batch']}", loc="left")
    axes[-1, 0].set_xlabel("times our seconds; line: least to most of all rounds")
    return _save(figure, folder, "speed_ratios.svg")


def _activity(sweeps: list[dict[str, Any]], folder: Path) -> str:
    rows = [row for row in sweeps if row["sweep"] == "rate"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
    percent = [100 * row["rate"] for row in rows]
    left.plot(percent, [1e3 * row["seconds"] for row in rows], "o-", color="#4477aa")
    left.set(xlabel="% of neurons that fire at a step", ylabel="ms an image", ylim=(0, None))
    busy = [row for row in rows if row["adds"]]
    rates = [row["adds"] / row["seconds"] / GIGA for row in busy]
    right.plot([100 * row["rate"] for row in busy], rates, "o-", color="#4477aa")
    right.set(xlabel="% of neurons that fire at a step", ylabel="G additions/s", ylim=(0, None))
    return _save(figure, folder, "speed_activity.svg")


def _sweeps(sweeps: list[dict[str, Any]], folder: Path) -> str:
    figure, axes = plt.subplots(1, len(LABELS), figsize=(12, 2.6))
    for axis, (name, label) in zip(axes, LABELS.items(), strict=True):
        rows = [row for row in sweeps if row["sweep"] == name]
        _panel(axis, name, rows)
        axis.set_xlabel(label)
    axes[0].set_ylabel("ms")
    return _save(figure, folder, "speed_sweeps.svg")


def _panel(axis: Axes, name: str, rows: list[dict[str, Any]]) -> None:
    values = [row["value"] for row in rows]
    axis.plot(values, [1e3 * row["seconds"] for row in rows], "o-", color="#4477aa")
    if name != "threads":
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
    axis.set_xticks(values, [f"{value:g}" for value in values])
    axis.minorticks_off()


def _save(figure: Any, folder: Path, name: str) -> str:
    figure.tight_layout()
    figure.savefig(folder / name, metadata={"Date": None})
    plt.close(figure)
    return name
