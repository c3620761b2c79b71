"""An ONNX graph under construction for one program: its steps, its states, its constants."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snncc.backends.onnx_graph.steps import fixes_steps, prove_steps
from snncc.backends.onnx_graph.value import LEADING, Dtype, Value
from snncc.backends.onnx_graph.writer import Length, Writer
from snncc.ir import TIME, Array, Graph, Node, Param, ValueType
from snncc.ir.arrays import spread

SCAN, STEP = "scan", "step"
FORMS = (SCAN, STEP)
BATCH_LENGTH, TIME_LENGTH = "N", "T"
"""Names of the lengths that a run decides."""
STEPS_INPUT, STEP_INPUT = "steps", "step"


@dataclass(frozen=True)
class State:
    """What lasts from one call to the next.

    Attributes:
        name: of the node that has it.
        axes: in the order of the input and the output, the batch in front.
        dtype: of its elements.
    """

    name: str
    axes: tuple[str, ...]
    dtype: Dtype


class Draft:
    """What the functions of ops write into.

    Args:
        graph: integer dialect, verified.
        form: `SCAN`, all steps in one run, or `STEP`, one step.

    Attributes:
        w: the writer.
        stepwise: whether the graph is of one step: then no value has the time axis.
        fixed: whether constants differ from step to step, so that T is the program's.
        proved: for how many steps types hold, and the intervals of membranes.
        membranes: Z of each population, with the axes of its spikes.
        states: of populations and of the readout, in the program's order.
        logits: the answer in real units.
    """

    def __init__(self, graph: Graph, form: str) -> None:
        self.graph, self.stepwise = graph, form == STEP
        self.w = Writer()
        self.fixed, self.proved = fixes_steps(graph), prove_steps(graph)
        self.membranes: dict[str, Value] = {}
        self.states: list[State] = []
        self.images: Any = None
        self.logits: Value | None = None
        self._image_axes: tuple[str, ...] = ()
        self._step: Any = None
        self._steps: Any = None

    # Axes and lengths.

    def names(self, kind: ValueType) -> tuple[str, ...]:
        """The axes of a value in the graph, without the batch."""
        return tuple(n for n in kind.names if n != TIME) if self.stepwise else kind.names

    def length(self, axis: str, kind: ValueType) -> Length:
        """The length of an axis of an input or output."""
        if axis == LEADING:
            return BATCH_LENGTH
        return TIME_LENGTH if axis == TIME and not self.fixed else kind.size(axis)

    def shape(self, axes: Sequence[str], kind: ValueType, *front: int) -> Any:
        """A shape for Reshape: the lengths of these axes of a type, behind numbers.

        One length that a run decides is -1; of two, the run's own numbers are put together.
        """
        sizes: list[int | str] = [*front]
        sizes += [a if self._open(a) else kind.size(a) for a in axes]
        if sum(isinstance(size, str) or size < 0 for size in sizes) <= 1:
            return self.w.lengths(*(-1 if isinstance(size, str) else size for size in sizes))
        parts = [self.run_length(s) if isinstance(s, str) else self.w.lengths(s) for s in sizes]
        return self.w.node("Concat", *parts, axis=0)

    def _open(self, axis: str) -> bool:
        return axis == LEADING or (axis == TIME and not self.fixed)

    def run_length(self, axis: str) -> Any:
        """The length of the batch or of time in a run, int64 [1]."""
        if axis == TIME and self.fixed:
            return self.w.lengths(self.graph.steps)
        if axis != LEADING and TIME not in self._image_axes:
            return self._given_steps()
        place = 0 if axis == LEADING else self._image_axes.index(TIME)
        return self.w.node("Shape", self.images, start=place, end=place + 1)

    def _given_steps(self) -> Any:
        """The input that says how many steps to run: nothing else that enters has a time axis."""
        if self._steps is None:
            self._steps = self.w.input(STEPS_INPUT, [1], np.int64)
        return self._steps

    # What enters, and what lasts.

    def entering(self, name: str, kind: ValueType) -> Value:
        """The images."""
        self._image_axes = (LEADING, *self.names(kind))
        sizes = [self.length(axis, kind) for axis in self._image_axes]
        self.images = self.w.input(name, sizes, kind.dtype)
        return Value(self.images, self._image_axes, np.dtype(kind.dtype))

    def state(self, node: Node, dtype: Any) -> Value:
        """What a node kept: an input [batch, *axes of its type without time]."""
        kind = node.type.without(TIME)
        axes = (LEADING, *kind.names)
        self.states.append(State(node.name, axes, np.dtype(dtype)))
        sizes = [self.length(axis, kind) for axis in axes]
        return Value(self.w.input(state_name(node.name), sizes, dtype), axes, np.dtype(dtype))

    def leaves(self, value: Value, name: str, kind: ValueType) -> None:
        """A value as an output [batch, *axes of a type]."""
        axes = (LEADING, *self.names(kind))
        sizes = [self.length(axis, kind) for axis in axes]
        self.w.output(self.w.transpose(value, axes).made, name, sizes, value.dtype)

    # Constants and time.

    def over(self, param: Param, order: Sequence[str]) -> Array:
        """A constant as int64 over axes, with length 1 where it lacks one."""
        array = self.graph.constants[param.name].astype(np.int64)
        return spread(array, param.axes, tuple(order))

    def constant(self, array: Array, order: Sequence[str], dtype: Any) -> Value:
        """A constant over (time, *rest): with a time axis where it differs from step to step.

        In a graph of one step it is what it is at the step that the caller names.
        """
        kind, rest = np.dtype(dtype), tuple(order[1:])
        if array.shape[0] == 1:
            return Value(self.w.constant(array[0].astype(kind)), rest, kind)
        made = self.w.constant(array.astype(kind))
        if not self.stepwise:
            return Value(made, tuple(order), kind)
        return Value(self.at_step(made), rest, kind)

    def at_step(self, made: Any) -> Any:
        """What a constant [t, ...] is at the step of the run."""
        if self._step is None:
            self._step = self.w.input(STEP_INPUT, [], np.int64)
        return self.w.node("Gather", made, self._step, axis=0)

    def timed(self, value: Value) -> Value:
        """The value at every step, time in front; as it is in a graph of one step."""
        if self.stepwise or TIME in value.axes:
            return value
        ones = [1] * len(value.axes)
        shape = self.w.node("Concat", self.run_length(TIME), self.w.lengths(*ones), axis=0)
        longer = self.w.align(value, (TIME, *value.axes))
        return replace(longer, made=self.w.node("Expand", longer.made, shape))

    def ticks(self) -> Any:
        """Something with a time axis: [t], zeros."""
        zero = self.w.constant(np.zeros(1, np.uint8))
        return self.w.node("Expand", zero, self.run_length(TIME))


def state_name(node: str) -> str:
    """The input that holds a node's state before a run."""
    return f"{node}[state]"


def next_name(node: str) -> str:
    """The output that holds it after the run."""
    return f"{node}[next]"
