"""Where values lie: the one description that planner, runner, matrix products and host share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from snncc.backends.cpu.arrangement import Arrangement, planes_of
from snncc.ir import TIME, Array, Axis, Context, Kind, ValueType
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neurons import STATE

STATE_BYTES = 8
"""Of every integer that a neuron of several states keeps."""


class Form(StrEnum):
    """What the elements of a value are in memory."""

    IMAGE = "image"  # the image itself, outside the working memory
    BITS = "bits"  # one bit each, in rows of 64-bit words; of counts, plane after plane of these
    INTEGERS = "integers"  # signed, of 2, 4 or 8 bytes


@dataclass(frozen=True)
class Place:
    """One value in the working memory.

    Attributes:
        type: of the value.
        form: what its elements are.
        at: bytes from the start of the working memory to the first element.
        size: of integers, bytes of an element; of bits, bytes of a plane.
        strides: in bytes; of integers by axis of the type, of bits of the steps and rows alone.
            A value that is the same at every step has the stride 0 over time.
        bits: how bits lie.
        planes: how many of them an element has; plane j counts 2^j.
    """

    type: ValueType
    form: Form
    at: int = 0
    size: int = 0
    strides: Mapping[str, int] = field(default_factory=dict[str, int])
    bits: Arrangement | None = None
    planes: int = 1

    @property
    def row(self) -> int:
        """Bytes of a row of bits."""
        return 8 * self.arrangement.words

    @property
    def step(self) -> int:
        """Bytes from one step to the next; 0 where all steps are the same."""
        return self.strides.get(TIME, 0)

    @property
    def plane(self) -> int:
        """Bytes from one plane to the next; memory and plan hold the same steps."""
        return self.size

    @property
    def arrangement(self) -> Arrangement:
        """How bits lie. Raises TypeError where the value is not of bits."""
        if self.bits is None:
            raise TypeError(f"a value of the form {self.form} has no bits")
        return self.bits

    def read(self, memory: Array, image: Array, first: int, last: int) -> Array:
        """The value at some steps, [*axes of its type]: integers as they lie, a bit as 0 or 1.

        Args:
            memory: the working memory, uint8.
            image: uint8, [*axes of the image].
            first: the first step, counted from the one that lies first in the memory.
            last: the one after the last; a value without time has one step.
        """
        if self.form is Form.IMAGE:
            return image
        if self.form is Form.INTEGERS:
            return self.view(memory, first, last)
        lay = self.arrangement
        bits = self._unpacked(memory, first, last, 0)
        if self.planes > 1:
            bits = bits.astype(np.uint8 if self.planes <= 8 else np.int64)
            for plane in range(1, self.planes):
                more = self._unpacked(memory, first, last, plane)
                bits |= more.astype(bits.dtype) << plane
        grid: Array = bits.reshape(*self._steps(first, last), *lay.sizes, *self._lane)
        return grid.transpose([self._names.index(name) for name in self.type.names])

    def _unpacked(self, memory: Array, first: int, last: int, plane: int) -> Array:
        """One plane as uint8, [steps * rows, lanes]."""
        packed, lanes = self.packed(memory, first, last, plane), self.arrangement.lanes
        return np.unpackbits(packed, axis=1, count=lanes, bitorder="little")

    def write(self, memory: Array, value: Array, first: int, last: int) -> None:
        """Puts a value, [*axes of its type], where `read` finds it."""
        if self.form is Form.IMAGE:
            raise TypeError("nothing writes to an image")
        if self.form is Form.INTEGERS:
            self.view(memory, first, last)[...] = value
            return
        grid = value.transpose([self.type.names.index(name) for name in self._names])
        flat = grid.reshape(-1, self.arrangement.lanes)
        for plane in range(self.planes):
            packed = self.packed(memory, first, last, plane)
            each = flat if self.planes == 1 else flat & (1 << plane)
            bits = np.packbits(each, axis=1, bitorder="little")
            packed[:, : bits.shape[1]] = bits
            packed[:, bits.shape[1] :] = 0

    def view(self, memory: Array, first: int, last: int) -> Array:
        """Integers as they lie, [*axes of the type]: what is written there stays."""
        shape = tuple(last - first if a.name == TIME else a.size for a in self.type.axes)
        strides = tuple(self.strides[name] for name in self.type.names)
        start = self.at + first * self.step
        return np.ndarray(shape, f"i{self.size}", memory.data, start, strides)

    def packed(self, memory: Array, first: int, last: int, plane: int = 0) -> Array:
        """Rows of one plane's bits of these steps, [steps * rows, bytes of a row], as they lie."""
        rows = self.arrangement.row_count
        start = self.at + plane * self.plane + first * self.step
        steps = last - first if self.type.temporal else 1
        return memory[start : start + steps * rows * self.row].reshape(-1, self.row)

    def _steps(self, first: int, last: int) -> tuple[int, ...]:
        return (last - first,) if self.type.temporal else ()

    @property
    def _lane(self) -> tuple[int, ...]:
        """The length of the lanes, unless they are the single one of a value without lanes."""
        return (self.arrangement.lanes,) if self.arrangement.lane else ()

    @property
    def _names(self) -> tuple[str, ...]:
        """The axes in the order in which bits lie."""
        lay = self.arrangement
        time = (TIME,) if self.type.temporal else ()
        return (*time, *lay.rows, *((lay.lane,) if lay.lane else ()))


