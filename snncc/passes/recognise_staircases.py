"""Clipping, scaling and rounding that together take on few values: thresholds instead."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import ClassVar

import numpy as np

from snncc.ir import Graph, Kind, Node
from snncc.ir.dialects.pointwise import Pointwise
from snncc.ir.dialects.thresholds import LEVEL, MOST_LEVELS, MultiThreshold
from snncc.ir.dialects.traced import Add, Scale
from snncc.passes.levels import by_level
from snncc.passes.named import Named
from snncc.passes.pipeline import Note, PassResult
from snncc.passes.rewriter import Rewriter, rewrite
from snncc.passes.staircase_algebra import Staircase, Where, staircase_of
from snncc.passes.staircase_chains import Chain, Link, chain_of, uncancelled

MOST_FUNCTIONS = 1 << 12
"""Of one activation: as many channels, or neurons, may have numbers of their own."""
LARGE, FINE = 1 << 30, 1 << 40
"""Parts of the largest value: two values that differ by more are two, by less are the same."""
NEVER = 2.0**500
"""A threshold that nothing reaches; lowering takes it down to just beyond the current's range."""


class NoStaircase(ValueError):
    """Why an activation is none."""


@dataclass(frozen=True)
class RecogniseStaircases:
    """An activation that clips and rounds is how many thresholds its input has passed.

    What stands between a current and the last of the functions that clip, scale or round is one
    function of one number. Inverted in rationals it gives the thresholds, those that have to be
    exceeded among them (torch.round takes halves to the even number). By which functions or modules
    it is written does not matter: clamp(round(x / s), 0, 15) * s, floor(clamp(x / t, 0, 1) * L +
    0.5) / L * t and the x + (round(x) - x) of a straight-through estimator are all alike.

    A ReLU or clamp whose bounds its input never leaves is left out.

    Attributes:
        least, most: of the elements of every value, as far as they are known.
    """

    name: ClassVar[str] = "recognise_staircases"
    least: Mapping[str, float] = field(default_factory=dict[str, float])
    most: Mapping[str, float] = field(default_factory=dict[str, float])

    def run(self, graph: Graph) -> PassResult:
        """Recognises; what is none stays, with a note that says why."""
        return rewrite(graph, self._kept) if graph.select(Pointwise) else PassResult(graph)

    def _kept(self, rewriter: Rewriter, node: Node, notes: list[Note]) -> str:
        """A delay has the kind that it was declared with: a count that it reads is a number."""
        name = self._visit(rewriter, node, notes)
        delayed = any(r.op.looks_back for r in rewriter.old.readers.get(node.name, ()))
        if not delayed or rewriter.new[name].type.kind is node.type.kind:
            return name
        return rewriter.emit(node, Scale(), name, name=f"{node.name}.kept")

    def _visit(self, rewriter: Rewriter, node: Node, notes: list[Note]) -> str:
        if isinstance(node.op, Add):
            return _sum(rewriter, node)
        turned = isinstance(node.op, Scale) and _turns(rewriter, node.op)
        if not (turned or isinstance(node.op, Pointwise)):
            return rewriter.emit(node, node.op, *rewriter.inputs(node))
        chain = chain_of(rewriter.old, node)
        if turned and not chain.rounds:
            return rewriter.emit(node, node.op, *rewriter.inputs(node))
        idle = isinstance(node.op, Pointwise) and self._is_idle(rewriter, node, node.op)
        if idle and not chain.rounds:
            notes.append(Note(node.name, True, "left out: its input never leaves the bounds"))
            return rewriter.value[node.inputs[0]]
        try:
            ends = () if _goes_on(rewriter.old, node) else self._ends(chain.base)
            name, text = _recognised(rewriter, node, chain, ends)
        except NoStaircase as reason:
            notes.append(Note(node.name, False, str(reason)))
            return rewriter.emit(node, node.op, *rewriter.inputs(node))
        notes.append(Note(node.name, True, text))
        return name

    def _ends(self, name: str) -> tuple[Link, ...]:
        """What is known of a value, as bounds that it never leaves."""
        pairs = (("low", self.least.get(name, -math.inf)), ("high", self.most.get(name, math.inf)))
        return tuple(Link(how, (Named.scalar(end),)) for how, end in pairs if math.isfinite(end))

    def _is_idle(self, rewriter: Rewriter, node: Node, op: Pointwise) -> bool:
        """Whether all that its input can be lies within the bounds."""
        source = node.inputs[0]
        if op.rounds or source not in self.least:
            return False
        above = op.low is None or rewriter.array(op.low).max() <= self.least[source]
        return bool(
            above and (op.high is None or rewriter.array(op.high).min() >= self.most[source])
        )


