"""What WIDEN, FIRE_WIDE and MASK do: linear systems, sums of 64 bits, gates.

A row is read as the equation that the kernel computes from it, and that is held against the
program's, constant by constant. What its sums can reach is added up anew, from the declared
intervals of the states and from what is read.
"""

from dataclasses import dataclass

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.arrangement import Arrangement
from snncc.backends.cpu.checking.decoding import Block, Row, row
from snncc.backends.cpu.checking.exact import INT64, Ints, largest
from snncc.backends.cpu.checking.meaning import Value, names_of, placed
from snncc.backends.cpu.checking.neurons import arranged
from snncc.backends.cpu.checking.shadow import Numbers, Shadow
from snncc.backends.cpu.checking.wrong import Wrong, require
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.ir import TIME, Graph, Node, Param
from snncc.ir.dialects.integer import Gain
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.projections import Sum

ABSENT = (
    *("threshold", "late", "keep", "amount", "takes", "start", "floor", "low", "swallow"),
    *("has_floor", "has_low", "step", "below", "read", "high", "has_high", "reset_shift"),
)
"""Fields of neurons that no linear system has."""


@dataclass(frozen=True)
class Expected:
    """What is added next: a node's value, made of what it reads, shifted left."""

    node: str
    source: str
    shift: int


def terms_of(graph: Graph, plan: UnitPlan, name: str, shift: int = 0) -> list[Expected]:
    """A current taken apart: what lies in memory is read, sums are followed."""
    node = graph[name]
    if name in plan.values:
        return [Expected(name, name, shift)]
    if isinstance(node.op, Sum):
        parts = node.op.terms(node.inputs)
        return [each for n, own in parts for each in terms_of(graph, plan, n, shift + own)]
    if isinstance(node.op, Gain | IntegerNeuron):
        return [Expected(name, node.inputs[0], shift)]
    raise Wrong(f"{name} lies nowhere, and is no part of a sum of 64 bits")


