"""A small program that numbers of any domain enter, once or a frame for every step."""

from dataclasses import replace

import numpy as np
import pytest

from snncc.ir import Graph, GraphBuilder, verify
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames

DOMAINS = [(0, 1), (0, 3), (0, 15), (0, 100), (0, 255), (-1, 1), (-8, 7), (-128, 127), (-1, 0)]
each_domain = pytest.mark.parametrize("domain", DOMAINS, ids=lambda d: f"{d[0]}..{d[1]}")
each_form = pytest.mark.parametrize("timed", [False, True], ids=["image", "frames"])


def small(domain: tuple[int, int], timed: bool = False, profile: str = "exact") -> Graph:
    """Three numbers, two neurons of which one is opposed to the other, one answer; T = 2."""
    b = GraphBuilder("integer", 2, profile)
    axes, shape = (("f", "t"), (3, 2)) if timed else (("f",), (3,))
    image = b.add(Frames(axes, shape, domain=domain), (), (), "image")
    weight = b.constant("w", np.array([[1, 2, -3], [-127, 127, -128]], np.int8), ("n", "f"))
    current = b.add(Contract(weight, ("f",), ("n",)), [image], (), "current")
    op = IntegerPopulation(b.constant("k", np.array([3, 100]), ("n",)), decay=(1, 1))
    op = replace(op, membrane=op.membrane_range(b[current].type, b.context))
    spikes = b.add(op, [current], (), "spikes")
    head = b.constant("h", np.array([[1, -1]], np.int8), ("k", "n"))
    answer = b.add(Contract(head, ("n",), ("k",)), [spikes], (), "answer")
    graph = b.finish(b.add(IntegerReadout(), [answer], (), "readout"))
    verify(graph)
    return graph
