"""Runs a program node by node, with 64-bit membranes: for what the compiled units do not take."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import numba as nb
import numpy as np

from snncc.backends.cpu import plan_for_cpu
from snncc.ir import TIME, Array, Graph, Kind, Node, Param
from snncc.ir.arrays import align, concat, count, over_steps, spread, timed
from snncc.ir.digits import signed_digits
from snncc.ir.integer_ops import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.projections import Concat, Contract, Convolve, Pixels, Sum
from snncc.runtime import kernels
from snncc.runtime.execution import (
    Execution,
    Images,
    Ints,
    check_images,
    readout_of,
    recorded_names,
)
from snncc.runtime.gains import apply_gain, gain_table

PIXEL_BITS = 8


class NodeSimulator:
    """A program made ready for this machine.

    Gives the bits of `interpret` for any number of threads and any split of the batch.

    Args:
        graph: integer dialect, verified.
        threads: how many; None for as many as the machine gives.
    """

    def __init__(self, graph: Graph, threads: int | None = None) -> None:
        self.graph = graph
        self.plan = plan_for_cpu(graph)
        available = int(nb.get_num_threads())
        self.threads = max(1, min(threads or available, available))
        self.unit = readout_of(graph).unit
        self._gains = {node.name: gain_table(graph, node) for node in graph.select(Gain)}

    def run(
        self,
        images: Images,
        record: Collection[str] | None = None,
        progress: Callable[[int], None] | None = None,
        left: Mapping[str, Ints] | None = None,
    ) -> Execution:
        """Runs a batch.

        Args:
            images: uint8, [batch, *axes of the image].
            record: populations whose spikes and membranes are kept; None for none, `ALL` for all.
            progress: called with the number of images done so far.
            left: what every neuron gets at every step beside its bias, by population,
                [*axes of its type but time]: a stream's earlier steps, leaked.

        Raises:
            SnnccError: SNN016 when the images are not what the program takes.
        """
        images = check_images(self.graph, images)
        wanted = recorded_names(self.graph, record)
        before = nb.get_num_threads()
        nb.set_num_threads(self.threads)
        try:
            parts: list[Execution] = []
            for start in range(0, max(1, len(images)), self.plan.images):
                chunk = images[start : start + self.plan.images]
                parts.append(self._chunk(chunk, wanted, left or {}))
                if progress is not None:
                    progress(min(len(images), start + self.plan.images))
        finally:
            nb.set_num_threads(before)
        return join(parts)

    def _chunk(self, images: Images, wanted: frozenset[str], left: Mapping[str, Ints]) -> Execution:
        graph = self.graph
        values: dict[str, Array] = {}
        membranes: dict[str, Ints] = {}
        counts: dict[str, int] = {}
        for node in graph.nodes:
            sources = [values[name] for name in node.inputs]
            if isinstance(node.op, IntegerPopulation):
                keep = node.name in wanted
                more = left.get(node.name)
                spikes, levels = self._population(node, node.op, sources[0], keep, more)
                values[node.name] = spikes
                counts[node.name] = int(np.count_nonzero(spikes))
                if keep:
                    membranes[node.name] = levels
            else:
                values[node.name] = self._value(node, sources, images)
            for name in set(graph.last_uses.get(node.name, ())) - wanted:
                del values[name]
        readout = values[graph.output].astype(np.int64)
        spikes_kept = {name: values[name] for name in sorted(wanted)}
        logits = readout.astype(np.float64) * self.unit
        return Execution(readout, logits, spikes_kept, membranes, counts)

    def _value(self, node: Node, sources: list[Array], images: Images) -> Array:
        names = [self.graph[n].type.names for n in node.inputs]
        match node.op:
            case Pixels():
                return images
            case Contract() | Convolve():
                return self._projection(node, node.op, sources[0], names[0])
            case Concat(along=along, out=out):
                return concat(sources, names, along, out, node)
            case Sum(shifts=shifts):
                dtype = self.plan.formats[node.name]
                total: Array = np.zeros((), dtype)
                for x, axes, shift in zip(
                    sources, names, shifts or (0,) * len(sources), strict=True
                ):
                    part = align(x, axes, node.type.names).astype(dtype, copy=False)
                    total = total + (part << shift if shift else part)
                return total
            case Gain(mantissa=mantissa):
                x = sources[0]
                if TIME in mantissa.axes:
                    x = align(*timed(x, names[0], self.graph.steps), node.type.names)
                return apply_gain(self._gains[node.name], x, self.plan.formats[node.name])
            case IntegerReadout(offset=offset):
                each = over_steps(sources[0], names[0], self.graph.steps)
                total = each.sum(axis=1, dtype=np.int64)
                if offset is None:
                    return total
                constant = self.graph.constants[offset.name].astype(np.int64)
                return total + spread(constant, offset.axes, node.type.names)
            case _:
                raise TypeError(f"{node.op.mnemonic} is not an op of the integer dialect")

    def _projection(
        self, node: Node, op: Contract | Convolve, source: Array, names: tuple[str, ...]
    ) -> Array:
        """Spikes are one plane of events; a pixel is eight, each shifted by its weight."""
        if self.graph[node.inputs[0]].type.kind is not Kind.PIXEL:
            return self._events(node, op, source, names)
        total: Array | None = None
        for bit in range(PIXEL_BITS):
            plane = (source >> np.uint8(bit)) & np.uint8(1)
            current = self._events(node, op, plane, names) << bit
            total = current if total is None else total + current
        return total if total is not None else np.zeros(())

    def _events(
        self, node: Node, op: Contract | Convolve, source: Array, names: tuple[str, ...]
    ) -> Array:
        weight, dtype = self.plan.weights[node.name], self.plan.formats[node.name]
        if isinstance(op, Contract):
            if TIME in op.shared:
                source, names = timed(source, names, self.graph.steps)
            return _contract(node, op, source, names, weight, dtype)
        if op.banks:
            return _banks(node, op, *timed(source, names, self.graph.steps), weight, dtype)
        return _convolve(node, op, source, names, weight, dtype)

    def _population(
        self, node: Node, op: IntegerPopulation, current: Array, keep: bool, left: Ints | None
    ) -> tuple[Array, Ints]:
        names = self.graph[node.inputs[0]].type.names
        x = current[:, None]
        if TIME in names:
            x = np.moveaxis(current, 1 + names.index(TIME), 1)
        shape = (x.shape[0], self.graph.steps, *x.shape[2:])
        neurons = count(shape[2:])
        flat = np.ascontiguousarray(x).reshape(x.shape[0], x.shape[1], neurons)
        spikes = np.empty((shape[0], shape[1], neurons), np.uint8)
        levels = np.empty(spikes.shape if keep else (0, 0, 0), np.int64)
        threshold, bias, polarity, digits, rules = _neuron_constants(self.graph, node)
        if left is not None:
            bias = bias + left.reshape(1, -1)
        kernels.fire(flat, threshold, bias, polarity, digits, rules, spikes, levels)
        place = 1 + node.type.names.index(TIME)
        grid = np.moveaxis(levels.reshape(shape), 1, place) if keep else levels
        return np.moveaxis(spikes.reshape(shape), 1, place), grid


def _neuron_constants(graph: Graph, node: Node) -> tuple[Array, Array, Array, Array, Array]:
    """Threshold, bias, polarity by neuron, [steps or 1, neurons], the leak's digits, the rules."""
    op, current = node.op, graph[node.inputs[0]].type.without(TIME)
    if not isinstance(op, IntegerPopulation):
        raise TypeError(op.mnemonic)

    def over_neurons(param: Param | None, default: int) -> Ints:
        """[steps or 1, *axes of the current], with length 1 where it does not vary."""
        if param is None:
            return np.full([1] * (1 + len(current.axes)), default, np.int64)
        array = graph.constants[param.name].astype(np.int64)
        return spread(array, param.axes, (TIME, *current.names))

    def of_every_neuron(array: Ints) -> Ints:
        full = np.broadcast_to(array, (array.shape[0], *current.shape))
        return np.ascontiguousarray(full).reshape(array.shape[0], -1)

    polarity = over_neurons(op.polarity, 1)
    bias = over_neurons(op.bias, 0) + polarity * over_neurons(op.offset, 0)
    factor, shift = op.decay
    digits = np.array([int(d) for d in signed_digits(np.array(factor))], np.int8)
    rules = [
        shift,
        op.reset == "soft",
        op.compare == "gt",
        op.decay_offset,
        op.rounding == "zero",
    ]
    return (
        of_every_neuron(over_neurons(op.threshold, 0)),
        of_every_neuron(bias),
        of_every_neuron(polarity),
        digits,
        np.array(rules, np.int64),
    )


