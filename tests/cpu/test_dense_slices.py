"""Matrix products whose results are slices of a concat: joined along every axis, in every mode."""

from itertools import product

import numpy as np
import pytest
from test_dense_kernels import same
from test_unit_widths import Full, every_mode

from snncc.backends.cpu.dense import layers as dense_kernels
from snncc.backends.cpu.dense.choice import projections_of_spikes
from snncc.backends.cpu.dense.layers import DenseLayer
from snncc.backends.cpu.plan.encoding import plan_units
from snncc.ir import Graph
from snncc.ir.dialects.projections import Concat, Contract, Convolve
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator


def joined(axis: str, lanes: int, steps: int = 3) -> Graph:
    """Two convolutions of one population, side by side along an axis of the result."""
    rng = np.random.default_rng(lanes)
    net = Full.new(steps)
    first = net.spikes(h=4, w=3, c=lanes)
    sums = [_convolution(net, first, rng, lanes, kernel) for kernel in (1, 3)]
    both = net.b.add(Concat((axis, axis), axis), sums)
    second = net.fire(both, 5, "second")
    weight = net.b.constant("w", rng.integers(-9, 10, (3, 33)).astype(np.int8), ("o", "c2"))
    if axis == "c2":
        whole = rng.integers(-9, 10, (3, 66)).astype(np.int8)
        weight = net.b.constant("w", whole, ("o", "c2"))
    op = Contract(weight, ("c2",), ("o",), summed=("h2", "w2"))
    return net.read(net.b.add(op, [second]))


def _convolution(net: Full, source: str, rng: np.random.Generator, lanes: int, kernel: int) -> str:
    weight = rng.integers(-20, 21, (33, lanes, kernel, kernel)).astype(np.int8)
    w = net.b.constant("w", weight, ("o", "i", "kh", "kw"))
    pad = (kernel // 2, kernel // 2)
    op = Convolve(w, "c", "h", "w", "c2", "h2", "w2", padding=pad)
    return net.b.add(op, [source], name=f"conv{kernel}")


@pytest.mark.parametrize("axis", ["h2", "w2", "c2"])
@pytest.mark.parametrize("lanes", [1, 17, 33, 65])
def test_products_that_lie_in_a_concat(axis: str, lanes: int) -> None:
    graph = joined(axis, lanes)
    images = np.random.default_rng(1).integers(150, 256, (5, 4, 3, lanes)).astype(np.uint8)
    wanted = every_mode(graph, images)
    assert 0.05 < wanted.spikes["second"].mean() < 0.95
    assert {"conv1", "conv3"} <= set(Simulator(graph, 1, "dense").dense_layers)


@pytest.mark.parametrize("axis", ["h2", "w2"])
def test_products_are_computed_in_parts_within_a_concat(
    axis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dense_kernels, "CHUNK", 60)
    graph = joined(axis, 17)
    images = np.random.default_rng(1).integers(150, 256, (3, 4, 3, 17)).astype(np.uint8)
    for threads in (1, 2):
        got = Simulator(graph, threads, "dense").run(images, ALL)
        same(interpret(graph, images, ALL), got, threads)


def test_a_concat_within_a_concat() -> None:
    rng = np.random.default_rng(3)
    net = Full.new(2)
    first = net.spikes(h=4, w=3, c=20)
    one, two = (_convolution(net, first, rng, 20, kernel) for kernel in (1, 3))
    inner = net.b.add(Concat(("h2", "h2"), "h2"), [one, two])
    weight = rng.integers(-20, 21, (33, 20, 1, 1)).astype(np.int8)
    w = net.b.constant("w", weight, ("o", "i", "kh", "kw"))
    op = Convolve(w, "c", "h", "w", "c2", "h2", "w2", padding=(2, 0))
    more = net.b.add(op, [first], name="more")
    outer = net.b.add(Concat(("w2", "w2"), "w2"), [inner, more])
    second = net.fire(outer, 5, "second")
    head = net.b.constant("h", rng.integers(-9, 10, (2, 33)).astype(np.int8), ("o", "c2"))
    answer = net.b.add(Contract(head, ("c2",), ("o",), summed=("h2", "w2")), [second])
    every_mode(net.read(answer))


def test_every_result_is_written_through() -> None:
    """Each product alone, into memory that held something else: all of it is new, no more is."""
    graph = joined("w2", 33)
    plan = plan_units(graph, graph.steps, dense=projections_of_spikes(graph))
    for unit, fill in product(plan.dense.values(), (0, 0x5A)):
        values = np.full(plan.memory, fill, np.uint8)
        place, row = unit.source
        source = slice(place, place + graph.steps * unit.sum.source_rows * row)
        bits = np.random.default_rng(0).integers(0, 256, source.stop - source.start)
        values[source] = bits
        before = values.copy()
        DenseLayer(unit).run(values, 0, graph.steps, 0)
        kind = np.int16 if unit.size == 2 else np.int32
        steps = (graph.steps, *unit.shape)
        found = np.ndarray(steps, kind, values.data, unit.place, unit.strides)
        wanted = np.zeros((graph.steps, int(np.prod(unit.shape[:-1])), unit.shape[-1]), np.int64)
        packed = before[source].reshape(graph.steps, unit.sum.source_rows, row)
        spikes = np.unpackbits(packed, axis=-1, count=unit.sum.source_lanes, bitorder="little")
        for block in unit.sum.blocks:
            padded = np.pad(spikes, ((0, 0), (0, 1), (0, 0))).astype(np.int64)
            left = padded[:, block.taps].reshape(graph.steps, len(block.rows), -1)
            wanted[:, block.rows] = left @ block.matrix.astype(np.int64)
        assert np.array_equal(found.reshape(wanted.shape), wanted)
        np.ndarray(steps, kind, before.data, unit.place, unit.strides)[...] = found
        assert np.array_equal(values, before), "something beside the result was written"


def test_a_copy_is_refused() -> None:
    unit = next(iter(plan_units(joined("h2", 4), 3, dense={"conv1"}).dense.values()))
    block, spikes = unit.sum.blocks[0], np.zeros((3, 12, 4), np.uint8)
    gaps = np.zeros((3, 24, 33), np.int32)[:, :12]
    with pytest.raises(ValueError, match="to a copy"):
        dense_kernels._multiply(block, lambda left: left[:, :1] * 0, spikes, gaps)  # pyright: ignore[reportPrivateUsage]
