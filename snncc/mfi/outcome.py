"""What the passes made of a traced model, as far as they go: what a verdict on it rests on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from snncc.ir import Graph, Node
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.ir.dialects.spiking import Affine, Opaque


@dataclass(frozen=True)
class Outcome:
    """Names are those of the traced nodes, which the passes keep.

    Attributes:
        left: factors that no pass folds, each with the reason why not.
        shifts: those of them that are shifts in the program, however it is rounded.
        folded: factors that went into the weights before them.
        currents: maps that no pass lets read spikes or pixels, each with the reason why not.
        refused: nodes because of which compiling stops, each with the reason.
        through: what a map was pushed through, so that it reads spikes or pixels.
        added: factors that the passes left and that stand in no traced node.
        whole: whether the passes have a form for every op.
    """

    left: Mapping[str, str] = field(default_factory=dict[str, str])
    shifts: frozenset[str] = frozenset()
    folded: frozenset[str] = frozenset()
    currents: Mapping[str, str] = field(default_factory=dict[str, str])
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    through: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    added: tuple[Node, ...] = ()
    whole: bool = True


def standing(graph: Graph) -> Outcome:
    """A spiking graph as it stands: what it holds is what is left."""
    left, currents = dict[str, str](), dict[str, str]()
    for node in graph.nodes:
        if isinstance(node.op, Affine) and node.op.scale is not None:
            left[node.name] = "no pass has folded it"
        if isinstance(node.op, Contract | Convolve):
            source = graph[node.inputs[0]]
            if source.type.domain is None:
                currents[node.name] = f"it reads {source.name} ({source.op.mnemonic})"
    return Outcome(left, currents=currents, whole=not graph.select(Opaque))
