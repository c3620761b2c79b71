"""Lines of text at the beginning of a file, before its events."""

from dataclasses import dataclass

TEXT = frozenset(range(0x20, 0x100)) - {0x7F} | {0x09, 0x0D}
"""Bytes of a header line; lines may hold names in any encoding, events hold zeros."""
MOST_LINES = 1 << 16
"""Of a header: a line takes more memory than its bytes."""

SHORTEST = 8
"""Bytes of text that are rather a line than an event: a time among them would be minutes late."""


@dataclass(frozen=True)
class TextHeader:
    """Header lines without their mark.

    Attributes:
        lines: texts, in order.
        end: byte after the last of them.
        doubtful: whether what follows looks like one more line, and ends otherwise than the first.
    """

    lines: tuple[str, ...]
    end: int
    doubtful: bool = False

    def value(self, keyword: str) -> str | None:
        """What stands behind a keyword, or None; the case of letters does not count."""
        for line in self.lines:
            head, _, rest = line.partition(" ")
            if head.lower().rstrip(":") == keyword.lower():
                return rest.strip()
        return None


def read_header(data: bytes, mark: bytes, last: str) -> TextHeader:
    """Lines that begin with a mark, up to the first that does not, or to one that says the end.

    A line with a byte that no text has, or which does not end as the first one does, belongs to the
    events: their first byte may be the mark.

    Args:
        data: a file.
        mark: beginning of each line, "#" or "%".
        last: what the last line says, after the mark and spaces.
    """
    lines: list[str] = []
    place, returns = 0, False
    while len(lines) < MOST_LINES and data.startswith(mark, place):
        stop = data.find(b"\n", place)
        line = data[place:stop] if stop >= 0 else b""
        returns = returns or (not lines and line.endswith(b"\r"))
        if stop < 0 or not TEXT.issuperset(line):
            break
        if returns and not line.endswith(b"\r"):
            return TextHeader(tuple(lines), place, doubtful=len(line) >= SHORTEST)
        place = stop + 1
        lines.append(line[len(mark) :].decode("utf-8", "replace").strip())
        if lines[-1] == last:
            break
    return TextHeader(tuple(lines), place)
