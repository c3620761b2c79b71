"""Draws docs/report.svg: four of the report's pictures, of the shipped digits network.

    python benchmarks/report_picture.py

Weights are rounded without calibration images, so that the picture follows from the repository
alone; `tests/report/test_report_picture.py` says when it is stale.
"""

import io
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

import snncc

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "report.svg"
IMAGES = 48
LAYER = "channel_mix_lif.0"


def network() -> tuple[snncc.Program, snncc.Result]:
    """The digits network, and its run on a few test images."""
    program = snncc.compile(ROOT / "examples/digits_mixer.pth", normalize=(0.3, 0.35))
    with np.load(ROOT / "examples/digits.npz") as data:
        return program, program.run(data["x_test"][:IMAGES])


def picture(program: snncc.Program, result: snncc.Result) -> str:
    """The drawing as SVG; the same text each time with the same matplotlib."""
    settings = {"svg.hashsalt": "report", "svg.fonttype": "none", "font.family": "DejaVu Sans"}
    with mpl.rc_context(settings):
        figure = Figure(figsize=(10.4, 7.2), facecolor="white", layout="constrained")
        places: Any = figure.subplots(2, 2)
        for axes, title in zip(
            places.flat,
            ("How often every layer fires", "Membranes against the threshold", LAYER, "Bits"),
            strict=True,
        ):
            axes.set_title(title, fontsize=10, loc="left", pad=18)
        result.plot.rates(places[0, 0])
        result.plot.membranes(ax=places[0, 1])
        result.plot.raster(LAYER, places[1, 0])
        program.plot.widths(places[1, 1])
        held = io.StringIO()
        figure.savefig(held, format="svg", metadata={"Date": None})
    return "\n".join(line.rstrip() for line in held.getvalue().splitlines()) + "\n"


if __name__ == "__main__":
    TARGET.write_text(picture(*network()), "utf-8")
    print(f"{TARGET}: {TARGET.stat().st_size:,} bytes")
