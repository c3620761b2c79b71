"""Some of the time steps of a value, and the largest of all: what a readout may take.

A slice of steps has no op of its own: it is the value with another axis in the place of time, and
the sum or the mean over that axis says which steps are added.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from snncc.frontends.torch_recorder.axis_solver import AxisError, AxisSolver, Dim
from snncc.frontends.torch_recorder.calls.call import Call, Plan, like
from snncc.frontends.torch_recorder.steps import Build, Naming, Value
from snncc.ir import TIME, Op
from snncc.ir.dialects import traced as ops
from snncc.ir.dialects.neurons import neuron
from snncc.ir.dialects.step_windows import LOWEST, RUNNING_MAXIMUM_FORM, running_maximum

SOME = "it takes some of the time steps, or moves them"
SOME_HELP = (
    "a program treats all steps alike: take the mean or the sum over time, one step, or the mean "
    "or the sum of steps that follow each other"
)


def steps_taken(call: Call, x: Value, at: int, index: NDArray[np.int64], *, gone: bool) -> Plan:
    """Steps by an index along a dimension that is time.

    Raises:
        AxisError: they are not steps that follow each other, or other axes are in the dimension.
    """
    first, stop = int(index[0]), int(index[-1]) + 1
    following = np.array_equal(index, np.arange(first, stop)) and first >= 0
    if call.solver.roots(x.dims[at]) != (call.time_atom,) or not following:
        raise AxisError(SOME, SOME_HELP)
    if gone:
        return like(x, (*x.dims[:at], *x.dims[at + 1 :]), total((), (first, stop)))
    dims = (*x.dims[:at], windowed(call.solver, first, stop), *x.dims[at + 1 :])
    return like(x, dims, None)


def windowed(solver: AxisSolver, first: int, stop: int) -> Dim:
    """A dimension of some steps."""
    atom = solver.atom("steps", stop - first)
    solver.windows[atom] = first, stop
    return (atom,)


def window_of(solver: AxisSolver, dims: Sequence[Dim]) -> tuple[int, int] | None:
    """The steps that one of some dimensions stands for."""
    found = [solver.windows[a] for d in dims for a in d if a in solver.windows]
    return found[0] if found else None


def total(rest: Sequence[Dim], window: tuple[int, ...]) -> Build:
    """How the sum over a window of steps, and over other dimensions, is built."""
    return lambda n: ops.Total((TIME, *n.axes(*rest)), window)


def reduced_window(call: Call, x: Value, gone: Sequence[int], kept: tuple[Dim, ...]) -> Plan | None:
    """The sum over a window of steps and other dimensions; None where there is no window."""
    lost = [x.dims[i] for i in gone]
    window = window_of(call.solver, lost)
    if window is None:
        return None
    rest = [d for d in lost if not set(d) & {*call.solver.windows}]
    if len(rest) != len(lost) - 1:
        raise AxisError(SOME, SOME_HELP)
    return like(x, kept, total(rest, window))


def largest_of_steps(call: Call) -> Plan:
    """`x.max(0).values`, `x.amax(0)`: the running maximum as the last step leaves it."""
    x = call.source()
    given = call.arg(1, "dim", call.kwargs.get("axis"))
    if not isinstance(given, int | tuple | list) or not call.out.is_floating_point():
        raise AxisError("")
    gone = call.dim_list(given)
    if [call.solver.roots(x.dims[i]) for i in gone] != [(call.time_atom,)]:
        raise AxisError("")
    peak = call.step(like(x, x.dims, peak_of()), ".peak")
    keep = len(call.out.shape) == len(x.dims)
    dims = tuple(() if i in gone else d for i, d in enumerate(x.dims) if keep or i not in gone)
    last = call.solver.size(call.time_atom) - 1
    return like(peak, dims, total((), (last, last + 1)))


def peak_of(start: float = LOWEST) -> Build:
    """How a running maximum is built."""

    def build(n: Naming) -> Op:
        return neuron(n.builder, n.stem, running_maximum(start), RUNNING_MAXIMUM_FORM, None)

    return build


def mean_of(count: int) -> Build:
    """How a sum becomes a mean."""

    def build(n: Naming) -> Op:
        return ops.Scale(n.param("share", torch.tensor(1.0 / count, dtype=torch.float64)))

    return build
