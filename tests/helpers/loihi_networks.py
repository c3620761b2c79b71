"""Random networks lowered to the profile `loihi-lava`."""

from collections.abc import Iterator

import numpy as np
from random_networks import random_images, random_network

from snncc.backends.lava_nc import registers
from snncc.backends.lava_nc.loihi.limits import loihi_findings
from snncc.backends.lava_nc.loihi.lowering import LowerToLoihi
from snncc.backends.lava_nc.loihi.units import choose_loihi_units
from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.ir import Graph
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly

SCALE = ((0.0,), (1.0 / 255.0,))


def spiking(seed: int, encoding: str = "bit-planes") -> Graph:
    """The real network, with all that differs between neurons in its weights."""
    options = CompileOptions(normalize=SCALE, profile=registers.PROFILE, encoding=encoding)
    return run_passes(random_network(seed), spiking_passes(options))


def lowered(seed: int, encoding: str = "bit-planes") -> Graph:
    """The integer program, whether it fits Lava's processes or not."""
    real = spiking(seed, encoding)
    return run_passes(real, [LowerToLoihi(round_plainly(real, 8, choose_loihi_units))])


def that_fit(
    start: int, count: int, batch: int, encoding: str = "bit-planes"
) -> Iterator[tuple[int, Graph, np.ndarray]]:
    """The first `count` random networks from a seed on that fit, with images."""
    seed = start
    while count:
        graph = lowered(seed, encoding)
        if not loihi_findings(graph):
            yield seed, graph, random_images(random_network(seed), seed, batch)
            count -= 1
        seed += 1
