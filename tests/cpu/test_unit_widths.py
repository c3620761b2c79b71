"""Sums at the borders of int8, int16 and int32: hundreds of equal taps, every mode, both executors.

Programs are built by hand so that every input spikes: each bound is reached, from both sides.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.arrangement import NotExpressible
from snncc.backends.cpu.checking import check_plan
from snncc.backends.cpu.dense.choice import projections_of_spikes
from snncc.backends.cpu.parts.bounds import sum_bounds
from snncc.backends.cpu.plan.encoding import plan_units
from snncc.backends.cpu.plan.units import units_of
from snncc.ir import Graph, GraphBuilder, VerifyError, verify
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.runtime import ALL, Execution, interpret
from snncc.runtime.simulator import Simulator

STEPS = 3


@dataclass
class Full:
    """Builds programs of which every neuron of `spikes` fires at every step for a white image."""

    b: GraphBuilder

    @classmethod
    def new(cls, steps: int = STEPS) -> "Full":
        return cls(GraphBuilder("integer", steps, "exact"))

    def spikes(self, **axes: int) -> str:
        """A population that spikes where a pixel is at least 200."""
        names = tuple(axes)
        image = self.b.add(Frames(names, tuple(axes.values())), name="image")
        last = names[-1]
        own = np.eye(axes[last], dtype=np.int8)
        return self.fire(self.map(image, own, last, last), 200, "first")

    def fire(self, current: str, threshold: int, name: str = "", **options: object) -> str:
        k = self.b.constant("k", np.array(threshold))
        given = {"threshold": k, "decay": (1, 1), **options}
        op = IntegerPopulation(**given)  # type: ignore[arg-type]
        bounds = op.membrane_range(self.b[current].type, self.b.context)
        whole = IntegerPopulation(**given, membrane=bounds)  # type: ignore[arg-type]
        return self.b.add(whole, [current], name=name)

    def map(self, source: str, weight: np.ndarray, out: str, into: str, *summed: str) -> str:
        w = self.b.constant("w", weight, (out, into))
        return self.b.add(Contract(w, (into,), (out,), summed=summed), [source])

    def read(self, current: str) -> Graph:
        graph = self.b.finish(self.b.add(IntegerReadout(None, 1.0), [current]))
        verify(graph)
        return graph


def same(wanted: Execution, got: Execution) -> None:
    assert np.array_equal(wanted.readout, got.readout)
    assert wanted.spike_counts == got.spike_counts
    for name in wanted.spikes:
        assert np.array_equal(wanted.spikes[name], got.spikes[name]), name
        assert np.array_equal(wanted.membranes[name], got.membranes[name]), name


def every_mode(graph: Graph, images: np.ndarray | None = None) -> Execution:
    """All kernels, one and two threads, whole and resumed streams: the interpreter's bits."""
    shape = next(n.type.shape for n in graph.select(Frames))
    if images is None:
        images = np.random.default_rng(0).integers(150, 256, (3, *shape)).astype(np.uint8)
        images[0] = 255
    wanted = interpret(graph, images, ALL)
    modes = (("event", 1), ("event", 2), ("dense", 1), ("dense", 2), ("auto", 2))
    alone = interpret(graph, images[:1], ALL)
    for kernels, threads in modes:
        simulator = Simulator(graph, threads, kernels)
        assert simulator.host_units == {}
        same(wanted, simulator.run(images, ALL))
        same(alone, simulator.run(images[:1], ALL))
    simulator = Simulator(graph, 1)
    stream = simulator.stream(images[0], ALL)
    for step in range(graph.steps):
        answer = stream.step()
        for name, membranes in answer.membranes.items():
            at = graph[name].type.names.index("t")
            assert np.array_equal(wanted.membranes[name][0].take(step, axis=at), membranes)
        stream = simulator.resume(stream.state(), ALL)
    assert np.array_equal(answer.readout, wanted.readout[0])
    return wanted


@pytest.mark.parametrize("lanes", [1, 17, 33, 65])
@pytest.mark.parametrize("places", [(16, 16), (20, 15)])
def test_a_sum_over_places_before_a_map(lanes: int, places: tuple[int, int]) -> None:
    """As a global average pool makes it: every place reads the same weight rows."""
    net = Full.new()
    first = net.spikes(h=places[0], w=places[1], p=lanes)
    weight = np.full((2, lanes), 127, np.int8)
    weight[1] = -127
    pooled = net.map(first, weight, "o", "p", "h", "w")
    graph = net.read(pooled)
    wanted = every_mode(graph)
    reach = STEPS * 127 * lanes * places[0] * places[1]
    assert wanted.readout[0].tolist() == [reach, -reach]


