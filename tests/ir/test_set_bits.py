"""Counting bits with and without what NumPy 2 brings."""

import numpy as np
import pytest

from snncc.ir.digits import set_bits, signed_digits
from snncc.mfi.rules import digits_of

INTEGERS = [0, 1, -1, 2, 3, 7, -8, 255, 2**31 - 1, -(2**31), 2**45 + 5, -(2**47)]


@pytest.mark.parametrize("old", [False, True])
def test_bits_and_digits_are_counted_by_any_numpy(
    old: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if old:
        monkeypatch.delattr(np, "bitwise_count", raising=False)
    wide = np.array(INTEGERS, np.int64).reshape(3, 4)
    assert set_bits(wide).tolist() == [[abs(int(v)).bit_count() for v in row] for row in wide]
    assert set_bits(wide.T).tolist() == set_bits(wide).T.tolist()
    pixels = np.arange(256, dtype=np.uint8)[None]
    assert set_bits(pixels).tolist() == [[v.bit_count() for v in range(256)]]
    assert set_bits(np.array(5)).tolist() == 2
    counted = sum(np.abs(d.astype(int)) for d in signed_digits(wide))
    assert digits_of(wide).tolist() == counted.tolist()
