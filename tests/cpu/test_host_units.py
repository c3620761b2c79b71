"""Host units: whatever compiled units have no form for, the interpreter computes between them."""

import json
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from generators.executors import tried
from random_programs import program_images, random_program
from test_executors import wide
from test_units import Net

from snncc.artifact import Program, save_program
from snncc.backends.cpu.checking import check_plan
from snncc.backends.cpu.dense.choice import projections_of_spikes
from snncc.backends.cpu.plan import hosting, units
from snncc.backends.cpu.plan.encoding import plan_units
from snncc.backends.cpu.plan.places import Form
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.backends.torch_tensors import table as tensors
from snncc.cli.main import run
from snncc.ir import TIME, Array, Context, Graph, GraphBuilder, Kind, Node, Op, ValueType
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Sum
from snncc.ir.op import TooWide
from snncc.runtime import ALL, interpret
from snncc.runtime.host_layers import HostLayer
from snncc.runtime.interpreter import VALUE, At, Computed
from snncc.runtime.simulator import Simulator

PROGRAMS = range(80)


def plans(graph: Graph) -> dict[str, UnitPlan]:
    every = frozenset(node.name for node in graph.select(IntegerPopulation))
    return {
        "batch": plan_units(graph, graph.steps),
        "recorded": plan_units(graph, graph.steps, every),
        "stream": plan_units(graph, 1, every, stateful=True),
        "dense": plan_units(graph, graph.steps, dense=projections_of_spikes(graph)),
    }


def equal(graph: Graph, seed: int = 0) -> Simulator:
    """Every way to run a program gives the interpreter's bits, and every plan holds."""
    shape = next(n.type.shape for n in graph.nodes if n.type.kind is Kind.COUNT)
    images = np.random.default_rng(seed).integers(0, 256, (4, *shape)).astype(np.uint8)
    found = tried(graph, images, seed)
    assert found.differences == ()
    for name, plan in plans(graph).items():
        assert check_plan(graph, plan) == (), name
    return Simulator(graph, 1)


def test_no_projection_of_random_programs_is_hosted() -> None:
    """The gate: the host never computes a projection, which it does a hundred times slower."""
    hosted = relays = 0
    for seed in PROGRAMS:
        graph = random_program(seed)
        for plan in plans(graph).values():
            assert not [
                unit.node.name
                for unit in plan.host.values()
                if isinstance(unit.node.op, Contract | Convolve)
            ], seed
            relays += len(plan.relays)
        assert not [n for n in plan.reasons if isinstance(graph[n].op, Contract | Convolve)], seed
        hosted += bool(plan.host)
    assert hosted > len(PROGRAMS) // 5
    assert relays > 0


@pytest.mark.parametrize("seed", [s for s in range(24) if units.host_units(random_program(s))])
def test_random_programs_with_host_units_give_the_interpreter_s_bits(seed: int) -> None:
    graph, images = random_program(seed), program_images(seed, 4)
    found = tried(graph, images, seed)
    assert found.differences == ()
    assert found.host == units.host_units(graph) != {}
    for name, plan in plans(graph).items():
        assert check_plan(graph, plan) == (), name


def shifted_sums(graph: Graph) -> Graph:
    """The program with every sum of two or more shifted by 28: currents beyond 32 bits."""
    b = GraphBuilder("integer", graph.steps, graph.profile)
    names: dict[str, str] = {}
    for node in graph.nodes:
        op = node.op
        if isinstance(op, Sum) and len(node.inputs) > 1:
            op = Sum((28, *op.shifts[1:]) if op.shifts else (28, *(0 for _ in node.inputs[1:])))
        for param in (getattr(op, field) for field in getattr(op, "__dataclass_fields__", ())):
            if hasattr(param, "axes") and hasattr(param, "name"):
                made = b.constant(param.name, graph.constants[param.name], param.axes)
                op = replace(op, **{f: made for f in op.__dataclass_fields__
                                    if getattr(op, f) is param})  # fmt: skip
        kinds = [b[names[name]].type for name in node.inputs]
        if isinstance(op, IntegerPopulation):
            op = replace(op, membrane=op.membrane_range(kinds[0], b.context))
        names[node.name] = b.add(op, [names[name] for name in node.inputs], name=node.name)
    return b.finish(names[graph.output])


