"""What each op of an integer program needs: the table behind the verdict.

An op that is none of the dialect has level none: nothing says that it needs less.
"""

from dataclasses import dataclass

import numpy as np

from snncc.ir import INTEGER, Array, Graph, Kind, Node, Op, ValueType
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.windows import Largest
from snncc.ir.digits import set_bits
from snncc.ir.encodings import from_host
from snncc.meaning import Meaning
from snncc.mfi.ladder import Level


@dataclass(frozen=True)
class Need:
    """What one op needs.

    Attributes:
        level: on the ladder.
        arithmetic: the operations, in words of the ladder.
        adders: additions beyond the first that constants cost, for each element, at most.
        reason: why it is at this level.
        help: what the user can do to lower it, "" when nothing needs to.
        rewrite: what compiling has to do so that this level holds, "" when it holds as written.
    """

    level: Level
    arithmetic: tuple[str, ...]
    adders: int = 0
    reason: str = ""
    help: str = ""
    rewrite: str = ""

    @property
    def judged(self) -> bool:
        """Whether anything is known about the arithmetic; what is not known has level none."""
        return self.arithmetic != UNKNOWN


UNKNOWN = ("unknown",)


@dataclass(frozen=True)
class At:
    """A node of an integer program whose need is asked for."""

    graph: Graph
    node: Node


NEED: Meaning[At, Need] = Meaning("the verdict on integer programs", INTEGER)


def need_of(graph: Graph, node: Node) -> Need:
    """The need of a node of an integer program, or of an op that is none of its dialect.

    Raises:
        SnnccError: SNN040 for an op of the integer dialect that has no rule.
    """
    if graph.dialect != INTEGER.name or not INTEGER.has(node.op):
        return Need(
            Level.NONE,
            UNKNOWN,
            reason=f"no rule says that {node.op.mnemonic} on real numbers needs less",
            help="compile the model: the verdict is about the integer program",
        )
    return NEED(At(graph, node), node)


def digits_of(values: Array) -> Array:
    """Nonzero canonical signed digits of each integer: popcount(3n xor n)."""
    wide = np.abs(values.astype(np.int64))
    digits: Array = set_bits((wide + (wide << 1)) ^ wide)
    return digits


@NEED.each(Frames, Concat, Take)
def moved(at: At, op: Op) -> Need:
    return Need(Level.STRICT, (), reason="no arithmetic")


NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight")


def _by_planes(source: ValueType) -> Need:
    """A count is read bit by bit."""
    last, negative = source.planes[-1]
    arithmetic = ("select", "add", *(("subtract",) if negative else ()), *(("shift",) * (last > 0)))
    number = NUMBERS[last] if last < len(NUMBERS) else last + 1
    sums = f"the {number} sums are shifted and added"
    sums += ", that of the sign bit subtracted" if negative else ""
    reason = f"each bit of a {source.word} selects weights; {sums if last else 'they are added'}"
    return Need(Level.STRICT, arithmetic, reason=reason)


@NEED.each(Contract, Convolve)
def projection(at: At, op: Op) -> Need:
    graph, node = at.graph, at.node
    source = graph[node.inputs[0]].type
    if from_host(graph, node.inputs[0]):
        return Need(Level.STRICT, (), reason="computed by the host, outside the program")
    if source.kind is Kind.SPIKE:
        return Need(Level.STRICT, ("select", "add"), reason="a spike selects the weights to add")
    if source.planes:
        return _by_planes(source)
    return Need(
        Level.NONE,
        ("multiply",),
        reason=f"weights meet {source.kind.value}s, not bits",
        help="put a spiking neuron before it",
    )


@NEED.of(Sum)
def total(at: At, op: Sum) -> Need:
    if at.node.type.kind is Kind.COUNT:
        return Need(Level.STRICT, ("add",), reason="spikes and counts are added")
    arithmetic = ("add", "shift") if any(op.shifts) else ("add",)
    return Need(Level.STRICT, arithmetic, reason="currents are added")


@NEED.of(SumAlong)
def total_along(at: At, op: SumAlong) -> Need:
    return Need(Level.STRICT, ("add",), reason="currents are added along an axis")


