"""What enters a program may be whole numbers of any domain of 8 bits: all executors agree.

A third definition, with products, decides; the proved intervals hold, and are reached.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from certificates import certificate_of, file_of
from random_programs import numbers_of, random_program
from test_executors import dense
from test_host_units import plans

from snncc.artifact import Program, load_program, save_program
from snncc.artifact.program import from_manifest, to_manifest
from snncc.backends.cpu import fields as f
from snncc.backends.cpu.checking import check_plan
from snncc.backends.lava_nc.bundle_files import network_of
from snncc.checker import Rejected, check
from snncc.checker.form import check_manifest
from snncc.checker.inputs import frames
from snncc.checker.values import Site
from snncc.diagnostics import SnnccError
from snncc.ir import Array, Context, Graph, GraphBuilder, Kind, TypeRuleError, verify
from snncc.ir.codec import CodecError
from snncc.ir.integer_ops import IntegerPopulation, IntegerReadout
from snncc.ir.projections import Contract, Frames
from snncc.ir.text import parse_graph, print_graph, same_graph
from snncc.mfi.width_proof import prove_widths
from snncc.runtime import ALL, interpret
from snncc.runtime.dynamic_proof import prove_by_running
from snncc.runtime.layer_inputs import inputs_of
from snncc.runtime.simulator import Simulator
from snncc.runtime.synaptic_operations import count_operations
from snncc.runtime.witness import reach

DOMAINS = [(0, 1), (0, 3), (0, 15), (0, 100), (0, 255), (-1, 1), (-8, 7), (-128, 127), (-1, 0)]
each_domain = pytest.mark.parametrize("domain", DOMAINS, ids=lambda d: f"{d[0]}..{d[1]}")
each_form = pytest.mark.parametrize("timed", [False, True], ids=["image", "frames"])
SEEDS = range(3)


def small(domain: tuple[int, int], timed: bool = False, profile: str = "exact") -> Graph:
    """Three numbers, two neurons of which one is opposed to the other, one answer; T = 2."""
    b = GraphBuilder("integer", 2, profile)
    axes, shape = (("f", "t"), (3, 2)) if timed else (("f",), (3,))
    image = b.add(Frames(axes, shape, domain=domain), (), (), "image")
    weight = b.constant("w", np.array([[1, 2, -3], [-127, 127, -128]], np.int8), ("n", "f"))
    current = b.add(Contract(weight, ("f",), ("n",)), [image], (), "current")
    op = IntegerPopulation(b.constant("k", np.array([3, 100]), ("n",)), decay=(1, 1))
    op = replace(op, membrane=op.membrane_range(b[current].type, b.context))
    spikes = b.add(op, [current], (), "spikes")
    head = b.constant("h", np.array([[1, -1]], np.int8), ("k", "n"))
    answer = b.add(Contract(head, ("n",), ("k",)), [spikes], (), "answer")
    graph = b.finish(b.add(IntegerReadout(), [answer], (), "readout"))
    verify(graph)
    return graph


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


# Files and texts


def test_pixels_are_written_as_they_always_were(tmp_path: Path) -> None:
    graph = small((0, 255))
    text = print_graph(graph)
    assert "%image = pixels() {axes = [f], shape = [3]} : pixel[f:3]{0..255}" in text
    content = file_of(graph, tmp_path)
    assert b'"schema\\":1' in content
    assert same_graph(load_program(tmp_path / "program.snncc").graph, graph)


@each_form
@each_domain
def test_any_domain_is_written_and_read(
    domain: tuple[int, int], timed: bool, tmp_path: Path
) -> None:
    graph = small(domain, timed)
    assert same_graph(parse_graph(print_graph(graph), graph.constants), graph)
    content = file_of(graph, tmp_path)
    assert (b'"schema\\":2' in content) == (timed or domain != (0, 255))
    assert same_graph(load_program(tmp_path / "program.snncc").graph, graph)


def test_frames_of_a_domain_have_a_word_of_their_own() -> None:
    text = print_graph(small((0, 3)))
    assert "%image = frames() {axes = [f], shape = [3], domain = [0, 3]} : count[f:3]{0..3}" in text
    for old, new in (("= frames(", "= pixels("), (", domain = [0, 3]", ""), ("count[", "pixel[")):
        assert old in text
        with pytest.raises(ValueError, match=r"called|domain"):
            parse_graph(text.replace(old, new, 1), {})


@pytest.mark.parametrize(
    "domain", [(0, 0), (1, 3), (-3, -1), (0, 256), (-1, 128), (-129, 0), (3, 0)], ids=str
)
def test_what_8_bits_do_not_hold_is_no_domain(domain: tuple[int, int]) -> None:
    with pytest.raises(TypeRuleError, match=r"domain holds 0|8 bits"):
        small(domain)


# What is given


def test_a_number_outside_the_domain_is_named() -> None:
    graph = small((0, 3))
    numbers = np.array([[0, 3, 1], [2, 3, 9], [7, 0, 0]], np.uint8)
    for run in (interpret, prove_by_running, count_operations):
        with pytest.raises(SnnccError) as caught:
            run(graph, numbers)
        (finding,) = caught.value.findings
        assert finding.code == "SNN016"
        assert "image 1 holds 9 at f 2: the program takes 0..3" in finding.message
        assert "2 of 9 numbers" in finding.why


def test_no_executor_cuts_numbers_off() -> None:
    simulator, numbers = Simulator(small((0, 3)), 1), np.array([4, 0, 0], np.uint8)
    for run in (simulator.run, lambda images: simulator.stream(images[0])):
        with pytest.raises(SnnccError, match="image 0 holds 4 at f 0"):
            run(numbers[None])


def test_numbers_below_0_are_given_as_int8() -> None:
    signed, unsigned = small((-8, 7)), small((0, 7))
    with pytest.raises(SnnccError, match=r"int8 \[n, 3\] \(f\), not uint8"):
        interpret(signed, np.zeros((1, 3), np.uint8))
    with pytest.raises(SnnccError, match=r"uint8 \[n, 3\] \(f\), not int8"):
        interpret(unsigned, np.zeros((1, 3), np.int8))
    with pytest.raises(SnnccError, match="image 0 holds -9 at f 1"):
        interpret(signed, np.array([[0, -9, 0]], np.int8))


@pytest.mark.parametrize("domain", [(0, 255), (0, 3)], ids=str)
def test_a_program_has_one_schema(domain: tuple[int, int]) -> None:
    """An earlier version reads schema 1 alone: it refuses what it has no word for."""
    graph = small(domain)
    manifest = to_manifest(Program(graph, {}))
    assert manifest["schema"] == (1 if domain == (0, 255) else 2)
    check_manifest(manifest, dict(graph.constants))
    for other in {0, 1, 2, 3} - {manifest["schema"]}:
        changed = {**manifest, "schema": other}
        with pytest.raises(CodecError):
            from_manifest(changed, graph.constants)
        with pytest.raises(Rejected, match="schema"):
            check_manifest(changed, dict(graph.constants))


# A frame for every step


def test_every_frame_is_the_same_as_one_image() -> None:
    for domain in DOMAINS:
        image, frames = small(domain), small(domain, timed=True)
        numbers = numbers_of(image, 5, 4)
        again = np.repeat(numbers[..., None], 2, axis=-1)
        for run in (interpret, lambda graph, given: Simulator(graph, 1).run(given, ALL)):
            assert np.array_equal(run(frames, again).readout, run(image, numbers).readout)


def test_a_step_sees_its_own_frame_alone() -> None:
    graph = small((0, 3), timed=True)
    dark = np.zeros((1, 3, 2), np.uint8)
    for step in range(2):
        frames = dark.copy()
        frames[0, 1, step] = 3
        current = dense(graph, frames)["current"]
        assert [bool(current[0].take(t, 1).any()) for t in range(2)] == [step == 0, step == 1]
        spikes = Simulator(graph, 1).run(frames, ALL).spikes["spikes"]
        assert np.array_equal(spikes, interpret(graph, frames, ALL).spikes["spikes"])
        assert spikes.any()


def test_events_of_frames_are_counted_step_by_step() -> None:
    graph = small((0, 3), timed=True)
    counts = count_operations(graph, np.array([[[3, 0], [1, 2], [0, 0]]], np.uint8))
    (first, _) = counts.projections
    assert (first.events, first.dense) == (2 + 1 + 1, 6 * 2)


def test_frames_are_written_with_their_axes() -> None:
    text = print_graph(small((0, 255), timed=True))
    assert "%image = frames() {axes = [f, t], shape = [3, 2]} : pixel[f:3, t:2]{0..255}" in text


@pytest.mark.parametrize("fields", [{"shape": (3, 3)}, {"encoding": "host"}], ids=str)
def test_frames_are_one_for_each_step_and_in_bit_planes(fields: dict[str, Any]) -> None:
    op = replace(Frames(("f", "t"), (3, 2), domain=(0, 3)), **fields)
    with pytest.raises(TypeRuleError, match=r"frames for T = 2|once"):
        op.infer((), Context(2, {}))


@pytest.mark.parametrize("fields", [{"shape": [3, 3]}, {"encoding": "host"}], ids=str)
def test_the_checker_holds_frames_to_the_same(fields: dict[str, Any]) -> None:
    given = {"axes": ["f", "t"], "shape": [3, 2], "encoding": "bit-planes", "domain": [0, 3]}
    value, _ = frames(Site(given, [], {}, 2))
    assert value.axes == (("f", 3), ("t", 2))
    with pytest.raises(Rejected, match="T steps"):
        frames(Site({**given, **fields}, [], {}, 2))


def test_the_plan_checker_finds_a_wrong_stride_of_frames() -> None:
    graph = small((0, 3), timed=True)
    for plan in plans(graph).values():
        for stride in (0, 3, -1):
            parts = plan.parts.copy()
            parts[parts[:, f.P_KIND] == f.PLANE, f.P_STEP] = stride
            assert check_plan(graph, replace(plan, parts=parts)) != ()


@each_form
@pytest.mark.parametrize("profile", ["exact", "loihi-lava"])
@pytest.mark.parametrize("domain", [(0, 3), (-8, 7), (0, 255)], ids=str)
def test_a_bundle_refuses_what_it_cannot_send(
    domain: tuple[int, int], profile: str, timed: bool, tmp_path: Path
) -> None:
    if domain == (0, 255) and not timed:
        return
    program = tmp_path / "p.snncc"
    save_program(program, Program(small(domain, timed, profile), {}))
    with pytest.raises(SnnccError) as caught:
        network_of(load_program(program).graph)
    assert [finding.code for finding in caught.value.findings] == ["SNN040"]
    assert "image" in caught.value.findings[0].message
