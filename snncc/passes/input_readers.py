"""What reads the input before any map: maps alone do in a program, so the rest is refused."""

from collections.abc import Mapping

from snncc.diagnostics import Finding
from snncc.ir import GraphBuilder, Kind, Node, Op
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Frames
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.traced import Rearrange, Repeat, Scale
from snncc.ir.dialects.windows import Largest
from snncc.passes.rewriter import Rewriter

_TOLD: Mapping[type[Op], str] = {
    Gate: "spikes gate the image, before any layer",
    Product: "spikes select from the image, before any layer",
    Largest: "a maximum reads the image, before any layer",
    Take: "elements of the image are moved, left out or padded, before any layer",
}
_WHY = "what enters is read by linear maps and convolutions alone, bit by bit"
_HELP = (
    "crop, move or pool when the input is made, or put the first linear map or convolution before "
    "it; zeros around it are the padding of a convolution"
)


def is_input(graph: GraphBuilder, name: str) -> bool:
    """Whether a value is what enters, or that with its normalisation."""
    node = graph[name]
    return isinstance(node.op, Frames) or node.type.kind is Kind.REAL


def refused_reading(graph: GraphBuilder, node: Node, sources: tuple[str, ...]) -> Finding | None:
    """Why a node of the model cannot read these values, None where it can.

    Moves of a normalised image stay: where all is put together again, nothing moves.
    """
    told = _TOLD.get(type(node.op))
    if told is None:
        return None
    raw = isinstance(node.op, Take)
    reads = (isinstance(graph[s].op, Frames) if raw else is_input(graph, s) for s in sources)
    return Finding("SNN021", told, node.loc, _WHY, _HELP) if any(reads) else None


def refused_delay(rewriter: Rewriter, node: Node) -> Finding | None:
    """Why a delay of the model has no form, None where it may have: programs delay no counts."""
    old, source = rewriter.old, rewriter.value.get(node.inputs[0])
    help_ = "delay what the first map makes of it"
    if source is not None and is_input(rewriter.new, source):
        message = "a loop over time keeps what enters for a later step"
        return Finding("SNN121", message, node.loc, _WHY, help_)
    below = old[node.inputs[0]]
    while isinstance(below.op, Rearrange | Repeat):
        below = old[below.inputs[0]]
    if below.op != Scale() or not isinstance(old[below.inputs[0]].op, MultiThreshold):
        return None
    message = "a loop over time keeps a count of thresholds passed for a later step"
    return Finding("SNN121", message, node.loc, "programs delay spikes and currents", help_)
