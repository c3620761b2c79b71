"""Files that torch.save wrote before it used zip archives: pickles, then numbers one after other.

They hold no checksum: damage to the numbers themselves cannot be seen.
"""

import io
import struct
from typing import Any

from snncc.frontends.weights.pickles import BadPickle, Seen, Stored, read_pickle
from snncc.frontends.weights.tensors import StorageRef, storage_of

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001


class LegacyStorages:
    """Gives the storages of one file to a `TensorReader`.

    Args:
        content: the whole file.
        seen: gets what stands in its pickles.

    Attributes:
        described: what the file holds, with tensors as records.

    Raises:
        BadPickle: it is damaged, cut off, or a pickle that torch.save did not write.
    """

    def __init__(self, content: bytes, seen: Seen) -> None:
        stream = io.BytesIO(content)
        if read_pickle(stream, seen) != MAGIC:
            raise BadPickle("it is a pickle, but torch.save did not write it")
        if read_pickle(stream, seen) != PROTOCOL:
            raise BadPickle("its version is not known")
        machine = read_pickle(stream, seen)
        if isinstance(machine, dict) and machine.get("little_endian") is False:
            raise BadPickle("it was written on a big-endian machine; load and save it there again")
        self.described: Any = read_pickle(stream, seen)
        keys = read_pickle(stream, seen)
        if not isinstance(keys, list):
            raise BadPickle("it does not say which storages follow")
        self._content = content
        listed: list[object] = list(keys)  # pyright: ignore[reportUnknownArgumentType]
        self._place(stream.tell(), [str(key) for key in listed], seen.stored)

    def _place(self, start: int, keys: list[str], stored: list[Stored]) -> None:
        """Finds where each storage lies.

        Raises:
            BadPickle: the file is cut off, or something follows its last storage.
        """
        widths: dict[str, int] = {}
        for reference in stored:
            storage = storage_of(reference)
            widths.setdefault(storage.key, storage.dtype.itemsize)
        self._places: dict[str, tuple[int, int]] = {}
        at = start
        for key in keys:
            if key not in widths or key in self._places:
                raise BadPickle("its list of storages is damaged")
            if at + 8 > len(self._content):
                raise BadPickle("it is cut off")
            (count,) = struct.unpack_from("<q", self._content, at)
            at += 8
            self._places[key] = (at, count * widths[key])
            at += count * widths[key]
            if count < 0 or at > len(self._content):
                raise BadPickle("it is cut off")
        if at != len(self._content):
            raise BadPickle("something follows its last storage")

    def __call__(self, storage: StorageRef) -> bytearray:
        if storage.key not in self._places:
            raise BadPickle("a storage is missing")
        start, size = self._places[storage.key]
        return bytearray(self._content[start : start + size])
