"""Programs that `snncc export --to nir` wrote, read back: the same program, bit for bit.

The file's metadata hold the program without the numbers that stand in nodes, which are read from
there, and a digest that says that nobody changed nodes or edges.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from snncc.diagnostics import SnnccError
from snncc.frontends.nir.records import FROM_WRITER, INVALID, OPEN, NirFile, NirNode
from snncc.ir import INTEGER, Array, Graph, LimitError, Node, VerifyError, verify
from snncc.ir.codec import CodecError, decode_loc, decode_op, decode_type
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.projections import Contract
from snncc.ir.op import Op, Param, TypeRuleError

CONVENTION = "snncc"
Json = Any


def own_program(file: NirFile, source: str) -> Graph:
    """The program of a file.

    Raises:
        SnnccError: SNN152 when no export of ours wrote it, SNN151 when it was changed in a way
            that no longer is a program, SNN070 for one that is too large.
    """
    if file.own is None:
        told = f"{source} holds no program of snncc"
        raise SnnccError(OPEN, told, help="give --convention with the framework that wrote it")
    try:
        own = cast("Mapping[str, Json]", json.loads(bytes(file.own)))
        if own["graph"] != _digest(file):
            told = f"{source} was changed after snncc wrote it"
            why = "its nodes and edges are not those of the program in its metadata"
            help_ = "for what it says now give --convention nir-literal --dt 1"
            raise SnnccError(INVALID, told, why=why, help=help_)
        graph = _graph(own, {node.name: node for node in file.graph.nodes})
        verify(graph)
    except LimitError as error:
        raise SnnccError("SNN070", f"{source} is too large", why=str(error)[:400]) from error
    except (
        *(CodecError, VerifyError, TypeRuleError, ValueError, KeyError, TypeError, IndexError),
        *(AttributeError, RecursionError, OverflowError),
    ) as error:
        why = str(error).partition("\n")[0][:200]
        told = f"the program in {source} is not valid"
        raise SnnccError(INVALID, told, why=why, help=FROM_WRITER) from error
    return graph


def _digest(file: NirFile) -> str:
    """Of all nodes with their numbers, and of all edges, as the export made it."""
    digest = hashlib.sha256()
    for node in sorted(file.graph.nodes, key=lambda each: each.name):
        for key in sorted(node.fields):
            value = node.real(key)
            digest.update(json.dumps([node.name, node.kind, key, list(value.shape)]).encode())
            digest.update(value.astype("<f8").tobytes())
    digest.update(json.dumps(sorted(map(list, file.graph.edges))).encode())
    return digest.hexdigest()


def _graph(own: Mapping[str, Json], held: Mapping[str, NirNode]) -> Graph:
    nodes = tuple(
        Node(
            str(each["name"]),
            decode_op(_class(each["op"]), each["fields"]),
            tuple(map(str, each["inputs"])),
            decode_type(each["type"]),
            tuple(decode_loc(loc) for loc in each["locs"]),
        )
        for each in own["nodes"]
    )
    axes = {str(key): tuple(map(str, each)) for key, each in own["axes"].items()}
    constants: dict[str, Array] = {}
    by_name = {node.name: node for node in nodes}
    for node, record in zip(nodes, own["nodes"], strict=True):
        for what in node.op.__dataclass_fields__:
            param = getattr(node.op, what)
            if not isinstance(param, Param):
                continue
            said = own["constants"][param.name]
            place = record["in"].get(what)
            if place is None:
                real = said["values"]
            else:
                real = _numbers(held, node, by_name[node.inputs[0]], param, place, axes)
            made = _whole(np.asarray(real, np.float64), said, param)
            if not np.array_equal(constants.setdefault(param.name, made), made):
                raise ValueError(f"{param.name} stands in several nodes, and they differ")
    steps = int(own["steps"])
    return Graph("integer", steps, nodes, str(own["output"]), constants, str(own["profile"]))


def _class(word: str) -> type[Op]:
    """The op of a word. Raises CodecError where there is none."""
    found = INTEGER.named(word)
    if found is None:
        raise CodecError(f"not an op: {word}")
    return found


def _whole(real: Array, said: Mapping[str, Json], param: Param) -> Array:
    """Integers in the shape and type that the program has. Raises ValueError for others."""
    shape, dtype = tuple(map(int, said["shape"])), np.dtype(str(said["dtype"]))
    real = real.reshape(shape) if "values" in said else real
    if real.shape != shape or not (real == np.rint(real)).all():
        raise ValueError(f"{param.name} is not of integers {list(shape)}")
    limits = np.iinfo(dtype)
    if real.min() < limits.min or real.max() > limits.max:
        raise ValueError(f"{param.name} does not fit {dtype}")
    return real.astype(dtype)


def _numbers(
    held: Mapping[str, NirNode],
    node: Node,
    source: Node,
    param: Param,
    place: Json,
    axes: Mapping[str, tuple[str, ...]],
) -> Array:
    """A constant's numbers, from the node of the file where they stand."""
    where, what, factor = str(place[0]), str(place[1]), float(place[2])
    real = held[where].real(what) * factor
    if what == "bias":
        return _compact(real, axes[node.name][:1], param.axes)
    if what == "v_threshold":
        at_least = isinstance(node.op, IntegerPopulation) and node.op.compare == "ge"
        return _compact(np.ceil(real) if at_least else real, axes[node.name], param.axes)
    if what == "scale":
        return _compact(real, axes[node.name], param.axes)
    if isinstance(node.op, Contract):
        read = axes[source.name]
        sizes = [source.type.size(name) for name in read]
        order = [1 + read.index(name) for name in node.op.into]
        return real.reshape(len(real), *sizes).transpose([0, *order])
    return real


def _compact(real: Array, axes: tuple[str, ...], wanted: tuple[str, ...]) -> Array:
    """Numbers over all elements as those over some axes. Raises ValueError: they differ."""
    kept = real
    for at in reversed(range(len(axes))):
        if axes[at] not in wanted:
            first = np.take(kept, [0], axis=at)
            if not (kept == first).all():
                raise ValueError(f"numbers differ along {axes[at]}")
            kept = np.take(kept, 0, axis=at)
    left = [axis for axis in axes if axis in wanted]
    return kept.transpose([left.index(axis) for axis in wanted])
