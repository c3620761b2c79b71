"""What computes a stream's steps: compiled units, or node by node where they do not fit."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from snncc.ir import TIME, Array, Graph, Node, ValueType, params_of
from snncc.ir.arrays import at_step, spread
from snncc.ir.digits import signed_digits
from snncc.ir.integer_ops import IntegerPopulation, IntegerReadout
from snncc.runtime.execution import Images, Ints
from snncc.runtime.streaming import Step
from snncc.runtime.unit_runner import Memory, Runner, run_together

if TYPE_CHECKING:
    from snncc.runtime.node_simulator import NodeSimulator


class UnitEngine:
    """Steps in compiled units; threads share the rows.

    Args:
        runner: of a plan of one step that keeps membranes.
        image: uint8, [*axes of the image].
        threads: how many.
    """

    def __init__(self, runner: Runner, image: Images, threads: int) -> None:
        self._runner, self._image = runner, np.ascontiguousarray(image)
        self._memory = Memory(runner.plan, threads)

    def step(self, t: int) -> Step:
        runner, memory, plan = self._runner, self._memory, self._runner.plan
        memory.counts[:] = 0
        self._run(t, t + 1)
        counts = memory.counts.sum(axis=0)
        return Step(
            runner.readout(memory, 1),
            {n: self._only_step(runner.spikes(memory, n), n) for n in sorted(plan.records)},
            {n: self._level(n) for n in sorted(plan.records)},
            {name: int(counts[kept.unit]) for name, kept in plan.populations.items()},
        )

    def membranes(self) -> dict[str, Ints]:
        states = {name: self._runner.state(self._memory, name) for name in self._runner.plan.states}
        return {name: state.astype(np.int64) for name, state in states.items()}

    def resume(self, membranes: Mapping[str, Ints]) -> None:
        for name, values in membranes.items():
            self._runner.state(self._memory, name)[...] = values
        self._run(0, 0)  # no step, but what is the same at every step

    def _run(self, first: int, last: int) -> None:
        threads = len(self._memory.scratch)
        if threads == 1:  # starting a thread takes longer than a step of a small network
            self._memory.begin()
            self._runner.run(self._memory, self._image, steps=(first, last))
            return
        with ThreadPoolExecutor(threads) as pool:
            run_together(self._runner, pool, self._memory, self._image, (first, last))

    def _level(self, name: str) -> Ints:
        levels = self._runner.membranes(self._memory, name)
        return self._only_step(levels, name).astype(np.int64)

    def _only_step(self, array: Array, name: str) -> Array:
        return _at(array, self._runner.graph[name].type)


class NodeEngine:
    """Steps node by node: the program of one step, with what the last one left as a bias.

    A neuron that begins at V has the level that one beginning at 0 has when leak(V) is added, for
    leak(0) = 0. What is the same at every step is computed at every step.

    Args:
        graph: integer dialect.
        image: uint8, [*axes of the image].
        threads: how many.
        record: populations whose spikes and membranes are asked for.
    """

    def __init__(
        self, graph: Graph, image: Images, threads: int | None, record: frozenset[str]
    ) -> None:
        self.graph, self._image, self._threads, self._record = graph, image[None], threads, record
        self._populations = {node.name: node for node in graph.select(IntegerPopulation)}
        self._membranes = {
            name: np.zeros(node.type.without(TIME).shape, np.int64)
            for name, node in self._populations.items()
        }
        self._varies = any(TIME in p.axes for node in graph.nodes for p in params_of(node.op))
        self._simulators: dict[int, NodeSimulator] = {}

    def step(self, t: int) -> Step:
        left = {n: _leak(_op(node), self._membranes[n]) for n, node in self._populations.items()}
        found = self._simulator(t).run(self._image, list(self._populations), left=left)
        spikes = {n: _at(found.spikes[n][0], k.type) for n, k in self._populations.items()}
        levels = {n: _at(found.membranes[n][0], k.type) for n, k in self._populations.items()}
        for name, node in self._populations.items():
            self._membranes[name] = _after(self.graph, node, t, spikes[name], levels[name])
        return Step(
            found.readout[0],
            {n: spikes[n] for n in sorted(self._record)},
            {n: levels[n] for n in sorted(self._record)},
            found.spike_counts,
        )

    def membranes(self) -> dict[str, Ints]:
        return {name: values.copy() for name, values in self._membranes.items()}

    def resume(self, membranes: Mapping[str, Ints]) -> None:
        self._membranes = {name: membranes[name].copy() for name in self._populations}

    def _simulator(self, t: int) -> "NodeSimulator":
        key = t if self._varies else 0
        if key not in self._simulators:
            from snncc.runtime.node_simulator import NodeSimulator  # with Numba: 0.4 s

            self._simulators[key] = NodeSimulator(one_step(self.graph, t), self._threads)
        return self._simulators[key]


def one_step(graph: Graph, t: int) -> Graph:
    """The program of step t alone, from membranes at 0, without the readout's offset."""
    constants = dict(graph.constants)
    nodes: list[Node] = []
    for node in graph.nodes:
        for param in params_of(node.op):
            if TIME in param.axes:
                place = param.axes.index(TIME)
                constants[param.name] = graph.constants[param.name].take([t], axis=place)
        axes = tuple(replace(a, size=1) if a.name == TIME else a for a in node.type.axes)
        op = replace(node.op, offset=None) if isinstance(node.op, IntegerReadout) else node.op
        nodes.append(replace(node, op=op, type=replace(node.type, axes=axes)))
    return replace(graph, steps=1, nodes=tuple(nodes), constants=constants)


def _op(node: Node) -> IntegerPopulation:
    if not isinstance(node.op, IntegerPopulation):
        raise TypeError(node.op.mnemonic)
    return node.op


def _leak(op: IntegerPopulation, v: Ints) -> Ints:
    """`IntegerPopulation.leak` as shifted additions."""
    if getattr(op, "rounding", "floor") == "zero":
        return np.where(v < 0, -_floor_leak(op, -v), _floor_leak(op, v))
    return _floor_leak(op, v) if op.compare == "ge" else -_floor_leak(op, -v)


def _floor_leak(op: IntegerPopulation, v: Ints) -> Ints:
    total = np.full_like(v, op.decay_offset)
    for power, digit in enumerate(signed_digits(np.array(op.decay[0]))):
        if int(digit):
            total = total + (v << power) if int(digit) > 0 else total - (v << power)
    return total >> op.decay[1]


def _after(graph: Graph, node: Node, t: int, spikes: Array, levels: Ints) -> Ints:
    """Membranes after the reset."""
    op = _op(node)
    if op.reset == "hard":
        return np.where(spikes != 0, 0, levels)
    threshold = graph.constants[op.threshold.name].astype(np.int64)
    names = (TIME, *(name for name in node.type.names if name != TIME))
    lowered = levels - at_step(spread(threshold, op.threshold.axes, names), t)
    return np.where(spikes != 0, lowered, levels)


def _at(array: Array, kind: ValueType) -> Array:
    """The only step of an array [*axes of a type]."""
    step: Array = array.take(0, axis=kind.names.index(TIME))
    return step