def test_currents_and_membranes_beyond_32_bits() -> None:
    seen: dict[str, int] = {}
    for seed in range(25):
        try:
            graph = shifted_sums(random_program(seed))
        except TooWide:
            continue
        reasons = units.host_units(graph)
        if not any("32 bits" in reason for reason in reasons.values()):
            continue
        assert tried(graph, program_images(seed, 3), seed).differences == ()
        for name in reasons:
            seen[graph[name].op.mnemonic] = seen.get(graph[name].op.mnemonic, 0) + 1
    assert seen["sum"] > 5
    assert seen["integer_population"] > 5


@pytest.mark.parametrize("weight", [2**20, 2**24, 2**33, 2**44])
def test_a_projection_of_wide_weights_is_compiled_digit_by_digit(weight: int) -> None:
    simulator = equal(wide(weight))
    plan = simulator.runner(frozenset()).plan
    digits = [name for name in plan.names if name.startswith("current, digit")]
    assert len(digits) == {2**20: 0, 2**24: 2, 2**33: 2, 2**44: 3}[weight]
    assert {"total", "fire"} <= set(plan.reasons)


def test_weights_of_both_signs_and_every_size_are_cut_into_digits() -> None:
    rng = np.random.default_rng(4)
    net = Net(4)
    first = net.fire(net.dense(net.image(h=3, w=4, x=3), "x", "c", 17), "first")
    for top in (33, 40):
        weight = rng.integers(-(2**top), 2**top, (5, 17, 2, 2))
        weight[0, 0] = [[-(2**31), 2**31], [-1, 0]]
        w = net.constant(weight, "o", "i", "kh", "kw")
        conv = net.b.add(Convolve(w, "c", "h", "w", "o", "h2", "w2", padding=(1, 0)), [first])
        level = net.constant(np.array(2 ** (top + 1)), *())
        op = IntegerPopulation(level, decay=(1, 1))
        membrane = op.membrane_range(net.b[conv].type, net.b.context)
        last = net.b.add(replace(op, membrane=membrane), [conv])
        copy = net.finish(last)
        assert not equal(copy).dense_layers
        found = interpret(copy, np.full((2, 3, 4, 3), 200, np.uint8), ALL)
        assert 0 < found.spikes[copy.select(IntegerPopulation)[-1].name].mean() < 1


def lies_twice() -> Graph:
    """Spikes read along their lanes by a convolution, and across them by a map."""
    net = Net(8)
    first = net.fire(net.dense(net.image(c=3, h=4, x=5), "x", "w", 70), "first")
    w = net.constant(net.weights(6, 3, 3, 3), "o", "i", "kh", "kw")
    conv = net.b.add(Convolve(w, "c", "h", "w", "o", "h2", "w2", padding=(1, 1)), [first])
    again = net.b.add(Convolve(w, "c", "h", "w", "o", "h2", "w2", stride=(2, 2)), [first])
    parts = [net.fire(each) for each in (conv, again)]
    maps = [net.dense(first, "w", "d", 9), net.dense(first, "c", "e", 4)]
    ends = [
        net.b.add(Contract(net.constant(net.weights(3, *k.shape), "answer", *k.names), k.names,
                           ("answer",)), [name])
        for name in (*parts, *(net.fire(m) for m in maps))
        for k in (net.b[name].type.without(TIME),)
    ]  # fmt: skip
    return net.b.finish(net.b.add(IntegerReadout(None, 1.0), [net.b.add(Sum(), ends)]))


