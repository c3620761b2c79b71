"""Collects the nodes of an ONNX graph, built with onnx_ir; what is equal is there once."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from snncc.backends.onnx_graph.library import library
from snncc.backends.onnx_graph.value import Value
from snncc.ir import Array

Length = int | str
"""Of a dimension of an input or output: a number, or the name of what a run decides."""
BOOL = np.dtype(np.bool_)


class Writer:
    """A graph under construction, with the bodies of its scans.

    Raises:
        SnnccError: SNN050 when onnx_ir is not installed.
    """

    def __init__(self) -> None:
        self.ir = library("onnx_ir")
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.initializers: list[Any] = []
        self._nodes: list[Any] = []
        self._made: dict[object, Any] = {}
        self._constants: dict[object, Any] = {}
        self._count = 0

    # What enters and leaves.

    def input(self, name: str, sizes: Sequence[Length], dtype: Any) -> Any:
        """An input of the graph."""
        made = self._typed(name, dtype)
        made.shape = self.ir.Shape([*sizes])
        self.inputs.append(made)
        return made

    def output(self, value: Any, name: str, sizes: Sequence[Length], dtype: Any) -> None:
        """A value under a name that users know."""
        (made,) = self._node("Identity", [value], 1, {})
        made.name, made.shape = name, self.ir.Shape([*sizes])
        made.type = self.ir.TensorType(self._kind(dtype))
        self.outputs.append(made)

    def constant(self, array: Array) -> Any:
        """A constant, stored once."""
        key = (array.shape, array.dtype.str, array.tobytes())
        if key not in self._constants:
            made = self.ir.Value(name=f"c{len(self._constants)}")
            content = np.array(array, order="C")  # a scalar stays one
            made.const_value = self.ir.tensor(content, name=made.name)
            made.shape = self.ir.Shape([*array.shape])
            made.type = self.ir.TensorType(self._kind(array.dtype))
            self.initializers.append(made)
            self._constants[key] = made
        return self._constants[key]

    def lengths(self, *sizes: int) -> Any:
        """A constant of int64, [count]: a shape or a list of axes."""
        return self.constant(np.array(sizes, np.int64))

    # Nodes.

    def node(self, kind: str, *inputs: Any, **attributes: Any) -> Any:
        """The result of a node; of the same node, if there is one already."""
        key = (kind, tuple(id(value) for value in inputs), repr(sorted(attributes.items())))
        if key not in self._made:
            (self._made[key],) = self._node(kind, inputs, 1, attributes)
        return self._made[key]

    def cast(self, value: Value, dtype: Any) -> Value:
        """The value in another type."""
        kind = np.dtype(dtype)
        if value.dtype == kind:
            return value
        made = self.node("Cast", value.made, to=int(self._kind(kind)))
        return replace(value, made=made, dtype=kind)

    def apply(self, kind: str, value: Value, other: Value | Array | int) -> Value:
        """An elementwise operation with a value of the same trailing axes, or with a constant."""
        if isinstance(other, Value):
            axes = max(value.axes, other.axes, key=len)
            return replace(value, made=self.node(kind, value.made, other.made), axes=axes)
        constant = self.constant(np.asarray(other, value.dtype))
        return replace(value, made=self.node(kind, value.made, constant))

    def compare(self, kind: str, value: Value, other: Value) -> Value:
        """A comparison; its elements are bool."""
        return replace(self.apply(kind, value, other), dtype=BOOL)

    def where(self, condition: Value, one: Value, other: Value) -> Value:
        """Elements of one value where the condition holds, else of the other."""
        axes = max(condition.axes, one.axes, other.axes, key=len)
        made = self.node("Where", condition.made, one.made, other.made)
        return Value(made, axes, one.dtype)

    def transpose(self, value: Value, axes: Sequence[str]) -> Value:
        """The value with its axes in this order."""
        if tuple(axes) == value.axes:
            return value
        order = [value.axes.index(axis) for axis in axes]
        made = self.node("Transpose", value.made, perm=order)
        return replace(value, made=made, axes=tuple(axes))

    def align(self, value: Value, axes: Sequence[str]) -> Value:
        """The value over these axes in this order, with length 1 where it lacks one."""
        have = self.transpose(value, [axis for axis in axes if axis in value.axes])
        missing = [place for place, axis in enumerate(axes) if axis not in value.axes]
        if not missing:
            return have
        made = self.node("Unsqueeze", have.made, self.lengths(*missing))
        return replace(have, made=made, axes=tuple(axes))

    def total(self, value: Value, axes: Sequence[str]) -> Value:
        """The sum along axes, which go."""
        places = self.lengths(*(value.axes.index(axis) for axis in axes))
        made = self.node("ReduceSum", value.made, places, keepdims=0)
        return replace(value, made=made, axes=tuple(a for a in value.axes if a not in axes))

    def reshape(self, value: Value, shape: Any, axes: Sequence[str]) -> Value:
        """The value in a shape of the graph, with new axes."""
        return replace(value, made=self.node("Reshape", value.made, shape), axes=tuple(axes))

    # Scans.

    def scan(
        self,
        states: Sequence[Any],
        sequences: Sequence[Any],
        results: int,
        types: Sequence[Any],
        body: Callable[[list[Any]], list[Any]],
    ) -> list[Any]:
        """A loop over the leading axis of sequences.

        Args:
            states: values before the first step.
            sequences: values [t, ...], of which the body gets one element each.
            results: how many values the body gives beside the states.
            types: of the elements of states and sequences.
            body: the values after a step and the results of the step, from states and elements; it
                may use any value of the graph too.

        Returns:
            States after the last step, and the results of all steps, [t, ...].
        """
        outer_nodes, outer_made = self._nodes, self._made
        self._nodes, self._made = [], {}
        try:
            names = [f"b{self._next()}" for _ in types]
            entering = [self._typed(n, kind) for n, kind in zip(names, types, strict=True)]
            leaving = [self._named(value) for value in body(entering)]
            graph = self.ir.Graph(entering, leaving, nodes=self._nodes, name=f"step{self._next()}")
        finally:
            self._nodes, self._made = outer_nodes, outer_made
        attributes = {"body": graph, "num_scan_inputs": len(sequences)}
        count = len(states) + results
        return self._node("Scan", [*states, *sequences], count, attributes)

    def model(self, name: str, opset: int, version: int, **named: Any) -> Any:
        """The finished model, of onnx_ir."""
        graph = self.ir.Graph(
            self.inputs,
            self.outputs,
            nodes=self._nodes,
            initializers=self.initializers,
            opset_imports={"": opset},
            name=name,
        )
        return self.ir.Model(graph, ir_version=version, **named)

    def _named(self, value: Any) -> Any:
        """A result of its own: a body gives no value that comes from outside or twice."""
        return self._node("Identity", [value], 1, {})[0]

    def _node(
        self, kind: str, inputs: Sequence[Any], outputs: int, attributes: dict[str, Any]
    ) -> list[Any]:
        made = self.ir.node(kind, [*inputs], attributes, num_outputs=outputs)
        for value in made.outputs:
            value.name = f"v{self._next()}"
        made.name = f"n{self._next()}"
        self._nodes.append(made)
        return [*made.outputs]

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _typed(self, name: str, dtype: Any) -> Any:
        return self.ir.Value(name=name, type=self.ir.TensorType(self._kind(dtype)))

    def _kind(self, dtype: Any) -> Any:
        return self.ir.DataType.from_numpy(np.dtype(dtype))
