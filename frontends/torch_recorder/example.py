"""The input with which a model is recorded, and what its dimensions are."""

from dataclasses import dataclass

import torch

from snncc.frontends.torch_recorder.axis_solver import AxisSolver, Dim
from snncc.frontends.torch_recorder.steps import BATCH
from snncc.ir import TIME

EXAMPLE_BATCH = 2
EXAMPLE = 0
"""Seed."""


@dataclass(frozen=True)
class Example:
    """An input.

    Attributes:
        tensor: [T, B, *axes] for a sequence, where all steps are one image; else [B, *axes].
        dims: of the tensor.
        solver: which dimension is which.
        time, batch: their atoms.
    """

    tensor: torch.Tensor
    dims: tuple[Dim, ...]
    solver: AxisSolver
    time: int
    batch: int


def example_of(input_shape: tuple[int, ...], steps: int, *, sequence: bool) -> Example:
    """An input of random numbers.

    Args:
        input_shape: of one image.
        steps: T.
        sequence: whether the model takes all steps at once.
    """
    solver = AxisSolver()
    time, batch = solver.atom(TIME, steps), solver.atom(BATCH, EXAMPLE_BATCH)
    axes = tuple(
        solver.atom(stem, size) for stem, size in zip(_stems(input_shape), input_shape, strict=True)
    )
    lead: tuple[int, ...] = (time, batch) if sequence else (batch,)
    dims: tuple[Dim, ...] = tuple((a,) for a in (*lead, *axes))
    generator = torch.Generator().manual_seed(EXAMPLE)
    image = torch.randn(EXAMPLE_BATCH, *input_shape, dtype=torch.float64, generator=generator)
    return Example(torch.stack([image] * steps) if sequence else image, dims, solver, time, batch)


def _stems(shape: tuple[int, ...]) -> tuple[str, ...]:
    named = {1: ("f",), 2: ("n", "f"), 3: ("c", "h", "w")}
    return named.get(len(shape), tuple(f"i{i}_" for i in range(len(shape))))
