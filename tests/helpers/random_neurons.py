"""Random neurons of the general form: every field, dyadic and not, some by neuron."""

from dataclasses import replace
from typing import Any

import numpy as np
from neuron_models import Model

from snncc.ir import Graph
from snncc.ir.dialects.neurons import Fire, Neuron, State

LEAKS = (0.0, 0.25, 0.5, 0.75, 1.0, 0.9, 0.3)
COUPLINGS = (1.0, 0.5, -0.5, 0.7, -1.0)


def random_model(seed: int) -> Model:
    """One to three states; some never fire."""
    rng = np.random.default_rng(seed)

    def some(chance: float, value: Any, other: Any) -> Any:
        return value() if rng.random() < chance else other

    def level() -> float:
        return float(rng.integers(-20, 21))

    def coupling() -> float:
        return float(rng.choice(COUPLINGS))

    n = int(rng.integers(1, 4))
    fires = seed % 5 != 4
    states: list[State] = []
    for i in range(n):
        others = [j for j in range(n) if j != i]
        own = State(
            leak=float(rng.choice(LEAKS)),
            gain=1.0 if i == 0 else some(0.4, coupling, 0.0),
            bias=some(0.3, level, 0.0),
            reads={j: coupling() for j in others if rng.random() < (0.9 if j < i else 0.2)},
            floor=some(0.15, lambda: float(rng.integers(-60, 1)), None),
            low=some(0.2, lambda: float(rng.integers(-60, 1)), None),
            start=some(0.3, level, 0.0),
        )
        if fires:
            own = replace(
                own,
                late=some(0.3, level, 0.0),
                swallow=bool(rng.random() < 0.2),
                keep=float(rng.choice((0.0, 1.0, 1.0, 0.5))),
                amount=some(0.5, lambda: abs(level()) * 2, 0.0),
                takes={j: coupling() for j in range(n) if rng.random() < 0.15},
            )
        states.append(own)
    form = {n - 1: 1.0} | {j: coupling() for j in range(n - 1) if rng.random() < 0.3}
    compare = "gt" if rng.random() < 0.5 else "ge"
    fire = Fire(float(rng.integers(5, 60)), compare) if fires else None
    return Model(tuple(states), form, fire, "", strict=False)


def counting_model(seed: int) -> Model:
    """A random neuron that fires several times a step, or with a sign, or whose states are read."""
    rng = np.random.default_rng(seed)
    plain = random_model(5 * seed)
    assert plain.fire is not None
    compare = str(rng.choice(("ge", "gt", "even")))
    most = int(rng.choice((0, 1, 2, 3, 7)))
    level = float(plain.fire.threshold)  # type: ignore[arg-type]
    fire = Fire(
        level,
        compare,
        most,
        None if most == 1 else float(rng.integers(3, 30)),
        float(rng.integers(-60, 1)) if rng.random() < 0.5 else None,
    )
    high = float(rng.integers(0, 60)) if rng.random() < 0.4 else None
    states = [replace(plain.states[0], high=high, leak=min(plain.states[0].leak, 0.75))]
    states += plain.states[1:]
    read = {len(states) - 1: 1.0, 0: 0.5} if rng.random() < 0.3 else None
    return replace(plain, states=tuple(states), fire=fire, read=read)


def by_neuron(graph: Graph, seed: int) -> Graph:
    """The same network; some of the neurons' constants differ from neuron to neuron."""
    rng = np.random.default_rng(seed)
    node = graph["n"]
    op, wide = node.op, node.type.size("f")
    assert isinstance(op, Neuron)
    constants, changed = dict(graph.constants), dict[str, Any]()
    for what in ("leak", "bias", "amount", "threshold", "late", "start"):
        param = getattr(op, what)
        if param is None or rng.random() < 0.5:
            continue
        factor = rng.choice([0.5, 1.0, 1.0], wide)
        constants[param.name] = constants[param.name][..., None] * factor
        changed[what] = replace(param, axes=(*param.axes, "f"))
    nodes = tuple(replace(n, op=replace(op, **changed)) if n is node else n for n in graph.nodes)
    return replace(graph, nodes=nodes, constants=constants)
