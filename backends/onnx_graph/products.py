"""Sums of selected weights as products of bytes: what MatMulInteger and ConvInteger compute."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from snncc.backends.onnx_graph.integers import (
    ZERO_POINT,
    Planes,
    planes,
    type_for,
    type_of,
)
from snncc.backends.onnx_graph.table import At
from snncc.backends.onnx_graph.value import Value
from snncc.backends.onnx_graph.writer import Writer
from snncc.ir import Array

INT32 = np.dtype(np.int32)


@dataclass(frozen=True)
class Bytes:
    """A source as ONNX multiplies it.

    Attributes:
        value: uint8.
        zero: what stands for 0: `ZERO_POINT` of a domain below 0.
        bits: whether it is 0 or 1 everywhere.
        most: the largest magnitude.
    """

    value: Value
    zero: int
    bits: bool
    most: int


def bytes_of(w: Writer, value: Value, domain: tuple[int, int]) -> Bytes:
    """A source of a domain within 0..255 or -128..127."""
    low, high = domain
    if low >= 0:
        return Bytes(w.cast(value, np.uint8), 0, high <= 1, high)
    raised = w.apply("Add", w.cast(value, np.int32), ZERO_POINT)
    return Bytes(w.cast(raised, np.uint8), ZERO_POINT, False, max(-low, high))


def split(at: At, rows: Array, most: int) -> Planes:
    """Weights in digits. Raises SnnccError (SNN040) where 32 bits hold no sum of the smallest.

    Args:
        at: the projection.
        rows: integers [..., inputs].
        most: the largest magnitude of an input.
    """
    found = planes(rows, most)
    if found is None:
        raise at.refused(f"{rows.shape[-1]:,} inputs add up to more than 32 bits in every digit")
    return found


def stored(digits: Array, signed: bool) -> Array:
    """Digits as bytes: signed, or with `ZERO_POINT` added.

    Some CPUs add two products of a byte and a signed byte in 16 bits, which two large inputs
    overflow; products of unsigned bytes are added in 32.
    """
    return digits.astype(np.int8) if signed else (digits + ZERO_POINT).astype(np.uint8)


def zeros(w: Writer, source: Bytes, signed: bool) -> list[Any]:
    """The inputs that say what stands for 0 in the source and in the weights; none for 0 and 0."""
    if signed and not source.zero:
        return []
    weight_zero = np.int8(0) if signed else np.uint8(ZERO_POINT)
    return [w.constant(np.asarray(n)) for n in (np.uint8(source.zero), weight_zero)]


def joined(at: At, found: Planes, product: Callable[[int], Any], axes: tuple[str, ...]) -> Value:
    """The sum of all planes.

    Args:
        at: the projection.
        found: its weights.
        product: gives the product with a plane, int32.
        axes: of each product.
    """
    w, bounds = at.w, at.node.type.range or (0, 0)
    dtype = type_for(found.reach, *bounds)
    total = w.cast(Value(product(0), axes, INT32), dtype)
    for place in range(1, len(found.digits)):
        part = w.cast(Value(product(place), axes, INT32), dtype)
        total = w.apply("Add", total, w.apply("Mul", part, 1 << (place * found.bits)))
    return w.cast(total, type_of(at.node.type.range))
