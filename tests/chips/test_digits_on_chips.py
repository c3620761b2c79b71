"""The trained digits network on the shipped chips: unrolled, judged, mapped."""

import re
from pathlib import Path

import numpy as np
import pytest
from unrolled_steps import wrong_values

import snncc
from snncc.artifact import Program
from snncc.chips.fitting import Fitter
from snncc.chips.mapping import mapping_of
from snncc.chips.reading import chip_named, shipped


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


def test_it_is_mapped_and_the_checker_recounts_every_core(digits: snncc.Program) -> None:
    chip = chip_named("loihi1")
    record = mapping_of(Program(digits.graph, {}), chip, "messages")
    limits = record["chip"]["limits"]
    assert set(limits) >= {"core.neurons", "core.in_axons", "core.synapse_memory"}
    for core in record["cores"]:
        assert core["load"]["neurons"] <= limits["core.neurons"]
        assert core["load"]["synapse_bits"] <= limits["core.synapse_memory"]
    assert sum(core["load"]["neurons"] for core in record["cores"]) == 18_954
