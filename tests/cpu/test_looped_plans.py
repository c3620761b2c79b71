"""Loops and delays on the simulator, compiled or on the host; streams keep them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from looped_programs import images, looped

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.checking import check_plan
from snncc.backends.cpu.plan.encoding import plan_units
from snncc.backends.cpu.plan.host import LoopUnit
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.backends.cpu.streams.state import load_state, save_state
from snncc.diagnostics import SnnccError
from snncc.execution import Execution
from snncc.ir import Graph, GraphBuilder, verify
from snncc.ir.cycles import components
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.projections import Contract, Frames, Sum
from snncc.runtime import ALL, interpret
from snncc.runtime.counts.profiling import profile
from snncc.runtime.memory_use import memory_use
from snncc.runtime.simulator import Simulator


def same(wanted: Execution, got: Execution) -> None:
    assert np.array_equal(wanted.readout, got.readout)
    assert wanted.spike_counts == got.spike_counts
    for name, spikes in wanted.spikes.items():
        assert np.array_equal(spikes, got.spikes[name]), name
        assert np.array_equal(wanted.membranes[name], got.membranes[name]), name


def test_the_simulator_gives_the_interpreters_bits() -> None:
    for seed in range(30):
        graph, given = looped(seed), images(seed)
        same(interpret(graph, given, ALL), Simulator(graph, 1).run(given, ALL))


def test_threads_that_share_a_loop() -> None:
    for seed in range(6):
        graph, given = looped(seed), images(seed, 1)
        simulator = Simulator(graph, 2)
        simulator._threads_for = lambda *_: 2  # type: ignore[method-assign]
        same(interpret(graph, given, ALL), simulator.run(given, ALL))


def test_loops_are_compiled_unless_the_host_computes_one_of_their_nodes() -> None:
    compiled = on_host = 0
    for seed in range(30):
        graph = looped(seed)
        simulator = Simulator(graph, 1)
        hosted, plan = simulator.host_units, simulator.runner(frozenset()).plan
        loops = [part.nodes for part in components(graph) if part.cyclic]
        for nodes in loops:
            whole = {node.name for node in nodes} & set(hosted)
            unknown = any(isinstance(node.op, Gate | Take) for node in nodes)
            assert whole == ({node.name for node in nodes} if unknown else set())
            compiled, on_host = compiled + (not unknown), on_host + unknown
        own = [u for u in plan.units if u[f.U_LOOP] > 0]
        assert len(plan.loops) + len(own) == len(loops)
        inside = {node.name for nodes in loops for node in nodes}
        outside = [n.name for n in graph.select(IntegerPopulation) if n.name not in inside]
        assert not set(outside) & set(hosted)
    assert compiled > 10
    assert on_host > 5


def test_a_stream_stops_and_goes_on_at_any_step(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for seed in range(12):
        graph, (image,) = looped(seed), images(seed, 1)
        simulator, whole = Simulator(graph, 1), interpret(graph, image[None], ALL)
        stream = simulator.stream(image, ALL)
        stop = int(rng.integers(0, graph.steps))
        for _ in range(stop):
            stream.step()
        path = tmp_path / f"{seed}.npz"
        save_state(path, stream.state())
        delays = {n.name: n.op.steps for n in graph.nodes if isinstance(n.op, Delay)}
        assert {name: len(past) for name, past in load_state(path).delays.items()} == delays
        stream = Simulator(graph, 1).resume(load_state(path), ALL)
        for t, answer in enumerate(stream, stop):
            for name, spikes in answer.spikes.items():
                assert np.array_equal(spikes, whole.spikes[name][0, t]), (seed, name, t)
                assert np.array_equal(answer.membranes[name], whole.membranes[name][0, t])
        assert np.array_equal(answer.readout, whole.readout[0])


def wide() -> Graph:
    """A delayed current of 40 bits, one of one step that spikes select, and a delay past T."""
    b = GraphBuilder("integer", 5, "exact")
    image = b.add(Frames(("f",), (3,)), name="image")
    w = b.constant("w", np.array([[1 << 31, -2, 1], [3, 0, -(1 << 30)]], np.int64), ("k", "f"))
    given = b.add(Contract(w, ("f",), ("k",)), [image], name="given")
    start = b.constant("start", np.array([-7, 1 << 33], np.int64), ("k",))
    held = b.add(Delay.of(b[given].type, 2, start), [given], name="held")
    late = b.add(Delay.of(b[given].type, 9), [given], name="late")
    total = b.add(Sum(), [held, late, given], name="total")
    level = b.constant("level", np.array([1 << 35, 900], np.int64), ("k",))
    fires = IntegerPopulation(level, decay=(1, 1), membrane=(-(1 << 45), 1 << 45))
    spikes = b.add(fires, [total], name="spikes")
    after = b.add(Delay.of(b[spikes].type, 3), [spikes], name="after")
    h = b.constant("h", np.array([[1, -1]], np.int8), ("o", "k"))
    graph = b.finish(b.add(IntegerReadout(), [b.add(Contract(h, ("k",), ("o",)), [after])]))
    verify(graph)
    return graph


def test_delays_without_a_loop() -> None:
    graph, given = wide(), images(3)
    whole = interpret(graph, given, ALL)
    simulator = Simulator(graph, 1)
    same(whole, simulator.run(given, ALL))
    for stop in range(graph.steps + 1):
        stream = simulator.stream(given[0], ALL)
        for _ in range(stop):
            stream.step()
        stream = simulator.resume(stream.state(), ALL)
        for _ in stream:
            pass
        assert np.array_equal((stream._sum), whole.readout[0])
    for plan in plans(graph).values():
        assert check_plan(graph, plan) == ()


def test_memory_and_time_of_loops_are_told() -> None:
    graph = looped(7)
    assert memory_use(graph).hosting > 0
    units = profile(Simulator(graph, 1), images(7)[0], 1).units
    assert [unit.operations > 0 for unit in units if unit.kind == "loop"] == [True, True]
    assert "runs step by step" in "".join(each.why for each in units)
    graph = past_the_last_step(1)
    assert memory_use(graph).hosting == 0
    units = profile(Simulator(graph, 1), np.array([200, 90], np.uint8), 1).units
    (loop,) = (unit for unit in units if unit.kind == "loop")
    assert loop.operations > 0
    assert sum(unit.operations for unit in units if unit.kind == "in a loop") == 0


# States of other versions, and of other programs.


def written(tmp_path: Path, **changes: np.ndarray) -> Path:
    graph, (image,) = looped(2), images(2, 1)
    stream = Simulator(graph, 1).stream(image)
    stream.step()
    path = tmp_path / "state.npz"
    save_state(path, stream.state())
    arrays = dict(np.load(path)) | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def test_a_state_from_before_delays_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SnnccError) as error:
        load_state(written(tmp_path, schema=np.array(1)))
    assert error.value.code == "SNN016"
    assert "it is 1, this one reads 2" in error.value.findings[0].why


def test_what_a_delay_cannot_have_read_is_refused(tmp_path: Path) -> None:
    graph = looped(2)
    simulator = Simulator(graph, 1)
    state = load_state(written(tmp_path))
    name, past = next(iter(state.delays.items()))
    wrongs: list[dict[str, Any]] = [
        {},
        {**state.delays, name: past + 2},
        {**state.delays, name: np.concatenate([past, past])},
        {**state.delays, "other": past},
    ]
    for delays in wrongs:
        with pytest.raises(SnnccError) as error:
            simulator.resume(replace(state, delays=delays))
        assert error.value.code == "SNN016"
    key = f"delays/{name}"
    with pytest.raises(SnnccError):
        load_state(written(tmp_path, **{key: past.astype(float)}))


# Faults that are planted in plans: the checker finds them.


def plans(graph: Graph) -> dict[str, UnitPlan]:
    every = frozenset(node.name for node in graph.select(IntegerPopulation))
    return {
        "batch": plan_units(graph, graph.steps),
        "recorded": plan_units(graph, graph.steps, every),
        "stream": plan_units(graph, 1, every, stateful=True),
    }


def test_plans_of_loops_hold() -> None:
    for seed in range(15):
        graph = looped(seed)
        for kind, plan in plans(graph).items():
            assert check_plan(graph, plan) == (), (seed, kind)


def says(graph: Graph, plan: UnitPlan, what: str = "") -> None:
    (fault,) = check_plan(graph, plan)
    assert what in fault.what, fault


def changed(plan: UnitPlan, change: Callable[[LoopUnit], LoopUnit]) -> UnitPlan:
    ((number, unit),) = plan.loops.items()
    return replace(plan, loops={number: change(unit)})


def of_member(plan: UnitPlan, wanted: type, **changes: Any) -> UnitPlan:
    """The first node of this op with something else."""

    def change(unit: LoopUnit) -> LoopUnit:
        at = next(i for i, m in enumerate(unit.members) if isinstance(m.node.op, wanted))
        members = list(unit.members)
        members[at] = replace(members[at], **changes)
        return replace(unit, members=tuple(members))

    return changed(plan, change)


def one_loop() -> Graph:
    """A loop that reads currents and spikes from outside and is read from there."""
    for seed in range(200):
        graph = looped(seed)
        loops = [part for part in components(graph) if part.cyclic]
        plan = plan_units(graph, graph.steps)
        if len(loops) == 1 and any(p.writes for u in plan.loops.values() for p in u.members):
            (unit,) = plan.loops.values()
            if unit.reads and len(unit.members) > 6:
                return graph
    raise AssertionError


@pytest.mark.parametrize("kind", ["batch", "recorded", "stream"])
def test_the_checker_sees_what_a_loop_computes(kind: str) -> None:
    graph = one_loop()
    plan = plans(graph)[kind]
    ((_, unit),) = plan.loops.items()
    delay = next(m for m in unit.members if isinstance(m.node.op, Delay))
    longer = replace(delay.node, op=replace(delay.node.op, steps=delay.node.op.steps + 1))  # type: ignore[type-var]
    says(graph, of_member(plan, Delay, node=longer), "is not the program's")
    says(graph, changed(plan, lambda u: replace(u, members=u.members[:-1])))
    says(graph, changed(plan, lambda u: replace(u, members=u.members[::-1])), "before it is")
    twice = changed(plan, lambda u: replace(u, members=(*u.members, u.members[0])))
    says(graph, twice, "computes a node twice")
    says(graph, changed(plan, lambda u: replace(u, reads={})), "before it is computed")
    name, place = next(iter(unit.reads.items()))
    moved = {**unit.reads, name: replace(place, at=place.at + 64)}
    says(graph, changed(plan, lambda u: replace(u, reads=moved)))
    says(graph, replace(plan, loops={}))
    weight = next(n for n in unit.program.constants if n.startswith("w"))
    other = {**unit.program.constants, weight: unit.program.constants[weight] + 1}
    program = replace(unit.program, constants=other)
    says(graph, changed(plan, lambda u: replace(u, program=program)), "is not the program's")
    fewer = replace(unit.program, steps=graph.steps + 1)
    says(graph, changed(plan, lambda u: replace(u, program=fewer)), "other steps")
    says(graph, of_member(plan, IntegerPopulation, unit=0), "counted, where")
    says(graph, of_member(plan, IntegerPopulation, writes=None), "written, or counted, where")


def test_the_checker_sees_what_delays_keep() -> None:
    graph = one_loop()
    plan = plans(graph)["stream"]
    says(graph, of_member(plan, Delay, state=None), "where nobody looks for it")
    ((_, unit),) = plan.loops.items()
    name = next(m.node.name for m in unit.members if m.node.name in plan.pasts)
    past = plan.pasts[name]
    without = {key: place for key, place in plan.pasts.items() if key != name}
    says(graph, replace(plan, pasts=without))
    elsewhere = {**plan.pasts, name: replace(past, at=past.at + 64)}
    says(graph, replace(plan, pasts=elsewhere), "where nobody looks for it")
    at = next(i for i, m in enumerate(unit.members) if m.node.name in plan.pasts)
    inner = unit.members[at]
    assert inner.state is not None
    overlapping = replace(inner.state, strides=dict.fromkeys(inner.state.strides, 0))
    members = list(unit.members)
    members[at] = replace(inner, state=overlapping)
    both = changed(plan, lambda u: replace(u, members=tuple(members)))
    says(graph, replace(both, pasts={**plan.pasts, inner.node.name: overlapping}), "in one another")


def test_the_checker_sees_that_a_delay_by_itself_keeps_its_past() -> None:
    graph = wide()
    plan = plans(graph)["stream"]
    number = plan.names.index("held")
    unit = replace(plan.host[number], state=None)
    says(graph, replace(plan, host={**plan.host, number: unit}), "where nobody looks for it")
    past = plan.pasts["held"]
    narrow = replace(past, size=4)
    unit = replace(plan.host[number], state=narrow)
    both = replace(plan, host={**plan.host, number: unit}, pasts={**plan.pasts, "held": narrow})
    says(graph, both, "less than its values need")


def past_the_last_step(back: int = 3) -> Graph:
    """Neurons that read their own spikes of so many steps before, of 3 steps."""
    b = GraphBuilder("integer", 3, "exact")
    image = b.add(Frames(("f",), (2,)), name="image")
    w = b.constant("w", np.array([[1, 2], [3, 4]], np.int8), ("k", "f"))
    given = b.add(Contract(w, ("f",), ("k",)), [image], name="given")
    past = b.add(Delay(back, "spike", ("k",), (2,), (0, 1)), name="past")
    u = b.constant("u", np.array([[1, 2], [3, 4]], np.int8), ("k", "k"))
    back = b.add(Contract(u, ("k",), ("k",)), [past], name="back")
    level = b.constant("level", np.array(64))
    fires = IntegerPopulation(level, decay=(1, 0), membrane=(-(1 << 20), 1 << 20))
    spikes = b.add(fires, [b.add(Sum(), [given, back])], name="spikes")
    b.close(past, spikes)
    h = b.constant("h", np.array([[1, 1]], np.int8), ("o", "k"))
    graph = b.finish(b.add(IntegerReadout(), [b.add(Contract(h, ("k",), ("o",)), [spikes])]))
    verify(graph)
    return graph


def test_a_delay_past_the_last_step_is_mapped() -> None:
    """What it gives is 0 everywhere, and so is what a map makes of it."""
    graph = past_the_last_step()
    assert check_plan(graph, plan_units(graph, graph.steps)) == ()
    given_images = np.array([[200, 3], [0, 90]], np.uint8)
    same(interpret(graph, given_images, ALL), Simulator(graph, 1).run(given_images, ALL))