@pytest.mark.parametrize("count", [256, 257, 258, 259, 516, 517])
@pytest.mark.parametrize("weight", [127, -128])
def test_equal_taps_at_the_border_of_sixteen_bits(count: int, weight: int) -> None:
    """258 * 127 and 256 * -128 fit into 16 bits, one tap more does not."""
    net = Full.new()
    first = net.spikes(h=count, p=1)
    graph = net.read(net.map(first, np.full((1, 1), weight, np.int8), "o", "p", "h"))
    wanted = every_mode(graph)
    assert wanted.readout[0].tolist() == [STEPS * weight * count]
    (unit,) = [u for u in units_of(graph).units if u.parts and u.parts[0].kind == f.EVENTS]
    fits = count * weight in range(-(1 << 15), 1 << 15)
    assert (len(unit.parts) == 1) == fits
    assert not any(part.wide for part in unit.parts)


@pytest.mark.parametrize("last", [1, 2, 3, 4])
@pytest.mark.parametrize("sign", [1, -1])
def test_one_list_at_the_border_of_sixteen_bits(last: int, sign: int) -> None:
    """32,767 and -32,768 are the last that fit: 258 times 127 and one weight more."""
    net = Full.new()
    first = net.spikes(p=259)
    weight = np.full((17, 259), sign * 127, np.int8)
    weight[:, -1] = sign * (last - 1)
    graph = net.read(net.map(first, weight, "o", "p"))
    wanted = every_mode(graph)
    assert set(wanted.readout[0].tolist()) == {sign * STEPS * (32_766 + last - 1)}


@pytest.mark.parametrize("extra", [0, 1, 2])
def test_maps_along_rows_at_the_border_of_sixteen_bits(extra: int) -> None:
    """MASKED: one weight a tap, lanes kept; 258 taps of 127 and one of `extra`."""
    net = Full.new()
    first = net.spikes(y=259, p=33)
    weight = np.full((2, 259), 127, np.int8)
    weight[:, -1] = extra
    weight[1] *= -1
    current = net.map(first, weight, "z", "y")
    last = net.fire(current, 30_000, "last")
    graph = net.read(net.map(last, np.ones((1, 33), np.int8), "o", "p", "z"))
    every_mode(graph)
    (unit,) = [u for u in units_of(graph).units if u.name == "last"]
    assert unit.parts[0].kind == f.MASKED
    assert unit.parts[0].wide == (extra > 1)


@pytest.mark.parametrize("count", [258, 259])
def test_planes_of_pixels_at_the_border_of_sixteen_bits(count: int) -> None:
    """Each of the eight planes is a sum of its own, shifted after it is widened."""
    net = Full.new()
    image = net.b.add(Frames(("h", "p"), (count, 1)), name="image")
    current = net.map(image, np.full((33, 1), 127, np.int8), "o", "p", "h")
    last = net.fire(current, 4_000_000, "last")
    graph = net.read(net.map(last, np.ones((1, 33), np.int8), "c", "o"))
    every_mode(graph)
    wide = {part.wide for u in units_of(graph).units for part in u.parts if part.kind == f.PLANE}
    assert wide == {count > 258}


@pytest.mark.parametrize("count", [129, 130])
def test_stacked_lists_at_the_border_of_sixteen_bits(count: int) -> None:
    """Two lists of 129 times 127 are one of 32,766; of 130 they are not."""
    net = Full.new()
    first = net.spikes(p=count)
    parts = [net.map(first, np.full((9, count), 127, np.int8), "o", "p") for _ in range(2)]
    last = net.fire(net.b.add(Sum(), parts), 32_000, "last")
    graph = net.read(net.map(last, np.ones((1, 9), np.int8), "c", "o"))
    every_mode(graph)
    (unit,) = [u for u in units_of(graph).units if u.name == "last"]
    stacked = [op.parts for op in unit.ops if op.kind == f.PROJECT]
    assert stacked == ([2] if count == 129 else [1, 1])


