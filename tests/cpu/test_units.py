"""Compiled units at the edges of tiles, words and number formats."""

import numpy as np
import pytest

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.checking import check_plan
from snncc.backends.cpu.plan.encoding import plan_units
from snncc.backends.cpu.plan.units import units_of
from snncc.ir import Graph, GraphBuilder, Param
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.verifier import verify
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator

STEPS = 3


class Net:
    """Builds integer programs whose neurons fire at about a third of the steps."""

    def __init__(self, seed: int, steps: int = STEPS) -> None:
        self.rng = np.random.default_rng(seed)
        self.b = GraphBuilder("integer", steps, "exact")

    def constant(self, array: np.ndarray, *axes: str) -> Param:
        return self.b.constant("k", array, axes)

    def weights(self, *shape: int, top: int = 127, dtype: type = np.int8) -> np.ndarray:
        return self.rng.integers(-top, top + 1, shape).astype(dtype)

    def image(self, **axes: int) -> str:
        return self.b.add(Frames(tuple(axes), tuple(axes.values())), name="image")

    def fire(self, current: str, name: str = "", **options: object) -> str:
        kind = self.b[current].type.without("t")
        spread = max(1, (kind.range or (0, 1))[1] // 12)
        threshold = self.constant(self.rng.integers(1, spread + 1, kind.shape), *kind.names)
        bias = self.constant(
            self.rng.integers(-spread, spread + 1, kind.shape[-1:]), kind.names[-1]
        )
        given = {"threshold": threshold, "bias": bias, "decay": (1, 1), **options}
        op = IntegerPopulation(**given)  # type: ignore[arg-type]
        low, high = op.membrane_range(self.b[current].type, self.b.context)
        fitted = IntegerPopulation(**given, membrane=(low, high))  # type: ignore[arg-type]
        return self.b.add(fitted, [current], name=name)

    def dense(self, source: str, into: str, out: str, size: int, **options: object) -> str:
        have = self.b[source].type.size(into)
        w = self.constant(self.weights(size, have, **options), out, into)  # type: ignore[arg-type]
        return self.b.add(Contract(w, (into,), (out,)), [source])

    def finish(self, source: str) -> Graph:
        kind = self.b[source].type.without("t")
        ones = self.constant(self.weights(3, *kind.shape), "answer", *kind.names)
        answer = self.b.add(Contract(ones, kind.names, ("answer",)), [source])
        graph = self.b.finish(self.b.add(IntegerReadout(None, 1.0), [answer]))
        verify(graph)
        return graph


def equal(graph: Graph, count: int = 3, seed: int = 0) -> dict[str, int]:
    """Both executors give the same bits; returns how often each population spiked."""
    shape = next(n.type.shape for n in graph.select(Frames))
    images = np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)
    slow, simulator = interpret(graph, images, ALL), Simulator(graph, 2)
    assert simulator.host_units == {}
    for part in (simulator.run(images, ALL), simulator.run(images[:1], ALL)):
        n = len(part.readout)
        assert np.array_equal(slow.readout[:n], part.readout)
        for name in slow.spikes:
            assert np.array_equal(slow.spikes[name][:n], part.spikes[name]), name
            assert np.array_equal(slow.membranes[name][:n], part.membranes[name]), name
            assert part.spike_counts[name] == slow.spikes[name][:n].sum()
    sites = {n.name: n.type.neurons * STEPS * count for n in graph.select(IntegerPopulation)}
    for name, spikes in slow.spike_counts.items():
        assert sites[name] < 500 or 0 < spikes < sites[name], name
    return dict(slow.spike_counts)


@pytest.mark.parametrize(
    "lanes", [1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 96, 97, 128, 160, 161, 256, 320, 321, 650]
)
def test_any_number_of_lanes(lanes: int) -> None:
    net = Net(lanes)
    first = net.fire(net.dense(net.image(x=5), "x", "c", lanes), "first")
    second = net.fire(net.dense(first, "c", "d", 40), "second")
    third = net.fire(net.dense(second, "d", "e", lanes), "third")
    equal(net.finish(third), 8)


