"""The verdict: the level of every op, of the input and output on their own lines, of the whole."""

from dataclasses import dataclass

from snncc.ir import Graph
from snncc.ir.integer_ops import IntegerPopulation
from snncc.ir.projections import Pixels
from snncc.mfi.ladder import Level
from snncc.mfi.rules import Need, need_of

ENCODINGS = {
    "bit-planes": "inside the program: each of a pixel's 8 bits selects weights (select, add, "
    "shift); no multiplication from the first pixel on",
    "host": "OUTSIDE the program: the first layer's current is computed by the host, which "
    "multiplies pixels by weights unless it uses bit planes itself",
}


@dataclass(frozen=True)
class OpVerdict:
    """What was found for one node."""

    name: str
    module_path: str
    op: str
    need: Need


@dataclass(frozen=True)
class Verdict:
    """What was found for a whole program.

    Attributes:
        level: that of the worst op.
        encoding: how the image enters and who computes that.
        readout: how the answer leaves.
        ops: every node, in order.
        current_bits, membrane_bits: widest that any input can make necessary, proved by interval
            analysis over all steps; 0 where nothing is proved.
    """

    level: Level
    encoding: str
    readout: str
    ops: tuple[OpVerdict, ...]
    current_bits: int = 0
    membrane_bits: int = 0

    def above(self, level: Level) -> tuple[OpVerdict, ...]:
        """The ops that need more than a level."""
        return tuple(op for op in self.ops if op.need.level > level)


def prove(graph: Graph) -> Verdict:
    """Holds every node of a verified graph against the table of its dialect."""
    ops = tuple(
        OpVerdict(
            node.name,
            node.locs[0].module_path if node.locs else "",
            node.op.mnemonic,
            need_of(graph, node),
        )
        for node in graph.nodes
    )
    encoding = "no image"
    for node in graph.select(Pixels):
        if isinstance(node.op, Pixels):
            encoding = f"{node.op.encoding}, {ENCODINGS.get(node.op.encoding, 'unknown')}"
    ranges = [node.type.range for node in graph.nodes if node.type.range is not None]
    membranes = [
        node.op.membrane
        for node in graph.select(IntegerPopulation)
        if isinstance(node.op, IntegerPopulation)
    ]
    return Verdict(
        max((op.need.level for op in ops), default=Level.STRICT),
        encoding,
        "integers, summed over time inside the program; the largest integer is the prediction. "
        "Reading logits in real units takes one multiplication a class, by the host, afterwards",
        ops,
        max((bits(r) for r in ranges), default=0),
        max((bits(r) for r in membranes), default=0),
    )


def bits(interval: tuple[int, int]) -> int:
    """Bits of a signed integer that holds an interval."""
    low, high = interval
    return max((low if low >= 0 else ~low).bit_length(), high.bit_length()) + 1
