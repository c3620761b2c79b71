"""Kinds know the bits that their elements consist of, and how far selected weights reach."""

from itertools import product

import numpy as np
import pytest

from snncc.ir import Axis, Kind, TypeRuleError, ValueType
from snncc.ir.codec import CodecError, decode_type, encode_type
from snncc.ir.dialects.selections import selected_range

DOMAINS = [(0, 1), (0, 3), (0, 15), (0, 100), (0, 255), (-1, 1), (-8, 7), (-5, 100), (-128, 127)]
AXES = (Axis("c", 2),)


def count(low: int, high: int) -> ValueType:
    return ValueType(Kind.COUNT, AXES, (low, high))


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_every_number_of_a_domain_is_the_sum_of_its_planes(domain: tuple[int, int]) -> None:
    kind = count(*domain)
    numbers = np.arange(domain[0], domain[1] + 1).astype(kind.dtype)
    assert numbers.tolist() == list(range(domain[0], domain[1] + 1))  # the type holds them
    total = np.zeros(len(numbers), np.int64)
    for bit, negative in kind.planes:
        plane = ((numbers >> bit) & 1).astype(np.int64) << bit
        total += -plane if negative else plane
    assert np.array_equal(total, numbers)


def test_as_many_planes_as_the_domain_needs() -> None:
    assert [len(count(*domain).planes) for domain in DOMAINS] == [1, 2, 4, 7, 8, 2, 4, 8, 8]
    assert ValueType(Kind.SPIKE, AXES, (0, 1)).planes == ((0, False),)
    assert count(-8, 7).planes == ((0, False), (1, False), (2, False), (3, True))
    for kind in (Kind.CURRENT, Kind.REAL, Kind.READOUT):
        assert ValueType(kind, AXES, (0, 1)).planes == ()


@pytest.mark.parametrize("domain", [(0, 1), (0, 3), (-1, 1), (-3, 2)], ids=str)
def test_a_selection_reaches_the_ends_of_its_range_and_no_more(domain: tuple[int, int]) -> None:
    rows = np.array([[3, -2, 1], [-7, 0, 1], [1, 1, 6]], np.int8)
    inputs = list(product(range(domain[0], domain[1] + 1), repeat=3))
    sums = rows.astype(int) @ np.array(inputs).T
    found = selected_range(rows, count(*domain), 1)
    assert found == (min(0, sums.min()), max(0, sums.max()))
    assert selected_range(rows, count(*domain), 5) == (5 * found[0], 5 * found[1])


def test_ends_beyond_64_bits_are_exact_before_they_are_refused() -> None:
    rows = np.array([[1 << 60, -(1 << 60)]])
    assert selected_range(rows, count(-128, 127), 1) == (-255 << 60, 255 << 60)


def test_currents_select_nothing() -> None:
    with pytest.raises(TypeRuleError, match="select with spikes or counts"):
        selected_range(np.ones((1, 2), np.int8), ValueType(Kind.CURRENT, AXES, (0, 1)), 1)


def test_a_count_has_one_word() -> None:
    assert str(count(0, 255)) == "pixel[c:2]{0..255}"
    assert str(count(0, 3)) == "count[c:2]{0..3}"
    for kind in (count(0, 255), count(0, 3), count(-8, 7)):
        assert decode_type(encode_type(kind)) == kind
    for word, domain in (("pixel", [0, 3]), ("count", [0, 255])):
        with pytest.raises(CodecError, match="not a type"):
            decode_type({"kind": word, "axes": [["c", 2]], "range": domain})
