"""Networks before their thresholds were folded, beside what became of them."""

from dataclasses import dataclass

from random_networks import random_network

from snncc.compile import CompileOptions, spiking_passes
from snncc.ir import Graph
from snncc.mfi.fold_sites import FoldSite
from snncc.mfi.folds import Scales, prove_folds
from snncc.passes.pipeline import PassEvent, run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers


@dataclass(frozen=True)
class Lowered:
    """The graph with offsets in its populations, the folded one, the program, and its units."""

    before: Graph
    spiking: Graph
    program: Graph
    scales: Scales

    def prove(self, program: Graph | None = None) -> tuple[FoldSite, ...]:
        return prove_folds(self.before, program or self.program, self.scales)


def lower(seed: int, bits: int = 8, gain: str = "shift-add", decay: str = "approximate") -> Lowered:
    return lower_graph(random_network(seed), bits, gain, decay)


def lower_graph(
    traced: Graph, bits: int = 8, gain: str = "shift-add", decay: str = "approximate"
) -> Lowered:
    stages: dict[str, Graph] = {}

    def keep(event: PassEvent) -> None:
        stages[event.name] = event.graph

    spiking = run_passes(traced, spiking_passes(CompileOptions(gain=gain, decay=decay)), keep)
    rounded = round_plainly(spiking, bits)
    lowering = LowerToIntegers(rounded, bits)
    units = {name: (unit.axes, unit.array) for name, unit in rounded.units.unit.items()}
    scales = Scales(units, rounded.units.exponent, lowering.fraction_bits)
    before = stages["move_offsets_into_populations"]
    return Lowered(before, spiking, run_passes(spiking, [lowering]), scales)
