"""Models that take a frame of its own for every step: `--layout frames`."""

from typing import Any

import loop_networks as nets
import numpy as np
import pytest
import recurrent_networks as recurrent
import torch
from exact_models import on_grid
from loop_networks import FEATURES, STEPS, Body, Looped
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

import snncc
from snncc.diagnostics import SnnccError
from snncc.frontends.torch_recorder import trace_model
from snncc.frontends.torch_recorder.precision import in_double

BODIES: tuple[Body, ...] = (nets.over_frames, nets.stbp, recurrent.own_spikes)
EXACT: dict[str, Any] = {"layout": "frames", "normalize": (0.0, 1.0 / 255.0), "weight_bits": 8}
"""Pixels are what the network computes with."""


def same_answers(net: nn.Module, shape: tuple[int, ...], largest: int) -> None:
    """Batches, the interpreter and streams give torch's answers, which hang on the frames' order.

    Args:
        net: takes [T, B, *shape]; its weights are on the grid of 8 bits.
        shape: of one frame.
        largest: number that enters.
    """
    program = snncc.compile(net, input_shape=(STEPS, *shape), steps=STEPS, **EXACT)
    assert program.input_shape == (STEPS, *shape)
    rng = np.random.default_rng(2)
    frames = rng.integers(0, largest + 1, (40, STEPS, *shape)).astype(np.uint8)
    frames *= rng.random(frames.shape) < 0.5
    with in_double(), torch.no_grad():
        answer = net(torch.from_numpy(frames.astype(np.float64)).transpose(0, 1)).numpy()
    functional.reset_net(net)
    wanted = answer.mean(0) if answer.ndim == 3 else answer
    found = program.run(frames)
    np.testing.assert_allclose(found.logits, wanted, rtol=0, atol=1e-9)
    late = program.run(np.ascontiguousarray(frames[:, ::-1]))
    assert (late.logits != found.logits).any()
    slow = program.run(frames[:8], executor="interpreter")
    assert np.array_equal(slow.readout, found.readout[:8])
    name = program.populations[0]
    answers = list(program.stream(frames[3], record=(name,)))
    assert np.array_equal(answers[-1].readout, found.readout[3])
    stepwise = np.stack([each.spikes[name] for each in answers])
    assert np.array_equal(stepwise, np.asarray(found.spikes[name].values[3]))


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_loops_over_frames_answer_as_torch(body: Body) -> None:
    same_answers(Looped(body), (FEATURES,), 3)


def test_a_multi_step_network_reads_frames_of_events() -> None:
    """A convolution of frames of two polarities; T is also a number of channels."""
    parts = (
        layer.Conv2d(2, STEPS, 3, padding=1),
        neuron.LIFNode(tau=2.0, v_threshold=0.5, decay_input=False),
        layer.MaxPool2d(2),
        layer.Flatten(),
        layer.Linear(4 * STEPS, 3),
    )
    same_answers(on_grid(nn.Sequential(*parts)), (2, 4, 4), 1)


@pytest.mark.parametrize("shape", [(FEATURES,), (STEPS,), (STEPS + 1, FEATURES)])
def test_a_sample_begins_with_its_steps(shape: tuple[int, ...]) -> None:
    with pytest.raises(SnnccError, match="SNN001") as caught:
        snncc.compile(Looped(nets.over_frames), input_shape=shape, steps=STEPS, **EXACT)
    assert "begins with T" in (caught.value.findings[0].why or "")


def test_frames_without_their_layout_are_told_of_it() -> None:
    """What is found of a model that sees frames as images is not why it is refused."""
    net, shape = Looped(recurrent.own_spikes), (STEPS, FEATURES)
    try:
        findings = trace_model(net, shape, STEPS).findings
    except SnnccError as error:
        findings = error.findings
    assert "--layout frames" in (findings[0].help or "")
    assert trace_model(net, shape, STEPS, "frames").findings == ()


def test_a_stream_takes_one_sample() -> None:
    net = Looped(nets.over_frames)
    program = snncc.compile(net, input_shape=(STEPS, FEATURES), steps=STEPS, **EXACT)
    with pytest.raises(SnnccError, match="SNN001"):
        program.stream("frames.npy")
    with pytest.raises(SnnccError, match="SNN016"):
        program.stream(np.zeros((1, STEPS, FEATURES), np.uint8))
    with pytest.raises(SnnccError, match="SNN001"):
        program.stream(np.zeros((STEPS, FEATURES), np.uint8), record=["no such layer"])
