"""What a program means, for the plan checker: probes through its linear maps, and intervals.

Spikes are replaced by random numbers of 16 bits, the planes of counts likewise. A projection
is linear, so a plan that adds up another weight, another input, or one of them twice gives another
number for these inputs (for a single difference always, for several with a chance of 2^-16 that
they cancel in one element). The intervals are those of real inputs: each weight taken or not.

Probes of wide programs are whole numbers modulo 2^64, on both sides.

Nothing here is shared with the planner, the interpreter or the width proof.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from snncc.backends.cpu.checking.exact import LONG, Ints, largest, product
from snncc.backends.cpu.checking.wrong import Wrong, require
from snncc.ir import TIME, Graph, Kind, Node, Param
from snncc.ir.cycles import between_neurons
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.windows import Largest

PROBES = 1 << 16


@dataclass(frozen=True)
class Value:
    """A value of a program, each array [t or 1, *axes without time].

    Attributes:
        probe: what the probes give.
        low, high: interval of every element.
    """

    probe: Ints
    low: Ints
    high: Ints


@dataclass(frozen=True)
class Meaning:
    """A program on probes.

    Attributes:
        values: every current; of populations and staircases the probes in place of what they give.
        planes: probes of every plane of the image, [planes, *axes as given]; none without an image.
    """

    values: dict[str, Value]
    planes: Ints | None


def meaning_of(graph: Graph, seed: int = 0) -> Meaning:
    """Evaluates a program on probes.

    Raises:
        Wrong: its numbers are too large for the plans that are checked.
    """
    random = np.random.default_rng(seed)
    values: dict[str, Value] = {}
    planes: Ints | None = None
    for node in between_neurons(graph):  # what a delay reads comes before it
        sizes = [a.size for a in node.type.axes if a.name != TIME]
        if isinstance(node.op, IntegerReadout):
            continue
        if isinstance(node.op, Frames):
            require(planes is None, "the program has two images")
            shape = (len(node.type.planes), *node.type.shape)
            planes = random.integers(1, PROBES, shape, np.int64)
            probe = sum(
                (-plane if negative else plane) << bit
                for plane, (bit, negative) in zip(planes, node.type.planes, strict=True)
            )
            whole = np.asarray(probe, np.int64)
            names = node.type.names
            led = np.moveaxis(whole, names.index(TIME), 0) if TIME in names else whole[None]
            values[node.name] = _selector(led, node)
        elif isinstance(node.op, IntegerPopulation | IntegerNeuron | MultiThreshold):
            steps = graph.steps if node.type.temporal else 1
            probe = random.integers(1, PROBES, (steps, *sizes), np.int64)
            values[node.name] = _selector(probe, node)
        else:
            values[node.name] = _value(graph, node, [values[n] for n in node.inputs])
    return Meaning(values, planes)


def _selector(probe: Ints, node: Node) -> Value:
    """Probes in place of spikes or counts, which lie in the interval of their type."""
    if node.type.range is None:
        raise Wrong(f"{node.name} has no interval")
    one = np.ones_like(probe[:1])
    low, high = node.type.range
    return Value(probe, one * low, one * high)


def names_of(node: Node) -> tuple[str, ...]:
    """Axes of a value here: time leads, whether it varies or not."""
    return (TIME, *(n for n in node.type.names if n != TIME))


def _value(graph: Graph, node: Node, inputs: list[Value]) -> Value:
    op, names = node.op, [names_of(graph[n]) for n in node.inputs]
    target = names_of(node)
    if isinstance(op, Contract | Convolve):
        weight = graph.constants[op.weight.name].astype(np.int64)
        if graph[node.inputs[0]].type.kind not in (Kind.SPIKE, Kind.COUNT):
            raise Wrong(f"{node.name} selects with neither spikes nor counts")
        probe, most, least = inputs[0].probe, inputs[0].high, inputs[0].low
        mapped = [_map(op, weight, names[0], probe, node, graph.steps, True)]
        for falls, rises in ((most, least), (least, most)):  # what is below 0 and what is above
            ends = [
                _map(op, w, names[0], x, node, graph.steps, False)
                for w, x in ((np.minimum(weight, 0), falls), (np.maximum(weight, 0), rises))
                if x.any()
            ]
            none = np.zeros_like(mapped[0][:1])  # of what is 0 everywhere, as a long delay is
            mapped.append(np.asarray(sum(ends) if ends else none, np.int64))
        return Value(*mapped)
    if isinstance(op, Sum):
        shifts = tuple(shift for _, shift in op.terms(inputs))
        for each, shift in op.terms(inputs):
            _require_room(each, shift)
        return _each(lambda *parts: _add(parts, names, target, shifts), inputs)
    if isinstance(op, SumAlong):
        return _added_along(op, graph[node.inputs[0]], inputs[0])
    if isinstance(op, Concat):
        return _each(lambda *parts: _join(parts, names, target, op), inputs)
    if isinstance(op, Gate):
        return _gated(inputs, names, target, op.inverted)
    if isinstance(op, Product):
        return _multiplied(op, graph, node, inputs)
    if isinstance(op, Take):
        found = _each(lambda x: _taken(op, x, names[0]), inputs)
        if node.type.kind is not Kind.SPIKE:
            return found
        zero = np.zeros_like(found.probe)  # what bits can be, a zero from nowhere too
        return Value(found.probe, zero, zero + 1)
    if isinstance(op, Delay):
        start = np.zeros([1] * len(target), np.int64)
        if op.start is not None:
            start = over(graph, op.start, target)
        return _each(lambda x: _held(op, placed(x, names[0], target), start, graph.steps), inputs)
    if isinstance(op, Largest):
        more = 0 if op.offset is None else over(graph, op.offset, names[0])
        return _each(lambda x: _largest(op, x + more, names[0]), inputs)
    if isinstance(op, Gain):
        source = inputs[0]
        mantissa = over(graph, op.mantissa, target)
        reach = largest(mantissa) * max(largest(source.low), largest(source.high))
        require(reach < LONG, "a gain reaches numbers of more than 62 bits")
        before = [mantissa * x for x in (source.probe, source.low, source.high)]
        half = (1 << op.shift) >> 1
        probe, *ends = [(x + half) >> op.shift for x in before]
        return Value(probe, np.minimum(*ends), np.maximum(*ends))
    raise Wrong(f"{node.name} is a {op.mnemonic}, which no plan holds")


def _each(apply: Callable[..., Ints], inputs: list[Value]) -> Value:
    """The same for probes and both ends: for ops that grow with each of their inputs."""
    return Value(
        apply(*(v.probe for v in inputs)),
        apply(*(v.low for v in inputs)),
        apply(*(v.high for v in inputs)),
    )


def _require_room(value: Value, shift: int) -> None:
    """Refuses what more than 62 bits hold when it is shifted."""
    reach = max(largest(value.low), largest(value.high)) << shift
    require(reach < LONG, "a sum reaches numbers of more than 62 bits")


def over(graph: Graph, param: Param, target: tuple[str, ...]) -> Ints:
    """A constant over all these axes, with length 1 where it lacks one."""
    return placed(graph.constants[param.name].astype(np.int64), param.axes, target)


def placed(array: Ints, axes: tuple[str, ...], target: tuple[str, ...]) -> Ints:
    """An array over all these axes, with length 1 where it lacks one."""
    have = [n for n in target if n in axes]
    moved = array.transpose([axes.index(n) for n in have])
    return moved.reshape([array.shape[axes.index(n)] if n in axes else 1 for n in target])


def _add(parts: tuple[Ints, ...], names: list[tuple[str, ...]], target: tuple[str, ...],
         shifts: tuple[int, ...]) -> Ints:  # fmt: skip
    total = np.zeros([1] * len(target), np.int64)
    for part, axes, shift in zip(parts, names, shifts, strict=True):
        total = total + (placed(part, axes, target) << shift)
    return total


def _join(parts: tuple[Ints, ...], names: list[tuple[str, ...]], target: tuple[str, ...],
          op: Concat) -> Ints:  # fmt: skip
    steps = max(len(part) for part in parts)
    parts_in_place: list[Ints] = []
    for part, axes, along in zip(parts, names, op.along, strict=True):
        renamed = tuple(op.out if n == along else n for n in axes)
        full = placed(part, renamed, target)
        parts_in_place.append(np.broadcast_to(full, (steps, *full.shape[1:])))
    return np.concatenate(parts_in_place, axis=target.index(op.out))


def _gated(
    inputs: list[Value], names: list[tuple[str, ...]], target: tuple[str, ...], inverted: bool
) -> Value:
    """On probes a function of both sources that tells them, and their order, apart."""
    gate, x = (placed(v.probe, n, target) for v, n in zip(inputs, names, strict=True))
    low, high = (placed(end, names[1], target) for end in (inputs[1].low, inputs[1].high))
    probe = (gate ^ (x << 1)) + inverted
    shape = probe.shape
    ends = np.broadcast_to(np.minimum(low, 0), shape), np.broadcast_to(np.maximum(high, 0), shape)
    return Value(probe, *ends)


def _held(op: Delay, x: Ints, start: Ints, steps: int) -> Ints:
    """Step by step: the start, then what was read so many steps before."""
    shape = (1, *op.shape)
    one = np.broadcast_to(start, shape)
    found = [one if t < op.steps else _step(x, t - op.steps, shape) for t in range(steps)]
    return np.concatenate(found)


def _step(x: Ints, t: int, shape: tuple[int, ...]) -> Ints:
    return np.broadcast_to(x[t % len(x)][None], shape)


def _added_along(op: SumAlong, source: Node, value: Value) -> Value:
    """Place by place, of every element of the source: an end may stand for all elements."""
    names = names_of(source)
    sizes = [source.type.size(n) for n in names[1:]]
    places = _count(tuple(source.type.size(n) for n in op.summed))
    reach = max(largest(value.low), largest(value.high)) * places
    require(reach < LONG, "a sum reaches numbers of more than 62 bits")
    at = tuple(names.index(n) for n in op.summed)
    return _each(lambda x: np.broadcast_to(x, (len(x), *sizes)).sum(axis=at), [value])


def _multiplied(op: Product, graph: Graph, node: Node, inputs: list[Value]) -> Value:
    """On probes the sum of their products, modulo 2^64 as all probes are."""
    gates, whole = (graph[name] for name in node.inputs)
    names, target = names_of(gates), names_of(node)
    gone = [gates.type.size(name) for name in op.summed]
    first = placed(inputs[0].probe, names, (*target, *op.summed))
    second = [
        placed(each, names_of(whole), (*target, *op.summed))
        for each in (inputs[1].probe, np.minimum(inputs[1].low, 0), np.maximum(inputs[1].high, 0))
    ]
    shape = np.broadcast_shapes(first.shape, second[0].shape)[: len(target)]
    reach = max(largest(second[1]), largest(second[2])) * _count((*gone,))
    require(reach < LONG, "a product reaches numbers of more than 62 bits")
    probe, low, high = np.zeros((3, *shape), np.int64)
    for place in np.ndindex(*gone):
        gate, x, least, most = (each[(..., *place)] for each in (first, *second))
        probe += (1 - gate if op.inverted else gate) * x
        low, high = low + least, high + most
    return Value(probe, low, high)


def _taken(op: Take, x: Ints, names: tuple[str, ...]) -> Ints:
    """Run by run."""
    for name, runs in zip(op.axes, op.runs, strict=True):
        moved = np.moveaxis(x, names.index(name), 0)
        parts: list[Ints] = []
        for place in range(0, len(runs), 3):
            first, step, count = runs[place : place + 3]
            if first < 0:
                parts.append(np.zeros((count, *moved.shape[1:]), np.int64))
            else:
                parts.append(moved[[first + step * i for i in range(count)]])
        x = np.moveaxis(np.concatenate(parts), 0, names.index(name))
    return x


def _largest(op: Largest, x: Ints, names: tuple[str, ...]) -> Ints:
    """Window by window; of spikes' probes any function would do that tells them apart."""
    for at, name in enumerate(op.axes):
        moved = np.moveaxis(x, names.index(name), 0)
        kept: list[Ints] = []
        for window in range(op.size[at]):
            start = window * op.stride[at] - op.padding[at]
            taken = range(start, start + op.kernel[at] * op.dilation[at], op.dilation[at])
            kept.append(moved[[place for place in taken if 0 <= place < len(moved)]].max(axis=0))
        x = np.moveaxis(np.stack(kept), 0, names.index(name))
    return x


