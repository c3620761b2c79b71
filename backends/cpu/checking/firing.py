"""The part of the walk over a plan in which neurons take currents: spikes, levels, states."""

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.arrangement import Arrangement
from snncc.backends.cpu.checking.decoding import READ_ON, Block, Row, row, rows_of
from snncc.backends.cpu.checking.exact import LONG
from snncc.backends.cpu.checking.hosted import check_recorded, states_size
from snncc.backends.cpu.checking.meaning import Meaning, Value, names_of, placed
from snncc.backends.cpu.checking.neurons import (
    arranged,
    check_constants,
    check_membranes,
    require_same,
)
from snncc.backends.cpu.checking.products import Span
from snncc.backends.cpu.checking.registers import Registers, spread
from snncc.backends.cpu.checking.shadow import Numbers, Shadow
from snncc.backends.cpu.checking.state_neurons import (
    Tables,
    check_layout,
    check_states,
    lies_in_slots,
    states_bytes,
)
from snncc.backends.cpu.checking.wide_sums import LinearCheck, terms_of
from snncc.backends.cpu.checking.wrong import Wrong, require
from snncc.backends.cpu.plan.places import Place
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.ir import Graph, Node
from snncc.ir.dialects.integer_neurons import IntegerNeuron


class FiringWalk:
    """What a walk knows, and what it does where neurons take currents.

    Args:
        graph: the program.
        plan: of it.
        meaning: of the program on probes.
    """

    def __init__(self, graph: Graph, plan: UnitPlan, meaning: Meaning) -> None:
        self.graph, self.plan, self.meaning = graph, plan, meaning
        self.constants = rows_of(plan.constants, f.C_SIZE, "constants")
        self.block = Block(plan.block)
        self.linears = rows_of(plan.linears, f.L_SIZE, "linear systems")
        self.several = Tables.of(plan, self.constants, self.block)
        self.shadow = Shadow(plan.memory - READ_ON)
        self.kept: dict[str, int] = {}
        self.span = Span(0, plan.steps)
        self.fired: list[str] = []
        self.loop = range(0)

    def _keep(self, key: str, name: str, kept: Place, steps: int) -> None:
        place, wide = kept.at, kept.size
        op = self.graph[name].op
        if isinstance(op, IntegerNeuron) and key.startswith("state "):
            size = self._states_size(name, op, kept)
            self.kept[key] = self.shadow.keep(place, size, self.kept.get(key), f"the {key}")
            return
        arrangement = self.plan.populations[name].spikes.arrangement
        size = wide * steps * arrangement.row_count * arrangement.padded
        self.kept[key] = self.shadow.keep(place, size, self.kept.get(key), f"the {key}")

    def _states_size(self, name: str, op: IntegerNeuron, kept: Place) -> int:
        host = {unit.node.name for unit in self.plan.host.values()}
        host |= {m.node.name for unit in self.plan.loops.values() for m in unit.members}
        if name in host:
            return states_size(self.graph, name, op, kept)
        own = self.plan.populations.get(name)
        require(own is not None or name in self.plan.laid, "what it computes lies nowhere")
        lay = self.plan.laid[name] if own is None else own.spikes.arrangement
        return states_bytes(op, kept, lay)

    def _fire(
        self,
        name: str,
        neuron: Row,
        current: Numbers,
        shape: tuple[int, int, int],
        size: int = 4,
    ) -> None:
        require(name in self.plan.populations, "what fires is no population")
        node, lay = self.graph[name], self.plan.populations[name].spikes.arrangement
        meant = self._taken(node, spread(current, shape), shape, lay)
        leak = check_constants(self.graph, node, neuron, self.constants, self.block, lay, size)
        if size == 8:
            check_membranes(self.graph, node, meant, (-LONG, LONG), LONG, leak)
        else:
            check_membranes(self.graph, node, meant, leak=leak)
        self._layout(name, neuron, size)
        self._spikes(node)

    def _taken(
        self, node: Node, current: Numbers, shape: tuple[int, int, int], lay: Arrangement
    ) -> Value:
        """What neurons take is the program's; that."""
        same = shape == (self.span.count, lay.row_count, lay.lanes)
        require(same, "its rows, lanes or steps are not the population's")
        source = self.graph[node.inputs[0]]
        meant = self.meaning.values[source.name]
        require_same(current, meant, names_of(source), lay, self.span.first, "its current")
        return meant

    def _spikes(self, node: Node) -> None:
        """Probes in place of the spikes of these steps."""
        self.fired.append(node.name)
        place = self.plan.populations[node.name].spikes
        lay = place.arrangement
        probes = arranged(self.meaning.values[node.name].probe, names_of(node), lay)
        steps = probes[self.span.first : self.span.first + self.span.count]
        padded = np.zeros((*steps.shape[:2], 64 * lay.words), np.int64)
        padded[..., : lay.lanes] = steps
        self.shadow.put_bits(place.at, padded.reshape(-1, 64), lay.lanes)

    def _evolve(
        self, name: str, number: int, current: Numbers, shape: tuple[int, int, int]
    ) -> Numbers | None:
        """Neurons of several states; what those that never fire leave in the register."""
        node = self.graph[name]
        if not isinstance(node.op, IntegerNeuron):
            raise Wrong("it computes neurons of another kind")
        own, state = self.plan.populations.get(name), self.plan.states.get(name)
        known = own is not None or name in self.plan.laid
        require(known, "what it computes lies nowhere")
        lay = self.plan.laid[name] if own is None else own.spikes.arrangement
        meant = self._taken(node, current, shape, lay)
        neuron = check_states(self.graph, node, node.op, number, self.several, lay, meant)
        require(not self.loop or state is not None, "its states do not last a step")
        record = None if own is None else own.record
        check_layout(neuron, None if own is None else own.spikes, record, state, lay)
        if record is not None:
            check_recorded(node, record)
            self._keep(f"record {name}", name, record, self.plan.steps)
        if state is not None:
            self._keep(f"state {name}", name, state, 1)
        if own is not None:
            require(node.op.fires, "it never fires")
            self._spikes(node)
            return None
        require(not node.op.fires, "it fires")
        value = self.meaning.values[name]
        first, last = self.span.first, self.span.first + self.span.count
        probe, low, high = (
            arranged(each, names_of(node), lay) for each in (value.probe, value.low, value.high)
        )
        return Numbers(probe[first:last], low + 0 * probe[:1], high + 0 * probe[:1])

    def _widen(self, registers: Registers, op: Row, shape: tuple[int, int, int]) -> None:
        """The next term of what a population takes is added to the sum of 64 bits."""
        require(registers.name in self.plan.populations, "a sum of 64 bits is for no population")
        node = self.graph[registers.name]
        terms = terms_of(self.graph, self.plan, node.inputs[0])
        require(registers.terms < len(terms), "a term more than the program has")
        require((op[f.O_ADD] != 0) == (registers.terms > 0), "a sum of 64 bits does not begin once")
        term = terms[registers.terms]
        lay = self.plan.populations[node.name].spikes.arrangement
        source, own = self.graph[term.source], self.graph[term.node]
        meant, value = self.meaning.values[source.name], self.meaning.values[own.name]
        found, first = spread(registers[0], shape), self.span.first
        lies = shape == (self.span.count, lay.row_count, lay.lanes)
        require(lies, "its rows, lanes or steps are not the population's")
        names = [*names_of(node)]
        same = Value(*(placed(a, names_of(source), names_of(node)) for a in
                       (meant.probe, meant.low, meant.high)))  # fmt: skip
        require(set(names_of(source)) <= set(names), "it reads more axes than it has")
        require_same(found, same, names_of(node), lay, first, "what is read for a sum")
        linear = row(self.linears, op[f.O_WHAT], "linear system")
        check = LinearCheck(self.graph, own, linear, self.constants, self.block, lay, meant)
        check.run(plain=term.node == term.source)
        require(linear[f.L_POST] == term.shift, "a term is shifted otherwise than the program's")
        self._kept_of(own, linear, lay)
        parts = [
            arranged(placed(a, names_of(own), names_of(node)), names_of(node), lay)
            for a in (value.probe, value.low, value.high)
        ]
        at = np.arange(first, first + shape[0])
        steps = [part[np.minimum(at, len(part) - 1)] for part in parts]
        registers.widen(op, Numbers(*steps), term.shift)

    def _all_terms(self, registers: Registers) -> None:
        """Nothing of what a population takes is left out."""
        require(registers.name in self.plan.populations, "what fires is no population")
        terms = terms_of(self.graph, self.plan, self.graph[registers.name].inputs[0])
        require(registers.terms == len(terms), "a term of a sum of 64 bits is left out")

    def _kept_of(self, node: Node, linear: Row, lay: Arrangement) -> None:
        """Whether states are kept where they are looked for."""
        state = self.plan.states.get(node.name)
        if not isinstance(node.op, IntegerNeuron) or linear[f.L_STATES] == 0:
            require(linear[f.L_KEPT] == -1, "it keeps what is no state")
            return
        stepwise = self.plan.steps < self.graph.steps
        require(not stepwise or state is not None, "its states do not last a step")
        require(
            (linear[f.L_KEPT] >= 0) == (state is not None), "states are kept, or not, elsewhere"
        )
        if state is not None:
            require(lies_in_slots(state, lay, 8), "states lie otherwise than they are written")
            slot = 8 * lay.padded * lay.row_count
            wanted = {f.L_KEPT: state.at, f.L_KEPT_SLOT: slot, f.L_KEPT_ROW: 8 * lay.padded}
            right = all(linear[column] == value for column, value in wanted.items())
            require(right, "states are not written where they are read")
            self._keep(f"state {node.name}", node.name, state, 1)

    def _layout(self, name: str, neuron: Row, size: int = 4) -> None:
        """Whether spikes and membranes are written where they are read."""
        kept = self.plan.populations[name]
        require(not self.loop or kept.state is not None, "its membranes do not last a step")
        own = kept.spikes.arrangement
        row_bytes, wide = 8 * own.words, size * own.padded
        for place in (kept.record, kept.state):
            require(place is None or place.size == size, "membranes have other bytes than are kept")
        wanted = {
            f.N_SPIKES: kept.spikes.at,
            f.N_SPIKES_ROW: row_bytes,
            f.N_SPIKES_STEP: row_bytes * own.row_count,
            f.N_RECORD: -1 if kept.record is None else kept.record.at,
            f.N_STATE: -1 if kept.state is None else kept.state.at,
        }
        if name in self.plan.records:
            wanted |= {f.N_RECORD_ROW: wide, f.N_RECORD_STEP: wide * own.row_count}
            self._keep(f"record {name}", name, self.plan.records[name], self.plan.steps)
        if name in self.plan.states:
            wanted |= {f.N_STATE_ROW: wide}
            self._keep(f"state {name}", name, self.plan.states[name], 1)
        right = all(neuron[column] == value for column, value in wanted.items())
        require(right, "spikes or membranes are not written where they are read")
