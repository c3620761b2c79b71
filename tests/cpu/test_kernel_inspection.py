"""The kernels' LLVM IR: what is there multiplies no data, and what is planted is found."""

from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np
import pytest
from numba import types

from snncc.runtime.proofs.kernel_inspection import KernelProof, inspect_kernel, inspect_kernels

I64, I32, U8, F64 = (types.Array(t, 1, "C") for t in (nb.int64, nb.int32, nb.uint8, nb.float64))
M64 = types.Array(nb.int64, 2, "C")
M8 = types.Array(nb.int8, 2, "C")


def inspect(function: Callable[..., None], *signature: Any, **options: bool) -> KernelProof:
    return inspect_kernel(nb.njit(**options)(function), signature)


def test_the_units_kernel_multiplies_no_data() -> None:
    """As Numba makes it, and as the package ships it."""
    proofs = inspect_kernels()
    assert {proof.kernel for proof in proofs} == {"run_units"}
    assert {proof.signature for proof in proofs} >= {"as the package ships it"}
    assert len(proofs) == 2
    for proof in proofs:
        assert proof.holds, (proof.kernel, proof.signature, proof.offences[:3])
        assert proof.instructions > 500
        assert proof.addresses > 0  # addresses are products: the walk does see products


def constant_factor(x: Any, out: Any) -> None:
    for i in range(x.shape[0]):
        out[i] = x[i] * 5


def products_of_data(x: Any, out: Any) -> None:
    for i in nb.prange(x.shape[0]):
        out[i] += x[i] * x[i]


def multiplying_leak(x: Any, out: Any) -> None:
    v = np.int64(0)
    for i in range(x.shape[0]):
        v = ((3 * v) >> 2) + x[i]
        out[i] = v


def only_compared(x: Any, out: Any) -> None:
    """The product is never stored: it decides which constant is."""
    for i in range(x.shape[0]):
        if x[i] * x[i + 1] >= 100:
            out[i] = 1


def through_a_selection(x: Any, out: Any) -> None:
    for i in range(x.shape[0]):
        y = x[i] * x[i]
        out[i] = max(np.int64(0), y) if x[i] > 3 else np.int64(7)


def divides(x: Any, out: Any) -> None:
    for i in range(x.shape[0]):
        out[i] = x[i] // 7


def takes_the_remainder(x: Any, out: Any) -> None:
    for i in range(x.shape[0]):
        out[i] = x[i] % (x[0] + 1)


def squares_by_power(x: Any, out: Any) -> None:
    for i in range(x.shape[0]):
        out[i] = x[i] ** 2


def accumulates_products(x: Any, out: Any) -> None:
    total = np.int64(0)
    for i in range(x.shape[0]):
        total += x[i] * out[i]
    out[0] = total


PLANTED = [
    *(constant_factor, products_of_data, multiplying_leak, only_compared, through_a_selection),
    *(divides, takes_the_remainder, squares_by_power, accumulates_products),
]


@pytest.mark.parametrize("function", PLANTED, ids=lambda f: f.__name__)
def test_a_planted_product_of_data_is_found(function: Callable[..., None]) -> None:
    proof = inspect(function, I64, I64)
    assert not proof.holds
    found = " ".join(o.instruction for o in proof.offences)
    assert any(f" {op} " in found or f" {op}." in found for op in ("mul", "div", "sdiv", "srem")), (
        found
    )


def test_a_planted_product_is_found_in_a_parallel_kernel() -> None:
    """There the loop's body is a function of its own that the scheduler calls."""
    proof = inspect(products_of_data, I64, I64, parallel=True, nogil=True)
    assert not proof.holds
    assert "stored" in proof.offences[0].reason or "store" in proof.offences[0].reason


def halves(x: Any, out: Any) -> None:
    for i in range(x.shape[0]):
        out[i] = x[i] * 0.5


def copies_floats(x: Any, out: Any) -> None:
    for i in range(x.shape[0]):
        out[i] = x[i]


def divides_truly(x: Any, out: Any) -> None:
    for i in range(x.shape[0]):
        out[i] = int(x[i] / 4)


@pytest.mark.parametrize(
    ("function", "signature"),
    [(halves, (I32, I32)), (divides_truly, (I32, I32)), (copies_floats, (F64, F64))],
)
def test_floating_point_is_found(function: Callable[..., None], signature: tuple[Any, ...]) -> None:
    proof = inspect(function, *signature)
    assert "floating point" in {offence.reason for offence in proof.offences}


def asks_another_library(x: Any, out: Any) -> None:
    out[0] = np.dot(x, out)


def test_a_call_out_of_the_code_is_found() -> None:
    """A matrix product by a library: its code is not here to be read."""
    proof = inspect(asks_another_library, F64, F64)
    assert any(o.reason.startswith("it calls numba_xxdot") for o in proof.offences)


def gathers(events: Any, weight: Any, out: Any) -> None:
    """Rows that a list of events names: number of the row times its length is an address."""
    for k in range(events.shape[0]):
        row = weight[events[k]]
        for o in range(out.shape[0]):
            out[o] += row[o]


def shifts(x: Any, out: Any) -> None:
    for i in range(x.shape[0]):
        out[i] += (x[i] << 3) - (x[i] >> 1)


def transposes(x: Any, out: Any) -> None:
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[j, i] = -x[i, j]


@pytest.mark.parametrize(
    ("function", "signature"),
    [(gathers, (I64, M8, I32)), (shifts, (I64, I64)), (transposes, (M64, M64))],
)
def test_addresses_shifts_and_sums_are_allowed(
    function: Callable[..., None], signature: tuple[Any, ...]
) -> None:
    proof = inspect(function, *signature)
    assert proof.holds, proof.offences[:3]


class _FromCache:
    """What numba gives for code from its cache: a module without instructions."""

    def __init__(self, function: Callable[..., None]) -> None:
        self.py_func = function
        self.targetoptions: dict[str, bool] = {}
        self.signatures = [(I64, I64)]

    def compile(self, signature: tuple[Any, ...]) -> None:
        pass

    def inspect_llvm(self, signature: tuple[Any, ...]) -> str:
        return "; ModuleID = 'cached'"


def test_code_that_is_not_there_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nb, "njit", lambda **_: _FromCache)
    with pytest.raises(RuntimeError, match="writes nothing"):
        inspect_kernel(_FromCache(shifts), (I64, I64))
