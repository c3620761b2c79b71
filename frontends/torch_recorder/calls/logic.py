"""Logic of spikes: AND, OR, XOR, NOT, and comparisons that tell 0 from 1.

As numbers: a AND b is a gate, as is a choice between two values, a OR b is a + (b AND NOT a),
a XOR b is (a AND NOT b) + (b AND NOT a).
"""

from collections.abc import Callable
from typing import Any

import torch

from snncc.frontends.torch_recorder.axis_solver import AxisError
from snncc.frontends.torch_recorder.calls.arithmetic import broadcast, scaled
from snncc.frontends.torch_recorder.calls.call import Call, Plan, like
from snncc.frontends.torch_recorder.steps import Naming, Value
from snncc.ir.dialects import traced as ops
from snncc.ir.dialects.gates import Gate

Logic = Callable[[Call], Plan]


def both(call: Call, a: Value, b: Value) -> Plan:
    """Gives a AND b."""
    return (a, b), broadcast(call, a, b), lambda n: Gate()


def either(call: Call, a: Value, b: Value) -> Plan:
    """Gives a OR b."""
    rest = call.step(_but(call, a, b), ".rest")
    return (a, rest), broadcast(call, a, rest), lambda n: ops.Add()


def one_of(call: Call, a: Value, b: Value) -> Plan:
    """Gives a XOR b."""
    left, right = call.step(_but(call, b, a), ".left"), call.step(_but(call, a, b), ".right")
    return (left, right), broadcast(call, left, right), lambda n: ops.Add()


def alike(call: Call, a: Value, b: Value) -> Plan:
    """Gives NOT (a XOR b)."""
    return scaled(call, call.step(one_of(call, a, b), ".differ"), -1.0, 1.0)


def power(call: Call) -> Plan:
    """A power of spikes, and an even one of a difference of spikes; whole and above 0."""
    x, exponent = call.source(), call.arg(1, "exponent", 2)
    whole = isinstance(exponent, int | float) and exponent == int(exponent) and exponent > 0
    pair = call.difference_of(x)
    if whole and (call.is_spike(x) or (pair is not None and exponent % 2)):
        return like(x, x.dims, None)
    if not whole or pair is None:
        raise AxisError("")
    return one_of(call, *pair)


def magnitude(call: Call) -> Plan:
    """Of spikes themselves; of a difference of spikes that they are not alike."""
    x = call.source()
    pair = call.difference_of(x)
    if pair is not None:
        return one_of(call, *pair)
    if not call.is_spike(x):
        raise AxisError("")
    return like(x, x.dims, None)


def logic_of(name: str, call: Call) -> Logic | None:
    """The handler of a function of logic whose arguments are spikes, or spikes and constants."""
    if name == "where":
        return _chosen if _condition(call) is not None else None
    if name in _ONE and call.value_of(call.arg(0, "input")) is not None:
        return _ONE[name] if call.is_spike(call.source()) else None
    given = [call.arg(0, "input"), call.arg(1, "other")]
    values = [v for each in given if (v := call.value_of(each)) is not None]
    if len(values) == 2 and name in _AND and (made := _one_inverted(call, *values)) is not None:
        gate, x = made
        return lambda call: _but(call, gate, x)
    if not values or not all(map(call.is_spike, values)):
        return None
    if len(values) == 2:
        rule = _TWO.get(name)
        return None if rule is None else lambda call: rule(call, values[0], values[1])
    return _with_constant(call) if name in _WITH_CONSTANT else None


def _but(call: Call, gate: Value, x: Value) -> Plan:
    """Gives x AND NOT gate."""
    return (gate, x), broadcast(call, gate, x), lambda n: Gate(inverted=True)


def _one_inverted(call: Call, a: Value, b: Value) -> tuple[Value, Value] | None:
    """Of NOT s AND x the spikes s and x; None for other values."""
    for inverted, other in ((a, b), (b, a)):
        spikes = call.complement_of(inverted)
        if spikes is not None and call.is_spike(other):
            return spikes, other
    return None