def _contract(
    node: Node,
    op: Contract,
    source: Array,
    names: tuple[str, ...],
    weight: Array,
    dtype: type[np.generic],
) -> Array:
    """Views the source as [rows, again, inputs, inner] and the result as [rows, outputs, inner]."""
    gone = {*op.into, *op.summed, *op.shared}
    carried = [n for n in names if n not in gone]
    after: list[str] = []
    if len(op.into) == 1 and not op.summed and not op.shared and len(op.out) == 1:
        after = [n for n in names[names.index(op.into[0]) + 1 :] if n in carried]
    before = [n for n in carried if n not in after]
    order = [*op.shared, *before, *op.summed, *op.into, *after]
    x = source.transpose([0, *(1 + names.index(n) for n in order)])
    sizes = dict(zip(order, x.shape[1:], strict=True))
    blocks, inputs, outputs = weight.shape

    def shape(group: list[str] | tuple[str, ...]) -> tuple[int, ...]:
        return tuple(sizes[n] for n in group)

    rows, inner = count(shape(before)), count(shape(after))
    x = x.reshape(x.shape[0], blocks, rows, count(shape(op.summed)), inputs, inner)
    parts: list[Array] = []
    for block in range(blocks):
        part = np.ascontiguousarray(x[:, block]).reshape(-1, *x.shape[3:])
        out = np.empty((part.shape[0], outputs, inner), dtype)
        kernels.contract_events(part, weight[block], out)
        parts.append(out.reshape(x.shape[0], rows, outputs, inner))
    out_sizes = tuple(node.type.size(n) for n in op.out)
    result = np.stack(parts, axis=1) if blocks > 1 else parts[0][:, None]
    result = result.reshape(
        x.shape[0], *shape(op.shared), *shape(before), *out_sizes, *shape(after)
    )
    have = [*op.shared, *before, *op.out, *after]
    return result.transpose([0, *(1 + have.index(n) for n in node.type.names)])


