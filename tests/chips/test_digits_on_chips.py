"""The trained digits network on the shipped chips: unrolled, judged, mapped."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chips_table import fit_row
from unrolled_steps import wrong_values

import snncc
from snncc.artifact import Program, program_digest
from snncc.chips.activity import activity_of
from snncc.chips.fitting import Fitter
from snncc.chips.mapping import mapped
from snncc.chips.reading import chip_named, shipped
from snncc.runtime import ALL
from snncc.runtime.executors import executor_of
from snncc.runtime.recording import run_recorded


@pytest.fixture(scope="module")
def digits(root: Path) -> snncc.Program:
    return snncc.compile(
        root / "examples/digits_mixer.pth", normalize=(0.3, 0.35), profile="loihi-lava"
    )


@pytest.fixture(scope="module")
def fitter(digits: snncc.Program) -> Fitter:
    return Fitter(digits.graph)


def test_its_synapses_give_every_spike(digits: snncc.Program, fitter: Fitter, root: Path) -> None:
    with np.load(root / "examples/digits.npz") as data:
        images = data["x_test"][:3].reshape(3, *digits.input_shape)
    wrong, seen = wrong_values(fitter.unrolled, images)
    assert wrong == 0
    assert seen == 3 * (4 * 18_944 + 10)
    assert fitter.unrolled.refused == ()


def test_it_fits_loihi_1_and_leans_on_nothing_unverified(fitter: Fitter) -> None:
    fit = fitter.fit(chip_named("loihi1"))
    assert fit.answer == "fits"
    assert fit.violations == fit.unsaid == fit.leaning == ()
    assert fit.cores is not None
    assert 28 <= fit.cores <= 128  # 28: the weights alone, by memory
    wide = [note for note in fit.notes if "wide weights as exact sums" in note]
    assert wide, "weights of more than 8 bits are what a naive rule refuses"


def test_the_page_says_what_each_chip_answers(fitter: Fitter, root: Path) -> None:
    page = (root / "docs/chips.md").read_text()
    lines = page.partition("## What a program needs")[0].splitlines()
    said: dict[str, str] = {}
    for line in lines:
        match = re.fullmatch(r"\| (`[^|]*`) \| (fits|does not fit|cannot be said) \| .* \|", line)
        if match:
            said |= dict.fromkeys(re.findall(r"`([^`]+)`", match[1]), match[2])
    assert said == {name: fitter.fit(chip_named(name)).answer for name in shipped()}


def test_the_table_says_what_each_chip_answers(fitter: Fitter, root: Path) -> None:
    lines = (root / "docs/chips_table.md").read_text().splitlines()
    own = [line for line in lines if line.startswith("| digits | `loihi-lava` |")]
    chips = [chip_named(name) for name in shipped()]
    assert own == [fit_row("digits", "loihi-lava", fitter.fit(chip)) for chip in chips]


@pytest.fixture(scope="module")
def record(digits: snncc.Program, root: Path) -> dict[str, Any]:
    """Its mapping to Loihi 1, placed by four images."""
    program = Program(digits.graph, {})
    with np.load(root / "examples/digits.npz") as data:
        images = data["x_test"][:4].reshape(4, *digits.input_shape)
    digest = program_digest(program)
    run = executor_of(digits.graph, "simulator")
    _, recording = run_recorded(digits.graph, images, run, ALL, digest)
    seen = activity_of(recording, digits.graph, digest, "in memory")
    return mapped(program, chip_named("loihi1"), "messages", 1, seen).record


def test_its_spikes_go_a_quarter_fewer_hops_than_in_order(record: dict[str, Any]) -> None:
    placed = record["placement"]
    assert 0 < placed["hops"] <= 0.75 * placed["hops_in_order"]


def test_it_is_mapped_and_the_checker_recounts_every_core(record: dict[str, Any]) -> None:
    limits = record["chip"]["limits"]
    assert set(limits) >= {"core.neurons", "core.in_axons", "core.synapse_memory"}
    for core in record["cores"]:
        assert core["load"]["neurons"] <= limits["core.neurons"]
        assert core["load"]["synapse_bits"] <= limits["core.synapse_memory"]
    assert sum(core["load"]["neurons"] for core in record["cores"]) == 18_954
