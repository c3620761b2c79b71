"""A map takes every axis in one role: the verifier says so, not some executor later."""

import numpy as np
import pytest

from snncc.ir import GraphBuilder
from snncc.ir.dialects.projections import Contract, Frames
from snncc.ir.op import TypeRuleError


@pytest.mark.parametrize(
    ("into", "summed"),
    [(("c",), ("c",)), (("c", "c"), ()), ((), ("c", "c")), (("c", "d"), ("d",))],
)
def test_an_axis_is_contracted_once(into: tuple[str, ...], summed: tuple[str, ...]) -> None:
    b = GraphBuilder("integer", 1, "exact")
    image = b.add(Frames(("c", "d"), (3, 3)), name="image")
    weight = b.constant("w", np.ones((2, *(3 for _ in into)), np.int8), ("k", *into))
    with pytest.raises(TypeRuleError, match="contracted twice"):
        b.add(Contract(weight, into, ("k",), (), summed), [image])


@pytest.mark.parametrize(
    ("into", "summed", "axes"),
    [(("c",), ("d",), ["k"]), (("c", "d"), (), ["k"]), (("c",), (), ["k", "d"])],
)
def test_different_axes_are(
    into: tuple[str, ...], summed: tuple[str, ...], axes: list[str]
) -> None:
    b = GraphBuilder("integer", 1, "exact")
    image = b.add(Frames(("c", "d"), (3, 3)), name="image")
    weight = b.constant("w", np.ones((2, *(3 for _ in into)), np.int8), ("k", *into))
    made = b.add(Contract(weight, into, ("k",), (), summed), [image])
    assert list(b[made].type.names) == axes
