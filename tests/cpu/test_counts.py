"""Counts that select weights, and products: planes of bits and rows of numbers in units."""

from dataclasses import replace

import numpy as np
import pytest
from generators.executors import tried
from generators.inputs import images
from generators.products import PRODUCTS
from generators.programs import program
from generators.windows import WINDOWS
from test_host_units import plans
from test_units import Net

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.checking import check_plan
from snncc.backends.cpu.host.table import WAYS, computed
from snncc.backends.cpu.plan.encoding import plan_units
from snncc.backends.cpu.plan.host import HostUnit
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.ir import Graph, Kind
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Contract, Convolve, Sum
from snncc.passes.distribute_counts import distribute_counts
from snncc.runtime import ALL, host_layers, interpret
from snncc.runtime.simulator import Simulator


def of_counts(most: int, lanes: int, steps: int) -> Graph:
    """Two populations, one of them added so often, read by a map and by a convolution."""
    net = Net(most + lanes, steps)
    image = net.image(y=3, x=2, i=2)
    parts = [net.fire(net.dense(image, "i", "c", lanes), name) for name in ("one", "other")]
    total = net.b.add(Sum(), [parts[0]] * (most - most // 2) + [parts[1]] * (most // 2))
    weight = net.constant(net.weights(5, lanes, 3, 1), "d", "c_in", "kh", "kw")
    moved = Convolve(weight, "c", "y", "x", "d", "y2", "x2", padding=(1, 0))
    seen = net.fire(net.b.add(moved, [total]), "seen")
    mapped = net.fire(net.dense(total, "c", "e", 33), "mapped")
    ends = [net.b[name].type.names[-1] for name in (seen, mapped)]
    answers = [
        net.b.add(
            Contract(net.constant(net.weights(3, net.b[n].type.size(end)), "answer", end),
                     (end,), ("answer",), (), tuple(set(net.b[n].type.names) - {"t", end})), [n])
        for n, end in zip((seen, mapped), ends, strict=True)
    ]  # fmt: skip
    both = net.fire(net.b.add(Sum(), answers), "both")
    return net.finish(both)


@pytest.mark.parametrize(
    ("most", "lanes", "steps"),
    [(1, 5, 2), (2, 64, 1), (3, 65, 2), (127, 3, 1), (128, 3, 2), (256, 1, 1)],
)  # fmt: skip
def test_counts_of_any_size_are_read_by_planes(most: int, lanes: int, steps: int) -> None:
    graph = of_counts(most, lanes, steps)
    (total,) = [node for node in graph.nodes if node.type.kind is Kind.COUNT and node.inputs]
    assert total.type.range == (0, most)
    found = tried(graph, images(graph, most, 3), most)
    assert found.differences == ()
    assert set(found.host) == {total.name}
    for name, plan in plans(graph).items():
        assert check_plan(graph, plan) == (), name
        assert len(plan.values[total.name].type.planes) == most.bit_length()
    dense = plans(graph)["dense"].dense.values()
    assert (most in {unit.sum.most for unit in dense}) == (most <= 127)


def attention(width: int, tokens: tuple[int, int], steps: int) -> Graph:
    """q (k^T v) of one head, the count of which neurons read; v has channels of another name."""
    net = Net(width, steps)
    image = net.image(y=tokens[0], x=tokens[1], i=2)
    q, k, v = (net.fire(net.dense(image, "i", "c", width), name) for name in "qkv")
    moved = net.b.add(Take(("c",), ("e",), ((0, 1, width),)), [v])
    inner = net.b.add(Product(("y", "x")), [k, moved])
    outer = net.b.add(Product(("c",)), [q, inner])
    one = net.constant(np.ones((), np.int8))
    return net.finish(net.fire(net.b.add(Contract(one), [outer]), "attends"))


@pytest.mark.parametrize(
    ("width", "tokens", "steps"),
    [(1, (1, 1), 1), (31, (2, 3), 4), (65, (1, 70), 1), (320, (1, 2), 1)],
)
def test_attention_is_compiled(width: int, tokens: tuple[int, int], steps: int) -> None:
    graph = attention(width, tokens, steps)
    found = tried(graph, images(graph, width, 3), width)
    assert found.differences == ()
    assert not any(isinstance(graph[name].op, Product | Contract) for name in found.host)
    for name, plan in plans(graph).items():
        assert check_plan(graph, plan) == (), name


def test_lanes_that_fit_no_tile_stay_with_the_host() -> None:
    graph = attention(321, (1, 2), 1)
    found = tried(graph, images(graph, 1, 2), 1)
    assert found.differences == ()
    assert {graph[name].op.mnemonic for name in found.host} == {"take", "product"}


def test_plans_of_counts_and_products_that_are_others() -> None:
    """Another plane, row or share of a count is found."""
    counts, products = of_counts(3, 5, 2), attention(5, (2, 3), 2)
    planes = plan_units(counts, 2)
    table = planes.parts
    parts = np.flatnonzero((table[:, f.P_PLANE] > 0) & (table[:, f.P_KIND] != f.PLANE))
    assert len(parts) == 2

    def other(plan: UnitPlan, part: int, column: int, by: int) -> UnitPlan:
        table = plan.parts.copy()
        table[part, column] += by
        return replace(plan, parts=table)

    (place,) = {unit.writes.plane for unit in planes.host.values()}
    assert check_plan(counts, planes) == ()
    for part in parts:
        assert check_plan(counts, other(planes, int(part), f.P_SOURCE, -place))
    shifts = planes.ops.copy()
    shifts[planes.ops[:, f.O_SHIFT] == 1, f.O_SHIFT] = 2
    assert check_plan(counts, replace(planes, ops=shifts))
    number, unit = next(iter(planes.host.items()))
    fewer = replace(unit, writes=replace(unit.writes, planes=1))
    assert check_plan(counts, replace(planes, host={**planes.host, number: fewer}))
    rows = plan_units(products, 2)
    assert check_plan(products, rows) == ()
    (first, last) = np.flatnonzero(rows.parts[:, f.P_MADE])
    for part in (first, last):
        for column, by in ((f.P_WEIGHTS, 4), (f.P_MADE, -1), (f.P_WEIGHT_STEP, 128), (f.P_WIDE, -1),
                           (f.P_SOURCE, 8)):  # fmt: skip
            assert check_plan(products, other(rows, int(part), column, by)), (part, column)


def test_the_host_leaves_little_to_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random programs: every op with a way of its own is computed by it, in words too."""
    by_way: dict[str, int] = {}

    def counted(unit: HostUnit, memory: np.ndarray, first: int, last: int) -> bool:
        for way in WAYS.get(type(unit.node.op), ()):
            if way(unit, memory, first, last):
                name = f"{way.__module__.rpartition('.')[2]}.{way.__name__}"
                by_way[name] = by_way.get(name, 0) + 1
                return True
        return computed(unit, memory, first, last)

    monkeypatch.setattr(host_layers, "computed", counted)
    for seed in range(18):
        graph = program(seed, PRODUCTS if seed % 2 else WINDOWS)
        given = images(graph, seed, 1)
        found = Simulator(graph, 1).run(given)
        assert np.array_equal(found.readout, interpret(graph, given).readout), seed
    ways = {f"{way.__module__.rpartition('.')[2]}.{way.__name__}" for each in WAYS.values()
            for way in each}  # fmt: skip
    assert set(by_way) == ways


def test_counts_are_distributed_where_a_wire_carries_a_bit() -> None:
    graph = of_counts(5, 4, 3)
    apart = distribute_counts(graph)
    assert not [n for n in apart.nodes if n.type.kind is Kind.COUNT and n.inputs]
    assert len(apart.select(Contract, Convolve)) == len(graph.select(Contract, Convolve)) + 2 * 4
    assert apart.constants.keys() == graph.constants.keys()
    given = images(graph, 1, 3)
    wanted, found = (interpret(each, given, ALL) for each in (graph, apart))
    assert np.array_equal(wanted.readout, found.readout)
    for name in wanted.spikes:
        assert np.array_equal(wanted.spikes[name], found.spikes[name]), name
        assert np.array_equal(wanted.membranes[name], found.membranes[name]), name
    assert distribute_counts(apart) is apart
