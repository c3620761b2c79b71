"""A program of the profile `loihi-lava` as Lava's own processes: LIFReset, Dense, Sparse."""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from snncc.backends.lava_nc import registers
from snncc.backends.lava_nc.expressible import check_expressible
from snncc.backends.lava_nc.loihi.limits import check_limits
from snncc.backends.lava_nc.loihi.schedule import schedule_stock, wait
from snncc.backends.lava_nc.loihi.synapses import Synapses, synapses_into
from snncc.backends.lava_nc.process_network import Connection, Process, ProcessNetwork, late
from snncc.backends.lava_nc.python_text import text
from snncc.backends.lava_nc.schedule import Relay, Schedule
from snncc.ir import Array, Graph, Node
from snncc.ir.arrays import narrow, spread
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Frames

PLANES = 8
DENSE = 0.5
"""Synapses are a Dense where so large a part of all pairs has one."""
MODE = {"num_weight_bits": "8", "sign_mode": "SignMode.MIXED"}


def build_stock(graph: Graph) -> ProcessNetwork:
    """The processes of a program.

    Raises:
        SnnccError: SNN040 or SNN036, for everything in the program that has no process.
    """
    check_expressible(graph)
    check_limits(graph)
    into = {
        node.name: synapses_into(graph, node.inputs[0], _before(node))
        for node in graph.select(IntegerPopulation, IntegerReadout)
    }
    return _Builder(graph, into, schedule_stock(graph, into)).build()


def _before(node: Node) -> int:
    """LIF itself shifts what arrives; what the host sums up is not shifted."""
    return -registers.CURRENT_SHIFT if isinstance(node.op, IntegerPopulation) else 0


