"""How recordings become what a program takes, where the user chose no other framing."""

from snncc.events.framing import Framing, Kind
from snncc.events.reading import Reading
from snncc.events.spikingjelly_rules import ByNumber

Shape = tuple[int, ...]


def framing_for(shape: Shape, domain: tuple[int, int]) -> Framing:
    """Frames of equally many events, with the program's steps and domain.

    Args:
        shape: of what the program takes: steps, polarities, rows, columns.
        domain: its least and largest number.
    """
    bits, signed = domain == (0, 1), domain[0] < 0 and shape[1] == 1
    values: Kind = "bits" if bits else "signed" if signed else "counts"
    return Framing(ByNumber(shape[0]), values, None if bits else domain)


def reading_for(shape: Shape, kind: str | None = None) -> Reading:
    """A reading of files of one format, on a sensor of the program's rows and columns."""
    return Reading(kind, (shape[3], shape[2]))
