"""Small integer programs by hand: paths of different length, odd names, single numbers."""

from dataclasses import replace

import numpy as np

from snncc.ir import Graph, GraphBuilder, Param, verify
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames, Sum

STEPS = 3


def population(b: GraphBuilder, source: str, name: str, threshold: int = 4) -> str:
    value = b.constant(f"{name}.threshold", np.array(threshold))
    op = IntegerPopulation(value)
    op = replace(op, membrane=op.membrane_range(b[source].type, b.context))
    return b.add(op, (source,), (), name)


def weights(b: GraphBuilder, seed: int, *axes: str) -> Param:
    return b.constant("w", np.random.default_rng(seed).integers(-3, 6, [4] * len(axes)), axes)


def three_paths(encoding: str = "bit-planes") -> Graph:
    """A current h that meets a path of one more projection, and then one of two more."""
    b = GraphBuilder("integer", STEPS, "exact")
    image = b.add(Frames(("p",), (4,), encoding), (), (), "image")
    h = b.add(Contract(weights(b, 1, "c", "p"), ("p",), ("c",)), (image,), (), "h")
    first = population(b, h, "first", 300)
    tok = b.add(Contract(weights(b, 2, "c", "c"), ("c",), ("c",)), (first,), (), "tok")
    second = population(b, b.add(Sum((0, 6)), (h, tok), (), "h+tok"), "second", 300)
    ch = b.add(Contract(weights(b, 3, "c", "c"), ("c",), ("c",)), (second,), (), "ch")
    third = population(b, b.add(Sum((0, 6, 6)), (h, tok, ch), (), "all"), "third", 300)
    y = b.add(Contract(weights(b, 4, "k", "c"), ("c",), ("k",)), (third,), (), "head")
    graph = b.finish(b.add(IntegerReadout(), (y,), (), "readout"))
    verify(graph)
    return graph


def varied_images(count: int) -> np.ndarray:
    return np.random.default_rng(9).integers(0, 256, (count, 4)).astype(np.uint8)


def odd_names() -> Graph:
    """Names that are no identifiers, that clash as such, and that the bundle uses itself."""
    names = ["block.0.class", "block.0.class_", "a b", "1st", "Ünicode", "window", "STEPS", "x'\"y"]
    names += ["blockA.0.n", "blockA.0.m", "block_a.0.n", "block_a.0.m", "block a.0.n", "tail\\"]
    b = GraphBuilder("integer", STEPS, "exact")
    image = b.add(Frames(("p",), (4,)), (), (), "run")
    current = b.add(Contract(weights(b, 0, "c", "p"), ("p",), ("c",)), (image,), (), "net")
    for i, name in enumerate(names):
        spikes = population(b, current, name, 5 if i else 300)
        dense = Contract(weights(b, i, "c", "c"), ("c",), ("c",))
        current = b.add(dense, (spikes,), (), f"{name}.w")
    return b.finish(b.add(IntegerReadout(), (current,), (), "answers"))


def one_number(encoding: str = "bit-planes") -> Graph:
    """Populations of one neuron, over no axis but time."""
    b = GraphBuilder("integer", STEPS, "exact")
    image = b.add(Frames(("p",), (4,), encoding), (), (), "image")
    one = b.add(Contract(weights(b, 1, "p"), ("p",), ()), (image,), (), "one")
    first = population(b, one, "first", 300)
    again = b.add(Contract(weights(b, 3), (), ()), (first,), (), "again")
    second = population(b, b.add(Sum((0, 7)), (one, again), (), "both"), "second", 300)
    y = b.add(Contract(weights(b, 2, "k"), (), ("k",)), (second,), (), "head")
    graph = b.finish(b.add(IntegerReadout(), (y,), (), "readout"))
    verify(graph)
    return graph


def by_hand() -> list[tuple[str, Graph, np.ndarray]]:
    """Name, program and images of all of these."""
    found = [("odd names", odd_names())]
    for encoding in ("bit-planes", "host"):
        found.append((f"three paths {encoding}", three_paths(encoding)))
        found.append((f"one number {encoding}", one_number(encoding)))
    return [(name, graph, varied_images(5)) for name, graph in found]
