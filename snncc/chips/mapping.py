"""A mapping in JSON form: which neurons of which layer are on which core, and what they take."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from snncc.artifact import Program, program_digest
from snncc.chips.checking.map_checker import check_map
from snncc.chips.cutting import LIMITS, Piece, limits_of
from snncc.chips.facts import Chip
from snncc.chips.fields import SYNAPSES
from snncc.chips.fitting import Fitter
from snncc.chips.grids import axes_of
from snncc.chips.packing import Core, Partition, partition
from snncc.chips.rules.synapse_memory import stored_layers
from snncc.chips.storing import Stored, memory_of
from snncc.chips.verdicts import FITS, Fit
from snncc.diagnostics import Finding, SnnccError
from snncc.ir import Graph

KIND = "snncc mapping"
SCHEMA = 1
LARGEST_FILE = 1 << 26
"""Bytes of a mapping."""
NO, WRONG = "SNN131", "SNN132"
Json = dict[str, Any]


def mapping_of(program: Program, chip: Chip, prefer: str) -> Json:
    """The mapping of a program to a chip, checked by the checker that shares nothing with it.

    Args:
        program: that is to be mapped.
        chip: to which.
        prefer: `MESSAGES` or `CORES`: what is to be few.

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
    fitter = Fitter(program.graph)
    fit = fitter.fit(chip)
    if fit.answer != FITS:
        raise SnnccError.of(findings_of(fit))
    by_step = [each.name for each in fitter.needs if each.by_step]
    if by_step:
        what = f"{by_step[0]}: constants that differ from step to step"
        raise SnnccError(NO, what, why="a mapping has no form for them", help="train without them")
    memory = memory_of(chip)
    if memory is None or chip.whole("core.neurons") is None:
        raise SnnccError(NO, f"{chip.title}: how wide a weight is, or how large a core, is unknown")
    layers = stored_layers(chip, fitter.unrolled, fitter.needs, memory)
    found = partition(program.graph, layers, chip, memory, prefer)
    record = _record(program, chip, layers, found, prefer)
    require_right(program, chip, record)
    return record


def require_right(program: Program, chip: Chip, record: object) -> None:
    """Raises SnnccError: SNN132, with everything that the checker finds wrong."""
    values = {key: fact.value for key, fact in chip.facts.items()}
    faults = check_map(program.graph, program_digest(program), values, chip.digest, record)
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
    program: Program, chip: Chip, layers: Sequence[Stored], found: Partition, prefer: str
) -> Json:
    limits = {LIMITS[name]: limit for name, limit in limits_of(chip).items()}
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "program": program_digest(program),
        "chip": {"name": chip.name, "title": chip.title, "digest": chip.digest, "limits": limits},
        "prefer": prefer,
        "layers": {each.layer.name: _layer(each) for each in layers},
        "cores": [_core(program.graph, slot, core) for slot, core in enumerate(found.cores)],
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
