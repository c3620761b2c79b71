"""Packs pieces into cores: first fit, in the order of the program; finer cuts where that helps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from snncc.chips.cutting import LIMITS, Cut, Piece, cut, limits_of
from snncc.chips.facts import Chip
from snncc.chips.storing import Memory, Stored, SynapseFormat
from snncc.ir import Graph

SHARES = (1, 2, 3)
"""Pieces of whole cores, of halves, of thirds: finer ones pack better and cost messages."""
CORES, MESSAGES = "cores", "messages"
"""What is to be few."""


@dataclass(frozen=True)
class Core:
    """Pieces that share a core.

    Attributes:
        pieces: on it.
        load: what they take together.
    """

    pieces: tuple[Piece, ...]
    load: Mapping[str, int]


@dataclass(frozen=True)
class Partition:
    """A program on cores.

    Attributes:
        cores: in the order in which they were opened.
        cut: the pieces, and what could not be cut.
        share: which part of a core a piece may take at most: 1 for all, 2 for a half.
    """

    cores: tuple[Core, ...]
    cut: Cut
    share: int


def partition(
    graph: Graph, layers: Sequence[Stored], chip: Chip, memory: Memory, prefer: str = MESSAGES
) -> Partition:
    """Cuts and packs.

    Args:
        graph: the program.
        layers: of it, in order.
        chip: whose limits count; one that is unknown limits nothing here.
        memory: of its lists.
        prefer: `MESSAGES` takes the coarsest cut that the chip has cores for, `CORES` that with
            the fewest cores.
    """
    best: Partition | None = None
    there = chip.whole("chip.cores")
    for share in SHARES:
        pieces = cut(graph, layers, chip, memory, share)
        found = Partition(_packed(pieces.pieces, limits_of(chip)), pieces, share)
        if pieces.uncut and best is not None:
            continue
        if best is None or len(found.cores) < len(best.cores):
            best = found
        enough = there is None or len(best.cores) <= there
        if pieces.uncut or (prefer == MESSAGES and enough):
            break
    if best is None:
        raise ValueError("there is always a first share")
    return best


@dataclass
class _Open:
    """A core while it is filled."""

    pieces: list[Piece]
    load: dict[str, int]
    thresholds: frozenset[int]
    formats: frozenset[SynapseFormat]


def _packed(pieces: Sequence[Piece], limits: Mapping[str, int]) -> tuple[Core, ...]:
    cores: list[_Open] = []
    for piece in pieces:
        for core in cores:
            thresholds = core.thresholds | piece.thresholds
            formats = core.formats | piece.formats
            load = {name: core.load[name] + piece.load[name] for name in LIMITS}
            load |= {"thresholds": len(thresholds), "formats": len(formats)}
            if all(load[name] <= limit for name, limit in limits.items()):
                core.pieces.append(piece)
                core.load, core.thresholds, core.formats = load, thresholds, formats
                break
        else:
            load = {name: piece.load[name] for name in LIMITS}
            cores.append(_Open([piece], load, piece.thresholds, piece.formats))
    return tuple(Core(tuple(core.pieces), core.load) for core in cores)
