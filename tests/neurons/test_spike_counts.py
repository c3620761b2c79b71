"""Neurons that fire several times a step, or with a sign, or whose membranes are read."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from certificates import certificate_of
from neuron_models import LEVEL, Model, one
from neuron_programs import compiled, frames, op_of, spiking
from neuron_reference import integers, reference
from random_neurons import counting_model

from snncc.artifact import Program, save_program
from snncc.checker import check
from snncc.cli.verify.widths import widths_record
from snncc.diagnostics import SnnccError
from snncc.ir import Graph
from snncc.ir.dialects.neurons import Fire, State
from snncc.ir.text import parse_graph, print_graph, same_graph
from snncc.runtime import ALL, interpret
from snncc.runtime.counts.synaptic_operations import count_operations
from snncc.runtime.interpreter.program import run_nodes
from snncc.runtime.proofs.dynamic_proof import prove_by_running
from snncc.runtime.simulator import Simulator
from snncc.semantics.spiking import run_spiking

STEPS, WIDE, SEEDS = 5, 6, range(24)


@cache
def program(seed: int) -> Graph:
    return compiled(spiking(counting_model(seed), STEPS, WIDE))[0]


def given(graph: Graph, x: np.ndarray) -> np.ndarray:
    """What the neurons give: [images, t, neurons]."""
    return run_nodes(graph, x, frozenset(("n",)))[0]["n"]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_executor_and_the_checker_have_the_equation(seed: int, tmp_path: Path) -> None:
    graph, x = program(seed), frames(seed, 4, STEPS, WIDE)
    op, run = op_of(graph), interpret(graph, x, ALL)
    assert not op.fires_once
    values = given(graph, x)
    for image in range(len(x)):
        for place in range(WIDE):
            xs = [int(v) for v in x[image, :, place]]
            spikes, forms, states = integers(op, graph.constants, place, xs)
            for state in states:
                for (low, high), value in zip(op.states_within, state, strict=False):
                    assert low <= value <= high
            assert op.membrane[0] <= min(forms) <= max(forms) <= op.membrane[1]
            assert {*spikes} <= {*range(op.counts[0], op.counts[1] + 1)}
            if op.fires:
                assert values[image, :, place].tolist() == spikes
    simulator = Simulator(graph, 1)
    assert np.array_equal(simulator.run(x, ALL).readout, run.readout)
    assert np.array_equal(prove_by_running(graph, x, ALL).execution.readout, run.readout)
    stream = simulator.stream(x[0], ALL)
    for _ in range(STEPS):
        answer = stream.step()
        stream = simulator.resume(stream.state(), ALL)
    assert np.array_equal(answer.readout, run.readout[0])
    path = tmp_path / "p.snncc"
    save_program(path, Program(graph, {}))
    said = certificate_of(graph, path.read_bytes())
    assert check(path.read_bytes(), said) == json.loads(said)
    assert same_graph(parse_graph(print_graph(graph), graph.constants), graph)
    assert widths_record(graph)["holds"]
    assert count_operations(graph, x).steps == STEPS


def test_the_random_neurons_use_everything() -> None:
    ops = [op_of(program(seed)) for seed in SEEDS]
    assert {op.compare for op in ops} == {"ge", "gt", "even"}
    assert max(op.most for op in ops) > 7
    assert any(op.below is not None for op in ops)
    assert any(op.read is not None for op in ops)
    assert any(op.has_high for op in ops)
    found = [given(program(s), frames(s, 4, STEPS, WIDE)) for s in SEEDS if op_of(program(s)).fires]
    assert sum(len(np.unique(values)) > 2 for values in found) > len(found) // 2


EXACT: dict[str, Model] = {
    "iaf, any number": one(Fire(LEVEL, "ge", 0, LEVEL), leak=1.0, amount=LEVEL),
    "iaf, many": one(Fire(0.5, "ge", 0, 0.5), leak=1.0, amount=0.5),
    "iaf, at most 3": one(Fire(LEVEL, "ge", 3, LEVEL), leak=1.0, amount=LEVEL, low=-LEVEL),
    "lif, any number": one(Fire(16.0, "ge", 0, 16.0), leak=0.5, amount=16.0),
    "lif, strict": one(Fire(16.0, "gt", 4, 16.0), leak=0.5, late=16.0),
    "lif, ties to even": one(Fire(8.0, "even", 4, 16.0), leak=0.25, amount=16.0),
    "ternary if": one(Fire(LEVEL, "ge", below=-LEVEL), leak=1.0, amount=LEVEL),
    "ternary lif, hard": one(Fire(LEVEL, "ge", below=-LEVEL), leak=0.5, keep=0.0),
    "high end": one(Fire(LEVEL), leak=0.5, keep=0.0, high=50.0),
    "membrane": Model(
        (State(leak=0.5, gain=1.0, keep=0.0, amount=-8.0),), {0: 1.0}, Fire(LEVEL), "", read={0: 1}
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_dyadic_ones_are_exact(name: str) -> None:
    model, steps, wide = EXACT[name], 12, 900
    real = spiking(model, steps, wide)
    program, notes = compiled(real)
    assert notes[-1].text.startswith("exact: ")
    x = frames(3, 10, steps, wide)
    values, run = run_spiking(real, x), interpret(program, x, ALL)
    assert np.array_equal(run.logits, values["readout"])
    if model.read is None:
        assert np.array_equal(given(program, x), values["n"])
        for place in range(0, wide, 60):
            spikes, _ = reference(model.states, model.form, model.fire, x[0, :, place].tolist())
            assert values["n"][0, :, place].tolist() == spikes


def test_more_spikes_than_a_step_can_have_are_refused() -> None:
    model = one(Fire(2.0**-8, "ge", 0, 2.0**-8), leak=1.0, amount=2.0**-8, start=2.0**13)
    with pytest.raises(SnnccError) as caught:
        compiled(spiking(model, 4, 3))
    assert caught.value.code == "SNN033"
    assert "times in one step" in str(caught.value)
