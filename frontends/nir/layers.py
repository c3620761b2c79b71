"""Nodes without a membrane as ops of the traced dialect: maps, windows, scales, reshapes."""

from collections.abc import Callable

import numpy as np

from snncc.frontends.nir.records import FROM_WRITER, INVALID, NO_FORM, NirNode, Real, Refused
from snncc.frontends.nir.values import Naming, Steps, Value
from snncc.ir import Op
from snncc.ir.dialects import traced

Pair = tuple[int, int]
Layer = Callable[[Steps, NirNode, Value], Value]
MOST_GROUPED = 1 << 22
"""Weights of what becomes a convolution that the file does not hold: pools, spread kernels."""


def linear(steps: Steps, node: NirNode, x: Value) -> Value:
    """Affine and Linear: y = W x + b over the last dimension, which may be a flattened image."""
    weight = node.real("weight")
    if weight.ndim != 2:
        told = f"{node.title} has a weight of shape {list(weight.shape)}: several maps side by side"
        raise Refused(node.finding(NO_FORM, told, help="write one Linear for each"))
    require_shape(node, steps.shape(x), (weight.shape[1],))
    into, out = x.dims[0], steps.atom("f", weight.shape[0])
    bias = node.real("bias") if node.kind == "Affine" else None

    def build(n: Naming) -> Op:
        return traced.Linear(
            n.param("weight", weight, out, into),
            n.axes(into),
            n.axes(out),
            None if bias is None or not bias.any() else n.param("bias", bias, out),
        )

    return steps.add(node.name, (x,), (out,), build, node.loc)


def scale(steps: Steps, node: NirNode, x: Value) -> Value:
    """Every element times a constant."""
    factor = by_neuron(steps, node, x, node.real("scale"))

    def build(n: Naming) -> Op:
        return traced.Scale(n.compact("scale", factor, *x.dims))

    made = steps.add(node.name, (x,), x.dims, build, node.loc)
    if x.step in steps.pictures:
        steps.pictures.add(made.step)
    return made


def conv2d(steps: Steps, node: NirNode, x: Value) -> Value:
    """A convolution of (channels, height, width)."""
    _require_rank(node, steps.shape(x), 3)
    image = steps.shape(x)[1:]
    require_input_shape(node, image)
    return _convolution(
        steps,
        node,
        x,
        node.real("weight"),
        _pair(node, "stride"),
        _pair(node, "dilation"),
        (image[0], image[1]),
    )


def conv1d(steps: Steps, node: NirNode, x: Value) -> Value:
    """A convolution of (channels, width), which stands as an image of height 1."""
    _require_rank(node, steps.shape(x), 2)
    require_input_shape(node, steps.shape(x)[1:])
    atoms = steps.solver.roots(x.dims[1])
    if len(atoms) != 2 or steps.solver.size(atoms[0]) != 1:
        why = "a one-dimensional convolution reads the Input, or what other ones make of it"
        raise Refused(node.finding(NO_FORM, f"{node.title} reads a value of another kind", why))
    whole = Value(x.step, (x.dims[0], (atoms[0],), (atoms[1],)))
    stride, dilation = node.whole("stride")[0], node.whole("dilation")[0]
    weight = node.real("weight")[:, :, None, :]
    size = (1, steps.solver.size(atoms[1]))
    made = _convolution(steps, node, whole, weight, (1, stride), (1, dilation), size)
    return Value(made.step, (made.dims[0], (*made.dims[1], *made.dims[2])))


def _convolution(
    steps: Steps,
    node: NirNode,
    x: Value,
    weight: Real,
    stride: Pair,
    dilation: Pair,
    image: Pair,
) -> Value:
    groups = node.whole("groups")[0]
    channels = steps.shape(x)[0]
    if weight.shape[1] * groups != channels:
        told = f"{node.title} reads {weight.shape[1] * groups} channels, and gets {channels}"
        raise Refused(node.finding(INVALID, told, help=FROM_WRITER))
    weight, padding, dilation = _padded(node, weight, dilation)
    bias = node.real("bias")
    return convolution(steps, node, x, weight, bias, (stride, padding, dilation), groups, image)


