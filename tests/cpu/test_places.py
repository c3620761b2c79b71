"""Where values lie in the working memory, and that whoever reads them gets them back."""

import numpy as np
import pytest
from random_programs import random_program
from test_units import Net

from snncc.backends.cpu.arrangement import NotExpressible, arrange
from snncc.backends.cpu.plan.encoding import plan_units
from snncc.backends.cpu.plan.places import Form, Place, bits_at, lanes_at
from snncc.ir import TIME, Axis, Graph, Kind, ValueType
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.projections import Concat
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator

NO_IMAGE = np.zeros(0, np.uint8)
TIMED = ValueType(Kind.SPIKE, (Axis("h", 3), Axis(TIME, 4), Axis("c", 70), Axis("w", 2)), (0, 1))


@pytest.mark.parametrize("kind", [TIMED, TIMED.without(TIME)])
@pytest.mark.parametrize("lane", ["h", "c", "w", ""])
def test_bits_come_back_in_any_lanes(kind: ValueType, lane: str) -> None:
    rng = np.random.default_rng(5)
    place = bits_at(kind, 64, arrange(kind, lane))
    memory = rng.integers(0, 256, 1 << 15).astype(np.uint8)  # what lay there before is no zero
    value = rng.integers(0, 2, kind.shape).astype(np.uint8)
    place.write(memory, value, 0, 4)
    assert np.array_equal(place.read(memory, NO_IMAGE, 0, 4), value)
    if kind.temporal:
        middle = value.take(range(1, 3), axis=1)
        assert np.array_equal(place.read(memory, NO_IMAGE, 1, 3), middle)
        place.write(memory, 1 - middle, 1, 3)
        assert np.array_equal(place.read(memory, NO_IMAGE, 1, 3), 1 - middle)
        assert np.array_equal(place.read(memory, NO_IMAGE, 3, 4), value.take([3], axis=1))
    unused = place.at + place.row - 1  # lanes above those in use stay silent: kernels list words
    assert place.arrangement.lanes % 64 == 0 or memory[unused] == 0


@pytest.mark.parametrize("size", [2, 4, 8])
def test_integers_come_back_through_padding_and_strides(size: int) -> None:
    rng = np.random.default_rng(size)
    place = lanes_at(TIMED, 128, arrange(TIMED, "c"), size)
    memory = np.zeros(1 << 16, np.uint8)
    top = 1 << (8 * size - 1)
    value = rng.integers(-top, top - 1, TIMED.shape)
    place.write(memory, value, 0, 4)
    assert np.array_equal(place.read(memory, NO_IMAGE, 0, 4), value)
    assert np.array_equal(place.read(memory, NO_IMAGE, 2, 3), value.take([2], axis=1))


def test_an_image_is_no_place_in_memory() -> None:
    place = Place(ValueType(Kind.COUNT, (Axis("x", 2),), (0, 255)), Form.IMAGE)
    image = np.array([3, 9], np.uint8)
    assert np.array_equal(place.read(NO_IMAGE, image, 0, 1), image)
    with pytest.raises(TypeError):
        place.write(NO_IMAGE, image, 0, 1)
    with pytest.raises(TypeError):
        _ = place.row


def lies_twice() -> Graph:
    """A current that stands twice in one concat: once where it is made, once as a copy."""
    net = Net(3)
    first = net.fire(net.dense(net.image(y=2, x=5), "x", "c", 40), "first")
    one, other = (net.dense(first, "c", "d", size) for size in (33, 7))
    joined = net.b.add(Concat(("d",) * 4, "d"), [one, other, one, other], name="joined")
    return net.finish(net.fire(joined, "second"))


def test_a_current_that_lies_twice_is_read_rightly() -> None:
    graph = lies_twice()
    plan = plan_units(graph, graph.steps)
    copies = [name for name in plan.values if name not in graph.by_name]
    assert copies, "nothing lies twice"
    for name in copies:
        assert plan.values[name].type in [node.type for node in graph.nodes]
    places = [(p.at, p.step) for p in plan.values.values() if p.form is Form.INTEGERS]
    assert len(set(places)) >= len(places) - 1  # a concat begins where its first part does
    images = np.random.default_rng(0).integers(0, 256, (3, 2, 5)).astype(np.uint8)
    wanted, found = interpret(graph, images, ALL), Simulator(graph, 2).run(images, ALL)
    assert np.array_equal(wanted.membranes["second"], found.membranes["second"])
    assert np.array_equal(wanted.readout, found.readout)


@pytest.mark.parametrize("seed", range(0, 60, 3))
def test_every_value_of_a_plan_has_its_type_and_its_place(seed: int) -> None:
    graph = random_program(seed)
    every = frozenset(node.name for node in graph.select(IntegerPopulation))
    try:
        plan = plan_units(graph, graph.steps, every)
    except NotExpressible:
        return
    assert set(plan.populations) == set(plan.records) == every
    assert plan.states == {}
    for name, place in plan.values.items():
        if name in graph.by_name:
            assert place.type == graph[name].type
        assert 0 <= place.at < plan.memory
        assert (place.form is Form.BITS) == (place.type.kind is Kind.SPIKE)
    for name, kept in plan.populations.items():
        assert plan.names[kept.unit] == name
        assert kept.spikes == plan.values[name]
    assert plan.readout == plan.values[graph[graph.output].inputs[0]]
