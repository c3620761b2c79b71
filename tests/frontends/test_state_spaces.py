"""Spiking state space models: from the module to a program, and what is refused."""

from typing import Any

import numpy as np
import pytest
import torch
from state_space_models import CASES, Both, make, samples

from snncc.compiler.folding import convert_and_fold
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import SnnccError
from snncc.frontends.state_spaces import traced_graph
from snncc.frontends.torch_modules import source_of
from snncc.ir import Graph, verify
from snncc.ir.dialects.integer import Gain
from snncc.ir.dialects.spiking import Population
from snncc.mfi import Level, prove
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator
from snncc.semantics.spiking import run_spiking

STEPS = 9


def folded(model: Any, steps: int = STEPS) -> Graph:
    options = CompileOptions(input_shape=(steps, 2), steps=steps)
    traced = source_of(model, "net").trace((steps, 2), steps, "auto")
    spiking, refused = convert_and_fold(traced.graph, traced.findings, options, lambda _: None)
    assert not refused
    return spiking


def lowered(spiking: Graph, bits: int = 16) -> Graph:
    program = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, bits), bits)])
    verify(program)
    return program


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("steps", [1, STEPS])
def test_folded_networks_answer_as_torch_does(case: str, steps: int) -> None:
    """In float64, on pixels: norms with a gain of 0, the gated stream behind a map, late inputs.

    A GLU is compared by the frontend, on its staircase (SNN027).
    """
    for seed in range(3):
        model = make(seed, **CASES[case])
        spiking, x = folded(model, steps), samples(seed, 6, steps)
        values = run_spiking(spiking, x)
        if model.blocks[0].gate == "spike":
            with torch.no_grad():
                answers = model.double()(torch.from_numpy(x / 255.0)).numpy()
            assert np.allclose(values["readout"], answers, atol=1e-9)
        rates = [values[n.name].mean() for n in spiking.select(Population)]
        assert steps == 1 or 0.02 < np.mean(rates) < 0.98


@pytest.mark.parametrize("case", CASES)
def test_programs_are_near_and_all_executors_agree(case: str) -> None:
    """The simulator, a stream that is resumed from its state, and the interpreter."""
    spiking = folded(make(7, **CASES[case]))
    program, x = lowered(spiking), samples(7, 5, STEPS)
    simulator = Simulator(program)
    run, other = interpret(program, x, ALL), simulator.run(x, ALL)
    assert np.array_equal(run.readout, other.readout)
    stream = simulator.stream(x[0])
    for _ in range(STEPS):
        answer = stream.step()
        stream = simulator.resume(stream.state())
    assert np.array_equal(answer.readout, run.readout[0])
    assert all(np.array_equal(run.spikes[n], other.spikes[n]) for n in run.spikes)
    values = run_spiking(spiking, x)
    differ = [np.mean(run.spikes[n] != values[n]) for n in run.spikes]
    assert np.mean(differ) < 0.02
    level = Level.STRICT if CASES[case]["poles"] == "taps" else Level.SHIFT_ADD
    assert prove(program).level is level
    gains = program.select(Gain)
    if level is Level.STRICT:
        assert gains
        assert all(n.op.shift == 0 for n in gains)  # type: ignore[attr-defined]


def test_poles_see_what_a_norm_has_centred(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mean far above what is left: behind rounded poles its constant would not cancel it."""
    model = make(3, poles="complex", last=True)
    with torch.no_grad():
        model.encoder.bias += 60.0
        for block in model.blocks:
            block.norm.running_mean += 60.0
    x, differ = samples(3, 12, STEPS), []
    for most in (traced_graph.MOST_OFFSET, 0.0):
        monkeypatch.setattr(traced_graph, "MOST_OFFSET", most)
        spiking = folded(model)
        values, run = run_spiking(spiking, x), interpret(lowered(spiking), x, ALL)
        name = "blocks.0.neuron"
        differ.append(int((run.spikes[name] != values[name]).sum()))
    assert 3 * differ[0] < differ[1]


REFUSED = {
    "a LayerNorm": ({"norm": "layer"}, "SNN020", "blocks.0.norm"),
    "both directions": ({"kind": Both, "poles": "complex"}, "SNN021", "blocks.0.ssm"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_has_no_form_is_refused_by_its_module(what: str) -> None:
    options, code, path = REFUSED[what]
    with pytest.raises(SnnccError) as caught:
        folded(make(1, **options))
    assert {f.code for f in caught.value.findings} == {code}
    assert [f.loc.module_path for f in caught.value.findings if f.loc] == [
        path,
        path.replace("0", "1"),
    ]


class Surrogate(torch.nn.Module):
    decay = 0.25

    def forward(self, x: Any) -> Any:
        return (x >= 1.0).to(x)


class Raises(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        raise KeyError(x.shape)


@pytest.mark.parametrize("part", ["ssm", "neuron"])
def test_what_raises_is_told(part: str) -> None:
    model = make(1)
    setattr(model.blocks[1], part, Raises())
    with pytest.raises(SnnccError) as caught:
        folded(model)
    assert caught.value.code == "SNN028"


def test_neurons_that_only_stand_for_an_lif_are_refused() -> None:
    model = make(1)
    model.blocks[1].neuron = Surrogate()
    with pytest.raises(SnnccError) as caught:
        folded(model)
    assert (caught.value.code, caught.value.findings[0].loc.module_path) == (  # type: ignore[union-attr]
        "SNN026",
        "blocks.1.neuron",
    )


@pytest.mark.parametrize(
    ("shape", "layout"), [((4, 2), "auto"), ((STEPS, 3), "auto"), ((STEPS, 2), "frame")]
)
def test_samples_hold_a_frame_for_every_step(shape: tuple[int, ...], layout: str) -> None:
    with pytest.raises(SnnccError) as caught:
        source_of(make(1), "net").trace(shape, STEPS, layout)
    assert caught.value.code == "SNN001"


def test_frames_of_steps_do_not_come_from_the_host() -> None:
    traced = source_of(make(1), "net").trace((STEPS, 2), STEPS, "auto")
    options = CompileOptions(input_shape=(STEPS, 2), steps=STEPS, encoding="host")
    with pytest.raises(SnnccError) as caught:
        convert_and_fold(traced.graph, traced.findings, options, lambda _: None)
    assert caught.value.code == "SNN001"
