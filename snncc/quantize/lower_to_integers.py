"""From the spiking dialect to the integer dialect, profile `exact`."""

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from snncc.diagnostics import SnnccError
from snncc.ir import SPIKING, TIME, Array, Graph, Kind, Node, Op, Param
from snncc.ir.arrays import narrow
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import LARGEST_UNIT, Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.neurons import Neuron
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.dialects.spiking import Affine, Opaque, Population, Readout
from snncc.ir.dialects.step_windows import mask_of
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.windows import Largest
from snncc.ir.op import WIDEST, TooWide
from snncc.meaning import Meaning
from snncc.passes.named import Named
from snncc.passes.pipeline import Note, PassResult
from snncc.passes.rewriter import Rewriter
from snncc.quantize.calibration import Rounded
from snncc.quantize.decays import is_near, with_decay
from snncc.quantize.lower_delays import lowered_delay
from snncc.quantize.lower_neurons import lower_neuron
from snncc.quantize.lower_thresholds import lowered_staircase
from snncc.quantize.unit_rules import are_shifts, output_axis
from snncc.quantize.whole_levels import (
    least_size,
    nearest,
    own_unit_where_silent,
    separate,
    whole_level,
)

LARGEST = 2**48
"""No constant is larger: float64 computed it, and membranes stay within 62 bits."""
OUT_OF_REACH = 2.0**40


class TooLarge(Exception):
    """A constant is beyond `LARGEST`, or not finite."""


@dataclass(frozen=True)
class LowerToIntegers:
    """Writes every number of the network as an integer of its unit.

    A projection's weights are integers of its grid, unit * 2^-exponent; its current then has
    `exponent` fractional bits. Sums shift all sources to the finest grid among them. Populations
    work with at least `fraction_bits` fractional bits. With hard reset a threshold K of the real
    membrane, in units, becomes ceil(K): an integer membrane decides alike (>=; floor for >).

    Attributes:
        rounded: units and integer weights.
        weight_bits: of the signed weights.
        exact: fractional bits of what shifts and poles give, which lose none; `run` fills it.
    """

    name: ClassVar[str] = "lower_to_integers"
    rounded: Rounded
    weight_bits: int
    exact: dict[str, int] = field(default_factory=dict[str, int], compare=False)

    @property
    def fraction_bits(self) -> int:
        """Below the weight grid, for biases and thresholds."""
        return max(4, 16 - self.weight_bits)

    @property
    def gain_bits(self) -> int:
        """Of a gain's mantissa."""
        return max(8, self.weight_bits + 4)

    def run(self, graph: Graph) -> PassResult:
        """Lowers a spiking graph without offsets.

        Raises:
            SnnccError: SNN033 for a constant that is too large.
        """
        lowering = Lowering(self, graph)
        lowering.lower_all(graph)
        return PassResult(lowering.rewriter.finish(), tuple(lowering.notes))


