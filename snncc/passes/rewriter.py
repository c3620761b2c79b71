"""Rebuilding a graph node by node: the one way in which passes change graphs."""

from collections.abc import Callable

import numpy as np

from snncc.ir import Array, Graph, GraphBuilder, Node, Op, Param
from snncc.passes.named import Named
from snncc.passes.pipeline import Note, PassResult


class Rewriter:
    """A builder beside the old graph, and where each old value is found in the new one.

    Attributes:
        old: the graph that is rewritten.
        new: the graph that grows; it shares the old one's constants.
        value: new name of each old value that was visited.
    """

    def __init__(self, old: Graph, dialect: str = "", profile: str = "") -> None:
        self.old = old
        self.new = GraphBuilder(dialect or old.dialect, old.steps, profile or old.profile)
        self.new.share(old)
        self.value: dict[str, str] = {}

    def inputs(self, node: Node) -> tuple[str, ...]:
        """New names of an old node's inputs; none of a delay, which `finish` closes."""
        if node.op.looks_back:
            return ()
        return tuple(self.value[name] for name in node.inputs)

    def emit(self, like: Node, op: Op, *inputs: str, name: str = "") -> str:
        """Appends an op at the place of an old node; `name` defaults to the old node's."""
        return self.new.add(op, inputs, like.locs, name or like.name)

    def array(self, param: Param) -> Array:
        return self.new.context.array(param)

    def named(self, param: Param | None, default: float) -> Named:
        if param is None:
            return Named.scalar(default)
        return Named(param.axes, np.asarray(self.array(param), np.float64))

    def finish(self) -> Graph:
        """The new graph."""
        self.close_delays()
        return self.new.finish(self.value[self.old.output])

    def close_delays(self) -> None:
        """Lets delays read what has become of what the old ones read."""
        for node in self.old.nodes:
            name = self.value.get(node.name)
            if node.op.looks_back and name is not None:
                made = self.new[name]
                if made.op.looks_back and not made.inputs:
                    self.new.close(name, self.value[node.inputs[0]])


def rewrite(graph: Graph, visit: Callable[[Rewriter, Node, list[Note]], str]) -> PassResult:
    """Rebuilds a graph in order; `visit` appends what becomes of a node and gives its new name."""
    rewriter = Rewriter(graph)
    notes: list[Note] = []
    for node in graph.nodes:
        rewriter.value[node.name] = visit(rewriter, node, notes)
    return PassResult(rewriter.finish(), tuple(notes))
