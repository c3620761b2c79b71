"""Frames with the time axis: every step sees its own, whoever runs the program."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frame_programs import DOMAINS, each_form, small
from random_programs import numbers_of
from test_executors import dense
from test_host_units import plans

from snncc.artifact import Program, load_program, save_program
from snncc.backends.cpu import fields as f
from snncc.backends.cpu.checking import check_plan
from snncc.backends.lava_nc.bundle_files import network_of
from snncc.checker import Rejected
from snncc.checker.inputs import frames
from snncc.checker.values import NodeRecord
from snncc.diagnostics import SnnccError
from snncc.ir import Context, TypeRuleError
from snncc.ir.dialects.projections import Frames
from snncc.ir.text import print_graph
from snncc.runtime import ALL, interpret
from snncc.runtime.counts.synaptic_operations import count_operations
from snncc.runtime.simulator import Simulator


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
    with pytest.raises(TypeRuleError, match=r"frames, and T is 2|planes alone"):
        op.infer((), Context(2, {}))


@pytest.mark.parametrize("fields", [{"shape": [3, 3]}, {"encoding": "host"}], ids=str)
def test_the_checker_holds_frames_to_the_same(fields: dict[str, Any]) -> None:
    given = {"axes": ["f", "t"], "shape": [3, 2], "encoding": "bit-planes", "domain": [0, 3]}
    value, _ = frames(NodeRecord(given, [], {}, 2))
    assert value.axes == (("f", 3), ("t", 2))
    with pytest.raises(Rejected, match="T steps"):
        frames(NodeRecord({**given, **fields}, [], {}, 2))


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