class Lowering:
    """Walks a spiking graph and appends integer nodes.

    Attributes:
        fraction: fractional bits of every current below its unit.
        read_out: steps of currents that only a readout reads, where they are no power of two.
    """

    profile: ClassVar[str] = "exact"

    def __init__(self, options: LowerToIntegers, graph: Graph) -> None:
        self.options = options
        self.units = options.rounded.units
        self.rewriter = Rewriter(graph, "integer", self.profile)
        self.fraction: dict[str, int] = {}
        self.read_out: dict[str, Named] = {}
        self.notes: list[Note] = []
        self.weights: dict[tuple[int, ...], list[tuple[Param, Array, NDArray[np.int64]]]] = {}

    def lower_all(self, graph: Graph) -> None:
        """Lowers every node.

        Raises:
            SnnccError: SNN033 for a number that 62 bits do not hold, SNN040 for an op that has no
                integer form.
        """
        for node in graph.nodes:
            try:
                self.lower(node)
            except TooLarge as error:
                why = f"constants have at most {LARGEST.bit_length() - 1} bits, for membranes of 62"
                help = "give fewer --weight-bits or fewer --steps"
                raise SnnccError("SNN033", str(error), node.loc, why, help) from error
            except TooWide as error:
                loc = node.loc
                help = "give fewer --weight-bits or fewer --steps"
                raise SnnccError("SNN033", f"{node.name}: {error}", loc, help=help) from error

    def lower(self, node: Node) -> None:
        at = Lowered(self, node, self.rewriter.inputs(node))
        self.rewriter.value[node.name] = LOWERED(at, node)

    def projection(self, node: Node, op: Contract | Convolve, source: str) -> str:
        weight = self.weight(op.weight, self.options.rounded.integers[node.name])
        result = self.rewriter.emit(node, replace(op, weight=weight), source)
        self.fraction[result] = self.units.exponent[node.name]
        return result

    def weight(self, like: Param, values: NDArray[np.int64]) -> Param:
        """Stores the integers of a weight; those of its copies are stored once."""
        real = self.rewriter.array(like)
        for stored, other, same in self.weights.get(values.shape, ()):
            if np.array_equal(values, same) and np.array_equal(real, other):
                return replace(stored, axes=like.axes)
        param = self.integers(like, values)
        if values.size > 1:
            self.weights.setdefault(values.shape, []).append((param, real, values))
        return param

    def gain(self, node: Node, op: Affine, source: str) -> str:
        """A real factor between two units as mantissa * 2^-shift, over the axes where it varies."""
        if are_shifts(op, self.rewriter.old.constants):
            return self.scaled_by_powers(node, op, source)
        scale = self.rewriter.named(op.scale, 1.0)
        before = self.units.unit[node.inputs[0]] * Named.scalar(2.0 ** -self.fraction[source])
        bits = self.options.fraction_bits
        after = self.units.unit[node.name] * Named.scalar(2.0**-bits)
        return self.multiplied(node, (scale * before / after).compact(), source, node.name)

    def scaled_by_powers(self, node: Node, op: Affine, source: str) -> str:
        """Factors +-2^k between two of the same unit: the least is 1, and nothing is lost."""
        scale = self.rewriter.named(op.scale, 1.0).compact()
        sizes = np.abs(scale.array)
        least = float(sizes[sizes > 0.0].min())
        param = self.integers(Param(f"{node.name}.gain", scale.axes), scale.array / least)
        result = self.rewriter.emit(node, Gain(param), source)
        self.lossless(node, result, self.fraction[source] - round(math.log2(least)))
        return result

    def lossless(self, node: Node, name: str, fraction: int) -> None:
        """Notes how many fractional bits a current has that no map or plain gain gives."""
        self.fraction[name] = self.options.exact[node.name] = fraction

    def rescaled(self, node: Node, source: str, step: Named) -> str:
        """A current that is counted in steps of a size, in the unit that its readers expect."""
        bits = self.options.fraction_bits
        after = self.units.unit[node.name] * Named.scalar(2.0**-bits)
        return self.multiplied(node, (step / after).compact(), source, f"{node.name}.gain")

    def multiplied(self, node: Node, factor: Named, source: str, name: str) -> str:
        """A current times a factor; the result has `fraction_bits` fractional bits."""
        largest = float(np.abs(factor.array).max(initial=0.0))
        reach = max(map(abs, self.rewriter.new[source].type.range or (0, 0)))
        gain_bits = min(self.options.gain_bits, WIDEST - 2 - reach.bit_length())
        shift = 0 if largest == 0.0 else gain_bits - 1 - math.floor(math.log2(largest))
        shift = max(0, shift)
        mantissa = np.round(factor.array * 2.0**shift)
        param = self.integers(Param(f"{node.name}.gain", factor.axes), mantissa)
        result = self.rewriter.emit(node, Gain(param, shift), source, name=name)
        self.fraction[result] = self.options.fraction_bits
        return result

    def aligned(self, node: Node, sources: tuple[str, ...]) -> str:
        finest = max(self.fraction[s] for s in sources)
        shifts = tuple(finest - self.fraction[s] for s in sources)
        result = self.rewriter.emit(node, Sum(shifts if any(shifts) else ()), *sources)
        self.fraction[result] = finest
        return result

    def raised(self, node: Node, source: str, bits: int) -> str:
        """The current with at least so many fractional bits."""
        if self.fraction[source] >= bits:
            return source
        shift = bits - self.fraction[source]
        result = self.rewriter.emit(node, Sum((shift,)), source, name=f"{source}.fine")
        self.fraction[result] = bits
        return result

    def population(self, node: Node, op: Population, source: str) -> str:
        current = self.raised(node, source, self.options.fraction_bits)
        threshold = self.rewriter.named(op.threshold, 0.0)
        bias = self.rewriter.named(op.bias, 0.0)
        polarity = self.rewriter.named(op.polarity, 1.0)
        unit = self.units.unit[node.inputs[0]] * Named.scalar(2.0 ** -self.fraction[current])
        polarity = self.without_tiny_gains(node, polarity, threshold / unit, current)
        unit = own_unit_where_silent(unit, polarity, threshold)
        level = threshold / unit
        whole = bias / unit
        own, bias = separate(whole, polarity, output_axis(self.rewriter.old[node.inputs[0]]))
        own = nearest(own)
        if not own.array.any():  # nothing to keep apart: the sum is rounded, and only once
            bias = whole
        soft = op.reset == "soft"
        rule = np.round if soft else np.ceil if op.compare == "ge" else np.floor
        axes = node.type.names
        exact = IntegerPopulation(
            threshold=self.field(node, "threshold", whole_level(level, rule), axes),
            bias=self.field(node, "bias", nearest(bias), axes) if bias.array.any() else None,
            polarity=(
                None
                if (polarity.array == 1.0).all()
                else self.field(node, "polarity", polarity, axes)
            ),
            reset=op.reset,
            compare=op.compare,
            rounding=Rounding.exact_for(op.compare),
            offset=self.field(node, "offset", own, axes) if own.array.any() else None,
        )
        context, input_type = self.rewriter.new.context, self.rewriter.new[current].type
        result, text = with_decay(exact, op.decay, input_type, context)
        if text:
            self.notes.append(Note(node.name, True, text, inexact=is_near(result, op.decay)))
        membrane = result.membrane_range(input_type, context)
        return self.rewriter.emit(node, replace(result, membrane=membrane), current)

    def without_tiny_gains(self, node: Node, polarity: Named, level: Named, current: str) -> Named:
        """Polarity 0 where the whole reach of a current is less than 2^-16 of the threshold.

        A folded BatchNorm with a gain next to 0 (weight decay makes such) puts its threshold that
        far away; beyond 2^40 it is dropped, with a note, as a gain of 0 is.
        """
        reach = max(map(abs, self.rewriter.new[current].type.range or (0, 0)))
        level = least_size(level)
        far = level.array > max(OUT_OF_REACH, reach * 2.0**16)
        if not far.any():
            return polarity
        text = f"{int(far.sum())} thresholds are out of its current's reach: their input is dropped"
        self.notes.append(Note(node.name, True, text))
        return polarity * Named(level.axes, np.where(far, 0.0, 1.0))

    def largest(self, node: Node, op: Largest, source: str) -> str:
        """Compares integers of one unit; an offset is rounded to the current's grid."""
        if node.type.kind is not Kind.CURRENT:
            return self.rewriter.emit(node, op, source)
        stored = None
        if op.offset is not None:
            unit = self.units.unit[node.inputs[0]] * Named.scalar(2.0 ** -self.fraction[source])
            names = self.rewriter.new[source].type.names
            rounded = nearest(self.rewriter.named(op.offset, 0.0) / unit)
            stored = self.field(node, "offset", rounded, names)
        result = self.rewriter.emit(node, replace(op, offset=stored), source)
        self.fraction[result] = self.fraction[source]
        return result

    def readout(self, node: Node, op: Readout, source: str) -> str:
        unit = self.units.unit[node.inputs[0]] * Named.scalar(2.0 ** -self.fraction[source])
        unit = self.read_out.get(node.inputs[0], unit)
        step = float(unit.array.reshape(-1)[0])
        if not 0.0 < step <= LARGEST_UNIT:
            raise SnnccError(
                "SNN033",
                f"{node.name}: one step of the answer would stand for {step:g}",
                node.loc,
                why="the network's last weights are so large, or so small, that its answers are "
                "not finite or all 0",
                help="look at the weights and norms before the answer",
            )
        offset = self.rewriter.named(op.offset, 0.0)
        stored = None
        if offset.array.any():
            rounded = nearest(offset / Named.scalar(step))
            stored = self.field(node, "offset", rounded, node.type.names)
        if op.window:
            mask = mask_of(op.window, self.rewriter.old.steps)
            gain = Gain(self.integers(Param(f"{node.name}.steps", (TIME,)), mask))
            source = self.rewriter.emit(node, gain, source, name=f"{node.name}.steps")
        return self.rewriter.emit(node, IntegerReadout(stored, step), source)

    def field(self, node: Node, what: str, value: Named, axes: tuple[str, ...]) -> Param:
        small = value.compact()
        order = tuple(n for n in axes if n in small.axes)
        param = Param(f"{node.name}.{what}", order)
        return self.integers(param, small.over(order))

    def integers(self, like: Param, values: Array) -> Param:
        """Stores integers in the smallest type that holds them.

        Raises:
            TooLarge: one is too large to be exact.
        """
        if not np.isfinite(values).all() or float(np.abs(values).max(initial=0.0)) > LARGEST:
            raise TooLarge(f"{like.name} holds a number beyond {LARGEST}")
        return self.rewriter.new.constant(like.name, narrow(values.astype(np.int64)), like.axes)


