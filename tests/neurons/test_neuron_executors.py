"""Every executor and every proof gives the same of random neurons; planted faults are found."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from neuron_models import MODELS
from neuron_programs import compiled, frames, op_of, spiking
from neuron_reference import integers
from random_neurons import by_neuron, random_model

from snncc.artifact import Program, load_program, program_digest, save_program
from snncc.artifact.program import canonical
from snncc.backends.lava_nc.expressible import check_expressible
from snncc.checker import Rejected, check
from snncc.checker.certificate import expected
from snncc.cli.verify.widths import widths_record
from snncc.diagnostics import SnnccError
from snncc.ir import Graph, VerifyError, verify
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.text import parse_graph, print_graph, same_graph
from snncc.mfi.certificate import certify, statement
from snncc.runtime import ALL, interpret
from snncc.runtime.counts.synaptic_operations import count_operations
from snncc.runtime.proofs.dynamic_proof import prove_by_running
from snncc.runtime.proofs.plan_inspection import inspect_plans
from snncc.runtime.simulator import Simulator

STEPS, WIDE = 5, 6


@cache
def program(seed: int) -> Graph:
    real = spiking(random_model(seed), STEPS, WIDE)
    return compiled(by_neuron(real, seed) if seed % 2 else real)[0]


def rate(graph: Graph, x: np.ndarray) -> float:
    return float(np.mean(interpret(graph, x, ALL).spikes["n"]))


@pytest.mark.parametrize("seed", range(25))
def test_the_interpreter_computes_the_equation(seed: int) -> None:
    graph, x = program(seed), frames(seed, 6, STEPS, WIDE)
    op, run = op_of(graph), interpret(graph, x, ALL)
    for image in range(len(x)):
        total = 0
        for place in range(WIDE):
            xs = [int(v) for v in x[image, :, place]]
            spikes, forms, states = integers(op, graph.constants, place, xs)
            for state in states:
                for (low, high), value in zip(op.states_within, state, strict=False):
                    assert low <= value <= high
            assert op.membrane[0] <= min(forms) <= max(forms) <= op.membrane[1]
            total = total + sum(spikes if op.fires else forms)
            if op.fires:
                assert run.spikes["n"][image, :, place].tolist() == spikes
                assert run.membranes["n"][image, :, place].tolist() == forms
            elif place == 0:
                assert run.readout[image, place] == sum(forms)


def test_random_neurons_fire() -> None:
    rates = [rate(program(s), frames(s, 6, STEPS, WIDE)) for s in range(25) if s % 5 != 4]
    assert np.mean(rates) > 0.1
    assert sum(0.02 < each < 0.98 for each in rates) > 12


@pytest.mark.parametrize("seed", range(1, 25, 3))
def test_all_executors_agree(seed: int) -> None:
    graph, x = program(seed), frames(seed, 3, STEPS, WIDE)
    wanted = interpret(graph, x, ALL)
    simulator = Simulator(graph, 1)
    assert simulator.host_units == {}
    for run in (simulator.run(x, ALL), prove_by_running(graph, x, ALL).execution):
        assert np.array_equal(run.readout, wanted.readout)
        for name, spikes in wanted.spikes.items():
            assert np.array_equal(run.spikes[name], spikes)
            assert np.array_equal(run.membranes[name], wanted.membranes[name])
    for image in range(2):
        stream = simulator.stream(x[image], ALL)
        for t in range(STEPS):
            answer = stream.step()
            for name, spikes in answer.spikes.items():
                assert np.array_equal(spikes, wanted.spikes[name][image, t])
                assert np.array_equal(answer.membranes[name], wanted.membranes[name][image, t])
            stream = simulator.resume(stream.state(), ALL)  # after every step
        assert np.array_equal(answer.readout, wanted.readout[image])
    assert not any(fault for _, *faults in _faults(graph) for fault in faults)
    assert count_operations(graph, x).steps == STEPS


def _faults(graph: Graph) -> list[tuple[Any, ...]]:
    return [(found.plan, *found.faults) for found in inspect_plans(graph)]


@pytest.mark.parametrize("seed", range(1, 25, 3))
def test_it_is_text_a_file_and_a_proof(seed: int, tmp_path: Path) -> None:
    graph = program(seed)
    assert same_graph(parse_graph(print_graph(graph), graph.constants), graph)
    said, content = certified(graph, tmp_path)
    assert check(content, said) == json.loads(said)
    assert widths_record(graph)["holds"]


def certified(graph: Graph, folder: Path) -> tuple[bytes, bytes]:
    path = folder / "p.snncc"
    save_program(path, Program(graph, {}))
    content = path.read_bytes()
    loaded = load_program(path)
    assert same_graph(loaded.graph, graph)
    sha = hashlib.sha256(content).hexdigest()
    record = certify(loaded.graph, program_digest(loaded), sha)
    return (canonical(record) + "\n").encode(), content


def changed(graph: Graph, change: Callable[[IntegerNeuron], IntegerNeuron]) -> Graph:
    nodes = tuple(replace(n, op=change(op_of(graph))) if n.name == "n" else n for n in graph.nodes)
    return replace(graph, nodes=nodes, constants=dict(graph.constants))


def narrower(op: IntegerNeuron) -> IntegerNeuron:
    first, *rest = op.states_within
    return replace(op, states_within=((first[0], first[1] - 1), *rest))


PLANTED: dict[str, Callable[[IntegerNeuron], IntegerNeuron]] = {
    "a state that is declared too narrow": narrower,
    "a form that is declared too narrow": lambda op: replace(
        op, membrane=(op.membrane[0] + 1, op.membrane[1])
    ),
    "an interval without 0": lambda op: replace(op, membrane=(1, op.membrane[1])),
    "a shift less": lambda op: replace(op, shift=(op.shift[0] - 1, *op.shift[1:])),
    "a carry of a whole step": lambda op: replace(op, carry=(2, 0)),
    "flags of other states": lambda op: replace(op, swallow=(True,)),
    "a low end without flags": lambda op: replace(op, low=op.late),
    "a shift of 62": lambda op: replace(op, reset_shift=(62, 62)),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_faults_are_found_by_the_verifier_and_by_the_checker(
    name: str, tmp_path: Path
) -> None:
    graph, _ = compiled(spiking(MODELS["synaptic"], STEPS, WIDE))
    wrong = changed(graph, PLANTED[name])
    with pytest.raises(VerifyError):
        verify(wrong)
    with pytest.raises(Rejected, match=r"^'n': "):
        expected(forged(wrong, tmp_path))
    assert expected(forged(graph, tmp_path))["level"] == "strict"


def forged(graph: Graph, folder: Path) -> bytes:
    """A program file that is right in all but what it holds."""
    path = folder / "forged.snncc"
    save_program(path, Program(graph, {}))
    return path.read_bytes()


@pytest.mark.parametrize("field", ["leak", "gain", "threshold", "late", "reads"])
def test_the_certificate_of_other_constants_is_rejected(field: str, tmp_path: Path) -> None:
    """Another leak, other fraction bits: the program has another certificate, or none."""
    graph, _ = compiled(spiking(MODELS["synaptic"], STEPS, WIDE))
    said, _ = certified(graph, tmp_path)
    name = getattr(op_of(graph), field).name
    constants = {**graph.constants, name: np.asarray(graph.constants[name] >> 1)}
    content = forged(replace(graph, constants=constants), tmp_path)
    with pytest.raises(Rejected):
        check(content, said)


@pytest.mark.parametrize("seed", range(0, 25, 3))
def test_checker_and_verifier_find_the_same_intervals(seed: int, tmp_path: Path) -> None:
    """With wide declarations too: what is reached is found, not taken over."""
    graph = program(seed)
    wide = changed(
        graph,
        lambda op: replace(
            op, states_within=tuple((low - 5, high + 7) for low, high in op.states_within)
        ),
    )
    said, content = certified(wide, tmp_path)
    assert check(content, said)["nodes"] == statement(wide, "", "")["nodes"]


def test_lava_says_why_there_is_no_process() -> None:
    graph, _ = compiled(spiking(MODELS["cuba"], STEPS, WIDE))
    with pytest.raises(SnnccError, match="n has no Lava process") as caught:
        check_expressible(graph)
    assert caught.value.code == "SNN040"
    assert "several states" in str(caught.value)


def test_a_state_of_another_shape_is_refused() -> None:
    graph, _ = compiled(spiking(MODELS["synaptic"], STEPS, WIDE))
    simulator = Simulator(graph, 1)
    stream = simulator.stream(frames(1, 1, STEPS, WIDE)[0])
    stream.step()
    state = stream.state()
    assert state.membranes["n"].shape == (3, WIDE)  # two states, and the last spike
    for wrong in (state.membranes["n"][1], state.membranes["n"] + (1 << 60)):
        with pytest.raises(SnnccError) as caught:
            simulator.resume(replace(state, membranes={"n": wrong}))
        assert caught.value.code == "SNN016"