def test_spikes_that_lie_twice_are_read_rightly() -> None:
    """One copy for two convolutions; the maps read what was written first."""
    graph = lies_twice()
    simulator = equal(graph)
    assert simulator.host_units == {}
    plan = simulator.runner(frozenset()).plan
    (relay,) = plan.relays.values()
    assert relay.reads.type == relay.writes.type == graph["first"].type
    assert relay.reads == plan.populations["first"].spikes
    assert (relay.reads.arrangement.lane, relay.writes.arrangement.lane) == ("w", "c")
    read = set(plan.parts[:, 1].tolist())
    assert {relay.reads.at, relay.writes.at} <= read
    assert len([n for n in plan.values if plan.values[n].type == graph["first"].type]) == 2


def test_a_map_without_an_output_axis_has_a_single_lane() -> None:
    net = Net(3)
    first = net.fire(net.dense(net.image(y=5, x=3), "x", "c", 33), "first")
    alike = net.constant(net.weights(33), "c")
    own, whole = (net.constant(net.weights(5, 33), "y", "c") for _ in range(2))
    one = net.b.add(Contract(alike, ("c",), ()), [first])
    two = net.b.add(Contract(own, ("c",), (), ("y",)), [first])
    scalar = net.b.add(Contract(whole, ("y", "c"), ()), [first])
    met = net.fire(net.b.add(Sum((1, 0)), [one, two]), "met")
    op = IntegerPopulation(net.constant(np.array(40)))
    membrane = op.membrane_range(net.b[scalar].type, net.b.context)
    point = net.b.add(replace(op, membrane=membrane), [scalar], name="point")
    out = net.b.add(Contract(net.constant(net.weights(9), "answer"), (), ("answer",)), [point])
    other = net.b.add(
        Contract(net.constant(net.weights(9, 5), "answer", "y"), ("y",), ("answer",)), [met]
    )
    graph = net.b.finish(net.b.add(IntegerReadout(None, 1.0), [net.b.add(Sum(), [out, other])]))
    assert equal(graph).host_units == {}


def joined_spikes(layers: int = 1) -> Graph:
    net = Net(9)
    image = net.image(c=2, h=5, w=6)
    w = net.constant(net.weights(40, 2, 3, 3), "o", "i", "kh", "kw")
    parts = []
    for _ in range(2):
        conv = net.b.add(Convolve(w, "c", "h", "w", "c", "h", "w", padding=(1, 1)), [image])
        parts.append(net.fire(conv))
    joined = net.b.add(Concat(("c", "c"), "c"), parts, name="joined")
    for _ in range(layers):
        w = net.constant(net.weights(17, net.b[joined].type.size("c"), 3, 3), "o", "i", "kh", "kw")
        conv = net.b.add(Convolve(w, "c", "h", "w", "c", "h", "w", padding=(1, 1)), [joined])
        joined = net.fire(conv)
    return net.finish(joined)


def test_spikes_side_by_side_leave_the_network_around_them_compiled() -> None:
    graph = joined_spikes()
    simulator = equal(graph)
    assert simulator.host_units == {"joined": "it puts spikes side by side"}
    plan = simulator.runner(frozenset()).plan
    compiled = [name for n, name in enumerate(plan.names) if n not in plan.host]
    assert {node.name for node in graph.select(IntegerPopulation)} <= set(compiled)
    assert set(plan.populations) == {n.name for n in graph.select(IntegerPopulation)}
    images = np.random.default_rng(0).integers(0, 256, (2, 2, 5, 6)).astype(np.uint8)
    assert "joined" not in simulator.run(images).spike_counts


@dataclass(frozen=True)
class AnyOf(Op):
    """A spike where any source has one; an op that units never heard of."""

    mnemonic: ClassVar[str] = "any_of"

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        return inputs[0]


