"""Random hybrids in the traced dialect: some neurons of a random network are activations.

Numbers are dyadic as in `random_networks`: float64 rounds only what the network rounds.
"""

import numpy as np
from random_networks import _Net

from snncc.ir import Graph, Param
from snncc.ir.dialects import traced as ops
from snncc.ir.dialects.pointwise import Pointwise


class _Hybrid(_Net):
    def __init__(self, seed: int) -> None:
        super().__init__(seed, pooled=True)
        self.steps = int(self.rng.choice([1, 4]))
        self.b._steps = self.steps
        self.temporal = False  # a norm by step is no part of hybrids

    def lif(self, x: str) -> str:
        if self.rng.random() < 0.45:
            return super().lif(x)
        if self.rng.random() < 0.3:
            x = self.largest(x)
        made = activation(self, x)
        return self.largest(made) if self.rng.random() < 0.4 else made


def activation(net: _Net, x: str) -> str:
    """Clip and round in one of the orders in which people write it; mostly each channel's own."""
    rng = net.rng
    by = ["c"] if "c" in net.b[x].type.names and rng.random() < 0.6 else []
    shape = [net.b[x].type.size(n) for n in by]
    bits = int(rng.integers(1, 9))

    def const(values: object) -> Param:
        return net.param("q", np.broadcast_to(np.asarray(values, np.float64), shape), *by)

    def scaled(value: str, factor: object, offset: float = 0.0) -> str:
        more = const(offset) if offset else None
        return net.add(ops.Scale(const(factor), more), value)

    step = 2.0 ** rng.integers(-5, 1, shape)
    how = str(rng.choice(["round", "round", "floor", "ceil", "trunc"]))
    if rng.random() < 0.5:
        low = -(1 << (bits - 1)) if rng.random() < 0.3 else 0
        high = low + (1 << bits) - 1
        order = [Pointwise(how), Pointwise("clamp", const(low), const(high))]
        x = scaled(x, 1.0 / step, 0.5 if how == "floor" else 0.0)
        for op in order if rng.random() < 0.6 else order[::-1]:
            x = net.add(op, x)
        return scaled(x, step)
    levels, top = 1 << bits, step * (1 << bits)
    x = net.add(Pointwise("clamp", const(0.0), const(1.0)), scaled(x, 1.0 / top))
    x = net.add(Pointwise("floor"), scaled(x, levels, 0.5))
    return scaled(scaled(x, 1.0 / levels), top)


def random_hybrid(seed: int) -> Graph:
    """A network of neurons and activations, the same for ever; its image is that of all steps."""
    return _Hybrid(seed).build()
