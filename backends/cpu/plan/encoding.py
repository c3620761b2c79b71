"""Units as tables of numbers and one block of constants: what the compiled executor takes."""

from collections.abc import Collection

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.aligned_memory import aligned
from snncc.backends.cpu.arrangement import Places, frame_stride
from snncc.backends.cpu.parts.part import Part
from snncc.backends.cpu.plan.currents import layout_of
from snncc.backends.cpu.plan.delays import step_of
from snncc.backends.cpu.plan.dense import DenseSum, DenseUnit
from snncc.backends.cpu.plan.host import (
    HostUnit,
    LoopUnit,
    Member,
    Relay,
    elements,
    program_of,
    program_of_loop,
    scratch_of,
)
from snncc.backends.cpu.plan.places import Form, Place
from snncc.backends.cpu.plan.placing import place_values
from snncc.backends.cpu.plan.populations import Populations
from snncc.backends.cpu.plan.state_neurons import StateNeurons
from snncc.backends.cpu.plan.tables import bits_in_use, exactly, in_a_row, tile_of, tiled
from snncc.backends.cpu.plan.unit import Instruction, Partition, Unit
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.backends.cpu.plan.units import units_of
from snncc.backends.cpu.plan.wide_sums import WideSums
from snncc.ir import TIME, Array, Graph, Node
from snncc.ir.arrays import count, spread
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.integer import Gain, IntegerPopulation
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.projections import Frames

BLOCK_BYTES = 1 << 18
"""Lists of active inputs of one block of rows take about so much, at 10 % activity."""
SLACK = 512
"""Vectors may be read past the end of a buffer."""


def plan_units(
    graph: Graph,
    steps: int,
    record: frozenset[str] = frozenset(),
    stateful: bool = False,
    dense: Collection[str] = (),
    both: bool = False,
) -> UnitPlan:
    """Plans an integer program.

    Args:
        graph: verified.
        steps: how many steps one call computes.
        record: populations whose spikes and membranes are kept.
        stateful: whether membranes, and what is the same at every step, stay between calls.
        dense: projections that become matrix products where they can.
        both: whether these can also be computed from events.

    Raises:
        NotExpressible: its numbers or addresses fit no table; no program of a size that runs.
    """
    return _Encoder(units_of(graph, dense, both), steps, record, stateful).plan()