@dataclass
class _Builder:
    graph: Graph
    into: dict[str, list[Synapses]]
    schedule: Schedule
    processes: list[Process] = field(default_factory=list[Process])
    connections: list[Connection] = field(default_factory=list[Connection])
    tensors: dict[str, Array] = field(default_factory=dict[str, Array])
    images: dict[tuple[str, int], str] = field(default_factory=dict[tuple[str, int], str])

    def build(self) -> ProcessNetwork:
        relays: defaultdict[str, list[Relay]] = defaultdict(list)
        for relay in self.schedule.relays:
            relays[relay.source].append(relay)
        for node in self.graph.nodes:
            if isinstance(node.op, IntegerPopulation):
                self._population(node, node.op)
            elif isinstance(node.op, IntegerReadout):
                self._readout(node, node.op)
            for relay in relays[node.name]:
                self._relay(relay, node)
        return ProcessNetwork(
            self.graph,
            self.schedule,
            tuple(self.processes),
            tuple(self.connections),
            self.tensors,
            "StockNetwork",
        )

    def _add(self, name: str, kind: str, arguments: dict[str, str], out: str = "a_out") -> str:
        taken, plain, number = {p.name for p in self.processes}, name, 2
        while name in taken:
            name, number = f"{plain} {number}", number + 1
        self.processes.append(Process(name, kind, arguments, out))
        return name

    def _population(self, node: Node, op: IntegerPopulation) -> None:
        self._synapses(node)
        neurons, names = node.type.neurons, tuple(n for n in node.type.names if n != "t")
        arguments = {"shape": f"({neurons},)", "du": "4095"}
        arguments["dv"] = str((1 << registers.DECAY_BITS) - _kept(op))
        threshold = int(self.graph.constants[op.threshold.name].reshape(-1)[0])
        arguments["vth"] = str(threshold >> registers.CURRENT_SHIFT)
        if op.bias is not None:
            array = self.graph.constants[op.bias.name].astype(np.int64)
            sizes = tuple(node.type.size(n) for n in names)
            bias = np.broadcast_to(spread(array, op.bias.axes, names), sizes).reshape(-1)
            exponent = registers.bias_exponent(bias)
            self.tensors[f"{node.name}.bias_mant"] = narrow(registers.round_half_up(bias, exponent))
            self.tensors[f"{node.name}.bias_exp"] = narrow(exponent)
            arguments["bias_mant"] = f"net.tensor({text(f'{node.name}.bias_mant')})"
            arguments["bias_exp"] = f"net.tensor({text(f'{node.name}.bias_exp')})"
        arguments["reset_interval"] = "net.window.period"
        arguments["reset_offset"] = f"net.starts({self.schedule.listens[node.name]})"
        self.processes.append(Process(node.name, "LIFReset", arguments, "s_out"))

    def _readout(self, node: Node, op: IntegerReadout) -> None:
        self._synapses(node)
        arguments = {"shape": f"({node.type.neurons},)"}
        if op.offset is not None:
            names = node.type.names
            array = self.graph.constants[op.offset.name].astype(np.int64)
            offset = np.broadcast_to(spread(array, op.offset.axes, names), node.type.shape)
            self.tensors[f"{node.name}.offset"] = narrow(offset)
            arguments["offset"] = f"net.tensor({text(f'{node.name}.offset')})"
        arguments |= {"net": "net", "arrival": str(self.schedule.arrival[node.name])}
        self.processes.append(Process(node.name, "ring_sink", arguments))

    def _synapses(self, node: Node) -> None:
        for part in self.into[node.name]:
            source = self.graph[part.source]
            name = part.node if part.node != node.name else f"{part.node} synapses"
            self._keep(name, part, node.type.neurons, source.type.neurons)
            delay = wait(self.graph, self.schedule, part.source, node.name)
            if not isinstance(source.op, Frames):
                before = late(part.source, delay) if delay else part.source
                self._connect(self._projection(name, part, node), before, node)
            elif source.op.encoding == "host":
                self._currents(name, part, node)
            else:
                image = self._image(part.source, delay)
                for bit in range(PLANES):
                    arguments = self._weights(f"{text(self.key)}, plane={bit}", part.shift + bit)
                    made = self._add(f"{name} plane {bit}", "Sparse", arguments)
                    self._connect(made, image, node)

    def _keep(self, name: str, part: Synapses, neurons: int, inputs: int) -> None:
        """Stores synapses under a fresh key."""
        self.key, number = name, 2
        while f"{self.key}.rows" in self.tensors:
            self.key, number = f"{name} {number}", number + 1
        self.tensors[f"{self.key}.rows"] = part.rows.astype(np.int32)
        self.tensors[f"{self.key}.columns"] = part.columns.astype(np.int32)
        self.tensors[f"{self.key}.weights"] = part.weights.astype(np.int8)
        self.tensors[f"{self.key}.shape"] = np.array([neurons, inputs], np.int32)

    def _projection(self, name: str, part: Synapses, node: Node) -> str:
        pairs = node.type.neurons * self.graph[part.source].type.neurons
        dense = len(part.weights) >= DENSE * pairs
        key = text(self.key)
        arguments = self._weights(f"{key}, dense=True" if dense else key, part.shift)
        return self._add(name, "Dense" if dense else "Sparse", arguments)

    def _weights(self, synapses: str, shift: int) -> dict[str, str]:
        """MIXED synapses hold even numbers: twice the weight, and an exponent less by one."""
        return {"weights": f"net.synapses({synapses})", "weight_exp": str(shift - 1), **MODE}

    def _connect(self, made: str, source: str, reader: Node) -> None:
        self.connections.append(Connection(source, made, "s_in"))
        self.connections.append(Connection(made, reader.name, "a_in"))

    def _image(self, source: str, delay: int) -> str:
        """Bit planes that the host sends from this step on."""
        if (source, delay) not in self.images:
            name = late(source, delay) if delay else source
            arguments = {"data": f"net.planes({delay})"}
            self.images[source, delay] = self._add(name, "ring_source", arguments, "s_out")
        return self.images[source, delay]

    def _currents(self, name: str, part: Synapses, node: Node) -> None:
        """A current that the host computes from the image and sends at every step."""
        arrival = self.schedule.listens[node.name]
        data = f"net.currents({text(self.key)}, {part.shift}, {arrival})"
        made = self._add(name, "ring_source", {"data": data}, "s_out")
        self.connections.append(Connection(made, node.name, "a_in"))

    def _relay(self, relay: Relay, node: Node) -> None:
        """A spike starts a LIF that fires in the step that it hears one: synapses alone delay."""
        steps, name = relay.delay - relay.before, late(node.name, relay.delay)
        before = late(node.name, relay.before) if relay.before else node.name
        neurons = node.type.neurons
        arguments = {"weights": f"net.identity({neurons})", "weight_exp": "-1", **MODE}
        kind = "Sparse"
        if steps > 1:
            kind, delays = "DelaySparse", f"net.identity({neurons}, {steps - 1})"
            arguments = {"weights": arguments.pop("weights"), "delays": delays, **arguments}
        line = self._add(f"{name} line", kind, arguments)
        own = {"shape": f"({neurons},)", "du": "4095", "dv": "4095", "vth": "0"}
        self.processes.append(Process(name, "LIF", own, "s_out"))
        self.connections.append(Connection(before, line, "s_in"))
        self.connections.append(Connection(line, name, "a_in"))


def _kept(op: IntegerPopulation) -> int:
    factor, shift = op.decay
    return factor << (registers.DECAY_BITS - shift)