def _banks(
    node: Node,
    op: Convolve,
    source: Array,
    names: tuple[str, ...],
    banks: Array,
    dtype: type[np.generic],
) -> Array:
    """A convolution with weights of its own for every step."""
    single = replace(node, type=node.type.without(TIME))
    rest = tuple(n for n in names if n != TIME)
    steps = np.moveaxis(source, 1 + names.index(TIME), 0)
    parts = [
        _convolve(single, op, step, rest, bank, dtype)
        for step, bank in zip(steps, banks, strict=True)
    ]
    return np.stack(parts, axis=1 + node.type.names.index(TIME))


def _convolve(
    node: Node,
    op: Convolve,
    source: Array,
    names: tuple[str, ...],
    weight: Array,
    dtype: type[np.generic],
) -> Array:
    carried = [n for n in names if n not in (op.channel, op.height, op.width)]
    order = [*carried, op.height, op.width, op.channel]
    x = source.transpose([0, *(1 + names.index(n) for n in order)])
    images = np.ascontiguousarray(x).reshape(-1, *x.shape[-3:])
    height, width, outputs = (
        node.type.size(n) for n in (op.out_height, op.out_width, op.out_channel)
    )
    out = np.empty((images.shape[0], height, width, outputs), dtype)
    kernels.convolve_events(images, weight, out, op.stride, op.padding, op.dilation)
    have = [*carried, op.out_height, op.out_width, op.out_channel]
    result = out.reshape(*x.shape[:-3], height, width, outputs)
    return result.transpose([0, *(1 + have.index(n) for n in node.type.names)])


def join(parts: list[Execution]) -> Execution:
    first = parts[0]
    if len(parts) == 1:
        return first
    return Execution(
        np.concatenate([p.readout for p in parts]),
        np.concatenate([p.logits for p in parts]),
        {n: np.concatenate([p.spikes[n] for p in parts]) for n in first.spikes},
        {n: np.concatenate([p.membranes[n] for p in parts]) for n in first.membranes},
        {n: sum(p.spike_counts[n] for p in parts) for n in first.spike_counts},
    )