def _goes_on(graph: Graph, node: Node) -> bool:
    """Whether all that reads a value clips, scales or rounds it again: it is looked at there."""
    readers = graph.readers.get(node.name, ())
    return bool(readers) and all(isinstance(r.op, Pointwise | Scale | Add) for r in readers)


def _turns(rewriter: Rewriter, op: Scale) -> bool:
    """Whether a scale makes the largest the least, or adds something: better before counting."""
    scale, offset = rewriter.named(op.scale, 1.0), rewriter.named(op.offset, 0.0)
    return bool((scale.array < 0.0).any()) or not offset.is_zero()


def _sum(rewriter: Rewriter, node: Node) -> str:
    """The same sum, or the one value that is left of it where the others cancel each other."""
    left = uncancelled(rewriter.old, node)
    if left is None:
        return rewriter.emit(node, node.op, *rewriter.inputs(node))
    base, (scale, offset) = left
    return _scaled(rewriter, node, rewriter.value[base], scale, offset)


def _scaled(rewriter: Rewriter, node: Node, source: str, scale: Named, offset: Named) -> str:
    """Gives scale * source + offset, as little of it as there is."""
    one, none = not scale.axes and float(scale.array) == 1.0, offset.is_zero()
    if one and none:
        return source
    new = rewriter.new
    op = Scale(
        None if one else scale.store(new, f"{node.name}.scale"),
        None if none else offset.store(new, f"{node.name}.offset"),
    )
    return rewriter.emit(node, op, source, name=f"{node.name}.step")


def _recognised(
    rewriter: Rewriter, node: Node, chain: Chain, ends: tuple[Link, ...]
) -> tuple[str, str]:
    """The new name of an activation, and what it became. Raises NoStaircase."""
    if not chain.rounds:
        raise NoStaircase("nothing is rounded: its values are real numbers")
    try:
        shape, stairs = _staircases(chain)
    except NoStaircase:
        if not ends:
            raise
        shape, stairs = _staircases(replace(chain, links=(*ends, *chain.links)))
    steps = [_step(each) for each in stairs]
    passed = [_repeated(each, step) for each, step in zip(stairs, steps, strict=True)]
    levels = max(1, *(len(each) for each in passed)) if passed else 1
    if levels > MOST_LEVELS:
        raise NoStaircase(f"its values lie on a grid of more than {MOST_LEVELS} steps")
    firsts = [each.values[0] for each in stairs]
    starts = {first / step for first, step in zip(firsts, steps, strict=True)}
    lowest = starts.pop() if len(starts) == 1 else Fraction(0)
    if lowest.denominator > 1 or abs(lowest) > MOST_LEVELS:
        lowest = Fraction(0)
    rests = [first - lowest * step for first, step in zip(firsts, steps, strict=True)]

    def over(values: Sequence[float]) -> Named:
        return Named(chain.axes, np.array(values, np.float64).reshape(shape)).compact()

    base = rewriter.value[chain.base]
    if rewriter.new[base].type.kind not in (Kind.REAL, Kind.CURRENT):
        base = rewriter.emit(node, Scale(), base, name=f"{node.name}.real")
    op = _thresholds(rewriter, node, chain, shape, passed, levels)
    signs = over([next((w.sign for w in row if w.at is not None), 1) for row in passed])
    if (signs.array != 1.0).any():
        op = MultiThreshold(
            op.thresholds, signs.store(rewriter.new, f"{node.name}.polarity"), 0, op.above
        )
    op = MultiThreshold(op.thresholds, op.polarity, int(lowest), op.above)
    counted = rewriter.emit(node, op, base)
    along = f" along {', '.join(chain.axes)}" if chain.axes else ""
    text = f"a count of {levels} threshold{'s' * (levels > 1)}{along}"
    scale, offset = over([float(s) for s in steps]), over([float(r) for r in rests])
    return _scaled(rewriter, node, counted, scale, offset), text


