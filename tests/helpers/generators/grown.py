"""A program on its way: its values so far, and what every move needs."""

from math import prod

import numpy as np

from generators.draws import KINDS, Draw, weights
from snncc.ir import TIME, GraphBuilder, Kind, Param, ValueType
from snncc.ir.dialects.projections import Concat, Contract, Convolve
from snncc.ir.op import Op, TypeRuleError

MOST_VALUES = 12_000
"""Elements of one value over all steps."""
MOST_WEIGHTS = 30_000
MOST_SUMMED = 1_200
INT32 = (1 << 31) - 1
NAMES = ("h", "w", "c", "k", "n", "y", "x", "d")


class Grown:
    """A program on its way.

    Attributes:
        wide: whether numbers may need more than 32 bits, which the compiled units do not have.
        images, spikes, currents, counts: names of the values so far, in order.
        lane: by value, the axis that units are likely to take as lanes; "" for any.
    """

    def __init__(self, seed: int) -> None:
        self.draw = Draw(seed, 29)
        self.wide = self.draw.chance(0.08)
        self.steps = self.draw.steps()
        self.b = GraphBuilder("integer", self.steps, "exact")
        self.most = max(24, MOST_VALUES // self.steps)
        self.images: list[str] = []
        self.spikes: list[str] = []
        self.currents: list[str] = []
        self.counts: list[str] = []
        self.read: set[str] = set()
        self.lane: dict[str, str] = {}

    def put(self, op: Op, *inputs: str, name: str = "") -> str | None:
        """Adds a node, unless its numbers or its size are out of bounds."""
        sources = tuple(self.b[i].type for i in inputs)
        try:
            kind = op.infer(sources, self.b.context)
            op.verify(sources, self.b.context)
        except TypeRuleError:
            return None
        low, high = kind.range or (0, 0)
        if kind.neurons > self.most or max(-low, high) > (1 << 45 if self.wide else INT32):
            return None
        self.read.update(inputs)
        made = self.b.add(op, inputs, (), name)
        self.lane[made] = self._lane(op, inputs[0])
        return made

    def _lane(self, op: Op, source: str) -> str:
        lane = self.lane.get(source, "")
        match op:
            case Contract() if lane in ("", *op.into, *op.summed):
                return op.out[-1] if op.out else ""
            case Convolve() if lane in ("", op.channel):
                return op.out_channel
            case Concat() if lane == op.along[0]:
                return op.out
            case _:
                return lane

    def current(self, op: Op, *inputs: str) -> str | None:
        name = self.put(op, *inputs)
        if name is not None:
            self.currents.append(name)
        return name

    def kind(self, name: str) -> ValueType:
        return self.b[name].type

    def axes(self, name: str) -> dict[str, int]:
        """Lengths of a value's axes but time, by name."""
        return {a.name: a.size for a in self.kind(name).axes if a.name != TIME}

    def sizes(self, axes: dict[str, int], *names: str) -> list[int]:
        return [self.steps if n == TIME else axes[n] for n in names]

    def param(self, array: np.ndarray, *axes: str) -> Param:
        return self.b.constant("k", array, axes)

    def fresh(self, taken: set[str]) -> str:
        free = [n for n in NAMES if n not in taken]
        return self.draw.one(free) if free else f"z{len(taken)}"

    def unread(self, names: list[str]) -> list[str]:
        return [name for name in names if name not in self.read]

    def source(self) -> str:
        """What a projection reads: mostly recent spikes."""
        if not self.spikes or self.draw.chance(0.12):
            return self.draw.one(self.images)
        return self.spikes[-1] if self.draw.chance(0.5) else self.draw.one(self.spikes)

    def recent(self) -> str:
        """A current: mostly the last one."""
        return self.currents[-1] if self.draw.chance(0.5) else self.draw.one(self.currents)

    def times(self, source: str, *summed: str) -> int:
        """How often a sum can take one weight."""
        kind = self.kind(source)
        most = (kind.range or (0, 255))[1] if kind.kind is Kind.COUNT else 1
        return max(1, most) * prod(self.sizes(self.axes(source), *summed))

    def contract(
        self,
        source: str,
        into: list[str],
        out: dict[str, int],
        shared: list[str] | None = None,
        summed: list[str] | None = None,
        kinds: tuple[str, ...] = KINDS,
    ) -> str | None:
        """A map with drawn weights, unless it is too large."""
        shared, summed, axes = shared or [], summed or [], self.axes(source)
        kept = [*self.sizes(axes, *shared), *out.values()]
        inner = self.sizes(axes, *into)
        if prod(kept) * prod(inner) > MOST_WEIGHTS or prod(inner) > MOST_SUMMED:
            return None
        array = weights(self.draw, kept, inner, self.times(source, *summed), kinds)
        weight = self.param(array, *shared, *out, *into)
        op = Contract(weight, tuple(into), tuple(out), tuple(shared), tuple(summed))
        return self.current(op, source)