@dataclass(frozen=True)
class Lowered:
    """A node that becomes integer nodes, and the integer values that it reads."""

    lowering: Lowering
    node: Node
    sources: tuple[str, ...]


LOWERED: Meaning[Lowered, str] = Meaning("the lowering to integers", SPIKING)
"""Name of the integer value that a real one becomes."""


@LOWERED.of(Frames)
def frames(at: Lowered, op: Frames) -> str:
    return at.lowering.rewriter.emit(at.node, op, *at.sources)


LOWERED.of(Contract)(lambda at, op: at.lowering.projection(at.node, op, at.sources[0]))
LOWERED.of(Convolve)(lambda at, op: at.lowering.projection(at.node, op, at.sources[0]))
LOWERED.of(Delay)(lambda at, op: lowered_delay(at.lowering, at.node, op))
LOWERED.of(Affine)(lambda at, op: at.lowering.gain(at.node, op, at.sources[0]))
LOWERED.of(Readout)(lambda at, op: at.lowering.readout(at.node, op, at.sources[0]))


@LOWERED.of(Sum)
def added(at: Lowered, op: Sum) -> str:
    if at.node.type.kind is not Kind.CURRENT:
        return at.lowering.rewriter.emit(at.node, op, *at.sources)
    return at.lowering.aligned(at.node, at.sources)


