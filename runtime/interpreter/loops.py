"""The interpreter's loops: nodes that read one another through delays run step by step."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from snncc.execution import Images, Ints
from snncc.ir import TIME, Array, Graph, Node
from snncc.ir.arrays import align, timed
from snncc.ir.dialects.delays import Delay
from snncc.ir.steps import each_step
from snncc.runtime.interpreter.delays import past_of
from snncc.runtime.interpreter.table import VALUE, At, Computed

NO_IMAGES: Images = np.zeros(0, np.uint8)


class Ran(NamedTuple):
    """What steps of a loop gave.

    Attributes:
        values: by node, [batch, *axes of its type].
        membranes: by population, at the comparison, shaped as its value.
        state: what the next step needs: membranes after the reset, [batch, *axes of one step], by
            population, and by delay the last values that it read, [batch, steps, *axes of one
            step].
    """

    values: dict[str, Array]
    membranes: dict[str, Ints]
    state: dict[str, Array]


@dataclass(frozen=True)
class Loop:
    """The nodes of a loop, made ready for some steps.

    Attributes:
        nodes: in order; delays read what the last step left.
        programs: for every step the program as if that step were all.
    """

    nodes: Sequence[Node]
    programs: Sequence[Graph]

    @classmethod
    def of(cls, graph: Graph, nodes: Sequence[Node], first: int, last: int) -> "Loop":
        """Steps of a loop of a program; of the program only what the loop reads is looked at."""
        return cls(nodes, each_step(graph, first, last))

    def run(
        self,
        sources: Mapping[str, Array],
        batch: int,
        state: Mapping[str, Array] | None = None,
        before: Callable[[Node], None] = lambda _: None,
        images: Images = NO_IMAGES,
        levels: Collection[str] | None = None,
    ) -> Ran:
        """Computes these steps.

        Args:
            sources: what the loop reads from outside, [batch, *axes of the types].
            batch: how many samples.
            state: what the step before left; None before the first.
            before: called before each node is computed, at every step.
            images: uint8, [batch, *axes of the image]; only their kind of array is asked for.
            levels: populations whose membranes are kept; None for all.
        """
        whole: dict[str, list[Array]] = {node.name: [] for node in self.nodes}
        membranes: dict[str, list[Ints]] = {}
        kept: dict[str, Array] = {} if state is None else dict(state)
        for step, program in enumerate(self.programs):
            now = {
                name: _at(value, program[name].type.names, step) for name, value in sources.items()
            }
            for node in self.nodes:
                before(node)
                found = self._compute(program, program[node.name], now, kept, images, batch)
                now[node.name] = found.value
                whole[node.name].append(found.value)
                if found.state is not None:
                    kept[node.name] = found.state
                if found.membranes is not None and (levels is None or node.name in levels):
                    membranes.setdefault(node.name, []).append(found.membranes)
            for node in self.nodes:
                if isinstance(node.op, Delay):
                    read = node.inputs[0]
                    whole_step = timed(now[read], program[read].type.names, 1)
                    new = align(*whole_step, (TIME, *node.op.axes))
                    kept[node.name] = np.concatenate([kept[node.name][:, 1:], new], axis=1)
        names = {node.name: node.type.names for node in self.nodes}
        return Ran(
            {name: _joined(parts, names[name]) for name, parts in whole.items()},
            {name: _joined(parts, names[name]) for name, parts in membranes.items()},
            kept,
        )

    def _compute(
        self,
        program: Graph,
        node: Node,
        now: Mapping[str, Array],
        kept: dict[str, Array],
        images: Images,
        batch: int,
    ) -> Computed:
        state = kept.get(node.name)
        if not isinstance(node.op, Delay):
            sources = [now[name] for name in node.inputs]
            return VALUE(At(program, node, sources, images, state), node)
        if state is None:
            like = self._like(node, next(iter(now.values()), images), batch)
            state = kept[node.name] = past_of(At(program, node, [], images), node.op, like)
        return Computed(state[:, :1])

    def _like(self, node: Node, given: Array, batch: int) -> Array:
        """Of the kind of array that comes in, of the type in which a delay holds what it reads."""
        dtype = np.uint8 if node.type.domain is not None else np.int64
        return np.zeros_like(given, dtype=dtype, shape=(batch, 1))


def _at(value: Array, names: tuple[str, ...], step: int) -> Array:
    """A value at one step, its time axis of length 1; as it is where it has none."""
    if TIME not in names:
        return value
    lead = (slice(None),) * (1 + names.index(TIME))
    taken: Array = value[(*lead, slice(step, step + 1))]
    return taken


def _joined(parts: Sequence[Array], names: tuple[str, ...]) -> Array:
    """Steps one after another, along the time axis."""
    return np.concatenate(parts, axis=1 + names.index(TIME))
