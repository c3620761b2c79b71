"""ONNX's projections: MatMulInteger and ConvInteger over all steps at once."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from snncc.backends.onnx_graph.integers import BYTE, type_for, type_of
from snncc.backends.onnx_graph.products import (
    Bytes,
    bytes_of,
    joined,
    split,
    stored,
    zeros,
)
from snncc.backends.onnx_graph.table import FORM, At
from snncc.backends.onnx_graph.value import Value
from snncc.ir import TIME, Array
from snncc.ir.dialects.projections import Contract, Convolve

Domain = tuple[int, int]


@FORM.of(Contract)
def contract(at: At, op: Contract) -> Value:
    """Puts what is contracted last and multiplies; the result ends with `out`."""
    draft, w, kind = at.draft, at.w, at.inputs[0]
    source, domain = at.sources[0], kind.domain or (0, 0)
    if op.summed:
        times = math.prod(kind.size(name) for name in op.summed)
        domain = domain[0] * times, domain[1] * times
        source = w.total(w.cast(source, type_for(*domain)), op.summed)
    if not op.into and not op.out:
        return _scaled(at, op, source, domain)
    lead = tuple(name for name in op.shared if not (draft.stepwise and name == TIME))
    source = draft.timed(source) if TIME in op.shared else source
    kept = tuple(a for a in source.axes if a not in (*lead, *op.into))
    x = w.transpose(source, (*lead, *kept, *op.into))
    rows = _rows(at, op)
    inputs = rows.shape[-1]
    if lead:
        x = w.reshape(x, w.lengths(math.prod(rows.shape[-3:-2]), -1, inputs), ("b", "r", "i"))
    elif len(op.into) != 1:
        x = w.reshape(x, w.lengths(*[0] * len(kept), inputs), (*kept, "i"))
    y = _product(at, x, rows if lead else rows[..., 0, :, :], domain, TIME in op.shared)
    axes = (*lead, *kept, *op.out)
    if lead:
        return w.reshape(y, draft.shape(axes, at.node.type), axes)
    if len(op.out) == 1:
        return Value(y.made, axes, y.dtype)
    sizes = [at.node.type.size(name) for name in op.out]
    return w.reshape(y, w.lengths(*[0] * len(kept), *sizes), axes)


def _rows(at: At, op: Contract) -> Array:
    """The weight as [blocks, outputs, inputs]; banks in front where the graph is of one step."""
    weight = at.graph.constants[op.weight.name].astype(np.int64)
    banked = at.draft.stepwise and TIME in op.shared
    if banked:
        weight = np.moveaxis(weight, op.shared.index(TIME), 0)
    ends = len(op.shared), len(op.shared) + len(op.out)
    shape = weight.shape
    blocks = math.prod(shape[banked : ends[0]])
    sizes = (blocks, math.prod(shape[ends[0] : ends[1]]), math.prod(shape[ends[1] :]))
    found: Array = weight.reshape(*shape[:banked], *sizes)
    return found


def _scaled(at: At, op: Contract, source: Value, domain: Domain) -> Value:
    """Nothing is contracted: each element selects its weight."""
    w, draft = at.w, at.draft
    source = draft.timed(source) if TIME in op.shared else source
    rest = tuple(axis for axis in source.axes if axis != TIME)
    order = (TIME, *rest)
    x = w.transpose(source, order if TIME in source.axes else rest)
    dtype = type_for(*domain, *(at.node.type.range or (0, 0)))
    weight = draft.constant(draft.over(op.weight, order), order, dtype)
    return w.cast(w.apply("Mul", w.cast(x, dtype), weight), type_of(at.node.type.range))


def _product(at: At, x: Value, rows: Array, domain: Domain, by_step: bool) -> Value:
    """[..., inputs] times the transpose of [..., outputs, inputs].

    Args:
        at: the map.
        x: the source; its last axis is contracted.
        rows: weights.
        domain: of the source.
        by_step: whether the weights of a graph of one step are those of its step.
    """
    w, low, high = at.w, *domain
    axes = (*x.axes[:-1], "o")
    chosen = at.draft.at_step if by_step and at.draft.stepwise else _same
    if low < -128 or high > BYTE or (low < 0 and high > 127):
        ends = int(rows.min(initial=0)), int(rows.max(initial=0))
        dtype = type_for(low, high, *ends, *(at.node.type.range or (0, 0)))
        matrix = chosen(w.constant(np.swapaxes(rows, -1, -2).astype(dtype)))
        made = w.node("MatMul", w.cast(x, dtype).made, matrix)
        return w.cast(Value(made, axes, dtype), type_of(at.node.type.range))
    source = bytes_of(w, x, domain)
    found = split(at, rows, source.most)

    def product(place: int) -> Any:
        digits = np.swapaxes(found.digits[place], -1, -2)
        matrix = chosen(w.constant(stored(digits, source.bits)))
        return w.node("MatMulInteger", source.value.made, matrix, *zeros(w, source, source.bits))

    return joined(at, found, product, axes)


def _same(made: Any) -> Any:
    return made


@FORM.of(Convolve)
def convolve(at: At, op: Convolve) -> Value:
    """Over all steps at once; with banks in a scan over the steps and their weights."""
    w, draft = at.w, at.draft
    weight = at.graph.constants[op.weight.name].astype(np.int64)
    low, high = at.inputs[0].domain or (0, 0)
    if low < -128 or high > BYTE or (low < 0 and high > 127):
        raise at.refused(f"it convolves counts of {low} to {high}, and ConvInteger takes bytes")
    source = bytes_of(w, at.sources[0], at.inputs[0].domain or (0, 0))
    found = split(at, weight.reshape(*weight.shape[:-3], -1), source.most)
    banks = [w.constant(stored(digits.reshape(weight.shape), False)) for digits in found.digits]
    image = (op.channel, op.height, op.width)
    kept = tuple(a for a in source.value.axes if a not in image and a != TIME)
    timed = TIME in source.value.axes
    x = w.transpose(source.value, (*([TIME] if timed else []), *kept, *image))

    def by(value: Value, weights: Sequence[Any]) -> Value:
        return _convolved(at, op, Bytes(value, source.zero, False, source.most), weights, found)

    if not op.banks:
        return by(x, banks)
    if draft.stepwise:
        return by(x, [draft.at_step(bank) for bank in banks])
    steps = [x.made] if timed else []
    made: list[Value] = []

    def body(entering: list[Any]) -> list[Any]:
        step = Value(entering[0], x.axes[1:], x.dtype) if timed else x
        made.append(by(step, entering[len(steps) :]))
        return [made[0].made]

    types = [np.uint8] * (len(steps) + len(banks))
    (every,) = w.scan([], [*steps, *banks], 1, types, body)
    return Value(every, (TIME, *made[0].axes), made[0].dtype)


def _convolved(at: At, op: Convolve, source: Bytes, weights: Sequence[Any], found: Any) -> Value:
    """In the order that ConvInteger takes: [rows, channel, height, width]."""
    w, draft, x = at.w, at.draft, source.value
    image = (op.channel, op.height, op.width)
    kept = x.axes[:-3]
    if len(kept) > 1:
        x = w.reshape(x, draft.shape(image, at.inputs[0], -1), ("r", *image))

    def product(place: int) -> Any:
        return w.node(
            "ConvInteger",
            x.made,
            weights[place],
            *zeros(w, source, False),
            strides=list(op.stride),
            pads=[*op.padding, *op.padding],
            dilations=list(op.dilation),
            group=op.groups,
        )

    out = (op.out_channel, op.out_height, op.out_width)
    y = joined(at, found, product, ("r", *out))
    axes = (*kept, *out)
    if len(kept) == 1:
        return Value(y.made, axes, y.dtype)
    return w.reshape(y, draft.shape(axes, at.node.type), axes)
