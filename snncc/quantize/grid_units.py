"""Units of currents whose weights lie on a grid already: nothing of them is rounded."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from snncc.ir import Graph, Node, Param
from snncc.ir.arrays import spread
from snncc.ir.dialects.spiking import Affine, Population, Readout
from snncc.passes.measure_decays_by_step import is_exact_in_integers
from snncc.quantize.grids import (
    EXACT,
    Numbers,
    common_step,
    far_apart,
    multiples_of,
    sample,
)

Real = NDArray[np.float64]
Ids = NDArray[np.int64]
ALONE = 1 << 12
"""No bias of a neuron that reads nothing is more steps."""
FREE_BITS = 4
"""Biases and thresholds may lie on a grid so much finer; every lowering has these fraction bits."""


@dataclass(frozen=True)
class Placed:
    """Projections as the search for a grid sees them.

    Attributes:
        rows: weights of each projection, [output element, rest].
        roots: class of each row.
        largest: largest integer of a weight.
        exponent: what its grid has below the unit where weights are rounded.
    """

    rows: Mapping[str, Real]
    roots: Mapping[str, Ids]
    largest: Mapping[str, int]
    exponent: Mapping[str, int]


@dataclass
class _Class:
    """Currents of one unit.

    Attributes:
        rows: of every projection that has some.
        natural: whether nothing but the weights needs a finer grid than theirs.
        answers: whether a readout's offset is counted in it, which has no fraction bits.
        below: halvings of the step that such an offset needs.
        soft: whether a neuron subtracts its threshold.
        free: bits by which biases and thresholds may be finer; none where a readout adds an offset.
        step: what the unit is a power of two of.
        reach: by projection: powers of two that its multiples of the step have in common, and the
            largest multiple.
    """

    rows: dict[str, Real] = field(default_factory=dict[str, Real])
    biases: list[Real] = field(default_factory=list[Real])
    thresholds: list[Real] = field(default_factory=list[Real])
    natural: bool = True
    soft: bool = False
    free: int = FREE_BITS
    step: float = 0.0
    answers: bool = False
    below: int = 0
    reach: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])


def grid_units(
    graph: Graph, placed: Placed, ids: Mapping[str, Ids], axes: Mapping[str, str | None]
) -> tuple[dict[int, float], dict[str, int]]:
    """Units of the classes that lie on grids, and exponents of all projections.

    A class lies on a grid if all weights of its rows are whole multiples of one step, not larger
    than their bits hold. Then the step times a power of two is the unit: the largest one if
    thresholds and biases are multiples too and leaks lose nothing, else the smallest one that the
    bits allow, so that what is still rounded is rounded as finely as it can be.

    Args:
        graph: spiking dialect.
        placed: its projections.
        ids: roots of every current's elements.
        axes: along which they lie.
    """
    classes = _classes(graph, placed, ids, axes)
    for root in [r for r, own in classes.items() if not _find(own, placed)]:
        del classes[root]
    while classes:
        exponent = _exponents(classes, placed)
        fitted = {root: _fitted(own, exponent, placed) for root, own in classes.items()}
        bad = [root for root, power in fitted.items() if power is None]
        if not bad:
            powers = {root: power for root, power in fitted.items() if power is not None}
            return {r: classes[r].step * 2.0**p for r, p in powers.items()}, exponent
        for root in bad:
            del classes[root]
    return {}, dict(placed.exponent)


def _classes(
    graph: Graph, placed: Placed, ids: Mapping[str, Ids], axes: Mapping[str, str | None]
) -> dict[int, _Class]:
    """Every class that has weights, with all that its unit counts."""
    found: defaultdict[int, _Class] = defaultdict(_Class)
    without: set[int] = set()
    for name, rows in placed.rows.items():
        roots = placed.roots[name]
        largest = placed.largest[name]
        unique, places = np.unique(roots, return_index=True)
        alone = len(unique) == len(roots)
        apart = far_apart(rows, largest) if alone else np.zeros(len(roots), np.bool_)
        for root, at in zip(unique.tolist(), places.tolist(), strict=True):
            own = (rows[at] if alone else rows[roots == root]).reshape(-1)
            if not own.any() or root in without:
                continue
            if apart[at] or _has_no_step(own, largest):
                without.add(root)  # nothing of it is kept: a large network's weights fill memory
                found[root].rows.clear()
            else:
                found[root].rows[name] = own
    for node in graph.nodes:
        match node.op:
            case Population():
                _add_population(graph, node, node.op, ids[node.inputs[0]], axes, found)
            case Readout(offset=offset) if offset is not None:
                root = int(ids[node.inputs[0]][0])
                found[root].free = 0
                found[root].biases.append(np.asarray(graph.constants[offset.name]).reshape(-1))
                found[root].answers = True
            case Affine():
                for root in ids[node.name].tolist():
                    found[root].natural = False
            case _:
                pass
    kept = {root: own for root, own in found.items() if own.rows or own.biases}
    return {root: own for root, own in kept.items() if root not in without}


def _has_no_step(weights: Real, largest: int) -> bool:
    """Whether a few of them show already that there is no common step."""
    some = Numbers.of(sample(weights), np.zeros(0), np.zeros(0))
    return some.weights.size > 0 and common_step(some, largest) is None


def _add_population(
    graph: Graph,
    node: Node,
    op: Population,
    roots: Ids,
    axes: Mapping[str, str | None],
    found: Mapping[int, _Class],
) -> None:
    """Thresholds and biases of neurons that read anything, to the classes of their currents."""
    names = node.type.names
    axis = axes[node.inputs[0]]

    def over(param: Param | None, default: float) -> Real:
        if param is None:
            return np.full([1] * len(names), default)
        return np.asarray(spread(graph.constants[param.name], param.axes, names), np.float64)

    reads = over(op.polarity, 1.0) != 0.0
    parts = [np.where(reads, over(each, 0.0), 0.0) for each in (op.threshold, op.bias)]
    for i, root in enumerate(roots.tolist()):
        own = found[root]
        own.natural &= op.decay == 0.0 or is_exact_in_integers(op.decay)
        own.soft |= op.reset == "soft"
        for part, kept in zip(parts, (own.thresholds, own.biases), strict=True):
            if axis in names and part.shape[names.index(axis)] > 1 and len(roots) > 1:
                kept.append(part.take(i, axis=names.index(axis)).reshape(-1))
            else:
                kept.append(part.reshape(-1))


def _find(own: _Class, placed: Placed) -> bool:
    """Finds the step: of all that the unit counts, or of less; False if weights have none."""
    none = np.zeros(0)
    if not own.rows:  # neurons that only their biases drive
        numbers = Numbers.of(
            np.concatenate(own.biases), none, np.concatenate([none, *own.thresholds])
        )
        own.step = common_step(numbers, ALONE, (EXACT,)) or 0.0
        return own.step > 0.0
    weights = np.concatenate(list(own.rows.values()))
    largest = max(placed.largest[name] for name in own.rows) << own.free
    if common_step(Numbers.of(sample(weights), none, none), largest) is None:
        return False
    biases, thresholds = (np.concatenate([none, *each]) for each in (own.biases, own.thresholds))
    less = ((none, thresholds), (biases, none))
    wanted = ((biases, thresholds), *(less if own.soft else less[::-1]), (none, none))
    for attempt, parts in enumerate(wanted):
        step = common_step(Numbers.of(weights, *parts), largest)
        if step is not None and _measure(own, step, placed):
            own.natural &= attempt == 0
            return True
    return False


def _measure(own: _Class, step: float, placed: Placed) -> bool:
    """Takes powers of two that all weights have out of the step; whether the bits hold the rest."""
    multiples = {name: multiples_of(step, rows) for name, rows in own.rows.items()}
    zeros = {name: _zeros(each) for name, each in multiples.items()}
    common = min(own.free, *zeros.values())
    most = {name: int(np.abs(each).max()) for name, each in multiples.items()}
    if any(most[name] >> zeros[name] > placed.largest[name] for name in own.rows):
        return False
    own.step = step * 2.0**common
    own.below = common if own.answers else 0
    own.reach = {name: (zeros[name] - common, most[name] >> common) for name in own.rows}
    return True


def _zeros(multiples: NDArray[np.int64]) -> int:
    """By how many powers of two all of them can be divided."""
    every = int(np.bitwise_or.reduce(np.abs(multiples)))
    return (every & -every).bit_length() - 1


def _exponents(classes: Mapping[int, _Class], placed: Placed) -> dict[str, int]:
    """A projection that lies on grids altogether has the exponent with which it is coarsest."""
    found = dict(placed.exponent)
    coarsest = {
        root: max(v for v, _ in own.reach.values()) for root, own in classes.items() if own.reach
    }
    for name, rows in placed.rows.items():
        used = set(placed.roots[name][rows.any(axis=1)].tolist())
        if used and used <= classes.keys():
            found[name] = max(coarsest[r] - classes[r].reach[name][0] for r in used)
    return found


def _fitted(own: _Class, exponent: Mapping[str, int], placed: Placed) -> int | None:
    """The power of two that, times the step, is the unit; None if the bits do not hold it."""
    if not own.rows:
        return 0
    most = min(exponent[name] + zeros for name, (zeros, _) in own.reach.items())
    least = max(
        exponent[name] + _halvings(reach, placed.largest[name])
        for name, (_, reach) in own.reach.items()
    )
    if least > most:
        return None
    if not own.natural:
        return least
    return max(least, min(most, -own.below))


def _halvings(reach: int, largest: int) -> int:
    """The least s, which may be negative, with reach / 2^s <= largest."""
    power = reach.bit_length() - largest.bit_length()
    return power if reach * 2.0**-power <= largest else power + 1
