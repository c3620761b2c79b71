"""What an op is on tensors: the table, what its functions are given, and what they give."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from snncc.backends.torch_tensors.forms import Form
from snncc.ir import INTEGER, Array, Graph, Node, Param
from snncc.ir.arrays import spread
from snncc.meaning import Meaning


@dataclass(frozen=True)
class Memory:
    """Constants on the device, put there when they are first asked for.

    Attributes:
        device: where.
        kept: by array and purpose; the array stays alive with its tensor, so that no other takes
            its place.
    """

    device: torch.device
    kept: dict[tuple[object, ...], tuple[Array, Tensor]] = field(
        default_factory=dict[tuple[object, ...], tuple[Array, Tensor]]
    )

    def tensor(
        self, array: Array, purpose: tuple[object, ...], make: Callable[[], Array]
    ) -> Tensor:
        """What `make` gives, on the device.

        Args:
            array: of the program, from which it is made.
            purpose: what it is made for; the same purpose gives the same tensor.
            make: gives an array of the device's layout and type.
        """
        key = (id(array), *purpose)
        if key not in self.kept:
            made = torch.from_numpy(np.array(make(), order="C")).to(self.device)
            self.kept[key] = (array, made)
        return self.kept[key][1]


@dataclass(frozen=True)
class At:
    """A node whose value is asked for.

    Attributes:
        graph: integer dialect; its `steps` are those that are computed.
        node: one of the graph.
        sources: values of its inputs, [batch, *axes of their types].
        images: [batch, *axes of the image].
        memory: of constants.
        form: of a product: its numbers.
        keep: whether membranes are asked for.
        state: a neuron's state before the first of these steps; None at the start of a program.
    """

    graph: Graph
    node: Node
    sources: Sequence[Tensor]
    images: Tensor
    memory: Memory
    form: Form = Form.INT64
    keep: bool = False
    state: Tensor | None = None

    @property
    def names(self) -> list[tuple[str, ...]]:
        """Axes of every source."""
        return [self.graph[name].type.names for name in self.node.inputs]

    @property
    def wide(self) -> list[Tensor]:
        """The sources in int64."""
        return [source.to(torch.int64) for source in self.sources]

    def constant(self, param: Param, target: tuple[str, ...]) -> Tensor:
        """A constant over the axes of a value, without the batch, in int64."""
        array = self.graph.constants[param.name]

        def made() -> Array:
            return spread(array.astype(np.int64), param.axes, target)

        return self.memory.tensor(array, ("over", param.axes, target), made)


class Computed(NamedTuple):
    """What a node gives.

    Attributes:
        value: [batch, *axes of the node's type].
        membranes: of a neuron, where they are asked for: what is compared, shaped as the value.
        state: of a neuron, what it keeps after the last step.
    """

    value: Tensor
    membranes: Tensor | None = None
    state: Tensor | None = None


VALUE: Meaning[At, Computed] = Meaning("torch", INTEGER)

TYPES: Mapping[str, torch.dtype] = {
    "uint8": torch.uint8,
    "int8": torch.int8,
    "int64": torch.int64,
    "float32": torch.float32,
    "float64": torch.float64,
}
