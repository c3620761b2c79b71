"""Random programs with weights of 8 bits, each made once a process: graphs cannot be changed."""

from functools import cache

from random_networks import random_network

from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.ir import Graph
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers

PIXELS_AS_THEY_ARE = ((0.0,), (1.0 / 255.0,))
"""A normalisation that undoes the division by 255."""


def lowered(seed: int, gain: str = "shift-add") -> Graph:
    """The program of a random network that reads pixels as they are."""
    return _lowered(seed, CompileOptions(normalize=PIXELS_AS_THEY_ARE, gain=gain))


def lowered_from_unit_pixels(
    seed: int, gain: str = "shift-add", decay: str = "approximate"
) -> Graph:
    """The program of a random network that reads pixels between 0 and 1."""
    return _lowered(seed, CompileOptions(gain=gain, decay=decay))


@cache
def _lowered(seed: int, options: CompileOptions) -> Graph:
    spiking = run_passes(random_network(seed), spiking_passes(options))
    return run_passes(spiking, [LowerToIntegers(round_plainly(spiking, 8), 8)])
