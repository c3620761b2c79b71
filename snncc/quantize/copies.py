"""Projections with the same weights: copies of one constant, which is rounded once."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from snncc.ir import Graph, Node
from snncc.ir.dialects.projections import Contract, Convolve, Sum

Copy = tuple[object, ...]
"""Equal for projections that must get the same integers."""


def copies_of(graph: Graph, bits: Mapping[str, int]) -> dict[str, Copy]:
    """For every projection that has a copy: what it shares with all of them.

    A map of a sum of spikes becomes one copy for each of its sources. Copies have the same real
    weights in the same roles, whatever they read and whatever their axes are called, and as many
    bits.
    """
    found: defaultdict[Copy, list[str]] = defaultdict(list)
    digests: dict[str, str] = {}
    for node in graph.select(Contract, Convolve):
        op = node.op
        if isinstance(op, Contract | Convolve):
            found[(*_key(graph, op, digests), bits[node.name])].append(node.name)
    return {name: key for key, names in found.items() if len(names) > 1 for name in names}


def _key(graph: Graph, op: Contract | Convolve, digests: dict[str, str]) -> Copy:
    weight = graph.constants[op.weight.name]
    if op.weight.name not in digests:
        digests[op.weight.name] = sha256(np.ascontiguousarray(weight).tobytes()).hexdigest()
    key = (digests[op.weight.name], weight.dtype.str, weight.shape)
    if isinstance(op, Contract):
        return (*key, len(op.shared), len(op.out), len(op.into))
    return (*key, op.groups)


def meeting_point(graph: Graph, node: Node) -> str:
    """The last sum that a projection's current goes into, and nothing else; or itself."""
    reader = graph.sole_reader(node.name)
    while reader is not None and isinstance(reader.op, Sum):
        node, reader = reader, graph.sole_reader(reader.name)
    return node.name


@dataclass
class SharedInputs:
    """What copies see: at one meeting point the sum of their inputs, since their weights add up.

    Attributes:
        parts: inputs [rows, synapses] by meeting point and shape.
    """

    parts: dict[tuple[str, tuple[int, ...]], NDArray[np.float32]]

    def add(self, point: str, inputs: NDArray[np.float32]) -> None:
        key = (point, inputs.shape)
        self.parts[key] = self.parts[key] + inputs if key in self.parts else inputs

    def gram(self) -> NDArray[np.float64]:
        """Their Gram matrix, each part weighted by one over its rows."""
        every = [(x.T @ x).astype(np.float64) / len(x) for x in self.parts.values()]
        return np.asarray(np.sum(every, axis=0), np.float64)
