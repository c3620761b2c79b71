"""Torch functions that average over windows, or take the largest of them."""

import torch

from snncc.frontends.torch_recorder.axis_solver import AxisError, Dim
from snncc.frontends.torch_recorder.calls.call import Call, Plan, like
from snncc.frontends.torch_recorder.calls.convolutions import Pair, convolution, pair
from snncc.frontends.torch_recorder.calls.moves import taken
from snncc.frontends.torch_recorder.calls.shapes import same
from snncc.frontends.torch_recorder.steps import Naming, Value
from snncc.ir.dialects import traced as ops
from snncc.ir.dialects.windows import Largest

MOST_WEIGHTS = 1 << 22
"""Of a map from all places of an image to all places of another."""


def avg_pool2d(call: Call) -> Plan:
    """An average over windows is a depthwise convolution with equal weights.

    Windows that hang over the image, or count their padding or not, have another share: then they
    are added up, and a factor for every place follows.
    """
    kernel = pair(call.arg(1, "kernel_size"))
    stride = pair(call.arg(2, "stride") or kernel)
    padding = pair(call.arg(3, "padding", 0))
    have = _image(call)
    size = (int(call.out.shape[-2]), int(call.out.shape[-1]))
    x, hang = call.source(), list[tuple[int, list[int]]]()
    for i in range(2):
        over = (size[i] - 1) * stride[i] + kernel[i] - have[i] - 2 * padding[i]
        if over > 0:  # a last window of ceil_mode: zeros behind, which have no share
            hang.append((2 + i, [*range(have[i]), *[-1] * over]))
    share = _shares(call, have, kernel, stride, padding, size)
    if len(x.dims) == 4 and hang:
        x = call.step(taken(call, x, hang))
    if (share == share[0, 0]).all():
        return _windows(call, x, kernel, stride, padding, float(share[0, 0]))
    total = call.step(_windows(call, x, kernel, stride, padding, 1.0))

    def build(n: Naming) -> ops.Scale:
        return ops.Scale(n.param("share", share, *total.dims[2:]))

    return like(total, total.dims, build)


def _shares(
    call: Call, have: Pair, kernel: Pair, stride: Pair, padding: Pair, size: Pair
) -> torch.Tensor:
    """[height, width] of the result: one element's share of a window, 1 / (whole number)."""
    ones = torch.ones(1, 1, *have, dtype=torch.float64)
    found = call.replay(ones)[0, 0]
    padded = torch.nn.functional.pad(ones, (padding[1], kernel[1] + 99, padding[0], kernel[0] + 99))
    whole = torch.nn.functional.conv2d(padded, torch.ones(1, 1, *kernel).double(), stride=stride)
    divisor = torch.round(whole[0, 0, : size[0], : size[1]] / found)
    return 1.0 / divisor


