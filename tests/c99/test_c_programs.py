"""Programs as C beside the interpreter: every spike, membrane and answer."""

import itertools
from dataclasses import replace

import c_runs
import numpy as np
import pytest
from c_runs import CHECKED, Case, each_compiler, needs_compiler, same
from frame_programs import DOMAINS, small
from generators.inputs import images as drawn_images
from generators.programs import program
from generators.staircases import STAIRCASES

from snncc.backends.c99.draft import DENSE, EVENTS, FORMS
from snncc.backends.c99.source import Source
from snncc.diagnostics import SnnccError
from snncc.ir import Graph, GraphBuilder, Param, verify
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.projections import Contract, Frames, Sum
from snncc.ir.dialects.thresholds import MultiThreshold

KINDS = (c_runs.drawn, c_runs.drawn, c_runs.looping, c_runs.keeping)
each_c_form = pytest.mark.parametrize("form", FORMS)


def some(first: int, count: int) -> list[Case]:
    """Programs of every kind."""
    return [KINDS[seed % len(KINDS)](seed) for seed in range(first, first + count)]


@each_compiler
@each_c_form
def test_random_programs(compiler: str, form: str) -> None:
    """Compilers are strict about the language; gcc's sanitizers look on at events."""
    checked = (compiler, form) == ("gcc", EVENTS)
    options = CHECKED if checked else ("-O0",)
    assert same(some(0, 8 if checked else 4), compiler, form, *options) > 0


@needs_compiler
@each_c_form
def test_staircases(form: str) -> None:
    cases = [(graph, drawn_images(graph, seed, 3)) for seed, graph in enumerate(staircases(6))]
    assert sum(len(graph.select(MultiThreshold)) for graph, _ in cases) > 5
    assert same(cases, c_runs.COMPILERS[0], form, *CHECKED[1:] if form == DENSE else ()) > 0


def staircases(count: int) -> list[Graph]:
    """The first of the random programs that have some."""
    drawn = (program(seed, STAIRCASES) for seed in itertools.count())
    return list(itertools.islice((g for g in drawn if g.select(MultiThreshold)), count))


def test_neurons_that_fire_several_times_are_refused_by_name() -> None:
    graph, _ = c_runs.keeping(0)
    node = next(n for n in graph.nodes if isinstance(n.op, IntegerNeuron) and n.op.fires)
    step = graph.constants[node.op.threshold.name]  # type: ignore[union-attr]
    several = replace(node.op, most=3, step=Param("step", node.op.threshold.axes))  # type: ignore[union-attr]
    nodes = tuple(replace(n, op=several) if n is node else n for n in graph.nodes)
    constants = {**graph.constants, "step": np.abs(step) + 1}
    with pytest.raises(SnnccError) as caught:
        Source(replace(graph, nodes=nodes, constants=constants))
    assert caught.value.code == "SNN040"
    assert node.name in str(caught.value)


@needs_compiler
@each_c_form
def test_numbers_of_every_domain(form: str) -> None:
    cases = list[Case]()
    for place, domain in enumerate(DOMAINS):
        graph = small(domain, timed=place % 2 == 0)
        kind = next(node for node in graph.nodes if not node.inputs).type
        numbers = np.random.default_rng(0).integers(*domain, (4, *kind.shape), endpoint=True)
        numbers[0], numbers[1] = domain
        cases.append((graph, numbers.astype(kind.dtype)))
    assert same(cases, c_runs.COMPILERS[0], form, *CHECKED[1:] if form == DENSE else ()) > 0


def at_the_ends(low: int, high: int, outputs: int, steps: int) -> Graph:
    """Weights between these, both among them; spikes of all inputs and the image itself enter."""
    rng = np.random.default_rng(outputs)
    b = GraphBuilder("integer", steps, "exact")
    image = b.add(Frames(("p",), (5,)), name="image")
    one = b.add(
        Contract(b.constant("e", np.eye(5, dtype=np.int8), ("n", "p")), ("p",), ("n",)), [image]
    )
    op = IntegerPopulation(b.constant("h", np.array(100)), decay=(7, 3))
    op = replace(op, membrane=op.membrane_range(b[one].type, b.context))
    spikes = b.add(op, [one], name="spikes")
    currents = []
    for source, axis in ((image, "p"), (spikes, "n")):
        rows = rng.integers(low, high, (outputs, 5), endpoint=True)
        rows[0, :2] = low, high
        weight = b.constant("w", rows.astype(np.int64), ("o", axis))
        currents.append(b.add(Contract(weight, (axis,), ("o",)), [source]))
    total = b.add(Sum((0, 1)), currents)
    graph = b.finish(b.add(IntegerReadout(), [total], name="readout"))
    verify(graph)
    return graph


@needs_compiler
@each_c_form
def test_weights_at_the_ends_of_every_width(form: str) -> None:
    """Two and four bits share bytes; rows do not end with them."""
    cases = list[Case]()
    ends = [(-(1 << (b - 1)), (1 << (b - 1)) - 1) for b in (2, 4, 8, 16, 32)]
    ends += [(low - 1, high) for low, high in ends[:4]] + [(0, 1), (-(1 << 40), 1 << 40)]
    for outputs, (low, high) in enumerate(ends, 1):
        graph = at_the_ends(low, high, 1 + outputs % 6, 1 + outputs % 2)
        images = np.random.default_rng(1).integers(0, 256, (3, 5)).astype(np.uint8)
        images[0] = 255
        cases.append((graph, images))
    assert same(cases, c_runs.COMPILERS[-1], form) > 0
