"""Torch functions that add, scale and reduce."""

import math
from collections.abc import Callable
from typing import Any

import torch

from snncc.frontends.torch_recorder.axis_solver import AxisError, Dim
from snncc.frontends.torch_recorder.calls.call import Call, Plan, like
from snncc.frontends.torch_recorder.calls.time_windows import mean_of, reduced_window
from snncc.frontends.torch_recorder.steps import Naming, Value
from snncc.ir import Op
from snncc.ir.dialects import traced as ops
from snncc.ir.dialects.gates import Gate


def reduction(op: Callable[[tuple[str, ...]], Op]) -> Callable[[Call], Plan]:
    def handler(call: Call) -> Plan:
        x = call.source()
        gone = call.dim_list(call.arg(1, "dim", call.kwargs.get("axis")))
        lost = tuple(x.dims[i] for i in gone)
        if any(call.batch_atom in call.solver.roots(d) for d in lost):
            raise AxisError(
                "it reduces over the images of a batch, so an image's answer depends on the others",
                "reduce over an image's own dimensions; at inference use BatchNorm's running "
                "statistics",
            )
        keep = len(call.out.shape) == len(x.dims)
        dims = tuple(() if i in gone else d for i, d in enumerate(x.dims) if keep or i not in gone)
        some = reduced_window(call, x, gone, dims)
        if some is None:
            return like(x, dims, lambda n: op(n.axes(*lost)))
        if op is ops.Total:
            return some
        count = math.prod(call.solver.length(call.solver.roots(d)) for d in lost)
        return like(call.step(some, ".sum"), dims, mean_of(count))

    return handler


def add(call: Call) -> Plan:
    return _sum(call, float(call.kwargs.get("alpha", 1)))


def _sum(call: Call, alpha: float) -> Plan:
    """Gives input + alpha * other, where one of them or both depend on the input."""
    a, b = call.arg(0, "input"), call.arg(1, "other")
    x, y = call.value_of(a), call.value_of(b)
    if x is not None and y is not None:
        call.note_difference(x, y, alpha)
        if alpha != 1.0:
            y = call.step(_scale(call, y, alpha, None, 1.0))
        return (x, y), broadcast(call, x, y), lambda n: ops.Add()
    if x is not None:
        return _scale(call, x, None, b, alpha)
    return _from_constant(call, a, y, alpha)


def _from_constant(call: Call, constant: Any, value: Value | None, factor: float) -> Plan:
    """Gives constant + factor * value; 1 - s of spikes s is noted as what it is."""
    ones = bool((torch.as_tensor(constant) == 1).all())
    if value is not None and factor == -1.0 and ones and call.is_spike(value):
        call.complement = value
    return _scale(call, value, None if factor == 1.0 else factor, constant, 1.0)


def sub(call: Call) -> Plan:
    return _sum(call, -float(call.kwargs.get("alpha", 1)))


def rsub(call: Call) -> Plan:
    """Gives other - input: Python's `constant - value`."""
    x, other = call.value_of(call.arg(0, "input")), call.arg(1, "other")
    y, alpha = call.value_of(other), float(call.kwargs.get("alpha", 1))
    if y is None:
        return _from_constant(call, other, x, -alpha)
    if x is None:
        return _scale(call, y, None, call.arg(0, "input"), -alpha)
    call.note_difference(y, x, -alpha)
    minus = call.step(_scale(call, x, -alpha, None, 1.0))
    return (y, minus), broadcast(call, y, minus), lambda n: ops.Add()


def mul(call: Call) -> Plan:
    a, b = call.arg(0, "input"), call.arg(1, "other")
    x, y = call.value_of(a), call.value_of(b)
    if x is not None and y is not None:
        return _gate(call, x, y)
    value, constant = (x, b) if x is not None else (y, a)
    return _scale(call, value, constant, None, 1.0)


def _gate(call: Call, x: Value, y: Value) -> Plan:
    """A product with spikes lets the other factor pass where they are 1."""
    for factor, other in ((x, y), (y, x)):
        spikes = call.complement_of(factor)
        if spikes is not None:
            return (spikes, other), broadcast(call, spikes, other), lambda n: Gate(inverted=True)
    if not call.is_spike(x) and not call.is_spike(y):
        raise AxisError("")
    gate, passing = (x, y) if call.is_spike(x) else (y, x)
    return (gate, passing), broadcast(call, gate, passing), lambda n: Gate()


def div(call: Call) -> Plan:
    x, divisor = call.value_of(call.arg(0, "input")), call.arg(1, "other")
    if x is None or call.value_of(divisor) is not None or call.kwargs.get("rounding_mode"):
        raise AxisError(
            "it divides by data, or rounds its result",
            "divide by a constant of the model: it folds into weights or thresholds",
        )
    inverse = 1.0 / divisor.double() if isinstance(divisor, torch.Tensor) else 1.0 / divisor
    return _scale(call, x, inverse, None, 1.0)


def neg(call: Call) -> Plan:
    return _scale(call, call.source(), -1.0, None, 1.0)


def _scale(call: Call, x: Value | None, scale: Any, offset: Any, sign: float) -> Plan:
    if x is None:
        raise AxisError("neither argument depends on the input")
    value = x
    dims = broadcast_constant(call, value, scale if offset is None else offset)

    def build(n: Naming) -> Op:
        return ops.Scale(
            None if scale is None else over(n, "scale", scale, value, 1.0),
            None if offset is None else over(n, "offset", offset, value, sign),
        )

    return like(value, dims, build)


def scaled(call: Call, x: Value, scale: float, offset: float) -> Plan:
    """Gives scale * x + offset."""
    return like(
        x,
        x.dims,
        lambda n: ops.Scale(over(n, "scale", scale, x, 1.0), over(n, "offset", offset, x, 1.0)),
    )


def over(n: Naming, what: str, constant: Any, x: Value, sign: float) -> Any:
    """A constant over those dimensions along which it varies."""
    tensor = torch.as_tensor(constant, dtype=torch.float64) * sign
    kept = [i for i in range(-tensor.dim(), 0) if tensor.shape[i] != 1]
    return n.param(what, tensor, *(x.dims[i] for i in kept))


def broadcast_constant(call: Call, x: Value, constant: Any) -> tuple[Dim, ...]:
    shape = tuple(constant.shape) if isinstance(constant, torch.Tensor) else ()
    if tuple(call.out.shape) != _shape_of(call, x) or len(shape) > len(x.dims):
        raise AxisError(
            f"a constant of shape {shape} makes a value of shape {_shape_of(call, x)} larger",
            "repeat the value first (unsqueeze and expand over the time steps), or give the "
            "constant the value's own shape",
        )
    return x.dims


def _shape_of(call: Call, x: Value) -> tuple[int, ...]:
    return tuple(call.solver.length(call.solver.roots(d)) for d in x.dims)


def broadcast(call: Call, x: Value, y: Value) -> tuple[Dim, ...]:
    rank = max(len(x.dims), len(y.dims))
    left: list[Dim] = [*(() for _ in range(rank - len(x.dims))), *x.dims]
    right: list[Dim] = [*(() for _ in range(rank - len(y.dims))), *y.dims]
    dims: list[Dim] = []
    for a, b in zip(left, right, strict=True):
        if a and b:
            call.solver.unify(a, b)
        dims.append(a or b)
    return tuple(dims)
