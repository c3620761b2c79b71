"""What the recorder notes: values with their dimensions, and steps that later become nodes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from snncc.frontends.torch_recorder.axis_solver import AxisError, AxisSolver, Dim, NotOneAxis
from snncc.ir import TIME, Array, GraphBuilder, Loc, Op, Param

BATCH = "b"


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor that depends on the input.

    Attributes:
        step: name of the step that made its elements; several tensors may view one step.
        dims: what each of the tensor's dimensions is.
    """

    step: str
    dims: tuple[Dim, ...]


@dataclass(frozen=True)
class Naming:
    """Resolves dimensions to named axes once the whole run is known, and stores constants."""

    solver: AxisSolver
    names: dict[int, str]
    builder: GraphBuilder
    stem: str

    def axes(self, *dims: Dim) -> tuple[str, ...]:
        """Names of the axes of some dimensions, without the batch."""
        found = (self.names[a] for dim in dims for a in self.solver.roots(dim))
        return tuple(n for n in found if n != BATCH)

    def shape(self, *dims: Dim) -> tuple[int, ...]:
        roots = (a for dim in dims for a in self.solver.roots(dim))
        return tuple(self.solver.size(a) for a in roots if self.names[a] != BATCH)

    def single(self, dim: Dim) -> str:
        """The name of a dimension that must be one axis. Raises NotOneAxis."""
        axes = self.axes(dim)
        if len(axes) != 1:
            raise NotOneAxis(f"a dimension made of {axes or 'nothing'} stands where one axis must")
        return axes[0]

    def param(self, what: str, tensor: torch.Tensor, *dims: Dim) -> Param:
        """Stores a tensor over some dimensions, as float64.

        Raises:
            AxisError: it differs from image to image.
        """
        roots = [a for dim in dims for a in self.solver.roots(dim)]
        array = to_array(tensor).reshape([self.solver.size(a) for a in roots])
        for at in reversed([i for i, a in enumerate(roots) if self.names[a] == BATCH]):
            if not (array == array.take([0], axis=at)).all():
                raise AxisError(
                    "a constant differs from image to image",
                    "give it length 1 along the batch: a program treats all images alike",
                )
            array = array.take(0, axis=at)
        return self.builder.constant(f"{self.stem}.{what}", array, self.axes(*dims))

    def raw(self, what: str, tensor: torch.Tensor, axes: Sequence[str]) -> Param:
        return self.builder.constant(f"{self.stem}.{what}", to_array(tensor), axes)

    def ordered(self, dims: Sequence[Dim], time: bool) -> tuple[str, ...]:
        """All axes of a tensor in order; a time axis that the tensor does not show leads."""
        axes = self.axes(*dims)
        return (TIME, *axes) if time and TIME not in axes else axes


Build = Callable[[Naming], Op]


@dataclass(frozen=True)
class Step:
    """A call that becomes a node.

    Attributes:
        name: of the node.
        inputs: names of the steps it reads.
        dims: of the tensor it made.
        build: gives the op once axes have names.
        loc: the place in the user's model.
    """

    name: str
    inputs: tuple[str, ...]
    dims: tuple[Dim, ...]
    build: Build
    loc: Loc


def to_array(tensor: torch.Tensor) -> Array:
    array: Any = tensor.detach().to(torch.float64).cpu().numpy()
    return np.array(array, np.float64)
