"""Chips side by side: what they hold together, and where each of their cores lies."""

from dataclasses import dataclass, replace

import numpy as np

from snncc.chips.facts import Chip
from snncc.chips.synapses import Ints
from snncc.diagnostics import Finding, SnnccError

MOST_CHIPS = 1024
_ADD_UP = ("chip.cores", "chip.neurons", "chip.synapses")
CROSSING = 8
"""Hops that a link between two chips counts as when places are searched, beside its own: a rule of
the search and no fact of a chip; the traffic that is told counts links as they are."""
PLACES = ("chip.cores", "chip.mesh", "chip.cores_per_tile")
"""What must be known before a core has a place."""


def side_by_side(chip: Chip, chips: int) -> Chip:
    """What so many chips of a kind hold together; how they are linked is no fact of it."""
    facts = dict(chip.facts)
    for key in _ADD_UP:
        each = chip.whole(key)
        if each is not None:
            facts[key] = replace(facts[key], value=each * chips)
    return replace(chip, facts=facts)


@dataclass(frozen=True, eq=False)
class Board:
    """Places of cores: chips in a row, the mesh of one beside that of the next.

    A slot is a number: chip by chip, on each tile by tile, tiles column by column.

    Attributes:
        x: int64 [slots], column of its tile, counted over all chips.
        y: int64 [slots], row of its tile.
        apart: int64 [slots], the column again, with `CROSSING` more between two chips: for what
            searches near places.
        columns: of one chip.
        rows: of tiles.
    """

    x: Ints
    y: Ints
    apart: Ints
    columns: int
    rows: int

    @classmethod
    def of(cls, chip: Chip, chips: int) -> "Board":
        """The places of all cores.

        Raises:
            SnnccError: SNN131 with everything that is unknown of where cores lie.
        """
        cores, mesh = chip.whole("chip.cores"), chip.wholes("chip.mesh")
        per_tile = chip.whole("chip.cores_per_tile")
        if cores is None or len(mesh) != 2 or per_tile is None:
            unknown = [key for key in PLACES if chip.fact(key).value is None]
            help_ = "give it with --set, or map without --spikes: slots are then only numbered"
            said = [
                (key, f"{chip.title}: {key} is unknown: cores have no places") for key in unknown
            ]
            raise SnnccError.of(
                [Finding("SNN131", text, None, chip.fact(key).source, help_) for key, text in said]
            )
        columns, rows = mesh
        slot = np.arange(cores * chips, dtype=np.int64)
        tile = slot % cores // per_tile
        x, chip_of = slot // cores * columns + tile // rows, slot // cores
        return cls(x, tile % rows, x + chip_of * CROSSING, columns, rows)