@dataclass(frozen=True)
class LinearCheck:
    """One row of a plan's linear systems.

    Attributes:
        graph: the program.
        node: what the row stands for.
        linear: the row.
        constants: the plan's.
        block: likewise.
        lay: rows and lanes of the unit.
        current: what is read.
    """

    graph: Graph
    node: Node
    linear: Row
    constants: list[Row]
    block: Block
    lay: Arrangement
    current: Value

    def run(self, plain: bool) -> None:
        """Holds it against a current as it is, a gain, or neurons."""
        shift, post = self.linear[f.L_SHIFT], self.linear[f.L_POST]
        require(0 <= shift < 62 and 0 <= post < 62, "it shifts by more than a register has")
        gain = self.linear[f.L_GAIN]
        require(0 <= gain < 62, "it shifts by more than a register has")
        reach = max(largest(self.current.low), largest(self.current.high)) << gain
        if plain or isinstance(self.node.op, Gain):
            self._gain(reach, None if plain else self.node)
        elif isinstance(self.node.op, IntegerNeuron):
            self._neurons(self.node.op, reach)
        else:
            raise Wrong("it computes what is no linear system")

    def _gain(self, reach: int, node: Node | None) -> None:
        require(self.linear[f.L_STATES] == 0 and self.linear[f.L_GAIN] == 0, "it has states")
        found, lack = self._coefficient(f.L_C)
        wanted, shift = np.ones((1, 1), np.int64), 0
        if node is not None and isinstance(node.op, Gain):
            mantissa = node.op.mantissa
            require(TIME not in mantissa.axes, "a mantissa that differs from step to step")
            wanted, shift = self._own(mantissa), node.op.shift
        require(np.all(found == wanted), "the mantissas are not the program's")
        require(self.linear[f.L_SHIFT] == shift, "it shifts otherwise than the program")
        half = (1 << shift) >> 1
        self._constant(f.L_F, half + lack, "what is added before the shift")
        self._fits(reach * largest(wanted) + half, "a gain before its shift")

    def _neurons(self, op: IntegerNeuron, reach: int) -> None:
        n, k = self.linear[f.L_STATES], self.linear[f.L_SHIFT]
        require(n == len(op.shift) and n in (1, 3), "there are not as many states")
        odd = [name for name in ABSENT if getattr(op, name) not in (None, ())]
        require(not odd and op.most == 1 and op.compare == "ge", f"neurons with {odd} are no pole")
        p, lack_p = self._coefficient(f.L_P)
        c, lack_c = self._coefficient(f.L_C)
        zero, one = np.zeros((1, 1), np.int64), np.ones((1, 1), np.int64)
        gain = np.full((1, 1), 1 << self.linear[f.L_GAIN], np.int64)
        carry = op.carry or (0,) * n
        states = [max(-low, high) for low, high in op.states_within]
        if n == 1:
            self._alike(op, [p], [gain], [c], [[zero]])
            require(op.shift == (k,), "a state is rounded otherwise than the program's")
            bias = self._bias(op, 0)
            self._constant(f.L_X, carry[0] + lack_p + (bias << k), "what is added to a state")
            self._constant(f.L_F, lack_c, "what is added to what is given")
            total = largest(p) * states[0] + reach + carry[0] + (largest(bias) << k)
            self._fits(total, "a state before its shift")
            self._fits(largest(c) * states[0], "what is given")
            return
        q, lack_q = self._coefficient(f.L_Q)
        d, lack_d = self._coefficient(f.L_D)
        reads = [[zero, one, zero], [zero, zero, -q], [q, zero, zero]]
        self._alike(op, [zero, p, p], [zero, gain, zero], [zero, c, d], reads)
        require(op.shift == (0, k, k), "a state is rounded otherwise than the program's")
        require(carry[0] == 0 and carry[1] == carry[2], "a state is rounded otherwise")
        for i in (0, 2):
            require(not self._bias(op, i).any(), "a bias is left out")
        bias, both = self._bias(op, 1), largest(p) * states[1] + largest(q) * states[2]
        to_x = carry[1] + lack_p - lack_q + (bias << k)
        self._constant(f.L_X, to_x, "what is added to the first state")
        self._constant(f.L_Y, carry[1] + lack_p + lack_q, "what is added to the second state")
        self._constant(f.L_F, lack_c + lack_d, "what is added to what is given")
        self._fits(both + reach + carry[1] + (largest(bias) << k), "the first state")
        other = largest(p) * states[2] + largest(q) * states[0] + carry[1]
        self._fits(other, "the second state")
        self._fits(largest(c) * states[1] + largest(d) * states[2], "what is given")

    def _alike(
        self,
        op: IntegerNeuron,
        leak: list[Ints],
        gain: list[Ints],
        form: list[Ints],
        reads: list[list[Ints]],
    ) -> None:
        for i in range(len(leak)):
            for param, wanted in ((op.leak, leak), (op.gain, gain), (op.form, form)):
                same = np.all(self._own(param, i) == wanted[i])
                require(same, f"a constant of state {i} is not the program's")
            for j in range(len(leak)):
                same = np.all(self._own(op.reads, i, j) == reads[i][j])
                require(same, f"what state {i} reads of state {j} is not the program's")

    def _bias(self, op: IntegerNeuron, i: int) -> Ints:
        if op.bias is None:
            return np.zeros((1, 1), np.int64)
        require(TIME not in op.bias.axes, "a bias that differs from step to step")
        return self._own(op.bias, i)

    def _own(self, param: Param | None, *at: int) -> Ints:
        """The program's constant, [rows, lanes]."""
        if param is None:
            return np.zeros((1, 1), np.int64)
        names = names_of(self.node)
        array = self.graph.constants[param.name].astype(np.int64)[at]
        found: Ints = arranged(placed(array, param.axes[len(at) :], names), names, self.lay)[0]
        return found

    def _coefficient(self, column: int) -> tuple[Ints, Ints]:
        """A coefficient, and what complements lack of it: [rows or 1, lanes]."""
        address, terms, stride = (self.linear[column + i] for i in range(3))
        require(terms >= 0, "a coefficient has fewer terms than none")
        octets = -(-self.lay.lanes // f.OCTET)
        found = [
            self.block.take(address + r * stride, octets * terms * f.TERM, 1, "coefficients")
            for r in range(self.lay.row_count if stride else 1)
        ]
        table = np.stack(found).reshape(len(found), octets, terms, 2, f.OCTET)
        powers, signs = (np.moveaxis(table[:, :, :, part], 2, 0) for part in (0, 1))
        inside = bool(((powers >= 0) & (powers < 63)).all())
        require(inside and set(np.unique(signs).tolist()) <= {-1, 0}, "powers of two are none")
        size = np.int64(1) << powers
        flat = [
            part.sum(axis=0).reshape(len(found), -1)[:, : self.lay.lanes]
            for part in (np.where(signs < 0, -size, size), np.where(signs < 0, size, 0))
        ]
        return flat[0], flat[1]

    def _constant(self, column: int, wanted: Ints, what: str) -> None:
        table = row(self.constants, self.linear[column], "constant")
        require(table[f.C_STEP] == 0, f"{what} differs from step to step")
        found = self.block.constant(table, 0, self.lay.row_count, self.lay.lanes, 8)
        require(bool(np.all(found == wanted)), f"{what} is not the program's")

    def _fits(self, reach: int, what: str) -> None:
        require(reach <= INT64[1], f"{what} can reach {reach}, a register has 64 bits")


def masked(bits: Row, value: Numbers, shadow: Shadow) -> Numbers:
    """What MASK makes of a register."""
    steps, rows, lanes = value.probe.shape
    words = np.arange(-(-lanes // 64)) << 3
    at = bits[f.M_PLACE] + np.arange(rows)[:, None] * bits[f.M_ROW] + words
    found = [
        shadow.bits(at + s * bits[f.M_STEP], (s, bits[f.M_STEP] // 8)).reshape(rows, -1)[:, :lanes]
        for s in range(steps)
    ]
    probe = (np.stack(found) ^ (value.probe << 1)) + (bits[f.M_INVERTED] != 0)
    return Numbers(probe, np.minimum(value.low, 0), np.maximum(value.high, 0))
