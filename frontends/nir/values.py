"""Values of a network on their way to a traced graph: dimensions first, names when all are known.

Two values that meet in a node have the same axes: a solver brings them together, and only then do
axes get names.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncc.frontends.nir.records import Real
from snncc.frontends.torch_recorder.axis_solver import AxisError, AxisSolver, Dim
from snncc.ir import GraphBuilder, Loc, Op, Param


@dataclass(frozen=True)
class Value:
    """What a node gives.

    Attributes:
        step: name of the step that makes it.
        dims: its dimensions; one may consist of several axes after a Flatten.
    """

    step: str
    dims: tuple[Dim, ...]


@dataclass(frozen=True)
class Naming:
    """Axes by name, and constants over them."""

    solver: AxisSolver
    names: dict[int, str]
    builder: GraphBuilder
    stem: str

    def axes(self, *dims: Dim) -> tuple[str, ...]:
        """Names of the axes that dimensions consist of."""
        return tuple(self.names[atom] for dim in dims for atom in self.solver.roots(dim))

    def shape(self, *dims: Dim) -> tuple[int, ...]:
        """Their lengths."""
        return tuple(self.solver.size(atom) for dim in dims for atom in self.solver.roots(dim))

    def single(self, dim: Dim) -> str:
        """The name of a dimension that must be one axis. Raises AxisError."""
        axes = self.axes(dim)
        if len(axes) != 1:
            raise AxisError(f"a dimension made of {axes or 'nothing'} stands where one axis must")
        return axes[0]

    def param(self, what: str, array: NDArray[Any], *dims: Dim) -> Param:
        """Stores an array over dimensions; axes along which it is the same are left out."""
        return self.raw(what, array.reshape(self.shape(*dims)), self.axes(*dims))

    def compact(self, what: str, array: NDArray[Any], *dims: Dim) -> Param:
        """The same without the axes along which it is the same everywhere."""
        full = np.broadcast_to(array.reshape(self.shape(*dims)), self.shape(*dims))
        axes = list(self.axes(*dims))
        for at in reversed(range(len(axes))):
            first = np.take(full, [0], axis=at)
            if (full == first).all():
                full = np.take(full, 0, axis=at)
                del axes[at]
        return self.raw(what, full, tuple(axes))

    def raw(self, what: str, array: NDArray[Any], axes: tuple[str, ...]) -> Param:
        """Stores an array over axes by name."""
        real: Real = np.asarray(array, np.float64)
        return self.builder.constant(f"{self.stem}.{what}", real, axes)


Build = Callable[[Naming], Op]


@dataclass(frozen=True)
class Step:
    """What becomes a node.

    Attributes:
        name: of the node; also the stem of its constants.
        inputs: names of the steps it reads.
        build: gives the op once axes have names.
        loc: where it is in the file.
        closes: whether it is a delay that closes a loop: it reads a step that comes after it.
    """

    name: str
    inputs: tuple[str, ...]
    build: Build
    loc: Loc
    closes: bool = False


@dataclass
class Steps:
    """What was put down so far.

    Attributes:
        solver: of the axes.
        all: in order.
        names: of all.
        pictures: of those that are the image itself, or its elements times constants.
    """

    solver: AxisSolver = field(default_factory=AxisSolver)
    all: list[Step] = field(default_factory=list[Step])
    names: set[str] = field(default_factory=set[str])
    pictures: set[str] = field(default_factory=set[str])

    def add(
        self,
        name: str,
        inputs: tuple[Value, ...],
        dims: tuple[Dim, ...],
        build: Build,
        loc: Loc,
        *,
        closes: bool = False,
    ) -> Value:
        """Puts down a step; a name that is taken gets a number."""
        fresh, number = name, 2
        while fresh in self.names:
            fresh, number = f"{name}_{number}", number + 1
        self.names.add(fresh)
        self.all.append(Step(fresh, tuple(value.step for value in inputs), build, loc, closes))
        return Value(fresh, dims)

    def ordered(self, promised: Mapping[str, str]) -> list[Step]:
        """All steps, each after what it reads; delays that close loops read what comes later.

        Args:
            promised: the steps by names that stand for them in inputs, where they came later;
                other names that no step has are left out.
        """
        steps = {
            step.name: replace(
                step,
                inputs=tuple(
                    promised.get(name, name)
                    for name in step.inputs
                    if name in promised or name in self.names
                ),
            )
            for step in self.all
        }
        reads = {name: () if s.closes else s.inputs for name, s in steps.items()}
        return [steps[name] for name in TopologicalSorter(reads).static_order()]

    def atom(self, stem: str, size: int) -> Dim:
        """A dimension of one new axis."""
        return (self.solver.atom(stem, size),)

    def shape(self, value: Value) -> tuple[int, ...]:
        """Lengths of a value's dimensions, as NIR counts them."""
        return tuple(self.solver.length(self.solver.roots(dim)) for dim in value.dims)