def _map(op: Contract | Convolve, weight: Ints, names: tuple[str, ...], x: Ints, node: Node,
         steps: int, modulo: bool) -> Ints:  # fmt: skip
    if isinstance(op, Convolve):
        banks = weight if op.banks else weight[None]
        count = max(len(banks), len(x))
        parts = [
            _convolve(op, banks[t % len(banks)], names[1:], x[t % len(x)], node, modulo)
            for t in range(count)
        ]
        return np.stack(parts)
    if TIME in op.shared:
        x = np.broadcast_to(x, (steps, *x.shape[1:]))
    x = x.sum(axis=tuple(names.index(n) for n in op.summed))
    left = [n for n in names if n not in op.summed]
    carried = [n for n in left if n not in (*op.shared, *op.into)]
    order = [*op.shared, *carried, *op.into]
    x = x.transpose([left.index(n) for n in order])
    sizes = x.shape
    a, b = len(op.shared), len(op.shared) + len(carried)
    outs = weight.shape[a : a + len(op.out)]
    flat = x.reshape(_count(sizes[:a]), _count(sizes[a:b]), _count(sizes[b:]))
    matrix = weight.reshape(flat.shape[0], _count(outs), flat.shape[2])
    y = product(flat, matrix.transpose(0, 2, 1), modulo).reshape(*sizes[:b], *outs)
    have = [*op.shared, *carried, *op.out]
    return y.transpose([have.index(n) for n in names_of(node)])


