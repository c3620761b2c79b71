"""Judges networks on every shipped chip, places them on Loihi 1, and writes the page of the docs.

    OMP_NUM_THREADS=1 python benchmarks/chips_table.py

The MNIST Mixer needs a folder `shared/` beside the checkout (or `SNNCC_SHARED`). Everything on the
page repeats from run to run.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import snncc
from snncc.artifact import Program, program_digest
from snncc.chips.activity import activity_of
from snncc.chips.fitting import Fitter
from snncc.chips.mapping import estimate_of, mapped
from snncc.chips.reading import chip_named, shipped
from snncc.chips.verdicts import Fit
from snncc.runtime import ALL
from snncc.runtime.executors import executor_of
from snncc.runtime.recording import run_recorded

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/chips_table.md"
IMAGES = 25
CHIPS = {"digits": 1, "MNIST": 2}
"""Of Loihi 1, on which a network is placed."""
INTRODUCTION = f"""\
# Networks on chips

What `snncc fit` says of the digits network of `examples/` and of the trained MNIST Mixer of the
tests, and what `snncc map --spikes` makes of them, 8-bit weights, T = 4, spikes of {IMAGES} test
images. `python benchmarks/chips_table.py` makes this page. [chips.md](chips.md) says what the
words mean; no figure here was measured on hardware.

## Fit

"""


@dataclass(frozen=True)
class Network:
    """A checkpoint with images.

    Attributes:
        name: as the page has it.
        path: of the checkpoint.
        normalize: its mean and deviation.
        images: uint8 [n, ...].
    """

    name: str
    path: Path
    normalize: tuple[float, float]
    images: NDArray[np.uint8]


def networks() -> Iterator[Network]:
    """Those that there are on this machine."""
    with np.load(ROOT / "examples/digits.npz") as data:
        images = data["x_test"][:IMAGES]
    yield Network("digits", ROOT / "examples/digits_mixer.pth", (0.3, 0.35), images)
    shared = Path(os.environ.get("SNNCC_SHARED", ROOT.parent / "shared")) / "data"
    with np.load(shared / "mnist_32x32.npz") as data:
        images = data["x_test"][:IMAGES]
    yield Network("MNIST", shared / "mixer_spe_mnist.pth", (0.1307, 0.3081), images)


def fit_row(name: str, profile: str, fit: Fit) -> str:
    """A line of the first table: the answer and what it rests on."""
    kinds = [each.resource for each in fit.violations] or [each.resource for each in fit.unsaid]
    what = "; ".join(dict.fromkeys(kinds)) or "-"
    cores = "-" if fit.cores is None else f"{fit.cores:,}"
    return f"| {name} | `{profile}` | `{fit.chip.name}` | {fit.answer} | {cores} | {what} |"


def placed_row(network: Network, program: snncc.Program) -> str:
    """A line of the second table: the network on as many chips as it needs."""
    images = network.images.reshape(-1, *program.input_shape)
    bare = Program(program.graph, {})
    digest = program_digest(bare)
    run = executor_of(program.graph, "simulator")
    _, recording = run_recorded(program.graph, images, run, ALL, digest)
    activity = activity_of(recording, program.graph, digest, network.name)
    chip, chips = chip_named("loihi1"), CHIPS[network.name]
    found = mapped(bare, chip, "messages", chips, activity)
    estimate = estimate_of(bare, chip, found)
    if estimate is None:
        raise SystemExit("a placed mapping has an estimate")
    placed, cores = found.record["placement"], len(found.record["cores"])
    before, after = placed["hops_in_order"] / IMAGES, placed["hops"] / IMAGES
    time = estimate.microseconds
    cells = (
        *(network.name, f"{cores} on {chips}", f"{placed['messages'] / IMAGES:,.0f}"),
        *(f"{before:,.0f}", f"{after:,.0f}", f"{1 - after / before:.0%}"),
        f"{placed['worst_link'] / IMAGES:,.0f}",
        f"{placed['between_chips'] / IMAGES:,.0f}",
        ("cannot be said; known: " if estimate.energy_unknown else "")
        + shown(estimate.picojoules, 1e-6),
        "cannot be said" if time is None else shown(time, 1),
    )
    return f"| {' | '.join(cells)} |"


def shown(found: tuple[float, float, float], unit: float) -> str:
    """The usual figure and the range of sources."""
    least, usual, most = (each * unit for each in found)
    return f"{usual:.0f} ({least:.0f} to {most:.0f})"


def main() -> None:
    fits = [
        "| network | profile | chip | answer | cores | broken, or else unknown |",
        "| --- | --- | --- | --- | ---: | --- |",
    ]
    header = (
        *("network", "cores on chips", "messages", "hops in order", "hops placed", "fewer"),
        *("worst link", "between chips", "energy, uJ", "time, us"),
    )
    placed = [f"| {' | '.join(header)} |", "| --- " * 2 + "| ---: " * (len(header) - 2) + "|"]
    for network in networks():
        for profile in ("loihi-lava", "exact"):
            program = snncc.compile(network.path, normalize=network.normalize, profile=profile)
            fitter = Fitter(program.graph)
            for name in shipped():
                fits.append(fit_row(network.name, profile, fitter.fit(chip_named(name))))
            if profile == "loihi-lava":
                placed.append(placed_row(network, program))
    notes = (
        "\n## On Loihi 1\n\nAn image. Hops are links that messages cross; in order: core n in slot "
        "n. Energy and time are ESTIMATES from published figures, with the range of their sources, "
        "which `snncc map` names; what brings the image, static power and the host are not in "
        "them. Cannot be said: the image enters as bits that spike, whose synaptic events a "
        "recording does not hold, and of links between chips no energy is published; what is known "
        "is the sum of the rest.\n\n"
    )
    lines = "\n".join(fits) + "\n" + notes + "\n".join(placed) + "\n"
    PAGE.write_text(INTRODUCTION + lines)
    sys.stdout.write(f"{PAGE} written\n")


if __name__ == "__main__":
    main()
