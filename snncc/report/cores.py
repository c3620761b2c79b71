"""A program on the cores of a chip: what a mapping says, after it was recounted."""

from dataclasses import dataclass
from typing import Any, cast

from snncc.artifact import Program
from snncc.chips.activity import Activity
from snncc.chips.boards import PLACES, Board
from snncc.chips.cutting import LIMITS
from snncc.chips.facts import Chip
from snncc.chips.mapping import require_right


@dataclass(frozen=True)
class CoreFact:
    """One core.

    Attributes:
        slot: its number.
        column: of its tile, over all chips; -1 where the chip has no known mesh.
        row: likewise.
        place: its number on the tile.
        layers: that are on it.
        load: of each resource, in the order of `RESOURCES`.
        share: the largest part of a limit that it takes, 0 to 1.
        limit: the resource of that limit; "" where the chip names none.
    """

    slot: int
    column: int
    row: int
    place: int
    layers: tuple[str, ...]
    load: tuple[int, ...]
    share: float
    limit: str


@dataclass(frozen=True)
class CoreFacts:
    """A mapping.

    Attributes:
        chip: its name in sentences.
        chips: of them.
        columns: of tiles of one chip; 0 where its mesh is not known.
        rows: likewise.
        per_tile: cores of a tile.
        cores: that are used.
        messages: a step where every neuron fires.
        placed: the traffic that cores were placed by, over all its images; empty without.
    """

    chip: str
    chips: int
    columns: int
    rows: int
    per_tile: int
    cores: tuple[CoreFact, ...]
    messages: int
    placed: tuple[tuple[str, int], ...]


RESOURCES = tuple(LIMITS)


def cores_of(program: Program, chip: Chip, record: object, seen: Activity | None) -> CoreFacts:
    """What a mapping says.

    Args:
        program: that is mapped.
        chip: to which.
        record: the mapping as JSON gives it.
        seen: the recording that its cores were placed by, if they were.

    Raises:
        SnnccError: SNN132 with everything that is wrong with the mapping.
    """
    require_right(program, chip, record, seen)
    given = cast("dict[str, Any]", record)
    chips, placed = given.get("chips", 1), given.get("placement")
    known = all(chip.fact(key).value is not None for key in PLACES)
    board = Board.of(chip, chips) if known else None
    per_tile = chip.whole("chip.cores_per_tile") or 1
    traffic = {} if placed is None else {**placed, "images": placed["activity"]["images"]}
    traffic.pop("activity", None)
    return CoreFacts(
        chip.title,
        chips,
        0 if board is None else board.columns,
        0 if board is None else board.rows,
        per_tile,
        tuple(_core(chip, board, per_tile, core) for core in given["cores"]),
        given["messages"],
        tuple(sorted(traffic.items())),
    )


def _core(chip: Chip, board: Board | None, per_tile: int, core: dict[str, Any]) -> CoreFact:
    slot, load = core["slot"], core["load"]
    shares = {
        name: load[name] / limit
        for name, key in LIMITS.items()
        if (limit := chip.whole(key)) is not None
    }
    fullest = max(shares, key=lambda name: shares[name], default="")
    return CoreFact(
        slot,
        -1 if board is None else int(board.x[slot]),
        -1 if board is None else int(board.y[slot]),
        slot % (chip.whole("chip.cores") or slot + 1) % per_tile,
        tuple(dict.fromkeys(piece["layer"] for piece in core["pieces"])),
        tuple(load[name] for name in RESOURCES),
        shares.get(fullest, 0.0),
        fullest,
    )
