"""Random models in the traced dialect of pieces that compile and pieces that do not.

Weights are drawn from a continuum: no gain is a shift because numbers happen to be round.
"""

from collections.abc import Callable

import numpy as np

from snncc.ir import Graph, GraphBuilder, Loc, Op, Param, ValueType
from snncc.ir.dialects import traced as ops

STEPS = 3
SIDE = 4
"""Height and width of the image."""


class RandomModel:
    """Draws one model; `pieces` are what it may consist of."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.b = GraphBuilder("traced", STEPS)
        self.count = 0
        self.seen: list[str] = []
        self.pieces: dict[str, Callable[[str], str]] = {
            "lif": self.lif,
            "conv": self.conv,
            "channels": self.channels,
            "batchnorm": self.batchnorm,
            "token_norm": self.token_norm,
            "scale": self.scale,
            "add": self.add_seen,
            "concat": self.concat,
            "average_pool": self.average_pool,
            "global_pool": self.global_pool,
            "max_pool": self.max_pool,
            "relu": lambda x: self.foreign("relu", x),
            "layer_norm": lambda x: self.foreign("layer_norm", x),
            "compare": lambda x: self.foreign("gt", x),
            "product": self.product,
            "mean_over_time": self.mean_over_time,
            "other_image": self.other_image,
        }

    # What every piece uses.

    def put(self, op: Op, *inputs: str) -> str:
        self.count += 1
        name = f"{op.mnemonic}.{self.count}"
        made = self.b.add(op, inputs, (Loc(name, "model.py", self.count),), name)
        self.seen.append(made)
        return made

    def of(self, x: str) -> ValueType:
        return self.b[x].type

    def param(self, what: str, array: np.ndarray, *axes: str) -> Param:
        return self.b.constant(what, np.asarray(array, np.float64), axes)

    def weights(self, *shape: int) -> np.ndarray:
        return self.rng.normal(0.2, 1.0, shape)

    def has(self, x: str, *axes: str) -> bool:
        return set(axes) <= set(self.of(x).names)

    # Pieces: each gives the value back where it does not fit.

    def lif(self, x: str) -> str:
        tau = self.rng.choice(
            np.array([2.0, 2.0, 0.0, 3.0, 4.0 / 3.0]), p=[0.4, 0.2, 0.2, 0.1, 0.1]
        )
        return self.put(ops.Lif(float(tau) or None), x)

    def conv(self, x: str) -> str:
        if not self.has(x, "c", "h", "w") or min(self.of(x).size(n) for n in "hw") < 2:
            return x
        kernel, pad, stride = ((3, 1, 1), (2, 0, 2), (1, 0, 2))[int(self.rng.integers(3))]
        out = int(self.rng.integers(2, 4))
        weight = self.param("w", self.weights(out, self.of(x).size("c"), kernel, kernel), *"oiyx")
        bias = self.param("b", self.weights(out), "c") if self.rng.random() < 0.5 else None
        names = ("c", "h", "w", "c", "h", "w")
        return self.put(ops.Conv(weight, *names, bias, (stride, stride), (pad, pad)), x)

    def channels(self, x: str) -> str:
        if not self.has(x, "c"):
            return x
        out = int(self.rng.integers(2, 4))
        weight = self.param("w", self.weights(out, self.of(x).size("c")), "c", "c")
        return self.put(ops.Linear(weight, ("c",), ("c",)), x)

    def norm(self, x: str, *axes: str) -> str:
        if not self.has(x, *axes):
            return x
        shape = tuple(self.of(x).size(n) for n in axes)
        params = [
            self.param(what, values, *axes)
            for what, values in (
                ("mean", self.weights(*shape)),
                ("var", self.rng.uniform(0.5, 2.0, shape)),
                ("gamma", self.weights(*shape)),
                ("beta", self.weights(*shape)),
            )
        ]
        return self.put(ops.BatchNorm(*params, 1e-5), x)

    def batchnorm(self, x: str) -> str:
        return self.norm(x, "c")

    def token_norm(self, x: str) -> str:
        return self.norm(x, "h", "w")

    def scale(self, x: str) -> str:
        axes = tuple(n for n in ("c",) if self.has(x, n) and self.rng.random() < 0.7)
        shape = tuple(self.of(x).size(n) for n in axes)
        if self.rng.random() < 0.6:
            values = self.rng.choice(np.array([0.25, 0.5, 2.0, 4.0, -1.0, -2.0]), shape)
        else:
            values = self.rng.uniform(0.3, 1.9, shape)
        return self.put(ops.Scale(self.param("s", np.asarray(values), *axes)), x)

    def add_seen(self, x: str) -> str:
        alike = [n for n in self.seen if n != x and set(self.of(n).axes) == set(self.of(x).axes)]
        return self.put(ops.Add(), x, str(self.rng.choice(alike))) if alike else x

    def concat(self, x: str) -> str:
        alike = [n for n in self.seen if n != x and self.of(n).axes == self.of(x).axes]
        if not alike or not self.has(x, "c"):
            return x
        return self.put(ops.TracedConcat(("c", "c"), "c"), x, str(self.rng.choice(alike)))

    def average_pool(self, x: str) -> str:
        if not self.has(x, "c", "h", "w") or min(self.of(x).size(n) for n in "hw") < 2:
            return x
        size = self.of(x).size("c")
        weight = self.param("w", np.full((size, 1, 2, 2), 0.25), *"oiyx")
        op = ops.Conv(weight, "c", "h", "w", "c", "h", "w", None, (2, 2), groups=size)
        return self.put(op, x)

    def global_pool(self, x: str) -> str:
        return self.put(ops.Mean(("h", "w")), x) if self.has(x, "h", "w") else x

    def mean_over_time(self, x: str) -> str:
        return self.put(ops.Mean(("t",)), x) if self.has(x, "t") else x

    def foreign(self, function: str, *inputs: str, half: bool = False) -> str:
        found = self.of(inputs[0])
        shape = tuple(a.size // 2 if half and a.name in "hw" else a.size for a in found.axes)
        return self.put(ops.Foreign(function, found.names, shape), *inputs)

    def max_pool(self, x: str) -> str:
        fits = self.has(x, "h", "w") and min(self.of(x).size(n) for n in "hw") >= 2
        return self.foreign("max_pool2d", x, half=True) if fits else x

    def product(self, x: str) -> str:
        alike = [n for n in self.seen if self.of(n).axes == self.of(x).axes]
        return self.foreign("mul: a product of two values", x, str(self.rng.choice(alike)))

    def image(self, name: str) -> str:
        shape = (STEPS, 2, SIDE, SIDE)
        made = self.b.add(ops.Input(("t", "c", "h", "w"), shape), (), (), name)
        self.seen.append(made)
        return made

    def other_image(self, x: str) -> str:
        """A second image with a layer of its own."""
        if "second" in self.b or not self.has(x, "c", "h", "w", "t"):
            return x
        return self.add_seen(self.lif(self.conv(self.image("second"))))

    def build(self, illegal: float) -> Graph:
        """Args: illegal: how often a piece is drawn from all of them, not from what compiles."""
        x = self.image("input")
        usual = ["lif", "conv", "channels", "batchnorm", "token_norm", "scale", "add"]
        if self.rng.random() > illegal:
            x = self.lif(self.batchnorm(self.conv(x)))
        for _ in range(int(self.rng.integers(2, 9))):
            anything = self.rng.random() < illegal
            x = self.pieces[str(self.rng.choice([*self.pieces] if anything else usual))](x)
            if not anything and self.rng.random() < 0.5:
                x = self.lif(x)
        for piece in ("conv", "global_pool", "channels", "mean_over_time"):
            if self.rng.random() < 0.5:
                x = self.pieces[piece](x)
        return self.answer(x)

    def answer(self, x: str) -> Graph:
        """The model that answers with this, averaged over the image: one number per channel."""
        long = any(self.of(x).size(n) > 1 for n in "hw" if self.has(x, n))
        return self.b.finish(self.global_pool(x) if long else x)


def random_model(seed: int) -> Graph:
    """Half of the seeds draw mostly what compiles, half draw anything."""
    return RandomModel(seed).build(0.6 if seed % 2 else 0.1)
