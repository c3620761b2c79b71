"""An integer program as a dense ONNX graph: the same bits from integer matrix products.

This is what one would run without an event-driven runtime, and what ours must beat. It is made as
fast as onnxruntime's CPU kernels allow: spikes are bytes and weights 8-bit initialisers, all T
steps pass each projection as one MatMulInteger or ConvInteger, spikes (bytes) are transposed and
currents (32 bits) are not, the time loop is unrolled, and a shift waits for a multiplication.

Two things are not written as they are defined, because onnxruntime's kernels are slow there:

- A floor shift would be (d - Mod(d, 2^s)) / 2^s. Mod costs more than ten times a division, so d is
  made positive instead, where division truncates as floor does: (d + M) / 2^s - M / 2^s, M a
  multiple of 2^s. Membranes hold M all along, so that a step pays only for the division.
- Convolutions have unsigned weights with zero point 128: signed ones are several times slower.

    python benchmarks/dense_onnx.py PROGRAM.snncc -o PROGRAM.onnx [--batch N]
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx_writer import BATCH, Array, Value, Writer, lengths, product

from snncc.artifact import load_program
from snncc.ir import TIME, Graph, Kind, Node
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.op import Param

READOUT = "readout"
BYTE = 255
ZERO_POINT = 128
"""Signed weights are stored as unsigned bytes with this added."""


def dense_onnx(graph: Graph, batch: int, record: bool = False) -> onnx.ModelProto:
    """The ONNX model of an integer program.

    Its input is named as the program's image, uint8 [batch, *shape]; its output is `readout`,
    int64 [batch, *axes].

    Args:
        graph: integer dialect, verified.
        batch: how many images a run takes.
        record: whether the spikes of every population are outputs too, by name, uint8
            [batch, *axes of its type].

    Raises:
        TypeError: an op that has no ONNX form here.
    """
    return _Translation(graph, batch).model(record)


class _Translation:
    def __init__(self, graph: Graph, batch: int) -> None:
        self.graph = graph
        self.batch = batch
        self.w = Writer()

    def model(self, record: bool) -> onnx.ModelProto:
        values: dict[str, Value] = {}
        for node in self.graph.nodes:
            values[node.name] = self.node(node, [values[name] for name in node.inputs])
        for node in self.graph.select(IntegerPopulation) if record else ():
            self.answer(values[node.name], node, node.name)
        self.answer(values[self.graph.output], self.graph[self.graph.output], READOUT)
        return self.w.model("dense")

    def answer(self, value: Value, node: Node, name: str) -> None:
        self.w.output(self.w.transpose(value, (BATCH, *node.type.names)), name)

    def node(self, node: Node, sources: list[Value]) -> Value:
        match node.op:
            case Frames(axes=axes, shape=shape):
                return self.w.input(node.name, (BATCH, *axes), (self.batch, *shape), np.uint8)
            case Contract():
                return self.contract(node, node.op, sources[0])
            case Convolve():
                return self.convolve(node, node.op, sources[0])
            case Concat(along=along, out=out):
                return self.side_by_side(node, sources, along, out)
            case Sum(shifts=shifts):
                return self.sum(node, sources, shifts or (0,) * len(sources))
            case Gain():
                return self.gain(node, node.op, sources[0])
            case IntegerPopulation():
                return self.population(node, node.op, sources[0])
            case IntegerReadout(offset=offset):
                return self.readout(node, sources[0], offset)
            case _:
                raise TypeError(f"{node.op.mnemonic} has no dense ONNX form")

    def constant(self, param: Param, axes: Sequence[str]) -> Array:
        """A constant as int64 over these axes, with length 1 where it lacks one."""
        array = self.graph.constants[param.name].astype(np.int64)
        order = [param.axes.index(a) for a in axes if a in param.axes]
        shape = [array.shape[param.axes.index(a)] if a in param.axes else 1 for a in axes]
        return array.transpose(order).reshape(shape)

    def sizes(self, node: Node) -> dict[str, int]:
        return {BATCH: self.batch, **{a.name: a.size for a in node.type.axes}}

    # Projections.

    def contract(self, node: Node, op: Contract, source: Value) -> Value:
        """Puts the contracted axes last, in bytes, and multiplies; the result ends with `out`."""
        w, weight = self.w, self.graph.constants[op.weight.name].astype(np.int64)
        if TIME in op.shared:
            source = w.repeat(source, TIME, self.graph.steps)
        most = BYTE if self.graph[node.inputs[0]].type.kind is Kind.COUNT else 1
        if op.summed:
            most *= product(lengths(op.summed, dict(zip(source.axes, source.sizes, strict=True))))
            source = w.total(w.cast(source, np.int32), op.summed)
        dtype = _dtype(node.type.range)
        kept = [a for a in (TIME, BATCH) if a in source.axes and a not in op.shared]
        kept += [
            a for a in node.type.names if a in source.axes and a not in (TIME, *op.into, *op.shared)
        ]
        if not op.into and not op.out:
            whole = w.align(w.cast(source, dtype), (*op.shared, *kept))
            return w.apply("Mul", whole, weight.reshape(*weight.shape, *[1] * len(kept)))
        x = w.transpose(source, (*op.shared, *kept, *op.into))
        blocks, rows, inputs = (
            product(x.sizes[a:b])
            for a, b in (
                (0, len(op.shared)),
                (len(op.shared), len(op.shared) + len(kept)),
                (len(op.shared) + len(kept), None),
            )
        )
        outs = weight.shape[len(op.shared) : len(op.shared) + len(op.out)]
        matrix = weight.reshape(blocks, product(outs), inputs).transpose(0, 2, 1)
        shape = (blocks, rows, inputs) if op.shared else (rows, inputs)
        flat = w.reshape(x, tuple(map(str, range(len(shape)))), shape)
        y = self.product(flat, matrix if op.shared else matrix[0], most, dtype)
        sizes = (*x.sizes[: len(op.shared) + len(kept)], *outs)
        return w.reshape(y, (*op.shared, *kept, *op.out), sizes)

    def product(self, x: Value, matrix: Array, most: int, dtype: Any) -> Value:
        """[.., rows, inputs] times [.., inputs, outputs]; `most` is the largest of x."""
        w, sizes = self.w, (*x.sizes[:-1], matrix.shape[-1])
        if most > BYTE:
            name = w.node("MatMul", [w.cast(x, dtype).name, w.constant(matrix.astype(dtype))])
            return replace(x, name=name, sizes=sizes, dtype=np.dtype(dtype))
        x = w.cast(x, np.uint8)
        parts: list[Value] = []
        for digit in _bytes(matrix):
            # Two pixels times weights can overflow the 16 bits that some CPUs add signed weights
            # in; unsigned weights are added in 32.
            signed = most == 1
            stored = digit.astype(np.int8) if signed else (digit + ZERO_POINT).astype(np.uint8)
            zeros = [] if signed else [w.constant(np.uint8(0)), w.constant(np.uint8(ZERO_POINT))]
            name = w.node("MatMulInteger", [x.name, w.constant(stored), *zeros])
            parts.append(replace(x, name=name, sizes=sizes, dtype=np.dtype(np.int32)))
        return self.joined(parts, dtype)

    def convolve(self, node: Node, op: Convolve, source: Value) -> Value:
        w, weight = self.w, self.graph.constants[op.weight.name].astype(np.int64)
        if not op.banks:
            return self.convolved(node, op, source, weight)
        steps = w.split(w.repeat(source, TIME, self.graph.steps), TIME)
        parts = [self.convolved(node, op, *pair) for pair in zip(steps, weight, strict=True)]
        return w.concat(parts, TIME)

    def convolved(self, node: Node, op: Convolve, source: Value, weight: Array) -> Value:
        """In the order that ConvInteger takes: [rows, channel, height, width]."""
        w, image = self.w, (op.channel, op.height, op.width)
        kept = [a for a in (TIME, BATCH) if a in source.axes]
        kept += [a for a in node.type.names if a in source.axes and a not in (*kept, *image)]
        x = w.transpose(source, (*kept, *image))
        sizes = x.sizes[: len(kept)]
        flat = w.reshape(x, ("rows", *image), (product(sizes), *x.sizes[len(kept) :]))
        out = (op.out_channel, op.out_height, op.out_width)
        shape = lengths(out, self.sizes(node))
        parts: list[Value] = []
        for digit in _bytes(weight):
            stored = w.constant((digit + ZERO_POINT).astype(np.uint8))
            zeros = [w.constant(np.uint8(0)), w.constant(np.uint8(ZERO_POINT))]
            name = w.node(
                "ConvInteger",
                [flat.name, stored, *zeros],
                strides=list(op.stride),
                pads=[*op.padding, *op.padding],
                dilations=list(op.dilation),
                group=op.groups,
            )
            parts.append(Value(name, ("rows", *out), (product(sizes), *shape), np.dtype(np.int32)))
        return w.reshape(
            self.joined(parts, _dtype(node.type.range)), (*kept, *out), (*sizes, *shape)
        )

    def joined(self, digits: list[Value], dtype: Any) -> Value:
        """The sum of digits in base 256."""
        whole = self.w.cast(digits[0], dtype)
        for place, digit in enumerate(digits[1:], 1):
            higher = self.w.scaled(digit, dtype, 1 << (8 * place))
            whole = self.w.apply("Add", whole, higher)
        return whole

    # Everything between projections.

    def side_by_side(
        self, node: Node, sources: list[Value], along: tuple[str, ...], out: str
    ) -> Value:
        w = self.w
        spikes = node.type.kind is not Kind.CURRENT
        parts = [s if spikes else w.scaled(s, _dtype(node.type.range)) for s in sources]
        parts = [
            replace(p, axes=tuple(out if a == name else a for a in p.axes))
            for p, name in zip(parts, along, strict=True)
        ]
        if node.type.temporal:
            parts = [w.repeat(p, TIME, self.graph.steps) for p in parts]
        return w.concat([w.transpose(p, parts[0].axes) for p in parts], out)

    def sum(self, node: Node, sources: list[Value], shifts: tuple[int, ...]) -> Value:
        if len(sources) == 1:
            (source,) = sources
            dtype = _dtype(node.type.range)
            return replace(self.w.cast(source, dtype), scale=source.scale << shifts[0])
        plain = tuple(n for n in node.type.names if n != TIME)
        order = (*((TIME,) if node.type.temporal else ()), BATCH, *plain)
        if all(s.axes == sources[0].axes for s in sources):  # side by side as they are
            order = sources[0].axes
        dtype, total = _dtype(node.type.range), None
        for source, shift in zip(sources, shifts, strict=True):
            part = self.w.scaled(self.w.align(source, order), dtype, 1 << shift)
            total = part if total is None else self.w.apply("Add", total, part)
        if total is None:
            raise TypeError("a sum needs a source")
        return total

    def gain(self, node: Node, op: Gain, source: Value) -> Value:
        low, high = self.graph[node.inputs[0]].type.range or (0, 0)
        order = source.axes
        if TIME in op.mantissa.axes and TIME not in order:
            order = (TIME, *order)
        mantissa = self.constant(op.mantissa, order)
        half = (1 << op.shift) >> 1
        reach = max(-low, high) * int(np.abs(mantissa).max(initial=0)) + half
        lift = _lift(reach, op.shift)
        x = self.w.align(self.w.scaled(source, _dtype((-reach, reach + lift))), order)
        x = self.w.apply("Mul", x, mantissa)
        if op.shift:
            x = self.w.apply("Add", x, half + lift)
            x = self.w.apply("Div", x, 1 << op.shift)
            x = self.w.apply("Add", x, -(lift >> op.shift))
        return self.w.cast(x, _dtype(node.type.range))

    def readout(self, node: Node, source: Value, offset: Param | None) -> Value:
        w, dtype = self.w, _dtype(node.type.range)
        if TIME in source.axes:
            total = w.total(w.scaled(source, dtype), (TIME,))
        else:
            total = w.scaled(source, dtype, self.graph.steps)
        total = w.align(total, (BATCH, *node.type.names))
        if offset is not None:
            total = w.apply("Add", total, self.constant(offset, total.axes))
        return w.cast(total, np.int64)

    def population(self, node: Node, op: IntegerPopulation, current: Value) -> Value:
        """Membranes hold V + M all along; see the head of this module.

        leak(V) = (p * V + c) >> k; rounded up, -((p * -V + c) >> k) = (p * V + 2^k - 1 - c) >> k.
        """
        w = self.w
        if op.rounding is Rounding.TO_ZERO:
            raise TypeError("a leak that rounds toward zero has no dense ONNX form")
        (factor, shift), offset = op.decay, op.decay_offset
        if op.rounding is Rounding.UP:
            offset = (1 << shift) - 1 - offset
        order = current.axes if TIME in current.axes else (TIME, *current.axes)
        lift = _lift(-op.membrane[0], shift)
        kept = factor * lift >> shift
        signs = np.ones([1] * len(order), np.int64)
        if op.polarity is not None:
            signs = self.constant(op.polarity, order)
        added = signs * (0 if op.offset is None else self.constant(op.offset, order))
        added = added + (0 if op.bias is None else self.constant(op.bias, order)) + lift - kept
        thresholds = self.constant(op.threshold, order) + lift
        if op.reset == "hard":  # what no membrane reaches, or every one, may be as near as we like
            ends = op.membrane[0] + lift - 1, op.membrane[1] + lift + 1
            thresholds = np.clip(thresholds, *ends)
        low, high = self.graph[node.inputs[0]].type.range or (0, 0)
        reach = max(-low, high, *(int(abs(a).max(initial=0)) for a in (added, thresholds)))
        reach = max(reach, max(-low, high) + int(abs(added).max(initial=0)))
        reach = max(reach, (factor or 1) * (op.membrane[1] + lift) + offset)
        dtype = _dtype((-reach, reach))
        x = w.align(w.cast(current, dtype), order)
        signs = signs * current.scale
        if (signs != 1).any():
            x = w.apply("Mul", x, signs)
        if added.any():
            x = w.apply("Add", x, added)
        steps = w.split(x, TIME) if x.size(TIME) > 1 else [x] * self.graph.steps
        place, spikes, state = order.index(TIME), list[Value](), None
        for t, step in enumerate(steps):
            level = self.leaked(step, state, factor, shift, offset, kept)
            threshold = thresholds.take([min(t, thresholds.shape[place] - 1)], place)
            compare = "GreaterOrEqual" if op.compare == "ge" else "Greater"
            fires = w.apply(compare, level, threshold)
            spikes.append(replace(fires, dtype=np.dtype(np.bool_), scale=1))
            if t + 1 < len(steps):
                after = w.constant(np.asarray(lift, dtype))
                if op.reset == "soft":
                    after = w.apply("Add", level, lift - threshold).name
                state = replace(level, name=w.node("Where", [fires.name, after, level.name]))
        return w.cast(w.concat(spikes, TIME), np.uint8)

    def leaked(
        self, step: Value, state: Value | None, factor: int, shift: int, offset: int, kept: int
    ) -> Value:
        """Z + M from what a step adds (which holds M without its own leak) and V + M."""
        w = self.w
        if state is None or factor == 0:
            return w.apply("Add", replace(step, scale=1), kept) if kept else replace(step, scale=1)
        v = w.apply("Mul", state, factor) if factor != 1 else state
        v = w.apply("Add", v, offset) if offset else v
        v = w.apply("Div", v, 1 << shift) if shift else v
        return replace(w.apply("Add", v, step), scale=1)


def _dtype(bounds: tuple[int, int] | None) -> Any:
    if bounds is None or bounds[0] < -(2**31) or bounds[1] >= 2**31:
        return np.int64
    return np.int32


def _lift(reach: int, shift: int) -> int:
    """The least multiple of 2^shift that is at least `reach` and not negative."""
    return -(-max(0, reach) >> shift) << shift


def _bytes(weight: Array) -> list[Array]:
    """Digits of integers in base 256, each -128 to 127, the lowest first."""
    digits: list[Array] = []
    rest = weight.astype(np.int64)
    while not digits or rest.any():
        digit = ((rest + ZERO_POINT) & BYTE) - ZERO_POINT
        digits.append(digit)
        rest = (rest - digit) >> 8
    return digits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--batch", type=int, default=1)
    options = parser.parse_args()
    model = dense_onnx(load_program(options.program).graph, options.batch)
    options.output.write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main()
