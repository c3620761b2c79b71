"""Which Lava processes a program becomes, and how their ports are connected."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from snncc.backends.lava_nc.expressible import check_expressible
from snncc.backends.lava_nc.python_text import call, constant, mapping, names, text
from snncc.backends.lava_nc.schedule import Relay, Schedule, balance_delays
from snncc.backends.lava_nc.terms import Term, by_port, inlined, step_axes, terms_of
from snncc.ir import INTEGER, Array, Graph, Node, Op, ValueType
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.windows import Largest
from snncc.meaning import Meaning

IN_PORTS = 8
"""InPorts of a Sum or a Population of the bundle (`IN_PORTS` in neurons.py)."""


@dataclass(frozen=True)
class Process:
    """One process of the bundle.

    Attributes:
        name: module path in the model; unique.
        kind: class in the bundle.
        arguments: keyword arguments after the name, as Python text.
        out: name of its OutPort.
    """

    name: str
    kind: str
    arguments: Mapping[str, str]
    out: str = "a_out"


@dataclass(frozen=True)
class Connection:
    """An OutPort of one process at an InPort of another."""

    source: str
    reader: str
    port: str


@dataclass(frozen=True)
class ProcessNetwork:
    """Everything that `network.py` of a bundle says.

    Attributes:
        graph: the program.
        schedule: when what arrives.
        processes: in the order of the program.
        connections: likewise, by reader.
        tensors: the arrays that the processes hold, by name.
        base: class of the bundle that the network is made from.
    """

    graph: Graph
    schedule: Schedule
    processes: tuple[Process, ...]
    connections: tuple[Connection, ...]
    tensors: Mapping[str, Array]
    base: str = "LavaNetwork"


def build_processes(graph: Graph) -> ProcessNetwork:
    """The processes of a program of the profile `exact`.

    Raises:
        SnnccError: SNN040, for everything in the program that has no process.
    """
    check_expressible(graph)
    return _Builder(graph, balance_delays(graph)).build()


@dataclass
class _Builder:
    graph: Graph
    schedule: Schedule
    processes: list[Process] = field(default_factory=list[Process])
    connections: list[Connection] = field(default_factory=list[Connection])

    def build(self) -> ProcessNetwork:
        relays: defaultdict[str, list[Relay]] = defaultdict(list)
        for relay in self.schedule.relays:
            relays[relay.source].append(relay)
        for node in self.graph.nodes:
            PROCESS(Placed(self, node), node)
            for relay in relays[node.name]:
                self._relay(relay, node)
        return ProcessNetwork(
            self.graph,
            self.schedule,
            tuple(self.processes),
            tuple(self.connections),
            self.graph.constants,
        )

    def add(self, name: str, kind: str, arguments: Mapping[str, str], out: str = "a_out") -> None:
        self.processes.append(Process(name, kind, arguments, out))

    def timing(self, node: Node) -> dict[str, str]:
        return {"window": "net.window", "arrival": str(self.schedule.listens[node.name])}

    def connect(self, source: str, reader: str, port: str) -> None:
        """From a node's process, or from the relay that holds its value until it is read."""
        self.connections.append(Connection(self._at(source, reader), reader, port))

    def _at(self, source: str, reader: str) -> str:
        """The process that sends a node's value when another node listens."""
        delay = self.schedule.wait(source, reader) if source in self.graph.by_name else 0
        return late(source, delay) if delay else source

    def _relay(self, relay: Relay, node: Node) -> None:
        steps = relay.delay - relay.before
        name = late(node.name, relay.delay)
        self.add(name, "Relay", {"axes": mapping(step_axes(node.type)), "delay": str(steps)})
        before = late(node.name, relay.before) if relay.before else node.name
        self.connections.append(Connection(before, name, "a_in"))

    def sum(self, node: Node, kind: str, rest: Mapping[str, str]) -> None:
        """A Sum or a Population, and sums before it when it has too few InPorts."""
        ports = by_port(terms_of(self.graph, self.schedule, node))
        number = 1
        while len(ports) > IN_PORTS:
            part = f"{node.name} part {number}"
            self._ports(part, "Sum", node, ports[:IN_PORTS], {})
            whole = Term(part, tuple(step_axes(node.type).items()))
            ports, number = [*ports[IN_PORTS:], [whole]], number + 1
        self._ports(node.name, kind, node, ports, rest)

    def _ports(
        self, name: str, kind: str, node: Node, ports: list[list[Term]], rest: Mapping[str, str]
    ) -> None:
        shown = ", ".join(_term(port[0]) for port in ports)
        arguments = {"axes": mapping(step_axes(node.type)), "terms": f"[{shown}]"}
        out = "s_out" if kind == "Population" else "a_out"
        self.add(name, kind, {**self.timing(node), **arguments, **rest}, out)
        for i, port in enumerate(ports):
            for term in port:
                source = self._at(term.source, node.name)
                self.connections.append(Connection(source, name, f"a_in_{i}" if i else "a_in"))


@dataclass(frozen=True)
class Placed:
    """A node that becomes processes of a network."""

    builder: _Builder
    node: Node

    @property
    def axes(self) -> str:
        """The node's axes at one step, as Python text."""
        return mapping(step_axes(self.node.type))

    def add(self, kind: str, arguments: Mapping[str, str], out: str = "a_out") -> None:
        """Adds the node's own process."""
        self.builder.add(self.node.name, kind, arguments, out)

    def listen(self, port: str = "a_in") -> None:
        """Connects it with its first input."""
        self.builder.connect(self.node.inputs[0], self.node.name, port)


