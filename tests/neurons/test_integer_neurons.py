"""Neurons of several states in integers: exact where they say so, within the bound elsewhere."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from neuron_models import LEVEL, MODELS, Model, one
from neuron_programs import compiled, frames, op_of, spiking, wanted

from snncc.ir.dialects.neurons import Fire, State
from snncc.mfi import Level, prove
from snncc.runtime import ALL, interpret
from snncc.semantics.spiking import run_spiking

STEPS, WIDE, IMAGES = 16, 900, 8
SITES = STEPS * WIDE * IMAGES
"""More than 100,000 neurons times steps."""
EVERY = 60
"""One neuron in so many is also computed from the equation alone."""


@pytest.mark.parametrize("name", MODELS)
def test_dyadic_neurons_are_exact(name: str) -> None:
    assert SITES > 100_000
    model, real = MODELS[name], spiking(MODELS[name], STEPS, WIDE)
    program, notes = compiled(real)
    assert notes[-1].text.startswith("exact: ")
    assert (prove(program).level is Level.STRICT) == model.strict
    x = frames(3, IMAGES, STEPS, WIDE)
    values, run = run_spiking(real, x), interpret(program, x, ALL)
    spikes, forms = wanted(model, x, EVERY)
    if model.fire is None:
        assert np.array_equal(values["n"][..., ::EVERY], forms)
        assert np.array_equal(run.logits, values["readout"])
        return
    assert 0.02 < values["n"].mean() < 0.7
    assert int((run.spikes["n"] != values["n"]).sum()) == 0
    assert np.array_equal(run.spikes["n"][..., ::EVERY], spikes)


@pytest.mark.parametrize("name", MODELS)
def test_fraction_bits_are_those_of_the_rule(name: str) -> None:
    """One state that E1 covers needs none; others what T steps can shift out."""
    model = MODELS[name]
    for steps in (2, 12):
        program, _ = compiled(spiking(model, steps, 3))
        op = op_of(program)
        gain = np.abs(program.constants[op.gain.name])
        bits = max(int(g).bit_length() - 1 - shift for g, shift in zip(gain, op.shift, strict=True))
        lost = [
            (steps - (s.start == 0.0)) * (Fraction(s.leak).denominator.bit_length() - 1)
            for s in model.states
        ]
        assert bits == (0 if model.exact == "E1" else max(lost)), steps


def test_without_fraction_bits_a_cascade_is_not_exact() -> None:
    """The exactness that is claimed is not there for nothing."""
    model = MODELS["synaptic"]
    real = spiking(model, STEPS, WIDE)
    program, _ = compiled(real)
    op = op_of(program)
    constants = dict(program.constants)
    bits = STEPS - 1
    for param in (op.gain, op.late, op.threshold):
        if param is not None:
            constants[param.name] = np.asarray(constants[param.name] >> bits)
    x = frames(3, IMAGES, STEPS, WIDE)
    coarse = interpret(replace(program, constants=constants), x, ALL)
    differ = int((coarse.spikes["n"] != run_spiking(real, x)["n"]).sum())
    assert differ > SITES // 1000


LOSSY = {
    "leaky 0.9": one(Fire(LEVEL, "gt"), leak=0.9, late=LEVEL),
    "synaptic 0.9, 0.8": Model(
        (State(leak=0.9, gain=1.0), State(leak=0.8, reads={0: 1.0}, late=LEVEL)),
        {1: 1.0},
        Fire(LEVEL * 4.0, "gt"),
        "E4",
        strict=False,
    ),
    "norse's own constants": Model(
        (State(leak=0.8, gain=1.0), State(leak=0.9, reads={0: 0.1}, keep=0.0)),
        {1: 1.0},
        Fire(20.0, "gt"),
        "E4",
        strict=False,
    ),
    "form of 0.7": Model(
        (State(leak=0.5, gain=1.0, keep=0.0), State(leak=0.3, gain=1.0, keep=0.0)),
        {0: 1.0, 1: 0.7},
        Fire(60.0),
        "E4",
        strict=False,
    ),
}


@pytest.mark.parametrize("name", LOSSY)
def test_what_is_not_exact_stays_within_the_bound_that_is_told(name: str) -> None:
    """Until the first spike that differs, what is compared is off by no more."""
    model = LOSSY[name]
    real = spiking(model, STEPS, WIDE)
    program, notes = compiled(real)
    text = notes[-1].text
    assert "off by at most" in text
    assert "fraction bits" in text
    bound = float(text.partition("at most ")[2].split(" ")[0]) * 1.01
    x = frames(4, 2, STEPS, WIDE)
    spikes, forms = wanted(model, x, EVERY)
    run = interpret(program, x, ALL)
    op = op_of(program)
    levels = np.asarray(run.membranes["n"][..., ::EVERY], np.float64)
    threshold = float(program.constants[str(op.threshold and op.threshold.name)])
    assert model.fire is not None
    size = float(model.fire.threshold) / threshold  # pyright: ignore[reportArgumentType]
    same = np.cumsum(run.spikes["n"][..., ::EVERY] != spikes, axis=1) == 0
    off = np.abs(levels * size - forms)
    assert same.mean() > 0.9
    assert (off[same] <= bound + 2.0 * abs(size)).all()
    assert off[same].max() > 0.0


def test_the_note_names_the_leak_and_what_would_be_exact() -> None:
    _, notes = compiled(spiking(LOSSY["leaky 0.9"], STEPS, 3))
    text = notes[-1].text
    assert text.startswith("leak 0.9 is ")
    assert "a leak of 1/2 or 1/4 is exact" in text
    assert "of its threshold" in text


def test_a_third_is_exact_without_fraction_bits() -> None:
    """Of one state: the floor of a third is a product and a shift, as of a population."""
    model = one(Fire(LEVEL, "gt"), leak=1.0 / 3.0, late=LEVEL)
    program, notes = compiled(spiking(model, STEPS, WIDE))
    assert notes[-1].text.startswith("exact: one state")
    x = frames(5, 2, STEPS, WIDE)
    xs = [[Fraction(int(v)) for v in row] for row in x[0].T[::EVERY]]
    run = interpret(program, x, ALL)
    for i, row in enumerate(xs):
        v, last = Fraction(0), 0
        for t, current in enumerate(row):
            v = v / 3 + current - LEVEL * last
            last = int(v > LEVEL)
            assert run.spikes["n"][0, t, i * EVERY] == last


def test_many_steps_fall_back_to_a_bound() -> None:
    """Exactness would need more than 62 bits: the note says so, with the bound."""
    program, notes = compiled(spiking(MODELS["leak 3/4"], 200, 3))
    assert "62 bits" in notes[-1].text
    assert "off by at most" in notes[-1].text
    assert op_of(program).shift == (2,)


def test_every_neuron_has_its_own_leak() -> None:
    model = MODELS["leaky, late subtract"]
    real = spiking(model, 6, 4)
    op = real["n"].op
    leaks = np.array([[0.5, 0.25, 1.0, 0.0]])
    param = replace(op.leak, axes=("neuron.state", "f"))  # type: ignore[attr-defined]
    nodes = tuple(
        replace(n, op=replace(op, leak=param)) if n.name == "n" else n  # type: ignore[call-arg]
        for n in real.nodes
    )
    own = replace(real, nodes=nodes, constants={**real.constants, param.name: leaks})
    program, notes = compiled(own)
    assert notes[-1].text.startswith("exact: one state")
    x = frames(6, 40, 6, 4)
    run = interpret(program, x, ALL)
    assert np.array_equal(run.spikes["n"], run_spiking(own, x)["n"])
    assert prove(program).level is Level.STRICT
