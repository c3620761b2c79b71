"""The plan checker: whether a finished plan computes its program, in formats that hold its numbers.

The planner decides formats, layouts and places; this walks over what it wrote, the tables and the
constants that the compiled kernels read, and over the program, and takes nothing else from it. It
carries out every unit in whole numbers, on probes in place of spikes and with the interval of every
number, through a shadow of the working memory. So it finds a sum that its accumulator does not
hold, a tap or weight that is not the program's, a buffer that is overwritten before it is read.

It is slow beside the planner and far from minimal memory: it runs in tests and when it is asked.
"""

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.checking.decoding import READ_ON, Row, row, rows_of
from snncc.backends.cpu.checking.delays import Delays, check_past, past_size
from snncc.backends.cpu.checking.exact import Ints
from snncc.backends.cpu.checking.firing import FiringWalk
from snncc.backends.cpu.checking.hosted import (
    computed_by_host,
    copied,
)
from snncc.backends.cpu.checking.looped import computed_in_loop
from snncc.backends.cpu.checking.meaning import Meaning, meaning_of
from snncc.backends.cpu.checking.neurons import (
    require_equal,
)
from snncc.backends.cpu.checking.products import Span, multiplied
from snncc.backends.cpu.checking.registers import Registers, load, scaled, spread, store
from snncc.backends.cpu.checking.shadow import Numbers
from snncc.backends.cpu.checking.stored import loaded
from snncc.backends.cpu.checking.sums import Tapped, projected
from snncc.backends.cpu.checking.wide_sums import masked
from snncc.backends.cpu.checking.wrong import PlanFault, Wrong, require
from snncc.backends.cpu.plan.host import HostUnit, LoopUnit
from snncc.backends.cpu.plan.places import Form, Place
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.ir import Graph
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.populations import neuron_nodes, population_nodes

MASKED = (f.MASKED, f.MASKED_LANES)


def check_plan(graph: Graph, plan: UnitPlan, seed: int = 0) -> tuple[PlanFault, ...]:
    """Checks a plan against its program.

    Args:
        graph: integer dialect, verified.
        plan: of it, as `plan_units` gives it.
        seed: of the probes.

    Returns:
        What is wrong: nothing, or the first fault; what comes after it would follow from it.
    """
    at = [""]
    try:
        _Walk(graph, plan, meaning_of(graph, seed), at).run()
    except Wrong as wrong:
        return (PlanFault(at[0], str(wrong)),)
    return ()


