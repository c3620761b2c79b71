"""Random spiking networks in the traced dialect, valid by construction.

Every number is dyadic and small, so float64 computes without rounding whatever the order: spikes
must be equal to the last one, ties at the threshold included.
"""

import numpy as np

from snncc.ir import Graph, GraphBuilder, Loc, Param
from snncc.ir.dialects import traced as ops
from snncc.ir.dialects.windows import Largest

SIZES = (2, 4)
LEVELS = 8
"""Pixels are 0..7."""


class _Net:
    def __init__(self, seed: int, pooled: bool = False) -> None:
        self.pooled = pooled
        self.rng = np.random.default_rng(seed)
        self.steps = int(self.rng.integers(2, 6))
        self.b = GraphBuilder("traced", self.steps)
        self.count = 0
        equal = int(self.rng.choice(SIZES))
        same = self.rng.random() < 0.5  # equal axis lengths: identity must decide, not length
        self.channels, self.height, self.width, self.hidden = (
            equal if same else int(self.rng.choice(SIZES)) for _ in range(4)
        )
        self.temporal = self.rng.random() < 0.3

    def add(self, op: object, *inputs: str, stem: str = "") -> str:
        self.count += 1
        name = f"{stem or op.mnemonic}.{self.count}"  # type: ignore[attr-defined]
        return self.b.add(op, inputs, (Loc(name),), name)  # type: ignore[arg-type]

    def dyadic(self, *shape: int, scale: float = 0.25, span: int = 4) -> np.ndarray:
        return self.rng.integers(-span, span + 1, shape) * scale

    def param(self, what: str, array: np.ndarray, *axes: str) -> Param:
        return self.b.constant(what, np.asarray(array, np.float64), axes)

    def batchnorm(self, x: str, *axes: str) -> str:
        shape = [self.b[x].type.size(a) for a in axes]
        gamma = self.rng.choice(
            [1.0, 2.0, 0.5, -1.0, -0.5, 0.0], shape, p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.1]
        )
        var = self.rng.choice([0.25, 1.0, 4.0], shape)
        op = ops.BatchNorm(
            self.param("mean", self.dyadic(*shape, span=2), *axes),
            self.param("var", var, *axes),
            self.param("gamma", gamma, *axes),
            self.param("beta", self.rng.integers(-1, 5, shape) * 0.25, *axes),
            0.0,
        )
        normal = self.add(op, x)
        return self.stepwise(normal) if self.temporal else normal

    def stepwise(self, x: str) -> str:
        """A scale for every step, of either sign, as temporal effective BatchNorm has; or equal."""
        equal = self.rng.random() < 0.1
        factors, odds = [1.0, 2.0, 3.0, 0.5, -1.0], [0.3, 0.3, 0.2, 0.1, 0.1]
        choice = self.rng.choice(factors, 1 if equal else self.steps, p=odds)
        scale = np.broadcast_to(choice, (self.steps,)).copy()
        return self.add(ops.Scale(self.param("k", scale, "t")), x)

    def lif(self, x: str) -> str:
        rng = self.rng
        tau = rng.choice(np.array([2.0, 2.0, 2.0, 4.0, 0.0]))
        op = ops.Lif(
            tau=None if tau == 0.0 else float(tau),
            v_threshold=float(rng.choice([0.5, 1.0, 1.0, 2.0])),
            v_reset=rng.choice(np.array([0.0, 0.0, 0.0, -0.5])).item()
            if rng.random() < 0.8
            else None,
            decay_input=bool(rng.random() < 0.7),
            compare="ge" if rng.random() < 0.8 else "gt",
        )
        if self.pooled and rng.random() < 0.5:
            x = self.largest(x)
        spikes = self.add(op, x, stem="lif")
        return self.largest(spikes) if self.pooled and rng.random() < 0.3 else spikes

    def largest(self, x: str) -> str:
        """Of windows that keep the lengths of height and width, or of one of them."""
        names = [n for n in ("h", "w") if n in self.b[x].type.names]
        if self.rng.random() < 0.3:
            names = names[:1]
        if not names:
            return x
        size = tuple(self.b[x].type.size(n) for n in names)
        each = [
            ((2, 1, 1, 1), (3, 1, 1, 1), (3, 1, 2, 2))[int(self.rng.integers(3))] for _ in names
        ]
        kernel, stride, padding, dilation = zip(*each, strict=True)
        op = Largest(tuple(names), tuple(names), size, kernel, stride, padding, dilation)
        return self.add(op, x)

    def linear(self, x: str, into: str, out: str, size: int, bias: bool = True) -> str:
        have = self.b[x].type.size(into)
        op = ops.Linear(
            self.param("w", self.dyadic(size, have), out, into),
            (into,),
            (out,),
            self.param("b", self.dyadic(size, span=2), out) if bias else None,
        )
        return self.add(op, x)

    def conv(self, x: str, channel: str, padding: int, kernel: int, stride: int) -> str:
        have = self.b[x].type.size(channel)
        groups = 2 if have % 2 == 0 and self.channels % 2 == 0 and self.rng.random() < 0.2 else 1
        h, w = [n for n in self.b[x].type.names if n not in ("t", channel)]
        weight = self.dyadic(self.channels, have // groups, kernel, kernel)
        op = ops.Conv(
            self.param("w", weight, "o", "i", "kh", "kw"),
            channel,
            h,
            w,
            "c",
            "h",
            "w",
            None,
            (stride, stride),
            (padding, padding),
            (1, 1),
            groups,
        )
        return self.add(op, x)

    def order(self, x: str, *names: str) -> str:
        return self.add(ops.Rearrange(names), x)

    def build(self) -> Graph:
        rng = self.rng
        kernel = int(rng.choice([1, 3]))
        padding = kernel // 2
        shape = (self.steps, 2, self.height, self.width)
        image = self.b.add(ops.Input(("t", "pc", "ph", "pw"), shape), (), (), "input")
        if rng.random() < 0.5:
            scale = self.param("s", np.array([0.5, 0.25]), "pc")
            offset = self.param("o", np.array([-0.5, 0.25]), "pc")
            image = self.add(ops.Scale(scale, offset), image)
        entry = self.batchnorm(self.conv(image, "pc", padding, kernel, 1), "c")
        x = self.lif(entry)
        tokens = ""
        for _ in range(int(rng.integers(1, 4))):
            kind = rng.choice(["fuse", "feed_forward", "conv", "spike_skip", "norm"])
            if kind == "fuse":
                xh = self.lif(self.batchnorm(self.linear(x, "h", "h", self.height), "h"))
                xw = self.lif(self.batchnorm(self.linear(x, "w", "w", self.width), "w"))
                joined = self.add(ops.TracedConcat(("c", "c", "c"), "c3"), x, xh, xw)
                fused = self.linear(joined, "c3", "c", self.channels, bias=False)
                tokens = self.batchnorm(fused, "c")
                x = self.lif(self.add(ops.Add(), entry, tokens))
            elif kind == "feed_forward":
                rows = self.order(x, "t", "h", "w", "c")
                hidden = self.lif(
                    self.batchnorm(self.linear(rows, "c", "k", self.hidden), "h", "w")
                )
                back = self.batchnorm(self.linear(hidden, "k", "c", self.channels), "h", "w")
                current = self.order(back, "t", "c", "h", "w")
                others = [entry, *([tokens] if tokens else [])]
                x = self.lif(self.add(ops.Add(), *others, current))
            elif kind == "conv":
                current = self.batchnorm(self.conv(x, "c", 1, 3, 1), "c")
                x = self.lif(self.add(ops.Add(), entry, current))
            elif kind == "spike_skip":
                current = self.batchnorm(self.linear(x, "c", "c", self.channels), "c")
                x = self.lif(self.add(ops.Add(), current, x))
            else:
                x = self.lif(self.batchnorm(x, "c"))
        y = self.add(ops.Mean(("h", "w")), self.batchnorm(x, "c"))
        y = self.linear(y, "c", "k2", 3)
        if rng.random() < 0.5:
            y = self.add(ops.Mean(("t",)), y)
        return self.b.finish(y)


def random_network(seed: int, pooled: bool = False) -> Graph:
    """A network of the traced dialect; its input is the image repeated at every step.

    Args:
        seed: the same network for ever.
        pooled: whether the largest of windows stands before and behind neurons here and there.
    """
    return _Net(seed, pooled).build()


def random_images(graph: Graph, seed: int, count: int) -> np.ndarray:
    """Small images for it, uint8 [count, channels, height, width]."""
    shape = graph["input"].type.shape[1:]
    return np.random.default_rng(seed).integers(0, LEVELS, (count, *shape)).astype(np.uint8)
