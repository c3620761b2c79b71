"""What EVOLVE does with a register: sums, constants and formats of neurons of several states.

Every sum is read from the tables and held against the equations of `IntegerNeuron`, constant by
constant. What a sum can reach is added up anew, from the declared intervals of the states (which
verifier and checker prove) and from what the plan's currents can be.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.arrangement import Arrangement
from snncc.backends.cpu.checking.decoding import Block, Row, row, rows_of
from snncc.backends.cpu.checking.exact import INT32, INT64, Ints, largest
from snncc.backends.cpu.checking.meaning import Value, names_of, placed
from snncc.backends.cpu.checking.neurons import arranged
from snncc.backends.cpu.checking.wrong import require
from snncc.backends.cpu.plan.places import Form, Place
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.ir import Graph, Node, Param
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neurons import STATE

Sums = dict[int, Ints]
"""By slot, what it is taken times: [rows or 1, lanes or 1]."""


@dataclass(frozen=True)
class Tables:
    """The tables of a plan that these neurons have rows in."""

    several: list[Row]
    states: list[Row]
    terms: list[Row]
    constants: list[Row]
    block: Block

    @classmethod
    def of(cls, plan: UnitPlan, constants: list[Row], block: Block) -> "Tables":
        return cls(
            rows_of(plan.several, f.Q_SIZE, "neurons of several states"),
            rows_of(plan.states_of, f.S_SIZE, "states"),
            rows_of(plan.terms, f.T_SIZE, "terms"),
            constants,
            block,
        )


def check_states(
    graph: Graph, node: Node, op: IntegerNeuron, number: int, tables: Tables, lay: Arrangement,
    current: Value,
) -> Row:  # fmt: skip
    """Whether a row computes some neurons, in registers that hold its numbers; the row."""
    neuron = row(tables.several, number, "neurons")
    _Check(graph, node, op, neuron, tables, lay, current).run()
    return neuron


def check_layout(
    neuron: Row, spikes: Place | None, record: Place | None, state: Place | None, lay: Arrangement
) -> None:
    """Whether spikes, levels and states are written where they are read."""
    size = 8 if neuron[f.Q_WIDE] else 4
    wanted: dict[int, int] = {f.Q_RECORD: -1, f.Q_KEPT: -1}
    if spikes is not None:
        row_bytes = 8 * lay.words
        wanted |= {
            f.Q_SPIKES: spikes.at,
            f.Q_SPIKES_ROW: row_bytes,
            f.Q_SPIKES_STEP: row_bytes * lay.row_count,
        }
    if record is not None:
        require(record.size == 4 or size == 8, "a level is recorded in more bytes than it has")
        require(_lies(record, lay, record.size), "recorded levels lie otherwise than written")
        wanted |= {
            f.Q_RECORD: record.at,
            f.Q_RECORD_BYTES: record.size,
            f.Q_RECORD_ROW: record.size * lay.padded,
            f.Q_RECORD_STEP: record.size * lay.padded * lay.row_count,
        }
    if state is not None:
        slot = size * lay.padded * lay.row_count
        require(lies_in_slots(state, lay, size), "states lie otherwise than they are written")
        wanted |= {f.Q_KEPT: state.at, f.Q_KEPT_SLOT: slot, f.Q_KEPT_ROW: size * lay.padded}
    right = all(neuron[column] == value for column, value in wanted.items())
    require(right, "spikes, levels or states are not written where they are read")


def states_bytes(op: IntegerNeuron, place: Place, lay: Arrangement) -> int:
    """Bytes of what such neurons keep."""
    slots = len(op.shift) + (op.late is not None or bool(op.swallow))
    require(place.type.size(STATE) == slots, "states are not as many")
    return slots * place.size * lay.padded * lay.row_count


def lies_in_slots(state: Place, lay: Arrangement, size: int) -> bool:
    """Whether states lie one slot behind the other, in rows of padded lanes."""
    slot = size * lay.padded * lay.row_count
    return _lies(state, lay, size) and state.strides.get(STATE, 0) == slot


def _lies(place: Place, lay: Arrangement, size: int) -> bool:
    """Whether integers lie in rows of padded lanes."""
    if place.form is not Form.INTEGERS or place.size != size:
        return False
    stride = size * lay.padded
    wanted = {lay.lane: size} if lay.lane else {}
    for axis, length in reversed(list(zip(lay.rows, lay.sizes, strict=True))):
        wanted[axis] = stride
        stride *= length
    return all(place.strides.get(axis) == value for axis, value in wanted.items())


@dataclass(frozen=True)
class _Check:
    graph: Graph
    node: Node
    op: IntegerNeuron
    neuron: Row
    tables: Tables
    lay: Arrangement
    current: Value

    @property
    def wide(self) -> bool:
        return self.neuron[f.Q_WIDE] != 0

    @property
    def n(self) -> int:
        return len(self.op.shift)

    def run(self) -> None:
        op, neuron = self.op, self.neuron
        require(neuron[f.Q_STATES] == self.n, "there are not as many states")
        require((neuron[f.Q_UP] != 0) == (op.compare == "gt"), "it rounds or compares otherwise")
        remembers = op.late is not None or bool(op.swallow)
        require((neuron[f.Q_REMEMBERS] != 0) == remembers, "what a spike does later is lost")
        require((neuron[f.Q_THRESHOLD] >= 0) == op.fires, "it fires, or does not, unlike these")
        if op.threshold is not None:
            self._same(neuron[f.Q_THRESHOLD], op.threshold, "threshold")
        reaches = [max(-low, high) for low, high in op.states_within]
        given = max(largest(self.current.low), largest(self.current.high))
        slots = [given, *reaches, *reaches]
        for reach in reaches:
            self._fits(reach, "a state")
        for i in range(self.n):
            self._state(i, row(self.tables.states, neuron[f.Q_STATE] + i, "state"), slots)
        form = self._sum(neuron[f.Q_FORM], neuron[f.Q_FORMS])
        wanted = {1 + i: self._constant(op.form, (i,)) for i in range(self.n)}
        self._alike(form, wanted, "what is compared")
        self._fits(self._reach(form, slots), "what is compared")
        if not op.fires:
            low, high = op.membrane
            require(INT32[0] <= low and high <= INT32[1], "what it gives needs more than 32 bits")

    def _state(self, i: int, state: Row, slots: list[int]) -> None:
        op, n = self.op, self.n
        sums = self._sum(state[f.S_LEVEL], state[f.S_LEVELS])
        wanted = {0: self._constant(op.gain, (i,)), 1 + n + i: self._constant(op.leak, (i,))}
        for j in range(n):
            if j != i:
                slot = 1 + j if j < i else 1 + n + j
                wanted[slot] = self._constant(op.reads, (i, j))
        self._alike(sums, wanted, f"the sum of state {i}")
        shift, carry = op.shift[i], op.carry[i] if op.carry else 0
        require((state[f.S_SHIFT], state[f.S_CARRY]) == (shift, carry), "it rounds otherwise")
        require(shift < (64 if self.wide else 32), "it shifts by more than a register has")
        swallows = bool(op.swallow) and op.swallow[i]
        require(
            (state[f.S_SWALLOW] != 0) == swallows, "an input that a spike loses is kept, or not"
        )
        bias, late = (
            self._own(state[column], param, i, what)
            for column, param, what in (
                (f.S_BIAS, op.bias, "bias"),
                (f.S_LATE, op.late, "late reset"),
            )
        )
        self._own(state[f.S_START], op.start, i, "start")
        floors = bool(op.has_floor) and op.has_floor[i], bool(op.has_low) and op.has_low[i]
        for column, param, has in ((f.S_FLOOR, op.floor, floors[0]), (f.S_LOW, op.low, floors[1])):
            require((state[column] >= 0) == has, "a lower end is missing, or one too many")
            if has:
                self._own(state[column], param, i, "lower end")
        total = self._reach(sums, slots) + carry
        self._fits(total, f"the sum of state {i}")
        self._fits((total >> shift) + 1 + bias + late, f"state {i}")
        self._reset(i, state, slots)

    def _reset(self, i: int, state: Row, slots: list[int]) -> None:
        op = self.op
        if not op.fires:
            return
        shift = op.reset_shift[i] if op.reset_shift else 0
        wanted = {1 + j: -self._constant(op.takes, (i, j)) for j in range(self.n)}
        keep = np.array(1 << shift) if op.keep is None else self._constant(op.keep, (i,))
        wanted[1 + i] = wanted[1 + i] + keep
        if state[f.S_RESETS] < 0:  # (u << shift) >> shift is u
            self._alike({1 + i: np.array(1 << shift)}, wanted, f"what a spike leaves of state {i}")
            self._own(-1, op.amount, i, "amount")
            return
        sums = self._sum(state[f.S_RESET], state[f.S_RESETS])
        self._alike(sums, wanted, f"what a spike leaves of state {i}")
        require(state[f.S_RESET_SHIFT] == shift, "it rounds otherwise after a spike")
        require(shift < (64 if self.wide else 32), "it shifts by more than a register has")
        amount = self._own(state[f.S_AMOUNT], op.amount, i, "amount")
        total = self._reach(sums, slots)
        self._fits(total, f"what a spike leaves of state {i}")
        self._fits((total >> shift) + 1 + amount, f"state {i} after a spike")

    def _fits(self, reach: int, what: str) -> None:
        most = INT64[1] if self.wide else INT32[1]
        require(reach <= most, f"{what} can reach {reach}, its format holds {most}")

    def _reach(self, sums: Mapping[int, Ints], slots: list[int]) -> int:
        return sum(largest(constant) * slots[slot] for slot, constant in sums.items())

    def _sum(self, first: int, count: int) -> Sums:
        """The terms of a sum as the kernel adds them up."""
        require(count >= 0, "a sum has fewer terms than none")
        found: Sums = {}
        for number in range(first, first + count):
            term = row(self.tables.terms, number, "term")
            slot, constant = term[f.T_SLOT], self._factor(term)
            require(0 <= slot <= 2 * self.n, "a term takes what there is not")
            found[slot] = found[slot] + constant if slot in found else constant
        return found

    def _factor(self, term: Row) -> Ints:
        block, count, top = self.tables.block, term[f.T_COUNT], 64 if self.wide else 32
        if count >= 0:
            pairs = block.take(term[f.T_DIGITS], 2 * count, 1, "powers of two").reshape(-1, 2)
            inside = bool(((pairs[:, 0] >= 0) & (pairs[:, 0] < min(top, 62))).all())
            require(inside and set(pairs[:, 1].tolist()) <= {-1, 1}, "powers of two are none")
            return np.array(sum(int(sign) << int(power) for power, sign in pairs))
        low, high, stride = term[f.T_LOW], term[f.T_HIGH], term[f.T_ROW]
        require(0 <= low <= high < 32, "bits that a constant has not")
        found = [
            block.take(term[f.T_DIGITS] + r * stride, self.lay.lanes, 4, "constants of a sum")
            for r in range(self.lay.row_count if stride else 1)
        ]
        table = np.stack(found)
        plain = largest(table) <= 1 << high and int(table.max(initial=0)) < 1 << high
        require(plain and not (table & ((1 << low) - 1)).any(), "bits of a constant are left out")
        return table

    def _alike(self, found: Sums, wanted: Sums, what: str) -> None:
        """The same sums: what is left out counts 0 times."""
        zero = np.zeros((1, 1), np.int64)
        for slot in {*found, *wanted}:
            same = found.get(slot, zero) == wanted.get(slot, zero)
            require(np.all(same), f"{what} is not the program's")

    def _own(self, number: int, param: Param | None, i: int, what: str) -> int:
        """Holds a constant of a state against the program's; its largest magnitude."""
        if number < 0:
            none = param is None or not self.graph.constants[param.name][i].any()
            require(none, f"the {what} is left out")
            return 0
        return self._same(number, param, what, i)

    def _same(self, number: int, param: Param | None, what: str, i: int = -1) -> int:
        constants = self.tables.constants
        table = row(constants, number, "constant")
        rows, lanes, names = self.lay.row_count, self.lay.lanes, names_of(self.node)
        wanted = np.zeros([1] * len(names), np.int64)
        if param is not None:
            wanted = placed(*self._picked(param, i), names)
        laid = arranged(wanted, names, self.lay)
        for step in range(self.graph.steps):
            found = self.tables.block.constant(table, step, rows, lanes, 8 if self.wide else 4)
            same = np.broadcast_to(found, (rows, lanes)) == laid[step % len(laid)]
            require(bool(same.all()), f"the {what} of step {step} is not the program's")
        return largest(laid)

    def _picked(self, param: Param, i: int) -> tuple[Ints, tuple[str, ...]]:
        array = self.graph.constants[param.name].astype(np.int64)
        return (array, param.axes) if i < 0 else (array[i], param.axes[1:])

    def _constant(self, param: Param | None, at: tuple[int, ...]) -> Ints:
        """The program's constant of a state, [rows, lanes]."""
        names = names_of(self.node)
        if param is None:
            return np.zeros((1, 1), np.int64)
        array = self.graph.constants[param.name].astype(np.int64)[at]
        laid = placed(array, param.axes[len(at) :], names)
        found: Ints = arranged(laid, names, self.lay)[0]
        return found
