"""ONNX's neurons: leak, add, compare, reset, in one Scan over the steps; see `IntegerPopulation`.

The state of the graph is V itself, so that it means the same for whoever keeps it. What does not
depend on V is computed for all steps at once, before the scan.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from snncc.backends.onnx_graph.draft import next_name
from snncc.backends.onnx_graph.shifts import FloorShift, floor_shift
from snncc.backends.onnx_graph.table import FORM, At
from snncc.backends.onnx_graph.value import Value
from snncc.backends.onnx_graph.writer import Writer
from snncc.ir import TIME, Array
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.neuron_rule import Rounding


@dataclass(frozen=True)
class _Numbers:
    """The constants of a population over (time, *axes), and how its leak is computed.

    Attributes:
        signs: polarity.
        added: to polarity times current: bias, offset, and what the leak's shift gives too much.
        thresholds: where hard resets allow it as near as no membrane reaches.
        carry: what is added before the leak's shift.
        leak: that shift.
    """

    signs: Array
    added: Array
    thresholds: Array
    carry: int
    leak: FloorShift


@FORM.of(IntegerPopulation)
def population(at: At, op: IntegerPopulation) -> Value:
    """Spikes, uint8, time in front; the draft keeps membranes and states."""
    w, draft, node = at.w, at.draft, at.node
    x, order = at.ordered()
    rest, numbers = order[1:], _numbers(at, op, order)
    dtype = numbers.leak.dtype
    x = w.cast(x, dtype)
    if (numbers.signs != 1).any():
        x = w.apply("Mul", x, draft.constant(numbers.signs, order, dtype))
    if numbers.added.any():
        x = w.apply("Add", x, draft.constant(numbers.added, order, dtype))
    threshold = draft.constant(numbers.thresholds, order, dtype)
    before = w.transpose(draft.state(node, dtype), rest)
    if draft.stepwise:
        after, spikes, level = _step(w, op, numbers, before, x, threshold)
        axes = rest
    else:
        axes = order
        found = _scanned(at, op, numbers, before, (x, threshold))
        after = Value(found[0], rest, dtype)
        spikes = Value(found[1], axes, np.dtype(np.uint8))
        level = Value(found[2], axes, dtype)
    draft.leaves(after, next_name(node.name), node.type.without(TIME))
    draft.membranes[node.name] = Value(level.made, axes, dtype)
    return Value(spikes.made, axes, spikes.dtype)


def _scanned(
    at: At,
    op: IntegerPopulation,
    numbers: _Numbers,
    before: Value,
    varying: tuple[Value, Value],
) -> list[Any]:
    """The state after all steps, the spikes of each step, its membranes.

    Args:
        at: the population.
        op: likewise.
        numbers: its constants.
        before: its state.
        varying: what enters the neurons and their thresholds, with a time axis or without.
    """
    w = at.w
    moving = [value for value in varying if TIME in value.axes]
    sequences = [value.made for value in moving] or [at.draft.ticks()]
    types = [before.dtype, *([v.dtype for v in moving] or [np.dtype(np.uint8)])]

    def body(entering: list[Any]) -> list[Any]:
        state, *elements = entering
        given = iter(elements)
        x, threshold = (
            Value(next(given), v.axes[1:], v.dtype) if TIME in v.axes else v for v in varying
        )
        step = _step(w, op, numbers, Value(state, before.axes, before.dtype), x, threshold)
        return [value.made for value in step]

    return w.scan([before.made], sequences, 2, types, body)


def _step(
    w: Writer, op: IntegerPopulation, numbers: _Numbers, state: Value, x: Value, threshold: Value
) -> tuple[Value, Value, Value]:
    """V after a step, its spikes, Z."""
    level = _level(w, op, numbers, state, x)
    fires = w.compare("GreaterOrEqual" if op.compare == "ge" else "Greater", level, threshold)
    after = _zero(w, level) if op.reset == "hard" else w.apply("Sub", level, threshold)
    return w.where(fires, after, level), w.cast(fires, np.uint8), level


def _level(w: Writer, op: IntegerPopulation, numbers: _Numbers, state: Value, x: Value) -> Value:
    """Z = leak(V) + what enters."""
    factor, how = op.decay[0], numbers.leak
    if factor == 0:
        return x
    mirrored = op.rounding is Rounding.TO_ZERO
    v = w.apply("Mul", state, factor) if factor != 1 else state
    if not mirrored:
        return w.apply("Add", how.before_left(w, v, numbers.carry), x)
    # Not Sign: onnxruntime's takes the sign of the lower 32 bits of an int64.
    negative = w.compare("Less", state, _zero(w, state))
    size = w.where(negative, w.apply("Mul", v, -1), v)
    kept = how.before_left(w, size, numbers.carry)
    return w.apply("Add", w.where(negative, w.apply("Mul", kept, -1), kept), x)


def _zero(w: Writer, value: Value) -> Value:
    """Zero in the type of a value."""
    return Value(w.constant(np.zeros((), value.dtype)), (), value.dtype)


def _numbers(at: At, op: IntegerPopulation, order: tuple[str, ...]) -> _Numbers:
    """Constants, and a type that holds every number on the way.

    leak(V) = (p * V + c) >> k; rounded up, -((p * -V + c) >> k) = (p * V + 2^k - 1 - c) >> k.
    """
    (factor, shift), carry = op.decay, op.decay_offset
    if op.rounding is Rounding.UP:
        carry = (1 << shift) - 1 - carry

    def over(param: Any, default: int) -> Array:
        if param is None:
            return np.full([1] * len(order), default, np.int64)
        return at.draft.over(param, order)

    low, high = at.draft.proved.membranes[at.node.name]
    least, most = at.inputs[0].range or (0, 0)
    signs, thresholds = over(op.polarity, 1), over(op.threshold, 0)
    added = signs * over(op.offset, 0) + over(op.bias, 0)
    thresholds = np.minimum(thresholds, high + 1)
    if op.reset == "hard":
        thresholds = np.maximum(thresholds, low - 1)
    ends = int(added.min()), int(added.max())
    far = max(-least, most) + max(abs(end) for end in ends)
    limits = int(thresholds.min()), int(thresholds.max())
    reach = max(-low, high)
    # With the surplus of the leak's shift, at most reach + 1, on one side and taken off the other.
    wide = far + 2 * reach + 2
    others = (wide, *limits, low - limits[1], high - limits[0], factor)
    if op.rounding is Rounding.TO_ZERO:
        how = floor_shift(0, factor * reach + carry, shift, *others)
    else:
        how = floor_shift(min(0, factor * low), max(0, factor * high) + carry, shift, *others)
    return _Numbers(signs, added - (how.left if factor else 0), thresholds, carry, how)
