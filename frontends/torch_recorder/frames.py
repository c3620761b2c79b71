"""Models that get a frame of their own at every step, held against the model on such frames."""

import numpy as np
from torch import nn

from snncc.diagnostics import SnnccError
from snncc.frontends.torch_recorder.neurons.state import Starts
from snncc.frontends.torch_recorder.precision import in_double
from snncc.frontends.torch_recorder.replay import replay
from snncc.ir import TIME, Graph
from snncc.ir.dialects.traced import Input
from snncc.ir.op import TypeRuleError
from snncc.passes.give_each_step_a_frame import give_each_step_a_frame

SIZES = (1.0, 4.0, 16.0, 64.0)
"""Of the frames, both signs: in large ones neurons fire and reset."""


def with_frames(
    model: nn.Module, graph: Graph, input_shape: tuple[int, ...], starts: Starts, seed: int
) -> Graph:
    """The traced graph with a frame for every step in place of one image.

    Args:
        model: in float64; takes [T, B, *input_shape], or [B, *input_shape] once for every step.
        graph: recorded with one image at all steps.
        input_shape: of one frame.
        starts: of its neuron modules.
        seed: of the frames.

    Raises:
        SnnccError: SNN001 where the model looks at one image, or SNN027 where it is another on
            frames that differ; of `replay`.
    """
    (entry, *_) = graph.select(Input)
    sequence = TIME in entry.type.names
    try:
        framed = give_each_step_a_frame(graph)
    except TypeRuleError as error:
        raise _one_image(str(error)) from error
    shape = (len(SIZES), graph.steps, *input_shape)
    sizes = np.reshape(SIZES, (-1, *[1] * (len(shape) - 1)))
    frames = np.random.default_rng(seed).standard_normal(shape) * sizes
    try:
        with in_double(), np.errstate(all="ignore"):
            replay(model, framed, input_shape, sequence, seed, starts, frames)
    except SnnccError as error:
        if sequence or error.code not in ("SNN027", "SNN028"):
            raise
        raise _one_image(error.findings[0].message) from error
    return framed


def _one_image(reason: str) -> SnnccError:
    return SnnccError(
        "SNN001",
        "--frames, but the model looks at one image in all steps",
        why=f"it is not a model that is called with the frame of each step: {reason}",
        help="give a model that takes [T, B, ...], or one that keeps its states and takes the "
        "frame of one step; or leave --frames out",
    )