PROCESS: Meaning[Placed, None] = Meaning("the Lava backend", INTEGER)


@PROCESS.of(Frames)
def frames(at: Placed, op: Frames) -> None:
    if op.encoding != "host":
        arguments = {"window": "net.window", "images": "net.images", "axes": at.axes}
        at.add("PixelPlanes", arguments, "s_out")


@PROCESS.of(Contract)
def contract(at: Placed, op: Contract) -> None:
    _projection(at, op)


@PROCESS.of(Convolve)
def convolve(at: Placed, op: Convolve) -> None:
    _projection(at, op)


@PROCESS.each(Sum, Concat)
def meeting(at: Placed, op: Op) -> None:
    if not inlined(at.builder.graph, at.builder.schedule, at.node):
        at.builder.sum(at.node, "Sum", {})


PROCESS.refuses(
    Take,
    why="no process moves elements along an axis yet",
    help="choose the parts in the weights of the layer that reads them",
)
PROCESS.refuses(
    Delay,
    why="its processes hold no spikes or currents back for later steps yet",
    help="run the program with `snncc run`, which does",
)
PROCESS.refuses(
    Product,
    why="no process adds up what spikes select yet",
    help="run the program with `snncc run`, which has every step at hand",
)
PROCESS.refuses(
    IntegerNeuron,
    why="no process has neurons of several states, or whose reset comes a step late, yet",
    help="use a neuron of one state whose reset is hard, or takes off its threshold, for Lava",
)
PROCESS.refuses(
    SumAlong,
    why="no process adds currents along an axis yet",
    help="run the program with `snncc run`, which has every step at hand",
)
PROCESS.refuses(
    MultiThreshold,
    why="no process counts how many thresholds a current has passed yet",
    help="run the program with `snncc run`, or put neurons in its place for Lava",
)
PROCESS.refuses(
    Gate,
    why="no process lets spikes gate others yet",
    help="add the two, or concatenate them, in place of the product",
)
PROCESS.refuses(
    Largest,
    why="no process takes the largest of spikes or currents yet",
    help="use average pooling or a strided convolution in its place for Lava",
)


@PROCESS.of(Gain)
def gain(at: Placed, op: Gain) -> None:
    arguments = {"axes": at.axes, "mantissa": constant(op.mantissa), "shift": str(op.shift)}
    at.add("Gain", {**at.builder.timing(at.node), **arguments})
    at.listen()


@PROCESS.of(IntegerReadout)
def readout(at: Placed, op: IntegerReadout) -> None:
    arguments = {"axes": at.axes, "answers": "net.answers"}
    if op.offset is not None:
        arguments["offset"] = constant(op.offset)
    at.add("Readout", {**at.builder.timing(at.node), **arguments}, "y_out")
    at.listen()


@PROCESS.of(IntegerPopulation)
def population(at: Placed, op: IntegerPopulation) -> None:
    rest = {"leak": _leak(op), "threshold": constant(op.threshold)}
    for key, param in (("bias", op.bias), ("polarity", op.polarity), ("offset", op.offset)):
        if param is not None:
            rest[key] = constant(param)
    if op.compare != "ge":
        rest["compare"] = text(op.compare)
    if op.reset != "hard":
        rest["reset"] = text(op.reset)
    rest["log"] = f"net.log({text(at.node.name)}, {at.axes})"
    at.builder.sum(at.node, "Population", rest)


def _projection(at: Placed, op: Contract | Convolve) -> None:
    source = at.builder.graph[at.node.inputs[0]]
    arguments = {"weight": f"net.tensor({text(op.weight.name)})"}
    arguments["linear"] = _linear(op, source.type, at.node.type)
    if isinstance(source.op, Frames) and source.op.encoding == "host":
        at.add("HostCurrent", {"window": "net.window", "images": "net.images", **arguments})
        return
    if isinstance(source.op, Frames):
        arguments["planes"] = "True"
    at.add("Projection", {**at.builder.timing(at.node), **arguments})
    at.listen("s_in")


def late(name: str, delay: int) -> str:
    """Name of the relay that sends a value so much later."""
    return f"{name} late {delay}"


def _term(term: Term) -> str:
    parts = [mapping(dict(term.axes))]
    if term.shift:
        parts.append(f"shift={term.shift}")
    if term.at:
        parts.append(f"at={mapping(dict(term.at))}")
    return f"Term({', '.join(parts)})"


def _leak(op: IntegerPopulation) -> str:
    factor, shift = op.decay
    parts = [str(factor), str(shift)]
    if op.decay_offset or op.rounding is not Rounding.DOWN:
        parts.append(str(op.decay_offset))
    if op.rounding is not Rounding.DOWN:
        parts.append(text(op.rounding.value))
    return f"Leak({', '.join(parts)})"


def _linear(op: Contract | Convolve, source: ValueType, result: ValueType) -> str:
    arguments = {"source": mapping(step_axes(source)), "result": mapping(step_axes(result))}
    if isinstance(op, Contract):
        arguments |= {"into": names(op.into), "out": names(op.out)}
        for key, roles in (("shared", op.shared), ("summed", op.summed)):
            if roles:
                arguments[key] = names(roles)
        return call("Contraction", arguments)
    arguments["image"] = names((op.height, op.width, op.channel))
    arguments["made"] = names((op.out_height, op.out_width, op.out_channel))
    plain = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
    arguments |= {k: repr(getattr(op, k)) for k, usual in plain.items() if getattr(op, k) != usual}
    return call("Convolution", arguments)
