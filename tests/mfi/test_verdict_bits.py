"""The bits that a verdict names are those of the widest number, wherever it stands."""

import numpy as np
import pytest

from snncc.ir import Graph, GraphBuilder, verify
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames
from snncc.mfi import prove


def chain(*membranes: tuple[int, int], weights: tuple[int, ...] = ()) -> Graph:
    """Populations one behind the other, with declared membranes and given weights."""
    b = GraphBuilder("integer", 1, "exact")
    value = b.add(Frames(("c",), (1,)), name="image")
    for number, membrane in enumerate(membranes):
        size = weights[number] if weights else int(number > 0)
        weight = b.constant("w", np.array([[size]]), ("c", "c"))
        current = b.add(Contract(weight, ("c",), ("c",)), [value])
        op = IntegerPopulation(b.constant("t", np.array(1)), decay=(0, 0), membrane=membrane)
        value = b.add(op, [current])
    weight = b.constant("w", np.array([[1]]), ("k", "c"))
    graph = b.finish(b.add(IntegerReadout(), [b.add(Contract(weight, ("c",), ("k",)), [value])]))
    verify(graph)
    return graph


NARROW, WIDE = (-3, 3), (-1000, 4)


@pytest.mark.parametrize(
    "membranes",
    [(WIDE, NARROW, NARROW), (NARROW, WIDE, NARROW), (NARROW, NARROW, WIDE)],
    ids=["first", "middle", "last"],
)
def test_the_widest_membrane_counts(membranes: tuple[tuple[int, int], ...]) -> None:
    assert prove(chain(*membranes)).membrane_bits == 11


@pytest.mark.parametrize(
    ("interval", "wanted"),
    [((0, 0), 1), ((0, 1), 2), ((-1, 0), 1), ((-128, 127), 8), ((-129, 0), 9), ((0, 128), 9)],
)
def test_bits_of_a_membrane_hold_both_ends(interval: tuple[int, int], wanted: int) -> None:
    """The other population is as narrow as a bit: 0 or 1 weighs nothing there."""
    low, high = interval
    graph = chain((low, max(high, 0)), weights=(0,))
    assert prove(graph).membrane_bits == wanted


@pytest.mark.parametrize("place", [0, 1])
def test_the_widest_current_counts(place: int) -> None:
    weights = [1, 1]
    weights[place] = 1 << 20
    graph = chain((0, 1 << 29), (0, 1 << 29), weights=tuple(weights))
    assert prove(graph).current_bits == (29 if place == 0 else 22)
