"""The general neuron in real numbers: its equation, its type rule, its text."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from neuron_models import MODELS
from neuron_reference import reference

from snncc.ir import Graph, GraphBuilder, Kind, verify
from snncc.ir.dialects.neurons import Fire, Neuron, State, TracedNeuron, neuron
from snncc.ir.dialects.traced import Input
from snncc.ir.op import TypeRuleError
from snncc.ir.text import parse_graph, print_graph, same_graph
from snncc.semantics.neurons import run_neuron
from snncc.semantics.traced import run_traced

STEPS, WIDE = 12, 300


def currents(seed: int) -> np.ndarray:
    """Whole currents that make neurons fire, many of them exactly at their threshold."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-40, 60, (1, STEPS, WIDE)).astype(np.float64)
    x[..., : WIDE // 4] = rng.integers(-4, 8, (1, STEPS, WIDE // 4)) * 8
    return x


def network(name: str) -> Graph:
    model = MODELS[name]
    b = GraphBuilder("traced", STEPS)
    x = b.add(Input(("t", "f"), (STEPS, WIDE)), name="x")
    op = neuron(b, "n", model.states, model.form, model.fire)
    graph = b.finish(b.add(op, [x], name="n"))
    verify(graph)
    return graph


@pytest.mark.parametrize("name", MODELS)
def test_it_computes_the_equation(name: str) -> None:
    graph, model, x = network(name), MODELS[name], currents(1)
    op = graph["n"].op
    assert isinstance(op, TracedNeuron)
    spikes, forms = run_neuron(graph, op, x, ("t", "f"))
    given = run_traced(graph, x)["n"]
    assert graph["n"].type.kind is (Kind.REAL if model.fire is None else Kind.SPIKE)
    assert np.array_equal(given, forms if model.fire is None else spikes)
    if model.fire is not None:
        assert 0.02 < spikes.mean() < 0.7
    for i in range(0, WIDE, 7):
        fired, levels = reference(model.states, model.form, model.fire, x[0, :, i].tolist())
        assert fired == spikes[0, :, i].tolist()
        assert levels == forms[0, :, i].tolist()


@pytest.mark.parametrize("name", MODELS)
def test_its_text_reads_back(name: str) -> None:
    graph = network(name)
    assert same_graph(parse_graph(print_graph(graph), graph.constants), graph)


def test_a_leak_of_every_neuron_of_its_own() -> None:
    b = GraphBuilder("traced", 3)
    x = b.add(Input(("f",), (2,)), name="x")
    leak = b.constant("beta", np.array([0.5, 0.25]), ("f",))
    start = b.constant("start", np.array([8.0, 8.0]), ("f",))
    op = neuron(b, "n", [State(leak=leak, start=start)], {0: 1.0}, None)
    graph = b.finish(b.add(op, [x]))
    verify(graph)
    assert run_traced(graph, np.zeros((1, 2)))[graph.output].tolist() == [
        [[4.0, 2.0], [2.0, 0.5], [1.0, 0.125]]
    ]


def broken(**fields: Any) -> str:
    b = GraphBuilder("traced", 2)
    x = b.add(Input(("t", "f"), (2, 3)), name="x")
    pair = [State(leak=0.5, gain=1.0, late=1.0), State(leak=0.5, reads={0: 1.0}, low=0.0)]
    op = neuron(b, "n", pair, {1: 1.0}, Fire(1.0))
    for key, given in [*fields.items()]:
        if key in CONSTANTS and isinstance(given, tuple):
            array, axes = given
            fields[key] = b.constant(key, np.asarray(array), axes)
    with pytest.raises(TypeRuleError) as caught:
        b.add(replace(op, **fields), [x])
    return str(caught.value)


CONSTANTS = ("leak", "bias", "reads", "late")
WRONG = {
    "time": (dict(late=(np.ones((2, 2)), ("neuron.state", "t"))), "may not differ"),
    "states": (dict(bias=(np.ones(3), ("neuron.state",))), "not of 2 states"),
    "self": (dict(reads=(np.ones((2, 2)), ("neuron.state", "neuron.read"))), "reads itself"),
    "axes": (dict(leak=(np.ones(2), ("f",))), "does not have the axis"),
    "flags": (dict(swallow=(True,)), "not of 2 states"),
    "low": (dict(has_low=()), "a lower end"),
    "compare": (dict(compare="eq"), "unknown comparison"),
    "silent": (dict(threshold=None), "never fires has a reset"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_neuron_is_refused(name: str) -> None:
    fields, why = WRONG[name]
    assert why in broken(**fields)


def test_a_spiking_neuron_reads_currents_only() -> None:
    b = GraphBuilder("traced", 2)
    x = b.add(Input(("t", "f"), (2, 3)), name="x")
    op = neuron(b, "n", [State(leak=0.5, gain=1.0)], {0: 1.0}, Fire(1.0), traced=False)
    assert type(op) is Neuron
    with pytest.raises(TypeRuleError, match="integrates a current"):
        b.add(op, [x])
