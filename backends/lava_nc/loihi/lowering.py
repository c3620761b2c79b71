"""From the spiking dialect to the integer dialect, profile `loihi-lava`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snncc.backends.lava_nc.loihi.units import LoihiUnits
from snncc.backends.lava_nc.registers import CURRENT_SHIFT, DECAY_BITS, PROFILE, on_bias_grid
from snncc.diagnostics import SnnccError
from snncc.ir import Graph, Node, Param
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.projections import Sum
from snncc.ir.dialects.spiking import Population
from snncc.passes.named import Named
from snncc.passes.pipeline import Note, PassResult
from snncc.quantize.calibration import Rounded
from snncc.quantize.lower_to_integers import Lowering, LowerToIntegers
from snncc.quantize.whole_levels import whole_level


@dataclass(frozen=True)
class LowerToLoihi:
    """Writes every number as what Lava's Dense, Sparse and LIF hold.

    A population's current is a sum of projections, shifted by 6 + weight_exp. Its threshold is
    vth << 6 and it fires above it; its leak keeps (4096 - dv) / 4096, rounded toward zero; biases
    are 13 bits times a power of two. Populations that cannot be written so are lowered as they
    are: `check_limits` of the backend then names all of them.

    Attributes:
        rounded: integers, with units from `choose_loihi_units`.
    """

    name: ClassVar[str] = "lower_to_loihi"
    rounded: Rounded
    fraction_bits: ClassVar[int] = 0
    exact: ClassVar[Mapping[str, int]] = {}

    def run(self, graph: Graph) -> PassResult:
        """Lowers a spiking graph without offsets, in which no two populations share a current.

        Raises:
            SnnccError: SNN033 for a constant that is too large.
        """
        units = self.rounded.units
        if not isinstance(units, LoihiUnits):
            raise TypeError("units of another profile")
        lowering = _Lowering(LowerToIntegers(self.rounded, 8), graph, units.extra)
        lowering.lower_all(graph)
        return PassResult(lowering.rewriter.finish(), tuple(lowering.notes))


class _Lowering(Lowering):
    profile: ClassVar[str] = PROFILE

    def __init__(self, options: LowerToIntegers, graph: Graph, extra: Mapping[str, int]) -> None:
        super().__init__(options, graph)
        self.extra = extra

    def population(self, node: Node, op: Population, source: str) -> str:
        current = self.shifted(node, source, CURRENT_SHIFT + self.extra[node.name])
        unit = self.units.unit[node.inputs[0]] * Named.scalar(2.0 ** -self.fraction[current])
        level = self.rewriter.named(op.threshold, 0.0) / unit
        ge = op.compare == "ge"
        below = whole_level(level, np.ceil if ge else np.floor).array - (1 if ge else 0)
        threshold = Named(level.axes, np.floor(below / 2.0**CURRENT_SHIFT) * 2.0**CURRENT_SHIFT)
        bias = self.rewriter.named(op.bias, 0.0) / unit
        factor = round(op.decay * 2**DECAY_BITS)
        if factor != op.decay * 2**DECAY_BITS:
            away = abs(factor / 2**DECAY_BITS - op.decay)
            text = f"decay {op.decay:.6g} is {factor}/2^{DECAY_BITS}, {away:.2g} away"
            self.notes.append(Note(node.name, True, text))
        axes = node.type.names
        polarity = None if op.polarity is None else self.rewriter.named(op.polarity, 1.0)
        lowered = IntegerPopulation(
            threshold=self.field(node, "threshold", threshold, axes),
            bias=self.bias(node, bias, axes) if bias.array.any() else None,
            polarity=None if polarity is None else self.field(node, "polarity", polarity, axes),
            decay=(factor, DECAY_BITS),
            reset=op.reset,
            compare="gt",
            rounding=Rounding.TO_ZERO,
        )
        context, source_type = self.rewriter.new.context, self.rewriter.new[current].type
        reached = lowered.membrane_range(source_type, context)
        return self.rewriter.emit(node, replace(lowered, membrane=reached), current)

    def bias(self, node: Node, bias: Named, axes: tuple[str, ...]) -> Param:
        if not float(np.abs(bias.array).max()) < 2.0**48:
            raise SnnccError("SNN033", f"{node.name} has a bias beyond 2^48 steps")
        whole = on_bias_grid(np.rint(bias.array).astype(np.int64))
        return self.field(node, "bias", Named(bias.axes, whole.astype(np.float64)), axes)

    def shifted(self, node: Node, source: str, bits: int) -> str:
        """The current on a grid finer by so many bits: one sum, in place of a sum of a sum."""
        new, old = self.rewriter.new[source], self.rewriter.old[node.inputs[0]]
        if isinstance(new.op, Sum):
            fine = Sum(tuple(shift + bits for _, shift in new.op.terms(new.inputs)))
            result = self.rewriter.emit(old, fine, *new.inputs)
        else:
            result = self.rewriter.emit(old, Sum((bits,)), source, name=f"{source}.fine")
        self.fraction[result] = self.fraction[source] + bits
        return result
