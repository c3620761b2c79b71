"""A neuron of several states in integers: units, fraction bits, coefficients, and what to tell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from snncc.diagnostics import SnnccError
from snncc.ir import Array, GraphBuilder, Node, Param, ValueType
from snncc.ir.arrays import narrow
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neurons import MOST_COUNT, READ, STATE, Neuron
from snncc.ir.dialects.spiking import Readout
from snncc.ir.dialects.step_windows import starts_lowest
from snncc.ir.op import TooWide, require_room
from snncc.passes.named import Named
from snncc.passes.neuron_constants import stacked
from snncc.passes.pipeline import Note
from snncc.quantize.decays import division
from snncc.quantize.leak_bits import leak_bits
from snncc.quantize.lower_poles import is_pole, lower_pole
from snncc.quantize.neuron_bits import (
    Rounded,
    Rows,
    bits_of,
    constant_bits,
    divisor,
    error_bound,
    exact_bits,
    row_bits,
)
from snncc.quantize.neuron_scales import ZERO, RealNeuron
from snncc.quantize.whole_levels import nearest, whole_level

if TYPE_CHECKING:
    from snncc.quantize.lower_to_integers import Lowering

FEWER = (8, 6, 4, 2, 0)
"""Fraction bits that are tried where a neuron cannot be exact, the most first."""
FINE_BITS = 20
"""What a current and its fraction bits have together at least: one of few levels, as bare spikes
are, is counted more finely than one of many."""
MOST_COEFFICIENT_BITS = 24
LEAST_COEFFICIENT_BITS = 12
LARGEST = 2.0**60
EXACT = "exact: "
ROOM = 4
"""How far beyond what a state reaches a division must be exact."""


@dataclass(frozen=True)
class Grid:
    """How finely a neuron is counted.

    Attributes:
        fraction: bits of every state below the unit of its current.
        coefficients: bits behind the point of coefficients that have more of them.
        division: (p, k, c) in place of a leak 1/m, or None.
    """

    fraction: int
    coefficients: int = LEAST_COEFFICIENT_BITS
    division: tuple[int, int, int] | None = None


def lower_neuron(lowering: "Lowering", node: Node, op: Neuron, source: str) -> str:
    """The integer neuron, with a note that says what is exact, or how far it can be off.

    Raises:
        TooWide: it does not fit into 62 bits, however few fraction bits it has.
    """
    unit = lowering.units.unit[node.inputs[0]] * Named.scalar(2.0 ** -lowering.fraction[source])
    real = RealNeuron.read(lowering.rewriter, op)
    if is_pole(op, real):
        return lower_pole(lowering, node, op, real, source)
    neuron = real.scaled(unit)
    old = lowering.rewriter.old
    if starts_lowest(op, old.context):
        neuron = neuron.started_below(lowering.rewriter.new[source].type.range or (0, 0))
    made = _Made(lowering, node, op, neuron, source, GraphBuilder("integer", old.steps))
    constants = constant_bits(neuron, lowering.options.fraction_bits)
    result, grid, text = made.best(constants)
    lowering.notes.append(Note(node.name, True, text, inexact=not text.startswith(EXACT)))
    name = lowering.rewriter.emit(node, made.kept(result), source)
    return name if op.fires else _given(lowering, node, name, made, grid)


def _given(lowering: "Lowering", node: Node, name: str, made: "_Made", grid: Grid) -> str:
    """What a neuron that never fires gives, in the unit that its readers count it in."""
    bits = lowering.fraction[made.source] + grid.fraction + made.given_shift(grid)
    step = lowering.units.unit[node.inputs[0]] * made.neuron.unit_given * Named.scalar(2.0**-bits)
    readers = lowering.rewriter.old.readers.get(node.name, ())
    lowering.fraction[name] = 0
    if all(isinstance(reader.op, Readout) for reader in readers):
        lowering.read_out[node.name] = step
        return name
    text = f"what is read of its membrane is scaled by a gain of {lowering.options.gain_bits} bits"
    lowering.notes.append(Note(node.name, True, text, inexact=True))
    return lowering.rescaled(node, name, step)


@dataclass(frozen=True)
class _Made:
    """Makes integer neurons of one real one, on different grids.

    Attributes:
        tried: holds the constants of all of them.
    """

    lowering: "Lowering"
    node: Node
    op: Neuron
    neuron: RealNeuron
    source: str
    tried: GraphBuilder

    def best(self, constants: int) -> tuple[IntegerNeuron, Grid, str]:
        """The neuron on the coarsest grid on which it is exact, else on the finest that fits."""
        steps = self.lowering.rewriter.old.steps
        m = divisor(self.neuron, bool(self.op.swallow))
        if m is not None:
            grid = Grid(constants, division=self._division(m, constants) if m > 1 else None)
            if m == 1 or grid.division is not None:
                why = "one state whose leak is a whole division decides as the real one does"
                return self.on(grid), grid, f"{EXACT}{why}{self._but_for(grid)}"
        exact = exact_bits(self.neuron, constants, steps)
        form = row_bits(self.neuron.form)
        if exact is not None and form is not None:
            try:
                grid = Grid(exact)
                text = f"{EXACT}with {exact} fraction bits nothing is lost in {steps} steps"
                return self.on(grid), grid, text + self._but_for(grid)
            except TooWide:
                pass
        return self._nearest(constants)

    def _but_for(self, grid: Grid) -> str:
        if self._whole(grid.fraction):
            return ""
        return f", but for resets and biases, which are rounded to 2^-{grid.fraction}"

    def _division(self, m: int, fraction: int) -> tuple[int, int, int] | None:
        near = self.on(Grid(fraction))
        reach = ROOM * max(abs(end) for end in near.states_within[0])
        found = division(m, reach)
        if found is None:
            return None
        try:
            exact = self.on(Grid(fraction, division=found))
        except TooWide:
            return None
        return found if max(abs(end) for end in exact.states_within[0]) <= reach else None

    def _nearest(self, constants: int) -> tuple[IntegerNeuron, Grid, str]:
        """What is not exact, as fine as fits, and by how much it can be off."""
        least, _ = leak_bits(
            self.neuron.leak,
            self.lowering.rewriter.old.steps,
            range(LEAST_COEFFICIENT_BITS, MOST_COEFFICIENT_BITS + 1),
        )
        coarse = self.on(Grid(0, least))
        reach = max(abs(end) for pair in coarse.states_within for end in pair).bit_length()
        for fraction in sorted({*FEWER, min(constants, FEWER[0]), self._fine()}, reverse=True):
            bits = min(MOST_COEFFICIENT_BITS, max(least, reach + fraction))
            for coefficients in dict.fromkeys((bits, least)):
                grid = Grid(fraction, coefficients)
                try:
                    made = self.on(grid)
                except TooWide:
                    continue
                return made, grid, self._told(made, grid)
        return coarse, Grid(0, least), self._told(coarse, Grid(0, least))

    def _fine(self) -> int:
        """Fraction bits of a current of few levels."""
        low, high = self.lowering.rewriter.new[self.source].type.range or (0, 0)
        return max(FEWER[0], FINE_BITS - max(-low, high).bit_length())

    def _told(self, made: IntegerNeuron, grid: Grid) -> str:
        """The bound, and the leak that would be exact."""
        rows = self._rows(grid)
        states = [float(max(map(abs, pair))) for pair in made.states_within]
        ends = self.lowering.rewriter.new[self.source].type.range or (0, 0)
        current = float(max(map(abs, ends))) * 2.0**grid.fraction
        off = error_bound(rows, states, current, self.lowering.rewriter.old.steps)
        leaks = [value for value in self.neuron.leak if bits_of(value) is None]
        what = "its states have more bits than 62 bits hold"
        if leaks:
            leak = float(leaks[0].array.reshape(-1)[0])
            kept = round(leak * 2**grid.coefficients)
            what = f"leak {leak:.6g} is {kept}/2^{grid.coefficients}"
            if self.neuron.threshold is None and len(self.neuron.leak) == 1:
                steps, bits = self.lowering.rewriter.old.steps, grid.coefficients
                _, worst = leak_bits(leaks, steps, range(bits, bits + 1))
                what += f" (responses over {steps} steps are off by at most {worst:.2%})"
        off = off / 2**grid.fraction
        text = f"{what}, {grid.fraction} fraction bits: until a spike differs, what is compared is "
        text += f"off by at most {off:.3g} steps of its current"
        if self.neuron.threshold is not None and self.neuron.threshold.array.any():
            size = np.abs(self.neuron.threshold.array)
            text += f", {off / float(size[size > 0.0].min()):.2g} of its threshold"
        return text + "; a leak of 1/2 or 1/4 is exact, 1 - 2^-k for few steps" if leaks else text

    def form_shift(self, grid: Grid) -> int:
        """By how much what is compared is finer than the states."""
        bits = row_bits(self.neuron.form)
        return grid.coefficients if bits is None else bits

    def given_shift(self, grid: Grid) -> int:
        """By how much what is given as a current is finer than the states."""
        bits = row_bits(self.neuron.given or ())
        return grid.coefficients if bits is None else bits

    def _rows(self, grid: Grid) -> Rows:
        """Every coefficient, rounded."""
        neuron, n = self.neuron, range(len(self.neuron.leak))
        reads: list[tuple[Rounded, ...]] = []
        gains: list[Rounded] = []
        kept: list[tuple[Rounded, ...]] = []
        for i in n:
            row = [neuron.leak[i] if j == i else neuron.reads[i][j] for j in n]
            bits = row_bits([*row, neuron.gain[i]])
            shift = grid.coefficients if bits is None else bits
            if grid.division is not None:
                factor, shift, _ = grid.division
                reads.append((Rounded(neuron.leak[i], Named.scalar(factor), shift),))
            else:
                reads.append(tuple(_rounded(each, shift) for each in row))
            gains.append(_rounded(neuron.gain[i], shift))
            takes = [neuron.takes[i][j] for j in n]
            bits = row_bits([neuron.keep[i], *takes])
            shift = grid.coefficients if bits is None else bits
            signed = [Named.scalar(-1.0) * each for each in takes]
            signed[i] = signed[i] + neuron.keep[i]
            kept.append(tuple(_rounded(each, shift) for each in signed))
        form = tuple(_rounded(each, self.form_shift(grid)) for each in neuron.form)
        off = 0.0 if self._whole(grid.fraction) else 0.5
        return Rows(tuple(reads), tuple(gains), tuple(kept), form, off)

    def _whole(self, fraction: int) -> bool:
        """Whether every constant that is added is a whole number of the grid's steps."""
        return constant_bits(self.neuron, fraction + 1) <= fraction

    def on(self, grid: Grid) -> IntegerNeuron:
        """The neuron on a grid, with the intervals of its states.

        Raises:
            TooWide: it does not fit into 62 bits.
        """
        rows, op, neuron = self._rows(grid), self.op, self.neuron
        gt = op.compare == "gt"
        n = range(len(neuron.leak))
        fine = Named.scalar(2.0**grid.fraction)

        def levels(what: str, values: Sequence[Named]) -> Param | None:
            found = [nearest(value * fine) for value in values]
            return None if all(each.is_zero() for each in found) else self._store(what, found)

        def present(what: str, param: Param | None, values: Sequence[Named]) -> Param | None:
            stored = [nearest(value * fine) for value in values]
            return None if param is None else self._store(what, stored)

        resets = tuple(row[0].shift for row in rows.kept)
        keep = [_rounded(neuron.keep[i], resets[i]).whole for i in n]
        takes = [[_rounded(each, resets[i]).whole for each in neuron.takes[i]] for i in n]
        usual = all((each.array == 2.0 ** resets[i]).all() for i, each in enumerate(keep))
        reads = [[ZERO if j == i else rows.reads[i][j].whole for j in n] for i in n]
        gains = [row.whole * fine for row in rows.gains]
        carry = () if grid.division is None or not grid.division[2] else (grid.division[2],)
        made = IntegerNeuron(
            leak=self._store("leak", [rows.reads[i][i].whole for i in n]),
            gain=self._store("gain", gains),
            form=self._store("form", [row.whole for row in rows.form]),
            threshold=self._level("threshold", neuron.threshold, grid, self._rule()),
            compare=op.compare,
            bias=levels("bias", neuron.bias),
            reads=self._table("reads", reads),
            late=levels("late", neuron.late),
            keep=None if usual else self._store("keep", keep),
            amount=levels("amount", neuron.amount),
            takes=self._table("takes", takes),
            start=levels("start", neuron.start),
            floor=present("floor", op.floor, neuron.floor),
            low=present("low", op.low, neuron.low),
            high=present("high", op.high, neuron.high),
            swallow=op.swallow,
            has_floor=op.has_floor,
            has_low=op.has_low,
            has_high=op.has_high,
            most=op.most or MOST_COUNT,
            step=self._level("step", neuron.step, grid, np.round),
            below=self._level("below", neuron.below, grid, np.ceil if gt else np.floor),
            read=None if neuron.membranes is None else self._store("read", self._read(grid)),
            shift=tuple(row.shift for row in rows.gains),
            carry=carry,
            reset_shift=resets if any(resets) else (),
        )
        current, context = self.lowering.rewriter.new[self.source].type, self.tried.context
        if made.step is not None:
            apart = int(context.array(made.step).min()) > 0
            require_room(apart, "thresholds lie closer together than a step of its states")
        made = made if op.most else self._counted(made, current)
        states, form = made.within(current, context)
        whole = replace(made, states_within=states, membrane=form)
        whole.verify((current,), context)
        return whole

    def kept(self, made: IntegerNeuron) -> IntegerNeuron:
        """The neuron that is taken, with its constants in the program."""
        constants, new = self.tried.context, self.lowering.rewriter.new
        fields = {name: getattr(made, name) for name in made.__dataclass_fields__}
        stored: dict[str, Any] = {
            name: new.constant(f"{self.node.name}.{name}", constants.array(param), param.axes)
            for name, param in fields.items()
            if isinstance(param, Param)
        }
        return replace(made, **stored)

    def _counted(self, made: IntegerNeuron, current: ValueType) -> IntegerNeuron:
        """With as many spikes a step as there can be, where the model has no limit.

        Raises:
            SnnccError: SNN033 where that is more than neurons of a program have.
        """
        context = self.tried.context
        first, step = (context.array(p) for p in (made.threshold, made.step) if p is not None)
        most = 2
        while True:
            tried = replace(made, most=most)
            _, (_, high) = tried.within(current, context)
            needed = (high - int(first.min())) // int(step.min()) + 1
            if needed <= most:
                return replace(made, most=max(2, needed))
            if most == MOST_COUNT:
                raise SnnccError(
                    "SNN033",
                    f"{self.node.name} can fire {needed} times in one step",
                    self.node.loc,
                    f"neurons of a program fire at most {MOST_COUNT} times in a step",
                    "give its layer smaller weights or a larger threshold, or limit its spikes",
                )
            most = min(MOST_COUNT, max(needed, 2 * most))

    def _rule(self) -> Callable[[Array], Array]:
        """How thresholds are rounded: what is compared is whole; ties to even need whole ones."""
        if self.neuron.even:
            return np.round
        return np.ceil if self.op.compare == "ge" else np.floor

    def _read(self, grid: Grid) -> list[Named]:
        shift = self.given_shift(grid)
        return [_rounded(each, shift).whole for each in self.neuron.membranes or ()]

    def _level(
        self, what: str, value: Named | None, grid: Grid, rule: Callable[[Array], Array]
    ) -> Param | None:
        """What is held against the form."""
        if value is None:
            return None
        scale = Named.scalar(2.0 ** (grid.fraction + self.form_shift(grid)))
        level = whole_level(value * scale, rule).compact()
        order = tuple(n for n in self.node.type.names if n in level.axes)
        return self._integers(what, level.over(order), order)

    def _table(self, what: str, table: Sequence[Sequence[Named]]) -> Param | None:
        if all(each.is_zero() for line in table for each in line):
            return None
        whole = stacked([stacked(line, READ) for line in table], STATE)
        return self._stored(what, (STATE, READ), whole)

    def _store(self, what: str, values: Sequence[Named]) -> Param:
        return self._stored(what, (STATE,), stacked(values, STATE))

    def _stored(self, what: str, lead: tuple[str, ...], value: Named) -> Param:
        names = self.node.type.names
        order = (*lead, *(n for n in names if n in value.axes))
        own = {name: size for name, size in zip(value.axes, value.array.shape, strict=True)}
        array = value.over(order)
        shape = [own.get(name, len(self.neuron.leak)) for name in order]
        return self._integers(what, np.broadcast_to(array, shape), order)

    def _integers(self, what: str, values: Array, axes: tuple[str, ...]) -> Param:
        """Stores whole numbers.

        Raises:
            TooWide: one is so large that its sums would not fit into 62 bits.
            SnnccError: SNN033 when one is not finite.
        """
        if not np.isfinite(values).all():
            message = f"{self.node.name}.{what} holds a number that is not finite"
            raise SnnccError("SNN033", message, self.node.loc)
        largest = float(np.abs(values).max(initial=0.0))
        require_room(largest < LARGEST, f"{what} needs too many bits")
        return self.tried.constant(what, narrow(values.astype(np.int64)), axes)


def _rounded(value: Named, shift: int) -> Rounded:
    whole = np.rint(value.array * 2.0**shift)
    return Rounded(value, Named(value.axes, whole), shift)
