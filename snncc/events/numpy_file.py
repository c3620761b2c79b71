"""NumPy `.npz` with one array each for t, x, y and p, as SpikingJelly keeps its data sets."""

import tokenize
import zipfile
import zlib
from collections.abc import Iterator

from snncc.events.errors import unreadable
from snncc.events.sources import Decoded, Source

COLUMNS = ("t", "x", "y", "p")
BROKEN = (
    *(OSError, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)
"""What zipfile and NumPy raise on files that are not what they seem."""


def read(source: Source) -> Iterator[Decoded]:
    """The one recording of a file; sizes and checksums are compared before memory is taken.

    Raises:
        SnnccError: SNN015 when it is damaged, inflates beyond measure, or has no such arrays.
    """
    from snncc.data.arrays import read_entries
    from snncc.data.specs import keys_of

    try:
        keys = keys_of(source.path)
        missing = [name for name in COLUMNS if name not in keys]
        if missing:
            told = ", ".join(keys) or "none"
            reason = f"it has no array {', '.join(missing)}; there are: {told}"
            raise unreadable(source.name, reason, "give an .npz with t, x, y and p")
        arrays = read_entries(source.path, COLUMNS)
    except BROKEN as error:
        reason = "it is damaged, or not a NumPy file without objects"
        raise unreadable(source.name, reason, "write it anew with numpy.savez") from error
    yield Decoded(x=arrays["x"], y=arrays["y"], polarity=arrays["p"], time=arrays["t"])
