"""Convolutions."""

from typing import Any

import torch

from snncc.frontends.torch_recorder.axis_solver import AxisError, Dim
from snncc.frontends.torch_recorder.calls.call import Call, Plan, like
from snncc.frontends.torch_recorder.calls.linear import contract, require_constant
from snncc.frontends.torch_recorder.calls.moves import taken
from snncc.frontends.torch_recorder.steps import Naming, Value
from snncc.ir import Op
from snncc.ir.dialects import traced as ops

Pair = tuple[int, int]
_AS_CONV2D = "write it as a Conv2d with kernel (1, k) on images of height 1"


def conv2d(call: Call) -> Plan:
    x, weight, bias = call.source(), call.arg(1, "weight"), call.arg(2, "bias")
    require_constant(call, weight, bias)
    stride, dilation = (pair(call.arg(i, n, 1)) for i, n in ((3, "stride"), (5, "dilation")))
    weight, padding, dilation = _padded(weight, call.arg(4, "padding", 0), dilation)
    groups = int(call.arg(6, "groups", 1))
    if len(x.dims) != 4:
        raise AxisError("a convolution without a batch", "give it [B, C, H, W]")
    pointwise = tuple(weight.shape[2:]) == (1, 1) and padding == (0, 0)
    if pointwise and stride == (1, 1) and groups == 1:
        return contract(call, x, 1, weight[:, :, 0, 0], bias, "c")
    if x.dims[2] == x.dims[3] == ():
        tap = _only_tap(call, weight, padding, dilation)
        return contract(call, x, 1, _ungrouped(tap, groups), bias, "c")
    if () in (x.dims[2], x.dims[3]):
        raise AxisError(
            "it reads a height or width of length 1 that an unsqueeze or a kept mean has made",
            "give the image that dimension itself, or use a linear map",
        )
    return convolution(call, x, weight, bias, stride, padding, dilation, groups)


def convolution(
    call: Call,
    x: Value,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Plan:
    """Of [batch, channels, height, width], each an axis; its result has the call's size."""
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


def conv_transpose2d(call: Call) -> Plan:
    """A convolution of what stands apart by zeros, with the kernel turned round."""
    x, weight, bias = call.source(), call.arg(1, "weight"), call.arg(2, "bias")
    require_constant(call, weight, bias)
    stride, padding, more, dilation = (
        pair(call.arg(at, name, default))
        for at, name, default in (
            (3, "stride", 1),
            (4, "padding", 0),
            (5, "output_padding", 0),
            (7, "dilation", 1),
        )
    )
    groups = int(call.arg(6, "groups", 1))
    if len(x.dims) != 4:
        raise AxisError("a convolution without a batch", "give it [B, C, H, W]")
    have = [call.solver.length(call.solver.roots(dim)) for dim in x.dims[2:]]
    indices = [
        _apart(have[i], stride[i], dilation[i] * (weight.shape[2 + i] - 1) - padding[i], more[i])
        for i in range(2)
    ]
    apart = call.step(taken(call, x, [(2, indices[0]), (3, indices[1])]))
    inputs, outputs = weight.shape[:2]
    by_group = weight.reshape(groups, inputs // groups, outputs, *weight.shape[2:]).transpose(1, 2)
    turned = by_group.reshape(groups * outputs, inputs // groups, *weight.shape[2:]).flip(2, 3)
    return convolution(call, apart, turned, bias, (1, 1), (0, 0), dilation, groups)


def _apart(size: int, stride: int, around: int, more: int) -> list[int]:
    """Which element stands where, -1 for a zero: apart by the stride, with zeros around or cut."""
    index = [-1] * ((size - 1) * stride + 1)
    index[::stride] = range(size)
    if around >= 0:
        return [*[-1] * around, *index, *[-1] * (around + more)]
    padded = [*index, *[-1] * more]
    return padded[-around : len(padded) + around]


def _padded(weight: torch.Tensor, padding: Any, dilation: Pair) -> tuple[torch.Tensor, Pair, Pair]:
    """Weight, padding and dilation with padding in numbers, alike on both sides.

    "same" pads dilation * (kernel - 1) in all, the odd one behind, as torch does: padding one more
    in front and a zero tap there is the same. Taps that are dilated stand apart by zeros then.
    """
    if padding == "valid":
        return weight, (0, 0), dilation
    if padding != "same":
        return weight, pair(padding), dilation
    totals = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    if any(total % 2 for total in totals):
        kernel = [total + 1 for total in totals]
        spread = weight.new_zeros(*weight.shape[:2], *kernel)
        spread[:, :, :: dilation[0], :: dilation[1]] = weight
        odd = [total % 2 for total in totals]
        weight = torch.nn.functional.pad(spread, (odd[1], 0, odd[0], 0))
        dilation = (1, 1)
    return weight, (-(-totals[0] // 2), -(-totals[1] // 2)), dilation


def _only_tap(call: Call, weight: torch.Tensor, padding: Pair, dilation: Pair) -> torch.Tensor:
    """What a convolution of one pixel multiplies it with: the tap that meets it.

    Raises:
        AxisError: the result has more than one pixel.
    """
    if tuple(call.out.shape[2:]) != (1, 1):
        raise AxisError(
            "it makes several pixels of one, by its padding",
            "use a linear map, or a convolution whose padding is half its kernel",
        )
    tap = weight
    for pad, step in zip(padding, dilation, strict=True):
        at, apart = divmod(pad, step)
        tap = tap[:, :, at] if not apart and at < tap.shape[2] else torch.zeros_like(tap[:, :, 0])
    return tap


def _ungrouped(weight: torch.Tensor, groups: int) -> torch.Tensor:
    """The matrix (out, in) of a grouped map, with zeros between its groups."""
    outputs, inputs = weight.shape[0] // groups, weight.shape[1]
    matrix = weight.new_zeros(weight.shape[0], inputs * groups)
    for i in range(groups):
        rows = slice(i * outputs, (i + 1) * outputs)
        matrix[rows, i * inputs : (i + 1) * inputs] = weight[rows]
    return matrix


def conv1d(call: Call) -> Plan:
    """Only kernels of length 1: they are linear maps over the channel."""
    x, weight, bias = call.source(), call.arg(1, "weight"), call.arg(2, "bias")
    require_constant(call, weight, bias)
    padding, stride = call.arg(4, "padding", 0), _first(call.arg(3, "stride", 1))
    pad = 0 if padding in ("same", "valid") else _first(padding)
    if weight.shape[2] != 1:
        raise AxisError(
            f"a one-dimensional convolution with a kernel of length {weight.shape[2]}", _AS_CONV2D
        )
    if stride != 1 or pad != 0:
        raise AxisError(
            f"a one-dimensional convolution with stride {stride} and padding {pad}", _AS_CONV2D
        )
    matrix = _ungrouped(weight[:, :, 0], int(call.arg(6, "groups", 1)))
    return contract(call, x, 1, matrix, bias, "c")


def pair(value: Any) -> Pair:
    """Height and width of what may be one number for both."""
    if isinstance(value, int):
        return value, value
    listed = [int(v) for v in value]
    return (listed[0], listed[-1])


def _first(value: Any) -> int:
    return int(value if isinstance(value, int) else value[0])
