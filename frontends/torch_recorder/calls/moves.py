"""Torch functions that take elements along axes, found by what they do to numbered elements.

Slices, chunks, rolls, flips, paddings, repeats and the like need no rule each: the function runs
once more on a tensor that holds the number of every element, and what comes out says which element
went where. Along each axis this is an index, or the function is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from snncc.frontends.torch_recorder.axis_solver import AxisError, Dim
from snncc.frontends.torch_recorder.calls.call import Call, Plan, like
from snncc.frontends.torch_recorder.calls.time_windows import SOME, SOME_HELP, steps_taken
from snncc.frontends.torch_recorder.steps import Build, Naming, Value
from snncc.ir import Op
from snncc.ir.dialects.moves import Take, runs_of

Index = NDArray[np.int64]
MOST_ELEMENTS = 1 << 24
"""Of a tensor of the example run: numbers are exact in float64 far beyond, memory is not there."""
ACROSS = AxisError(
    "it moves elements across several axes at once",
    "move along one axis after the other; a fixed order of channels can be given to the weights",
)


@dataclass(frozen=True)
class Moved:
    """Where the elements of a result come from.

    Attributes:
        origin: for every dimension of the result that of the source, or None where it is new.
        index: for every dimension of the source that is kept, which element is taken; -1 for 0.
        chosen: for every dimension of the source that is gone, the one element that is taken.
    """

    origin: tuple[int | None, ...]
    index: dict[int, Index]
    chosen: dict[int, int]


def moved(call: Call) -> Plan:
    """The elements that a function takes, one axis after the other."""
    x = call.source()
    lengths = tuple(call.solver.length(call.solver.roots(dim)) for dim in x.dims)
    found = _moves(call, lengths)
    wanted = {at: i for at, i in found.index.items() if not np.array_equal(i, range(lengths[at]))}
    wanted |= {at: np.array([e]) for at, e in found.chosen.items() if lengths[at] != 1}
    if len(wanted) == 1 and call.time_atom in call.solver.roots(x.dims[next(iter(wanted))]):
        ((at, index),) = wanted.items()
        return steps_taken(call, x, at, index, gone=at in found.chosen)
    _refuse_steps(call, [*wanted])
    new: dict[int, Dim] = {}
    along: list[tuple[Dim, Dim, Sequence[int]]] = []
    for at, index in wanted.items():
        parts = _by_atom(call, x.dims[at], index)
        new[at] = tuple(atom for _, after, _ in parts for atom in after)
        along += [part for part in parts if part[0] != part[1]]
    dims = _dims(call, found, new)
    return like(x, dims, _build(along) if along else None)


def _by_atom(call: Call, dim: Dim, index: Index) -> list[tuple[Dim, Dim, Sequence[int]]]:
    """What is taken of each axis of a dimension, where that is an index of each by itself.

    Of an axis that stays whole before and after are the same. One index over all of them stands
    for axes that cannot be told apart here: naming them says so.
    """
    solver = call.solver
    roots = solver.roots(dim)
    sizes = [solver.size(atom) for atom in roots]
    found = [np.unique(each) for each in np.unravel_index(np.maximum(index, 0), sizes or [1])]
    grid = np.ravel_multi_index(np.meshgrid(*found, indexing="ij"), sizes or [1]).reshape(-1)
    if len(roots) < 2 or not np.array_equal(grid, index):
        return [(dim, (solver.atom("s", len(index)),), index.tolist())]
    parts: list[tuple[Dim, Dim, Sequence[int]]] = []
    for atom, size, own in zip(roots, sizes, found, strict=True):
        after = atom if len(own) == size else solver.atom("s", len(own))
        parts.append(((atom,), (after,), own.tolist()))
    return parts


def taken(call: Call, x: Value, indices: Sequence[tuple[int, Sequence[int]]]) -> Plan:
    """Elements of a value by an index along some of its dimensions, -1 for a zero."""
    dims, along = list(x.dims), list[tuple[Dim, Dim, Sequence[int]]]()
    for at, index in indices:
        if list(index) != list(range(call.solver.length(call.solver.roots(x.dims[at])))):
            dims[at] = (call.solver.atom("s", len(index)),)
            along.append((x.dims[at], dims[at], index))
    return like(x, tuple(dims), _build(along) if along else None)


def _build(along: Sequence[tuple[Dim, Dim, Sequence[int]]]) -> Build:
    def build(n: Naming) -> Op:
        axes = tuple(n.single(before) for before, _, _ in along)
        out = tuple(n.single(after) for _, after, _ in along)
        return Take(axes, out, tuple(runs_of(index) for _, _, index in along))

    return build


def _dims(call: Call, found: Moved, new: dict[int, Dim]) -> tuple[Dim, ...]:
    """Dimensions of the result; what is gone but for one element stays beside a neighbour."""
    x = call.source()
    dims = [() if at is None else new.get(at, x.dims[at]) for at in found.origin]
    for at in sorted(found.chosen):
        left = new.get(at, x.dims[at])
        if not call.solver.roots(left):
            continue
        later = [i for i, o in enumerate(found.origin) if o is not None and o > at]
        if later:
            dims[later[0]] = (*left, *dims[later[0]])
        elif dims:
            dims[-1] = (*dims[-1], *left)
    return tuple(dims)


def _refuse_steps(call: Call, places: Sequence[int]) -> None:
    for at in places:
        roots = set(call.solver.roots(call.source().dims[at]))
        if call.time_atom in roots:
            raise AxisError(SOME, SOME_HELP)
        if call.batch_atom in roots:
            raise AxisError("it takes some of the images, or moves them", "treat all images alike")


def _moves(call: Call, lengths: tuple[int, ...]) -> Moved:
    count = int(np.prod(lengths, dtype=np.int64))
    if count > MOST_ELEMENTS:
        raise AxisError(f"it moves {count:,} elements in the example run", "give smaller images")
    numbered = torch.arange(1, count + 1, dtype=torch.float64).reshape(lengths)
    first, second = (np.asarray(call.replay(n), np.float64) for n in (numbered, numbered + count))
    fixed = first == second
    if (first[fixed] != 0.0).any():
        value = float(first[fixed][first[fixed] != 0.0][0])
        raise AxisError(f"it puts {value:g} beside the elements", "only zeros come from nowhere")
    whole = first[~fixed]
    exact = (second[~fixed] - whole == count) & (whole == np.floor(whole))
    if not exact.all() or (whole < 1).any() or (whole > count).any():
        raise AxisError("it changes elements, not only their places", "")
    places = np.where(fixed, -1, first - 1).astype(np.int64)
    return _by_axis(places, lengths)


def _by_axis(places: Index, lengths: tuple[int, ...]) -> Moved:
    """One index an axis, of a map of elements. Raises AxisError where there is none."""
    zero = places < 0
    if zero.all():
        raise AxisError("nothing of the value is left", "leave it out")
    known = np.unravel_index(np.where(zero, 0, places), lengths)
    inside = [np.flatnonzero(~_all_but(zero, axis)) for axis in range(places.ndim)]
    block = np.ix_(*inside) if places.ndim else ()
    if zero[block].any():
        raise ACROSS
    links: dict[int, int] = {}
    index: dict[int, Index] = {}
    chosen: dict[int, int] = {}
    for at, coordinate in enumerate(known):
        part = coordinate[block]
        along = [i for i in range(part.ndim) if (part != part.take([0], axis=i)).any()]
        if len(along) > 1:
            raise ACROSS
        if along:
            axis = along[0]
            if axis in links:
                raise ACROSS
            links[axis] = at
            row = np.full(places.shape[axis], -1, np.int64)
            row[inside[axis]] = np.moveaxis(part, axis, 0).reshape(len(inside[axis]), -1)[:, 0]
            index[at] = row
        else:
            chosen[at] = int(part.reshape(-1)[0])
    _link_the_rest(places, inside, lengths, links, index, chosen)
    origin = tuple(links.get(axis) for axis in range(places.ndim))
    kept = [at for at in origin if at is not None]
    if kept != sorted(kept):
        raise ACROSS
    return Moved(origin, index, chosen)


def _link_the_rest(
    places: Index,
    inside: list[Index],
    lengths: tuple[int, ...],
    links: dict[int, int],
    index: dict[int, Index],
    chosen: dict[int, int],
) -> None:
    """Dimensions of which one element is taken: kept where the result has a place for them."""
    same_rank = places.ndim == len(lengths)
    for axis in range(places.ndim):
        if axis in links:
            continue
        if same_rank and axis in chosen:
            row = np.full(places.shape[axis], -1, np.int64)
            row[inside[axis]] = chosen.pop(axis)
            index[axis], links[axis] = row, axis
        elif places.shape[axis] != 1:
            raise AxisError(
                "it repeats a value along an axis that it has not",
                "give the layer that reads it weights that are added up",
            )


def _all_but(zero: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """Whether everything is zero at each place of an axis."""
    others = tuple(i for i in range(zero.ndim) if i != axis)
    return np.asarray(zero.all(axis=others), np.bool_)
