"""Units and rounding."""

import numpy as np
import pytest
from random_networks import random_images, random_network

from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.ir import Graph
from snncc.ir.arrays import narrow
from snncc.ir.dialects.projections import Contract, Convolve, Sum
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly, round_with_images
from snncc.quantize.rounding import Use, round_to_nearest, round_with_compensation


def spiking(seed: int) -> Graph:
    return run_passes(random_network(seed), spiking_passes(CompileOptions()))


@pytest.mark.parametrize("bits", [3, 4, 8])
def test_compensation_loses_less_than_rounding_to_nearest(bits: int) -> None:
    """In the norm of the inputs' Gram matrix, for correlated sparse inputs."""
    rng = np.random.default_rng(bits)
    largest = 2 ** (bits - 1) - 1
    plain, better = 0.0, 0.0
    for _ in range(20):
        mixing = (rng.random((30, 30)) < 0.1).astype(float)
        inputs = ((rng.random((500, 30)) < 0.1).astype(float) @ mixing > 0).astype(float)
        gram = inputs.T @ inputs / len(inputs)
        rows = rng.normal(size=(8, 30))
        grid = np.abs(rows).max(axis=1, keepdims=True) / largest
        for which, rounding in (
            ("plain", round_to_nearest(rows, grid, largest)),
            ("better", round_with_compensation(rows, grid, largest, Use.of(gram))[0]),
        ):
            assert np.array_equal(rounding, np.round(rounding))
            assert np.abs(rounding).max() <= largest
            error = rows - rounding * grid
            lost = float(((error @ gram) * error).sum())
            plain, better = (plain + lost, better) if which == "plain" else (plain, better + lost)
    assert better < 0.8 * plain


def test_unused_inputs_are_rounded_to_nearest() -> None:
    rng = np.random.default_rng(0)
    rows, grid = rng.normal(size=(3, 5)), np.full((3, 1), 0.1)
    rounded = round_with_compensation(rows, grid, 127, Use.of(np.zeros((5, 5))))[0]
    assert np.array_equal(rounded, round_to_nearest(rows, grid, 127))


def test_currents_that_meet_share_their_unit() -> None:
    meetings = 0
    for seed in range(40):
        graph = spiking(seed)
        units = round_plainly(graph, 8).units
        for node in graph.select(Sum):
            meetings += 1
            unit = units.unit[node.name]
            for name in node.inputs:
                other = units.unit[name]
                assert (unit.array == other.array).all(), (seed, node.name)
    assert meetings > 20


@pytest.mark.parametrize("bits", [2, 5, 8, 16, 24])
def test_integers_keep_to_their_bits_and_near_their_weights(bits: int) -> None:
    for seed in range(15):
        graph = spiking(seed)
        for rounded in (
            round_plainly(graph, bits),
            round_with_images(graph, bits, random_images(random_network(seed), seed, 6)),
        ):
            for node in graph.select(Contract, Convolve):
                integers = rounded.integers[node.name]
                assert np.abs(integers).max(initial=0) <= 2 ** (bits - 1) - 1
                weight = graph.constants[node.op.weight.name]  # type: ignore[attr-defined]
                assert integers.shape == weight.shape


def test_more_bits_lose_less() -> None:
    for seed in range(10):
        graph = spiking(seed)
        lost = []
        for bits in (4, 8, 12):
            rounded = round_plainly(graph, bits)
            total = 0.0
            for node in graph.select(Contract):
                axis = node.op.out  # type: ignore[attr-defined]
                if len(axis) != 1 or node.op.shared:  # type: ignore[attr-defined]
                    continue
                grid = (
                    rounded.units.grid(node.name).over(axis).reshape(-1, *[1] * len(node.op.into))
                )  # type: ignore[attr-defined]
                weight = graph.constants[node.op.weight.name]  # type: ignore[attr-defined]
                total += float(np.abs(rounded.integers[node.name] * grid - weight).sum())
            lost.append(total)
        assert lost[2] <= lost[1] <= lost[0]


def test_two_calibrations_give_the_same_integers() -> None:
    graph = spiking(3)
    images = random_images(random_network(3), 0, 8)
    first, second = (round_with_images(graph, 8, images) for _ in range(2))
    assert all(np.array_equal(first.integers[k], second.integers[k]) for k in first.integers)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([0], np.int8),
        ([-128, 127], np.int8),
        ([128], np.int16),
        ([-(2**31)], np.int32),
        ([2**31], np.int64),
    ],
)
def test_integers_are_stored_in_the_smallest_type(values: list[int], dtype: type) -> None:
    assert narrow(np.array(values, np.int64)).dtype == dtype
