"""Neurons of the general form inside loops: in the place of populations they give the same bits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from certificates import certificate_of
from looped_programs import images, looped

from snncc import checker
from snncc.artifact import Program, save_program
from snncc.backends.cpu.streams.state import load_state, save_state
from snncc.ir import TIME, Array, Graph, Node, Param, verify
from snncc.ir.arrays import spread
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.neurons import STATE
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator

SEEDS = range(24)


def general(graph: Graph) -> Graph:
    """The same program with neurons of one state wherever they can say what a population does."""
    constants, nodes = dict(graph.constants), []
    for node in graph.nodes:
        made = neuron_of(graph, node, constants)
        nodes.append(node if made is None else replace(node, op=made))
    return replace(graph, nodes=tuple(nodes), constants=constants)


def neuron_of(graph: Graph, node: Node, constants: dict[str, Array]) -> IntegerNeuron | None:
    op = node.op
    if not isinstance(op, IntegerPopulation) or op.rounding is Rounding.TO_ZERO:
        return None
    given = (op.threshold, op.bias, op.polarity, op.offset)
    if any(TIME in param.axes for param in given if param is not None):
        return None
    names = node.type.without(TIME).names

    def over(param: Param | None, usual: int) -> Array:
        if param is None:
            return np.full([1] * len(names), usual, np.int64)
        return spread(graph.constants[param.name].astype(np.int64), param.axes, names)

    def held(what: str, array: Array) -> Param:
        name, shape = f"{node.name}.{what}", node.type.without(TIME).shape
        constants[name] = np.broadcast_to(array, shape)[None].astype(np.int64)
        return Param(name, (STATE, *names))

    def number(what: str, value: int) -> Param:
        constants[f"{node.name}.{what}"] = np.array([value])
        return Param(f"{node.name}.{what}", (STATE,))

    (factor, shift), hard = op.decay, op.reset == "hard"
    sign = over(op.polarity, 1)
    return IntegerNeuron(
        leak=number("leak", factor),
        gain=held("gain", sign << shift),
        form=number("form", 1),
        threshold=op.threshold,
        compare=op.compare,
        bias=held("bias", sign * over(op.offset, 0) + over(op.bias, 0)),
        keep=number("keep", 0) if hard else None,
        amount=None if hard else held("amount", over(op.threshold, 0)),
        shift=(shift,),
        carry=(op.decay_offset,),
        states_within=((min(0, op.membrane[0]), max(0, op.membrane[1])),),
        membrane=(min(0, op.membrane[0]), max(0, op.membrane[1])),
    )


@pytest.fixture(scope="module")
def programs() -> list[tuple[int, Graph, Graph]]:
    found = [(seed, looped(seed), general(looped(seed))) for seed in SEEDS]
    for _, _, graph in found:
        verify(graph)
    assert sum(len(graph.select(IntegerNeuron)) for _, _, graph in found) > 40
    return found


def test_they_give_the_bits_of_populations(programs: list[tuple[int, Graph, Graph]]) -> None:
    spikes = 0
    for seed, plain, graph in programs:
        given = images(seed)
        wanted, got = interpret(plain, given, ALL), interpret(graph, given, ALL)
        run = Simulator(graph, 1).run(given, ALL)
        assert np.array_equal(wanted.readout, got.readout)
        assert np.array_equal(wanted.readout, run.readout)
        for name, each in wanted.spikes.items():
            assert np.array_equal(each, got.spikes[name]), (seed, name)
            assert np.array_equal(each, run.spikes[name]), (seed, name)
            assert np.array_equal(wanted.membranes[name], got.membranes[name]), (seed, name)
            assert np.array_equal(wanted.membranes[name], run.membranes[name]), (seed, name)
            spikes += int(each.sum())
    assert spikes > 1_000


def test_streams_stop_and_go_on(programs: list[tuple[int, Graph, Graph]], tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    for seed, _, graph in programs[:12]:
        (image,) = images(seed, 1)
        whole, stream = interpret(graph, image[None], ALL), Simulator(graph, 1).stream(image, ALL)
        for _ in range(int(rng.integers(0, graph.steps))):
            stream.step()
        save_state(tmp_path / f"{seed}.npz", stream.state())
        *_, answer = Simulator(graph, 1).resume(load_state(tmp_path / f"{seed}.npz"), ALL)
        assert np.array_equal(answer.readout, whole.readout[0])


def test_the_checker_accepts_them(programs: list[tuple[int, Graph, Graph]], tmp_path: Path) -> None:
    for seed, _, graph in programs[:12]:
        path = tmp_path / f"{seed}.snncc"
        save_program(path, Program(graph, {}))
        content = path.read_bytes()
        checker.check(content, certificate_of(graph, content))
