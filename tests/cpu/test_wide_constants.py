"""Constants of neurons beside the widest that a program may hold: plans are right, and found so."""

from dataclasses import replace

import numpy as np
import pytest
from executions import images_of, populations, with_neurons
from programs import lowered

from snncc.backends.cpu.checking import check_plan
from snncc.backends.cpu.plan.encoding import plan_units
from snncc.ir import Graph, Param, params_of, verify
from snncc.ir.op import WIDEST
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator


def with_threshold(graph: Graph, name: str, threshold: int) -> Graph:
    """The program with one threshold for all neurons of a population."""
    graph = replace(graph, constants={**graph.constants, "wide": np.array(threshold, np.int64)})
    graph = with_neurons(graph, name, threshold=Param("wide", ()))
    used = {param.name for node in graph.nodes for param in params_of(node.op)}
    graph = replace(graph, constants={k: v for k, v in graph.constants.items() if k in used})
    verify(graph)
    return graph


@pytest.mark.parametrize("bits", [31, 32, 33, 59, 60, WIDEST - 1])
def test_a_threshold_of_so_many_bits(bits: int) -> None:
    checked = 0
    for seed in range(6):
        graph, images = lowered(seed), images_of(seed)[:4]
        name = populations(graph)[0]
        wide = with_threshold(graph, name, (1 << bits) - 1)
        assert check_plan(wide, plan_units(wide, wide.steps)) == ()
        a, b = interpret(wide, images, ALL), Simulator(wide).run(images, ALL)
        assert np.array_equal(a.readout, b.readout)
        for key in a.spikes:
            assert np.array_equal(a.spikes[key], b.spikes[key])
            assert np.array_equal(a.membranes[key], b.membranes[key])
        checked += not a.spikes[name].any()
    assert checked == 6