@pytest.mark.parametrize(("value", "size"), [(32_767, 2), (32_768, 4), (-32_768, 2), (-32_769, 4)])
def test_stored_currents_at_the_border_of_two_bytes(value: int, size: int) -> None:
    net = Full.new()
    first = net.spikes(p=3)
    weight = np.zeros((65, 3), np.int32)
    weight[:, 0], weight[:, 1] = value - np.sign(value) * 3, np.sign(value) * 3
    current = net.map(first, weight, "o", "p")
    heads = [net.fire(current, abs(value) - k, f"n{k}") for k in range(2)]
    answers = [net.map(head, np.ones((2, 65), np.int8), "c", "o") for head in heads]
    graph = net.read(net.b.add(Sum(), answers))
    wanted = every_mode(graph)
    assert wanted.membranes["n0"][0, 0, 0] == value
    plan = plan_units(graph, STEPS)
    assert size in plan.accesses[:, f.A_BYTES]
    assert (4 in plan.accesses[:, f.A_BYTES]) == (size == 4)


TOP = (1 << 31) - 1


@pytest.mark.parametrize(("value", "fits"), [(TOP, True), (TOP + 1, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_currents_at_the_border_of_a_register(value: int, fits: bool, sign: int) -> None:
    net = Full.new(1)
    first = net.spikes(p=2)
    weight = np.array([[sign * (value - 5), sign * 5]] * 33, np.int64)
    last = net.fire(net.map(first, weight, "o", "p"), value, "last", decay=(1, 3))
    graph = net.read(net.map(last, np.ones((1, 33), np.int8), "c", "o"))
    if fits:
        every_mode(graph)
        return
    on_host(graph, "more than 32 bits", 1)


def on_host(graph: Graph, reason: str, steps: int = STEPS) -> None:
    """The host computes what does not fit, and nothing else; with the interpreter's bits."""
    plan = plan_units(graph, steps)
    assert any(reason in each for each in plan.reasons.values()), plan.reasons
    assert not [u for u in plan.host.values() if isinstance(u.node.op, Contract | Convolve)]
    assert check_plan(graph, plan) == ()
    shape = next(n.type.shape for n in graph.select(Frames))
    images = np.full((2, *shape), 255, np.uint8)
    simulator = Simulator(graph, 2)
    assert simulator.host_units == plan.reasons
    wanted = interpret(graph, images, ALL)
    same(wanted, simulator.run(images, ALL))
    same(wanted, Simulator(graph, 2, "dense").run(images, ALL))
    assert np.array_equal([*simulator.stream(images[0])][-1].readout, wanted.readout[0])


@pytest.mark.parametrize(("shift", "over"), [(3, 0), (3, 1), (10, 0), (10, 1), (0, 0), (0, 1)])
def test_gains_at_the_border_of_a_register(shift: int, over: int) -> None:
    """mantissa * x + 2^shift is what is bounded: one more than 2^31 - 1 is the host's."""
    net = Full.new()
    first = net.spikes(p=1)
    room = TOP - (1 << shift)
    x = next(n for n in (7, 3, 11, 31, 151, 331, 1, 2) if room % n == 0)
    current = net.map(first, np.full((33, 1), x, np.int32), "o", "p")
    mantissa = net.b.constant("m", np.array(room // x + over))
    scaled = net.b.add(Gain(mantissa, shift), [current])
    last = net.fire(scaled, 100, "last", decay=(1, 2))
    graph = net.read(net.map(last, np.ones((1, 33), np.int8), "c", "o"))
    if over or x * (room // x) >> shift > TOP >> 1:
        on_host(graph, "32 bits")
        return
    every_mode(graph)


def test_a_gain_whose_rounding_alone_passes_the_register() -> None:
    net = Full.new()
    first = net.spikes(p=1)
    current = net.map(first, np.full((3, 1), 1, np.int8), "o", "p")
    for room, fits in ((TOP - (1 << 20), True), (TOP - (1 << 20) + 1, False)):
        b = GraphBuilder("integer", STEPS, "exact")
        copy = Full(b)
        first = copy.spikes(p=1)
        current = copy.map(first, np.full((3, 1), 1, np.int8), "o", "p")
        scaled = b.add(Gain(b.constant("m", np.array(room)), 20), [current])
        graph = copy.read(
            copy.map(copy.fire(scaled, 1, "last"), np.ones((1, 3), np.int8), "c", "o")
        )
        if fits:
            every_mode(graph)
        else:
            on_host(graph, "before its shift")


@pytest.mark.parametrize(("shift", "fits"), [(30, True), (31, True), (32, False), (33, False)])
def test_leaks_at_the_border_of_a_register(shift: int, fits: bool) -> None:
    net = Full.new()
    first = net.spikes(p=2)
    weight = np.array([[-1, 3]] * 17, np.int8)
    last = net.fire(net.map(first, weight, "o", "p"), 4, "last", decay=(1, shift))
    graph = net.read(net.map(last, np.ones((1, 17), np.int8), "c", "o"))
    if fits:
        every_mode(graph)
    else:
        on_host(graph, "more than 32 bits")


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("more", [0, 10])
def test_membranes_times_numerators_at_the_border_of_a_register(over: int, more: int) -> None:
    """A leak of 3/4 multiplies the declared membrane by 3 before it shifts; 3072/4096 too."""
    net = Full.new(2)
    first = net.spikes(p=1)
    current = net.map(first, np.full((33, 1), 1000, np.int32), "o", "p")
    k = net.b.constant("k", np.array(1500))
    widest = (TOP - 2) // 3
    leak = {"decay": (3 << more, 2 + more), "decay_offset": (3 << more) - 1}
    op = IntegerPopulation(k, **leak, membrane=(-5, widest + over))  # type: ignore[arg-type]
    last = net.b.add(op, [current], name="last")
    graph = net.read(net.map(last, np.ones((1, 33), np.int8), "c", "o"))
    if over:
        on_host(graph, "its membranes need", 2)
    else:
        every_mode(graph)


@pytest.mark.parametrize(
    ("factor", "carry", "rounding"),
    [
        (0, 4095, Rounding.DOWN),
        (1024, 1023, Rounding.UP),
        (2048, 0, Rounding.TO_ZERO),
        (3072, 2500, Rounding.DOWN),
        (3584, 511, Rounding.UP),
        (4096, 1, Rounding.TO_ZERO),
    ],
)
def test_a_leak_is_compiled_in_lowest_terms(factor: int, carry: int, rounding: Rounding) -> None:
    """As Lava writes it, over 4096: no register holds the membrane times the numerator."""
    net = Full.new()
    weight = np.random.default_rng(factor).integers(-(2**24), 2**24, (33, 3))
    current = net.map(net.spikes(p=3), weight, "o", "p")
    leak = {"decay": (factor, 12), "decay_offset": carry, "rounding": rounding}
    compare = "gt" if rounding is Rounding.UP else "ge"
    fired = net.fire(current, 2**23, "last", **leak, compare=compare)
    graph = net.read(net.map(fired, np.ones((1, 33), np.int8), "c", "o"))
    every_mode(graph)
    plan = plan_units(graph, STEPS)
    assert check_plan(graph, plan) == ()
    for column in (f.N_SHIFT, f.N_LEAK_OFFSET):
        for by in (1, -1):
            neurons = plan.neurons.copy()
            neurons[-1, column] += by
            assert check_plan(graph, replace(plan, neurons=neurons)) != (), (column, by)


@pytest.mark.parametrize("kind", ["sum", "gain"])
def test_what_no_register_can_shift_is_the_host_s(kind: str) -> None:
    """A current that is always 0 may be shifted by anything; a register of 32 bits may not."""
    net = Full.new()
    first = net.spikes(p=2)
    nothing = net.map(first, np.zeros((17, 2), np.int8), "o", "p")
    some = net.map(first, np.ones((17, 2), np.int8), "o", "p")
    if kind == "sum":
        met = net.b.add(Sum((0, 32)), [some, nothing])
    else:
        far = net.b.constant("m", np.array(1 << 40))
        met = net.b.add(Sum(), [some, net.b.add(Gain(far, 2), [nothing])])
    graph = net.read(net.map(net.fire(met, 2, "last"), np.ones((1, 17), np.int8), "c", "o"))
    on_host(graph, "it shifts by more" if kind == "sum" else "its mantissas need more")


@pytest.mark.parametrize("lanes", [1, 17, 33, 65])
def test_convolutions_of_one_sign(lanes: int) -> None:
    net = Full.new(2)
    first = net.spikes(h=6, w=5, p=lanes)
    weight = np.full((lanes, lanes, 3, 3), 127, np.int8)
    weight[::2] = -128
    w = net.b.constant("w", weight, ("o", "i", "kh", "kw"))
    conv = net.b.add(Convolve(w, "p", "h", "w", "o", "h2", "w2", padding=(1, 1)), [first])
    last = net.fire(conv, 127 * lanes * 5, "last")
    pooled = net.map(last, np.full((2, lanes), 126, np.int8), "c", "o", "h2", "w2")
    every_mode(net.read(pooled))


def test_bounds_count_a_weight_as_often_as_it_is_added() -> None:
    weights = np.array([[[3], [-2], [5], [1]]], np.int8)
    assert sum_bounds(np.array([[0, 0, 0]]), weights, 2) == (-6, 9)
    assert sum_bounds(np.array([[0, 2], [2, 2]]), weights, 2) == (-2, 12)
    assert sum_bounds(np.array([[0, 1, 1]]), weights, 1) == (-4, 3)
    assert sum_bounds(np.zeros((0, 2), np.int64), weights, 1) == (0, 0)


def test_names_of_nodes_and_axes_mean_nothing_to_a_plan() -> None:
    """A source that is called as a copy would be; axes called "" or like the planner's own."""
    net = Full.new()
    first = net.spikes(p=17)
    one = net.b.add(
        Contract(net.b.constant("w", np.eye(17, dtype=np.int8), ("o", "p")), ("p",), ("o",)),
        [first], name="cat[0]",
    )  # fmt: skip
    joined = net.b.add(Concat(("o", "o", "o"), "o"), [one, one, net.map(first, np.full((16, 17), 3,
                       np.int8), "o", "p")], name="cat")  # fmt: skip
    graph = net.read(net.map(net.fire(joined, 2, "last"), np.ones((1, 50), np.int8), "c", "o"))
    every_mode(graph)
    for axis in ("", "<p"):
        net = Full.new()
        first = net.spikes(p=9)
        current = net.map(first, np.full((5, 9), 3, np.int8), axis, "p")
        last = net.map(net.fire(current, 9, "last"), np.ones((1, 5), np.int8), "c", axis)
        graph = net.b.finish(net.b.add(IntegerReadout(None, 1.0), [last]))
        with pytest.raises(VerifyError, match="cannot name an axis"):
            verify(graph)
        with pytest.raises(NotExpressible) as caught:
            plan_units(graph, STEPS)
        assert "another meaning" in caught.value.findings[0].why


def test_the_readout_is_the_output_and_not_the_first() -> None:
    net = Full.new()
    first = net.spikes(p=3)
    other = net.map(first, np.full((2, 3), 7, np.int8), "c", "p")
    right = net.map(first, np.full((2, 3), 5, np.int8), "c", "p")
    aside = net.b.add(IntegerReadout(None, 1.0), [other], name="aside")
    answer = net.b.add(IntegerReadout(None, 1.0), [right], name="answer")
    first_answer, graph = net.b.finish(aside), net.b.finish(answer)
    nodes = dict.fromkeys((*first_answer.nodes, *graph.nodes))  # finishing leaves the other out
    constants = {**first_answer.constants, **graph.constants}
    graph = replace(graph, nodes=tuple(nodes), constants=constants)
    assert len(graph.select(IntegerReadout)) == 2
    images = np.full((2, 3), 255, np.uint8)
    wanted = interpret(graph, images)
    assert wanted.readout.tolist() == [[45, 45]] * 2
    simulator = Simulator(graph)
    assert np.array_equal(simulator.run(images).readout, wanted.readout)
    stream = simulator.stream(images[0])
    assert [*stream][-1].readout.tolist() == [45, 45]


def test_every_plan_of_these_is_right_when_it_is_dense() -> None:
    net = Full.new()
    first = net.spikes(h=20, w=20, p=3)
    pooled = net.map(first, np.full((2, 3), 127, np.int8), "o", "p", "h", "w")
    graph = net.read(pooled)
    plan = plan_units(graph, STEPS, dense=projections_of_spikes(graph))
    assert len(plan.dense) > 0
    assert check_plan(graph, plan) == ()
