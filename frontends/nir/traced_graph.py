"""A network as a traced graph; what has no form stands in it as a foreign op, with a finding."""

from dataclasses import dataclass, field

import numpy as np

from snncc.diagnostics import Finding, SnnccError
from snncc.frontends.frontend import Traced
from snncc.frontends.nir.conventions import Convention
from snncc.frontends.nir.delays import IMAGE, delayed
from snncc.frontends.nir.layers import LAYERS, by_neuron
from snncc.frontends.nir.loops import Loop, cuts_of, loop_of
from snncc.frontends.nir.network import Network
from snncc.frontends.nir.neurons import Neurons, has_one_state, neurons_of, require_form
from snncc.frontends.nir.node_types import NODE_TYPES
from snncc.frontends.nir.records import (
    FROM_WRITER,
    INVALID,
    NO_FORM,
    Edge,
    NirNode,
    Real,
    Refused,
)
from snncc.frontends.nir.state_neurons import StateNeurons, state_neurons_of
from snncc.frontends.nir.values import Naming, Step, Steps, Value
from snncc.frontends.torch_recorder.axis_solver import AxisError, Dim
from snncc.ir import (
    TIME,
    GraphBuilder,
    Kind,
    LimitError,
    Loc,
    Op,
    TypeRuleError,
    VerifyError,
    verify,
)
from snncc.ir.dialects import traced
from snncc.ir.dialects.delays import Delay

NEURONS = ("LIF", "IF")
STATES = ("CubaLIF", "CubaLI", "LI", "I")
STEMS = {1: ("f",), 2: ("c", "w"), 3: ("c", "h", "w")}


def input_shape_of(network: Network) -> tuple[int, ...]:
    """The shape of one image; an Input of two axes stands as an image of height 1."""
    shape = _declared(network)
    return (shape[0], 1, shape[1]) if len(shape) == 2 else shape


def _declared(network: Network) -> tuple[int, ...]:
    """The Input's shape without the axes of a batch and of time that some writers keep."""
    shape = network.input.whole("shape")
    readers = [node for node in network.nodes if network.input.name in network.reads[node.name]]
    wanted = {_read_by(node) for node in readers} - {None}
    for each in wanted:
        if each is not None and len(shape) > len(each) and shape[-len(each) :] == each:
            return each
    return shape


def _read_by(node: NirNode) -> tuple[int, ...] | None:
    """The shape of what a node reads, where its weight says it."""
    if node.kind in ("Affine", "Linear"):
        weight = node.numbers("weight")
        return (weight.shape[-1],) if weight.ndim == 2 else None
    if node.kind == "Conv2d" and "input_shape" in node.fields:
        channels = node.numbers("weight").shape[1] * node.whole("groups")[0]
        return (channels, *node.whole("input_shape"))
    return None


def notes_of(network: Network) -> tuple[str, ...]:
    """What was repaired before anything is traced."""
    said, taken = network.input.whole("shape"), _declared(network)
    if said == taken:
        return network.notes
    told = f"the Input says {list(said)}, and what reads it takes {list(taken)}: taken as that"
    return (*network.notes, told)


def traced_graph(network: Network, convention: Convention, dt: float | None, steps: int) -> Traced:
    """The graph, with a finding for every node that has no form.

    Args:
        network: of valid nodes.
        convention: how neurons are run.
        dt: seconds.
        steps: T.

    Raises:
        SnnccError: SNN151 where shapes do not fit, so that there is no graph.
    """
    work = _Work(network, convention, dt, steps)
    work.find_loops()
    for node in network.nodes:
        work.node(node)
    if any(finding.code == INVALID for finding in work.findings):
        raise SnnccError.of(work.findings)
    return work.finish()


