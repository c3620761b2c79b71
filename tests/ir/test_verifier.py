"""The verifier catches every kind of broken graph and names the node and its place."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from random_networks import random_network

from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.ir import Graph, GraphBuilder, Kind, Node, ValueType, VerifyError, verify
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Convolve, Frames
from snncc.ir.dialects.spiking import Population
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers


def spiking(seed: int = 4) -> Graph:
    return run_passes(random_network(seed), spiking_passes(CompileOptions()))


def integer(seed: int = 4) -> Graph:
    graph = spiking(seed)
    return run_passes(graph, [LowerToIntegers(round_plainly(graph, 8), 8)])


def changed(graph: Graph, node: Node, **change: object) -> Graph:
    new = replace(node, **change)  # type: ignore[arg-type]
    return replace(graph, nodes=tuple(new if n is node else n for n in graph.nodes))


def with_constant(graph: Graph, name: str, array: np.ndarray) -> Graph:
    return replace(graph, constants={**graph.constants, name: array})


def first(graph: Graph, *ops: type) -> Node:
    return graph.select(*ops)[0]


def too_narrow(graph: Graph) -> Graph:
    node = first(graph, IntegerPopulation)
    assert isinstance(node.op, IntegerPopulation)
    return changed(graph, node, op=replace(node.op, membrane=(0, node.op.membrane[1] - 1)))


def without_a_constant(graph: Graph) -> Graph:
    name = first(graph, Contract, Convolve).op.weight.name
    return replace(graph, constants={k: v for k, v in graph.constants.items() if k != name})


def float_weight(graph: Graph) -> Graph:
    name = first(graph, Contract, Convolve).op.weight.name
    return with_constant(graph, name, graph.constants[name].astype(np.float64))


def huge_weight(graph: Graph) -> Graph:
    name = first(graph, Contract, Convolve).op.weight.name
    return with_constant(graph, name, graph.constants[name].astype(np.int64) + 2**61)


def huge_gain(graph: Graph) -> Graph:
    """A product that needs more than 62 bits before it is shifted down again."""
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("f",), (2,)), name="image")
    current = b.add(
        Contract(b.constant("w", np.full((1, 2), 2**30), ("k", "f")), ("f",), ("k",)), [image]
    )
    scaled = b.add(Gain(b.constant("g", np.array(2**30)), 30), [current], name="scaled")
    return b.finish(b.add(IntegerReadout(), [scaled]))


def huge_leak(graph: Graph) -> Graph:
    node = first(graph, IntegerPopulation)
    assert isinstance(node.op, IntegerPopulation)
    return changed(graph, node, op=replace(node.op, membrane=(-(2**61), 2**61)))


def wrong_type(graph: Graph) -> Graph:
    node = first(graph, Contract, Convolve)
    axes = node.type.axes[:-1]
    return changed(graph, node, type=ValueType(Kind.CURRENT, axes, node.type.range))


def wrong_range(graph: Graph) -> Graph:
    node = first(graph, Contract, Convolve)
    low, high = node.type.range or (0, 0)
    return changed(graph, node, type=replace(node.type, range=(low, high - 1)))


BROKEN: dict[str, tuple[Callable[[Graph], Graph], str]] = {
    "duplicate name": (lambda g: replace(g, nodes=(*g.nodes, g.nodes[-1])), "used twice"),
    "unknown input": (
        lambda g: changed(g, g.nodes[1], inputs=("nothing",)),
        "reads %nothing before it exists",
    ),
    "no output": (lambda g: replace(g, output="nothing"), "does not exist"),
    "output is no readout": (lambda g: replace(g, output=g.nodes[1].name), "not a readout"),
    "foreign op": (
        lambda g: changed(g, g.nodes[1], op=first(spiking(), Population).op),
        "not an op of the integer dialect",
    ),
    "unknown dialect": (lambda g: replace(g, dialect="other"), "unknown dialect"),
    "no steps": (lambda g: replace(g, steps=0), "at least one time step"),
    "missing constant": (without_a_constant, "is missing"),
    "float constant": (float_weight, "the dialect is integer"),
    "too wide": (huge_weight, ""),
    "huge gain": (huge_gain, "before its shift the gain can reach"),
    "huge leak": (huge_leak, "the membrane's leak can reach"),
    "narrow membrane": (too_narrow, "the membrane can reach"),
    "type": (wrong_type, "the type rule gives"),
    "range": (wrong_range, "the type rule gives"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_graphs_are_caught(name: str) -> None:
    change, message = BROKEN[name]
    graph = integer()
    verify(graph)
    with pytest.raises(VerifyError) as caught:
        verify(change(graph))
    assert message in str(caught.value)
    assert all(text for text in caught.value.problems)


def test_a_number_that_is_not_finite_is_caught() -> None:
    graph = spiking()
    name = first(graph, Contract, Convolve).op.weight.name
    array = np.array(graph.constants[name])
    array.flat[0] = np.nan
    with pytest.raises(VerifyError, match="not finite"):
        verify(with_constant(graph, name, array))


def test_all_problems_are_reported_at_once() -> None:
    graph = wrong_range(too_narrow(integer()))
    with pytest.raises(VerifyError) as caught:
        verify(graph)
    assert len(caught.value.problems) >= 2


def test_what_was_found_right_is_looked_at_again_when_anything_about_it_changes() -> None:
    """Ops remember for which inputs and constants they fit; the same ops in another graph."""
    graph = integer()
    verify(graph)
    with pytest.raises(VerifyError, match="the type says"):
        verify(replace(graph, steps=2 * graph.steps))
    population = first(graph, IntegerPopulation)
    source = graph[population.inputs[0]]
    wider = replace(source.type, range=(-(2**40), 2**40))
    with pytest.raises(VerifyError, match="the membrane can reach"):
        verify(changed(graph, source, type=wider))
    name = first(graph, Contract, Convolve).op.weight.name
    array = graph.constants[name]
    array.setflags(write=True)
    array[...] = -128
    with pytest.raises(VerifyError, match="the type says"):
        verify(replace(graph))


def test_an_integer_map_of_currents_is_a_multiplication() -> None:
    graph = integer()
    node = first(graph, IntegerPopulation)
    current = graph[node.inputs[0]]
    axis = current.type.names[-1]
    op = Contract(first(graph, Contract, Convolve).op.weight, into=(axis,), out=())
    with pytest.raises(ValueError, match=r"roles|spikes or pixels"):
        op.infer((current.type,), graph.context)


def test_random_corruptions_are_caught_or_legal() -> None:
    """Never another exception than VerifyError."""
    rng = np.random.default_rng(0)
    caught = 0
    for seed in range(200):
        graph = integer(seed % 20)
        node = graph.nodes[int(rng.integers(len(graph.nodes)))]
        names = [f.name for f in fields(node.op)]
        if not names:
            continue
        name = names[int(rng.integers(len(names)))]
        value = getattr(node.op, name)
        wrong: object = {
            int: lambda v: v + 1,
            float: lambda v: -v,
            str: lambda v: v + "x",
            tuple: lambda v: v[::-1] if len(v) > 1 else (),
        }.get(type(value), lambda v: v)(value)
        broken = changed(graph, node, op=replace(node.op, **{name: wrong}))
        try:
            verify(broken)
        except VerifyError:
            caught += 1
    assert caught > 60