@pytest.mark.parametrize("inputs", [1, 63, 64, 65, 300, 2000])
def test_sums_beyond_sixteen_bits_are_split_or_widened(inputs: int) -> None:
    """Weights near 127 that all have one sign: 300 of them pass 32,767."""
    net = Net(inputs)
    first = net.fire(net.dense(net.image(x=3), "x", "c", inputs), "first")
    weights = np.where(net.rng.random((33, inputs)) < 0.5, 127, 100).astype(np.int8)
    weights[::2] *= -1
    w = net.constant(weights, "d", "c")
    current = net.b.add(Contract(w, ("c",), ("d",)), [first])
    graph = net.finish(net.fire(current, "second"))
    equal(graph, 8)
    unit = next(u for u in units_of(graph).units if u.name == "second")
    assert len(unit.parts) == max(1, -(-inputs * 127 // 32768)) or len(unit.parts) > 1
    assert not any(part.wide for part in unit.parts)


def test_one_sign_only_across_the_taps_of_a_convolution() -> None:
    net = Net(5)
    first = net.fire(net.dense(net.image(p=2, h=5, w=5), "p", "c", 64), "first")
    weights = np.full((20, 64, 3, 3), 125, np.int8)
    weights[::2] *= -1
    w = net.constant(weights, "o", "i", "kh", "kw")
    op = Convolve(w, "c", "h", "w", "c2", "h2", "w2", padding=(1, 1), stride=(2, 1))
    graph = net.finish(net.fire(net.b.add(op, [first]), "second"))
    unit = next(u for u in units_of(graph).units if u.name == "second")
    assert len(unit.parts) > 1
    assert not any(part.wide for part in unit.parts)
    equal(graph)


@pytest.mark.parametrize(("top", "dtype"), [(3000, np.int16), (70000, np.int32)])
def test_wide_weights(top: int, dtype: type) -> None:
    net = Net(top)
    first = net.fire(net.dense(net.image(y=3, x=2), "x", "c", 50, top=9), "first")
    second = net.fire(net.dense(first, "c", "d", 70, top=top, dtype=dtype), "second")
    third = net.fire(net.dense(second, "y", "y", 3, top=top, dtype=dtype), "third")
    graph = net.finish(third)
    kinds = {p.kind: p.wide for u in units_of(graph).units for p in u.parts if u.name != "first"}
    assert kinds[f.MASKED]
    equal(graph)


@pytest.mark.parametrize("lanes", [7, 32, 161, 320, 500])
def test_maps_along_an_axis_that_is_not_the_lanes(lanes: int) -> None:
    net = Net(lanes)
    first = net.fire(net.dense(net.image(y=6, x=2), "x", "c", lanes), "first")
    second = net.fire(net.dense(first, "y", "y", 6), "second")
    equal(net.finish(second))


@pytest.mark.parametrize("lanes", [9, 40, 330])
def test_depthwise_convolution(lanes: int) -> None:
    net = Net(lanes)
    first = net.fire(net.dense(net.image(p=3, h=4, w=5), "p", "c", lanes), "first")
    w = net.constant(net.weights(lanes, 1, 3, 3), "o", "i", "kh", "kw")
    op = Convolve(w, "c", "h", "w", "c2", "h2", "w2", padding=(1, 1), groups=lanes)
    second = net.fire(net.b.add(op, [first]), "second")
    graph = net.finish(second)
    assert f.MASKED_LANES in {p.kind for u in units_of(graph).units for p in u.parts}
    equal(graph)


@pytest.mark.parametrize("groups", [2, 4])
def test_grouped_convolution(groups: int) -> None:
    net = Net(groups)
    first = net.fire(net.dense(net.image(p=3, h=4, w=5), "p", "c", 16), "first")
    w = net.constant(net.weights(24, 16 // groups, 2, 3), "o", "i", "kh", "kw")
    op = Convolve(
        w, "c", "h", "w", "c2", "h2", "w2", padding=(1, 0), dilation=(2, 1), groups=groups
    )
    equal(net.finish(net.fire(net.b.add(op, [first]), "second")))


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("compare", ["ge", "gt"])
@pytest.mark.parametrize(
    ("decay", "offset", "to_zero"),
    [((1, 1), 0, False), ((1, 0), 0, False), ((3, 2), 0, False), ((2731, 13), 5, False),
     ((2048, 12), 0, True), ((1, 3), 0, True)],
)  # fmt: skip
def test_every_kind_of_neuron(
    reset: str, compare: str, decay: tuple[int, int], offset: int, to_zero: bool
) -> None:
    net = Net(7)
    first = net.fire(net.dense(net.image(y=3, x=2), "x", "c", 37), "first")
    current = net.dense(first, "c", "d", 45)
    polarity = net.constant(net.rng.integers(-1, 2, (3, 1)).astype(np.int8)[:, 0], "y")
    extra = net.constant(net.rng.integers(-50, 50, (STEPS, 45)), "t", "d")
    rounding = Rounding.TO_ZERO if to_zero else Rounding.exact_for(compare)
    kind = {"decay": decay, "decay_offset": offset, "rounding": rounding}
    second = net.fire(
        current, "second", reset=reset, compare=compare, polarity=polarity, offset=extra, **kind
    )
    equal(net.finish(second))


@pytest.mark.parametrize("top", [1, 100, 40_000])
@pytest.mark.parametrize("shift", [0, 5])
def test_gains_of_either_sign(top: int, shift: int) -> None:
    net = Net(top + shift)
    first = net.fire(net.dense(net.image(y=3, x=2), "x", "c", 37, top=3), "first")
    current = net.dense(first, "c", "d", 41, top=9)
    mantissa = net.constant(net.rng.integers(-top, top + 1, (3, 41)), "y", "d")
    scaled = net.b.add(Gain(mantissa, shift), [current])
    second = net.b.add(Sum((2, 0)), [current, scaled])
    equal(net.finish(net.fire(second, "second")))


def test_currents_side_by_side_lie_in_one_place() -> None:
    net = Net(3)
    first = net.fire(net.dense(net.image(y=4, x=3), "x", "c", 20), "first")
    one, two = net.dense(first, "c", "d", 35), net.dense(first, "c", "e", 50)
    both = net.b.add(Concat(("d", "e"), "f"), [one, two])
    alone = net.fire(one, "alone")
    joined = net.fire(both, "joined")
    again = net.b.add(Sum(), [both, net.dense(joined, "f", "f", 85)])
    last = net.fire(net.b.add(Sum(), [again, net.dense(joined, "f", "f", 85)]), "last")
    mixed = net.b.add(Sum(), [net.dense(alone, "d", "g", 9), net.dense(last, "f", "g", 9)])
    graph = net.finish(net.fire(mixed, "mixed"))
    assert set(units_of(graph).slices) == {one, two}
    equal(graph)


def test_parts_that_meet_are_one_sum() -> None:
    net = Net(4)
    first = net.fire(net.dense(net.image(x=6), "x", "c", 60, top=9), "first")
    second = net.fire(net.dense(first, "c", "c", 60, top=9), "second")
    met = net.b.add(Sum(), [net.dense(s, "c", "d", 33, top=9) for s in (first, second, first)])
    graph = net.finish(net.fire(met, "third"))
    unit = next(u for u in units_of(graph).units if u.name == "third")
    assert [op.parts for op in unit.ops if op.kind == f.PROJECT] == [3]
    equal(graph)


@pytest.mark.parametrize("what", ["lanes", "pixels", "taps"])
def test_more_inputs_than_sixteen_bits_list_are_several_lists(what: str) -> None:
    """65,472 weight rows at most have numbers; a sum of more is a sum of shares."""
    net = Net(5)
    if what == "pixels":
        graph = net.finish(net.fire(net.dense(net.image(x=70_000), "x", "c", 5, top=2), "first"))
    elif what == "lanes":
        graph = net.finish(net.fire(net.dense(net.image(x=3), "x", "c", 66_000, top=2), "first"))
    else:
        image = net.image(y=4, x=3)
        first = net.fire(net.dense(image, "x", "c", 30_000, top=2), "first")
        w = net.constant(net.weights(5, 4, 30_000), "d", "y", "c")
        second = net.fire(net.b.add(Contract(w, ("y", "c"), ("d",)), [first]), "second")
        graph = net.finish(second)
    plan = plan_units(graph, STEPS)
    rows = plan.parts[:, f.P_INPUTS]
    assert rows.max() <= 65_472 < rows.sum()
    if what != "pixels":
        assert check_plan(graph, plan) == ()
    equal(graph, 2)


def test_sums_that_are_nested_deeper_than_there_are_registers() -> None:
    net = Net(6)
    first = net.fire(net.dense(net.image(x=6), "x", "c", 33), "first")
    current = net.dense(first, "c", "d", 9, top=3)
    for each in range(9):
        gain = Gain(net.constant(net.rng.integers(1, 3, (9,)), "d"), 1)
        scaled = net.b.add(gain, [current])
        terms = [net.dense(first, "c", "d", 9, top=3), scaled]
        current = net.b.add(Sum((1, 0)) if each % 2 else Sum(), terms)
    graph = net.finish(net.fire(current, "second"))
    plan = plan_units(graph, STEPS)
    assert plan.ops[:, f.O_DST].max() == f.REGISTERS - 1
    assert check_plan(graph, plan) == ()
    equal(graph)


def test_places_in_memory_are_used_again() -> None:
    """A chain of twelve layers needs the memory of about two."""

    def memory(layers: int) -> int:
        net = Net(1)
        x = net.fire(net.dense(net.image(y=50, x=3), "x", "c", 640), "first")
        for _ in range(layers):
            x = net.fire(net.dense(x, "c", "c", 640), "next")
        return plan_units(net.finish(x), STEPS).memory

    assert memory(12) < 1.2 * memory(2)
