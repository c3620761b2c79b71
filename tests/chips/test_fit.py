"""Verdicts: each limit at its border, unknown is never a yes, and all violations come at once."""

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chip_texts import SMALL, small_chip, small_program
from executions import with_neurons
from looped_programs import looped
from random_programs import random_program

from snncc.artifact import Program, save_program
from snncc.chips.facts import Chip, Fact
from snncc.chips.fitting import Fitter
from snncc.chips.reading import chip_named, shipped
from snncc.chips.rules.layer_cores import Job, matching
from snncc.chips.rules.neurons import leak_of
from snncc.chips.verdicts import Fit
from snncc.cli.main import run
from snncc.diagnostics import SnnccError
from snncc.ir import Graph, GraphBuilder
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.projections import Contract, Convolve, Frames, Sum


@pytest.fixture(scope="module")
def fitter() -> Fitter:
    return Fitter(small_program())


def test_a_program_fits_and_says_how(fitter: Fitter, tmp_path: Path) -> None:
    fit = fitter.fit(small_chip(tmp_path))
    assert repr(fit) == f"<Fit {fit.chip.name}: fits; 0 limits broken, 0 things unknown>"
    assert fit.answer == "fits"
    assert fit.violations == fit.unsaid == fit.leaning == ()
    assert fit.cores is not None
    assert 10 < fit.cores <= 40
    assert any("wide weights as exact sums" in note for note in fit.notes)
    assert any("bits that spike" in note for note in fit.notes)


def needs(fitter: Fitter) -> dict[str, int]:
    """What the program needs of single facts, from its own numbers."""
    every = fitter.needs
    return {
        "neuron.state_bits": max(each.state_bits for each in every),
        "neuron.threshold_bits": max(each.threshold_bits for each in every),
        "neuron.delay_steps": 1,
        "neuron.decay_bits": 1,
    }


@pytest.mark.parametrize(
    "key", ["neuron.state_bits", "neuron.threshold_bits", "neuron.delay_steps", "neuron.decay_bits"]
)
def test_each_limit_holds_at_its_border_and_breaks_below(
    key: str, fitter: Fitter, tmp_path: Path
) -> None:
    need = needs(fitter)[key]
    changes = [f"{key}={need}"]
    if key == "neuron.state_bits":
        changes.append(f"threshold_bits={need}")
    if need > 1 or key == "neuron.delay_steps":
        below = [changes[0].replace(f"={need}", f"={need - 1}"), *changes[1:]]
        if key == "neuron.state_bits":
            below[1] = f"threshold_bits={need - 1}"
        broken = fitter.fit(small_chip(tmp_path, *below))
        assert broken.answer == "does not fit"
        assert {each.fact for each in broken.violations} == {key}
        worst = max(int(each.need) for each in broken.violations)
        assert worst == need
        assert all(each.limit == need - 1 and each.change for each in broken.violations)
    assert fitter.fit(small_chip(tmp_path, *changes)).answer == "fits"


@pytest.mark.parametrize(
    ("change", "resource"),
    [
        ("cores=5", "cores"),
        ("core.neurons=1", "neurons"),
        ("in_axons=5", "lists of synapses on a core"),
        ("out_axons=1", "targets that a core sends to"),
        ("synapse_memory=40", "synapse memory of a core, bits"),
        ("current_bits=9", "bits of a current"),
        ("synapse_formats=1", "formats of synapses on a core"),
        ("exponents=5,9", "shifts of weights"),
        ("several=false", "weight bits"),
        ("resets=soft", "reset"),
        ("leaks=none", "leak"),
        ("temporal=false", "neurons"),
        ("threshold_step=1024", "threshold"),
        ("chip.neurons=40", "neurons"),
        ("chip.synapses=100", "synapses"),
        ("inputs=5", "inputs"),
        ("outputs=3", "outputs"),
        ("hidden=60", "hidden neurons"),
        ("synapse.destinations=1", "axons that a neuron sends to"),
        ("axon_types=2", "bits by axon types"),
    ],
)
def test_every_limit_can_be_broken(
    change: str, resource: str, fitter: Fitter, tmp_path: Path
) -> None:
    fit = fitter.fit(small_chip(tmp_path, change))
    assert fit.answer == "does not fit"
    assert resource in {each.resource for each in fit.violations}


def test_all_violations_come_at_once(fitter: Fitter, tmp_path: Path) -> None:
    fit = fitter.fit(small_chip(tmp_path, "resets=soft", "leaks=none", "delay_steps=0", "inputs=1"))
    assert {each.resource for each in fit.violations} == {"reset", "leak", "delay steps", "inputs"}
    assert [v.layer for v in fit.violations if v.resource == "reset"] == [
        "first",
        "second",
        "third",
    ]