class _Walk(FiringWalk):
    """One pass over a plan, step by step where it is a stream's."""

    def __init__(self, graph: Graph, plan: UnitPlan, meaning: Meaning, at: list[str]) -> None:
        super().__init__(graph, plan, meaning)
        self.at = at
        self.units = rows_of(plan.units, f.U_SIZE, "units")
        self.parts = rows_of(plan.parts, f.P_SIZE, "parts")
        self.ops = rows_of(plan.ops, f.O_SIZE, "ops")
        self.accesses = rows_of(plan.accesses, f.A_SIZE, "accesses")
        self.gains = rows_of(plan.gains, f.G_SIZE, "gains")
        self.neurons = rows_of(plan.neurons, f.N_SIZE, "populations")
        self.masks = rows_of(plan.masks, f.M_SIZE, "masks")
        self.delays = Delays(graph, plan, meaning)
        self.held: set[str] = set()

    def run(self) -> None:
        require(len(self.plan.names) == len(self.units), "units and their names are not as many")
        populations = [node.name for node in population_nodes(self.graph)]
        for name in [node.name for node in neuron_nodes(self.graph)]:
            for what, places, steps in (
                ("state", self.plan.states, 1),
                ("record", self.plan.records, self.plan.steps),
            ):
                if name in places:
                    self._keep(f"{what} {name}", name, places[name], steps)
        for first in range(0, self.graph.steps, self.plan.steps):
            self.span, self.fired = Span(first, self.plan.steps), []
            self.delays.begin()
            for number, unit in enumerate(self.units):
                self.at[0] = self.plan.names[number]
                self._begin_loop(number, unit)
                if unit[f.U_CONSTANT] == 0 or first == 0:
                    self.shadow.next_unit()
                    self._unit(number, unit)
                self._end_loop(number)
            self.at[0] = ""
            require(sorted(self.fired) == sorted(populations), "populations do not fire once each")
            self._pasts()
            self._answer()

    def _begin_loop(self, number: int, unit: Row) -> None:
        """A loop's units run at every step: what one of them touches is nobody else's."""
        if number not in self.loop:
            require(unit[f.U_LOOP] >= 0, "it is within a loop that does not begin")
            self.loop = range(number, number + unit[f.U_LOOP])
            if self.loop:
                self.shadow.enter_loop()
        else:
            require(unit[f.U_LOOP] == f.INSIDE, "a loop begins within another")
        if number in self.loop:
            others = self.plan.dense, self.plan.host, self.plan.loops, self.plan.relays
            alone = not any(number in each for each in others)
            require(alone and unit[f.U_CONSTANT] == 0, "it is in a loop and not compiled by steps")

    def _end_loop(self, number: int) -> None:
        if self.loop and number == len(self.units) - 1:
            require(number == self.loop[-1], "a loop has units that there are not")
        if self.loop and number == self.loop[-1]:
            self.delays.end_loop(self.shadow, self.span)
            self.shadow.leave_loop()
            self.loop = range(0)

    def _pasts(self) -> None:
        """Every delay of a plan that goes step by step keeps what it has read."""
        delays = {node.name for node in self.graph.select(Delay)}
        stepwise = self.plan.steps < self.graph.steps
        require(not stepwise or delays <= set(self.plan.pasts), "a delay keeps nothing")
        require(self.held == set(self.plan.pasts), "what a delay keeps is written by none")
        for name in self.plan.pasts:
            self._past(name, self.plan.pasts[name])

    def _answer(self) -> None:
        """What is read after the last unit: the answer, recorded spikes and membranes."""
        current = self.graph[self.graph[self.graph.output].inputs[0]]
        place = self.plan.readout
        require(place.type == current.type, "the answer is of another type than the program's")
        found = loaded(place, self.shadow, self.span, "the answer")
        require_equal(found, self.meaning.values[current.name], self.span.first, "the answer")
        for name in self.plan.records:
            spikes = self.plan.populations[name].spikes
            own = spikes.arrangement
            size = 8 * own.words * own.row_count * self.plan.steps
            self.shadow.require_bits(spikes.at, size, f"recorded spikes of {name}")
            self._keep(f"record {name}", name, self.plan.records[name], self.plan.steps)
        for name, place in self.plan.counted.items():
            what = f"recorded counts of {name}"
            if place.form is Form.INTEGERS:
                held = loaded(place, self.shadow, self.span, what)
                require_equal(held, self.meaning.values[name], self.span.first, what)
                continue
            own, steps = place.arrangement, self.plan.steps if place.type.temporal else 1
            for plane in range(place.planes):
                size = 8 * own.words * own.row_count * steps
                self.shadow.require_bits(place.at + plane * size, size, what)
        for name, place in self.plan.states.items():
            self._keep(f"state {name}", name, place, 1)

    def _unit(self, number: int, unit: Row) -> None:
        rows, lanes, tile = unit[f.U_ROWS], unit[f.U_LANES], unit[f.U_TILE]
        require(rows >= 0 and lanes > 0 and unit[f.U_BLOCK] > 0, "a unit without rows or lanes")
        fits = 0 < tile <= f.TILE and tile % f.GROUP == 0
        require(fits, f"tiles of {tile} lanes")
        steps = 1 if unit[f.U_CONSTANT] else self.span.count
        if rows:
            self._scratch(unit, steps)
            registers = Registers(self.plan.names[number])
            first = unit[f.U_OP]
            require(0 <= first <= first + unit[f.U_OPS] <= len(self.ops), "ops that there are not")
            for op in self.ops[first : first + unit[f.U_OPS]]:
                self._op(unit, op, registers, (steps, rows, lanes))
        if number in self.plan.dense:
            multiplied(self.plan.dense[number], self.shadow, self.span)
        if number in self.plan.host:
            self._host(self.plan.host[number])
        if number in self.plan.loops:
            self._loop(self.plan.loops[number])
        if number in self.plan.relays:
            copied(self.plan.relays[number], self.shadow, self.span)

    def _host(self, unit: HostUnit) -> None:
        """A node that the host computes; of a population, what it leaves besides its spikes."""
        name = unit.node.name
        computed_by_host(self.graph, unit, self.meaning, self.shadow, self.span)
        kept = self.plan.populations.get(name)
        if kept is None:
            require(unit.record is None, "it records what does not fire")
            self._silent(name, unit.state)
            return
        right = (unit.writes, unit.record, unit.state) == (kept.spikes, kept.record, kept.state)
        require(right, "spikes or membranes are not written where they are read")
        self.fired.append(name)
        if unit.record is not None:
            self._keep(f"record {name}", name, unit.record, self.plan.steps)
        if unit.state is not None:
            self._keep(f"state {name}", name, unit.state, 1)

    def _loop(self, unit: LoopUnit) -> None:
        """A loop that the host computes: all of its populations, and what its delays keep."""
        fired = computed_in_loop(self.graph, unit, self.plan, self.meaning, self.shadow, self.span)
        self.fired += fired
        for member in unit.members:
            name = member.node.name
            if name not in fired:
                require(member.record is None, "it records what does not fire")
                self._silent(name, member.state)
                continue
            if member.record is not None:
                self._keep(f"record {name}", name, member.record, self.plan.steps)
            if member.state is not None:
                self._keep(f"state {name}", name, member.state, 1)

    def _silent(self, name: str, state: Place | None) -> None:
        """What stays between calls of a node that never fires: a delay's past, neurons' states."""
        if not isinstance(self.graph[name].op, IntegerNeuron):
            self._past(name, state)
        elif state is not None:
            self._keep(f"state {name}", name, state, 1)

    def _past(self, name: str, state: Place | None) -> None:
        """What a delay keeps between calls: where the plan says, and of its size."""
        kept = self.plan.pasts.get(name)
        require(state == kept, "it keeps its state where nobody looks for it")
        if kept is not None:
            size = past_size(kept)
            key = f"past {name}"
            self.kept[key] = self.shadow.keep(kept.at, size, self.kept.get(key), f"the {key}")
            check_past(self.graph, name, kept)
            self.held.add(name)

    def _scratch(self, unit: Row, steps: int) -> None:
        """Room for constants, registers and lists of active inputs, as the kernel lays it out."""
        first, count = unit[f.U_PART], unit[f.U_PARTS]
        require(0 <= first <= first + count <= len(self.parts), "parts that there are not")
        inputs = 0
        for part in self.parts[first : first + count]:
            if part[f.P_KIND] not in MASKED:
                events = part[f.P_KIND] == f.EVENTS
                inputs += part[f.P_TAP_COUNT] * (64 * part[f.P_WORDS] if events else 1)
        block = min(unit[f.U_BLOCK], unit[f.U_ROWS])
        lists = block * steps * (8 * count + 2 * inputs) + 8
        needed = (3 + f.REGISTERS) * 4 * f.TILE * steps + lists + 2 * READ_ON
        require(needed <= self.plan.scratch, f"it needs {needed} bytes of scratch memory")

    def _op(self, unit: Row, op: Row, registers: Registers, shape: tuple[int, int, int]) -> None:
        kind, what, number = op[f.O_KIND], op[f.O_WHAT], op[f.O_DST]
        first = 0 if unit[f.U_CONSTANT] else self.span.first
        if kind == f.PROJECT:
            registers.put(op, self._project(unit, op, shape, first))
        elif kind == f.LOAD:
            access = row(self.accesses, what, "access")
            registers.put(op, load(access, self.block, self.shadow, shape))
        elif kind == f.SUM:
            registers.put(op, registers[what])
        elif kind == f.SCALE:
            value = spread(registers[number], shape)
            gain = row(self.gains, what, "gain")
            registers.replace(number, scaled(gain, self.block, value, first))
        elif kind == f.STORE:
            access = row(self.accesses, what, "access")
            store(access, self.block, self.shadow, spread(registers[number], shape))
        elif kind == f.WIDEN:
            self._widen(registers, op, shape)
        elif kind == f.FIRE_WIDE:
            require(number == f.WIDE_SUM, "a sum of 64 bits lies elsewhere")
            self._all_terms(registers)
            neuron = row(self.neurons, what, "population")
            self._fire(registers.name, neuron, registers.wide, shape, 8)
        elif kind == f.MASK:
            bits = row(self.masks, what, "mask")
            registers.replace(number, masked(bits, spread(registers[number], shape), self.shadow))
        elif kind == f.EVOLVE:
            found = self._evolve(registers.name, what, spread(registers[number], shape), shape)
            if found is not None:
                registers.replace(number, found)
        elif kind in (f.HOLD, f.KEEP):
            require(shape[1:] == (1, 1), "a delay copies more than once")
            self._delay(registers.name, kind, what)
        elif kind == f.FIRE:
            self._fire(registers.name, row(self.neurons, what, "population"), registers[number],
                       shape)  # fmt: skip
        else:
            raise Wrong(f"there is no op {kind}")

    def _delay(self, name: str, kind: int, what: int) -> None:
        """What a delay gives, or what it keeps for the next call."""
        if kind == f.HOLD:
            self.delays.hold(name, what, self.block, self.shadow, self.span, bool(self.loop))
            return
        require(not self.loop, "a loop keeps what is not yet complete")
        kept = self.delays.keep(what, self.shadow, self.span)
        if kept in self.plan.pasts:
            self._past(kept, self.plan.pasts[kept])

    def _project(self, unit: Row, op: Row, shape: tuple[int, int, int], first: int) -> Numbers:
        steps, rows, lanes = shape
        number, count = op[f.O_WHAT], op[f.O_PARTS]
        require(0 <= number < number + count <= unit[f.U_PARTS], "parts that the unit has not")
        begin = unit[f.U_PART] + number
        parts = self.parts[begin : begin + count]
        part = parts[0]
        kinds = {p[f.P_KIND] for p in parts}
        require(kinds <= {f.EVENTS, f.PLANE, *MASKED}, "a part of no known kind")
        require(count == 1 or kinds == {f.EVENTS}, "parts are added up that are no lists")
        tapped = [self._tapped(p, self.block.taps(p, rows), lanes, first) for p in parts]
        if part[f.P_MADE]:
            return self._selected(unit, part, tapped[0], shape, f"part {begin}")
        banks = range(first, first + steps) if part[f.P_WEIGHT_STEP] else (0,)
        weights = [self.block.weights(part, t, lanes, unit[f.U_TILE]) for t in banks]
        return projected(part, tapped, weights, steps, lanes, f"part {begin}")

    def _selected(
        self, unit: Row, part: Row, tapped: Tapped, shape: tuple[int, int, int], what: str
    ) -> Numbers:
        """A sum of rows in the working memory, which lie one after the other in whole groups."""
        steps, _, lanes = shape
        right = part[f.P_KIND] == f.EVENTS and part[f.P_WIDE] == 1 and lanes <= unit[f.U_TILE]
        require(right, f"{what} selects rows that are no lists of 32 bits")
        padded = -(-lanes // f.GROUP) * f.GROUP
        rows, stride = part[f.P_INPUTS], part[f.P_WEIGHT_STEP]
        one = 4 * (np.arange(rows)[:, None] * padded + np.arange(lanes))
        times = range(steps if stride else 1)
        found = [self.shadow.load(part[f.P_WEIGHTS] + t * stride + one, 4) for t in times]
        ends = [(each.low, each.high) for each in found]
        return projected(part, [tapped], [each.probe for each in found], steps, lanes, what, ends)

    def _tapped(self, part: Row, taps: Ints, lanes: int, first: int) -> Tapped:
        if part[f.P_KIND] == f.PLANE:
            return Tapped(taps, 1, 1, lambda at, step: self._frame(part, at, first + step))
        events = part[f.P_KIND] == f.EVENTS
        words = part[f.P_WORDS] if events else -(-lanes // 64)
        inputs = lanes
        if events:
            inputs = min(64 * words, self.shadow.lanes(part[f.P_SOURCE], part[f.P_ROW]))

        def read(rows: Ints, step: int) -> Ints:
            start = part[f.P_SOURCE] + step * part[f.P_STEP] + rows * part[f.P_ROW]
            addresses = start[:, None] + 8 * np.arange(words)
            bits = self.shadow.bits(addresses, (step, part[f.P_STEP] // 8))
            return bits.reshape(len(rows), 64 * words)[:, :inputs]

        return Tapped(taps, inputs, self.shadow.share(part[f.P_SOURCE]), read)

    def _frame(self, part: Row, places: Ints, step: int) -> Ints:
        planes, plane = self.meaning.planes, part[f.P_PLANE]
        if planes is None:
            raise Wrong("it reads an image that the program has not")
        require(0 <= plane < len(planes), f"what it reads has no bit {plane}")
        flat, places = planes[plane].reshape(-1), places + step * part[f.P_STEP]
        inside = not places.size or 0 <= int(places.min()) <= int(places.max()) < len(flat)
        require(inside, "it reads beyond the image")
        probes: Ints = flat[places][:, None]
        return probes
