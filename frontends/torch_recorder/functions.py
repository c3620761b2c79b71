"""Handlers for torch functions: what each does to dimensions, and the op that says so."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from snncc.frontends.torch_recorder.axis_solver import AxisError, AxisSolver, Dim
from snncc.frontends.torch_recorder.steps import Build, Naming, Value
from snncc.ir import Op
from snncc.ir import traced_ops as ops

Plan = tuple[tuple[Value, ...], tuple[Dim, ...], Build | None]
"""Sources, dimensions of the result, and how to build the op; None: the same elements."""


class Call:
    """One recorded call with its arguments."""

    def __init__(
        self,
        solver: AxisSolver,
        value_of: Callable[[Any], Value | None],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        out: torch.Tensor,
        time_atom: int,
    ) -> None:
        self.solver = solver
        self.value_of = value_of
        self.args = args
        self.kwargs = kwargs
        self.out = out
        self.time_atom = time_atom

    def arg(self, position: int, name: str, default: Any = None) -> Any:
        if len(self.args) > position:
            return self.args[position]
        return self.kwargs.get(name, default)

    def source(self, position: int = 0, name: str = "input") -> Value:
        """The value of an argument. Raises AxisError when it does not depend on the input."""
        value = self.value_of(self.arg(position, name))
        if value is None:
            raise AxisError("the first argument does not depend on the input")
        return value

    def rank(self) -> int:
        return len(self.source().dims)

    def dim_list(self, value: Any) -> tuple[int, ...]:
        rank = self.rank()
        if value is None:
            return tuple(range(rank))
        listed = (value,) if isinstance(value, int) else tuple(value)
        return tuple(d % rank for d in listed)


def _like(x: Value, dims: tuple[Dim, ...], build: Build | None) -> Plan:
    return (x,), dims, build


def same(call: Call) -> Plan:
    x = call.source()
    return _like(x, x.dims, None)


def reshape(call: Call) -> Plan:
    x = call.source()
    return _like(x, call.solver.reshape(x.dims, tuple(call.out.shape)), None)


def flatten(call: Call) -> Plan:
    x = call.source()
    rank = len(x.dims)
    start = call.arg(1, "start_dim", 0) % rank
    end = call.arg(2, "end_dim", -1) % rank
    merged: Dim = tuple(a for d in x.dims[start : end + 1] for a in d)
    return _like(x, (*x.dims[:start], merged, *x.dims[end + 1 :]), None)


def unflatten(call: Call) -> Plan:
    x = call.source()
    dim = call.arg(1, "dim") % len(x.dims)
    added = len(call.out.shape) - len(x.dims) + 1
    parts = call.solver.reshape([x.dims[dim]], tuple(call.out.shape[dim : dim + added]))
    return _like(x, (*x.dims[:dim], *parts, *x.dims[dim + 1 :]), None)


def unsqueeze(call: Call) -> Plan:
    x = call.source()
    dim = call.arg(1, "dim") % (len(x.dims) + 1)
    return _like(x, (*x.dims[:dim], (), *x.dims[dim:]), None)


def squeeze(call: Call) -> Plan:
    """A dropped dimension that is a genuine axis of length 1 moves to its neighbour."""
    x = call.source()
    shape = [call.solver.length(call.solver.roots(d)) for d in x.dims]
    wanted = call.arg(1, "dim")
    chosen = call.dim_list(wanted) if wanted is not None else tuple(range(len(shape)))
    dims: list[Dim] = []
    held: Dim = ()
    for i, d in enumerate(x.dims):
        if i in chosen and shape[i] == 1:
            if dims:
                dims[-1] = (*dims[-1], *d)
            else:
                held = (*held, *d)
        else:
            dims.append((*held, *d))
            held = ()
    return _like(x, tuple(dims), None)


def _reorder(call: Call, order: Sequence[int]) -> Plan:
    x = call.source()
    dims = tuple(x.dims[i] for i in order)
    return _like(x, dims, lambda n: ops.Rearrange(n.axes(*dims)))


def permute(call: Call) -> Plan:
    given = call.args[1:] if len(call.args) > 2 else (call.arg(1, "dims"),)
    order = given[0] if len(given) == 1 and not isinstance(given[0], int) else given
    return _reorder(call, [int(i) % call.rank() for i in order])


def transpose(call: Call) -> Plan:
    rank = call.rank()
    order = list(range(rank))
    i, j = call.arg(1, "dim0") % rank, call.arg(2, "dim1") % rank
    order[i], order[j] = j, i
    return _reorder(call, order)


def transpose_last(call: Call) -> Plan:
    rank = call.rank()
    return _reorder(call, [*range(rank - 2), rank - 1, rank - 2])


def movedim(call: Call) -> Plan:
    rank = call.rank()
    source = list(call.dim_list(call.arg(1, "source")))
    target = list(call.dim_list(call.arg(2, "destination")))
    rest = iter(i for i in range(rank) if i not in source)
    place = dict(zip(target, source, strict=True))
    return _reorder(call, [place[i] if i in place else next(rest) for i in range(rank)])


def expand(call: Call) -> Plan:
    """Only a repetition over the time steps is known; any other repeats data in space."""
    x = call.source()
    lead = len(call.out.shape) - len(x.dims)
    dims: list[Dim] = [*(() for _ in range(lead)), *x.dims]
    grown = [
        i
        for i, d in enumerate(dims)
        if call.solver.length(call.solver.roots(d)) != call.out.shape[i]
    ]
    if not grown:
        return _like(x, tuple(dims), None)
    at = grown[0]
    time = call.time_atom
    if len(grown) > 1 or dims[at] != () or call.out.shape[at] != call.solver.size(time):
        raise AxisError("only a repetition over the time steps can be followed")
    if any(time in call.solver.roots(d) for d in dims):
        raise AxisError("a value that has a time axis is repeated")
    dims[at] = (time,)
    if at == 0 or all(d == () for d in dims[:at]):
        return _like(x, tuple(dims), lambda n: ops.Repeat())
    raise AxisError("time steps are repeated behind another dimension")


def concat(call: Call) -> Plan:
    tensors = call.arg(0, "tensors")
    values = [call.value_of(t) for t in tensors]
    sources = tuple(v for v in values if v is not None)
    if len(sources) != len(values):
        raise AxisError("a constant is concatenated with values")
    rank = len(sources[0].dims)
    dim = (call.arg(1, "dim", call.kwargs.get("axis", 0)) or 0) % rank
    for other in sources[1:]:
        for i in range(rank):
            if i != dim:
                call.solver.unify(sources[0].dims[i], other.dims[i])
    mains = [_main_atom(call, s.dims[dim]) for s in sources]
    joined = call.solver.atom("c", int(call.out.shape[dim]))
    lead = call.solver.roots(sources[0].dims[dim])
    place = tuple(joined if atom == mains[0] else atom for atom in lead)
    dims = (*sources[0].dims[:dim], place, *sources[0].dims[dim + 1 :])

    def build(n: Naming) -> Op:
        return ops.TracedConcat(tuple(n.single((m,)) for m in mains), n.single((joined,)))

    return sources, dims, build


def _main_atom(call: Call, dim: Dim) -> int:
    """The axis that a dimension stands for; axes of length 1 may have been merged into it."""
    roots = call.solver.roots(dim)
    long = [a for a in roots if call.solver.size(a) > 1] or list(roots[-1:])
    if len(long) != 1:
        raise AxisError("a dimension made of several axes is concatenated")
    return long[0]


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

    return _like(x, (*x.dims[:dim], out, *x.dims[dim + 1 :]), build)


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

    return _like(x, (x.dims[0], channel, height, width), build)


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

    return _like(x, x.dims, build)


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
    return _like(x, (*x.dims[:-2], (), ()), lambda n: ops.Mean(n.axes(*gone)))


def _reduction(op: Callable[[tuple[str, ...]], Op]) -> Callable[[Call], Plan]:
    def handler(call: Call) -> Plan:
        x = call.source()
        gone = call.dim_list(call.arg(1, "dim", call.kwargs.get("axis")))
        lost = tuple(x.dims[i] for i in gone)
        keep = len(call.out.shape) == len(x.dims)
        dims = tuple(() if i in gone else d for i, d in enumerate(x.dims) if keep or i not in gone)
        return _like(x, dims, lambda n: op(n.axes(*lost)))

    return handler


def add(call: Call) -> Plan:
    if call.kwargs.get("alpha", 1) != 1:
        raise AxisError("an add with alpha")
    a, b = call.arg(0, "input"), call.arg(1, "other")
    x, y = call.value_of(a), call.value_of(b)
    if x is not None and y is not None:
        return (x, y), _broadcast(call, x, y), lambda n: ops.Add()
    value, constant = (x, b) if x is not None else (y, a)
    return _scale(call, value, None, constant, 1.0)


def sub(call: Call) -> Plan:
    a, b = call.arg(0, "input"), call.arg(1, "other")
    x, y = call.value_of(a), call.value_of(b)
    if (x is not None and y is not None) or call.kwargs.get("alpha", 1) != 1:
        raise AxisError("a difference of two values")
    if x is not None:
        return _scale(call, x, None, b, -1.0)
    return _scale(call, y, -1.0, a, 1.0)


def mul(call: Call) -> Plan:
    a, b = call.arg(0, "input"), call.arg(1, "other")
    x, y = call.value_of(a), call.value_of(b)
    if x is not None and y is not None:
        raise AxisError("a product of two values")
    value, constant = (x, b) if x is not None else (y, a)
    return _scale(call, value, constant, None, 1.0)


def div(call: Call) -> Plan:
    x, divisor = call.value_of(call.arg(0, "input")), call.arg(1, "other")
    if x is None or call.value_of(divisor) is not None or call.kwargs.get("rounding_mode"):
        raise AxisError("a division by a value")
    inverse = 1.0 / divisor.double() if isinstance(divisor, torch.Tensor) else 1.0 / divisor
    return _scale(call, x, inverse, None, 1.0)


def neg(call: Call) -> Plan:
    return _scale(call, call.source(), -1.0, None, 1.0)


def _scale(call: Call, x: Value | None, scale: Any, offset: Any, sign: float) -> Plan:
    if x is None:
        raise AxisError("neither argument depends on the input")
    value = x
    dims = _broadcast_constant(call, value, scale if offset is None else offset)

    def build(n: Naming) -> Op:
        return ops.Scale(
            None if scale is None else _over(n, "scale", scale, value, 1.0),
            None if offset is None else _over(n, "offset", offset, value, sign),
        )

    return _like(value, dims, build)


def _over(n: Naming, what: str, constant: Any, x: Value, sign: float) -> Any:
    """A constant over those dimensions along which it varies."""
    tensor = torch.as_tensor(constant, dtype=torch.float64) * sign
    kept = [i for i in range(-tensor.dim(), 0) if tensor.shape[i] != 1]
    return n.param(what, tensor, *(x.dims[i] for i in kept))


def _broadcast_constant(call: Call, x: Value, constant: Any) -> tuple[Dim, ...]:
    shape = tuple(constant.shape) if isinstance(constant, torch.Tensor) else ()
    if tuple(call.out.shape) != tuple(
        call.solver.length(call.solver.roots(d)) for d in x.dims
    ) or len(shape) > len(x.dims):
        raise AxisError("a constant makes a value larger")
    return x.dims


def _broadcast(call: Call, x: Value, y: Value) -> tuple[Dim, ...]:
    rank = max(len(x.dims), len(y.dims))
    left: list[Dim] = [*(() for _ in range(rank - len(x.dims))), *x.dims]
    right: list[Dim] = [*(() for _ in range(rank - len(y.dims))), *y.dims]
    dims: list[Dim] = []
    for a, b in zip(left, right, strict=True):
        if a and b:
            call.solver.unify(a, b)
        dims.append(a or b)
    return tuple(dims)


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


_GROUPS: dict[Callable[[Call], Plan], str] = {
    same: "contiguous clone detach to float double type identity dropout dropout1d dropout2d "
    "alpha_dropout feature_dropout type_as",
    reshape: "reshape view reshape_as view_as",
    flatten: "flatten ravel",
    unflatten: "unflatten",
    unsqueeze: "unsqueeze",
    squeeze: "squeeze",
    permute: "permute",
    transpose: "transpose swapaxes swapdims",
    transpose_last: "T mT t",
    movedim: "movedim moveaxis",
    expand: "expand repeat expand_as",
    concat: "cat concat concatenate",
    linear: "linear",
    matmul: "matmul mm",
    conv2d: "conv2d",
    conv1d: "conv1d",
    batch_norm: "batch_norm",
    avg_pool2d: "avg_pool2d",
    adaptive_avg_pool2d: "adaptive_avg_pool2d",
    _reduction(ops.Mean): "mean",
    _reduction(ops.Total): "sum",
    add: "add iadd radd",
    sub: "sub isub subtract rsub",
    mul: "mul imul rmul multiply",
    div: "div idiv truediv itruediv divide true_divide",
    neg: "neg negative",
}
HANDLERS: dict[str, Callable[[Call], Plan]] = {
    name: handler for handler, names in _GROUPS.items() for name in names.split()
}