@pytest.mark.parametrize(
    "key",
    [
        *("state_bits", "resets", "leaks", "delay_steps", "in_axons", "synapse_memory"),
        *("exponents", "weight_bits", "chip.cores", "temporal", "several", "delay_bits_stored"),
        "core.neurons",
    ],
)
def test_what_is_unknown_makes_no_yes(key: str, fitter: Fitter, tmp_path: Path) -> None:
    fit = fitter.fit(small_chip(tmp_path, f"{key}=unknown"))
    assert fit.answer == "cannot be said"
    assert any(each.fact.endswith(key) and each.why == "--set" for each in fit.unsaid)


@pytest.mark.parametrize("key", ["bias_bits", "by_step"])
def test_what_is_unknown_and_not_needed_does_no_harm(
    key: str, fitter: Fitter, tmp_path: Path
) -> None:
    assert fitter.fit(small_chip(tmp_path, f"{key}=unknown")).answer == "fits"


def test_the_answer_names_unverified_facts_that_it_rests_on(fitter: Fitter, tmp_path: Path) -> None:
    text = SMALL.replace(
        'resets = { value = ["hard"], source',
        'resets = { value = ["hard"], verified = false, source',
    )
    fit = fitter.fit(small_chip(tmp_path, text=text))
    assert (fit.answer, fit.leaning) == ("fits", ("neuron.resets",))


def test_a_gain_is_named_and_other_limits_are_still_compared(tmp_path: Path) -> None:
    seen = 0
    for seed in range(12):
        graph = random_program(seed)
        fit = Fitter(graph).fit(small_chip(tmp_path, "state_bits=4", "threshold_bits=4"))
        if any("gain" in each.why for each in fit.unsaid):
            seen += 1
            assert "neuron.state_bits" in {each.fact for each in fit.violations}
            free = Fitter(graph).fit(chip_named("lut_array", ["core.memory=9000000"]))
            assert free.answer == "cannot be said"
    assert seen > 3


def test_words_of_leaks() -> None:
    rule = IntegerPopulation(small_program().select(IntegerPopulation)[0].op.threshold)  # type: ignore[attr-defined]
    words = {
        (1, 0, Rounding.DOWN, -9): "none",
        (0, 1, Rounding.DOWN, -9): "forgets",
        (1, 1, Rounding.DOWN, -9): "multiply, rounded down",
        (1, 1, Rounding.DOWN, 0): "multiply-toward-zero",
        (1, 1, Rounding.TO_ZERO, -9): "multiply-toward-zero",
        (3, 2, Rounding.UP, -9): "shift",
        (3, 2, Rounding.DOWN, -9): "multiply, rounded down",
    }
    for (factor, shift, rounding, low), word in words.items():
        each = replace(rule, decay=(factor, shift), rounding=rounding, membrane=(low, 9))
        assert leak_of(each) == word


def test_constants_by_step_break_a_chip_without_them(tmp_path: Path) -> None:
    graph = small_program()
    op = graph["first"].op
    assert isinstance(op, IntegerPopulation)
    timed = replace(graph, constants={**graph.constants, "b": np.array([0, 1, 2])})
    changed = with_neurons(timed, "first", bias=replace(op.threshold, name="b", axes=("t",)))
    fit = Fitter(changed).fit(small_chip(tmp_path))
    assert [(each.layer, each.need) for each in fit.violations] == [("first", "bias")]


def cores(kernels: tuple[int, ...], neurons: tuple[int, ...]) -> Chip:
    facts = {
        "core.kernel_words": Fact(kernels, "a test"),
        "core.neuron_words": Fact(neurons, "a test"),
    }
    return Chip("x", "x", "layer-cores", facts)


@pytest.mark.parametrize("seed", range(120))
def test_the_matching_is_the_largest_there_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, many = (int(n) for n in rng.integers(1, 6, 2))
    chip = cores(*(tuple(rng.integers(1, 6, count).tolist()) for _ in range(2)))
    jobs = [Job(f"j{i}", int(rng.integers(1, 6)), int(rng.integers(1, 6))) for i in range(many)]
    kernels, neurons = chip.wholes("core.kernel_words"), chip.wholes("core.neuron_words")

    def held(order: tuple[int | None, ...]) -> int:
        pairs = [(job, core) for job, core in zip(jobs, order, strict=True) if core is not None]
        fit = all(j.kernel <= kernels[c] and j.neurons <= neurons[c] for j, c in pairs)
        return len(pairs) if fit and len({c for _, c in pairs}) == len(pairs) else 0

    best = max(held(order) for order in itertools.product([None, *range(count)], repeat=many))
    found = matching(jobs, chip)
    assert len(found) == best
    assert held(tuple(found.get(job.name) for job in jobs)) == best


def test_every_shipped_chip_answers_every_program(fitter: Fitter) -> None:
    fitters = [fitter, *(Fitter(random_program(seed)) for seed in range(6))]
    for name in shipped():
        chip = chip_named(name)
        for each in fitters:
            fit: Fit = each.fit(chip)
            assert fit.answer in ("fits", "does not fit", "cannot be said")
            assert all(v.resource and v.fact in chip.facts for v in fit.violations), name
            assert all(u.why for u in fit.unsaid)


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save_program(tmp_path / "p.snncc", Program(small_program(), {}))
    (tmp_path / "small.toml").write_text(SMALL)
    return tmp_path