@dataclass
class _Work:
    """State of one run: what every node gives, what was found."""

    network: Network
    convention: Convention
    dt: float | None
    count: int
    steps: Steps = field(default_factory=Steps)
    values: dict[str, Value] = field(default_factory=dict[str, Value])
    findings: list[Finding] = field(default_factory=list[Finding])
    notes: list[str] = field(default_factory=list[str])
    loops: dict[Edge, Loop] = field(default_factory=dict[Edge, Loop])
    lost: set[str] = field(default_factory=set[str])
    promised: dict[str, str] = field(default_factory=dict[str, str])
    meets: dict[Edge, tuple[Dim, ...]] = field(default_factory=dict[Edge, "tuple[Dim, ...]"])

    def find_loops(self) -> None:
        for edge in self.network.back:
            try:
                self.loops[edge] = loop_of(self.network, edge, self.convention)
            except Refused as refused:
                self.findings.append(refused.finding)

    def node(self, node: NirNode) -> None:
        sources = [self.source(name, node.name) for name in self.network.reads[node.name]]
        try:
            self.values[node.name] = self.value(node, sources)
            self.close_loops(node)
        except Refused as refused:
            self.findings.append(refused.finding)
            self.values[node.name] = self.foreign(node, sources)
        except AxisError as error:
            told = f"the axes of {node.title} cannot be followed"
            why = f"what it reads comes together otherwise: {error}"
            self.findings.append(node.finding(NO_FORM, told, why, "write Flatten nodes before it"))
            self.values[node.name] = self.foreign(node, sources)

    def value(self, node: NirNode, sources: list[Value]) -> Value:
        if node.kind == "Input" and not node.inner:
            return self.image(node)
        x = self.joined(node, sources)
        if node.kind in ("Input", "Output"):
            self.check_declared(node, x)
            return x
        if node.kind in LAYERS:
            return LAYERS[node.kind](self.steps, node, x)
        if node.kind == "Threshold":
            level = by_neuron(self.steps, node, x, node.real("threshold"))
            none = np.zeros(())
            return self.neurons(node, x, Neurons(1.0, False, 0.0, "gt", level, none, none))
        if node.kind in NEURONS:
            require_form(node, self.convention)
            self.of_shape(node, x)
            if has_one_state(node, self.convention):
                return self.neurons(node, x, neurons_of(node, self.convention, self.dt))
        if node.kind in (*NEURONS, *STATES):
            self.of_shape(node, x)
            return self.states(node, x, state_neurons_of(node, self.convention, self.dt))
        return delayed(self.steps, node, x, self.dt)

    def source(self, name: str, reader: str) -> Value:
        """What a node reads of another one: of a cut edge of a loop, the step before."""
        value = self.values[name]
        if (name, reader) not in cuts_of(self.loops):
            return value
        return self.late(name, value.dims)

    def late(self, name: str, dims: tuple[Dim, ...]) -> Value:
        """Spikes of a node at the step before; of one without a form, whatever it gives."""
        value = self.values[name]
        kind = Kind.REAL if name in self.lost else Kind.SPIKE

        def build(n: Naming) -> Op:
            return Delay(1, kind.value, n.axes(*dims), n.shape(*dims))

        loc = Loc(name, call="Delay")
        return self.steps.add(f"{name}.before", (value,), dims, build, loc, closes=True)

    def close_loops(self, node: NirNode) -> None:
        """Where a node leads back to an earlier one, which was promised its value."""
        for edge, loop in self.loops.items():
            if loop.source != node.name:
                continue
            value, dims = self.values[node.name], self.meets[edge]
            if self.steps.shape(value) != self.shape_of(dims):
                told = f"{node.title} leads back with values of {list(self.steps.shape(value))}"
                why = f"they meet values of {list(self.shape_of(dims))}"
                raise Refused(node.finding(INVALID, told, why, FROM_WRITER))
            for one, another in zip(value.dims, dims, strict=True):
                self.steps.solver.unify(one, another)
            if loop.cut == edge:
                value = self.late(node.name, value.dims)
            if loop.constant is not None:
                shape = (-1, *[1] * (len(value.dims) - 1))
                first = np.broadcast_to(loop.constant.reshape(shape), self.steps.shape(value))
                value = self.offset(node, value, np.zeros_like(first), first)
            self.promised[_promise(edge)] = value.step

    def shape_of(self, dims: tuple[Dim, ...]) -> tuple[int, ...]:
        return self.steps.shape(Value("", dims))

    def image(self, node: NirNode) -> Value:
        declared = _declared(self.network)
        if len(declared) > 3:
            told = f"{node.title} has {len(declared)} axes"
            raise SnnccError(NO_FORM, told, node.loc, help="an image has at most three")
        atoms = [
            self.steps.atom(*each) for each in zip(STEMS[len(declared)], declared, strict=True)
        ]
        if len(declared) == 2:
            atoms[1] = (*self.steps.atom("one", 1), *atoms[1])
        dims = tuple(atoms)

        def build(n: Naming) -> Op:
            return traced.Input(n.axes(*dims), n.shape(*dims))

        made = self.steps.add(IMAGE, (), dims, build, node.loc)
        self.steps.pictures.add(made.step)
        return made

    def joined(self, node: NirNode, sources: list[Value]) -> Value:
        """What a node reads: the sum of all that leads to it, also by loops."""
        for edge in self.loops:
            if edge[1] == node.name:
                self.meets[edge] = sources[0].dims
                sources = [*sources, Value(_promise(edge), sources[0].dims)]
        if len(sources) == 1:
            return sources[0]
        first = sources[0]
        shapes = {self.steps.shape(each) for each in sources}
        if len(shapes) > 1:
            told = f"{node.title} adds up values of {' and '.join(map(str, sorted(shapes)))}"
            raise Refused(node.finding(INVALID, told, help=FROM_WRITER))
        for other in sources[1:]:
            for one, another in zip(first.dims, other.dims, strict=True):
                self.steps.solver.unify(one, another)
        name = f"{node.name}.sum"
        return self.steps.add(name, tuple(sources), first.dims, lambda _: traced.Add(), node.loc)

    def check_declared(self, node: NirNode, x: Value) -> None:
        """Notes where an Output, or an end of a subgraph, says another shape than what it gets."""
        said, have = node.whole("shape"), self.steps.shape(x)
        if said != have:
            told = f"{node.title} says {list(said)}, and gets {list(have)}: taken as that"
            self.notes.append(told)

    def of_shape(self, node: NirNode, x: Value) -> None:
        """Raises Refused: a node's parameters are of another shape than what it reads."""
        for name in node.fields:
            if name in NODE_TYPES[node.kind].by_neuron:
                by_neuron(self.steps, node, x, node.real(name))

    def neurons(self, node: NirNode, x: Value, given: Neurons) -> Value:
        """Neurons, after a step that adds what they get at every step."""
        self.notes += given.notes
        starts = by_neuron(self.steps, node, x, given.start)
        together = _is_one(starts)
        every = by_neuron(self.steps, node, x, given.offset)
        first = np.zeros(()) if together else by_neuron(self.steps, node, x, given.start_as_input)
        if every.any() or first.any():
            x = self.offset(node, x, every, first)
        level = by_neuron(self.steps, node, x, given.threshold)
        dims = x.dims
        single = _is_one(level)

        def build(n: Naming) -> Op:
            return traced.Lif(
                tau=given.tau,
                v_threshold=float(level.reshape(-1)[0]) if single else 1.0,
                v_reset=given.v_reset,
                decay_input=given.decay_input,
                compare=given.compare,
                threshold=None if single else n.compact("threshold", level, *dims),
                start=(float(starts.reshape(-1)[0]) or None) if together else None,
            )

        return self.steps.add(node.name, (x,), dims, build, node.loc)

    def states(self, node: NirNode, x: Value, given: StateNeurons) -> Value:
        """General neurons."""
        self.notes += given.notes
        shape = self.steps.shape(x)

        def build(n: Naming) -> Op:
            return given.op(n, shape, x.dims)

        return self.steps.add(node.name, (x,), x.dims, build, node.loc)

    def offset(self, node: NirNode, x: Value, every: Real, first: Real) -> Value:
        """A step that adds constants: `every` at each time step, `first` at the first one too."""

        def build(n: Naming) -> Op:
            if not first.any():
                return traced.Scale(offset=n.compact("all", every, *x.dims))
            whole = np.repeat(every.reshape(n.shape(*x.dims))[None], self.count, axis=0)
            whole[0] += first.reshape(n.shape(*x.dims))
            return traced.Scale(offset=n.raw("all", whole, (TIME, *n.axes(*x.dims))))

        return self.steps.add(f"{node.name}.offset", (x,), x.dims, build, node.loc)

    def foreign(self, node: NirNode, sources: list[Value]) -> Value:
        """A node that has no form, of the shape of what it reads."""
        self.lost.add(node.name)
        dims = sources[0].dims if sources else (self.steps.atom("f", 1),)

        def build(n: Naming) -> Op:
            return traced.Foreign(node.kind, n.axes(*dims), n.shape(*dims))

        return self.steps.add(node.name, tuple(sources), dims, build, node.loc)

    def finish(self) -> Traced:
        """The graph, which ends in the mean over the steps of what the Output gives."""
        builder = GraphBuilder("traced", self.count)
        names = self.steps.solver.names()
        made: dict[str, str] = {}
        steps = self.steps.ordered(self.promised)
        for step in steps:
            made[step.name] = self.emit(builder, names, made, step)
        for step in steps:
            if step.closes:
                builder.close(made[step.name], made[step.inputs[0]])
        output = self.network.output
        answer = made[self.values[output.name].step]
        if builder[answer].type.temporal:
            answer = builder.add(traced.Mean((TIME,)), [answer], (output.loc,), "answer")
        graph = builder.finish(answer)
        try:
            verify(graph)
        except LimitError as error:
            findings = (Finding("SNN070", text) for text in error.problems)
            raise SnnccError.of(findings) from error
        except VerifyError as error:
            raise SnnccError(NO_FORM, "the graph cannot be put together", why=str(error)) from error
        return Traced(graph, tuple(self.findings), tuple(self.notes))

    def emit(
        self, builder: GraphBuilder, names: dict[int, str], made: dict[str, str], step: Step
    ) -> str:
        inputs = [] if step.closes else [made[name] for name in step.inputs]
        stem = step.name
        try:
            op = step.build(Naming(self.steps.solver, names, builder, stem))
            if isinstance(op, Delay) and inputs:
                op = Delay.of(builder[inputs[0]].type, op.steps)
            by_step = isinstance(op, traced.Scale) and op.offset and TIME in op.offset.axes
            if by_step and not builder[inputs[0]].type.temporal:
                inputs = [builder.add(traced.Repeat(), inputs, (step.loc,), f"{stem}.repeat")]
            return builder.add(op, inputs, (step.loc,), stem)
        except (AxisError, TypeRuleError) as error:
            told = f"{step.loc.call} {step.loc.module_path!r} has no form as it stands"
            finding = Finding(NO_FORM, told, step.loc, str(error), "see docs/nir.md")
            raise SnnccError.of([*self.findings, finding]) from error


def _promise(edge: Edge) -> str:
    """A name for what an edge back will bring; no step is called so."""
    return f"{edge[0]} -> {edge[1]}"


def _is_one(array: Real) -> bool:
    """Whether all numbers are the same."""
    return bool((array == array.reshape(-1)[0]).all())
