"""Torch functions with weights: linear maps and BatchNorm."""

from typing import Any

import torch

from snncc.frontends.torch_recorder.axis_solver import AxisError, Dim
from snncc.frontends.torch_recorder.calls.call import Call, Plan, like
from snncc.frontends.torch_recorder.calls.products import contracted, matrices
from snncc.frontends.torch_recorder.steps import Naming, Value
from snncc.ir import Op
from snncc.ir.dialects import traced as ops


def linear(call: Call) -> Plan:
    x, weight, bias = call.source(), call.arg(1, "weight"), call.arg(2, "bias")
    require_constant(call, weight, bias)
    return contract(call, x, len(x.dims) - 1, weight, bias, "f")


def matmul(call: Call) -> Plan:
    """Gives x @ W with a constant matrix, or a product of two values."""
    x, weight = call.source(), call.arg(1, "other", call.kwargs.get("mat2"))
    other = call.value_of(weight)
    if other is not None:
        return matrices(call, x, other)
    require_constant(call, weight)
    if weight.dim() != 2:
        raise AxisError("a product with a constant that is no matrix")
    return contract(call, x, len(x.dims) - 1, weight.t(), None, "f")


def einsum(call: Call) -> Plan:
    """A constant matrix over one letter of a value, the letters in any order."""
    equation = call.arg(0, "equation")
    given = call.args[1:]
    operands = tuple(given[0]) if len(given) == 1 and not _is_tensor(given[0]) else tuple(given)
    dynamic = [i for i, o in enumerate(operands) if call.value_of(o) is not None]
    if not isinstance(equation, str) or "." in equation or "->" not in equation:
        raise AxisError("an einsum without '->'", "name every letter of the result")
    before, after = equation.replace(" ", "").split("->")
    letters = before.split(",")
    if len(operands) == 2 and len(dynamic) == 2:
        x, y = (call.value_of(each) for each in operands)
        if x is not None and y is not None:
            return contracted(call, x, letters[0], y, letters[1], after)
    if len(operands) != 2 or len(dynamic) != 1:
        raise AxisError("")
    own, other = letters[dynamic[0]], letters[1 - dynamic[0]]
    x, weight = call.value_of(operands[dynamic[0]]), operands[1 - dynamic[0]]
    gone = [n for n in own if n not in after]
    if x is None or len(other) != 2 or len(gone) != 1 or gone[0] not in other:
        raise AxisError(
            "it is no linear map over one dimension", "write it with nn.Linear or torch.matmul"
        )
    made = other.replace(gone[0], "")
    if made in own or sorted(after) != sorted(own.replace(gone[0], made)):
        raise AxisError(
            "it is no linear map over one dimension", "write it with nn.Linear or torch.matmul"
        )
    matrix = weight if other == made + gone[0] else weight.t()
    first = contract(call, x, own.index(gone[0]), matrix, None, "f")
    now = own.replace(gone[0], made)
    if now == after:
        return first
    y = call.step(first)
    dims = tuple(y.dims[now.index(letter)] for letter in after)
    return like(y, dims, lambda n: ops.Rearrange(n.axes(*dims)))


def _is_tensor(thing: Any) -> bool:
    return isinstance(thing, torch.Tensor)


def contract(
    call: Call,
    x: Value,
    dim: int,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stem: str,
) -> Plan:
    """A linear map over one dimension, which may be several axes side by side."""
    into = x.dims[dim]
    if not into:
        raise AxisError(
            "it reads a dimension of length 1 that an unsqueeze or a kept mean has made",
            "flatten or squeeze that dimension away before the linear map",
        )
    out: Dim = (call.solver.atom(stem, weight.shape[0]),)

    def build(n: Naming) -> Op:
        return ops.Linear(
            n.param("weight", weight, out, into),
            n.axes(into),
            n.axes(out),
            None if bias is None else n.param("bias", bias, out),
        )

    return like(x, (*x.dims[:dim], out, *x.dims[dim + 1 :]), build)


def batch_norm(call: Call) -> Plan:
    x = call.source()
    mean, var = call.arg(1, "running_mean"), call.arg(2, "running_var")
    weight, bias = call.arg(3, "weight"), call.arg(4, "bias")
    eps = float(call.arg(7, "eps", 1e-5))
    if mean is None or var is None or call.arg(5, "training", False):
        raise AxisError(
            "it has no running statistics, so it divides by those of the images at hand",
            "train with track_running_stats=True (the default), and keep running_mean and "
            "running_var in the checkpoint",
        )
    channel = x.dims[1]

    def build(n: Naming) -> Op:
        return ops.BatchNorm(
            n.param("mean", mean, channel),
            n.param("var", var, channel),
            None if weight is None else n.param("weight", weight, channel),
            None if bias is None else n.param("bias", bias, channel),
            eps,
        )

    return like(x, x.dims, build)


def require_constant(call: Call, *tensors: Any) -> None:
    if any(call.value_of(t) is not None for t in tensors):
        raise AxisError("a weight depends on the input")
