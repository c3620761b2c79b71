"""What an op's value is: the table, what its functions are given, and what they give."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from snncc.execution import Images, Ints
from snncc.ir import INTEGER, Array, Graph, Node, Param
from snncc.ir.arrays import spread
from snncc.meaning import Meaning


@dataclass(frozen=True)
class At:
    """A node whose value is asked for.

    Attributes:
        graph: integer dialect; its `steps` are those that are computed.
        node: one of the graph.
        sources: values of its inputs, [batch, *axes of their types].
        images: uint8, [batch, *axes of the image]; only `pixels` reads them.
        state: a population's membranes before the first step, [batch, *axes of one step] in the
            order of the node's type; of a delay the last values that it read, [batch, steps, *axes
            of one step]; None at the start of a program.
    """

    graph: Graph
    node: Node
    sources: Sequence[Array]
    images: Images
    state: Ints | None = None

    @property
    def names(self) -> list[tuple[str, ...]]:
        """Axes of every source."""
        return [self.graph[name].type.names for name in self.node.inputs]

    def constant(self, param: Param, target: tuple[str, ...]) -> Ints:
        """A constant over the axes of a value, without the batch."""
        return spread(self.graph.constants[param.name].astype(np.int64), param.axes, target)


class Computed(NamedTuple):
    """What a node gives.

    Attributes:
        value: [batch, *axes of the node's type].
        membranes: of a population, Z at every comparison, before the reset; shaped as the value.
        state: of a population, V after the last step and its reset, of a delay the last values
            that it read; shaped as `At.state`.
    """

    value: Array
    membranes: Ints | None = None
    state: Ints | None = None


VALUE: Meaning[At, Computed] = Meaning("the interpreter", INTEGER)
