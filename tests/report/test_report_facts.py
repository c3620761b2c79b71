"""Facts of a report against numbers that were computed by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from frame_programs import small
from report_programs import chain, deep, hostile, pixels

from snncc.artifact import Program, program_digest
from snncc.diagnostics import SnnccError
from snncc.execution import ALL
from snncc.ir import GraphBuilder
from snncc.ir.dialects.integer import IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames
from snncc.report import activity
from snncc.report.answers import Answer, answers_of
from snncc.report.beside import running
from snncc.report.difference import Other
from snncc.report.facts import Facts
from snncc.report.gather import Given, gather
from snncc.report.layout import HEIGHT, layout
from snncc.report.origin import fidelity_of, folds_of, weight_bits_of
from snncc.report.page.program import answers, work
from snncc.report.raster import NEURONS, raster_of
from snncc.report.thumbnails import thumbnail
from snncc.report.weights import weights_of
from snncc.runtime.executors import executor_of
from snncc.runtime.recording import Recording, run_recorded

IMAGES = np.array([[1, 1, 0], [0, 1, 0]], np.uint8)
"""Of `small`: thresholds 3 and 100, decay 1/2, hard reset, T = 2.

Image 0: current 3 and 0; neuron 0 fires at both steps, at the threshold; neuron 1 never.
Image 1: current 2 and 127; membranes of neuron 0 are 2, then 2 // 2 + 2 = 3: it fires at step 1;
neuron 1 fires at both.
"""


@pytest.fixture(scope="module")
def facts() -> Facts:
    return gather(Program(small((0, 255)), {"weight_bits": 8}), Given(images=IMAGES, register=7))


def test_what_a_population_did(facts: Facts) -> None:
    (found,) = facts.watched
    assert found.name == "spikes"
    assert (found.neurons, found.spikes, found.membranes) == (2, 5, 8)
    assert found.rate == 5 / 8
    assert dict(facts.rates) == {"spikes": 5 / 8}
    assert (found.low, found.high) == (0, 127)
    assert found.scale == 51  # the median of 3 and 100, cut off
    assert found.near == 3  # membranes of 3: no other is within 1/64 of its threshold
    assert (found.silent, found.steady) == (0, 0)
    borders, counts = activity.edges(), np.array(found.counts)
    assert borders[25] == 0.0
    away = [0, 0, -100, -100, -1, 0, 27, 27]
    wanted, _ = np.histogram(np.array(away) / 51, borders)
    assert counts.tolist() == wanted.tolist()
    assert counts[25:].sum() == found.spikes  # right of the threshold it fires, at it too


def test_neurons_that_never_or_always_fire() -> None:
    found = gather(Program(small((0, 255)), {}), Given(images=IMAGES[:1])).watched[0]
    assert (found.silent, found.steady) == (1, 1)


def test_weights_and_their_clip_edges(facts: Facts) -> None:
    first, head = facts.weights
    assert (first.name, first.count, first.bits, first.clip) == ("current", 6, 8, 127)
    assert (first.low, first.high, first.zeros) == (-128, 127, 0)
    assert first.clipped == 3  # -127, 127, -128
    assert sum(first.counts) == 6
    assert (first.counts[0], first.counts[-1]) == (2, 1)
    assert (head.bits, head.clip, head.declared, head.clipped) == (8, 127, True, 0)
    _, bare = weights_of(small((0, 255)))
    assert (bare.bits, bare.clip, bare.declared, bare.clipped) == (2, 1, False, 2)


def test_widths_declared_proved_and_reached(facts: Facts) -> None:
    widths = {each.name: each for each in facts.widths}
    membrane = widths["spikes"]
    assert membrane.what == "membrane"
    assert membrane.reached == (0, 127)
    assert membrane.bits[2] == 8
    assert membrane.declared[0] <= membrane.proved[0] <= membrane.reached[0]
    assert widths["current"].proved == (-255 * 255, 127 * 255)
    assert widths["current"].bits[:2] == (17, 17)
    assert widths["current"].reached is None
    assert widths["readout"].proved == (-2, 2)


def test_work_by_projection(facts: Facts) -> None:
    first, head = facts.work
    assert (first.name, first.source, first.dense) == ("current", "pixel", 6.0)
    assert first.effective == (4 + 2) / 2  # each set bit reaches two weights
    assert (head.source, head.dense, head.effective) == ("spike", 4.0, (2 + 3) / 2)


def test_the_verdict_in_one_sentence(facts: Facts) -> None:
    assert facts.verdict.sentence == (
        "This program is multiplication-free: all of its 5 operations are strict, and no input can "
        "overflow 17 bits of a current or 18 of a membrane."
    )
    assert facts.verdict.operations == (("strict", 5),)
    assert facts.verdict.free


def test_a_first_layer_of_the_host_is_in_the_sentence() -> None:
    graph = small((0, 255))
    image = graph["image"]
    host = replace(image, op=replace(image.op, encoding="host"))
    facts = gather(Program(replace(graph, nodes=(host, *graph.nodes[1:])), {}), Given())
    assert not facts.verdict.free
    assert facts.verdict.sentence.startswith("This program is NOT multiplication-free: ")
    assert facts.verdict.sentence.endswith(
        "the host computes its first layer, with multiplications."
    )


def test_nodes_tell_their_types_and_neighbours(facts: Facts) -> None:
    nodes = {node.name: node for node in facts.nodes}
    assert [node.shape for node in facts.nodes] == [
        *("image", "projection", "population", "projection", "readout")
    ]
    assert nodes["spikes"].axes == (("t", 2), ("n", 2))
    assert (nodes["image"].bits, nodes["current"].bits) == (8, 17)
    assert nodes["current"].constants == ("w: int8 [2, 3], -128..127",)
    assert (nodes["spikes"].inputs, nodes["spikes"].readers) == (("current",), ("answer",))


def test_a_raster_marks_what_differs() -> None:
    own = np.zeros((2, 2, 3), np.uint8)
    own[0, 1, 2] = own[1, 0, 0] = 1
    other = own.copy()
    other[0, 1, 2], other[1, 1, 1] = 0, 1
    found = raster_of("x", own, other)
    assert (found.neurons, found.of, found.images, found.steps) == ((0, 1, 2), 3, 2, 2)
    assert found.spikes == ((0, 2), (2, 1))
    assert found.differing == ((1, 3), (2, 1))
    assert raster_of("x", own).differing is None


def test_a_raster_of_many_neurons_shows_those_that_differ() -> None:
    own = np.zeros((40, 4, 1000), np.uint8)
    other = own.copy()
    other[0, 0, 777] = 1
    found = raster_of("x", own, other)
    assert len(found.neurons) <= NEURONS
    assert 777 in found.neurons
    assert (found.images, found.differing) == (24, ((found.neurons.index(777), 0),))
    late = other.copy()
    late[30, 0, 5] = 1  # an image that is not shown
    assert raster_of("x", own, late).differing == found.differing


def test_confusion_and_images_that_differ() -> None:
    predictions, labels = np.array([0, 1, 1, 2]), np.array([0, 0, 1, 2])
    found = answers_of(predictions, 3, labels, np.array([0, 0, 1, 1]))
    assert (found.accuracy, found.original_accuracy, found.agreement) == (0.75, 0.75, 0.5)
    assert found.confusion == ((0, 0, 1), (0, 1, 1), (1, 1, 1), (2, 2, 1))
    assert found.differing == (Answer(1, 1, 0, 0), Answer(3, 2, 1, 2))
    alone = answers_of(predictions, 3)
    assert (alone.rows, alone.confusion, alone.accuracy, alone.agreement) == ("", (), None, None)
    against = answers_of(predictions, 3, None, np.array([0, 0, 1, 1]))
    assert against.rows == "original"
    assert against.confusion == ((0, 0, 1), (0, 1, 1), (1, 1, 1), (1, 2, 1))


def flipped(program: Program, name: str, at: tuple[int, ...], images: np.ndarray) -> Recording:
    """A recording of the program in which one spike is another."""
    digest = program_digest(program)
    execute = executor_of(program.graph, "interpreter")
    _, found = run_recorded(program.graph, images, execute, ALL, digest)
    found.spikes[name][at] ^= 1
    return found


def test_flips_and_the_first_difference() -> None:
    program = Program(chain([f"l{i}" for i in range(5)]), {})
    images = pixels(6)
    recording = flipped(program, "l2", (4, 1, 3), images)
    other = Other("a recording", recording, program.graph)
    facts = gather(program, Given(images=images, other=lambda _: other))
    found = facts.difference
    assert found is not None
    assert {each.name: each.share for each in found.layers} == {
        **dict.fromkeys(("l0", "l1", "l3", "l4"), 0.0),
        "l2": 1 / (6 * 3 * 6),
    }
    assert found.first is not None
    assert found.first.layer == "l2"
    assert found.first.where == "l2, image 4, step 1, neuron f 3: spike"
    assert len(found.first.trace.own) == 3
    assert found.first.trace.levels == (60, 60)
    (raster,) = (each for each in facts.rasters if each.name == "l2")
    assert raster.differing == ((3, 4 * 3 + 1),)
    assert [each.name for each in facts.rasters] == ["l0", "l2", "l4"]


def test_a_program_beside_itself_is_equal() -> None:
    program = Program(chain(["a", "b"]), {})
    given = Given(images=pixels(5), other=running("itself", program), layers=("b",))
    facts = gather(program, given)
    assert facts.difference is not None
    assert facts.difference.first is None
    assert facts.difference.answers == 0
    assert [each.name for each in facts.rasters] == ["b"]


def test_detail_is_less_than_all_images() -> None:
    program = Program(chain(["a", "b"]), {})
    facts = gather(program, Given(images=pixels(9), detail=4))
    assert (facts.images, facts.detail) == (9, 4)
    assert facts.watched[0].membranes == 4 * 3 * 6


def test_a_layer_that_there_is_not_is_refused() -> None:
    with pytest.raises(SnnccError, match="no population is called 'lx'") as caught:
        gather(Program(chain(["l0"]), {}), Given(images=pixels(1), layers=("lx",)))
    assert caught.value.findings[0].code == "SNN001"


def test_the_executors_rates_are_the_reports() -> None:
    program = deep(9)
    facts = gather(program, Given(images=pixels(5)))
    run = executor_of(program.graph, "interpreter")(pixels(5), ())
    assert dict(facts.rates) == {n: c / (5 * 3 * 6) for n, c in run.spike_counts.items()}


def test_without_images_there_is_the_program_alone() -> None:
    facts = gather(Program(small((0, 255)), {}), Given())
    assert (facts.rates, facts.watched, facts.work, facts.rasters) == ((), (), (), ())
    assert facts.answers is None
    assert facts.difference is None
    assert facts.widths
    assert any("--calibrate" in line for line in facts.not_judged)


NO_SHARES = (10**400, -1, float("nan"), float("inf"), "0.5")
ODD: list[dict] = [
    {"folds": 7, "fidelity": [], "layer_bits": "x", "weight_bits": "8"},
    {"folds": [1, {"pass": 1}], "fidelity": {"populations": [{"name": "a"}, 3]}},
    {"fidelity": {"populations": {"name": "a"}}, "weight_bits": 10**9, "layer_bits": {"a": []}},
    *(
        {"fidelity": {"populations": [{"name": "spikes", "rate": n, "flips": 0, "near": 0}]}}
        for n in NO_SHARES
    ),
]


@pytest.mark.parametrize("report", ODD)
def test_what_a_file_says_in_another_form_is_left_out(report: dict) -> None:
    assert folds_of(report) == ()
    assert fidelity_of(report)[1] == {}
    assert weight_bits_of(report, "a") is None
    gather(Program(small((0, 255)), report), Given())


def test_folds_stand_at_the_nodes_of_their_modules() -> None:
    nodes = {node.name: node for node in gather(hostile(), Given()).nodes}
    assert any("not here" in fold for node in nodes.values() for fold in node.folds)


def test_nothing_of_a_drawing_lies_on_something_else() -> None:
    graph = deep(30).graph
    found = layout([n.name for n in graph.nodes], {n.name: n.inputs for n in graph.nodes})
    assert len(set(found.centres.values())) == len(graph.nodes)
    for arrow in found.arrows:
        heights = [y for _, y in arrow.points]
        assert heights == sorted(heights), "arrows go down"
        assert heights[0] == found.centres[arrow.source][1] + HEIGHT / 2
        assert heights[-1] == found.centres[arrow.target][1] - HEIGHT / 2
    assert len(found.arrows) == sum(len(set(n.inputs)) for n in graph.nodes)


@pytest.mark.parametrize(
    ("shape", "axes", "picture"),
    [
        ((1, 4, 4), ("c", "h", "w"), True),
        ((4, 4, 3), ("h", "w", "c"), True),
        ((2, 4, 4), ("c", "h", "w"), True),
        ((5, 2, 4, 4), ("t", "c", "h", "w"), True),
        ((200, 300), ("h", "w"), True),
        ((7,), ("f",), False),
    ],
)
def test_images_become_small_pictures(
    shape: tuple[int, ...], axes: tuple[str, ...], picture: bool
) -> None:
    image = np.arange(np.prod(shape)).astype(np.uint8).reshape(shape)
    found = thumbnail(3, image, axes)
    assert (found is not None) == picture
    assert found is None or (found.image == 3 and found.png.startswith("iVBOR"))


def test_a_record_is_json(facts: Facts, tmp_path: Path) -> None:
    import json

    record = json.loads(json.dumps(facts.record()))
    assert record["watched"][0]["spikes"] == 5
    assert "thumbnails" not in record


def test_an_op_that_has_no_count_leaves_the_rest_standing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: object) -> None:
        raise SnnccError("SNN040", "the count has no form for any_of")

    monkeypatch.setattr("snncc.report.work.count_operations", refused)
    facts = gather(Program(small((0, 255)), {}), Given(images=IMAGES))
    assert facts.work == ()
    assert "operations: the count has no form for any_of" in facts.not_judged
    assert dict(facts.rates) == {"spikes": 5 / 8}
    assert "Nobody can say here" in work(facts).lines[0]


def test_answers_with_several_axes_are_no_classes() -> None:
    rng = np.random.default_rng(0)
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("f",), (3,)), (), (), "image")
    weight = b.constant("w", rng.integers(-9, 9, (4, 2, 3)).astype(np.int8), ("k", "j", "f"))
    answer = b.add(Contract(weight, ("f",), ("k", "j")), [image], (), "answer")
    graph = b.finish(b.add(IntegerReadout(), [answer], (), "readout"))
    facts = gather(Program(graph, {}), Given(images=IMAGES))
    assert facts.answers is None
    assert any("several axes" in line for line in facts.not_judged)
    assert "Nobody can say here" in answers(facts).lines[0]


def test_what_leads_back_is_drawn_back() -> None:
    """A delay stands where what it feeds is, and what it reads of a later node goes up to it."""
    inputs = {"image": [], "past": ["fires"], "fires": ["image", "past"]}
    found = layout([*inputs], inputs)
    assert found.centres["fires"][1] > found.centres["past"][1] == found.centres["image"][1]
    (back,) = (arrow for arrow in found.arrows if arrow.target == "past")
    assert back.source == "fires"
    assert back.points[0][1] > back.points[-1][1]
