"""Strides, paddings, dilations and groups, uneven on purpose: three executors, the same bits."""

from itertools import product

import numpy as np
import pytest
from test_executors import dense

from snncc.ir import Graph, GraphBuilder, verify
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Convolve, Frames
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator

Pair = tuple[int, int]


def network(stride: Pair, padding: Pair, dilation: Pair, groups: int, kernel: Pair) -> Graph:
    """A plain first convolution and one of the given geometry, each with spiking neurons."""
    rng = np.random.default_rng(0)
    b = GraphBuilder("integer", 3, "exact")
    image = b.add(Frames(("c", "h", "w"), (4, 9, 10)), name="image")

    def weight(parts: int) -> np.ndarray:
        return rng.integers(-9, 10, (4, 4 // parts, *kernel)).astype(np.int8)

    def fire(current: str, level: int, name: str) -> str:
        threshold = b.constant("k", np.array(level))
        bounds = IntegerPopulation(threshold).membrane_range(b[current].type, b.context)
        return b.add(IntegerPopulation(threshold, membrane=bounds), [current], name=name)

    axes = ("o", "i", "kh", "kw")
    first = Convolve(
        b.constant("w", weight(1), axes), "c", "h", "w", "c1", "h1", "w1", padding=(2, 2)
    )
    spikes = fire(b.add(first, [image]), 900, "first")
    second = Convolve(
        b.constant("w", weight(groups), axes),
        *("c1", "h1", "w1", "c2", "h2", "w2"),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
    last = fire(b.add(second, [spikes]), 8, "second")
    head = b.constant("h", rng.integers(-3, 4, (2, 4)).astype(np.int8), ("o", "c2"))
    answer = b.add(Contract(head, ("c2",), ("o",), summed=("h2", "w2")), [last])
    graph = b.finish(b.add(IntegerReadout(), [answer]))
    verify(graph)
    return graph


@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (2, 3)])
def test_every_geometry_gives_the_same_bits(stride: Pair) -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 4, 9, 10)).astype(np.uint8)
    paddings, dilations = ((0, 0), (1, 2)), ((1, 1), (2, 1), (2, 3))
    for case in product(paddings, dilations, (1, 2), ((3, 2), (1, 3))):
        graph = network(stride, *case)
        wanted = dense(graph, images)
        for got in (interpret(graph, images, ALL), Simulator(graph).run(images, ALL)):
            assert np.array_equal(got.readout, wanted[graph.output]), case
            for name in ("first", "second"):
                assert 0.02 < got.spikes[name].mean() < 0.98, (case, name)
                assert np.array_equal(got.membranes[name], wanted[f"{name}/z"]), (case, name)
