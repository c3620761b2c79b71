"""Widths of neurons of several states: what is compared, and every state."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncc.ir import TIME, Graph, Node, Param
from snncc.ir.arrays import spread
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neurons import READ, STATE
from snncc.mfi.widths.bounds import Bounds, Ints, axes_of_step, reach_of
from snncc.mfi.widths.witnesses import Witness, in_place

Real = NDArray[np.float64]
STATE_WORD = "state"


@dataclass(frozen=True)
class Reach:
    """One number of some neurons, what is declared for it, and witnesses for both its ends."""

    what: str
    declared: tuple[int, int]
    low: Witness
    high: Witness


def reach_of_states(
    graph: Graph, node: Node, op: IntegerNeuron, current: Bounds
) -> Iterator[Reach]:
    """What is compared ("membrane"), then every state ("state 0", ...)."""
    found = reach_of(graph, node, op, current)
    shape = tuple(node.type.size(name) for name in axes_of_step(graph[node.inputs[0]]))
    pushes = _pushes(graph, node, op, shape)
    form = _rows(graph, op.form, (STATE,), node, op)
    towards = [("membrane", op.membrane, found.form, np.asarray((form * pushes).sum(axis=0)))]
    for i, ends in enumerate(found.states):
        towards.append((f"{STATE_WORD} {i}", op.states_within[i], ends, pushes[i]))
    for what, declared, ends, push in towards:
        full = np.broadcast_to(push, shape)
        low, high = (
            _witness(graph, node, what, current, np.broadcast_to(end, shape), full, upper)
            for end, upper in zip(ends, (False, True), strict=True)
        )
        yield Reach(what, declared, low, high)


def _witness(
    graph: Graph, node: Node, what: str, current: Bounds, ends: Ints, push: Real, upper: bool
) -> Witness:
    """The largest or least current at every step of the neuron that goes farthest."""
    flat = int(ends.argmax() if upper else ends.argmin())
    element = tuple(map(int, np.unravel_index(flat, ends.shape)))
    source = graph[node.inputs[0]]
    shape = (graph.steps, *ends.shape)
    low, high = (np.broadcast_to(end, shape) for end in current)
    given = np.clip(0, low, high)
    rises = bool(push[element] >= 0.0) == upper
    for t in range(graph.steps):
        given[(t, *element)] = (high if rises else low)[(t, *element)]
    if not source.type.temporal:
        given = given[:1]
    inputs = {source.name: in_place(source, given)}
    return Witness(node.name, what, element, upper, int(ends[element]), inputs)


def _pushes(graph: Graph, node: Node, op: IntegerNeuron, shape: tuple[int, ...]) -> Real:
    """Which way a current moves each state in the end, directly or through others: [state, ...]."""
    gain = _rows(graph, op.gain, (STATE,), node, op)
    reads = _rows(graph, op.reads, (STATE, READ), node, op)
    pushes = np.broadcast_to(gain, (len(gain), *shape)).copy()
    for i in range(len(pushes)):
        for j in range(i):
            pushes[i] = pushes[i] + reads[i, j] * pushes[j]
    return pushes


def _rows(
    graph: Graph, param: Param | None, lead: tuple[str, ...], node: Node, op: IntegerNeuron
) -> Real:
    """A constant by state over the axes of one step of the current."""
    rest = axes_of_step(graph[node.inputs[0]])
    if param is None:
        return np.zeros([op.states(graph.context)] * len(lead) + [1] * len(rest))
    array = graph.constants[param.name].astype(np.float64)
    return spread(array, param.axes, (*lead, *(n for n in rest if n != TIME)))


def state_of(what: str) -> int | None:
    """The state that a width's `what` names; None for what is none."""
    word, _, number = what.partition(" ")
    return int(number) if word == STATE_WORD and number.isdigit() else None
