"""Networks with general neurons on their way from the traced dialect to integers."""

from dataclasses import replace

import numpy as np
import pytest
from neuron_models import MODELS

from snncc.compiler.fidelity import measure_fidelity
from snncc.compiler.folding import convert_and_fold, spiking_passes
from snncc.compiler.model_verdict import judge_model
from snncc.compiler.options import CompileOptions
from snncc.ir import Graph, GraphBuilder, verify
from snncc.ir.dialects.integer import Gain
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neurons import Neuron, State, neuron
from snncc.ir.dialects.spiking import Affine
from snncc.ir.dialects.traced import Add, BatchNorm, Input, Linear, Repeat, Scale, Total
from snncc.mfi import Level, prove
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator
from snncc.semantics.spiking import run_spiking
from snncc.semantics.traced import run_traced
from snncc.targets.registry import profile_named

STEPS, INPUTS, HIDDEN, CLASSES = 8, 12, 10, 4
PIXELS = CompileOptions(normalize=((0.0,), (1.0 / 255.0,)))


def traced(name: str, norm: str = "k", seed: int = 0) -> Graph:
    """Pixels, a map with a bias, a BatchNorm, neurons, a map, a membrane that is read out.

    Args:
        name: of the neurons.
        norm: the axis of the norm: "k" that of the map, "t" the steps, "" none.
        seed: of the weights.
    """
    rng, model = np.random.default_rng(seed), MODELS[name]
    b = GraphBuilder("traced", STEPS)
    x = b.add(Input(("f",), (INPUTS,)), name="x")
    w = b.constant(
        "w", rng.integers(-8, 9, (HIDDEN, INPUTS)) / (256.0 if norm else 64.0), ("k", "f")
    )
    bias = b.constant("bias", rng.normal(0.0, 4.0, HIDDEN), ("k",))
    h = b.add(Linear(w, ("f",), ("k",), bias), [x], name="map")
    h = b.add(Repeat(), [h])
    if norm:
        size = HIDDEN if norm == "k" else STEPS
        gamma = rng.choice([-1.0, 1.0], size) * rng.uniform(10.0, 30.0, size)
        arrays = rng.normal(0.0, 1.0, size), rng.uniform(0.5, 2.0, size), gamma
        arrays = (*arrays, rng.normal(8.0, 4.0, size))
        params = [b.constant(f"bn{i}", array, (norm,)) for i, array in enumerate(arrays)]
        h = b.add(BatchNorm(*params, eps=1e-5), [h], name="norm")
    fired = b.add(neuron(b, "n", model.states, model.form, model.fire), [h], name="n")
    head = b.constant("head", rng.normal(0.0, 1.0, (CLASSES, HIDDEN)), ("c", "k"))
    out = b.add(Linear(head, ("k",), ("c",)), [fired], name="head")
    last = neuron(b, "last", [State(leak=0.5, gain=1.0)], {0: 1.0}, None)
    graph = b.finish(b.add(Total(("t",)), [b.add(last, [out], name="last")], name="answer"))
    verify(graph)
    return graph


def pixels(seed: int, images: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (images, INPUTS)).astype(np.uint8)


FIRING = [name for name, model in MODELS.items() if model.fire is not None]


@pytest.mark.parametrize("norm", ["k", ""])
@pytest.mark.parametrize("name", FIRING[::3])
def test_passes_keep_what_it_computes(name: str, norm: str) -> None:
    """BatchNorms with negative scales and offsets fold; what is read out scales its form."""
    graph = traced(name, norm)
    spiking = run_passes(graph, spiking_passes(PIXELS))
    assert not spiking.select(Affine)
    x = pixels(1)
    wanted, got = run_traced(graph, x.astype(np.float64)), run_spiking(spiking, x)
    assert 0.01 < wanted["n"].mean() < 0.9
    assert np.array_equal(wanted["n"], got["n"])
    assert np.allclose(wanted["answer"], got["readout"], rtol=1e-12, atol=1e-9)