def _padded(node: NirNode, weight: Real, dilation: Pair) -> tuple[Real, Pair, Pair]:
    """Weight, padding and dilation with padding in numbers, alike on both sides.

    "same" pads dilation * (kernel - 1) in all, the odd one behind, as torch does: padding one more
    in front and a zero tap there is the same. Taps that are dilated stand apart by zeros then.
    """
    given = node.text("padding")
    if given == "valid":
        return weight, (0, 0), dilation
    if given != "same":
        pads = node.whole("padding")
        return weight, (0, pads[0]) if node.kind == "Conv1d" else (pads[0], pads[-1]), dilation
    totals = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    odd = [total % 2 for total in totals]
    if any(odd):
        kernel = [total + 1 + more for total, more in zip(totals, odd, strict=True)]
        if weight.shape[0] * weight.shape[1] * kernel[0] * kernel[1] > MOST_GROUPED:
            told = f"{node.title} has a kernel that spans {kernel[0]}x{kernel[1]}"
            why = "padding 'same' of an odd width stands as a kernel with zeros, which is too large"
            raise Refused(node.finding(NO_FORM, told, why, "give its padding as numbers"))
        apart = np.zeros((*weight.shape[:2], *kernel))
        apart[:, :, odd[0] :: dilation[0], odd[1] :: dilation[1]] = weight
        weight, dilation = apart, (1, 1)
    return weight, (-(-totals[0] // 2), -(-totals[1] // 2)), dilation


def convolution(
    steps: Steps,
    node: NirNode,
    x: Value,
    weight: Real,
    bias: Real | None,
    geometry: tuple[Pair, Pair, Pair],
    groups: int,
    image: Pair,
) -> Value:
    """A convolution over three dimensions, each one axis, with stride, padding and dilation."""
    sizes = [
        (have + 2 * pad - apart * (kernel - 1) - 1) // stride + 1
        for have, stride, pad, apart, kernel in zip(image, *geometry, weight.shape[2:], strict=True)
    ]
    if min(sizes) < 1:
        told = f"{node.title} has a kernel larger than its image {list(image)}"
        raise Refused(node.finding(INVALID, told, help=FROM_WRITER))
    made = (steps.atom("c", weight.shape[0]), steps.atom("h", sizes[0]), steps.atom("w", sizes[1]))

    def build(n: Naming) -> Op:
        return traced.Conv(
            n.raw("weight", weight, ("out", "in", "kh", "kw")),
            n.single(x.dims[0]),
            n.single(x.dims[1]),
            n.single(x.dims[2]),
            n.single(made[0]),
            n.single(made[1]),
            n.single(made[2]),
            None if bias is None or not bias.any() else n.param("bias", bias, made[0]),
            *geometry,
            groups,
        )

    return steps.add(node.name, (x,), made, build, node.loc)


def pool(steps: Steps, node: NirNode, x: Value) -> Value:
    """Sums or means over windows; zeros of the padding count, as torch counts them."""
    shape = steps.shape(x)
    _require_rank(node, shape, 3)
    kernel = _pair(node, "kernel_size")
    size = kernel[0] * kernel[1]
    if shape[0] * size > MOST_GROUPED:
        told = f"{node.title} has {kernel[0]}x{kernel[1]} windows of {shape[0]} channels"
        raise Refused(node.finding(NO_FORM, told, "they are too large", "make smaller windows"))
    share = 1.0 if node.kind == "SumPool2d" else 1.0 / size
    weight = np.full((shape[0], 1, *kernel), share)
    geometry = (_pair(node, "stride"), _pair(node, "padding"), (1, 1))
    made = convolution(steps, node, x, weight, None, geometry, shape[0], (shape[1], shape[2]))
    steps.solver.unify(made.dims[0], x.dims[0])
    return made


def flatten(steps: Steps, node: NirNode, x: Value) -> Value:
    """Dimensions start_dim to end_dim become one; elements stay where they are."""
    rank = len(x.dims)
    ends = [node.whole(name)[0] for name in ("start_dim", "end_dim")]
    start, end = (each + rank if each < 0 else each for each in ends)
    if not 0 <= start <= end < rank:
        shape = list(steps.shape(x))
        why = "dimensions are counted from 0, without a batch"
        told = f"{node.title} joins dimensions {ends[0]} to {ends[1]} of {shape}"
        raise Refused(node.finding(INVALID, told, why, FROM_WRITER))
    if "input_type" in node.fields:
        require_shape(node, steps.shape(x), node.whole("input_type"))
    merged = tuple(atom for dim in x.dims[start : end + 1] for atom in dim)
    return Value(x.step, (*x.dims[:start], merged, *x.dims[end + 1 :]))


def by_neuron(steps: Steps, node: NirNode, x: Value, array: Real) -> Real:
    """An array over all elements of a value, or of shape () where all are the same.

    Raises:
        Refused: it is of another shape.
    """
    shape = steps.shape(x)
    if array.size == 1:
        return np.broadcast_to(array.reshape(()), shape)
    if _without_ones(array.shape) != _without_ones(shape):
        told = f"{node.title} is of shape {list(array.shape)}, and reads a value of {list(shape)}"
        raise Refused(node.finding(INVALID, told, help=FROM_WRITER))
    return array.reshape(shape)


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def require_shape(node: NirNode, have: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    """Raises Refused: the value that a node reads is of another shape."""
    if have != wanted:
        told = f"{node.title} reads values of {list(wanted)}, and gets one of {list(have)}"
        raise Refused(node.finding(INVALID, told, help=FROM_WRITER))


def require_input_shape(node: NirNode, image: tuple[int, ...]) -> None:
    """Raises Refused: a convolution says that its image is of another size."""
    if "input_shape" in node.fields:
        said = node.whole("input_shape")
        if said != image and (len(said) != 1 or set(image) != {said[0]}):
            told = f"{node.title} is for images of {list(said)}, and gets {list(image)}"
            raise Refused(node.finding(INVALID, told, help=FROM_WRITER))


def _require_rank(node: NirNode, shape: tuple[int, ...], rank: int) -> None:
    if len(shape) != rank:
        told = f"{node.title} reads a value of {list(shape)}, which has not {rank} dimensions"
        raise Refused(node.finding(INVALID, told, help=FROM_WRITER))


def _pair(node: NirNode, name: str) -> Pair:
    values = node.whole(name)
    return values[0], values[-1]


LAYERS: dict[str, Layer] = {
    "Affine": linear,
    "Linear": linear,
    "Scale": scale,
    "Conv1d": conv1d,
    "Conv2d": conv2d,
    "SumPool2d": pool,
    "AvgPool2d": pool,
    "Flatten": flatten,
}
"""By type of node."""
