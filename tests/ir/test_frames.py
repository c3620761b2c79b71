"""What enters a program may be whole numbers of any domain of 8 bits: all executors agree.

A third definition, with products, decides; the proved intervals hold, and are reached.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from certificates import certificate_of, file_of
from frame_programs import DOMAINS, each_domain, each_form, small
from random_programs import numbers_of, random_program
from test_executors import dense
from test_host_units import plans

from snncc.artifact import load_program
from snncc.backends.cpu.checking import check_plan
from snncc.checker import Rejected, check
from snncc.diagnostics import SnnccError
from snncc.ir import Array, Graph, GraphBuilder, Kind, verify
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames
from snncc.mfi.widths.proof import prove_widths
from snncc.runtime import ALL, interpret
from snncc.runtime.compare.layer_inputs import inputs_of
from snncc.runtime.counts.synaptic_operations import count_operations
from snncc.runtime.proofs.dynamic_proof import prove_by_running
from snncc.runtime.proofs.witness import reach
from snncc.runtime.simulator import Simulator

SEEDS = range(2)


@each_form
@each_domain
@pytest.mark.parametrize("seed", SEEDS)
def test_all_executors_give_the_bits_of_dense_products(
    domain: tuple[int, int], seed: int, timed: bool
) -> None:
    graph = random_program(seed, domain, timed)
    numbers = numbers_of(graph, seed, 4)
    wanted, values = interpret(graph, numbers, ALL), dense(graph, numbers)
    assert np.array_equal(wanted.readout, values["readout"])
    for name, spikes in wanted.spikes.items():
        assert np.array_equal(spikes, values[name]), name
        assert np.array_equal(wanted.membranes[name], values[f"{name}/z"]), name
    for threads in (1, 2):
        found = Simulator(graph, threads).run(numbers, ALL)
        assert np.array_equal(found.readout, wanted.readout)
        for name in wanted.spikes:
            assert np.array_equal(found.spikes[name], wanted.spikes[name]), name
            assert np.array_equal(found.membranes[name], wanted.membranes[name]), name
    for name, plan in plans(graph).items():
        assert check_plan(graph, plan, seed) == (), name
    for node in graph.nodes:
        if node.type.kind is Kind.CURRENT and node.type.range is not None:
            low, high = node.type.range
            assert low <= values[node.name].min() <= values[node.name].max() <= high


@each_form
@each_domain
def test_a_stream_goes_on_where_another_was_left(domain: tuple[int, int], timed: bool) -> None:
    graph = small(domain, timed)
    numbers, simulator = numbers_of(graph, 1, 3), Simulator(graph, 1)
    wanted = interpret(graph, numbers)
    for image, readout in zip(numbers, wanted.readout, strict=True):
        stream = simulator.stream(image)
        stream.step()
        (last,) = simulator.resume(stream.state())
        assert np.array_equal(last.readout, readout)


@each_form
@each_domain
@pytest.mark.parametrize("seed", SEEDS)
def test_prover_and_checker_agree(
    domain: tuple[int, int], seed: int, timed: bool, tmp_path: Path
) -> None:
    graph = random_program(seed, domain, timed)
    program = file_of(graph, tmp_path)
    check(program, certificate_of(graph, program))


@each_domain
def test_the_checker_rejects_an_interval_that_is_one_off(
    domain: tuple[int, int], tmp_path: Path
) -> None:
    graph = small(domain)
    honest = certificate_of(graph, file_of(graph, tmp_path))
    for name in ("image", "current"):
        node = graph[name]
        low, high = node.type.range or (0, 0)
        for ends in ((low + 1, high), (low, high - 1), (low - 1, high), (low, high + 1)):
            lie = replace(node, type=replace(node.type, range=ends))
            changed = replace(graph, nodes=tuple(lie if n is node else n for n in graph.nodes))
            program = file_of(changed, tmp_path)
            with pytest.raises(Rejected, match="declared"):
                check(program, honest)
            with pytest.raises(SnnccError, match="SNN017"):
                load_program(tmp_path / "program.snncc")


def test_what_a_certificate_says_of_planes(tmp_path: Path) -> None:
    said: dict[tuple[int, int], tuple[str, list[str]]] = {}
    for domain in DOMAINS:
        record = json.loads(certificate_of(small(domain), file_of(small(domain), tmp_path)))
        (node,) = (n for n in record["nodes"] if n["name"] == "current")
        said[domain] = node["rule"], node["arithmetic"]
    assert said[0, 255] == ("pixel-bits-select", ["select", "add", "shift"])
    assert said[0, 3] == ("count-bits-select", ["select", "add", "shift"])
    assert said[0, 1] == ("count-bits-select", ["select", "add"])
    assert said[-8, 7] == ("count-bits-select", ["select", "add", "subtract", "shift"])
    assert said[-1, 0] == ("count-bits-select", ["select", "add", "subtract"])


@each_form
@each_domain
def test_proved_ends_are_reached_by_their_witnesses(domain: tuple[int, int], timed: bool) -> None:
    for graph in (small(domain, timed), random_program(1, domain, timed)):
        readers = {node.name for node in graph.readers["image"]}
        found = [width for width in prove_widths(graph) if width.node in readers]
        assert len(found) == len(readers)
        for width in found:
            for witness in (width.low, width.high):
                (given,) = witness.inputs.values()
                assert str(given.dtype) == graph["image"].type.dtype
                least, most = reach(graph, witness.node, witness.element, witness.inputs)
                assert (least, most)[witness.upper] == width.proved[witness.upper]


@each_form
@each_domain
def test_the_multiplication_free_run_gives_the_same_bits(
    domain: tuple[int, int], timed: bool
) -> None:
    graph = small(domain, timed)
    numbers = numbers_of(graph, 3, 4)
    proof, wanted = prove_by_running(graph, numbers, ALL), interpret(graph, numbers, ALL)
    assert np.array_equal(proof.execution.readout, wanted.readout)
    by = {layer.name: layer.counts for layer in proof.layers}
    assert (by["current"].subtracts > 0) == (domain[0] < 0)


def test_operations_are_counted_by_the_bits_that_are_set() -> None:
    graph = small((-8, 7))
    counts = count_operations(graph, np.array([[-8, 7, 0], [-1, 0, 1]], np.int8))
    (first, _) = counts.projections
    # -8 has the sign bit, 7 three bits, -1 all four, 1 one: each reaches two neurons.
    assert (first.source, first.events) == ("count", 1 + 3 + 4 + 1)
    assert first.effective_acs == 2 * 9
    assert first.effective_macs == 2 * 4


def squares() -> tuple[Graph, Array]:
    b = GraphBuilder("integer", 1, "exact")
    image = b.add(Frames(("i", "f"), (4, 2), domain=(0, 15)), (), (), "image")
    weight = b.constant("w", np.array([[1, 1]], np.int8), ("n", "f"))
    current = b.add(Contract(weight, ("f",), ("n",)), [image], (), "current")
    op = IntegerPopulation(b.constant("k", np.array(3), ()))
    op = replace(op, membrane=op.membrane_range(b[current].type, b.context))
    spikes = b.add(op, [current], (), "spikes")
    head = b.constant("h", np.array([[1]], np.int8), ("k", "n"))
    answer = b.add(Contract(head, ("n",), ("k",), (), ("i",)), [spikes], (), "answer")
    graph = b.finish(b.add(IntegerReadout(), [answer], (), "readout"))
    verify(graph)
    return graph, np.array([[[8, 13], [10, 9], [15, 8], [4, 11]]], np.uint8)


def test_rounding_is_estimated_from_squares_beyond_the_domain() -> None:
    """Squares are no numbers of the source's domain: read as such they lost their upper bits."""
    graph, numbers = squares()
    found = inputs_of(graph, graph["spikes"], {}, numbers).variance
    assert found.reshape(-1).tolist() == [233, 181, 289, 137]


@each_domain
def test_the_estimate_of_rounding_is_the_sum_of_squares(domain: tuple[int, int]) -> None:
    graph = small(domain)
    numbers = numbers_of(graph, 4, 5)
    found = inputs_of(graph, graph["spikes"], {}, numbers).variance
    wanted = (numbers.astype(np.int64) ** 2).sum(axis=1)
    assert np.array_equal(found[:, 0], np.stack([wanted, wanted], axis=1))