class _Encoder:
    def __init__(
        self, units: Partition, steps: int, record: frozenset[str], stateful: bool
    ) -> None:
        self.graph, self.units, self.steps = units.graph, units, steps
        graph = units.graph
        self.block: list[bytes] = []
        self.length = 0
        self.known: dict[tuple[str, bytes], int] = {}
        self.tables: dict[str, list[list[int]]] = {
            name: []
            for name in (
                *("units", "parts", "ops", "accesses", "gains", "constants", "neurons", "delays"),
                *("several", "states_of", "terms", "linears", "masks"),
            )
        }
        self.delays: dict[str, int] = {}
        self.readout = graph[graph[graph.output].inputs[0]]
        self.placed = place_values(graph, units, steps, record, stateful)
        self.values = self.placed.values

    def plan(self) -> UnitPlan:
        scratch = 0
        for unit in self.units.units:
            scratch = max(scratch, self._unit(unit))
            unit.parts.clear()  # what they hold is among the constants now
        sizes = dict(
            units=f.U_SIZE, parts=f.P_SIZE, ops=f.O_SIZE, accesses=f.A_SIZE, gains=f.G_SIZE,
            constants=f.C_SIZE, neurons=f.N_SIZE, delays=f.D_SIZE,
            several=f.Q_SIZE, states_of=f.S_SIZE, terms=f.T_SIZE, linears=f.L_SIZE,
            masks=f.M_SIZE,
        )  # fmt: skip
        tables = {
            name: np.array(rows, np.int64).reshape(len(rows), sizes[name])
            for name, rows in self.tables.items()
        }
        return UnitPlan(
            **tables,
            block=self._joined(),
            memory=self.placed.memory + SLACK,
            scratch=scratch + SLACK,
            names=tuple(unit.name for unit in self.units.units),
            values=self.values,
            populations=self.placed.populations,
            readout=self.values[self.readout.name],
            counted=self.placed.counted,
            steps=self.steps,
            dense={number: self._dense(unit, unit.dense)
                   for number, unit in enumerate(self.units.units) if unit.dense is not None},
            host={number: self._host(unit.host)
                  for number, unit in enumerate(self.units.units) if unit.host is not None},
            relays={number: self._relay(unit)
                    for number, unit in enumerate(self.units.units) if unit.copies},
            loops={number: self._loop(unit)
                   for number, unit in enumerate(self.units.units) if unit.loop},
            pasts=self.placed.pasts,
            silent=self.placed.silent,
            laid={op.node: unit.arrangement for unit in self.units.units for op in unit.ops
                  if (op.kind == f.WIDEN and op.node in self.placed.silent)
                  or (op.kind == f.EVOLVE and op.node in self.units.stored)},
        )  # fmt: skip

    # ---- tables

    def _add(self, table: str, *row: int) -> int:
        self.tables[table].append([int(cell) for cell in row])
        return len(self.tables[table]) - 1

    def _keep(self, kind: str, array: Array) -> int:
        """Puts an array among the constants, once; returns its address."""
        data = np.ascontiguousarray(array).tobytes()
        key = (kind, data)
        if key not in self.known:
            self.known[key] = self.length
            padding = bytes(-len(data) % 64 + 64)
            self.block += [data, padding]
            self.length += len(data) + len(padding)
        return int(self.known[key])

    def _joined(self) -> Array:
        block, place = aligned(self.length + SLACK), 0
        self.known.clear()
        self.block.reverse()
        while self.block:  # each share goes when it is copied: the constants never lie there twice
            data = self.block.pop()
            block[place : place + len(data)] = np.frombuffer(data, np.uint8)
            place += len(data)
        return block

    def _unit(self, unit: Unit) -> int:
        """Writes a unit; returns the bytes of scratch memory that it can need."""
        arrangement, steps = unit.arrangement, self.steps if unit.timed else 1
        first_part = len(self.tables["parts"])
        inputs = [self._part(unit, part) for part in unit.parts]
        first_op = len(self.tables["ops"])
        for op in unit.ops:
            self._op(unit, op)
        tile = tile_of(arrangement.lanes)
        expected = sum(inputs) * steps * 2 // 10
        block = max(1, min(64, -(-arrangement.row_count // 8), BLOCK_BYTES // max(1, expected)))
        rows = arrangement.row_count if unit.is_compiled else 0
        rows = min(rows, 1) if unit.delayed else rows  # all of a step at once
        lanes = 1 if unit.delayed else arrangement.lanes
        self._add("units", rows, lanes, tile, block, not unit.timed, first_part, len(unit.parts),
                  first_op, len(unit.ops), self._loop_of(unit))  # fmt: skip
        lists = block * steps * (8 * len(unit.parts) + 2 * sum(inputs)) + 8
        return lists + (3 + f.REGISTERS) * 4 * f.TILE * steps + 256

    def _loop_of(self, unit: Unit) -> int:
        """How many units there are of the loop that begins here, or that this one is within."""
        if not unit.group:
            return 0
        group = [each for each in self.units.units if each.group == unit.group]
        return len(group) if group[0] is unit else f.INSIDE

    def _part(self, unit: Unit, part: Part) -> int:
        """Writes a part; returns how many inputs a row can list."""
        step = row = 0
        place = 0
        words = part.words
        if part.kind == f.PLANE:
            words = f.IN_A_ROW if words and in_a_row(part.taps[..., 0]) else words
            step = frame_stride(self.graph[part.source].type)
        else:
            source = self.values[part.source]
            row, step = source.row, source.step
            place = source.at + part.plane * source.plane + 8 * part.first_word
        if part.made:
            made, listed = self.values[part.made], part.taps.shape[1]
            self._add(
                "parts", part.kind, place, step, row, part.words, self._keep("taps", part.taps),
                listed, made.at, made.step, self.units.made[part.made].row_count,
                part.plane, part.wide, True,
            )  # fmt: skip
            return int(listed) * 64 * part.words
        dtype = np.int32 if part.wide else np.int8
        weights, rows = exactly(part.weights, dtype, "a weight"), part.weights.shape[1]
        if part.kind == f.MASKED_LANES:
            pad = -(-unit.arrangement.lanes // f.TILE) * f.TILE - weights.shape[2]
            weights = np.pad(weights, ((0, 0), (0, 0), (0, pad)))
        elif part.kind != f.MASKED:
            weights = tiled(weights, tile_of(unit.arrangement.lanes))
        elif not part.wide:
            weights = weights.astype(np.int16)
        banks = weights.shape[0] > 1
        each = weights.nbytes // weights.shape[0]
        self._add(
            "parts", part.kind, place, step, row, words, self._keep("taps", part.taps),
            part.taps.shape[1], self._keep("weights", weights), each if banks else 0, rows,
            part.plane, part.wide, False,
        )  # fmt: skip
        taps = int(part.taps.shape[1])
        return {f.PLANE: taps, f.EVENTS: taps * 64 * part.words}.get(part.kind, 0)

    def _op(self, unit: Unit, op: Instruction) -> None:
        what = op.what
        if op.kind in (f.LOAD, f.STORE):
            what = self._access(unit, op.node)
        elif op.kind == f.SCALE:
            what = self._gain(unit, op.node)
        elif op.kind == f.FIRE:
            what = self._neuron(unit, op.node, 4)
        elif op.kind == f.FIRE_WIDE:
            what = self._neuron(unit, op.node, 8)
        elif op.kind == f.WIDEN:
            wide = WideSums(self.graph, self._keep, self._add)
            state = self.placed.silent.get(op.node)
            what = wide.write(op.node, op.shift, unit.arrangement, state)
        elif op.kind == f.MASK:
            gate = self.values[op.node]
            what = self._add("masks", gate.at, gate.step, gate.row, op.what)
        elif op.kind == f.EVOLVE:
            what = self._several(unit, op.node)
        elif op.kind in (f.HOLD, f.KEEP):
            what = self._delay(unit, op.node)
        self._add("ops", op.kind, op.register, what, op.shift, op.adds, op.parts)

    def _access(self, unit: Unit, name: str) -> int:
        layout = layout_of(self.graph, self.units, name)
        rows: Places = np.full(unit.arrangement.row_count, layout.start, np.int64)
        for axis, grid in unit.arrangement.coordinates().items():
            rows = rows + grid * layout.strides.get(axis, 0)
        place = self.values[layout.root].at
        table = self._keep("rows", exactly(rows, np.int32, f"the place of {name}"))
        lane = layout.strides.get(unit.arrangement.lane, 0)
        return self._add("accesses", place, layout.strides[TIME], table, lane, layout.size)

    def _dense(self, unit: Unit, dense: DenseSum) -> DenseUnit:
        source, result, own = self.values[dense.source], self.values[unit.name], unit.arrangement
        return DenseUnit(
            dense,
            (source.at, source.row),
            (source.planes, source.plane),
            result.at,
            result.size,
            (*own.sizes, own.lanes),
            tuple(result.strides.get(axis, 0) for axis in (TIME, *own.rows, own.lane)),
        )

    def _host(self, node: Node) -> HostUnit:
        kept = self.placed.populations.get(node.name)
        return HostUnit(
            program_of(self.graph, node), node, tuple(self._place(name) for name in node.inputs),
            self.values[node.name],
            None if kept is None else kept.record,
            self._kept(node.name) if kept is None else kept.state,
            scratch_of(self.graph, node, self.steps), self.units.host[node.name],
        )  # fmt: skip

    def _loop(self, unit: Unit) -> LoopUnit:
        members: list[Member] = []
        for node in unit.loop:
            kept, place = self.placed.populations.get(node.name), self.values.get(node.name)
            if kept is None:
                members.append(Member(node, place, None, self._kept(node.name), -1))
            else:
                members.append(Member(node, place, kept.record, kept.state, kept.unit))
        own = {node.name for node in unit.loop}
        outside = (name for node in unit.loop for name in node.inputs if name not in own)
        scratch = sum(scratch_of(self.graph, node, self.steps) for node in unit.loop)
        return LoopUnit(
            program_of_loop(self.graph, unit.loop), tuple(members),
            {name: self._place(name) for name in outside}, scratch,
            self.units.host[unit.loop[0].name],
        )  # fmt: skip

    def _kept(self, name: str) -> Place | None:
        """What stays between calls of a node that never fires."""
        return self.placed.pasts.get(name, self.placed.silent.get(name))

    def _relay(self, unit: Unit) -> Relay:
        source = self.values[unit.copies]
        return Relay(source, self.values[unit.name], 8 * elements(source.type, self.steps))

    def _place(self, name: str) -> Place:
        node = self.graph[name]
        image = isinstance(node.op, Frames)
        return Place(node.type, Form.IMAGE) if image else self.values[name]

    def _delay(self, unit: Unit, name: str) -> int:
        node = self.graph[name]
        if not isinstance(node.op, Delay):
            raise TypeError(node.op.mnemonic)
        if name in self.delays:
            return self.delays[name]
        source, target = self.values[unit.delayed], self.values[name]
        start = step_of(self.graph, node, node.op, target)
        past = self.placed.pasts.get(name)
        self.delays[name] = self._add(
            "delays", node.op.steps, len(start), source.at, source.step, target.at, target.step,
            self._keep("start", start), -1 if past is None else past.at,
        )  # fmt: skip
        return self.delays[name]

    def _gain(self, unit: Unit, name: str) -> int:
        node = self.graph[name]
        op = node.op
        if not isinstance(op, Gain):
            raise TypeError(op.mnemonic)
        mantissa = self.graph.constants[op.mantissa.name].astype(np.int64)
        arrangement, axes = unit.arrangement, op.mantissa.axes
        over = [n for n in arrangement.rows if n in axes]
        sizes = [n for n in arrangement.sizes]
        full = spread(mantissa, axes, (TIME, *over, arrangement.lane or "_"))
        groups = count(full.shape[1:-1])
        lanes = arrangement.padded
        table = np.zeros((full.shape[0], groups, arrangement.lanes), np.int64)
        table[:] = full.reshape(full.shape[0], groups, -1)
        low, high = bits_in_use(table)
        dtype = np.int16 if high < 16 else np.int32
        stored = np.zeros((full.shape[0], groups, lanes), dtype)
        stored[..., : arrangement.lanes] = table
        row: Places = np.zeros(arrangement.row_count, np.int64)
        grids = arrangement.coordinates()
        for axis in over:
            row = row * sizes[arrangement.rows.index(axis)] + grids[axis]
        rows = exactly(row * lanes * stored.itemsize, np.int32, f"the gain {name}")
        step = stored.nbytes // stored.shape[0] if stored.shape[0] > 1 else 0
        return self._add("gains", self._keep("gain", stored), step, self._keep("rows", rows),
                         stored.itemsize, low, high, op.shift)  # fmt: skip

    def _several(self, unit: Unit, name: str) -> int:
        node = self.graph[name]
        if not isinstance(node.op, IntegerNeuron):
            raise TypeError(node.op.mnemonic)
        tables = StateNeurons(self.graph, self._keep, self._add)
        own = self.placed.populations.get(name)
        if own is None:
            state = self.placed.silent.get(name)
            return tables.write(node, node.op, unit.arrangement, None, None, state)
        return tables.write(node, node.op, unit.arrangement, own.spikes, own.record, own.state)

    def _neuron(self, unit: Unit, name: str, size: int) -> int:
        op = self.graph[name].op
        if not isinstance(op, IntegerPopulation):
            raise TypeError(op.mnemonic)
        made = Populations(self.graph, self._keep, self._add)
        first = len(self.tables["constants"])
        own, number = self.placed.populations[name], len(self.tables["units"])
        return made.write(op, unit.arrangement, own, (first, number), size)
