"""Neurons of several states, and the loops they are in, compiled: the interpreter's bits."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_neurons import network
from numpy.typing import NDArray

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.checking import check_plan
from snncc.backends.cpu.plan.encoding import plan_units
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.ir import Graph, GraphBuilder, verify
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neurons import STATE
from snncc.ir.dialects.projections import Contract, Convolve, Frames, Sum
from snncc.ir.op import Context
from snncc.ir.populations import population_nodes
from snncc.runtime import ALL, interpret
from snncc.runtime.proofs.plan_inspection import inspect_plans
from snncc.runtime.simulator import Simulator


def frames(graph: Graph, seed: int, count: int) -> NDArray[np.uint8]:
    shape = (count, *graph["frames"].type.shape)
    return np.random.default_rng(seed).integers(0, 2, shape).astype(np.uint8)


def same(graph: Graph, simulator: Simulator, given: np.ndarray) -> None:
    """Spikes, membranes and answers, of a batch and of a stream that is resumed after each step."""
    wanted, found = interpret(graph, given, ALL), simulator.run(given, ALL)
    assert np.array_equal(wanted.readout, found.readout)
    assert wanted.spike_counts == found.spike_counts
    for name, spikes in wanted.spikes.items():
        assert np.array_equal(spikes, found.spikes[name]), name
        assert np.array_equal(wanted.membranes[name], found.membranes[name]), name
    stream = simulator.stream(given[0], ALL)
    for t in range(graph.steps):
        answer = stream.step()
        for name, spikes in wanted.spikes.items():
            assert np.array_equal(spikes[0, t], answer.spikes[name]), (name, t)
            assert np.array_equal(wanted.membranes[name][0, t], answer.membranes[name]), (name, t)
        stream = simulator.resume(stream.state(), ALL)
    assert np.array_equal(answer.readout, wanted.readout[0])


def test_random_neurons_in_loops_give_the_interpreters_bits() -> None:
    wide = narrow = hosted = 0
    loud: list[bool] = []
    for seed in range(25):
        graph = network(seed)
        given = frames(graph, seed, 3)
        simulator = Simulator(graph, 2 if seed % 4 == 0 else 1, "dense" if seed % 3 else "event")
        if seed % 4 == 0:
            simulator._threads_for = lambda *_: 2  # type: ignore[method-assign]
            given = given[:1]
        hosted += bool(simulator.host_units)  # what never fires may give more than 32 bits
        same(graph, simulator, given)
        rows = simulator.runner(frozenset()).plan.several[:, f.Q_WIDE]
        wide, narrow = wide + int(rows.sum()), narrow + int((rows == 0).sum())
        counts = simulator.run(given).spike_counts
        sites = {n.name: n.type.neurons * graph.steps * len(given) for n in population_nodes(graph)}
        loud += [0.02 < counts[name] / sites[name] < 0.98 for name in counts]
    assert hosted < 8
    assert wide > 6
    assert narrow > 25
    assert np.mean(loud) > 0.4


def test_plans_of_random_neurons_hold() -> None:
    for seed in range(100, 106):
        for proof in inspect_plans(network(seed)):
            assert proof.holds, (seed, proof.plan, proof.faults)
            assert proof.host == 0


def border(carry: int) -> Graph:
    """Neurons whose sum reaches 2^31 - 2^15 - 2^15 + carry."""
    b = GraphBuilder("integer", 3, "exact")
    given = b.add(Frames(("t", "f"), (3, 2), domain=(0, 1)), name="frames")
    w = b.constant("w", np.array([[1 << 15, 0], [0, -(1 << 15)]], np.int32), ("k", "f"))
    current = b.add(Contract(w, ("f",), ("k",)), [given])
    op = IntegerNeuron(
        leak=b.constant("leak", np.array([0]), (STATE,)),
        gain=b.constant("gain", np.array([(1 << 16) - 1]), (STATE,)),
        form=b.constant("form", np.array([1]), (STATE,)),
        threshold=b.constant("level", np.array(1 << 15)),
        shift=(16,),
        carry=(carry,),
        states_within=((-(1 << 15), 1 << 15),),
        membrane=(-(1 << 15), 1 << 15),
    )
    spikes = b.add(op, [current], name="spikes")
    head = b.constant("head", np.array([[1, 2]], np.int8), ("o", "k"))
    graph = b.finish(b.add(IntegerReadout(), [b.add(Contract(head, ("k",), ("o",)), [spikes])]))
    verify(graph)
    return graph


@pytest.mark.parametrize(("carry", "wide"), [((1 << 15) - 1, 0), (1 << 15, 1)])
def test_registers_are_as_narrow_as_sums_allow(carry: int, wide: int) -> None:
    graph = border(carry)
    simulator = Simulator(graph, 1)
    ((found,),) = simulator.runner(frozenset()).plan.several[:, [f.Q_WIDE]]
    assert found == wide
    same(graph, simulator, np.array([[[1, 1], [0, 1], [1, 0]], [[0, 0], [1, 1], [1, 1]]], np.uint8))
    plan = plan_units(graph, graph.steps)
    assert check_plan(graph, plan) == ()
    other = plan.several.copy()
    other[0, f.Q_WIDE] = 0
    faults = check_plan(graph, replace(plan, several=other))
    assert bool(faults) == bool(wide)
    assert all("program's" in fault.what or "format holds" in fault.what for fault in faults)


SEVERAL_ROWS = 3, 4


@pytest.mark.parametrize("wide", [3, 650])
def test_convolutions_and_wide_rows_in_a_loop(wide: int) -> None:
    """A convolution reads its own spikes two steps later; rows may be of several tiles."""
    rng, steps, sizes = np.random.default_rng(wide), 5, ("c", "h", "w")
    b = GraphBuilder("integer", steps, "exact")
    shape = (wide, 3, 2)
    last = b.add(Frames(("t", *sizes), (steps, 2, 3, 2), domain=(0, 1)), name="frames")
    past = b.add(Delay(2, "spike", sizes, shape, (0, 1)), name="past")
    parts: list[str] = []
    for source, inputs in ((last, 2), (past, wide)):
        kernel = rng.integers(-9, 12, (wide, inputs, 3, 3)).astype(np.int8)
        w = b.constant("w", kernel, ("c", "i", "kh", "kw"))
        parts.append(b.add(Convolve(w, *sizes, *sizes, padding=(1, 1)), [source]))
    total = b.add(Sum(), parts)
    level = b.constant("level", rng.integers(5, 90, wide).astype(np.int32), ("c",))
    op = IntegerPopulation(level, decay=(3, 2), reset="soft", membrane=(-(1 << 40), 1 << 40))
    found = op.membrane_range(b[total].type, Context(steps, b.context.constants))
    spikes = b.add(replace(op, membrane=found), [total], name="spikes")
    b.close(past, spikes)
    head = b.constant("head", rng.integers(-3, 4, (2, *shape)).astype(np.int8), ("o", *sizes))
    graph = b.finish(b.add(IntegerReadout(), [b.add(Contract(head, sizes, ("o",)), [spikes])]))
    verify(graph)
    simulator = Simulator(graph, 1)
    assert simulator.host_units == {}
    same(graph, simulator, frames(graph, 0, 2))
    assert check_plan(graph, plan_units(graph, steps)) == ()


TABLES = "delays", "several", "states_of", "terms"
FLAGS = {
    "several": (f.Q_UP, f.Q_REMEMBERS, f.Q_WIDE),
    "states_of": (f.S_SWALLOW,),
}
NUMBERS = {
    "several": (f.Q_FORM, f.Q_THRESHOLD),
    "states_of": (
        *(f.S_LEVEL, f.S_RESET, f.S_BIAS, f.S_LATE, f.S_FLOOR, f.S_AMOUNT, f.S_LOW, f.S_START),
    ),
}
"""Of rows, which may be like the next ones."""


def immaterial(table: str, row: NDArray[np.int64], column: int) -> bool:
    """Whether no kernel looks at a cell."""
    if table == "terms":
        return bool(row[f.T_COUNT] >= 0) and column in (f.T_ROW, f.T_LOW, f.T_HIGH)
    if table == "states_of":
        none = bool(row[f.S_RESETS] <= 0) and column == f.S_RESET
        left = bool(row[f.S_RESETS] < 0) and column == f.S_RESET_SHIFT
        return none or left or (bool(row[f.S_LEVELS] == 0) and column == f.S_LEVEL)
    if table == "several":
        silent = bool(row[f.Q_THRESHOLD] < 0)
        unseen = {f.Q_SPIKES, f.Q_SPIKES_STEP, f.Q_SPIKES_ROW} if silent else set[int]()
        if row[f.Q_RECORD] < 0:
            unseen |= {f.Q_RECORD_STEP, f.Q_RECORD_ROW, f.Q_RECORD_BYTES}
        if row[f.Q_FORMS] == 0:
            unseen |= {f.Q_FORM}
        return column in unseen
    return False


@pytest.mark.parametrize("kind", ["batch", "stream"])
def test_the_checker_sees_any_other_cell(kind: str) -> None:
    """Every number of the tables of delays and of neurons, one at a time."""
    seen = alike = 0
    for seed in SEVERAL_ROWS:
        graph = network(seed)
        every = frozenset(node.name for node in population_nodes(graph))
        stream = kind == "stream"
        plan = plan_units(graph, 1 if stream else graph.steps, every, stateful=stream)
        assert check_plan(graph, plan) == ()
        silent = [
            row[f.Q_STATE] + i
            for row in plan.several
            for i in range(row[f.Q_STATES])
            if row[f.Q_THRESHOLD] < 0
        ]
        for table in TABLES:
            whole: NDArray[np.int64] = getattr(plan, table)
            for at in np.ndindex(*whole.shape):
                quiet = table == "states_of" and at[0] in silent and at[1] == f.S_RESETS
                unseen = quiet or immaterial(table, whole[at[0]], at[1])
                if unseen or (at[0] + at[1]) % 2 == stream:
                    continue
                changed = whole.copy()
                flag = at[1] in FLAGS.get(table, ())
                more = -1 if table == "terms" and at[1] == f.T_HIGH else 1  # a higher sign is one
                changed[at] = whole[at] == 0 if flag else whole[at] + more
                found = check_plan(graph, replace(plan, **{table: changed}))
                if found or at[1] not in NUMBERS.get(table, ()):
                    assert found, (seed, table, at)
                    seen += 1
                alike += not found
    assert seen > 150
    assert alike < 10


def test_the_checker_sees_a_loop_that_is_none() -> None:
    graph = network(5)
    plan = plan_units(graph, graph.steps)
    (heads,) = np.nonzero(plan.units[:, f.U_LOOP] > 0)

    def with_loop(at: int, value: int) -> UnitPlan:
        units = plan.units.copy()
        units[at, f.U_LOOP] = value
        return replace(plan, units=units)

    first = int(heads[0])
    assert check_plan(graph, plan) == ()
    for at, value in ((first, 0), (first, 1), (first + 1, 0), (first + 1, 2), (first, 100)):
        assert check_plan(graph, with_loop(at, value)), (at, value)
