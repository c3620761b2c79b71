"""The domain of every value of a graph, by interval analysis from the image on."""

from collections.abc import Mapping

from snncc.ir import Graph, Kind, Node
from snncc.ir.cycles import between_neurons
from snncc.ir.types import BYTE
from snncc.meaning import Meaning
from snncc.mfi.models import spiking_rules, traced_rules
from snncc.mfi.models.domains import ANY_REAL, BIT, Domain, Values, integers
from snncc.mfi.models.structure import Read

REAL: Mapping[str, Meaning[Read, Domain]] = {
    "traced": traced_rules.DOMAIN,
    "spiking": spiking_rules.DOMAIN,
}


def domains_of(graph: Graph, image: tuple[float, float] | None = None) -> dict[str, Domain]:
    """Domains by value name, for a verified graph of any dialect.

    Args:
        graph: the program or the model.
        image: bounds of the numbers that a traced model's input holds; None for pixels / 255.
    """
    known: dict[str, Domain] = {}
    for node in between_neurons(graph):
        domain = _domain(graph, node, known)
        if image is not None and graph.dialect == "traced" and domain.values is Values.FRAME:
            domain = Domain(Values.FRAME, *image) if not node.inputs else domain
        known[node.name] = domain
    return known


def _domain(graph: Graph, node: Node, known: Mapping[str, Domain]) -> Domain:
    """The numbers that the result of one node can be, from those of its inputs.

    Of an op that is none of a real dialect nothing is known.
    """
    table = REAL.get(graph.dialect)
    if table is None:
        return _declared(node)
    return table(Read(graph, node, known), node) if table.dialect.has(node.op) else ANY_REAL


def _declared(node: Node) -> Domain:
    """What the verified type of an integer value says."""
    if node.type.kind is Kind.SPIKE:
        return BIT
    low, high = node.type.range or BYTE
    return Domain(Values.FRAME, low, high, 1) if node.type.domain else integers(low, high)
