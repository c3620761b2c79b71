"""What each layer receives from one spike: dense arrays, one spike of one neuron at a time.

The makers of mappings multiply indices out. Here a spike is sent through the program's maps as they
are written, with `einsum` and sliding windows.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from snncc.ir import Graph, Node
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Sum

Dense = NDArray[np.float64]
CELLS = 1 << 22
"""Numbers of one value at a time."""
EXACT = 2.0**53
LEAVES = ("frames", "integer_population")
ENDS = ("integer_population", "integer_readout")


def shape_of(node: Node) -> dict[str, int]:
    """Axes of a value at one step."""
    return {axis.name: axis.size for axis in node.type.axes if axis.name != "t"}


def layers_of(graph: Graph) -> list[Node]:
    """What is placed: populations and the readout."""
    return [node for node in graph.nodes if node.op.mnemonic in ENDS]


def responses(graph: Graph, source: Node) -> Iterator[tuple[int, str, NDArray[np.int64]]]:
    """For some neurons of a source at a time: the first, the layer, integers [neurons, layer's].

    Raises:
        ValueError: a value that the arrays here do not hold exactly, or an op that is no sum.
    """
    shape = shape_of(source)
    total = int(np.prod([*shape.values()], dtype=np.int64))
    widest = max(int(np.prod([*shape_of(n).values()], dtype=np.int64)) for n in graph.nodes)
    step = max(1, CELLS // max(1, widest))
    behind = _behind(graph, source.name)
    for start in range(0, total, step):
        stop = min(total, start + step)
        one = np.zeros((stop - start, total))
        one[np.arange(stop - start), np.arange(start, stop)] = 1.0
        values: dict[str, Dense] = {source.name: one.reshape(-1, *shape.values())}
        for node in graph.nodes:
            given = [values.get(name) for name in node.inputs]
            if node.name == source.name or all(each is None for each in given):
                continue
            if node.op.mnemonic in ENDS:
                yield start, node.name, _exact(given[0], node)
            elif node.name in behind:
                values[node.name] = _value(graph, node, given, stop - start)


def _behind(graph: Graph, source: str) -> set[str]:
    """Values that a source reaches without a neuron between."""
    found = {source}
    for node in graph.nodes:
        if node.op.mnemonic not in ENDS and found & set(node.inputs):
            found.add(node.name)
    return found


def _exact(value: Dense | None, node: Node) -> NDArray[np.int64]:
    if value is None or np.abs(value).max(initial=0.0) >= EXACT:
        raise ValueError(f"{node.name} receives more than 53 bits")
    return np.rint(value.reshape(len(value), -1)).astype(np.int64)


def _value(graph: Graph, node: Node, given: Sequence[Dense | None], batch: int) -> Dense:
    op, sources = node.op, [graph[name] for name in node.inputs]
    parts = [
        np.zeros((batch, *shape_of(source).values())) if each is None else each
        for each, source in zip(given, sources, strict=True)
    ]
    match op:
        case Contract():
            return _contract(graph, node, op, parts[0])
        case Convolve():
            return _convolve(graph, node, op, parts[0])
        case Sum():
            shifts = op.shifts or (0,) * len(parts)
            named = [_named(x, s, node) for x, s in zip(parts, sources, strict=True)]
            total = np.zeros((batch, *shape_of(node).values()))
            for x, shift in zip(named, shifts, strict=True):
                total = total + np.ldexp(x, shift)
            return total
        case Concat():
            turned = [
                np.moveaxis(x, 1 + [*shape_of(s)].index(along), 1)
                for x, s, along in zip(parts, sources, op.along, strict=True)
            ]
            rests = [
                [n for n in shape_of(s) if n != along]
                for s, along in zip(sources, op.along, strict=True)
            ]
            wanted = [n for n in shape_of(node) if n != op.out]
            ordered = [
                x.transpose([0, 1, *(2 + rest.index(n) for n in wanted)])
                for x, rest in zip(turned, rests, strict=True)
            ]
            return np.moveaxis(np.concatenate(ordered, 1), 1, 1 + [*shape_of(node)].index(op.out))
        case Take():
            return _take(sources[0], op, parts[0])
        case _:
            raise ValueError(f"{node.name}: {op.mnemonic} is no sum of synapses")


def _named(x: Dense, source: Node, node: Node) -> Dense:
    """With the axes of the result, of length 1 where the source lacks one."""
    names, wanted = [*shape_of(source)], [*shape_of(node)]
    turned = x.transpose([0, *(1 + names.index(n) for n in wanted if n in names)])
    return turned.reshape(len(x), *(shape_of(node)[n] if n in names else 1 for n in wanted))


def _take(source: Node, op: Take, x: Dense) -> Dense:
    for at, name in enumerate(op.axes):
        axis = 1 + [*shape_of(source)].index(name)
        places: list[int] = []
        runs = op.runs[at]
        for first, step, count in zip(runs[::3], runs[1::3], runs[2::3], strict=True):
            places += [first + step * k if first >= 0 else x.shape[axis] for k in range(count)]
        behind = [(0, 0)] * x.ndim
        behind[axis] = (0, 1)
        x = np.take(np.pad(x, behind), places, axis)
    return x


def _contract(graph: Graph, node: Node, op: Contract, x: Dense) -> Dense:
    if "t" in op.shared:
        raise ValueError(f"{node.name}: its weights differ from step to step")
    names = [*shape_of(graph[node.inputs[0]])]
    letters: Mapping[str, str] = {name: chr(98 + i) for i, name in enumerate(names)}
    fresh: Mapping[str, str] = {name: chr(75 + i) for i, name in enumerate(op.out)}
    left = "a" + "".join(letters[n] for n in names)
    right = "".join(letters[n] for n in op.shared) + "".join(fresh[n] for n in op.out)
    right += "".join(letters[n] for n in op.into)
    out = "a" + "".join(fresh[n] if n in fresh else letters[n] for n in shape_of(node))
    weight = graph.constants[op.weight.name].astype(np.float64)
    y: Dense = np.einsum(f"{left},{right}->{out}", x, weight, optimize=True)
    return y


def _convolve(graph: Graph, node: Node, op: Convolve, x: Dense) -> Dense:
    weight = graph.constants[op.weight.name].astype(np.float64)
    if weight.ndim != 4:
        raise ValueError(f"{node.name}: its weights differ from step to step")
    names = [*shape_of(graph[node.inputs[0]])]
    read = [op.channel, op.height, op.width]
    carried = [n for n in names if n not in read]
    x = x.transpose([0, *(1 + names.index(n) for n in (*carried, *read))])
    lead = x.shape[: 1 + len(carried)]
    image = x.reshape(-1, *x.shape[-3:])
    (top, left), (down, right) = op.padding, op.dilation
    image = np.pad(image, ((0, 0), (0, 0), (top, top), (left, left)))
    span = (down * (weight.shape[2] - 1) + 1, right * (weight.shape[3] - 1) + 1)
    windows = np.lib.stride_tricks.sliding_window_view(image, span, axis=(2, 3))
    windows = windows[:, :, :: op.stride[0], :: op.stride[1], ::down, ::right]
    each = weight.shape[0] // op.groups
    parts = [
        np.einsum(
            "acyxpq,ocpq->ayxo",
            windows[:, g * weight.shape[1] : (g + 1) * weight.shape[1]],
            weight[g * each : (g + 1) * each],
            optimize=True,
        )
        for g in range(op.groups)
    ]
    y = np.concatenate(parts, axis=3)
    y = y.reshape(*lead, *y.shape[1:])
    have = [*carried, op.out_height, op.out_width, op.out_channel]
    return y.transpose([0, *(1 + have.index(n) for n in shape_of(node))])
