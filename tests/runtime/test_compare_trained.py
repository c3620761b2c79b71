"""Comparisons of the trained Mixer-SNN: rounding, the original spikes, flipped weights."""

from pathlib import Path

import numpy as np
import pytest
from compiled_mixers import CompiledMixers
from executions import check_place, populations, ran, with_constant

from snncc.diagnostics import SnnccError
from snncc.ir import Graph
from snncc.runtime.compare.axis_orders import parse_order
from snncc.runtime.compare.causes import rounding
from snncc.runtime.compare.comparison import Side, compare
from snncc.runtime.compare.layer_evidence import LayerEvidence, LayerSide
from snncc.runtime.compare.layer_inputs import inputs_of
from snncc.runtime.compare.neuron_rules import replay
from snncc.runtime.recording import (
    load_recording,
)


@pytest.fixture(scope="module")
def trained(mixer: CompiledMixers) -> dict[int, Graph]:
    return {bits: mixer(bits).graph for bits in (8, 16)}


@pytest.fixture(scope="module")
def digits(shared: Path) -> np.ndarray:
    with np.load(shared / "data/mnist_32x32.npz") as data:
        return data["x_test"][:32]


ORDERS = ("*.proj_h.*=h,c,w", "*.proj_w.*=w,c,h", "*.net.2=(h w),f", "c,h,w")


def test_8_and_16_bits_differ_first_by_rounding(
    trained: dict[int, Graph], digits: np.ndarray
) -> None:
    a, b = (ran(label, trained[bits], digits, "simulator") for label, bits in (("A", 8), ("B", 16)))
    result = compare(a, b)
    check_place(result, a, b)
    first = result.first
    assert first.cause.kind == "rounding"
    assert first.a.spike != first.b.spike
    assert abs(first.a.distance / first.a.threshold) < 0.01
    assert len(result.layers) == 35


def test_rounding_is_seen_in_every_layer(trained: dict[int, Graph], digits: np.ndarray) -> None:
    """Both programs' neurons on the same spikes, layer by layer: always within the bounds."""
    spikes = ran("B", trained[16], digits, "simulator").recording.spikes
    departures = 0
    for name in populations(trained[8]):
        sides = []
        for label, bits in (("A", 8), ("B", 16)):
            graph = trained[bits]
            inputs = inputs_of(graph, graph[name], spikes, digits)
            rule = graph[name].op.rule
            result = replay(inputs.drive, inputs.thresholds, rule)
            sides.append(LayerSide(label, result.spikes, None, inputs, rule))
        place = (0,) * sides[0].spikes.ndim
        cause = rounding(LayerEvidence(sides[0], sides[1], False, place), sides[0].expected)
        assert cause.fits, (name, cause.text)
        departures += cause.facts["departures"]
    assert departures > 500


def test_the_original_networks_spikes(
    trained: dict[int, Graph], digits: np.ndarray, shared: Path
) -> None:
    golden = Side("B", load_recording(shared / "data/mixer_spe_mnist_golden.npz"))
    orders = [parse_order(text) for text in ORDERS]
    a = ran("A", trained[8], digits[:8], "simulator")
    with pytest.raises(SnnccError, match=r"to_patch_embedding_lif\.0"):
        compare(a, golden)
    result = compare(a, golden, orders)
    assert result.first.cause.kind == "rounding"
    assert result.left_out == ()
    near = compare(ran("A", trained[16], digits[:8], "simulator"), golden, orders)
    assert sum(layer.spikes for layer in near.layers) < 100
    assert sum(layer.spikes for layer in result.layers) > 1000


def test_a_flipped_weight_of_the_trained_network_is_a_bug(
    trained: dict[int, Graph], digits: np.ndarray
) -> None:
    graph = trained[8]
    a = ran("A", graph, digits, "simulator")
    for name in ("token_mix.0.fuse.0", "channel_mix.1.1.net.0", "to_patch_embedding.3.node1_node2"):
        weight = next(k for k in graph.constants if k.startswith(f"{name}") and "weight" in k)
        array = graph.constants[weight].astype(np.int64)
        index = np.unravel_index(int(np.abs(array).argmax()), array.shape)
        wrong = with_constant(graph, weight, index, -int(array[index]))
        result = compare(a, ran("B", wrong, digits, "simulator"))
        assert result.first.cause.kind == "bug"
        assert f"{weight.split('.weight')[0]}" in result.first.cause.text
        assert "weight differs in 1 of" in result.first.cause.text


def test_a_flipped_weight_is_told_from_rounding_by_its_currents(
    trained: dict[int, Graph], digits: np.ndarray
) -> None:
    """An 8-bit program with one weight flipped, beside a right one of 16 bits: other units."""
    weight = next(k for k in trained[8].constants if k.startswith("to_patch_embedding.0.0.weight"))
    array = trained[8].constants[weight].astype(np.int64)
    index = np.unravel_index(int(np.abs(array).argmax()), array.shape)
    wrong = with_constant(trained[8], weight, index, -int(array[index]))
    b = ran("B", trained[16], digits, "simulator")
    assert compare(ran("A", trained[8], digits, "simulator"), b).first.cause.kind == "rounding"
    first = compare(ran("A", wrong, digits, "simulator"), b).first
    assert (first.layer, first.cause.kind) == ("to_patch_embedding_lif.0", "bug")
    rounded = next(c for c in first.causes if c.kind == "rounding")
    assert rounded.facts["worst_current"] > 1.0


def test_a_flipped_weight_too_small_for_its_currents_is_told_by_its_grid(
    trained: dict[int, Graph], digits: np.ndarray
) -> None:
    graph = trained[8]
    name = "channel_mix.1.1.net.0"
    weight = next(k for k in graph.constants if k.startswith(f"{name}.weight"))
    array = np.abs(graph.constants[weight].astype(np.int64))
    a = ran("A", graph, digits, "simulator")
    seen = 0
    for flat in np.flatnonzero(array == 5)[:40]:
        index = np.unravel_index(int(flat), array.shape)
        value = int(graph.constants[weight][index])
        first = compare(a, ran("B", with_constant(graph, weight, index, -value), digits)).first
        if first is None:
            continue
        seen += 1
        assert first.cause.kind == "bug"
        assert f"{name} weight differs by 10 steps of one grid" in first.causes[2].text
        if seen == 2:
            return
    pytest.fail(f"{seen} flips are seen")