@NEED.of(Gate)
def gate(at: At, op: Gate) -> Need:
    if at.node.type.kind is Kind.SPIKE:
        reason = "AND NOT of spikes" if op.inverted else "AND of spikes"
        return Need(Level.STRICT, ("logic",), reason=reason)
    what = at.node.type.kind.value
    return Need(Level.STRICT, ("select",), reason=f"a spike selects the {what} or 0")


@NEED.of(Product)
def product(at: At, op: Product) -> Need:
    what = at.graph[at.node.inputs[1]].type.kind
    if what is Kind.SPIKE:
        reason = "AND NOT of spikes" if op.inverted else "AND of spikes"
        return Need(Level.STRICT, ("logic", "add"), reason=f"{reason}, counted")
    reason = f"a spike selects the {what.value}s that are added"
    return Need(Level.STRICT, ("select", "add"), reason=reason)


@NEED.of(Largest)
def largest(at: At, op: Largest) -> Need:
    if at.node.type.kind is Kind.SPIKE:
        return Need(Level.STRICT, ("logic",), reason="the largest of spikes is their OR")
    basic = ("compare", "select")
    arithmetic = basic if op.offset is None else ("add", *basic)
    reason = f"{at.node.type.kind.value}s are compared, the largest is kept"
    return Need(Level.STRICT, arithmetic, reason=reason)


@NEED.of(MultiThreshold)
def staircase(at: At, op: MultiThreshold) -> Need:
    reason = f"a current is compared with {_shown(op.levels(at.graph.context), 'threshold')}"
    return Need(Level.STRICT, ("compare", "add"), reason=f"{reason}, those passed are counted")


def _shown(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


@NEED.of(Delay)
def delay(at: At, op: Delay) -> Need:
    return Need(Level.STRICT, (), reason="a register: it holds what was")


@NEED.of(Gain)
def gain(at: At, op: Gain) -> Need:
    digits = digits_of(at.graph.constants[op.mantissa.name])
    most = int(digits.max(initial=0))
    if most <= 1:
        return Need(Level.STRICT, ("shift",), reason="every gain is a power of two or 0")
    return Need(
        Level.SHIFT_ADD,
        ("shift", "add"),
        adders=most - 1,
        reason="a BatchNorm over tokens that meets other currents scales the accumulated integer "
        f"by constants of up to {most} signed powers of two",
        help="--gain unshared stores scaled weights for every token instead (strict)",
    )


@NEED.of(IntegerPopulation)
def population(at: At, op: IntegerPopulation) -> Need:
    basic = ("add", "compare", "select")
    factor, shift = op.decay
    digits = int(digits_of(np.array([factor]))[0])
    if digits <= 1:
        arithmetic = ("shift", *basic) if shift else basic
        return Need(Level.STRICT, arithmetic, reason="the leak is a shift")
    return Need(
        Level.SHIFT_ADD,
        ("shift", *basic),
        adders=digits - 1,
        reason=f"the leak {factor}/2^{shift} is {digits} shifted additions",
        help="tau = 2 (or 1, 4/3, 8/7, ...) makes the leak one shift",
    )


@NEED.of(IntegerNeuron)
def states(at: At, op: IntegerNeuron) -> Need:
    fires = op.threshold is not None or op.has_floor or op.has_low or op.has_high
    arithmetic = ("shift", "add", *(("compare", "select") if fires else ()))
    params = (op.leak, op.gain, op.form, op.reads, op.keep, op.takes, op.read)
    constants = at.graph.constants
    most = max(int(digits_of(constants[p.name]).max()) for p in params if p is not None)
    if most <= 1:
        reason = "every leak and coupling of its states is a shift"
        return Need(Level.STRICT, arithmetic, reason=reason)
    return Need(
        Level.SHIFT_ADD,
        arithmetic,
        adders=most - 1,
        reason=f"a leak or coupling of its states is {most} shifted additions",
        help="leaks of 1/2 or 1/4 are one shift",
    )


@NEED.of(IntegerReadout)
def readout(at: At, op: IntegerReadout) -> Need:
    return Need(Level.STRICT, ("add",), reason="integers are summed over time")
