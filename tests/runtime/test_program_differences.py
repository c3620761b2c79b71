"""Constants of two programs are compared where they mean the same; elsewhere nothing is said."""

import numpy as np
import pytest

from snncc.ir import Graph, GraphBuilder
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames
from snncc.runtime.compare.program_differences import constant_differences


def program(axes: tuple[str, str] = ("k", "n"), last: int = 9, tokens: int = 2) -> Graph:
    """A population with a threshold for every neuron, over its axes in one order or the other."""
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("n", "f"), (tokens, 3)), name="image")
    weight = b.constant("w", np.array([[1, 2, -1], [3, -2, 1]], np.int8), ("k", "f"))
    current = b.add(Contract(weight, ("f",), ("k",)), [image], name="current")
    sizes = {"k": 2, "n": tokens}
    level = np.arange(2 * tokens).reshape([sizes[name] for name in axes]) + 5
    level.flat[-1] = last
    op = IntegerPopulation(b.constant("v", level, axes), membrane=(-4000, 4000))
    fire = b.add(op, [current], name="fire")
    head = b.constant("h", np.array([[1, 1]], np.int8), ("o", "k"))
    answer = b.add(Contract(head, ("k",), ("o",), (), ("n",)), [fire])
    return b.finish(b.add(IntegerReadout(), [answer]))


def test_elements_that_differ_are_counted() -> None:
    a, b = program(), program(last=12)
    (found,) = constant_differences(a, a["fire"], b, b["fire"]) or ()
    assert (found.node, found.what, found.elements, found.total) == ("fire", "threshold", 1, 4)
    assert (found.largest, found.currents) == (3, False)
    assert constant_differences(a, a["fire"], program(), program()["fire"]) == ()


@pytest.mark.parametrize("other", [program(("n", "k")), program(tokens=3)], ids=["axes", "shape"])
def test_constants_over_other_axes_or_of_other_shape_are_not_compared(other: Graph) -> None:
    """Two square tables over exchanged axes have one shape, and mean different neurons."""
    a = program()
    assert constant_differences(a, a["fire"], other, other["fire"]) is None