def _condition(call: Call) -> tuple[Value, bool] | None:
    """The spikes by which `where` chooses, and whether they are inverted."""
    given = call.value_of(call.arg(0, "condition"))
    if given is None:
        return None
    spikes = call.complement_of(given)
    if spikes is not None:
        return spikes, True
    return (given, False) if call.is_spike(given) else None


def _chosen(call: Call) -> Plan:
    """Gives x where there is a spike, else y; one of them may be 0."""
    found, sides = _condition(call), (call.arg(1, "input"), call.arg(2, "other"))
    if found is None:
        raise AxisError("")
    spikes, inverted = found
    parts: list[Plan] = []
    for side, off in zip(sides, (inverted, not inverted), strict=True):
        value = call.value_of(side)
        if value is not None:
            dims = broadcast(call, spikes, value)
            parts.append(((spikes, value), dims, _but_of if off else _and_of))
        elif not isinstance(side, int | float | torch.Tensor) or bool(
            (torch.as_tensor(side) != 0).any()
        ):
            raise AxisError(
                "it chooses between data and a constant that is not 0",
                "add the constant times the condition instead",
            )
    if len(parts) < 2:
        if not parts:
            raise AxisError("")
        return parts[0]
    left, right = call.step(parts[0], ".chosen"), call.step(parts[1], ".else")
    return (left, right), broadcast(call, left, right), lambda n: ops.Add()


def _and_of(_n: Naming) -> Gate:
    return Gate()


def _but_of(_n: Naming) -> Gate:
    return Gate(inverted=True)


def _same(call: Call) -> Plan:
    x = call.source()
    return like(x, x.dims, None)


def _inverted(call: Call) -> Plan:
    """1 - s, where it is no bitwise complement of an integer."""
    if call.out.dtype != torch.bool:
        raise AxisError("")
    return _complement(call, call.source())


def _complement(call: Call, x: Value) -> Plan:
    call.complement = x
    return scaled(call, x, -1.0, 1.0)


def _with_constant(call: Call) -> Logic | None:
    """What a comparison with a constant makes of 0 and of 1, where that tells them apart."""
    first, second = call.arg(0, "input"), call.arg(1, "other")
    constant, at = (second, 0) if call.value_of(first) is not None else (first, 1)
    if call.function is None or not isinstance(constant, int | float | torch.Tensor):
        return None
    flat = torch.as_tensor(constant).reshape(-1)
    if len(flat) == 0 or not bool((flat == flat[0]).all()):
        return None
    bits = torch.tensor([0.0, 1.0])
    alone: Any = flat[0]
    with torch.no_grad():
        low, high = map(bool, call.function(*((bits, alone) if at == 0 else (alone, bits))))
    if low == high:
        return None
    value = call.value_of(first) or call.value_of(second)
    if value is None or call.out.dim() != len(value.dims):
        return None
    kept = value
    return (
        (lambda call: like(kept, kept.dims, None))
        if high
        else (lambda call: _complement(call, kept))
    )


_AND = ("and", "logical_and", "bitwise_and")
_ONE: dict[str, Logic] = {
    "bool": _same,
    **dict.fromkeys(("logical_not", "invert", "bitwise_not"), _inverted),
}
_TWO: dict[str, Callable[[Call, Value, Value], Plan]] = {
    **dict.fromkeys((*_AND, "minimum"), both),
    **dict.fromkeys(("or", "logical_or", "bitwise_or", "maximum"), either),
    **dict.fromkeys(("xor", "logical_xor", "bitwise_xor", "ne", "not_equal"), one_of),
    "eq": alike,
}
_WITH_CONSTANT = frozenset(
    ("ne", "not_equal", "eq", "gt", "ge", "lt", "le", "greater", "greater_equal", "less")
)
