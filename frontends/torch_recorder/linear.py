"""Torch functions with weights: linear maps, convolutions, BatchNorm, average pooling."""

from typing import Any

import torch

from snncc.frontends.torch_recorder.axis_solver import AxisError, Dim
from snncc.frontends.torch_recorder.call import Call, Plan, like
from snncc.frontends.torch_recorder.shapes import same
from snncc.frontends.torch_recorder.steps import Naming, Value
from snncc.ir import Op
from snncc.ir import traced_ops as ops


def linear(call: Call) -> Plan:
    x, weight, bias = call.source(), call.arg(1, "weight"), call.arg(2, "bias")
    _require_constant(call, weight, bias)
    return _contract(call, x, len(x.dims) - 1, weight, bias, "f")


def matmul(call: Call) -> Plan:
    """Gives x @ W with a constant matrix; a product of two values has no handler."""
    x, weight = call.source(), call.arg(1, "other", call.kwargs.get("mat2"))
    _require_constant(call, weight)
    if weight.dim() != 2:
        raise AxisError("a product with a constant that is no matrix")
    return _contract(call, x, len(x.dims) - 1, weight.t(), None, "f")


def _contract(
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
        raise AxisError("a linear map reads a dimension of length 1 that has no meaning")
    out: Dim = (call.solver.atom(stem, weight.shape[0]),)

    def build(n: Naming) -> Op:
        return ops.Linear(
            n.param("weight", weight, out, into),
            n.axes(into),
            n.axes(out),
            None if bias is None else n.param("bias", bias, out),
        )

    return like(x, (*x.dims[:dim], out, *x.dims[dim + 1 :]), build)


def conv2d(call: Call) -> Plan:
    x, weight, bias = call.source(), call.arg(1, "weight"), call.arg(2, "bias")
    _require_constant(call, weight, bias)
    stride, padding, dilation = (
        _pair(call.arg(i, n, d))
        for i, n, d in ((3, "stride", 1), (4, "padding", 0), (5, "dilation", 1))
    )
    groups = int(call.arg(6, "groups", 1))
    if len(x.dims) != 4:
        raise AxisError("a convolution without a batch")
    pointwise = tuple(weight.shape[2:]) == (1, 1) and padding == (0, 0)
    if pointwise and stride == (1, 1) and groups == 1:
        return _contract(call, x, 1, weight[:, :, 0, 0], bias, "c")
    atom = call.solver.atom
    channel: Dim = (atom("c", weight.shape[0]),)
    height: Dim = (atom("h", int(call.out.shape[2])),)
    width: Dim = (atom("w", int(call.out.shape[3])),)

    def build(n: Naming) -> Op:
        return ops.Conv(
            n.raw("weight", weight, ("out", "in", "kh", "kw")),
            n.single(x.dims[1]),
            n.single(x.dims[2]),
            n.single(x.dims[3]),
            n.single(channel),
            n.single(height),
            n.single(width),
            None if bias is None else n.param("bias", bias, channel),
            stride,
            padding,
            dilation,
            groups,
        )

    return like(x, (x.dims[0], channel, height, width), build)


def conv1d(call: Call) -> Plan:
    """Only kernels of length 1: they are linear maps over the channel."""
    x, weight, bias = call.source(), call.arg(1, "weight"), call.arg(2, "bias")
    _require_constant(call, weight, bias)
    one = (_first(call.arg(3, "stride", 1)), _first(call.arg(4, "padding", 0)))
    if weight.shape[2] != 1 or one != (1, 0) or call.arg(6, "groups", 1) != 1:
        raise AxisError("a one-dimensional convolution with a kernel longer than 1")
    return _contract(call, x, 1, weight[:, :, 0], bias, "c")


def batch_norm(call: Call) -> Plan:
    x = call.source()
    mean, var = call.arg(1, "running_mean"), call.arg(2, "running_var")
    weight, bias = call.arg(3, "weight"), call.arg(4, "bias")
    eps = float(call.arg(7, "eps", 1e-5))
    if mean is None or var is None or call.arg(5, "training", False):
        raise AxisError("a BatchNorm without running statistics")
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


def avg_pool2d(call: Call) -> Plan:
    """An average over windows is a depthwise convolution with equal weights."""
    x = call.source()
    kernel = _pair(call.arg(1, "kernel_size"))
    stride = _pair(call.arg(2, "stride") or kernel)
    padding = _pair(call.arg(3, "padding", 0))
    if call.arg(4, "ceil_mode", False) or call.arg(6, "divisor_override") is not None:
        raise AxisError("average pooling with ceil_mode or a divisor of its own")
    if padding != (0, 0) and not call.arg(5, "count_include_pad", True):
        raise AxisError("average pooling that does not count its padding")
    channels = int(call.out.shape[1])
    share = torch.full((channels, 1, *kernel), 1.0 / (kernel[0] * kernel[1]), dtype=torch.float64)
    plain = Call(
        call.solver,
        call.value_of,
        (call.args[0], share, None, stride, padding, 1, channels),
        {},
        call.out,
        call.time_atom,
    )
    if kernel == (1, 1) and stride == (1, 1):
        return same(call)
    sources, dims, build = conv2d(plain)
    call.solver.unify(dims[1], x.dims[1])
    return sources, dims, build


def adaptive_avg_pool2d(call: Call) -> Plan:
    x = call.source()
    size = _pair(call.arg(1, "output_size"))
    have = tuple(call.solver.length(call.solver.roots(d)) for d in x.dims[-2:])
    if size == have:
        return same(call)
    if size != (1, 1):
        raise AxisError("adaptive pooling to something between 1 and the whole image")
    gone = x.dims[-2:]
    return like(x, (*x.dims[:-2], (), ()), lambda n: ops.Mean(n.axes(*gone)))


def _require_constant(call: Call, *tensors: Any) -> None:
    if any(call.value_of(t) is not None for t in tensors):
        raise AxisError("a weight depends on the input")


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, str):
        raise AxisError(f"padding {value!r}")
    if isinstance(value, int):
        return value, value
    listed = [int(v) for v in value]
    return (listed[0], listed[-1])


def _first(value: Any) -> int:
    return int(value if isinstance(value, int) else value[0])
