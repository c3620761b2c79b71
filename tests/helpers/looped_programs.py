"""Programs with loops through delays, at random, and what they mean, computed step by step.

`by_hand` is written from the equations alone: a history of every value, looked up at t - steps. It
shares nothing with the interpreter.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from snncc.ir import Array, Graph, GraphBuilder, verify
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.projections import Contract, Frames, Sum
from snncc.ir.op import Context

Ints = NDArray[np.int64]


@dataclass
class Drawing:
    """A program that grows: spikes and currents of one size, and delays without a source."""

    rng: np.random.Generator
    b: GraphBuilder
    size: int
    spikes: list[str] = field(default_factory=list[str])
    currents: list[str] = field(default_factory=list[str])
    open_: list[str] = field(default_factory=list[str])

    def delay(self, steps: int) -> str:
        """Spikes that will be known later; some start with bits."""
        start = None
        if self.rng.random() < 0.3:
            bits = self.rng.integers(0, 2, self.size).astype(np.int8)
            start = self.b.constant("start", bits, ("k",))
        name = self.b.add(Delay(steps, "spike", ("k",), (self.size,), (0, 1), start), name="past")
        self.open_.append(name)
        return name

    def held(self, source: str, steps: int) -> str:
        """A delay of something that is there: no loop by itself."""
        start, kind = None, self.b[source].type
        low, high = kind.range or (0, 1)
        if self.rng.random() < 0.3:
            values = self.rng.integers(low, high + 1, self.size).astype(np.int32)
            start = self.b.constant("start", values, ("k",))
        op = Delay(steps, kind.kind.value, ("k",), (self.size,), (min(0, low), max(0, high)), start)
        return self.b.add(op, [source], name="held")

    def projected(self, source: str) -> str:
        weight = self.rng.integers(-9, 12, (self.size, self.size)).astype(np.int8)
        param = self.b.constant("w", weight, ("k", "k"))
        return self.b.add(Contract(param, ("k",), ("k",)), [source])

    def fires(self, current: str) -> str:
        low, high = self.b[current].type.range or (0, 0)
        level = self.rng.integers(1, max(2, (high - low) // 4 + 2), self.size).astype(np.int32)
        threshold = self.b.constant("threshold", level, ("k",))
        shift = int(self.rng.integers(0, 3))
        op = IntegerPopulation(
            threshold,
            decay=(1, shift),
            reset=str(self.rng.choice(["hard", "soft"])),
            membrane=(-(1 << 40), 1 << 40),
        )
        context = Context(self.b.context.steps, self.b.context.constants)
        found = op.membrane_range(self.b[current].type, context)
        exact = IntegerPopulation(op.threshold, None, None, op.decay, op.reset, "ge", found)
        return self.b.add(exact, [current], name="pop")


def looped(seed: int, steps: int = 0, domain: tuple[int, int] | None = None) -> Graph:
    """A program: populations whose edges have delays of 0 to 3 steps, self loops among them.

    With a domain, every step reads a frame of its own, of whole numbers in it.
    """
    rng = np.random.default_rng(seed)
    count, size = int(rng.integers(2, 7)), int(rng.integers(2, 6))
    b = GraphBuilder("integer", steps or int(rng.integers(4, 12)), "exact")
    d = Drawing(rng, b, size)
    frames = Frames(("f",), (3,))
    if domain is not None:
        frames = Frames(("f", "t"), (3, b.context.steps), domain=domain)
    image = b.add(frames, name="image")
    entry = b.constant("entry", rng.integers(-3, 4, (size, 3)).astype(np.int8), ("k", "f"))
    d.spikes.append(d.fires(b.add(Contract(entry, ("f",), ("k",)), [image])))
    for _ in range(count):
        parts = [d.projected(d.spikes[int(rng.integers(len(d.spikes)))])]
        for _ in range(int(rng.integers(0, 3))):
            parts.append(_part(d))
        if len(parts) == 1 and rng.random() < 0.5:
            parts.append(d.projected(d.delay(int(rng.integers(1, 4)))))
        total = parts[0] if len(parts) == 1 else b.add(Sum(), parts, name="sum")
        d.currents.append(total)
        d.spikes.append(d.fires(total))
    for name in d.open_:
        b.close(name, d.spikes[int(rng.integers(len(d.spikes)))])
    if rng.random() < 0.3:
        steps_back = int(rng.integers(1, 4))
        d.spikes.append(d.held(d.spikes[-1], steps_back))
    head = b.constant("head", rng.integers(-3, 4, (2, size)).astype(np.int8), ("o", "k"))
    graph = b.finish(
        b.add(IntegerReadout(), [b.add(Contract(head, ("k",), ("o",)), [d.spikes[-1]])])
    )
    verify(graph)
    return graph


def _part(d: Drawing) -> str:
    """One more current into a population."""
    rng = d.rng
    kind = int(rng.integers(0, 6))
    if kind == 0:  # a delayed current
        return d.held(d.projected(d.spikes[int(rng.integers(len(d.spikes)))]), 2)
    if kind == 1:  # spikes that are there already
        return d.projected(d.held(d.spikes[-1], int(rng.integers(1, 4))))
    if kind == 2 and d.open_:  # spikes that let others pass, of a loop
        return d.projected(d.b.add(Gate(bool(rng.integers(2))), [d.open_[-1], d.spikes[-1]]))
    past = d.delay(int(rng.integers(1, 4)))
    if kind == 3:  # a current around the loop
        return d.held(d.projected(past), int(rng.integers(1, 3)))
    if kind == 4:  # in another order
        flipped = Take(("k",), ("k",), ((d.size - 1, -1, d.size),))
        return d.projected(d.b.add(flipped, [past]))
    return d.projected(past)


def images(seed: int, count: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 3)).astype(np.uint8)


@dataclass
class Hand:
    """What a program gives, by hand: values and membranes [t, batch, ...]."""

    values: dict[str, list[Ints]]
    levels: dict[str, list[Ints]]
    answer: Ints


def by_hand(graph: Graph, given: Array) -> Hand:
    """All steps, one after another, each value from the history of what it reads."""
    history: dict[str, list[Ints]] = {node.name: [] for node in graph.nodes}
    levels: dict[str, list[Ints]] = {}
    state: dict[str, Ints] = {}
    constants = {name: array.astype(np.int64) for name, array in graph.constants.items()}
    answer: Ints = np.zeros(0, np.int64)
    order = _by_step(graph)
    for t in range(graph.steps):
        for name in order:
            node = graph[name]
            op = node.op
            read = [history[source] for source in node.inputs]
            if isinstance(op, Frames):
                found = given.astype(np.int64)
            elif isinstance(op, Delay):
                start = 0 if op.start is None else constants[op.start.name]
                shape = (len(given), *op.shape)
                found = np.zeros(shape, np.int64) + start
                if t >= op.steps:
                    found = read[0][t - op.steps]
            elif isinstance(op, Contract):
                found = read[0][t] @ constants[op.weight.name].T
            elif isinstance(op, Sum):
                found = sum((each[t] for each in read), np.zeros_like(read[0][t]))
            elif isinstance(op, Gate):
                passes = read[0][t] == (0 if op.inverted else 1)
                found = np.where(passes, read[1][t], 0)
            elif isinstance(op, Take):
                found = read[0][t][:, ::-1]
            elif isinstance(op, IntegerPopulation):
                last = state.get(name, np.zeros_like(read[0][t]))
                z = (last >> op.decay[1]) + read[0][t]
                threshold = constants[op.threshold.name]
                found = (z >= threshold).astype(np.int64)
                state[name] = np.where(found == 1, 0 if op.reset == "hard" else z - threshold, z)
                levels.setdefault(name, []).append(z)
            elif isinstance(op, IntegerReadout):
                found = read[0][t]
            else:
                raise TypeError(op.mnemonic)
            history[name].append(found)
    answer = sum(history[graph.output], np.zeros_like(history[graph.output][0]))
    return Hand(history, levels, answer)


def _by_step(graph: Graph) -> list[str]:
    """Names such that each comes after what it reads within a step."""
    order: list[str] = []
    left = {node.name for node in graph.nodes}
    while left:
        for node in graph.nodes:
            free = isinstance(node.op, Delay) or not left.intersection(node.inputs)
            if node.name in left and free:
                order.append(node.name)
                left.remove(node.name)
    return order
