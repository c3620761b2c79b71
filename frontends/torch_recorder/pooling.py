"""Torch functions that average over windows."""

import torch

from snncc.frontends.torch_recorder.axis_solver import AxisError
from snncc.frontends.torch_recorder.call import Call, Plan, like
from snncc.frontends.torch_recorder.convolutions import Pair, conv2d, pair
from snncc.frontends.torch_recorder.shapes import same
from snncc.ir import traced_ops as ops


def avg_pool2d(call: Call) -> Plan:
    """An average over windows is a depthwise convolution with equal weights."""
    kernel = pair(call.arg(1, "kernel_size"))
    stride = pair(call.arg(2, "stride") or kernel)
    padding = pair(call.arg(3, "padding", 0))
    floor = tuple(
        (size + 2 * p - k) // s + 1
        for size, p, k, s in zip(_image(call), padding, kernel, stride, strict=True)
    )
    if call.arg(4, "ceil_mode", False) and floor != tuple(call.out.shape[-2:]):
        raise AxisError(
            "it averages over windows that the image cuts off (ceil_mode)",
            "choose kernel and stride such that whole windows cover the image",
        )
    divisor = call.arg(6, "divisor_override")
    if padding != (0, 0) and divisor is None and not call.arg(5, "count_include_pad", True):
        raise AxisError(
            "it does not count its padding, so a window at the border has another share",
            "leave count_include_pad=True, the default, or pool without padding",
        )
    return _windows(call, kernel, stride, padding, divisor or kernel[0] * kernel[1])


def adaptive_avg_pool2d(call: Call) -> Plan:
    """The whole image, or windows of one size."""
    x, have = call.source(), _image(call)
    size = (int(call.out.shape[-2]), int(call.out.shape[-1]))
    if size == have:
        return same(call)
    if size == (1, 1):
        gone = x.dims[-2:]
        return like(x, (*x.dims[:-2], (), ()), lambda n: ops.Mean(n.axes(*gone)))
    if have[0] % size[0] or have[1] % size[1]:
        raise AxisError(
            f"it makes {size[0]}x{size[1]} of {have[0]}x{have[1]} with windows of several sizes",
            "choose an output size that divides the image, or AvgPool2d",
        )
    kernel = (have[0] // size[0], have[1] // size[1])
    return _windows(call, kernel, kernel, (0, 0), kernel[0] * kernel[1])


def _windows(call: Call, kernel: Pair, stride: Pair, padding: Pair, divisor: int) -> Plan:
    if kernel == stride == (1, 1) and padding == (0, 0) and divisor == 1:
        return same(call)
    x = call.source()
    if len(x.dims) != 4 or () in x.dims[2:]:
        raise AxisError(
            "it averages a value that is no batch of images",
            "give it [B, C, H, W] with a height and a width of its own",
        )
    channels = int(call.out.shape[1])
    share = torch.full((channels, 1, *kernel), 1.0 / divisor, dtype=torch.float64)
    plain = Call(
        call.solver,
        call.value_of,
        (call.args[0], share, None, stride, padding, 1, channels),
        {},
        call.out,
        call.time_atom,
    )
    sources, dims, build = conv2d(plain)
    call.solver.unify(dims[1], x.dims[1])
    return sources, dims, build


def avg_pool1d(call: Call) -> Plan:
    """Windows side by side, as a vote of neurons: each is an axis of its own, averaged."""
    x = call.source()
    kernel = _one(call.arg(1, "kernel_size"))
    stride = _one(call.arg(2, "stride") or kernel)
    length = call.solver.length(call.solver.roots(x.dims[-1]))
    if stride != kernel or length % kernel or _one(call.arg(3, "padding", 0)):
        raise AxisError(
            f"its windows of {kernel}, {stride} apart, do not lie side by side over {length}",
            "let stride and kernel be the same, dividing the length, without padding",
        )
    kept, gone = call.solver.reshape([x.dims[-1]], (length // kernel, kernel))
    return like(x, (*x.dims[:-1], kept), lambda n: ops.Mean(n.axes(gone)))


def _image(call: Call) -> Pair:
    height, width = (call.solver.length(call.solver.roots(d)) for d in call.source().dims[-2:])
    return height, width


def _one(value: int | tuple[int, ...]) -> int:
    return value if isinstance(value, int) else int(value[0])
