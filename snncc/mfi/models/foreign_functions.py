"""Torch functions that no pass lowers: what each needs, and the domain of its result.

One handler gives both, so that the two cannot disagree. A function without a handler needs an
unknown amount of arithmetic: level `none`.
"""

from collections.abc import Callable, Mapping

from snncc.ir.dialects.traced import COMPLEX
from snncc.mfi.ladder import Level
from snncc.mfi.models import domains as d
from snncc.mfi.models.domains import BIT, Domain, Values
from snncc.mfi.models.foreign_products import (
    SPIKES_INSTEAD,
    Operands,
    Result,
    anywhere,
    product,
    scaled,
    weights,
)
from snncc.mfi.rules import UNKNOWN, Need


def judge(operands: Operands) -> Result:
    """The domain and the need of one foreign node."""
    name = operands.op.function.partition(":")[0]
    if name.startswith(f"{COMPLEX} "):
        return d.ANY_REAL, Need(
            Level.NONE,
            UNKNOWN,
            reason=f"not judged: {name.removeprefix(f'{COMPLEX} ')} computes with complex numbers, "
            "and the ladder is about real ones",
            help="write the real and the imaginary part as two values",
        )
    handler = FUNCTIONS.get(name)
    if handler is not None:
        result, need = handler(operands)
        mixed = operands.op.constants and handler not in (_comparison, _logic)
        return (anywhere(result) if mixed else result), need
    return d.ANY_REAL, Need(
        Level.NONE,
        UNKNOWN,
        reason=f"nothing is known about {name}",
        help="write it with linear maps, convolutions, BatchNorm, adds and spiking neurons",
    )


# Sums, selections, logic.


def _sum(operands: Operands) -> Result:
    if "alpha" in operands.op.function:
        return scaled(operands)
    result = d.total(operands.domains) if len(operands.domains) > 1 else d.ANY_CURRENT
    return _like(operands, result), Need(Level.STRICT, ("add",), reason="values are added")


def _difference(operands: Operands) -> Result:
    if "alpha" in operands.op.function or len(operands.domains) != 2:
        return scaled(operands)
    left, right = operands.domains
    result = d.total((left, d.negated(right)))
    return result, Need(Level.STRICT, ("subtract",), reason="one value less the other")


def _average(operands: Operands) -> Result:
    """An average over windows of unknown size: the constant folds into what reads it."""
    return _like(operands, d.ANY_CURRENT), Need(
        Level.STRICT,
        ("add",),
        reason="values are added",
        rewrite="fold the constant share into what reads it",
    )


def _largest(operands: Operands) -> Result:
    result = d.hull(operands.domains)
    if all(x.binary for x in operands.domains):
        return result, Need(
            Level.STRICT, ("logic",), reason="a maximum of spikes", rewrite="OR instead of maximum"
        )
    return result, Need(Level.STRICT, ("compare", "select"), reason="the largest is selected")


def _smallest(operands: Operands) -> Result:
    result, need = _largest(operands)
    if all(x.binary for x in operands.domains):
        need = Need(
            Level.STRICT, ("logic",), reason="a minimum of spikes", rewrite="AND instead of minimum"
        )
    return result, need


def _comparison(_operands: Operands) -> Result:
    return BIT, Need(Level.STRICT, ("compare",), reason="a comparison gives a bit")


def _logic(operands: Operands) -> Result:
    if all(x.binary for x in operands.domains):
        return BIT, Need(Level.STRICT, ("logic",), reason="logic on spikes")
    return BIT, Need(Level.STRICT, ("compare", "logic"), reason="logic on comparisons with 0")


def _selection(operands: Operands) -> Result:
    """One of two values by a bit; with fewer operands a constant is one of the two."""
    result = d.hull(operands.domains)
    need = Need(Level.STRICT, ("select",), reason="a bit selects a value")
    return (result if len(operands.domains) > 2 else anywhere(result)), need


def _position(operands: Operands) -> Result:
    return d.ANY_CURRENT, Need(Level.STRICT, ("compare", "select"), reason="values are compared")


def _moved(operands: Operands) -> Result:
    return d.hull(operands.domains), Need(Level.STRICT, (), reason="no arithmetic")


def _padded(operands: Operands) -> Result:
    (x,) = operands.domains[:1]
    zero = d.integers(0, 0, x.step) if x.discrete else Domain(x.values, 0, 0, x.step)
    return d.hull((x, zero)), Need(Level.STRICT, (), reason="no arithmetic")


# Activations and what divides by data.


def _clipped(operands: Operands) -> Result:
    """ReLU and its like: a selection; integers stay integers, everything else is an activation."""
    (x,) = operands.domains[:1]
    if x.discrete:
        result = d.integers(max(x.low, 0), max(x.high, 0), x.step)
        return result, Need(Level.STRICT, ("compare", "select"), reason=f"{x} is clipped")
    return d.real(max(x.low, 0), max(x.high, 0)), Need(
        Level.STRICT,
        ("compare", "select"),
        reason="the sign selects; the result is a real activation, which weights would multiply",
    )


def _bounded(operands: Operands) -> Result:
    """Clipped between constants that are not recorded."""
    _, need = _clipped(operands)
    return (d.ANY_CURRENT if operands.domains[0].discrete else d.ANY_REAL), need


def _magnitude(operands: Operands) -> Result:
    _, need = _clipped(operands)
    (x,) = operands.domains[:1]
    return (d.hull((x, d.negated(x))) if x.discrete else d.ANY_REAL), need


def _sign(_operands: Operands) -> Result:
    return d.integers(-1, 1), Need(Level.STRICT, ("compare",), reason="two comparisons with 0")