@dataclass(frozen=True)
class Population:
    """What a plan keeps of a population, besides what any value has.

    Attributes:
        unit: number of the unit that counts its spikes.
        spikes: their place.
        record: of recorded membranes, at every step; None where they are not kept.
        state: of membranes between calls; None where they are not kept.
    """

    unit: int
    spikes: Place
    record: Place | None
    state: Place | None


def bits_at(type: ValueType, at: int, arrangement: Arrangement, steps: int = 1) -> Place:
    """Spikes, or counts plane by plane, that begin at an address; so many steps lie in memory."""
    step = 8 * arrangement.words * arrangement.row_count
    strides = {TIME: step if type.temporal else 0}
    plane = step * (steps if type.temporal else 1)
    return Place(type, Form.BITS, at, plane, strides, arrangement, planes_of(type))


def integers_at(type: ValueType, at: int, size: int) -> Place:
    """Integers in the order of the type's axes, without gaps."""
    strides: dict[str, int] = {}
    stride = size
    for axis in reversed(type.axes):
        strides[axis.name] = stride
        stride *= axis.size
    return Place(type, Form.INTEGERS, at, size, strides)


def lanes_at(type: ValueType, at: int, arrangement: Arrangement, size: int) -> Place:
    """Integers in rows of padded lanes, as compiled units keep membranes."""
    strides = {arrangement.lane: size}
    stride = size * arrangement.padded
    for axis, length in reversed(list(zip(arrangement.rows, arrangement.sizes, strict=True))):
        strides[axis] = stride
        stride *= length
    strides[TIME] = stride if type.temporal else 0
    return Place(type, Form.INTEGERS, at, size, strides)


def state_at(op: IntegerNeuron, type: ValueType, at: int, context: Context) -> Place:
    """The integers of neurons of several states, one slot behind the other, without gaps."""
    axes = (Axis(STATE, op.slots(context)), *type.without(TIME).axes)
    strides: dict[str, int] = {}
    stride = STATE_BYTES
    for axis in reversed(axes):
        strides[axis.name] = stride
        stride *= axis.size
    return Place(ValueType(Kind.CURRENT, axes), Form.INTEGERS, at, STATE_BYTES, strides)


def state_bytes(op: IntegerNeuron, type: ValueType, context: Context) -> int:
    """How many bytes these are."""
    return STATE_BYTES * op.slots(context) * type.neurons
