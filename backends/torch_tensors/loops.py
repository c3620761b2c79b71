"""Loops of a program on tensors: nodes that read one another through delays, step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from snncc.backends.torch_tensors.axes import aligned, timed
from snncc.backends.torch_tensors.elements import before_first
from snncc.backends.torch_tensors.forms import Form
from snncc.backends.torch_tensors.table import VALUE, At, Computed, Memory
from snncc.ir import TIME, Graph, Kind, Node
from snncc.ir.dialects.delays import Delay
from snncc.ir.steps import each_step


class Ran(NamedTuple):
    """What a loop gave: by node values, and membranes that are kept; shaped as their types."""

    values: dict[str, Tensor]
    membranes: dict[str, Tensor]


@dataclass(frozen=True)
class Loop:
    """The nodes of a loop.

    Attributes:
        nodes: in order; delays read what the last steps left.
        programs: for every step the program as if that step were all.
        forms: of products.
    """

    nodes: Sequence[Node]
    programs: Sequence[Graph]
    forms: Mapping[str, Form]

    @classmethod
    def of(cls, graph: Graph, nodes: Sequence[Node], forms: Mapping[str, Form]) -> "Loop":
        """A loop of a program."""
        return cls(nodes, each_step(graph, 0, graph.steps), forms)

    def run(
        self,
        outside: Mapping[str, Tensor],
        images: Tensor,
        memory: Memory,
        wanted: frozenset[str],
    ) -> Ran:
        """Computes all steps from what lies before the loop; membranes of `wanted` are kept."""
        own = {node.name for node in self.nodes}
        read = {name for node in self.nodes for name in node.inputs} - own
        values: dict[str, list[Tensor]] = {node.name: [] for node in self.nodes}
        membranes: dict[str, list[Tensor]] = {}
        kept: dict[str, Tensor] = {}
        for t, program in enumerate(self.programs):
            now = {n: _at(outside[n], program[n].type.names, t) for n in read}
            for node in self.nodes:
                name = node.name
                found = self._computed(program, name, now, images, memory, kept, name in wanted)
                now[name] = found.value
                values[name].append(found.value)
                if found.state is not None:
                    kept[name] = found.state
                if found.membranes is not None:
                    membranes.setdefault(name, []).append(found.membranes)
            for node in self.nodes:
                if isinstance(node.op, Delay):
                    source = node.inputs[0]
                    x, names = timed(now[source], program[source].type.names, 1)
                    x = aligned(x, names, (TIME, *node.op.axes))
                    kept[node.name] = torch.cat([kept[node.name][:, 1:], x], dim=1)
        place = {node.name: 1 + node.type.names.index(TIME) for node in self.nodes}
        return Ran(
            {name: torch.cat(parts, dim=place[name]) for name, parts in values.items()},
            {name: torch.cat(parts, dim=place[name]) for name, parts in membranes.items()},
        )

    def _computed(
        self,
        program: Graph,
        name: str,
        now: Mapping[str, Tensor],
        images: Tensor,
        memory: Memory,
        kept: dict[str, Tensor],
        keep: bool,
    ) -> Computed:
        node = program[name]
        form = self.forms.get(name, Form.INT64)
        if not isinstance(node.op, Delay):
            sources = [now[source] for source in node.inputs]
            return VALUE(
                At(program, node, sources, images, memory, form, keep, kept.get(name)), node
            )
        if name not in kept:
            dtype = torch.uint8 if node.type.kind is Kind.SPIKE else torch.int64
            like = torch.zeros((len(images), 1), dtype=dtype, device=memory.device)
            kept[name] = before_first(At(program, node, [], images, memory), node.op, like)
        return Computed(kept[name][:, :1])


def _at(x: Tensor, names: tuple[str, ...], t: int) -> Tensor:
    """A value at one step, its time axis of length 1; as it is where it has none."""
    return x if TIME not in names else x.narrow(1 + names.index(TIME), t, 1)