def _constant(operands: Operands) -> Result:
    name, _, note = operands.op.function.partition(": filled with ")
    value = float(note) if note else 1.0 if "ones" in name else 0.0
    known = name in ("zeros_like", "ones_like", "new_zeros", "new_ones") or note
    result = BIT if value in (0.0, 1.0) else d.current(value, value)
    return result if known else d.ANY_CURRENT, Need(Level.STRICT, (), reason="a constant")


def _rounded(operands: Operands) -> Result:
    (x,) = operands.domains[:1]
    low, high = float(x.low) - 1, float(x.high) + 1
    if x.discrete and x.step == 1:
        return x, Need(Level.STRICT, (), reason="integers are integers already")
    result = Domain(Values.INTEGER if low < 0 else Values.COUNT, low // 1, -(-high // 1), 1)
    known = x.values is not Values.REAL and high < d.UNBOUNDED
    return (result if known else d.ANY_REAL), Need(
        Level.STRICT, ("add", "shift"), reason="rounding drops the bits of the fraction"
    )


def _real_function(low: float, high: float) -> Callable[[Operands], Result]:
    def handler(operands: Operands) -> Result:
        name = operands.op.function.partition(":")[0]
        return d.real(low, high), Need(
            Level.NONE,
            ("exponential", "multiply"),
            reason=f"{name} needs exponentials or products of data, and gives real activations, "
            "not spikes",
            help=SPIKES_INSTEAD,
        )

    return handler


def _softmax(operands: Operands) -> Result:
    name = operands.op.function.partition(":")[0]
    return d.real(0, 1) if name == "softmax" else d.real(-d.UNBOUNDED, 0), Need(
        Level.NONE,
        ("exponential", "divide"),
        reason=f"{name} needs exponentials and a division by data",
        help="spiking attention without softmax: with binary Q, K and V it is AND and popcount; "
        "behind the logits leave it out, the largest stays the largest",
    )


def _attention(operands: Operands) -> Result:
    _, need = _softmax(operands)
    reason = "softmax attention needs exponentials, a division by data, and multiplies data by data"
    return d.ANY_REAL, Need(
        Level.NONE, ("exponential", "divide", "multiply", "add"), reason=reason, help=need.help
    )


def _normalised(operands: Operands) -> Result:
    name = operands.op.function.partition(":")[0]
    return d.ANY_REAL, Need(
        Level.NONE,
        ("multiply", "root", "divide"),
        reason=f"{name} divides by data: its mean and variance depend on the input, so no constant "
        "threshold can absorb them",
        help="train with BatchNorm, which folds",
    )


def _divided(operands: Operands) -> Result:
    return d.ANY_REAL, Need(
        Level.NONE,
        ("divide",),
        reason="one value is divided by another",
        help="divide by a constant: it folds into weights or thresholds",
    )


def _root(operands: Operands) -> Result:
    name = operands.op.function.partition(":")[0]
    return d.ANY_REAL, Need(
        Level.NONE,
        (name,),
        reason=f"{name} of data is no sum of selected constants",
        help=SPIKES_INSTEAD,
    )


def _like(operands: Operands, result: Domain) -> Domain:
    """A result that may lie anywhere; real where an operand is."""
    real = any(x.values is Values.REAL for x in operands.domains)
    return d.ANY_REAL if real and result.values is not Values.REAL else result


_INF = d.UNBOUNDED
_GROUPS: dict[Callable[[Operands], Result], str] = {
    product: "mul imul rmul multiply matmul rmatmul mm bmm mv dot einsum square addmm "
    "baddbmm addbmm",
    weights: "linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d bilinear",
    _sum: "add iadd radd sum cumsum",
    _difference: "sub isub rsub subtract",
    _average: "mean avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d "
    "adaptive_avg_pool3d",
    _largest: "max amax maximum max_pool1d max_pool2d max_pool3d adaptive_max_pool1d "
    "adaptive_max_pool2d adaptive_max_pool3d",
    _smallest: "min amin minimum",
    _comparison: "ge gt le lt eq ne greater greater_equal less less_equal heaviside bool",
    _logic: "logical_and logical_or logical_xor logical_not and or xor invert bitwise_and "
    "bitwise_or bitwise_xor bitwise_not any all",
    _selection: "where masked_fill",
    _moved: "getitem chunk split tensor_split unbind select narrow stack cat concat concatenate "
    "reshape view flatten unflatten squeeze permute transpose expand repeat repeat_interleave "
    "roll flip index_select gather pixel_shuffle pixel_unshuffle as_strided movedim "
    "tile broadcast_to float double half to type",
    _position: "argmax argmin argsort",
    _padded: "pad unfold",
    _clipped: "relu",
    _bounded: "relu6 hardtanh clamp clip threshold clamp_min clamp_max",
    _magnitude: "abs absolute",
    _sign: "sign sgn",
    _constant: "zeros_like ones_like new_zeros new_ones full_like new_full",
    _rounded: "round floor ceil trunc int long",
    _real_function(0, 1): "sigmoid hardsigmoid",
    _real_function(-1, 1): "tanh sin cos erf",
    _real_function(-_INF, _INF): "gelu silu mish elu selu celu softplus leaky_relu prelu hardswish "
    "exp log log1p glu softsign",
    _softmax: "softmax log_softmax softmin",
    _attention: "scaled_dot_product_attention multi_head_attention_forward",
    _normalised: "layer_norm group_norm instance_norm rms_norm batch_norm normalize var std norm",
    _divided: "div idiv truediv itruediv divide true_divide floor_divide floordiv remainder "
    "reciprocal",
    _root: "sqrt rsqrt pow ipow float_power",
}
FUNCTIONS: Mapping[str, Callable[[Operands], Result]] = {
    name: handler for handler, names in _GROUPS.items() for name in names.split()
}
