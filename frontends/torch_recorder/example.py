"""The input with which a model is recorded, and what its dimensions are."""

from dataclasses import dataclass
from enum import Enum

import torch

from snncc.frontends.torch_recorder.axis_solver import AxisSolver, Dim
from snncc.frontends.torch_recorder.steps import BATCH
from snncc.ir import TIME

EXAMPLE_BATCH = 2
EXAMPLE = 0
"""Seed."""


class Takes(Enum):
    """What a model takes; false where it takes one step and no more."""

    FRAME = "frame"
    """[B, *axes]: an image, and the model is called once a step or repeats it inside."""
    SEQUENCE = "sequence"
    """[T, B, *axes]: all steps, which see one image."""
    FRAMES = "frames"
    """[T, B, *axes]: all steps, each of which sees a frame of its own."""

    def __bool__(self) -> bool:
        return self is not Takes.FRAME

    def sample(self, shape: tuple[int, ...], steps: int) -> tuple[int, ...]:
        """The shape of one sample, of images or frames of a shape."""
        return (steps, *shape) if self is Takes.FRAMES else shape

    def by_step(self, samples: torch.Tensor, steps: int) -> torch.Tensor:
        """[T, B, *axes] of samples [B, ...]."""
        return samples.transpose(0, 1) if self is Takes.FRAMES else torch.stack([samples] * steps)


@dataclass(frozen=True)
class Example:
    """An input.

    Attributes:
        tensor: [T, B, *axes] where the model takes all steps, see `Takes`; else [B, *axes].
        dims: of the tensor.
        solver: which dimension is which.
        time, batch: their atoms.
    """

    tensor: torch.Tensor
    dims: tuple[Dim, ...]
    solver: AxisSolver
    time: int
    batch: int


def example_of(input_shape: tuple[int, ...], steps: int, *, sequence: Takes) -> Example:
    """An input of random numbers.

    Args:
        input_shape: of one image or frame.
        steps: T.
        sequence: what the model takes.
    """
    solver = AxisSolver()
    time, batch = solver.atom(TIME, steps), solver.atom(BATCH, EXAMPLE_BATCH)
    axes = tuple(
        solver.atom(stem, size) for stem, size in zip(_stems(input_shape), input_shape, strict=True)
    )
    lead: tuple[int, ...] = (time, batch) if sequence else (batch,)
    dims: tuple[Dim, ...] = tuple((a,) for a in (*lead, *axes))
    generator = torch.Generator().manual_seed(EXAMPLE)
    shape = (EXAMPLE_BATCH, *sequence.sample(input_shape, steps))
    samples = torch.randn(shape, dtype=torch.float64, generator=generator)
    given = sequence.by_step(samples, steps) if sequence else samples
    return Example(given, dims, solver, time, batch)


def _stems(shape: tuple[int, ...]) -> tuple[str, ...]:
    named = {1: ("f",), 2: ("n", "f"), 3: ("c", "h", "w")}
    return named.get(len(shape), tuple(f"i{i}_" for i in range(len(shape))))
