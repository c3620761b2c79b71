"""The plan checker finds every fault that is planted in a plan, and none in plans as they are."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from test_units import STEPS, Net

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.checking import check_plan
from snncc.backends.cpu.dense.choice import projections_of_spikes
from snncc.backends.cpu.parts import bounds
from snncc.backends.cpu.parts import projections as parts
from snncc.backends.cpu.plan import joining
from snncc.backends.cpu.plan.encoding import plan_units
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.ir import Graph
from snncc.ir.dialects.integer import Gain, IntegerPopulation
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Sum

Table = np.ndarray


def busy() -> Graph:
    """Every kind of part and op: planes, lists, masks, gains, a concat, shared currents."""
    net = Net(11)
    first = net.fire(net.dense(net.image(y=4, x=6), "x", "c", 33), "first")
    along = net.fire(net.dense(first, "y", "y", 4, top=60), "along")
    one = net.dense(along, "c", "d", 33, top=40)
    two = net.dense(first, "c", "d", 33, top=40)
    joined = net.b.add(Concat(("y", "y"), "y"), [one, two])
    second = net.fire(joined, "second")
    mantissa = net.constant(net.rng.integers(-9, 10, (8, 33)), "y", "d")
    scaled = net.b.add(Gain(mantissa, 3), [net.dense(second, "d", "d", 33, top=20)])
    met = net.b.add(Sum((1, 0)), [net.dense(second, "d", "d", 33, top=20), scaled])
    third = net.fire(met, "third", decay=(3, 2), reset="soft")
    return net.finish(third)


def depthwise() -> Graph:
    net = Net(4)
    first = net.fire(net.dense(net.image(p=3, h=4, w=5), "p", "c", 40), "first")
    w = net.constant(net.weights(40, 1, 3, 3), "o", "i", "kh", "kw")
    op = Convolve(w, "c", "h", "w", "c2", "h2", "w2", padding=(1, 1), groups=40)
    return net.finish(net.fire(net.b.add(op, [first]), "second"))


def plans(graph: Graph) -> dict[str, UnitPlan]:
    every = frozenset(node.name for node in graph.select(IntegerPopulation))
    return {
        "batch": plan_units(graph, graph.steps),
        "recorded": plan_units(graph, graph.steps, every),
        "stream": plan_units(graph, 1, every, stateful=True),
        "dense": plan_units(graph, graph.steps, dense=projections_of_spikes(graph)),
    }


@pytest.mark.parametrize("make", [busy, depthwise])
@pytest.mark.parametrize("seed", [0, 1])
def test_plans_as_they_are_hold(make: Callable[[], Graph], seed: int) -> None:
    graph = make()
    for name, plan in plans(graph).items():
        assert check_plan(graph, plan, seed) == (), name


def changed(plan: UnitPlan, table: str, row: int, column: int, value: int) -> UnitPlan:
    cells = getattr(plan, table).copy()
    cells[row, column] = value
    return replace(plan, **{table: cells})


def of_kind(plan: UnitPlan, kind: int) -> int:
    return int(np.flatnonzero(plan.parts[:, f.P_KIND] == kind)[0])


def op_of(plan: UnitPlan, kind: int) -> int:
    return int(np.flatnonzero(plan.ops[:, f.O_KIND] == kind)[0])


def says(graph: Graph, plan: UnitPlan, *parts_of_it: str) -> None:
    (fault,) = check_plan(graph, plan)
    assert all(part in fault.what for part in parts_of_it), fault


@pytest.mark.parametrize("kind", [f.EVENTS, f.PLANE, f.MASKED])
def test_one_weight_that_is_another(kind: int) -> None:
    graph = busy()
    plan = plan_units(graph, STEPS)
    block = plan.block.copy()
    block[plan.parts[of_kind(plan, kind), f.P_WEIGHTS]] ^= 1
    says(graph, replace(plan, block=block), "another sum than the program's")


@pytest.mark.parametrize("kind", [f.EVENTS, f.PLANE, f.MASKED])
def test_a_tap_that_is_dropped_or_doubled(kind: int) -> None:
    graph = busy()
    plan = plan_units(graph, STEPS)
    place = plan.parts[of_kind(plan, kind), f.P_TAPS]
    dropped = plan.block.copy()
    dropped[place : place + 4].view(np.int32)[0] = -1
    says(graph, replace(plan, block=dropped), "another sum")
    if plan.parts[of_kind(plan, kind), f.P_TAP_COUNT] > 1:
        doubled = plan.block.copy()
        doubled[place : place + 8] = doubled[place + 8 : place + 16]
        says(graph, replace(plan, block=doubled))


def test_a_wrong_weight_offset() -> None:
    graph = busy()
    plan = plan_units(graph, STEPS)
    for kind in (f.EVENTS, f.PLANE, f.MASKED):
        number = of_kind(plan, kind)
        moved = changed(plan, "parts", number, f.P_WEIGHTS, plan.parts[number, f.P_WEIGHTS] + 32)
        says(graph, moved)
        outside = changed(plan, "parts", number, f.P_WEIGHTS, len(plan.block))
        says(graph, outside, "lie outside the plan's constants")
        fewer = changed(plan, "parts", number, f.P_INPUTS, 1)
        says(graph, fewer)


@pytest.mark.parametrize("column", [f.P_SOURCE, f.P_STEP, f.P_ROW])
def test_spikes_of_elsewhere(column: int) -> None:
    graph = busy()
    plan = plan_units(graph, STEPS)
    for kind in (f.EVENTS, f.MASKED):
        number = of_kind(plan, kind)
        says(graph, changed(plan, "parts", number, column, plan.parts[number, column] + 8))


@pytest.mark.parametrize("delta", [-1, 1, 31, 40])
def test_a_wrong_shift(delta: int) -> None:
    graph = busy()
    plan = plan_units(graph, STEPS)
    for number in range(len(plan.ops)):
        if plan.ops[number, f.O_KIND] in (f.PROJECT, f.LOAD, f.SUM):
            says(
                graph, changed(plan, "ops", number, f.O_SHIFT, plan.ops[number, f.O_SHIFT] + delta)
            )


def test_a_register_that_is_replaced_in_place_of_added_to() -> None:
    graph = busy()
    plan = plan_units(graph, STEPS)
    for number in np.flatnonzero(plan.ops[:, f.O_ADD]):
        says(graph, changed(plan, "ops", number, f.O_ADD, 0), "another sum")


@pytest.mark.parametrize("column", [f.G_HIGH, f.G_SHIFT, f.G_LOW, f.G_TABLE, f.G_BYTES])
def test_a_gain_that_is_read_otherwise(column: int) -> None:
    graph = busy()
    plan = plan_units(graph, STEPS)
    step = {f.G_HIGH: -1, f.G_BYTES: 2}.get(column, 1)
    says(graph, changed(plan, "gains", 0, column, plan.gains[0, column] + step))


def test_a_stored_current_of_too_few_bytes() -> None:
    """40,000 in 16 bits; the table says 2 where the planner said 4."""
    net = Net(3)
    first = net.fire(net.dense(net.image(y=2, x=3), "x", "c", 400), "first")
    w = net.constant(np.full((5, 400), 100, np.int8), "d", "c")
    current = net.b.add(Contract(w, ("c",), ("d",)), [first])
    one, two = net.fire(current, "one"), net.fire(current, "two")
    last = net.b.add(Sum(), [net.dense(one, "d", "e", 4), net.dense(two, "d", "e", 4)])
    graph = net.finish(net.fire(last, "last"))
    plan = plan_units(graph, STEPS)
    narrow = plan.accesses.copy()
    assert set(narrow[2:4, f.A_BYTES]) == {4}
    narrow[2:4, f.A_BYTES] = 2
    says(graph, replace(plan, accesses=narrow), "the stored current can reach 0..40000")


def test_a_sum_in_sixteen_bits_that_needs_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the planner did once: taps that read the same weight rows, bounded as one."""
    net = Net(2)
    first = net.fire(net.dense(net.image(h=20, w=20, p=2), "p", "c", 3), "first")
    w = net.constant(np.full((4, 3), 127, np.int8), "d", "c")
    current = net.b.add(Contract(w, ("c",), ("d",), summed=("h", "w")), [first])
    graph = net.finish(net.fire(current, "second"))
    assert check_plan(graph, plan_units(graph, STEPS)) == ()
    whole = bounds.sum_bounds
    monkeypatch.setattr(parts, "sum_bounds", lambda b, w, n: whole(np.unique(b)[None], w, n))
    (fault,) = check_plan(graph, plan_units(graph, STEPS))
    assert fault.unit == "second"
    assert "the accumulator of part" in fault.what
    assert "0..152400, its format holds -32768..32767" in fault.what


