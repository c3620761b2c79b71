"""ONNX graphs of random programs and of networks: every spike, membrane and answer."""

from pathlib import Path

import numpy as np
import pytest
from frame_programs import each_domain, each_form, small
from generators.inputs import images
from generators.products import PRODUCTS
from generators.programs import program
from generators.saturation import reached, saturated
from generators.staircases import STAIRCASES
from generators.windows import WINDOWS
from onnx_runs import Graphs, checked, in_scan, in_steps, in_two_parts, same_as_interpreted
from programs import lowered
from random_networks import random_images, random_network

import snncc
from snncc.backends.onnx_graph.model import serialised
from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import SnnccError
from snncc.ir import TIME, Graph, params_of
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Convolve
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers

RAW = ((0.0,), (1.0 / 255.0,))
DRAWN = 300


def drawn(seed: int) -> Graph:
    return program(seed, WINDOWS if seed % 2 else ())


def fixed(graph: Graph) -> bool:
    """Whether some constant differs from step to step."""
    return any(TIME in param.axes for node in graph.nodes for param in params_of(node.op))


@pytest.mark.parametrize("first", range(0, DRAWN, 20))
def test_random_programs(first: int) -> None:
    spikes = 0
    for seed in range(first, first + 20):
        graph = drawn(seed)
        given = images(graph, seed, 2)
        spikes += same_as_interpreted(graph, given, in_scan(graph, given), seed)
    assert spikes > 0


@pytest.mark.parametrize("first", range(0, 20, 10))
def test_one_step_at_a_time(first: int) -> None:
    stepwise = 0
    for seed in range(first, first + 10):
        graph = drawn(seed)
        given = images(graph, seed, 2)
        same_as_interpreted(graph, given, in_steps(graph, given), seed)
        stepwise += fixed(graph)
    assert stepwise > 0, "constants of a step are chosen by its number"


def test_numbers_at_their_proved_ends() -> None:
    """Programs that drive a current or a membrane to where the width proof says that it can go."""
    ends = 0
    for seed in range(4):
        for driven in saturated(drawn(seed), seed, 2):
            run = in_scan(driven.graph, driven.images)
            same_as_interpreted(driven.graph, driven.images, run, seed)
            ends += reached(driven, run.membranes) == driven.bound
    assert ends > 4


@pytest.mark.parametrize("first", range(0, 18, 6))
def test_random_networks(first: int) -> None:
    """Weights of 4, 8 and 16 bits, gains and unshared weights; in parts where T is the run's."""
    spikes = 0
    for seed in range(first, first + 6):
        network = random_network(seed)
        gain = "unshared" if seed % 3 == 0 else "shift-add"
        bits = (4, 8, 16)[seed % 3]
        spiking = run_passes(network, spiking_passes(CompileOptions(normalize=RAW, gain=gain)))
        graph = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, bits), bits)])
        given = random_images(network, seed, 3)
        spikes += same_as_interpreted(graph, given, in_scan(graph, given), seed)
        if seed % 4 == 0:
            same_as_interpreted(graph, given, in_steps(graph, given), seed)
    assert spikes > 0


def test_parts_of_a_run_with_states_handed_on_are_the_whole_run() -> None:
    cut = 0
    for seed in range(8):
        graph = lowered(seed)
        given = random_images(random_network(seed), seed, 3)
        if fixed(graph):
            continue
        cut += 1
        same_as_interpreted(graph, given, in_two_parts(graph, given, 1), seed)
    assert cut > 2


def test_a_run_says_how_many_steps() -> None:
    """Where images are the same at every step: the program's T, or another."""
    graph = next(g for g in map(lowered, range(9)) if not fixed(g))
    given = random_images(random_network(0), 0, 2)
    graphs = Graphs(graph, "scan")
    shape = graphs.entry.type.shape
    given = np.random.default_rng(0).integers(0, 8, (2, *shape)).astype(np.uint8)
    assert "steps" in graphs.inputs
    usual, more = graphs.run(given), graphs.run(given, steps=np.array([graph.steps + 3]))
    again = graphs.run(given, usual.states, steps=np.array([3]))
    assert np.array_equal(again.readout, more.readout)
    for name in graphs.names:
        place = 1 + graph[name].type.names.index(TIME)
        both = np.concatenate([usual.spikes[name], again.spikes[name]], place)
        assert np.array_equal(both, more.spikes[name])


