"""Graphs: nodes in topological order, each with one result, and the constants they name.

Delays alone may read a node that comes after them (`Op.looks_back`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from snncc.ir.fits import known_fit
from snncc.ir.loc import Loc
from snncc.ir.names import as_name, numbered
from snncc.ir.op import Array, Context, Op, Param
from snncc.ir.types import ValueType


@dataclass(frozen=True, slots=True)
class Node:
    """One op applied to earlier values. A node's name is also the name of its result.

    Attributes:
        name: unique in the graph; the module path where the node stands for one module.
        op: what is computed.
        inputs: names of the values it reads, in order.
        type: type of the result.
        locs: places in the user's model that this node stands for.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    type: ValueType
    locs: tuple[Loc, ...] = ()

    @property
    def loc(self) -> Loc | None:
        """The first of its places, if any is known."""
        return self.locs[0] if self.locs else None

    @property
    def module_path(self) -> str:
        """Of the first place; "" for the root, or where none is known."""
        return self.locs[0].module_path if self.locs else ""


@dataclass(frozen=True)
class Graph:
    """A program in one dialect.

    Attributes:
        dialect: name of the table of legal ops ("traced", "spiking", "integer").
        steps: T, the number of time steps.
        nodes: in topological order.
        output: name of the value that the network answers with.
        constants: arrays by name; read-only.
        profile: semantics profile of an integer program, "" elsewhere.
    """

    dialect: str
    steps: int
    nodes: tuple[Node, ...]
    output: str
    constants: Mapping[str, Array] = field(default_factory=dict[str, Array])
    profile: str = ""

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def readers(self) -> Mapping[str, tuple[Node, ...]]:
        """Which nodes read a value; a node that reads it twice is listed once."""
        found: defaultdict[str, list[Node]] = defaultdict(list)
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found[name].append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

    @cached_property
    def last_uses(self) -> Mapping[str, tuple[str, ...]]:
        """By node: the values that nobody reads after it; an executor may forget them there.

        What a delay reads is not among them: it may come after the delay.
        """
        last = {name: node.name for node in self.nodes for name in node.inputs}
        kept = {name for node in self.nodes if node.op.looks_back for name in node.inputs}
        found: defaultdict[str, list[str]] = defaultdict(list)
        for name, node in last.items():
            if name != self.output and name not in kept:
                found[node].append(name)
        return {node: tuple(names) for node, names in found.items()}

    @property
    def context(self) -> Context:
        return Context(self.steps, self.constants)

    def __getitem__(self, name: str) -> Node:
        return self.by_name[name]

    def input_types(self, node: Node) -> tuple[ValueType, ...]:
        return tuple(self.by_name[name].type for name in node.inputs)

    def select(self, *ops: type[Op]) -> tuple[Node, ...]:
        """The nodes whose op is one of these classes, in order."""
        return tuple(node for node in self.nodes if isinstance(node.op, ops))

    def sole_reader(self, name: str) -> Node | None:
        """The only reader of a value that is not the output, or None."""
        readers = self.readers.get(name, ())
        return readers[0] if len(readers) == 1 and name != self.output else None


class GraphBuilder:
    """Builds a graph node by node; every result type comes from the op's own type rule."""

    def __init__(self, dialect: str, steps: int, profile: str = "") -> None:
        self._dialect = dialect
        self._steps = steps
        self._profile = profile
        self._nodes: dict[str, Node] = {}
        self._stems: dict[str, str] = {}
        self._constants: dict[str, Array] = {}

    @property
    def context(self) -> Context:
        return Context(self._steps, self._constants)

    def __contains__(self, name: str) -> bool:
        return name in self._nodes

    def __getitem__(self, name: str) -> Node:
        return self._nodes[name]

    def fresh(self, stem: str) -> str:
        """A node name that is not taken yet: the stem, or the stem with a number.

        What no name of a program may hold becomes "_"; the node's place keeps the module's path.
        """
        return _fresh(as_name(stem) or "v", self._nodes)

    def add(
        self, op: Op, inputs: Iterable[str] = (), locs: tuple[Loc, ...] = (), name: str = ""
    ) -> str:
        """Appends a node and returns its name.

        A delay may be given without its source, which `close` tells later.

        Raises:
            TypeRuleError: the op does not fit its inputs.
        """
        inputs = tuple(inputs)
        stem = as_name(name or op.word)
        name = self.fresh(stem)
        self._stems[name] = stem
        types = tuple([self._nodes[i].type for i in inputs])
        result = known_fit(self._dialect, op, params_of(op), types, self.context)
        result = result or op.infer(types, self.context)
        self._nodes[name] = Node(name, op, inputs, result, locs)
        return name

    def close(self, name: str, source: str) -> None:
        """Tells a delay that was added without a source what it reads: any node, a later one too.

        Raises:
            ValueError: it is no delay, or has a source.
        """
        node = self._nodes[name]
        if not node.op.looks_back or node.inputs:
            raise ValueError(f"{name} is no delay that lacks its source")
        self._nodes[name] = replace(node, inputs=(self._nodes[source].name,))

    def keep(self, node: Node, **constants: Array) -> str:
        """Appends a node under its own name, with its type inferred again."""
        self._constants.update(constants)
        return self.add(node.op, node.inputs, node.locs, node.name)

    def constant(self, stem: str, array: Array, axes: Iterable[str] = ()) -> Param:
        """Stores an array under a fresh name and returns the reference to it."""
        name = _fresh(as_name(stem) or "c", self._constants)
        frozen = np.array(array, order="C")
        frozen.setflags(write=False)
        self._constants[name] = frozen
        return Param(name, tuple(axes))

    def share(self, graph: Graph) -> None:
        """Makes the constants of a graph available under their own names."""
        self._constants.update(graph.constants)

    def finish(self, output: str) -> Graph:
        """The graph that leads to `output`: unread nodes and constants are dropped.

        A node that had to take a number because another had its name loses the number when that
        other one is dropped.

        Raises:
            ValueError: a delay was never closed.
        """
        live: set[str] = set()
        pending = [output]
        while pending:
            name = pending.pop()
            if name not in live:
                live.add(name)
                node = self._nodes[name]
                if node.op.looks_back and not node.inputs:
                    raise ValueError(f"the delay {name} has no source")
                pending.extend(node.inputs)
        plain: dict[str, str] = {}
        given: set[str] = set()
        for name in (n for n in self._nodes if n in live):
            stem = self._stems[name]
            plain[name] = stem if stem not in live and stem not in given else name
            given.add(plain[name])
        nodes = tuple(_renamed(node, plain) for node in self._nodes.values() if node.name in live)
        output = plain[output]
        used = {param.name for node in nodes for param in params_of(node.op)}
        constants = {key: self._constants[key] for key in self._constants if key in used}
        return Graph(self._dialect, self._steps, nodes, output, constants, self._profile)


PARAMS = "_params"


def params_of(op: Op) -> tuple[Param, ...]:
    """The constants that an op names, in field order; kept with the op, which never changes."""
    found: tuple[Param, ...] | None = op.__dict__.get(PARAMS)
    if found is None:
        values = [getattr(op, name) for name in op.__dataclass_fields__]
        found = op.__dict__[PARAMS] = tuple(v for v in values if isinstance(v, Param))
    return found


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    name, inputs = names[node.name], tuple([names[source] for source in node.inputs])
    if name == node.name and inputs == node.inputs:
        return node
    return replace(node, name=name, inputs=inputs)


def _fresh(stem: str, taken: Mapping[str, object]) -> str:
    if stem not in taken:
        return stem
    number = 2
    while (name := numbered(stem, number)) in taken:
        number += 1
    return name
