"""Delays in a plan's memory: copies of whole steps, as they lie."""

from dataclasses import replace

import numpy as np

from snncc.backends.cpu.plan.places import Form, Place, bits_at, integers_at
from snncc.ir import TIME, Array, Graph, Kind, Node
from snncc.ir.arrays import count, spread
from snncc.ir.dialects.delays import Delay


def step_bytes(place: Place) -> int:
    """Bytes of one step of a value."""
    if place.form is Form.BITS:
        return place.row * place.arrangement.row_count
    return place.size * place.type.without(TIME).neurons


def step_of(graph: Graph, node: Node, op: Delay, place: Place) -> Array:
    """What stands before the first step, as one step of the value lies: bytes."""
    one = np.zeros(step_bytes(place), np.uint8)
    if op.start is not None:
        kind = node.type.without(TIME)
        whole = np.zeros(kind.shape, np.int64)
        whole += spread(graph.constants[op.start.name].astype(np.int64), op.start.axes, kind.names)
        first = replace(place, type=kind, at=0)
        first.write(one, whole, 0, 1)
    return one


def past_of(node: Node, op: Delay, place: Place | None, size: int) -> Place:
    """The last values that a delay has read, [steps, *axes of one step], somewhere in memory.

    Args:
        node: the delay.
        op: of it.
        place: of what it gives, where units compute it; None where the host does.
        size: bytes of an element that the host keeps.
    """
    kind = node.type.without(TIME).with_time(op.steps)
    if place is None:
        return integers_at(kind, 0, size)
    if place.form is Form.BITS:
        return bits_at(kind, 0, place.arrangement)
    strides = {**place.strides, TIME: step_bytes(place)}
    return Place(kind, Form.INTEGERS, 0, place.size, strides)


def past_bytes(place: Place) -> int:
    """Bytes of a past."""
    if place.form is Form.BITS:
        return step_bytes(place) * place.type.size(TIME)
    return place.size * count(place.type.shape)


def past_size(node: Node, wide: bool) -> int:
    """Bytes of an element of a past that the host keeps."""
    return 2 if node.type.kind is Kind.SPIKE else 8 if wide else 4
