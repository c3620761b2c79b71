"""Edges that lead back: where in a loop a step passes.

A file says nothing of it. All frameworks let one step pass in a loop, and take what is not there
before the first step as 0:

    "spike"     the spikes of the neurons that the loop begins at: s[t-1], then all maps
    "w_rec"     what leads back: (W s + b)[t-1], so that b is missing in the first step

The second is the first without its constant in the first step.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snncc.frontends.nir.conventions import Convention
from snncc.frontends.nir.network import Network
from snncc.frontends.nir.records import NO_FORM, Edge, NirNode, Real, Refused

SPIKING = ("IF", "LIF", "CubaLIF", "Threshold")
"""Nodes at whose output a loop is cut."""
MAPS = ("Affine", "Linear", "Conv1d", "Conv2d", "SumPool2d", "AvgPool2d", "Flatten", "Scale")
BIASED = ("Affine", "Conv1d", "Conv2d")


@dataclass(frozen=True)
class Loop:
    """One edge that leads back.

    Attributes:
        source, target: its ends.
        cut: the edge whose spikes are those of the step before; its source spikes.
        constant: what is not there in the first step, over the channels of `source`; None for 0.
    """

    source: str
    target: str
    cut: Edge
    constant: Real | None = None


def loop_of(network: Network, edge: Edge, convention: Convention) -> Loop:
    """Where a loop is cut.

    Raises:
        Refused: the convention's framework has none, or this one has no form.
    """
    nodes = {node.name: node for node in network.nodes}
    source, target = edge
    if not convention.cut:
        why = f"how {convention.name} runs loops of a file is not known"
        raise _refused(nodes[target], edge, why)
    constants: list[NirNode] = []
    at, before = target, source
    while nodes[before].kind not in SPIKING:
        node = nodes[before]
        if before == target:
            why = "it leads through no neurons that spike"
            raise _refused(nodes[target], edge, why)
        inner = node.kind in ("Input", "Output") and node.inner
        if not (node.kind in MAPS or inner):
            why = f"{node.title} stands between the neurons and the way back"
            raise _refused(nodes[target], edge, why)
        if len(network.reads[before]) != 1 or _readers(network, before) != 1:
            why = f"{node.title} reads or leads to something else too"
            raise _refused(nodes[target], edge, why)
        if node.kind in BIASED and node.real("bias").any():
            constants.append(node)
        at, before = before, network.reads[before][0]
    cut = before, at
    if convention.cut == "spike" or not constants:
        return Loop(source, target, cut)
    if len(constants) > 1 or constants[0].name != source:
        why = "what is missing in the first step is known of a bias of the last map alone"
        raise _refused(nodes[target], edge, why)
    return Loop(source, target, cut, -np.asarray(constants[0].real("bias")))


def _readers(network: Network, name: str) -> int:
    late = sum(source == name for source, _ in network.back)
    return late + sum(name in sources for sources in network.reads.values())


def _refused(node: NirNode, edge: Edge, why: str) -> Refused:
    told = f"the edge from {edge[0]!r} to {edge[1]!r} leads back: a loop in time"
    return Refused(node.finding(NO_FORM, told, why, "leave the loop out, or see docs/nir.md"))


def cuts_of(loops: Mapping[Edge, Loop]) -> set[Edge]:
    """Edges that carry the step before and are read by a map."""
    return {loop.cut for loop in loops.values() if loop.cut != (loop.source, loop.target)}