def test_batches_of_any_size_are_one_graph() -> None:
    graph = lowered(1)
    given = random_images(random_network(1), 1, 7)
    graphs = Graphs(graph, "scan")
    whole = graphs.run(given)
    parts = [graphs.run(part) for part in (given[:1], given[1:3], given[3:])]
    assert np.array_equal(np.concatenate([part.readout for part in parts]), whole.readout)
    for name in graphs.names:
        spikes = np.concatenate([part.spikes[name] for part in parts])
        assert np.array_equal(spikes, whole.spikes[name])


@each_domain
@each_form
def test_what_enters(domain: tuple[int, int], timed: bool) -> None:
    """Frames of every domain, the same at every step or a frame for each."""
    graph = small(domain, timed)
    kind = next(node.type for node in graph.nodes if not node.inputs)
    rng = np.random.default_rng(domain[1] - domain[0])
    given = rng.integers(domain[0], domain[1] + 1, (9, *kind.shape)).astype(kind.dtype)
    given[0], given[1] = domain
    same_as_interpreted(graph, given, in_scan(graph, given))
    same_as_interpreted(graph, given, in_steps(graph, given))
    same_as_interpreted(graph, given, in_two_parts(graph, given, 1))


def test_the_checker_of_onnx_finds_no_fault() -> None:
    for seed in range(0, 8, 2):
        for form in ("scan", "step"):
            model = checked(serialised(Graphs(drawn(seed), form).model))
            assert model.opset_import[0].version == 17
    for seed in range(4):
        checked(serialised(Graphs(lowered(seed), "scan").model))


def test_the_trained_digits(root: Path) -> None:
    """Convolutions, token and channel mixing; the graph is as large for any T."""
    compiled = snncc.compile(root / "examples/digits_mixer.pth", normalize=(0.3, 0.35))
    with np.load(root / "examples/digits.npz") as data:
        given = data["x_test"][:6]
    graph = compiled.graph
    graphs = Graphs(graph, "scan")
    spikes = same_as_interpreted(graph, given, graphs.run(given))
    assert spikes > 1000
    same_as_interpreted(graph, given[:2], in_steps(graph, given[:2]))
    same_as_interpreted(graph, given[:2], in_two_parts(graph, given[:2], 3))
    model = checked(serialised(graphs.model))
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("Scan") == len(compiled.populations)
    assert {"ConvInteger", "MatMulInteger"} <= set(kinds)


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_products_and_counts(first: int) -> None:
    """Convolutions of counts beyond a byte have no form, and say so."""
    written = 0
    for seed in range(first, first + 10):
        graph = program(seed, PRODUCTS)
        given = images(graph, seed, 2)
        wide = (n for n in graph.select(Convolve) if graph[n.inputs[0]].type.range[1] > 255)
        if any(wide):
            with pytest.raises(SnnccError, match="ConvInteger takes bytes"):
                in_scan(graph, given)
            continue
        same_as_interpreted(graph, given, in_scan(graph, given), seed)
        written += bool(graph.select(Product, SumAlong))
    assert written > 1


@pytest.mark.parametrize("first", range(0, 24, 8))
def test_counts_of_passed_thresholds(first: int) -> None:
    """Below 0, beyond a byte, by step, with signs; what has no form says so."""
    written = 0
    for seed in range(first, first + 8):
        graph = program(seed, STAIRCASES)
        given = images(graph, seed, 2)
        of = [graph[n.inputs[0]].type.range for n in graph.select(Convolve)]
        if any(low < 0 or high > 255 for low, high in of):
            with pytest.raises(SnnccError, match="ConvInteger takes bytes"):
                in_scan(graph, given)
            continue
        same_as_interpreted(graph, given, in_scan(graph, given), seed)
        same_as_interpreted(graph, given, in_steps(graph, given), seed)
        written += bool(graph.select(MultiThreshold))
    assert written > 1
