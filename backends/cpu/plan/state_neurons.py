"""Neurons of several states as rows of tables: terms of their sums, constants, formats."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.arrangement import Arrangement
from snncc.backends.cpu.plan.places import Place, lanes_at
from snncc.ir import TIME, Array, Axis, Graph, Kind, Node, Param, ValueType
from snncc.ir.arrays import count, spread
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neurons import STATE
from snncc.ir.digits import signed_digits

INT32 = (1 << 31) - 1
LONG = 1 << 62
CURRENT = 0
"""The slot of the current; then come the new states, then the old ones."""


@dataclass(frozen=True)
class Term:
    """A slot times a constant.

    Attributes:
        slot: what is taken.
        constant: [*axes], what it is taken times.
        axes: of the constant.
        reach: no number in the slot is larger in magnitude.
    """

    slot: int
    constant: Array
    axes: tuple[str, ...]
    reach: int

    @property
    def largest(self) -> int:
        return _largest(self.constant)


@dataclass(frozen=True)
class StateRow:
    """A state: the terms of its sum, those that a spike leaves (None: it does not change it)."""

    terms: tuple[Term, ...]
    resets: tuple[Term, ...] | None


@dataclass(frozen=True)
class Rows:
    """All sums of some neurons."""

    states: tuple[StateRow, ...]
    form: tuple[Term, ...]


def rows_of(graph: Graph, node: Node, op: IntegerNeuron) -> Rows:
    """Which sums a step makes; terms whose constant is 0 everywhere are left out."""
    n = op.states(graph.context)
    reach = [max(-low, high) for low, high in op.states_within]
    low, high = graph[node.inputs[0]].type.range or (0, 0)
    given = max(-low, high)

    def of(param: Param | None, i: int, slot: int, most: int, j: int = -1) -> Iterator[Term]:
        if param is None:
            return
        array = graph.constants[param.name].astype(np.int64)[i]
        array, axes = (array, param.axes[1:]) if j < 0 else (array[j], param.axes[2:])
        if array.any():
            yield Term(slot, array, axes, most)

    found: list[StateRow] = []
    resets = op.reset_shift or (0,) * n
    for i in range(n):
        terms = [*of(op.leak, i, 1 + n + i, reach[i]), *of(op.gain, i, CURRENT, given)]
        for j in range(n):
            terms += of(op.reads, i, 1 + j if j < i else 1 + n + j, reach[j], j)
        left = [*of(op.keep, i, 1 + i, reach[i])]
        if op.keep is None:
            left = [Term(1 + i, np.array(1 << resets[i]), (), reach[i])]
        taken = [term for j in range(n) for term in of(op.takes, i, 1 + j, reach[j], j)]
        left += [Term(each.slot, -each.constant, each.axes, each.reach) for each in taken]
        amount = op.amount is not None and graph.constants[op.amount.name][i].any()
        same = op.keep is None and not taken and not amount
        found.append(StateRow(tuple(terms), None if same or not op.fires else tuple(left)))
    form = [term for i in range(n) for term in of(op.form, i, 1 + i, reach[i])]
    return Rows(tuple(found), tuple(form))


def reason_against(graph: Graph, node: Node, op: IntegerNeuron) -> str:
    """Why units cannot compute some neurons; "" where they can."""
    if not op.ordinary:
        return "its spikes are counts, its states have upper ends, or it gives its membranes"
    rows = rows_of(graph, node, op)
    if _reach(graph, op, rows) >= LONG:
        return "its sums need more than 62 bits"
    for term in _terms(rows):
        if term.largest > (INT32 if _varies(term) else LONG - 1):
            return "a constant of its own for every neuron needs more than 32 bits"
    return ""


def is_wide(graph: Graph, node: Node, op: IntegerNeuron) -> bool:
    """Whether some number on the way needs more than 32 bits."""
    rows = rows_of(graph, node, op)
    shifts = max((*op.shift, *op.reset_shift))
    constants = max((term.largest for term in _terms(rows)), default=0)
    return max(_reach(graph, op, rows), constants) > INT32 or shifts > 31


def _reach(graph: Graph, op: IntegerNeuron, rows: Rows) -> int:
    """No number of a step is larger in magnitude."""
    own = [max(-low, high) for low, high in (*op.states_within, op.membrane)]
    own += [_sum(rows.form)]
    params = (op.bias, op.late, op.amount, op.floor, op.low, op.start, op.threshold)
    own += [_largest(graph.constants[p.name]) for p in params if p is not None]
    for i, state in enumerate(rows.states):
        total = _sum(state.terms) + (op.carry[i] if op.carry else 0)
        more = [_largest(graph.constants[p.name]) for p in (op.bias, op.late) if p is not None]
        own += [total, (total >> op.shift[i]) + 1 + sum(more)]
        if state.resets is not None:
            left = _sum(state.resets)
            amount = 0 if op.amount is None else _largest(graph.constants[op.amount.name])
            own += [left, (left >> (op.reset_shift[i] if op.reset_shift else 0)) + 1 + amount]
    return max(own)


def _sum(terms: tuple[Term, ...]) -> int:
    return sum(term.largest * term.reach for term in terms)


def _terms(rows: Rows) -> Iterator[Term]:
    yield from rows.form
    for state in rows.states:
        yield from (*state.terms, *(state.resets or ()))


def _varies(term: Term) -> bool:
    return bool((term.constant != term.constant.flat[0]).any())


def _largest(array: Array) -> int:
    return max(-int(array.min(initial=0)), int(array.max(initial=0)))


def states_at(
    op: IntegerNeuron, graph: Graph, kind: ValueType, at: int, lay: Arrangement, size: int
) -> Place:
    """The numbers that compiled neurons keep: one slot behind the other, in rows of lanes."""
    one = kind.without(TIME)
    rows = lanes_at(one, at, lay, size)
    axes = (Axis(STATE, op.slots(graph.context)), *one.axes)
    slot = size * lay.padded * lay.row_count
    whole = ValueType(Kind.CURRENT, axes)
    return Place(whole, rows.form, at, size, {**rows.strides, STATE: slot})


class StateNeurons:
    """Writes the tables.

    Args:
        graph: the program.
        keep: puts an array among a plan's constants; gives its address.
        add: adds a row to a table; gives its number.
    """

    def __init__(
        self, graph: Graph, keep: Callable[[str, Array], int], add: Callable[..., int]
    ) -> None:
        self.graph, self._keep, self._add = graph, keep, add

    def write(
        self,
        node: Node,
        op: IntegerNeuron,
        lay: Arrangement,
        spikes: Place | None,
        record: Place | None,
        state: Place | None,
    ) -> int:
        """The row of some neurons.

        Args:
            node: the neurons.
            op: of it.
            lay: of their currents.
            spikes: where they go; None where they never fire.
            record: of what is compared, or None.
            state: of what is kept, or None.
        """
        rows, size = rows_of(self.graph, node, op), 8 if is_wide(self.graph, node, op) else 4
        written = [
            self._state(op, i, state_row, lay, size) for i, state_row in enumerate(rows.states)
        ]
        threshold = -1
        if op.threshold is not None:
            array = self.graph.constants[op.threshold.name]
            threshold = self._constant(array, op.threshold.axes, lay, size)
        form = self._terms_of(rows.form, lay)
        first, *_ = [self._add("states_of", *row) for row in written]
        padded = 0 if record is None else record.size * lay.padded
        return self._add(
            "several", len(rows.states), first, *form, threshold, op.compare == "gt",
            op.remembers, size == 8,
            *((0, 0, 0) if spikes is None else (spikes.at, spikes.step, spikes.row)),
            -1 if record is None else record.at, padded * lay.row_count, padded,
            4 if record is None else record.size,
            -1 if state is None else state.at,
            0 if state is None else state.strides[STATE], size * lay.padded,
        )  # fmt: skip

    def _state(
        self, op: IntegerNeuron, i: int, row: StateRow, lay: Arrangement, size: int
    ) -> list[int]:
        def own(param: Param | None, has: bool = True) -> int:
            if param is None or not has:
                return -1
            array = self.graph.constants[param.name].take(i, axis=0)
            return self._constant(array, param.axes[1:], lay, size) if has else -1

        reset = (0, -1) if row.resets is None else self._terms_of(row.resets, lay)
        return [
            *self._terms_of(row.terms, lay), op.shift[i], op.carry[i] if op.carry else 0,
            own(op.bias), own(op.late), bool(op.swallow) and op.swallow[i],
            own(op.floor, bool(op.has_floor) and op.has_floor[i]), *reset,
            op.reset_shift[i] if op.reset_shift else 0, own(op.amount),
            own(op.low, bool(op.has_low) and op.has_low[i]), own(op.start),
        ]  # fmt: skip

    def _terms_of(self, terms: tuple[Term, ...], lay: Arrangement) -> tuple[int, int]:
        """The first of these terms, and how many there are."""
        numbers = [self._term(term, lay) for term in terms]
        return (numbers[0] if numbers else 0), len(numbers)

    def _term(self, term: Term, lay: Arrangement) -> int:
        if _varies(term):
            full = spread(term.constant, term.axes, (*lay.rows, lay.lane or "_"))
            table = self._laid(full[None], lay, np.dtype(np.int32))[0]
            high = int(np.where(table < 0, ~table, table).max()).bit_length()
            row = table.nbytes // len(table) if len(table) > 1 else 0
            return self._add("terms", term.slot, self._keep("mantissa", table), -1, row, 0, high)
        digits = enumerate(signed_digits(np.array(int(term.constant.flat[0]))))
        powers = np.array([(p, int(d)) for p, d in digits if d], np.int8)
        address = self._keep("powers", powers)
        return self._add("terms", term.slot, address, len(powers), 0, 0, 0)

    def _constant(self, array: Array, axes: tuple[str, ...], lay: Arrangement, size: int) -> int:
        """A constant over some of steps, rows and lanes; the number of its row."""
        full = spread(array.astype(np.int64), axes, (TIME, *lay.rows, lay.lane or "_"))
        table = self._laid(full, lay, np.dtype(f"i{size}"))
        row = table.nbytes // (len(table) * table.shape[1])
        step, by_row = row * table.shape[1], table.shape[1] > 1
        address = self._keep("constant of states", table)
        by_step, by_lane = len(table) > 1, full.shape[-1] > 1
        return self._add("constants", address, step if by_step else 0, row if by_row else 0,
                         by_lane)  # fmt: skip

    def _laid(self, full: Array, lay: Arrangement, dtype: np.dtype[np.signedinteger]) -> Array:
        """[steps, *rows, lanes] as [steps, rows or 1, padded lanes or 1]."""
        by_row = count(full.shape[1:-1]) > 1
        shape = (len(full), *(lay.sizes if by_row else full.shape[1:-1]), full.shape[-1])
        whole = np.broadcast_to(full, shape).reshape(len(full), -1, full.shape[-1])
        if full.shape[-1] > 1:
            whole = np.pad(whole, ((0, 0), (0, 0), (0, -full.shape[-1] % f.GROUP)))
        return np.ascontiguousarray(whole.astype(dtype))
