"""Random integer programs, built op by op: connection patterns that compiled networks seldom have.

Skips of any depth, several currents into one population, sums of sums, concatenations of currents
and of spikes, weights and constants by step, values in different orders of axes.
"""

from dataclasses import replace

import numpy as np

from snncc.ir import Graph, GraphBuilder, Param, verify
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.op import Op

IMAGE = (2, 3, 4)


class _Program:
    def __init__(self, seed: int, domain: tuple[int, int], timed: bool = False) -> None:
        self.domain, self.timed = domain, timed
        self.rng = np.random.default_rng([seed, 5])
        self.steps = int(self.rng.integers(1, 5))
        self.b = GraphBuilder("integer", self.steps, "exact")
        self.channels = int(self.rng.choice([2, 4]))
        self.count = 0
        self.spikes: list[str] = []
        self.currents: list[str] = []

    def add(self, op: Op, *inputs: str, at: str = "") -> str:
        self.count += 1
        part = f"layer.{self.count // 4}" if self.rng.random() < 0.7 else "net"
        return self.b.add(op, inputs, (), at or f"{part}.{op.mnemonic}_{self.count}")

    def one(self, names: list[str]) -> str:
        return names[int(self.rng.integers(len(names)))]

    def chance(self, odds: float) -> bool:
        return bool(self.rng.random() < odds)

    def sizes(self, *axes: str) -> list[int]:
        known = {"h": IMAGE[1], "w": IMAGE[2], "c": self.channels, "pc": IMAGE[0]}
        known |= {"t": self.steps, "cc": 2 * self.channels}
        return [known[a] for a in axes]

    def param(self, what: str, low: int, high: int, *axes: str) -> Param:
        values = self.rng.integers(low, high + 1, self.sizes(*axes))
        return self.b.constant(what, values, axes)

    def some_axes(self, *axes: str) -> tuple[str, ...]:
        return tuple(self.rng.permutation([a for a in axes if self.chance(0.4)]).tolist())

    # Currents

    def project(self, source: str) -> str:
        """A current over h, w, c, in some order, from spikes over the same."""
        kind = self.one(["c", "h", "w", "cw", "shared", "banks", "conv", "conv", "conv banks"])
        if kind.startswith("conv"):
            return self.convolve(source, "c", "banks" in kind)
        if kind in ("shared", "banks"):
            shared = "h" if kind == "shared" else "t"
            weight = self.param("w", -4, 4, shared, "c", "c")
            return self.add(Contract(weight, ("c",), ("c",), (shared,)), source)
        axes = tuple(kind)
        return self.add(Contract(self.param("w", -4, 4, *axes, *axes), axes, axes), source)

    def convolve(self, source: str, channel: str, banks: bool) -> str:
        dilation = 2 if self.chance(0.2) else 1
        groups = 2 if self.chance(0.3) else 1
        inputs = self.sizes(channel)[0] // groups
        lead = [self.steps] if banks else []
        weight = self.rng.integers(-4, 5, (*lead, self.channels, inputs, 3, 3))
        axes = (*(["t"] if banks else []), "out", "in", "kh", "kw")
        param = self.b.constant("w", weight, axes)
        names = (channel, "h", "w", "c", "h", "w")
        square = (dilation, dilation)
        return self.add(Convolve(param, *names, (1, 1), square, square, groups), source)

    def lean(self, source: str) -> str:
        """A current that lacks an axis."""
        weight = self.param("w", -3, 3, "c", "c")
        return self.add(Contract(weight, ("c",), ("c",), (), ("h",)), source)

    def meet(self, many: int) -> str:
        """A sum of currents of any age, shifted or not, some more than once."""
        sources = [self.one(self.currents) for _ in range(many)]
        if self.spikes and self.chance(0.3):
            sources.append(self.lean(self.one(self.spikes)))
        plain = self.chance(0.4)
        shifts = () if plain else tuple(self.rng.integers(0, 4, len(sources)).tolist())
        return self.add(Sum(shifts), *sources)

    def gain(self, source: str) -> str:
        axes = self.some_axes("h", "c", "t")
        return self.add(Gain(self.param("m", -9, 9, *axes), int(self.rng.integers(0, 4))), source)

    def concat(self) -> str:
        """Spikes or currents side by side, brought back to the usual channels."""
        if self.chance(0.5):
            wide = self.add(Concat(("c", "c"), "cc"), self.one(self.spikes), self.one(self.spikes))
        else:
            pair = self.one(self.currents), self.one(self.currents)
            wide = self.population(self.add(Concat(("c", "c"), "cc"), *pair), "cc")
        weight = self.param("w", -4, 4, "c", "cc")
        return self.add(Contract(weight, ("cc",), ("c",)), wide)

    # Neurons

    def population(self, source: str, channel: str = "c") -> str:
        rng, kind = self.rng, self.b[source].type
        high = kind.range[1] if kind.range else 0
        all_axes = [n for n in (*kind.names, "t") if n in ("t", "h", "w", channel)]
        axes = list(dict.fromkeys(all_axes))
        top = max(1, high // 3)
        factor, shift = ((1, 1), (1, 0), (1, 2), (5, 3), (3, 2))[int(rng.integers(5))]
        op = IntegerPopulation(
            self.param("threshold", -top // 8, top, *self.some_axes(*axes)),
            self.param("bias", -2, top // 2, *self.some_axes(*axes)) if self.chance(0.6) else None,
            self.param("sign", -1, 1, *self.some_axes(*axes)) if self.chance(0.2) else None,
            (factor, shift),
            "soft" if self.chance(0.3) else "hard",
            compare := "gt" if self.chance(0.3) else "ge",
            (0, 0),
            int(rng.integers(0, 1 << shift)) if self.chance(0.3) else 0,
            self.param("offset", -3, 3, *self.some_axes(*axes)) if self.chance(0.2) else None,
            Rounding.TO_ZERO if self.chance(0.2) else Rounding.exact_for(compare),
        )
        op = replace(op, membrane=op.membrane_range(kind, self.b.context))
        return self.add(op, source)

    def build(self) -> Graph:
        encoding = "host" if self.chance(0.3) else "bit-planes"
        axes = ["pc", "h", "w"]
        if self.timed:
            encoding = "bit-planes"
            axes.insert(int(self.rng.integers(4)), "t")
        shape = tuple(self.sizes(*axes))
        image = self.add(Frames(tuple(axes), shape, encoding, self.domain), at="image")
        for _ in range(int(self.rng.integers(1, 3))):
            if self.chance(0.5):
                self.currents.append(self.convolve(image, "pc", self.chance(0.2)))
            else:
                weight = self.param("w", -4, 4, "c", "pc")
                self.currents.append(self.add(Contract(weight, ("pc",), ("c",)), image))
        self.spikes.append(self.population(self.one(self.currents)))
        for _ in range(int(self.rng.integers(2, 6))):
            fresh = self.project(self.spikes[-1] if self.chance(0.5) else self.one(self.spikes))
            self.currents.append(self.gain(fresh) if self.chance(0.3) else fresh)
            if self.chance(0.4):
                self.currents.append(self.concat())
            if self.chance(0.7):
                self.currents.append(self.meet(12 if self.chance(0.1) else 2))
            self.spikes.append(self.population(self.currents[-1]))
        weight = self.b.constant("w", self.rng.integers(-5, 6, (3, self.channels)), ("k", "c"))
        answer = self.add(Contract(weight, ("c",), ("k",), (), ("h", "w")), self.spikes[-1])
        offset = self.b.constant("o", self.rng.integers(-9, 10, 3), ("k",))
        graph = self.b.finish(self.add(IntegerReadout(offset, 0.5), answer, at="readout"))
        verify(graph)
        return graph


def random_program(seed: int, domain: tuple[int, int] = (0, 255), timed: bool = False) -> Graph:
    """A verified program; its images are 8-bit integers of the domain, [n, 2, 3, 4].

    Args:
        seed: of everything.
        domain: of the numbers that enter.
        timed: whether a frame enters at every step: then time is somewhere among the axes.
    """
    return _Program(seed, domain, timed).build()


def program_images(seed: int, count: int) -> np.ndarray:
    """Images for it, dark and bright ones."""
    rng = np.random.default_rng([seed, 6])
    brightest = rng.choice([8, 64, 256], (count, 1, 1, 1))
    return (rng.random((count, *IMAGE)) * brightest).astype(np.uint8)


def numbers_of(graph: Graph, seed: int, count: int) -> np.ndarray:
    """Samples for any program: every number of its domain may occur, its ends in the first two."""
    kind = next(node.type for node in graph.nodes if not node.inputs)
    low, high = kind.domain or (0, 0)
    rng = np.random.default_rng([seed, 7])
    numbers = rng.integers(low, high + 1, (count, *kind.shape))
    numbers[:2] = np.reshape([low, high][:count], (-1, *(1 for _ in kind.shape)))
    return numbers.astype(kind.dtype)
