"""A mapping in JSON form: which neurons of which layer are on which core, and what they take."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from snncc.artifact import Program, program_digest
from snncc.chips.activity import Activity
from snncc.chips.boards import Board, side_by_side
from snncc.chips.checking.map_checker import check_map
from snncc.chips.checking.mesh import MOST_CORES, Seen
from snncc.chips.checking.structure import Described
from snncc.chips.cutting import LIMITS, Piece, limits_of
from snncc.chips.estimating import Estimate, Run, estimate
from snncc.chips.facts import Chip
from snncc.chips.fields import SYNAPSES
from snncc.chips.fitting import Fitter
from snncc.chips.grids import axes_of
from snncc.chips.packing import Core, Partition, partition
from snncc.chips.placing import Placement, place
from snncc.chips.reading import shipped
from snncc.chips.rules.synapse_memory import stored_layers
from snncc.chips.storing import Stored, memory_of
from snncc.chips.traffic import Traffic, traffic_of
from snncc.chips.verdicts import FITS, Fit
from snncc.diagnostics import Finding, SnnccError
from snncc.ir import Graph

KIND = "snncc mapping"
SCHEMAS = (1, 2)
"""Forms of the file. The first is written wherever it can hold the mapping: one chip, no places."""
LARGEST_FILE = 1 << 26
"""Bytes of a mapping."""
NO, WRONG = "SNN131", "SNN132"
Json = dict[str, Any]


@dataclass(frozen=True)
class Mapped:
    """A mapping with what it was made from.

    Attributes:
        record: the file in JSON form.
        layers: as cores hold them.
        activity: that its cores were placed by.
        placement: None where no activity was given.
        traffic: likewise.
        depth: layers that a spike crosses from the image to the answer.
    """

    record: Json
    layers: tuple[Stored, ...]
    activity: Activity | None
    placement: Placement | None
    traffic: Traffic | None
    depth: int


def mapping_of(program: Program, chip: Chip, prefer: str) -> Json:
    """The mapping to one chip, with cores in the order in which they were opened; see `mapped`."""
    return mapped(program, chip, prefer).record


def mapped(
    program: Program,
    chip: Chip,
    prefer: str,
    chips: int = 1,
    activity: Activity | None = None,
    seed: int = 0,
) -> Mapped:
    """The mapping of a program to chips, checked by the checker that shares nothing with it.

    Args:
        program: that is to be mapped.
        chip: to which.
        prefer: `MESSAGES` or `CORES`: what is to be few.
        chips: at most so many of them, side by side; the record names those that get cores.
        activity: spikes by which cores get places on the mesh; None leaves them in order.
        seed: of the search for places.

    Raises:
        SnnccError: SNN131 with every limit that is broken or unknown; SNN001 for a chip without
            memories for synapses; SNN132 when the checker finds a fault, which is a bug.
    """
    if chip.family != SYNAPSES:
        raise SnnccError(
            "SNN001",
            f"{chip.title} has no cores with synapses of their own",
            why="a partition is a matter of such cores; other families are judged as a whole",
            help="snncc fit says how layers lie on it",
        )
    board = None if activity is None else Board.of(chip, chips)
    whole = side_by_side(chip, chips)
    fitter = Fitter(program.graph)
    fit = fitter.fit(whole)
    if fit.answer != FITS:
        raise SnnccError.of(findings_of(fit))
    by_step = [each.name for each in fitter.needs if each.by_step]
    if by_step:
        what = f"{by_step[0]}: constants that differ from step to step"
        raise SnnccError(NO, what, why="a mapping has no form for them", help="train without them")
    memory = memory_of(chip)
    if memory is None or chip.whole("core.neurons") is None:
        raise SnnccError(NO, f"{chip.title}: how wide a weight is, or how large a core, is unknown")
    layers = stored_layers(whole, fitter.unrolled, fitter.needs, memory)
    found = partition(program.graph, layers, whole, memory, prefer)
    placement, traffic, slots = None, None, [*range(len(found.cores))]
    if activity is not None and board is not None:
        if len(slots) > MOST_CORES:
            what = f"{len(slots):,} cores get no places: {MOST_CORES:,} at most"
            raise SnnccError(NO, what, help="map without --spikes: slots are then only numbered")
        traffic = traffic_of(program.graph, layers, found.cores, activity.spikes)
        placement = place(board, traffic.volume, seed)
        slots = [int(slot) for slot in placement.slots]
    record = _record(program, chip, layers, found, prefer, slots)
    each = chip.whole("chip.cores")
    chips = 1 if each is None else 1 + max(slots) // each
    if chips > 1 or placement is not None:
        placed = None
        if placement is not None and activity is not None:
            placed = _placed(placement, activity, seed)
        record |= {"schema": 2, "chips": chips, "placement": placed}
    require_right(program, chip, record, activity)
    depth = max((each.depth for each in fitter.needs), default=0)
    return Mapped(record, tuple(layers), activity, placement, traffic, depth)


def estimate_of(program: Program, chip: Chip, found: Mapped) -> Estimate | None:
    """Energy and time of an image of the recording; None where there is no recording."""
    if found.placement is None or found.traffic is None or found.activity is None:
        return None
    run = Run(
        found.layers,
        found.traffic,
        found.placement,
        found.activity,
        program.graph.steps,
        found.depth,
    )
    return estimate(chip, Board.of(chip, found.record["chips"]), run)


def _placed(placement: Placement, activity: Activity, seed: int) -> Json:
    load, in_order = placement.load, placement.in_order
    return {
        "activity": {"digest": activity.digest, "images": activity.images},
        "seed": seed,
        "messages": load.messages,
        "hops": load.hops,
        "hops_in_order": in_order.hops,
        "between_chips": load.between_chips,
        "worst_link": load.worst_link,
    }


def require_right(
    program: Program, chip: Chip, record: object, activity: Activity | None = None
) -> None:
    """Raises SnnccError: SNN132, with everything that the checker finds wrong."""
    values = {key: fact.value for key, fact in chip.facts.items()}
    seen = None
    if activity is not None:
        seen = Seen(activity.digest, activity.images, activity.spikes)
    described = Described(chip.name, chip.title, chip.digest, values)
    faults = check_map(program.graph, program_digest(program), described, record, seen)
    if faults:
        help_ = "snncc map -o writes one that is right for this program and this chip"
        shown = [Finding(WRONG, fault) for fault in faults[:19]]
        last = f"{faults[19]} (of {len(faults)})" if len(faults) > 19 else faults[len(shown) - 1]
        shown = [*shown[: min(19, len(faults) - 1)], Finding(WRONG, last, None, "", help_)]
        raise SnnccError.of(shown)


def read_mapping(path: Path) -> object:
    """What a file holds, as JSON gives it; whether it is right is for `require_right`.

    Raises:
        SnnccError: SNN015 for a file that cannot be read or is no JSON.
    """
    help_ = "give a file that snncc map -o wrote"
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise SnnccError("SNN015", f"{path} is longer than {LARGEST_FILE:,} bytes", help=help_)
        given: object = json.loads(content)
    except OSError as error:
        why = error.strerror or str(error)
        raise SnnccError("SNN015", f"{path} cannot be read", why=why, help=help_) from error
    except (ValueError, RecursionError) as error:
        raise SnnccError("SNN015", f"{path} is no JSON", why=str(error), help=help_) from error
    return given


def require_spikes(record: object) -> None:
    """Raises SnnccError: SNN001 for a file without places, beside which a recording is in vain."""
    if not isinstance(record, dict) or cast("Json", record).get("placement") is None:
        raise SnnccError("SNN001", "--spikes has no effect here", why="the mapping has no places")


def chip_of(record: object, path: Path) -> str:
    """The shipped chip that a file names. Raises SnnccError: SNN001 where that is none."""
    named = cast("Json", record).get("chip") if isinstance(record, dict) else None
    name = cast("Json", named).get("name") if isinstance(named, dict) else None
    if isinstance(name, str) and name in shipped():
        return name
    help_ = "give its description with --chip FILE.toml"
    raise SnnccError("SNN001", f"{path} names no chip that is shipped with snncc", help=help_)


def findings_of(fit: Fit) -> list[Finding]:
    """Why a program does not fit a chip, or why that cannot be said."""
    found = [
        Finding(
            NO, f"{v.layer}: {v.resource} {v.need}, {fit.chip.title} has {v.limit}", help=v.change
        )
        for v in fit.violations
    ]
    help_ = "say what it is: --set KEY=VALUE, or a description of your own"
    return found or [
        Finding(NO, f"{u.layer}: {u.resource}: not known of {fit.chip.title}", None, u.why, help_)
        for u in fit.unsaid
    ]


def _record(
    program: Program,
    chip: Chip,
    layers: Sequence[Stored],
    found: Partition,
    prefer: str,
    slots: Sequence[int],
) -> Json:
    limits = {LIMITS[name]: limit for name, limit in limits_of(chip).items()}
    return {
        "kind": KIND,
        "schema": SCHEMAS[0],
        "program": program_digest(program),
        "chip": {"name": chip.name, "title": chip.title, "digest": chip.digest, "limits": limits},
        "prefer": prefer,
        "layers": {each.layer.name: _layer(each) for each in layers},
        "cores": [
            _core(program.graph, slot, core) for slot, core in zip(slots, found.cores, strict=True)
        ],
        "messages": found.cut.messages,
    }


def _layer(each: Stored) -> Json:
    exponents: dict[str, int] = {}
    for lists in each.lists:
        exponents.setdefault(lists.source, lists.exponent)  # of an image that of its lowest bit
    return {"image": each.image, "delay_bits": each.delay_bits, "exponents": exponents}


def _core(graph: Graph, slot: int, core: Core) -> Json:
    pieces = [{"layer": each.layer, "box": _box(graph, each)} for each in core.pieces]
    return {"slot": slot, "pieces": pieces, "load": dict(core.load)}


def _box(graph: Graph, piece: Piece) -> Mapping[str, list[int]]:
    names = [*axes_of(graph[piece.layer])]
    return {name: list(ends) for name, ends in zip(names, piece.box, strict=True)}
