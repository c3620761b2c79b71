"""C's moves: elements that are taken along axes, and zeros."""

from functools import partial

import numpy as np

from snncc.backends.c99.currents import renamed
from snncc.backends.c99.integers import unsigned
from snncc.backends.c99.nests import axes_of, nest
from snncc.backends.c99.table import FORM, At
from snncc.backends.c99.terms import Leaf
from snncc.ir.dialects.moves import ZEROS, Take


@FORM.of(Take)
def take(at: At, op: Take) -> None:
    """One run along an axis is a stride of its own; several are a table of places."""
    node, w, draft = at.node, at.w, at.draft
    (x,), out = at.sources, draft.keep(node)
    source = renamed(x.leaves[0], dict(zip(op.axes, op.out, strict=True)))
    strides, start, tables = dict(source.strides), 0, list[tuple[Leaf, int]]()
    for place, name in enumerate(op.out):
        runs, stride = op.runs[place], strides[name]
        if len(runs) == 3 and runs[0] != ZEROS:
            start += runs[0] * stride
            strides[name] = runs[1] * stride
            continue
        index = op.index(place)
        nowhere = (int(index.max(initial=0)) + 1) * stride
        offsets = np.where(index < 0, nowhere, index * stride)
        ctype = unsigned(nowhere)
        table = draft.table(
            (op.runs[place], stride), ctype, index.size, partial(np.asarray, offsets)
        )
        tables.append((Leaf(table, {name: 1}), nowhere if index.min() < 0 else -1))
        del strides[name]
    leaves = [each for each, _ in tables]
    given = Leaf(source.base, strides, " + ".join(filter(None, (source.offset, str(start)))))
    axes = axes_of(node.type)
    with nest(w, axes, [given.strides, *(t.strides for t in leaves), out.strides]) as indices:
        first, *places, last = indices
        found = [leaf.at(index) for leaf, index in zip(leaves, places, strict=True)]
        text = given.at(" + ".join([first, *found]))
        zero = [f"{f} == {t[1]}" for f, t in zip(found, tables, strict=True) if t[1] >= 0]
        if zero:
            text = f"{' || '.join(zero)} ? 0 : {text}"
        w.line(f"{out.at(last)} = {text};")