def lowered(name: str, norm: str, bits: int = 16) -> tuple[Graph, Graph]:
    spiking = run_passes(traced(name, norm), spiking_passes(PIXELS))
    program = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, bits), bits)])
    verify(program)
    return spiking, program


@pytest.mark.parametrize("name", FIRING[1::3])
def test_the_integer_program_answers_as_the_network(name: str) -> None:
    """Weights of 16 bits round so little that hardly a spike differs; answers have their unit."""
    spiking, program = lowered(name, "k")
    x = pixels(2)
    real, run = run_spiking(spiking, x), interpret(program, x, ALL)
    assert (run.spikes["n"] != real["n"]).mean() < 0.01
    same = (run.spikes["n"] == real["n"]).all(axis=(1, 2))
    assert same.sum() > 5
    scale = np.abs(real["readout"]).max()
    assert np.abs(run.logits - real["readout"])[same].max() < 1e-3 * scale
    assert len(program.select(IntegerNeuron)) == 2
    assert not program.select(Gain)
    assert np.array_equal(Simulator(program, 1).run(x).readout, run.readout)


def test_a_scale_by_step_stays_a_gain() -> None:
    """The membrane would change its unit while it leaks; the note says so."""
    spiking, program = lowered("synaptic", "t")
    assert len(spiking.select(Affine)) == 1
    assert len(program.select(Gain)) == 1
    x = pixels(3)
    real, run = run_spiking(spiking, x), interpret(program, x, ALL)
    assert (run.spikes["n"] != real["n"]).mean() < 0.02


def test_a_membrane_that_several_read_is_rescaled() -> None:
    """Its unit is not that of its class: a gain stands between."""
    graph = traced("synaptic", "")
    b = GraphBuilder("traced", STEPS)
    b.share(graph)
    for node in graph.nodes[:-1]:
        b.keep(node)
    half = b.add(Scale(b.constant("half", np.array(0.3))), ["last"], name="half")
    both = b.add(graph["head"].op, ["n"], name="again")
    total = b.add(Add(), [half, "last", both], name="sum")
    graph = b.finish(b.add(Total(("t",)), [total], name="answer"))
    spiking = run_passes(graph, spiking_passes(PIXELS))
    program = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, 16), 16)])
    verify(program)
    assert program.select(Gain)
    x = pixels(4)
    real, run = run_spiking(spiking, x), interpret(program, x, ALL)
    same = (run.spikes["n"] == real["n"]).all(axis=(1, 2))
    assert same.any()
    off = np.abs(run.logits - real["readout"])[same].max()
    assert off < 1e-3 * np.abs(real["readout"]).max()


def test_verdicts_of_models_and_networks() -> None:
    graph = traced("leak 3/4")
    spiking = run_passes(graph, spiking_passes(PIXELS))
    for verdict in (judge_model(graph, (), PIXELS).verdict, prove(spiking)):
        (found,) = (op for op in verdict.ops if op.name == "n")
        assert found.need.level is Level.SHIFT_ADD
        assert "leak 0.75 is no power of two" in found.need.reason
        assert "exact leak" in found.need.help
    assert prove(run_passes(traced("cuba"), spiking_passes(PIXELS))).level is Level.STRICT


def test_fidelity_counts_its_spikes() -> None:
    spiking, program = lowered("cuba", "k")

    found = measure_fidelity(spiking, program, pixels(5))
    assert [each.name for each in found.populations] == ["n"]
    assert found.populations[0].rate > 0.01
    assert found.agreement > 0.8


def test_stock_lava_refuses_it() -> None:
    options = replace(PIXELS, profile="loihi-lava")
    spiking, refused = convert_and_fold(traced("cuba"), [], options, lambda event: None)
    assert not refused
    assert spiking.select(Neuron)
    profile = profile_named("loihi-lava")
    rounded = round_plainly(spiking, 8, profile.choose_units)
    program = run_passes(spiking, [profile.lower(rounded, 8)])
    findings = profile.limits(program)
    assert any("several states" in finding.message for finding in findings)
