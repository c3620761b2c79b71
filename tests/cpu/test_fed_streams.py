"""Streams whose frames come one by one give the bits of a run that has them all."""

from pathlib import Path

import numpy as np
import pytest
from looped_programs import looped

import snncc
from snncc.artifact import Program, save_program
from snncc.backends.cpu.streams.state import load_state, save_state
from snncc.diagnostics import SnnccError
from snncc.execution import ALL
from snncc.runtime.interpreter import interpret
from snncc.runtime.simulator import Simulator

DOMAINS = [(0, 1), (0, 255), (-3, 7), (-128, 127)]


def drawn(seed: int) -> tuple[snncc.Program, np.ndarray]:
    """A program with loops and the image [f, t] of a sample."""
    low, high = DOMAINS[seed % len(DOMAINS)]
    graph = looped(seed, domain=(low, high))
    kind = np.uint8 if low == 0 else np.int8
    image = np.random.default_rng(seed).integers(low, high + 1, (3, graph.steps)).astype(kind)
    return snncc.Program(Program(graph, {})), image


@pytest.mark.parametrize("seed", range(8))
def test_frames_that_come_one_by_one_give_the_bits_of_the_whole(seed: int, tmp_path: Path) -> None:
    program, image = drawn(seed)
    whole = interpret(program.graph, image[None], ALL)
    stream = Simulator(program.graph, 1 + seed % 2).stream(record=ALL)
    stop = seed % program.steps
    for t in range(program.steps):
        if t == stop:
            save_state(tmp_path / "state.npz", stream.state())
            state = load_state(tmp_path / "state.npz")
            assert state.fed
            stream = Simulator(program.graph, 1).resume(state, ALL)
        answer = stream.step(image[:, t])
        for name, spikes in answer.spikes.items():
            at = program.graph[name].type.names.index("t")
            assert np.array_equal(spikes, whole.spikes[name][0].take(t, axis=at)), (name, t)
            assert np.array_equal(answer.membranes[name], whole.membranes[name][0].take(t, axis=at))
    assert np.array_equal(answer.readout, whole.readout[0])
    assert stream.finished


def test_a_kept_state_is_not_changed_by_later_frames() -> None:
    program, image = drawn(1)
    stream = program.stream()
    stream.step(image[:, 0])
    kept = stream.state()
    before = kept.image.copy()
    stream.step(image[:, 1])
    assert np.array_equal(kept.image, before)
    assert np.array_equal(program.stream(image).step().readout, kept.readout + _offset(program))


def _offset(program: snncc.Program) -> np.ndarray:
    return program.stream()._offset


def refusal(action: object) -> SnnccError:
    assert callable(action)
    with pytest.raises(SnnccError) as caught:
        action()
    return caught.value


def test_frames_that_do_not_fit_are_refused_and_the_stream_goes_on() -> None:
    program, image = drawn(2)
    fed, whole = program.stream(), program.stream(image)
    frame = image[:, 0]
    outside = frame.copy()
    outside[1] = 8
    for wrong, code, word in (
        (None, "SNN001", "no frame"),
        (frame[:2], "SNN016", r"not int8 [2]"),
        (frame.astype(np.int64), "SNN016", "not int64"),
        (frame / 2, "SNN016", "not float64"),
        ([[1], [2, 3]], "SNN016", "ValueError"),
        ([1, 2, 300], "SNN016", "not int64"),
        (outside, "SNN016", "holds 8"),
    ):
        error = refusal(lambda given=wrong: fed.step(given))
        assert error.code == code
        assert word in str(error)
    assert refusal(lambda: whole.step(frame)).code == "SNN001"
    for t in range(program.steps):
        given = image[:, t].tolist() if t % 2 else image[:, t]
        assert np.array_equal(fed.step(given).readout, whole.step().readout)
    assert "computed" in str(refusal(lambda: fed.step(frame)))


def test_a_program_of_still_images_takes_no_frames(tmp_path: Path) -> None:
    still = snncc.Program(Program(looped(0), {}))
    assert "one image at every step" in str(refusal(still.stream))
    assert refusal(lambda: still.stream(np.zeros(3, np.uint8), threads=0)).code == "SNN001"
    stream = still.stream([1, 2, 3], record=still.populations[:1])
    assert set(stream.step().spikes) == {still.populations[0]}
    save_program(tmp_path / "p.snncc", Program(still.graph, {}))
    again = snncc.load(tmp_path / "p.snncc").stream(np.array([1, 2, 3], np.uint8))
    last = [answer.readout for answer in again][-1]
    assert np.array_equal(last, still.run([[1, 2, 3]]).readout[0])
