"""Random spiking networks in the traced dialect, with layers that compiled ones are made of.

Beside those of `random_networks`: grouped, depthwise, dilated and strided convolutions with a
BatchNorm before or behind, branches side by side along channels, rows or columns, residual sums,
pools of many places before a map, layers of 17, 33 and 65 channels, up to 64 steps.
"""

from math import prod

import numpy as np
from random_networks import _Net

from generators.draws import Draw
from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import SnnccError
from snncc.ir import Graph
from snncc.ir.dialects import traced as ops
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers

CHANNELS = (1, 2, 3, 4, 6, 8, 16, 17, 32, 33, 65)
POWERS = (1, 2, 4, 8)
MOST = 20_000
"""Neurons of a layer, times steps, times weights of one."""


class Layers(_Net):
    """A network of images [t, c, h, w]; dyadic numbers keep float64 exact where `exact`."""

    def __init__(self, seed: int, exact: bool) -> None:
        super().__init__(seed)
        self.exact = exact
        self.draw = Draw(seed, 31)
        self.steps = self.draw.number(1, 5) if exact else self.draw.steps()
        self.b = type(self.b)("traced", self.steps)
        self.temporal = self.draw.chance(0.2)

    def size(self, x: str, axis: str) -> int:
        return self.b[x].type.size(axis)

    def normal(self, x: str, *axes: str) -> str:
        return self.batchnorm(x, *axes) if self.draw.chance(0.8) else x

    def layer(self, x: str) -> str:
        """A convolution with its BatchNorm, as a current [t, c, h, w]."""
        draw = self.draw
        if draw.chance(0.25):  # on spikes, before the convolution: folds through its groups
            x = self.batchnorm(x, "c")
        have, height, width = (self.size(x, n) for n in "chw")
        groups = draw.one([g for g in (1, 1, 2, 3, 4, have) if have % g == 0])
        sizes = [c for c in CHANNELS if c % groups == 0 and c * height * width * self.steps <= MOST]
        outputs = draw.one(sizes) if sizes else groups
        kernel, stride = draw.one([1, 2, 3, 3]), draw.one([1, 1, 1, 2])
        dilation = draw.one([1, 1, 2, 3])
        reach = dilation * (kernel - 1)
        padding = max(draw.number(0, 2), -(-(reach + 1 - min(height, width)) // 2))
        weight = self.dyadic(outputs, have // groups, kernel, kernel)
        bias = self.dyadic(outputs, span=2) if draw.chance(0.3) else None
        op = ops.Conv(
            self.param("w", weight, "o", "i", "kh", "kw"), "c", "h", "w", "c", "h", "w",
            None if bias is None else self.param("b", bias, "c"),
            (stride, draw.one([1, stride])), (padding, padding), (dilation, dilation), groups,
        )  # fmt: skip
        return self.normal(self.add(op, x), "c")

    def along(self, x: str) -> str:
        """A map along one axis that keeps its length."""
        axis = self.draw.one(["c", "h", "w"])
        mapped = self.linear(x, axis, axis, self.size(x, axis), self.draw.chance(0.5))
        order = mapped if self.b[mapped].type.names == self.b[x].type.names else ""
        mapped = order or self.order(mapped, *self.b[x].type.names)
        return self.normal(mapped, self.draw.one(["c", "h", "w"]))

    def side_by_side(self, x: str) -> str:
        """Two currents from one value, joined along channels, rows or columns."""
        axis = self.draw.one(["c", "h", "w"])
        other = self.along(x)
        return self.add(ops.TracedConcat((axis, axis), axis), self.along(x), other)

    def residual(self, x: str) -> str:
        parts = [self.along(x) for _ in range(self.draw.number(1, 3))]
        return self.add(ops.Add(), *parts, *([x] if self.draw.chance(0.5) else []))

    def pool(self, x: str) -> str:
        """The head: what all places give, before a map; with a BatchNorm between or not."""
        pooled = self.draw.one([ops.Mean, ops.Total])(("h", "w"))
        if self.exact and prod(self.size(x, n) for n in "hw") not in (1, 2, 4, 8, 16, 32, 64):
            pooled = ops.Total(("h", "w"))
        if self.draw.chance(0.5):
            x = self.batchnorm(x, "c")
        return self.add(pooled, x)

    def build(self) -> Graph:
        draw = self.draw
        sizes = POWERS if self.exact else (1, 2, 3, 4, 5, 8, 17)
        shape = (self.steps, draw.one([1, 2, 3, 4]), draw.one(sizes), draw.one(sizes))
        image = self.b.add(ops.Input(("t", "c", "h", "w"), shape), (), (), "input")
        x = self.lif(self.layer(image))
        for _ in range(draw.number(1, 3)):
            kinds = (self.layer, self.layer, self.along, self.side_by_side, self.residual)
            x = self.lif(draw.one(kinds)(x))
        y = self.pool(x)
        if draw.chance(0.4):
            y = self.lif(self.normal(self.linear(y, "c", "c", draw.one([2, 17, 33])), "c"))
        y = self.linear(y, "c", "k", draw.number(2, 5))
        return self.b.finish(self.add(ops.Mean(("t",)), y) if draw.chance(0.5) else y)


def network(seed: int, exact: bool = True) -> Graph:
    """A network of the traced dialect; its input is the image repeated at every step.

    Args:
        seed: of everything.
        exact: whether float64 computes it without rounding, so that two forms must be equal.
    """
    return Layers(seed, exact).build()


def compiled(seed: int) -> Graph:
    """An integer program from a network: bits, gains and decays are drawn too.

    A network that has no form as a program, which the compiler says, gives way to another.
    """
    for trial in range(100):
        try:
            return _compiled(seed + 1_000_003 * trial)
        except SnnccError as error:
            if error.code != "SNN030":
                raise
    raise AssertionError(f"seed {seed}: no network of 100 compiles")


def _compiled(seed: int) -> Graph:
    rng = np.random.default_rng([seed, 30])
    gain = ("shift-add", "unshared")[int(rng.integers(2))]
    decay = ("approximate", "by-step")[int(rng.integers(2))]
    options = CompileOptions(normalize=((0.0,), (1.0 / 255.0,)), gain=gain, decay=decay)
    traced = network(seed, exact=False)
    if decay == "by-step" and traced.steps > 8:  # thresholds grow as 1 / decay to the power of t
        options = CompileOptions(normalize=options.normalize, gain=gain)
    bits = int(rng.choice([2, 4, 8, 8, 8, 16]))
    spiking = run_passes(traced, spiking_passes(options))
    return run_passes(spiking, [LowerToIntegers(round_plainly(spiking, bits), bits)])