def _convolve(op: Convolve, weight: Ints, names: tuple[str, ...], x: Ints, node: Node,
              modulo: bool) -> Ints:  # fmt: skip
    image = (op.channel, op.height, op.width)
    carried = [n for n in names if n not in image]
    x = x.transpose([names.index(n) for n in (*carried, *image)])
    lead = x.shape[: len(carried)]
    outputs, inputs, kh, kw = weight.shape
    ph, pw = op.padding
    x = np.pad(x.reshape(-1, *x.shape[-3:]), ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    height, width = node.type.size(op.out_height), node.type.size(op.out_width)
    groups, each = op.groups, outputs // op.groups
    total = np.zeros((len(x), groups, each, height * width), np.int64)
    for p in range(kh):
        for q in range(kw):
            top, left = p * op.dilation[0], q * op.dilation[1]
            seen = x[:, :, top :: op.stride[0], left :: op.stride[1]][:, :, :height, :width]
            seen = seen.reshape(len(x), groups, inputs, height * width)
            total += product(weight[:, :, p, q].reshape(groups, each, inputs), seen, modulo)
    y = total.reshape(*lead, outputs, height, width)
    have = [*carried, op.out_channel, op.out_height, op.out_width]
    return y.transpose([have.index(n) for n in names_of(node)[1:]])


def _count(sizes: tuple[int, ...]) -> int:
    return int(np.prod(sizes, dtype=np.int64))