@pytest.fixture
def taught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interpreter and tensors know it; the units do not, nor the checker, which would refuse the
    plan."""

    def any_of(at: At, op: AnyOf) -> Computed:
        return Computed(np.maximum.reduce(at.sources))

    def of_tensors(at: tensors.At, op: AnyOf) -> tensors.Computed:
        return tensors.Computed(reduce(torch.maximum, at.sources))

    monkeypatch.setitem(VALUE._known, AnyOf, any_of)
    monkeypatch.setitem(tensors.VALUE._known, AnyOf, of_tensors)
    monkeypatch.setattr("snncc.runtime.simulator.plan_units", plan_units)


@pytest.mark.usefixtures("taught")
@pytest.mark.parametrize("lanes", [17, 70])
def test_an_op_that_units_never_heard_of(lanes: int) -> None:
    net = Net(2)
    image = net.image(y=4, x=5)
    sources = [net.fire(net.dense(image, "x", "c", lanes)) for _ in range(3)]
    any_of = net.b.add(AnyOf(), sources, name="any")
    last = net.fire(net.dense(any_of, "c", "d", 9), "last")
    kind = net.b[last].type.without(TIME)
    ones = net.constant(net.weights(3, *kind.shape), "answer", *kind.names)
    answer = net.b.add(Contract(ones, kind.names, ("answer",)), [last])
    graph = net.b.finish(net.b.add(IntegerReadout(None, 1.0), [answer]))
    images = np.random.default_rng(1).integers(0, 256, (4, 4, 5)).astype(np.uint8)
    found = tried(graph, images, 3)
    assert found.differences == ()
    assert found.host == {"any": "compiled units have no any_of"}


def once_only() -> Graph:
    """A gain of the image's current, beyond 32 bits before its shift: the same at every step."""
    net = Net(6)
    image = net.image(y=3, x=4)
    current = net.dense(image, "x", "c", 20)
    mantissa = net.constant(net.rng.integers(2**16, 2**17, 20), "c")
    scaled = net.b.add(Gain(mantissa, 17), [current], name="scaled")
    first = net.fire(scaled, "first")
    by_step = net.constant(net.rng.integers(2**24, 2**25, (3, 20)), "t", "c")
    again = net.b.add(Gain(by_step, 24), [net.dense(first, "c", "c", 20)], name="by_step")
    return net.finish(net.fire(again, "second"))


def test_what_is_the_same_at_every_step_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = once_only()
    assert list(equal(graph).host_units) == ["scaled", "by_step"]
    computed: list[str] = []
    whole = HostLayer._compute

    def noted(self: HostLayer, *given: object, begins: bool) -> int:
        computed.append(self.unit.node.name)
        return whole(self, *given, begins=begins)  # type: ignore[arg-type]

    monkeypatch.setattr(HostLayer, "_compute", noted)
    image = np.full((3, 4), 77, np.uint8)
    stream = Simulator(graph, 1).stream(image)
    stream.step()
    state = stream.state()
    assert computed == ["scaled", "by_step"]
    computed.clear()
    [*Simulator(graph, 1).resume(state)]
    assert computed == ["scaled", "by_step", "by_step"]  # once when it resumes, then each step


def test_a_host_unit_that_fails_stops_every_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = Simulator(joined_spikes(), 2)
    if simulator.threads < 2:
        pytest.skip("one processor")

    def fail(*_: object) -> int:
        raise MemoryError("no room")

    monkeypatch.setattr(HostLayer, "run", fail)
    with pytest.raises(MemoryError):
        simulator.run(np.zeros((1, 2, 5, 6), np.uint8))


