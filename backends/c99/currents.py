"""C's currents before neurons: side by side, added, scaled, let pass by spikes.

What is read once, element by element, has no buffer: it is written where it is read.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from snncc.backends.c99.integers import bounds_of, wider, working
from snncc.backends.c99.nests import axes_of, nest
from snncc.backends.c99.products import right, times
from snncc.backends.c99.table import FORM, At
from snncc.backends.c99.terms import Indices, Leaf, Term, dealt, number_term, strides_in
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import Gain
from snncc.ir.dialects.projections import Concat, Sum
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.types import Axis


def put(at: At, term: Callable[[], Term]) -> None:
    """Writes a value into its buffer, element by element, or leaves that to who reads it."""
    node, w = at.node, at.w
    if node.name in at.draft.inlined:
        at.draft.terms[node.name] = term
        return
    value, out = term(), at.draft.keep(node)
    with nest(w, axes_of(node.type), [*strides_in(value), out.strides]) as indices:
        mine, (last,) = dealt(indices, value)
        text = value.write(mine)
        w.line(f"{out.at(last)} = {text};")


@FORM.of(Sum)
def add(at: At, op: Sum) -> None:
    """In a type that holds the sum of any of the sources; one that comes twice is scaled."""
    bounds = bounds_of(at.node.type)

    def term() -> Term:
        factors: Counter[str] = Counter()
        for name, shift in op.terms(at.node.inputs):
            factors[name] += 1 << shift
        parts = [times(at.draft, at.draft.term(n), number_term(f)) for n, f in factors.items()]
        low = sum(min(0, part.bounds[0]) for part in parts)
        high = sum(max(0, part.bounds[1]) for part in parts)
        ctype = wider(working(low, high), *(part.ctype for part in parts))

        def write(indices: Indices) -> str:
            own = dealt(indices, *parts)
            texts = [p.cast(ctype, i) for p, i in zip(parts, own, strict=False)]
            return f"({' + '.join(texts)})" if len(texts) > 1 else texts[0]

        return Term(ctype, bounds, tuple(leaf for p in parts for leaf in p.leaves), write)

    put(at, term)


@FORM.of(Gain)
def gain(at: At, op: Gain) -> None:
    bounds, half = bounds_of(at.node.type), (1 << op.shift) >> 1

    def term() -> Term:
        (x,) = at.sources
        product = times(at.draft, x, at.draft.factor(op.mantissa))
        ctype = wider(product.ctype, working(*(end + half for end in product.bounds)))

        def write(indices: Indices) -> str:
            text = product.cast(ctype, indices)
            return right(at.draft.w, ctype, f"{text} + {half}", op.shift) if op.shift else text

        return Term(ctype, bounds, product.leaves, write)

    put(at, term)


@FORM.of(Gate)
def gate(at: At, op: Gate) -> None:
    bounds = bounds_of(at.node.type)

    def term() -> Term:
        bit, x = at.sources

        def write(indices: Indices) -> str:
            first, second, _ = dealt(indices, bit, x)
            return passing(x.write(second), bit.cast(x.ctype, first), op.inverted)

        return Term(x.ctype, bounds, (*bit.leaves, *x.leaves), write)

    put(at, term)


def passing(x: str, bit: str, inverted: bool) -> str:
    """The value where the bit is 1, or 0 with `inverted`; else 0."""
    return f"({x} & ({bit} - 1))" if inverted else f"({x} & -{bit})"


@FORM.of(Concat)
def concat(at: At, op: Concat) -> None:
    node, w, start = at.node, at.w, 0
    sources, out = at.sources, at.draft.keep(node)
    for source, along, kind in zip(sources, op.along, at.inputs, strict=True):
        size = kind.size(along)
        names = {along: op.out}
        axes = [Axis(a.name, size if a.name == op.out else a.size) for a in axes_of(node.type)]
        given = replace(source, leaves=tuple(renamed(leaf, names) for leaf in source.leaves))
        place = replace(out, offset=str(start * out.strides[op.out]))
        with nest(w, axes, [*strides_in(given), out.strides]) as indices:
            mine, (last,) = dealt(indices, given)
            text = given.write(mine)
            w.line(f"{place.at(last)} = {text};")
        start += size


def renamed(leaf: Leaf, names: dict[str, str]) -> Leaf:
    """An array whose axes have other names."""
    return replace(leaf, strides={names.get(a, a): s for a, s in leaf.strides.items()})


@FORM.of(SumAlong)
def add_along(at: At, op: SumAlong) -> None:
    node, kind = at.node, at.inputs[0]
    (x,), out = at.sources, at.draft.keep(node)
    ends = [op.places(kind) * end for end in bounds_of(kind)]
    totalled(at, x, [a for a in kind.axes if a.name in op.summed], out, working(*ends))


def totalled(at: At, x: Term, summed: list[Axis], out: Leaf, ctype: str, start: int = 0) -> None:
    """Writes the sums of a value along axes that its result has not, counted from a number."""
    w = at.w
    with nest(w, axes_of(at.node.type), [*strides_in(x), out.strides]) as outer:
        total = w.fresh("y")
        w.line(f"{ctype} {total} = {start};")
        with nest(w, summed, strides_in(x)) as inner:
            indices = [f"{a} + {b}" for a, b in zip(outer, inner, strict=False)]
            w.line(f"{total} += {x.cast(ctype, indices)};")
        w.line(f"{out.at(outer[-1])} = {total};")