def test_lists_that_are_stacked_beyond_sixteen_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net(2)
    first = net.fire(net.dense(net.image(x=6), "x", "c", 200), "first")
    w = net.constant(np.full((8, 200), 127, np.int8), "d", "c")
    sums = [net.b.add(Contract(w, ("c",), ("d",)), [first]) for _ in range(2)]
    graph = net.finish(net.fire(net.b.add(Sum(), sums), "second"))
    assert check_plan(graph, plan_units(graph, STEPS)) == ()
    monkeypatch.setattr(joining, "can_stack", lambda _: True)
    says(graph, plan_units(graph, STEPS), "50800, its format holds -32768..32767")


def test_buffers_that_overlap_while_both_live() -> None:
    graph = busy()
    plan = plan_units(graph, STEPS)
    spikes = np.flatnonzero(plan.neurons[:, f.N_SPIKES] >= 0)
    places = sorted({int(plan.neurons[n, f.N_SPIKES]) for n in spikes})
    found = 0
    for other in plan.accesses[:, f.A_PLACE]:
        for place in {*places, *map(int, plan.accesses[:, f.A_PLACE])} - {int(other)}:
            moved = plan.accesses.copy()
            moved[moved[:, f.A_PLACE] == other, f.A_PLACE] = place
            found += check_plan(graph, replace(plan, accesses=moved)) != ()
    assert found > 0


