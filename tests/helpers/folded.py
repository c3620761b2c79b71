"""Networks before their thresholds were folded, beside what became of them."""

from dataclasses import dataclass

from random_networks import random_network

from snncc.compiler.bit_widths import Bits, bits_by_layer
from snncc.compiler.driver import scales_of
from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.ir import Graph
from snncc.mfi.folds.proof import Scales, prove_folds
from snncc.mfi.folds.sites import FoldSite
from snncc.passes.pipeline import PassEvent, run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers

Layers = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Lowered:
    """The graph with offsets in its populations, the folded one, the program, and its units."""

    before: Graph
    spiking: Graph
    program: Graph
    scales: Scales
    bits: Bits

    def prove(self, program: Graph | None = None) -> tuple[FoldSite, ...]:
        return prove_folds(self.before, program or self.program, self.scales)


def lower(
    seed: int,
    bits: int = 8,
    gain: str = "shift-add",
    decay: str = "approximate",
    layers: Layers = (),
) -> Lowered:
    return lower_graph(random_network(seed), bits, gain, decay, layers)


def lower_graph(
    traced: Graph,
    bits: int = 8,
    gain: str = "shift-add",
    decay: str = "approximate",
    layers: Layers = (),
) -> Lowered:
    stages: dict[str, Graph] = {}

    def keep(event: PassEvent) -> None:
        stages[event.name] = event.graph

    spiking = run_passes(traced, spiking_passes(CompileOptions(gain=gain, decay=decay)), keep)
    every = bits_by_layer(spiking, bits, layers)
    lowering = LowerToIntegers(round_plainly(spiking, every), max(every.values()))
    before = stages["move_offsets_into_populations"]
    program = run_passes(spiking, [lowering])
    return Lowered(before, spiking, program, scales_of(lowering), every)
