"""Whole programs on tensors: nodes in order, loops step by step, images in parts that fit."""

from collections import Counter
from collections.abc import Collection
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from snncc.backends.torch_tensors.checking import check_forms
from snncc.backends.torch_tensors.device import (
    exact_products,
    images_at_once,
    opened,
    out_of_memory,
)
from snncc.backends.torch_tensors.forms import BY_DEVICE, Form, forms_of
from snncc.backends.torch_tensors.loops import Loop
from snncc.backends.torch_tensors.table import VALUE, At, Memory
from snncc.execution import (
    Execution,
    Images,
    check_images,
    counts_among,
    readout_of,
    recorded_names,
)
from snncc.ir import Graph
from snncc.ir.cycles import arranged, components
from snncc.ir.populations import is_population

Device = Literal["cpu", "cuda"]


class TorchExecutor:
    """A program that runs on tensors.

    Args:
        graph: integer dialect, verified.
        device: "cpu" or "cuda".
        forms: that products may have, in the order in which they are tried; None for those that
            are exact on the device.

    Attributes:
        forms: of every product of the program.
        images_at_once: how many images a call takes at a time.

    Raises:
        SnnccError: SNN050 when the device is not there, SNN053 when its products are not exact,
            SNN040 for an op that has no form, SNN061 when a form is not proved.
    """

    def __init__(
        self, graph: Graph, device: Device = "cpu", forms: Collection[Form] | None = None
    ) -> None:
        VALUE.require(graph)
        self.graph = arranged(graph)
        self.forms = forms_of(graph, tuple(BY_DEVICE[device] if forms is None else forms))
        check_forms(graph, self.forms)
        self._memory = Memory(opened(device, set(self.forms.values())))
        self._parts = [
            Loop.of(self.graph, part.nodes, self.forms) if part.cyclic else part.nodes[0]
            for part in components(self.graph)
        ]
        self.images_at_once = images_at_once(self.graph, self.forms, self._memory.device)

    @property
    def products(self) -> dict[str, int]:
        """How many products of the program are computed in which numbers."""
        return dict(Counter(form.value for form in self.forms.values()))

    def run(self, images: Images, record: Collection[str] | None = None) -> Execution:
        """Answers images.

        Args:
            images: 8-bit integers [batch, *axes of the image].
            record: populations whose spikes and membranes are kept; None for none.

        Raises:
            SnnccError: SNN016 when the images are not what the program takes, SNN001 for a name
                that no population has, SNN004 when memory does not suffice.
        """
        images = check_images(self.graph, images)
        wanted = recorded_names(self.graph, record)
        some = images if len(images) else np.zeros_like(images, shape=(1, *images.shape[1:]))
        size = self.images_at_once
        with exact_products(self._memory.device), out_of_memory(size):
            parts = [
                self._run(some[start : start + size], wanted) for start in range(0, len(some), size)
            ]
        return _together(parts, len(images))

    def _run(self, images: Images, wanted: frozenset[str]) -> Execution:
        graph, values = self.graph, dict[str, Tensor]()
        given = torch.from_numpy(np.array(images)).to(self._memory.device)
        spikes, membranes, counts = dict[str, Tensor](), dict[str, Tensor](), dict[str, int]()
        for part in self._parts:
            if isinstance(part, Loop):
                ran = part.run(values, given, self._memory, wanted)
                values |= ran.values
                membranes |= ran.membranes
                nodes = part.nodes
            else:
                sources = [values[name] for name in part.inputs]
                form, keep = self.forms.get(part.name, Form.INT64), part.name in wanted
                at = At(graph, part, sources, given, self._memory, form, keep)
                found = VALUE(at, part)
                values[part.name] = found.value
                if found.membranes is not None:
                    membranes[part.name] = found.membranes
                nodes = (part,)
            for node in nodes:
                if is_population(node.op):
                    counts[node.name] = int(torch.count_nonzero(values[node.name]))
                if node.name in wanted:
                    spikes[node.name] = values[node.name]
                for name in graph.last_uses.get(node.name, ()):
                    del values[name]
        readout = values[graph.output].cpu().numpy()
        logits = readout.astype(np.float64) * readout_of(graph).unit
        numbers = counts_among(graph, wanted)
        names = sorted(wanted - numbers)
        return Execution(
            readout,
            logits,
            {name: spikes[name].cpu().numpy() for name in names},
            {name: membranes[name].cpu().numpy() for name in names},
            counts,
            {n: spikes[n].cpu().numpy().astype(graph[n].type.dtype) for n in sorted(numbers)},
        )


def _together(parts: list[Execution], count: int) -> Execution:
    first = parts[0]
    return Execution(
        np.concatenate([part.readout for part in parts])[:count],
        np.concatenate([part.logits for part in parts])[:count],
        {n: np.concatenate([part.spikes[n] for part in parts])[:count] for n in first.spikes},
        {n: np.concatenate([part.membranes[n] for part in parts])[:count] for n in first.membranes},
        {n: sum(part.spike_counts[n] for part in parts) * (count > 0) for n in first.spike_counts},
        {n: np.concatenate([part.counts[n] for part in parts])[:count] for n in first.counts},
    )