def test_the_command_answers_for_one_and_for_all(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["fit", "p.snncc", "--chip", "small.toml"]) == 0
    shown = capsys.readouterr().out
    assert "answer    fits" in shown
    assert "third" in shown
    assert run(["fit", "p.snncc", "--chip", "small.toml", "--set", "resets=soft"]) == 1
    assert "train with that reset" in capsys.readouterr().out
    assert run(["fit", "p.snncc"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[1:]} == set(shipped())
    assert run(["fit", "p.snncc", "--chip", "small.toml", "--chip", "truenorth", "--json"]) == 1
    record: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [each["answer"] for each in record["chips"]] == ["fits", "does not fit"]
    assert [each["layer"] for each in record["needs"]] == ["first", "second", "third", "readout"]
    assert record["needs"][2]["connections"]["fan_in"] > 0
    assert record["chips"][1]["facts"]["core.in_axons"]["source"]


def test_python_says_the_same(there: Path) -> None:
    import snncc

    program = snncc.load("p.snncc")
    fit = program.fit("small.toml")
    assert fit.answer == "fits"
    assert program.fit("small.toml", changes={"resets": "soft"}).answer == "does not fit"
    with pytest.raises(snncc.SnnccError, match="no chip is called"):
        program.fit("moon")


def test_a_small_convolution_fits_cores_of_layers() -> None:
    """Words of memory by hand: 2 * 4 * 4 * 4 weights, 4 * 8 * 4 neurons of a 3x3 kernel."""
    graph = convolving(shift=0, domain=(0, 1))
    chip = chip_named("speck2f")
    fit = Fitter(graph).fit(chip)
    assert fit.answer == "fits"
    assert fit.cores == 2
    kernels = ["kernel_words=" + ",".join(["127"] * 9), "neuron_words=" + ",".join(["128"] * 9)]
    (broken,) = Fitter(graph).fit(chip_named("speck2f", kernels)).violations[:1]
    assert (broken.layer, broken.need) == ("conv", "128 and 128")
    neurons = "neuron_words=" + ",".join(["127"] * 9)
    assert Fitter(graph).fit(chip_named("speck2f", [neurons])).answer == "does not fit"
    exactly = "kernel_words=128,448,1,1,1,1,1,1,1", "neuron_words=128,3,1,1,1,1,1,1,1"
    assert Fitter(graph).fit(chip_named("speck2f", exactly)).answer == "fits"
    one_less = exactly[0].replace("448", "447"), exactly[1]  # 7 * 4 * 4 inputs, times 4 outputs
    assert Fitter(graph).fit(chip_named("speck2f", one_less)).answer == "does not fit"


def test_numbers_and_shifted_maps_do_not_fit_cores_of_layers() -> None:
    chip = chip_named("speck2f")
    numbers = Fitter(convolving(shift=0, domain=(0, 255))).fit(chip)
    assert "what enters" in {each.resource for each in numbers.violations}
    shifted = Fitter(convolving(shift=6, domain=(0, 1))).fit(chip)
    assert [(v.resource, v.need) for v in shifted.violations] == [("weight bits beside others", 10)]


def convolving(shift: int, domain: tuple[int, int]) -> Graph:
    """A convolution of two channels, twice into one sum, and a dense readout."""
    rng = np.random.default_rng(8)
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("c", "h", "w"), (2, 7, 4), domain=domain), name="image")
    names = ("c", "h", "w", "o", "y", "x")
    weight = rng.integers(-7, 8, (4, 2, 3, 3))
    weight[0, 0, 0, 0] = -7
    axes = ("out", "in", "kh", "kw")
    conv = Convolve(b.constant("w", weight, axes), *names, padding=(1, 1))
    maps = [b.add(conv, (image,), name=name) for name in ("conv", "other")]
    current = b.add(Sum((0, shift)), maps if shift else maps[:1] * 2, name="sum")
    threshold = b.constant("k", np.array(20), ())
    room = 4 * 255 * 7 * 18 << shift
    op = IntegerPopulation(threshold, decay=(1, 0), membrane=(-room, room))
    if domain == (0, 1):
        op = replace(op, membrane=(-(1 << 15), (1 << 15) - 1))
    spikes = b.add(op, (current,), name="spikes")
    classes = b.constant("v", rng.integers(-9, 10, (3, 7, 4, 4)), ("k", "y", "x", "o"))
    answer = b.add(Contract(classes, ("y", "x", "o"), ("k",)), (spikes,), name="answer")
    return b.finish(b.add(IntegerReadout(), (answer,), name="readout"))


def test_spikes_that_are_fed_back_are_said() -> None:
    """Which layers lie behind which is not told where a delay reads a later one."""
    with pytest.raises(SnnccError, match="unrolling has no form for delay") as caught:
        Fitter(looped(0))
    assert {finding.code for finding in caught.value.findings} == {"SNN040"}