def test_memory_that_is_given_away_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lifetimes that end a unit early: places are used again while somebody still reads."""
    from snncc.backends.cpu.plan import memory, placing

    def early(sizes: dict, lives: dict, fixed: list) -> tuple[dict[str, int], int]:
        ends = {n: (a, max(a, b - 1)) for n, (a, b) in lives.items()}
        return memory.place_buffers(sizes, ends, fixed)

    monkeypatch.setattr(placing, "place_buffers", early)
    graph = busy()
    assert check_plan(graph, plan_units(graph, STEPS)) != ()


def test_what_stays_from_step_to_step_is_not_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    from snncc.backends.cpu.plan import memory, placing

    def none_fixed(sizes: dict, lives: dict, fixed: list) -> tuple[dict[str, int], int]:
        return memory.place_buffers(sizes, {**{n: (0, 0) for n in fixed}, **lives}, [])

    monkeypatch.setattr(placing, "place_buffers", none_fixed)
    graph = busy()
    every = frozenset(node.name for node in graph.select(IntegerPopulation))
    assert check_plan(graph, plan_units(graph, 1, every, stateful=True)) != ()


def test_memory_and_scratch_that_are_too_small() -> None:
    graph = busy()
    plan = plan_units(graph, STEPS)
    says(graph, replace(plan, memory=plan.memory // 2), "outside the working memory")
    says(graph, replace(plan, scratch=plan.scratch // 2), "bytes of scratch memory")


NEURON_CHANGES = {
    f.N_POLAR: None, f.N_SHIFT: 1, f.N_LEAK_OFFSET: 1, f.N_SOFT: -1, f.N_STRICT: 1,
    f.N_TOWARD_ZERO: 1, f.N_USUAL: 1, f.N_SPIKES: 8, f.N_SPIKES_STEP: 8, f.N_SPIKES_ROW: 8,
    f.N_RECORD: 4, f.N_RECORD_STEP: 4, f.N_RECORD_ROW: 4, f.N_BY_ROW: -1, f.N_CONSTANTS: 1,
}  # fmt: skip


@pytest.mark.parametrize("column", [c for c, by in NEURON_CHANGES.items() if by is not None])
def test_a_population_that_is_another(column: int) -> None:
    graph = busy()
    every = frozenset(node.name for node in graph.select(IntegerPopulation))
    plan = plan_units(graph, STEPS, every)
    last = len(plan.neurons) - 1  # the one with a leak of 3/4 and a soft reset
    value = int(plan.neurons[last, column]) + int(NEURON_CHANGES[column] or 0)
    says(graph, changed(plan, "neurons", last, column, value))


def test_thresholds_that_are_others() -> None:
    graph = busy()
    plan = plan_units(graph, STEPS)
    for number, what in enumerate(("threshold", "bias")):
        block = plan.block.copy()
        block[plan.constants[number, f.C_ADDRESS]] ^= 1
        says(graph, replace(plan, block=block), f"the {what} of step 0")


def test_a_membrane_beyond_its_register() -> None:
    """The planner takes the declared interval; the checker computes its own."""
    net = Net(9, steps=3)
    current = net.dense(net.image(x=3), "x", "c", 4)
    graph = net.finish(net.fire(current, "first", decay=(1, 0)))
    node = graph["first"]
    threshold = graph.constants[node.op.threshold.name]
    constants = {**graph.constants, node.op.threshold.name: np.full_like(threshold, 2**31 - 1)}
    bias = node.op.bias.name
    constants[bias] = np.full_like(constants[bias], 2**30)
    graph = replace(graph, constants=constants)
    says(graph, plan_units(graph, 3), "a membrane of first can reach")


def test_matrix_products_that_are_others() -> None:
    graph = busy()
    plan = plan_units(graph, STEPS, dense=projections_of_spikes(graph))
    assert len(plan.dense) > 2
    number, unit = next(iter(plan.dense.items()))

    def with_unit(**changes: object) -> UnitPlan:
        return replace(plan, dense={**plan.dense, number: replace(unit, **changes)})

    assert check_plan(graph, plan) == ()
    block = unit.sum.blocks[0]
    matrix = block.matrix.copy()
    matrix[0, 0, 0] ^= 1
    wrong = replace(unit.sum, blocks=(replace(block, matrix=matrix), *unit.sum.blocks[1:]))
    says(graph, with_unit(sum=wrong))
    says(graph, with_unit(sum=replace(unit.sum, reach=3)), "a matrix product can reach")
    says(graph, with_unit(place=unit.place + 4))
    says(graph, with_unit(strides=(unit.strides[0] + 2, *unit.strides[1:])))
    says(graph, with_unit(source=(unit.source[0] + 8, unit.source[1])))