def test_commands_name_host_units_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = wide(2**24)
    program, data = str(tmp_path / "p.snncc"), str(tmp_path / "x.npy")
    save_program(Path(program), Program(graph, {}))
    np.save(data, np.zeros((1, 3), np.uint8))
    reasons = Simulator(graph).host_units
    assert run(["inspect", program, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["host_units"] == reasons
    assert record["memory"]["hosting"] > 0
    assert run(["inspect", program]) == 0
    assert "fire: its membranes need more than 32 bits" in capsys.readouterr().out
    assert run(["run", program, data, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kernels"]["host_units"] == reasons


# Faults that are planted in plans: the checker finds them.


def says(graph: Graph, plan: UnitPlan, what: str = "") -> None:
    (fault,) = check_plan(graph, plan)
    assert what in fault.what, fault


def with_host(plan: UnitPlan, name: str, **changes: object) -> UnitPlan:
    number = plan.names.index(name)
    unit = replace(plan.host[number], **changes)
    return replace(plan, host={**plan.host, number: unit})


@pytest.mark.parametrize("kind", ["batch", "recorded", "stream"])
def test_the_checker_sees_what_a_host_unit_is_fed(kind: str) -> None:
    graph = joined_spikes()
    plan = plans(graph)[kind]
    unit = plan.host[plan.names.index("joined")]
    says(graph, with_host(plan, "joined", reads=unit.reads[::-1]), "what it reads as")
    moved = replace(unit.reads[0], at=unit.reads[0].at + 8)
    says(graph, with_host(plan, "joined", reads=(moved, unit.reads[1])))
    says(graph, with_host(plan, "joined", reads=unit.reads[:1]), "not fed what it reads")
    other = replace(unit.node, op=Concat(("h", "h"), "h"))
    says(graph, with_host(plan, "joined", node=other), "another op")
    to = replace(unit.writes, at=unit.writes.at + 64)
    says(graph, with_host(plan, "joined", writes=to))


@pytest.mark.parametrize("kind", ["batch", "recorded", "stream"])
def test_the_checker_sees_where_wide_numbers_go(kind: str) -> None:
    graph = wide(2**33)
    plan = plans(graph)[kind]
    total = plan.host[plan.names.index("total")]
    narrow = replace(total.writes, size=4)
    says(graph, with_host(plan, "total", writes=narrow), "what the host gives can reach")
    strides = {**total.writes.strides, "k": 16}
    says(graph, with_host(plan, "total", writes=replace(total.writes, strides=strides)))
    current = plan.host[plan.names.index("current")]
    one = replace(current.node, op=Sum(tuple(s + 1 for s in current.node.op.shifts)))
    says(graph, with_host(plan, "current", node=one), "the sum of digits is another sum")
    fire = plan.host[plan.names.index("fire")]
    threshold = fire.node.op.threshold.name
    constants = {**fire.program.constants, threshold: fire.program.constants[threshold] + 1}
    changed = replace(fire.program, constants=constants)
    says(graph, with_host(plan, "fire", program=changed), "is not the program's")
    if kind != "batch":
        moved = replace(fire.record, at=fire.record.at + 64)
        says(graph, with_host(plan, "fire", record=moved), "not written where they are read")


def test_the_checker_sees_through_a_copy_of_spikes() -> None:
    graph = lies_twice()
    plan = plan_units(graph, graph.steps)
    ((number, relay),) = plan.relays.items()
    for part in ("reads", "writes"):
        place = getattr(relay, part)
        for wrong in (
            replace(place, at=place.at + 64),
            replace(place, bits=replace(place.arrangement, rows=place.arrangement.rows[::-1],
                                        sizes=place.arrangement.sizes[::-1])),
        ):  # fmt: skip
            moved = replace(relay, **{part: wrong})
            says(graph, replace(plan, relays={number: moved}))
    says(graph, replace(plan, relays={}))


def test_reasons_name_the_fact() -> None:
    graph = wide(2**24)
    assert hosting.hosted(graph)["fire"] == "its membranes need more than 32 bits"
    assert hosting.is_wide(graph["total"])
    plan = plan_units(graph, graph.steps)
    assert plan.values["total"].size == 8
    assert plan.values["fire"].form is Form.BITS
    assert plan.readout.size in (2, 4)


def test_the_answer_itself_may_be_wide() -> None:
    net = Net(1)
    first = net.fire(net.dense(net.image(x=6), "x", "c", 33), "first")
    weight: Array = net.rng.integers(-(2**36), 2**36, (3, 33))
    answer = net.b.add(Contract(net.constant(weight, "answer", "c"), ("c",), ("answer",)), [first])
    graph = net.b.finish(net.b.add(IntegerReadout(None, 1.0), [answer]))
    simulator = equal(graph)
    plan = simulator.runner(frozenset()).plan
    assert plan.readout.size == 8
    node: Node = graph[answer]
    assert list(plan.reasons) == [node.name]
