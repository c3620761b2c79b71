"""How the frames of a network are made, as a program keeps it and `snncc frames` writes it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from snncc.data.files import read_array, read_arrays
from snncc.data.specs import keys_of, split_spec
from snncc.diagnostics import SnnccError
from snncc.events.formats import FORMATS, format_of
from snncc.events.framing import Framing
from snncc.events.framing_records import framing_from_json
from snncc.events.reading import Reading
from snncc.events.spikingjelly_rules import ByNumber
from snncc.events.stacks import Stack, frame_files

FRAMES, RECORD = "x", "framing"
"""Keys of an .npz of frames."""
COLUMNS = {"t", "x", "y"}
"""Keys of an .npz that holds events, one column each, and no frames."""


@dataclass(frozen=True)
class KeptFraming:
    """What happens to events before they enter a network.

    Attributes:
        framing: rule, values, domain, clipping.
        moves: how events are turned first.
        sort: whether they are put in the order of their times first.
        chip: camera by whose layout AEDAT 2.0 is read, where the header does not name it.
    """

    framing: Framing
    moves: tuple[str, ...] = ()
    sort: bool = False
    chip: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As a program's provenance holds it."""
        reading = {"chip": self.chip, "moves": list(self.moves), "sort": self.sort}
        return {"framing": self.framing.to_json(), "reading": reading}

    def __str__(self) -> str:
        options = self.framing.rule.to_json()
        given = "".join(f", {name} {value}" for name, value in options.items() if name != "rule")
        domain, clip = self.framing.domain, " (clipped)" if self.framing.clip else ""
        within = "" if domain is None else f" {domain[0]}..{domain[1]}{clip}"
        first = [*self.moves, *(["sorted by time"] if self.sort else [])]
        before = f"; before, events are {', '.join(first)}" if first else ""
        return f"by {self.framing.rule.name}{given}: {self.framing.values}{within}{before}"

    def within(self, domain: tuple[int, int], what: str) -> "KeptFraming":
        """The same, whose values a network of this domain takes.

        Raises:
            SnnccError: SNN081 where it allows values beyond.
        """
        low, high = domain
        if self.framing.values == "bits":
            return self
        own = self.framing.domain
        if own is None:
            return replace(self, framing=replace(self.framing, domain=domain))
        if low <= own[0] and own[1] <= high:
            return self
        raise SnnccError(
            "SNN081",
            f"{what} is framed with domain {own[0]}..{own[1]}, the network takes {low}..{high}",
            why="what a rule lets through must be in the network's domain",
            help=f"give --frames {own[0]}..{own[1]}, or frame with --domain {low}..{high}",
        )


def usual_framing(shape: tuple[int, ...], domain: tuple[int, int]) -> KeptFraming:
    """By number of events, for frames [T, C, H, W]: where nobody says another rule."""
    if domain == (0, 1):
        return KeptFraming(Framing(ByNumber(shape[0]), "bits"))
    signed = domain[0] < 0 and shape[1] == 1
    return KeptFraming(Framing(ByNumber(shape[0]), "signed" if signed else "counts", domain))


def kept_framing(record: object, what: str) -> KeptFraming:
    """What `KeptFraming.to_json`, or `snncc frames`, wrote.

    Raises:
        SnnccError: SNN080 naming `what` when it is no such record.
    """
    whole = dict(cast("Mapping[str, Any]", record)) if isinstance(record, Mapping) else {}
    reading = whole.get("reading")
    turned = dict(cast("Mapping[str, Any]", reading)) if isinstance(reading, Mapping) else {}
    moves, sort = turned.get("moves", []), turned.get("sort", False)
    try:
        framing = framing_from_json(whole.get("framing"))
        if not isinstance(moves, list) or not isinstance(sort, bool):
            raise TypeError("moves are a list, sort is true or false")
        named = tuple(map(str, cast("list[object]", moves)))
        Reading(moves=named, chip=turned.get("chip"))  # which knows their names
    except (SnnccError, TypeError) as error:
        why = error.findings[0].message if isinstance(error, SnnccError) else str(error)
        raise SnnccError(
            "SNN080",
            f"{what} does not say how its frames were made",
            why=why,
            help="make frames with `snncc frames`, or leave the key out for other arrays",
        ) from error
    return KeptFraming(framing, named, sort, turned.get("chip"))


def framing_of_file(spec: str) -> KeptFraming | None:
    """How the frames of an .npz of `snncc frames` were made; None for any other data.

    Raises:
        SnnccError: SNN015 or SNN080 for a record that cannot be read.
    """
    path, key = split_spec(spec)
    if key != FRAMES or RECORD not in keys_of(path):
        return None
    text = read_array(f"{path}:{RECORD}")
    try:
        record: object = json.loads(str(text)) if text.dtype.kind == "U" and not text.ndim else None
    except (ValueError, RecursionError):
        record = None
    return kept_framing(record, f"{path}:{RECORD}")


def framing_kept_in(provenance: Mapping[str, Any]) -> KeptFraming | None:
    """How the frames were made by which a program was compiled; None where that is not known.

    Raises:
        SnnccError: SNN080 for a record that is none.
    """
    record = provenance.get(RECORD)
    return None if record is None else kept_framing(record, "the program")


def require_alike(spec: str, provenance: Mapping[str, Any]) -> None:
    """Passes data whose frames do not say that they are made otherwise than a program's.

    Raises:
        SnnccError: SNN016 with both ways; SNN081 for values that the program does not take.
    """
    own, given = framing_kept_in(provenance), framing_of_file(spec)
    if own is None or given is None:
        return
    domain = own.framing.domain
    fitting = given if domain is None else given.within(domain, spec)
    if fitting != own:
        raise SnnccError(
            "SNN016",
            f"{spec} is framed {fitting}",
            why=f"the program was compiled for frames {own}",
            help="frame the recordings so too, or give `snncc run` the recordings themselves; to "
            "run these frames in spite of it, save them as a plain array",
        )


def framed(spec: str, kind: str, shape: tuple[int, ...], how: KeptFraming) -> Stack:
    """Frames of the recordings of a file.

    Args:
        spec: of the file.
        kind: its format.
        shape: [T, C, H, W], which names the sensor.
        how: the frames are made.

    Raises:
        SnnccError: those of framing, such as SNN081.
    """
    chip = how.chip if FORMATS[kind].takes_chip else None
    sensor = (shape[3], shape[2]) if how.moves.count("swap") % 2 == 0 else (shape[2], shape[3])
    reading = Reading(kind, sensor, chip, how.moves, how.sort, must=True)
    return frame_files([spec], how.framing, reading)


def recorded_format(spec: str) -> str | None:
    """The format of a recording of events; None for everything else, an array of a file too."""
    path, key = split_spec(spec)
    try:
        if key or not path.is_file():
            return None
        kind = format_of(path)
        if kind != "npz":
            return kind
        return kind if {*read_arrays(path)} >= COLUMNS else None
    except (SnnccError, OSError):
        return None  # of what cannot be read the reader of images says more
