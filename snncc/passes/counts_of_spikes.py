"""Sums of spikes that maps read as counts: one copy of the weights, rounded once."""

from dataclasses import dataclass, field

from snncc.ir import Kind
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.projections import Contract, Sum
from snncc.ir.dialects.windows import Largest
from snncc.passes.rewriter import Rewriter


@dataclass
class CountsOfSpikes:
    """Finds currents that are counts, since only synapses of weight 1 lead to them.

    Attributes:
        rewriter: of the graph that grows.
        known: the count of each current that was asked about; None: it is none.
    """

    rewriter: Rewriter
    known: dict[str, str | None] = field(default_factory=dict[str, str | None])

    def of(self, current: str) -> str | None:
        """The spikes or the count that a current consists of, in units of exactly 1, or None."""
        if current not in self.known:
            self.known[current] = self._found(current)
        return self.known[current]

    def _found(self, current: str) -> str | None:
        node = self.rewriter.new[current]
        if node.type.domain is not None:
            return current if node.type.kind is Kind.SPIKE or node.inputs else None
        if isinstance(node.op, Contract):
            return self.of(node.inputs[0]) if self._is_synapse(node.op) else None
        several = isinstance(node.op, Sum) and not node.op.shifts
        alone = isinstance(node.op, Take) or (isinstance(node.op, Largest) and not node.op.offset)
        if not (several or alone):
            return None
        counts = [self.of(name) for name in node.inputs]
        sources = [name for name in counts if name is not None]
        if len(sources) < len(counts):
            return None
        return self.rewriter.emit(node, node.op, *sources, name=f"{node.name}.count")

    def _is_synapse(self, op: Contract) -> bool:
        """Whether a map is a single synapse of weight 1 from each element to itself."""
        plain = not (op.into or op.out or op.shared or op.summed)
        return plain and float(self.rewriter.array(op.weight)) == 1.0
