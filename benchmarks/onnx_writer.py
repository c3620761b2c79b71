"""Writes ONNX graphs of values with named axes; `dense_onnx` says what is computed.

Every length is known, the batch too: an ONNX model made here is for one batch size.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]
BATCH = "@batch"
OPSET = 17
IR_VERSION = 8
TYPES = {
    np.dtype(np.uint8): TensorProto.UINT8,
    np.dtype(np.int8): TensorProto.INT8,
    np.dtype(np.int32): TensorProto.INT32,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.bool_): TensorProto.BOOL,
}


@dataclass(frozen=True)
class Value:
    """A tensor under construction.

    Attributes:
        name: in the ONNX graph.
        axes: names of its dimensions, in order; the batch is one of them.
        sizes: their lengths.
        dtype: of its elements.
        scale: what its elements must still be multiplied with: a shift that waits for a
            multiplication which is there anyway.
    """

    name: str
    axes: tuple[str, ...]
    sizes: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: int = 1

    def size(self, axis: str) -> int:
        return self.sizes[self.axes.index(axis)]


class Writer:
    """Collects nodes and constants; what is equal is there once."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}
        self._known: dict[tuple[Any, ...], str] = {}
        self._made: dict[str, str] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, axes: Sequence[str], sizes: Sequence[int], dtype: type) -> Value:
        kind = np.dtype(dtype)
        self._inputs.append(helper.make_tensor_value_info(name, TYPES[kind], list(sizes)))
        return Value(name, tuple(axes), tuple(sizes), kind)

    def output(self, value: Value, name: str) -> None:
        self._nodes.append(helper.make_node("Identity", [value.name], [name]))
        info = helper.make_tensor_value_info(name, TYPES[value.dtype], list(value.sizes))
        self._outputs.append(info)

    def constant(self, array: Array) -> str:
        key = (array.shape, array.dtype.str, array.tobytes())
        if key not in self._known:
            name = f"c{len(self._known)}"
            contiguous = np.array(array, order="C")  # a scalar stays one
            self._initializers[name] = numpy_helper.from_array(contiguous, name)
            self._known[key] = name
        return self._known[key]

    def node(self, kind: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any) -> str:
        """Adds a node and returns the name of its result; with more outputs, name/0, name/1, ..."""
        key = repr((kind, inputs, sorted(attributes.items())))
        if key in self._made:
            return self._made[key]
        name = self._made[key] = f"v{len(self._nodes)}"
        names = [name] if outputs == 1 else [f"{name}/{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return name

    def cast(self, value: Value, dtype: Any) -> Value:
        kind = np.dtype(dtype)
        if value.dtype == kind:
            return value
        return replace(value, name=self.node("Cast", [value.name], to=TYPES[kind]), dtype=kind)

    def apply(self, kind: str, value: Value, other: Value | Array | int) -> Value:
        """An elementwise op with a constant of its type, or with a value of the same axes."""
        if isinstance(other, Value):
            sizes = tuple(max(pair) for pair in zip(value.sizes, other.sizes, strict=True))
            return replace(value, name=self.node(kind, [value.name, other.name]), sizes=sizes)
        constant = np.asarray(other, value.dtype)
        sizes = np.broadcast_shapes(value.sizes, constant.shape)
        return replace(
            value, name=self.node(kind, [value.name, self.constant(constant)]), sizes=sizes
        )

    def scaled(self, value: Value, dtype: Any, factor: int = 1) -> Value:
        """The value in a type, with its scale and a factor applied."""
        whole = self.cast(value, dtype)
        if value.scale * factor != 1:
            whole = self.apply("Mul", whole, value.scale * factor)
        return replace(whole, scale=1)

    def transpose(self, value: Value, axes: Sequence[str]) -> Value:
        if tuple(axes) == value.axes:
            return value
        order = [value.axes.index(axis) for axis in axes]
        name = self.node("Transpose", [value.name], perm=order)
        return replace(
            value, name=name, axes=tuple(axes), sizes=tuple(value.sizes[i] for i in order)
        )

    def reshape(self, value: Value, axes: Sequence[str], sizes: Sequence[int]) -> Value:
        if tuple(sizes) == value.sizes:
            return replace(value, axes=tuple(axes))
        shape = self.constant(np.array(sizes, np.int64))
        name = self.node("Reshape", [value.name, shape])
        return replace(value, name=name, axes=tuple(axes), sizes=tuple(sizes))

    def align(self, value: Value, axes: Sequence[str]) -> Value:
        """The value over these axes in this order, with length 1 where it lacks one."""
        have = self.transpose(value, [axis for axis in axes if axis in value.axes])
        sizes = [have.size(axis) if axis in have.axes else 1 for axis in axes]
        return self.reshape(have, axes, sizes)

    def repeat(self, value: Value, axis: str, size: int) -> Value:
        """The value with an axis in front, the same all along it."""
        if axis in value.axes:
            return value
        sizes = (size, *value.sizes)
        shape = self.constant(np.array(sizes, np.int64))
        name = self.node("Expand", [value.name, shape])
        return replace(value, name=name, axes=(axis, *value.axes), sizes=sizes)

    def split(self, value: Value, axis: str) -> list[Value]:
        """One value for each place along an axis, which stays with length 1."""
        count = value.size(axis)
        if count == 1:
            return [value]
        place = value.axes.index(axis)
        name = self.node("Split", [value.name], count, axis=place)
        sizes = (*value.sizes[:place], 1, *value.sizes[place + 1 :])
        return [replace(value, name=f"{name}/{i}", sizes=sizes) for i in range(count)]

    def concat(self, values: Sequence[Value], axis: str) -> Value:
        """Values of the same axes and type, side by side."""
        first, place = values[0], values[0].axes.index(axis)
        if len(values) == 1:
            return first
        name = self.node("Concat", [v.name for v in values], axis=place)
        total = sum(v.sizes[place] for v in values)
        return replace(
            first, name=name, sizes=(*first.sizes[:place], total, *first.sizes[place + 1 :])
        )

    def total(self, value: Value, axes: Sequence[str]) -> Value:
        """The sum along axes, which go."""
        places = self.constant(np.array([value.axes.index(a) for a in axes], np.int64))
        name = self.node("ReduceSum", [value.name, places], keepdims=0)
        kept = [i for i, a in enumerate(value.axes) if a not in axes]
        return replace(
            value,
            name=name,
            axes=tuple(value.axes[i] for i in kept),
            sizes=tuple(value.sizes[i] for i in kept),
        )

    def model(self, name: str) -> onnx.ModelProto:
        graph = helper.make_graph(
            self._nodes, name, self._inputs, self._outputs, list(self._initializers.values())
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        return model


def lengths(axes: Sequence[str], known: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(known[axis] for axis in axes)


def product(sizes: Sequence[int]) -> int:
    return math.prod(sizes)
