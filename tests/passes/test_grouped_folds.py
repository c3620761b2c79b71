"""BatchNorm before and behind convolutions in groups: each input channel keeps its own scale."""

import numpy as np
import pytest
from generators.networks import network
from random_networks import random_images
from test_random_networks import RAW, folded

from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.ir import Graph, GraphBuilder
from snncc.ir.dialects import traced as ops
from snncc.ir.dialects.projections import Convolve
from snncc.passes.pipeline import run_passes


def norm_before_groups(groups: int, outputs: int) -> tuple[Graph, np.ndarray]:
    """Spikes of 4 channels, scaled 1, 2, 4, 8, into a 1x1 convolution; and its weight."""
    b = GraphBuilder("traced", 2)
    image = b.add(ops.Input(("t", "c", "h", "w"), (2, 4, 2, 2)), name="input")
    spikes = b.add(ops.Lif(), [image])

    def over_channels(*values: float) -> ops.Param:
        return b.constant("k", np.array(values), ("c",))

    norm = ops.BatchNorm(
        over_channels(0, 0, 0, 0), over_channels(1, 1, 1, 1), over_channels(1, 2, 4, 8), None, 0.0
    )
    scaled = b.add(norm, [spikes])
    weight = np.arange(1.0, 1.0 + outputs * (4 // groups)).reshape(outputs, 4 // groups, 1, 1)
    param = b.constant("w", weight, ("o", "i", "kh", "kw"))
    conv = ops.Conv(param, "c", "h", "w", "c", "h", "w", groups=groups)
    fire = b.add(ops.Lif(), [b.add(conv, [scaled])])
    head = b.constant("head", np.ones((1, outputs)), ("k", "c"))
    answer = b.add(ops.Linear(head, ("c",), ("k",)), [b.add(ops.Mean(("h", "w")), [fire])])
    return b.finish(answer), weight


@pytest.mark.parametrize(("groups", "outputs"), [(1, 2), (2, 4), (2, 6), (4, 4), (4, 8)])
def test_a_scale_before_groups_goes_to_the_channels_of_each_group(
    groups: int, outputs: int
) -> None:
    graph, weight = norm_before_groups(groups, outputs)
    options = CompileOptions(normalize=((0.0,), (1.0,)), gain="unshared")
    spiking = run_passes(graph, spiking_passes(options)[:2])
    (node,) = spiking.select(Convolve)
    assert isinstance(node.op, Convolve)
    got = spiking.constants[node.op.weight.name]
    inputs = 4 // groups
    for o in range(outputs):
        first = o // (outputs // groups) * inputs
        for i in range(inputs):
            assert got[o, i, 0, 0] == weight[o, i, 0, 0] * 2.0 ** (first + i), (o, i)


@pytest.mark.parametrize("start", range(0, 48, 8))
def test_every_pass_keeps_every_spike_of_networks_with_groups_and_joins(start: int) -> None:
    """Of networks that have a program; what the compiler refuses it names."""
    kept = 0
    for seed in range(start, start + 8):
        graph = network(seed)
        gain = "unshared" if seed % 2 else "shift-add"
        options = CompileOptions(normalize=RAW.normalize, gain=gain)
        try:
            folded(graph, random_images(graph, seed, 3), options)
        except Exception as error:
            if getattr(error, "code", "") != "SNN030":
                raise
            continue
        kept += 1
    assert kept >= 5
