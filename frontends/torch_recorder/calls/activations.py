"""Torch functions that clip or round: staircases, where they stand together in the right order."""

from collections.abc import Callable
from typing import Any

import torch

from snncc.frontends.torch_recorder.axis_solver import AxisError
from snncc.frontends.torch_recorder.calls.arithmetic import broadcast_constant, over
from snncc.frontends.torch_recorder.calls.call import Call, Plan, like
from snncc.frontends.torch_recorder.steps import Naming, Value
from snncc.ir import Op
from snncc.ir.dialects import traced as ops
from snncc.ir.dialects.pointwise import Pointwise

Bound = Any
"""A number, a tensor of the model, or None."""


def clipping(name: str, low: float | None, high: float | None) -> Callable[[Call], Plan]:
    """A function with bounds of its own."""
    return lambda call: _clipped(call, call.source(), name, low, high)


def clamp(call: Call) -> Plan:
    """Gives min(max(x, low), high) with bounds that are given; also as clamp_min, clamp_max."""
    low = call.arg(1, "min", call.kwargs.get("min_val"))
    high = call.arg(2, "max", call.kwargs.get("max_val"))
    return _clipped(call, call.source(), "clamp", low, high)


def hardtanh(call: Call) -> Plan:
    low, high = call.arg(1, "min_val", -1.0), call.arg(2, "max_val", 1.0)
    return _clipped(call, call.source(), "hardtanh", low, high)


def clamp_max(call: Call) -> Plan:
    return _clipped(call, call.source(), "clamp_max", None, call.arg(1, "max"))


def larger(call: Call) -> Plan:
    """The larger of a value and a constant."""
    return _with_constant(call, lambda x, bound: _clipped(call, x, "maximum", bound, None))


def smaller(call: Call) -> Plan:
    return _with_constant(call, lambda x, bound: _clipped(call, x, "minimum", None, bound))


def _with_constant(call: Call, made: Callable[[Value, Bound], Plan]) -> Plan:
    one, other = call.arg(0, "input"), call.arg(1, "other")
    x, y = call.value_of(one), call.value_of(other)
    if (x is None) == (y is None):
        raise AxisError("")
    return made(x, other) if x is not None else made(call.source(1, "other"), one)


def _clipped(call: Call, x: Value, name: str, low: Bound, high: Bound) -> Plan:
    """Bounds that 0 and 1 lie within leave spikes as they are."""
    for bound in (low, high):
        if isinstance(bound, torch.Tensor) and call.value_of(bound) is not None:
            raise AxisError("")
        broadcast_constant(call, x, bound)
    if call.is_spike(x) and _at_most(low, 0.0) and _at_least(high, 1.0):
        return like(x, x.dims, None)

    def build(n: Naming) -> Op:
        ends = [
            None if bound is None else over(n, what, bound, x, 1.0)
            for what, bound in (("low", low), ("high", high))
        ]
        return Pointwise(name, *ends)

    return like(x, x.dims, build)


def _at_most(bound: Bound, limit: float) -> bool:
    return bound is None or bool((torch.as_tensor(bound) <= limit).all())


def _at_least(bound: Bound, limit: float) -> bool:
    return bound is None or bool((torch.as_tensor(bound) >= limit).all())


def rounding(name: str) -> Callable[[Call], Plan]:
    """A function to whole numbers, which leaves spikes as they are."""

    def handler(call: Call) -> Plan:
        x = call.source()
        if call.kwargs.get("decimals"):
            raise AxisError("it rounds to other than whole numbers")
        return like(x, x.dims, None if call.is_spike(x) else lambda n: Pointwise(name))

    return handler


def fake_quantize(call: Call) -> Plan:
    """Gives s (clamp(round(x / s) + z, least, most) - z)."""
    x, scale, zero = call.source(), call.arg(1, "scale"), call.arg(2, "zero_point")
    least, most = call.arg(3, "quant_min"), call.arg(4, "quant_max")
    factor, shift = (torch.as_tensor(each).double() for each in (scale, zero))
    down = call.step(_scaled(call, x, 1.0 / factor, None), ".scaled")
    whole = call.step(like(down, down.dims, lambda n: Pointwise("round")), ".whole")
    kept = call.step(_clipped(call, whole, "clamp", least - shift, most - shift), ".kept")
    call.suffix = ".back"
    return _scaled(call, kept, factor, None)


def _scaled(call: Call, x: Value, scale: torch.Tensor, offset: None) -> Plan:
    def build(n: Naming) -> Op:
        return ops.Scale(over(n, "scale", scale, x, 1.0), offset)

    return like(x, broadcast_constant(call, x, scale), build)
