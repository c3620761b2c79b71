"""Places on the mesh: what a file says of its traffic, recounted link by link."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Tile = tuple[int, int]
MOST_CORES = 4096
"""That are placed: messages are counted for each pair of them."""


@dataclass(frozen=True)
class Seen:
    """Spikes that somebody counted.

    Attributes:
        digest: of them.
        images: that were run.
        spikes: int64 [neurons], over all images and steps, by population.
    """

    digest: str
    images: int
    spikes: Mapping[str, Ints]


class Pairs:
    """Messages between cores, while spikes are sent through the program one by one.

    Attributes:
        counts: int64 [senders, receivers].

    Args:
        seen: what neurons did; where that is not at hand nothing is counted.
        cores: of the mapping.

    Raises:
        ValueError: more cores than are counted in pairs.
    """

    def __init__(self, seen: Seen | None, cores: int) -> None:
        if cores > MOST_CORES:
            raise ValueError(f"{cores} cores have places: more than {MOST_CORES}")
        self.counts: Ints = np.zeros((cores, cores), np.int64)
        self._spikes: Mapping[str, Ints] = {} if seen is None else seen.spikes

    def add(
        self, source: str, start: int, senders: Ints, receivers: Ints, reach: NDArray[np.bool_]
    ) -> None:
        """Adds what some neurons of a population send to the pieces of one layer.

        Args:
            source: the population.
            start: its first neuron here.
            senders: int64 [neurons], the core of each of them.
            receivers: int64 [pieces], the core of each piece.
            reach: [neurons, pieces], whether the one sends to the other.
        """
        fired = self._spikes.get(source)
        if fired is None or not reach.size:
            return
        each = reach * fired[start : start + len(reach), None]
        for piece, core in enumerate(receivers.tolist()):
            np.add.at(self.counts[:, core], senders, each[:, piece])


def placement_faults(
    facts: Mapping[str, Any],
    chips: int,
    slots: Sequence[int],
    counts: Ints,
    seen: Seen | None,
    said: Mapping[str, Any],
) -> list[str]:
    """What is wrong with the places of a mapping.

    Args:
        facts: of the chip, by field.
        chips: side by side.
        slots: of each core.
        counts: messages between cores.
        seen: what neurons did.
        said: what the file says of all that.
    """
    if seen is None:
        return ["its cores were placed by a recording, which is not given"]
    if said["activity"] != {"digest": seen.digest, "images": seen.images}:
        return ["its cores were placed by another recording"]
    if any(not facts.get(name) for name in ("chip.mesh", "chip.cores_per_tile", "chip.cores")):
        return ["its cores have places, and the chip has no mesh"]
    tiles = [_tile(facts, slot) for slot in slots]
    hops, worst, crossings = _walked(facts, tiles, counts)
    in_order, _, _ = _walked(facts, [_tile(facts, slot) for slot in range(len(slots))], counts)
    found = {
        "messages": int(counts.sum()),
        "hops": hops,
        "hops_in_order": in_order,
        "between_chips": crossings,
        "worst_link": worst,
    }
    return [
        f"placement: {name} is {value}, the file says {said[name]}"
        for name, value in found.items()
        if said[name] != value
    ]


def _tile(facts: Mapping[str, Any], slot: int) -> Tile:
    """Column, over all chips, and row. Tiles are numbered down the columns of each chip."""
    chip, place = divmod(slot, facts["chip.cores"])
    width, height = facts["chip.mesh"]
    column, row = divmod(place // facts["chip.cores_per_tile"], height)
    return chip * width + column, row


def _walked(facts: Mapping[str, Any], tiles: Sequence[Tile], counts: Ints) -> tuple[int, int, int]:
    """Links that all messages cross, the most over one of them, and links between chips.

    Every message goes along its row, then along the column, one link at a time.
    """
    links: Counter[tuple[Tile, Tile]] = Counter()
    flows: Counter[tuple[Tile, Tile]] = Counter()
    for one, two in zip(*np.nonzero(counts), strict=True):
        flows[tiles[int(one)], tiles[int(two)]] += int(counts[one, two])
    for (here, there), messages in flows.items():
        at = here
        while at != there:
            column, row = at
            if column != there[0]:
                on = (column + (1 if there[0] > column else -1), row)
            else:
                on = (column, row + (1 if there[1] > row else -1))
            links[at, on] += messages
            at = on
    width = facts["chip.mesh"][0]
    crossed = sum(n for (a, b), n in links.items() if a[0] // width != b[0] // width)
    return sum(links.values()), max(links.values(), default=0), crossed
