"""What each op needs: the tables behind the verdict. An op without a rule has level none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from snncc.ir import Array, Graph, Kind, Node, Op
from snncc.ir.digits import set_bits
from snncc.ir.encodings import from_host
from snncc.ir.integer_ops import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.projections import Concat, Contract, Convolve, Pixels, Sum
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
Rule = Callable[[Graph, Node], Need]


def need_of(graph: Graph, node: Node) -> Need:
    """The need of a node by its dialect's table."""
    rule = TABLES.get(graph.dialect, {}).get(type(node.op))
    if rule is None:
        return Need(
            Level.NONE,
            UNKNOWN,
            reason=f"no rule says that {node.op.mnemonic} on real numbers needs less",
            help="compile the model: the verdict is about the integer program",
        )
    return rule(graph, node)


def digits_of(values: Array) -> Array:
    """Nonzero canonical signed digits of each integer: popcount(3n xor n)."""
    wide = np.abs(values.astype(np.int64))
    digits: Array = set_bits((wide + (wide << 1)) ^ wide)
    return digits


def _projection(graph: Graph, node: Node) -> Need:
    source = graph[node.inputs[0]].type.kind
    if source is Kind.SPIKE:
        return Need(Level.STRICT, ("select", "add"), reason="a spike selects the weights to add")
    if source is Kind.PIXEL and not from_host(graph, node.inputs[0]):
        return Need(
            Level.STRICT,
            ("select", "add", "shift"),
            reason="each bit of a pixel selects weights; the eight sums are shifted and added",
        )
    if source is Kind.PIXEL:
        return Need(Level.STRICT, (), reason="computed by the host, outside the program")
    return Need(
        Level.NONE,
        ("multiply",),
        reason=f"weights meet {source.value}s, not bits",
        help="put a spiking neuron before it",
    )


def _moved(_graph: Graph, _node: Node) -> Need:
    return Need(Level.STRICT, (), reason="no arithmetic")


def _sum(graph: Graph, node: Node) -> Need:
    op = node.op
    shifts = isinstance(op, Sum) and any(op.shifts)
    return Need(Level.STRICT, ("add", "shift") if shifts else ("add",), reason="currents are added")


def _gain(graph: Graph, node: Node) -> Need:
    if not isinstance(node.op, Gain):
        raise TypeError(node.op.mnemonic)
    digits = digits_of(graph.constants[node.op.mantissa.name])
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


def _population(graph: Graph, node: Node) -> Need:
    op = node.op
    if not isinstance(op, IntegerPopulation):
        raise TypeError(op.mnemonic)
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


def _readout(graph: Graph, node: Node) -> Need:
    return Need(Level.STRICT, ("add",), reason="integers are summed over time")


INTEGER_RULES: Mapping[type[Op], Rule] = {
    Pixels: _moved,
    Contract: _projection,
    Convolve: _projection,
    Concat: _moved,
    Sum: _sum,
    Gain: _gain,
    IntegerPopulation: _population,
    IntegerReadout: _readout,
}
TABLES: Mapping[str, Mapping[type[Op], Rule]] = {"integer": INTEGER_RULES}