def _staircases(chain: Chain) -> tuple[tuple[int, ...], list[Staircase]]:
    """The function of every element. Raises NoStaircase."""
    shape, rows = chain.rows()
    known: dict[bytes, Staircase] = {}
    found: list[Staircase] = []
    for row in rows:
        key = row.tobytes()
        if key not in known:
            if len(known) == MOST_FUNCTIONS:
                raise NoStaircase(f"more than {MOST_FUNCTIONS} elements have numbers of their own")
            made = staircase_of(chain.stages(row.tolist()))
            if made is None:
                raise NoStaircase(
                    f"nothing bounds what is rounded, or it has more than {MOST_LEVELS} values"
                )
            known[key] = _on_grid(made)
        found.append(known[key])
    return shape, found


def _on_grid(stairs: Staircase) -> Staircase:
    """The same with values that only the last bits of float64 keep from their grid upon it.

    clamp(round(x / s) * s, 0, 15 * s) has 15 * s twice: as the product of the rounded numbers, and
    as float64 has rounded it.
    """
    values = stairs.values
    size = max(map(abs, values))
    apart = [b - a for a, b in itertools.pairwise(values) if (b - a) * LARGE > size]
    if not apart:
        return stairs
    step = min(apart)
    places = [round((value - values[0]) / step) for value in values]
    snapped = [values[0] + place * step for place in places]
    far = max(abs(a - b) for a, b in zip(values, snapped, strict=True))
    if far * FINE > size:
        return stairs
    kept = [i for i in range(1, len(values)) if places[i] > places[i - 1]]
    passed = tuple(stairs.passed[i - 1] for i in kept)
    return Staircase((snapped[0], *(snapped[i] for i in kept)), passed)


def _step(stairs: Staircase) -> Fraction:
    """What all differences of a staircase's values are multiples of."""
    values = stairs.values
    differences = [after - before for before, after in itertools.pairwise(values)]
    if not differences:
        return Fraction(1)
    common = math.lcm(*(d.denominator for d in differences))
    return Fraction(math.gcd(*(int(d * common) for d in differences)), common)


def _repeated(stairs: Staircase, step: Fraction) -> list[Where]:
    """Where each threshold is passed; one by so many steps stands as often."""
    found: list[Where] = []
    pairs = zip(stairs.values, stairs.values[1:], stairs.passed, strict=False)
    for before, after, where in pairs:
        times = int((after - before) / step)
        if len(found) + times > MOST_LEVELS:
            raise NoStaircase(f"its values lie on a grid of more than {MOST_LEVELS} steps")
        found += [where] * times
    return found


def _thresholds(
    rewriter: Rewriter,
    node: Node,
    chain: Chain,
    shape: tuple[int, ...],
    passed: Sequence[Sequence[Where]],
    levels: int,
) -> MultiThreshold:
    """The table of thresholds, and which of them have to be exceeded."""
    table = np.full((len(passed), levels), NEVER)
    above = np.zeros((len(passed), levels))
    for row, each in enumerate(passed):
        for at, where in enumerate(each):
            table[row, at], above[row, at] = _as_floats(where)
    axes, new = (*chain.axes, LEVEL), rewriter.new
    named = Named(axes, table.reshape(*shape, levels))
    stored = by_level(named, node, new, f"{node.name}.thresholds")
    if not above.any():
        return MultiThreshold(stored)
    strict = Named(axes, above.reshape(*shape, levels))
    return MultiThreshold(stored, above=by_level(strict, node, new, f"{node.name}.above"))


def _as_floats(where: Where) -> tuple[float, float]:
    """A threshold that decides every float64 as the rational does, and whether it is exceeded."""
    if where.at is None or where.sign == 0:
        return (-NEVER if where.sign == 0 else NEVER), 0.0
    near = float(where.at)
    if not where.strict and Fraction(near) < where.at:
        near = math.nextafter(near, math.inf)
    if where.strict and Fraction(near) > where.at:
        near = math.nextafter(near, -math.inf)
    return near, float(where.strict)
