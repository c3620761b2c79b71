"""Numbers of 62 bits: the last one that fits is legal for all, the next one for nobody."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from certificates import file_of

from snncc.checker import Rejected
from snncc.checker.certificate import expected
from snncc.ir import Graph, GraphBuilder, TypeRuleError, VerifyError, verify
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames, Sum
from snncc.mfi import Level, prove
from snncc.mfi.certificate import certify

LAST = 2**61 - 1
"""The largest number of 62 bits."""


class Small:
    """A spike, the currents that it selects, and what follows them."""

    def __init__(self, steps: int = 1) -> None:
        self.b = GraphBuilder("integer", steps, "exact")
        image = self.b.add(Frames(("c",), (1,)), name="image")
        self.spike = self.fire(self.map(image, 1), threshold=100)

    def map(self, source: str, *weights: int) -> str:
        weight = self.b.constant("w", np.array(weights)[:, None], ("k", "c"))
        axis = self.b[source].type.names[-1]
        op = Contract(replace(weight, axes=("k", axis)), (axis,), ("k",))
        return self.b.add(op, [source])

    def fire(self, source: str, threshold: int = 1, **fields: object) -> str:
        op = IntegerPopulation(self.b.constant("t", np.array(threshold)), **fields)  # type: ignore[arg-type]
        try:
            reached = op.membrane_range(self.b[source].type, self.b.context)
        except TypeRuleError:  # no width holds it; a liar gives the widest that there is
            reached = (-LAST - 1, LAST)
        return self.b.add(replace(op, membrane=reached), [source])

    def answer(self, source: str, offset: int | None = None) -> Graph:
        stored = None if offset is None else self.b.constant("o", np.array(offset))
        return self.b.finish(self.b.add(IntegerReadout(stored), [source]))

    def fired(self, source: str, **fields: object) -> Graph:
        """A program that answers with how often the current fires."""
        return self.answer(self.map(self.fire(source, **fields), 1))  # type: ignore[arg-type]


def weight(past: int) -> Graph:
    small = Small()
    return small.answer(small.map(small.spike, LAST + past))


def negative_weight(past: int) -> Graph:
    small = Small()
    return small.answer(small.map(small.spike, -LAST - 1 - past))


def row(past: int) -> Graph:
    """Two spikes whose weights meet."""
    small = Small()
    two = small.fire(small.map(small.spike, 1, 1))
    param = small.b.constant("v", np.array([[2**60, 2**60 - 1 + past]]), ("o", "k"))
    return small.answer(small.b.add(Contract(param, ("k",), ("o",)), [two]))


def shifted(past: int) -> Graph:
    small = Small()
    current = small.map(small.spike, (1 << 31) - 1 + past)
    return small.answer(small.b.add(Sum((30,)), [current]))


def partial_sum(past: int) -> Graph:
    """The whole sum is small; two of its sources are not."""
    small = Small()
    up, down = small.map(small.spike, 2**60), small.map(small.spike, 2**60 - 1 + past)
    off = small.b.add(Gain(small.b.constant("m", np.array(-1))), [up])
    never = small.b.add(Sum(), [up, down, off])
    return small.fired(never, decay=(0, 0))


def gain(past: int) -> Graph:
    small = Small()
    mantissa = (LAST - 2**30) // 3 + past
    scaled = Gain(small.b.constant("m", np.array(mantissa)), 30)
    return small.answer(small.b.add(scaled, [small.map(small.spike, 3)]))


def offset(past: int) -> Graph:
    """The current plus its offset is too wide, though the bias brings it back."""
    small = Small()
    current, b = small.map(small.spike, 5), small.b
    own, bias = b.constant("o", np.array(LAST - 5 + past)), b.constant("b", np.array(-LAST))
    return small.fired(current, offset=own, bias=bias, decay=(0, 0))


def leak(past: int) -> Graph:
    """The membrane is within 32 bits; times the factor it is not."""
    small = Small()
    current = small.map(small.spike, (1 << 31) + past)
    factor = (LAST - 7) >> 31
    carry = LAST - factor * (1 << 31)
    return small.fired(current, decay=(factor, 40), decay_offset=carry, threshold=2**40)


def membrane(past: int) -> Graph:
    """Two steps without leak."""
    small = Small(2)
    current = small.map(small.spike, 2**60 - 1)
    bias = small.b.constant("b", np.array([0, 1 + past]), ("t",))
    return small.fired(current, decay=(1, 0), threshold=LAST, bias=bias)


def readout(past: int) -> Graph:
    """Three steps; the offset brings the sum back."""
    small = Small(3)
    return small.answer(small.map(small.spike, LAST // 3 + past), -LAST // 2)


BORDERS: dict[str, Callable[[int], Graph]] = {
    made.__name__: made
    for made in (
        *(weight, negative_weight, row, shifted, partial_sum),
        *(gain, offset, leak, membrane, readout),
    )
}


@pytest.mark.parametrize("name", BORDERS)
def test_the_last_number_that_fits_is_legal(name: str, tmp_path: Path) -> None:
    graph = BORDERS[name](0)
    verify(graph)
    expected(file_of(graph, tmp_path))
    assert prove(graph).level < Level.NONE


@pytest.mark.parametrize("name", BORDERS)
def test_the_next_number_is_legal_for_nobody(name: str, tmp_path: Path) -> None:
    graph = BORDERS[name](1)
    with pytest.raises(VerifyError, match="more than 62"):
        verify(graph)
    with pytest.raises(Rejected, match=r"62 bits|too wide"):
        expected(file_of(graph, tmp_path))
    with pytest.raises(ValueError, match="more than 62"):
        certify(graph, "", "")