@LOWERED.of(Concat)
def side_by_side(at: Lowered, op: Concat) -> str:
    lowering, sources = at.lowering, at.sources
    if at.node.type.kind is not Kind.CURRENT:
        return lowering.rewriter.emit(at.node, op, *sources)
    finest = max(lowering.fraction[s] for s in sources)
    sources = tuple(lowering.raised(at.node, s, finest) for s in sources)
    result = lowering.rewriter.emit(at.node, op, *sources)
    lowering.fraction[result] = finest
    return result


@LOWERED.each(Take, Gate, Product, SumAlong)
def as_it_is(at: Lowered, op: Op) -> str:
    """Spikes, or a current whose unit stays; of gate and product that is the second source."""
    result = at.lowering.rewriter.emit(at.node, op, *at.sources)
    if at.node.type.kind is Kind.CURRENT:
        at.lowering.fraction[result] = at.lowering.fraction[at.sources[-1]]
    return result


@LOWERED.of(Largest)
def largest(at: Lowered, op: Largest) -> str:
    return at.lowering.largest(at.node, op, at.sources[0])


@LOWERED.of(Population)
def population(at: Lowered, op: Population) -> str:
    return at.lowering.population(at.node, op, at.sources[0])


@LOWERED.of(MultiThreshold)
def staircase(at: Lowered, op: MultiThreshold) -> str:
    return lowered_staircase(at.lowering, at.node, op, at.sources[0])


@LOWERED.of(Neuron)
def neuron(at: Lowered, op: Neuron) -> str:
    return lower_neuron(at.lowering, at.node, op, at.sources[0])


LOWERED.refuses(
    Opaque,
    why="it stands for a function that no pass lowers",
    help="`snncc verify --model` names the function and what to do instead",
)