def adaptive_avg_pool2d(call: Call) -> Plan:
    """The whole image, windows of one size, or a map of each axis."""
    x, have = call.source(), _image(call)
    size = (int(call.out.shape[-2]), int(call.out.shape[-1]))
    if size == have:
        return same(call)
    if size == (1, 1):
        gone = x.dims[-2:]
        return like(x, (*x.dims[:-2], (), ()), lambda n: ops.Mean(n.axes(*gone)))
    if not (have[0] % size[0] or have[1] % size[1]):
        kernel = (have[0] // size[0], have[1] // size[1])
        return _windows(call, x, kernel, kernel, (0, 0), 1.0 / (kernel[0] * kernel[1]))
    rows, columns = (_adaptive(have[i], size[i]) for i in range(2))
    if rows.numel() * columns.numel() > MOST_WEIGHTS or () in x.dims[-2:]:
        raise AxisError(
            f"it makes {_by(size)} of {_by(have)} with windows of several sizes",
            "choose an output size that divides the image, or AvgPool2d",
        )
    over = x.dims[-2:]
    made = (call.solver.atom("h", size[0]),), (call.solver.atom("w", size[1]),)
    weight = torch.einsum("ah,bw->abhw", rows, columns)

    def build(n: Naming) -> ops.Linear:
        param = n.param("weight", weight, *made, *over)
        return ops.Linear(param, n.axes(*over), n.axes(*made))

    return like(x, (*x.dims[:-2], *made), build)


def _adaptive(have: int, made: int) -> torch.Tensor:
    """[made, have]: windows from floor(i * have / made) to ceil((i + 1) * have / made)."""
    weight = torch.zeros(made, have, dtype=torch.float64)
    for i in range(made):
        start, stop = i * have // made, -(-(i + 1) * have // made)
        weight[i, start:stop] = 1.0 / (stop - start)
    return weight


def _windows(call: Call, x: Value, kernel: Pair, stride: Pair, padding: Pair, share: float) -> Plan:
    if kernel == stride == (1, 1) and padding == (0, 0) and share == 1.0:
        return like(x, x.dims, None)
    if len(x.dims) != 4 or () in x.dims[2:]:
        raise AxisError(
            "it averages a value that is no batch of images",
            "give it [B, C, H, W] with a height and a width of its own",
        )
    channels = int(call.out.shape[1])
    weight = torch.full((channels, 1, *kernel), share, dtype=torch.float64)
    plan = convolution(call, x, weight, None, stride, padding, (1, 1), channels)
    sources, dims, build = plan
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


def max_pool(call: Call) -> Plan:
    """The largest of windows over the last one, two or three dimensions; `ceil_mode` is exact."""
    return _largest(call, _spatial(call))


def adaptive_max_pool(call: Call) -> Plan:
    """Windows of one size."""
    x, count = call.source(), _spatial(call)
    have = _lengths(call, x.dims[-count:])
    made = tuple(int(n) for n in call.out.shape[-count:])
    if any(size % part for size, part in zip(have, made, strict=True)):
        raise AxisError(
            f"it makes {_by(made)} of {_by(have)} with windows of several sizes",
            "choose an output size that divides the image, or MaxPool2d",
        )
    kernel = tuple(size // part for size, part in zip(have, made, strict=True))
    return _windows_of(call, kernel, kernel, (0,) * count, (1,) * count)


def _largest(call: Call, count: int) -> Plan:
    if call.arg(6, "return_indices", False):
        raise AxisError("it gives the places of the largest", "leave return_indices=False")
    kernel = _each(call.arg(1, "kernel_size"), count)
    stride = _each(call.arg(2, "stride") or kernel, count)
    padding, dilation = (
        _each(call.arg(at, name, default), count)
        for at, name, default in ((3, "padding", 0), (4, "dilation", 1))
    )
    return _windows_of(call, kernel, stride, padding, dilation)


def _windows_of(
    call: Call,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Plan:
    x, count = call.source(), len(kernel)
    over = x.dims[-count:]
    size = tuple(int(n) for n in call.out.shape[-count:])
    if any(call.solver.length(call.solver.roots(dim)) == 1 for dim in over):
        raise AxisError(
            "it takes the largest along a dimension of length 1",
            "leave it out, or pool over the other dimension alone",
        )
    made: tuple[Dim, ...] = tuple((call.solver.atom("p", n),) for n in size)

    def build(n: Naming) -> Largest:
        axes = tuple(n.single(dim) for dim in over)
        out = tuple(n.single(dim) for dim in made)
        return Largest(axes, out, size, kernel, stride, padding, dilation)

    return like(x, (*x.dims[:-count], *made), build)


def _spatial(call: Call) -> int:
    """How many dimensions have windows: all but the batch and the channels."""
    count = call.rank() - 2
    if not 1 <= count <= 3:
        raise AxisError("it pools a value without a batch", "give it [B, C, ...]")
    return count


def _lengths(call: Call, dims: tuple[Dim, ...]) -> tuple[int, ...]:
    return tuple(call.solver.length(call.solver.roots(dim)) for dim in dims)


def _each(value: int | tuple[int, ...], count: int) -> tuple[int, ...]:
    """One number a dimension, of what may be one for all."""
    listed = (value,) if isinstance(value, int) else tuple(int(v) for v in value)
    return listed * count if len(listed) == 1 else listed


def _by(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))


def _image(call: Call) -> Pair:
    height, width = (call.solver.length(call.solver.roots(d)) for d in call.source().dims[-2:])
    return height, width


def _one(value: int | tuple[int, ...]) -> int:
    return value if isinstance(value, int) else int(value[0])
