"""What a mapping's file must look like, and where it says that every neuron is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from snncc.chips.checking.impulses import layers_of, shape_of
from snncc.ir import Graph

KEYS = {"kind", "schema", "program", "chip", "prefer", "layers", "cores", "messages"}
MORE = {"chips", "placement"}
"""Keys of schema 2 beside these."""
PLACED = {
    *("activity", "seed", "messages", "hops", "hops_in_order", "between_chips", "worst_link"),
}
MOST_CHIPS = 1024
MOST_SEED = 1 << 31
OF_CHIP = {"name", "title", "digest", "limits"}
FIELDS = {
    "neurons": "core.neurons",
    "in_axons": "core.in_axons",
    "out_axons": "core.out_axons",
    "synapse_bits": "core.synapse_memory",
    "thresholds": "core.thresholds",
    "formats": "core.synapse_formats",
}
LOADS = tuple(FIELDS)
MOST_CORES = 1 << 16
MOST_PIECES = 1 << 20
Homes = dict[str, NDArray[np.int64]]
"""For each layer the number of the piece that holds each neuron."""


@dataclass(frozen=True)
class Described:
    """The chip that a mapping must be for.

    Attributes:
        name: what its description is called.
        title: its name in sentences.
        digest: of its facts.
        facts: by field, in base units; None where unknown.
    """

    name: str
    title: str
    digest: str
    facts: Mapping[str, Any]


class Placed:
    """Pieces as a file lists them.

    Attributes:
        faults: of their form and place.
        core_of: the core of each piece, by its number in the file.
        homes: the piece of each neuron, by layer.
    """

    def __init__(self, graph: Graph, cores: object, there: int | None) -> None:
        self.faults: list[str] = []
        self.core_of: list[int] = []
        self.homes: Homes = {
            n.name: np.full(n.type.neurons, -1, np.int64) for n in layers_of(graph)
        }
        self._graph = graph
        listed = [*cast("list[object]", cores)] if isinstance(cores, list) else None
        if listed is None or not 1 <= len(listed) <= MOST_CORES:
            self.faults.append("cores: no list of cores")
            return
        slots: set[int] = set()
        for number, core in enumerate(listed):
            self._core(number, core, slots, there)
        for name, home in self.homes.items():
            missing = int((home < 0).sum())
            if missing:
                self.faults.append(f"{name}: {missing} neurons are on no core")

    def _core(self, number: int, core: object, slots: set[int], there: int | None) -> None:
        given = _record(core)
        if given is None or set(given) != {"slot", "pieces", "load"}:
            self.faults.append(f"core {number}: slot, pieces and load are its keys")
            return
        slot, pieces = given["slot"], given["pieces"]
        if not _whole(slot) or not 0 <= slot < (there or MOST_CORES):
            self.faults.append(f"core {number}: there is no slot {slot!r}"[:120])
        elif slot in slots:
            self.faults.append(f"core {number}: slot {slot} is taken")
        else:
            slots.add(slot)
        if not isinstance(pieces, list) or not pieces:
            self.faults.append(f"core {number}: no pieces")
            return
        for piece in [*cast("list[object]", pieces)]:
            self._piece(number, piece)
        load = _record(given["load"])
        if load is None or set(load) != set(LOADS) or not all(map(_whole, load.values())):
            self.faults.append(f"core {number}: its load is {', '.join(LOADS)}, whole numbers")

    def _piece(self, core: int, piece: object) -> None:
        given = _record(piece)
        name = None if given is None else given.get("layer")
        box = None if given is None else _record(given.get("box"))
        known = isinstance(name, str) and name in self.homes
        if given is None or set(given) != {"layer", "box"} or not known or box is None:
            self.faults.append(f"core {core}: a piece without a layer of the program and a box")
            return
        sizes = shape_of(self._graph[str(name)])
        if set(box) != set(sizes) or not all(_ends(box[n], size) for n, size in sizes.items()):
            self.faults.append(f"core {core}: a box outside of {name}")
            return
        view = self.homes[str(name)].reshape([*sizes.values()])
        part = view[tuple(slice(*box[axis]) for axis in sizes)]
        if (part >= 0).any():
            self.faults.append(f"core {core}: neurons of {name} are placed twice")
        if len(self.core_of) >= MOST_PIECES:
            self.faults.append(f"core {core}: too many pieces")
            return
        part[...] = len(self.core_of)
        self.core_of.append(core)


def form_faults(record: object, program: str, chip: Described) -> list[str]:
    """What is wrong with a file before its cores are looked at."""
    given = _record(record)
    if given is None or given.get("kind") != "snncc mapping" or not _is(given.get("schema"), 1, 2):
        return ["no mapping of schema 1 or 2"]
    keys = KEYS if given["schema"] == 1 else KEYS | MORE
    if set(given) != keys:
        return [f"its keys are not {', '.join(sorted(keys))}"]
    faults = _placement_faults(given)
    if given["program"] != program:
        faults.append("made for another program")
    faults += _chip_faults(_record(given["chip"]), chip)
    if not _whole(given["messages"]) or given["prefer"] not in ("cores", "messages"):
        faults.append("messages is a whole number, prefer is cores or messages")
    return faults


def _chip_faults(given: Mapping[str, Any] | None, chip: Described) -> list[str]:
    """What a file says of its chip that is not so: also what nothing is computed from."""
    if given is None or set(given) != OF_CHIP:
        return [f"the keys of chip are not {', '.join(sorted(OF_CHIP))}"]
    if given["digest"] != chip.digest:
        return ["made for another chip, or other facts of it"]
    faults = [
        f"chip: its {key} is {right!r}, the file says {given[key]!r:.80}"
        for key, right in (("name", chip.name), ("title", chip.title))
        if given[key] != right
    ]
    known = {key: chip.facts[key] for key in FIELDS.values() if chip.facts.get(key) is not None}
    limits = _record(given["limits"])
    if limits is None or set(limits) != set(known):
        return [*faults, f"chip: the keys of limits are not {', '.join(sorted(known))}"]
    return faults + [
        f"chip: {key} is {right}, the file says {limits[key]!r:.80}"
        for key, right in known.items()
        if not _is(limits[key], right, right)
    ]


def chips_faults(record: Mapping[str, Any], there: int | None) -> list[str]:
    """Whether a file names as many chips as hold its cores, the last of them included.

    Args:
        record: a mapping whose slots are whole numbers.
        there: cores of one chip.
    """
    last = max(core["slot"] for core in record["cores"])
    needed = 1 if there is None else 1 + last // there
    said = record.get("chips", 1)
    return [] if said == needed else [f"its cores are on {needed} chips, the file says {said}"]


def _placement_faults(given: Mapping[str, Any]) -> list[str]:
    """What is wrong with the form of chips and places."""
    if given["schema"] == 1:
        return []
    faults: list[str] = []
    if not _is(given["chips"], 1, MOST_CHIPS):
        faults.append(f"chips is a whole number up to {MOST_CHIPS}")
    if given["placement"] is None:
        return faults
    placed = _record(given["placement"])
    of = None if placed is None else _record(placed.get("activity"))
    if placed is None or of is None or set(placed) != PLACED or set(of) != {"digest", "images"}:
        return [*faults, f"the keys of placement are not {', '.join(sorted(PLACED))}"]
    if not all(_is(placed[key], 0, 1 << 62) for key in PLACED - {"activity"}):
        faults.append("placement: whole numbers beside the activity")
    elif placed["seed"] > MOST_SEED:
        faults.append(f"placement: seed is a whole number up to {MOST_SEED}")
    if not _is(of["images"], 1, 1 << 62):
        faults.append("placement: images is a whole number above 0")
    return faults


def _is(given: object, least: int, most: int) -> bool:
    return type(given) is int and least <= given <= most


def _record(given: object) -> Mapping[str, Any] | None:
    return cast("Mapping[str, Any]", given) if isinstance(given, dict) else None


def _whole(given: object) -> bool:
    return isinstance(given, int) and not isinstance(given, bool) and abs(given) < 1 << 62


def _ends(given: object, size: int) -> bool:
    if not isinstance(given, list):
        return False
    ends = [*cast("list[object]", given)]
    whole = [end for end in ends if isinstance(end, int) and not isinstance(end, bool)]
    return len(ends) == len(whole) == 2 and 0 <= whole[0] < whole[1] <= size
