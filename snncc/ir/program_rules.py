"""What an integer program must be as a whole, beside the type rules of its ops.

docs/program_rules.md states the rules in words; the checker has its own copy of them.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from snncc.ir.codec import CodecError, decode_op, encode_op, shown
from snncc.ir.dialects.integer import IntegerReadout
from snncc.ir.dialects.projections import Contract, Convolve, Frames
from snncc.ir.graph import Graph, Node, params_of
from snncc.ir.limits import Found
from snncc.ir.names import is_axis_name, is_name
from snncc.ir.op import WIDEST, Array, Op, Param

PROFILES = ("exact", "loihi-lava")
DTYPES = tuple(map(np.dtype, (np.int8, np.int16, np.int32, np.int64)))
LARGEST = (1 << (WIDEST - 1)) - 1
"""No constant is larger, of either sign."""


def program_problems(graph: Graph) -> Iterator[Found]:
    """Every rule that a graph breaks as a whole. Its nodes are in topological order."""
    if type(graph.steps) is not int:
        yield "", f"T is {graph.steps!r}, not an integer"
    if graph.profile not in PROFILES:
        yield "", f"unknown profile {shown(graph.profile)}"
    images, readouts = graph.select(Frames), graph.select(IntegerReadout)
    if len(images) != 1:
        yield "", f"{len(images)} images enter, a program has one"
    if [node.name for node in readouts] != [graph.output]:
        yield "", f"{len(readouts)} readouts; a program has one, which is its output"
    for node in graph.nodes:
        if node.name not in graph.readers and node.name != graph.output:
            yield node.name, "nobody reads it"
        yield from ((node.name, text) for text in _of_node(node))
        image = any(source in {i.name for i in images} for source in node.inputs)
        if image and not isinstance(node.op, Contract | Convolve):
            yield node.name, f"a {node.op.mnemonic} reads an image, which maps alone read"
    named = {param.name for node in graph.nodes for param in params_of(node.op)}
    for name, array in graph.constants.items():
        if not is_name(name):
            yield "", f"a constant is called {shown(name)}"
        elif name not in named:
            yield "", f"constant @{name} belongs to no node"
        yield from (("", f"constant @{name} {text}") for text in _of_constant(array))


def _of_node(node: Node) -> Iterator[str]:
    names = [axis.name for axis in node.type.axes] + list(_axes_of(node.op))
    for name in dict.fromkeys(names):
        if not is_axis_name(name):
            yield f"{shown(name)} cannot name an axis: a letter, then letters, digits, '_.-'"
    if any(type(axis.size) is not int or axis.size < 1 for axis in node.type.axes):
        yield f"{node.type} has an axis without elements"
    try:
        same = decode_op(type(node.op), encode_op(node.op)) == node.op
    except CodecError as error:
        yield str(error)
    else:
        if not same:
            yield "its fields are not what a file can hold"


def _axes_of(op: Op) -> Iterator[str]:
    """Every name of an axis in an op's fields."""
    for field in dataclasses.fields(op):
        value = getattr(op, field.name)
        if isinstance(value, Param):
            yield from value.axes
        elif field.name in AXES_FIELDS:
            yield from ([value] if isinstance(value, str) else value)


AXES_FIELDS = frozenset(
    {
        *("axes", "into", "out", "shared", "summed", "along", "channel", "height", "width"),
        *("out_channel", "out_height", "out_width"),
    }
)
"""Fields of integer ops that hold names of axes."""


def _of_constant(array: Array) -> Iterator[str]:
    if array.dtype not in DTYPES:
        yield f"is {array.dtype}, the dialect is integer: signed, of 8, 16, 32 or 64 bits"
    elif array.size == 0:
        yield "has no elements"
    elif int(array.min()) < -LARGEST - 1 or int(array.max()) > LARGEST:
        yield f"holds a number that needs more than {WIDEST} bits"
