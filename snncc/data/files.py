"""Images, labels and results: NumPy files, and folders of image files."""

import io
import tokenize
import zipfile
import zlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from snncc.artifact.kinds import NUMPY, PROGRAM, kind_of
from snncc.artifact.paths import is_folder
from snncc.artifact.writing import write_atomically
from snncc.data.arrays import read_entries, read_npy
from snncc.data.image_arrays import images_for
from snncc.data.image_folder import ImageFolder, find_images
from snncc.data.labels import whole_labels
from snncc.data.specs import beside, keys_of, split_spec
from snncc.diagnostics import SnnccError
from snncc.ir import Graph
from snncc.ir.encodings import frames_of

Array = NDArray[Any]
BROKEN = (
    *(ValueError, EOFError, KeyError, NotImplementedError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)
"""What NumPy raises, beside OSError, on files that are not what they seem."""
GIVE = "give an .npy, or an .npz with NPZ:KEY"


def open_images(spec: str) -> Array | ImageFolder:
    """Image files when the spec is a folder or one image file, else an array.

    Raises:
        SnnccError: SNN015 when it cannot be read.
    """
    found = find_images(Path(spec))
    return read_array(spec) if found is None else found


@contextmanager
def _readable(path: Path) -> Generator[None]:
    """Turns every way in which NumPy fails on a file into SNN015."""
    try:
        yield
    except SnnccError:
        raise
    except OSError as error:
        folder = "only `run` and --calibrate take folders of images; " if is_folder(path) else ""
        reason = error.strerror or "it is not a NumPy file"
        raise _unreadable(path, reason, f"{folder}{GIVE}") from error
    except BROKEN as error:
        raise _no_data(path) from error


def read_array(spec: str) -> Array:
    """An array from "file.npz:KEY", "file.npz" with one array, or "file.npy".

    Raises:
        SnnccError: SNN015 with the reason; for a missing key, the keys there are.
    """
    path, key = split_spec(spec)
    with _readable(path):
        if not zipfile.is_zipfile(path):
            if key:
                raise _unreadable(path, f"it holds one array, not a key {key!r}", str(path))
            return read_npy(path)
        keys = keys_of(path)
        if not keys:
            raise _no_data(path)
        if not key and len(keys) == 1:
            key = keys[0]
        if key not in keys:
            what = f"it has no array {key!r}" if key else "it holds several arrays"
            reason = f"{what}; there are: {', '.join(keys)}"
            raise _unreadable(path, reason, _close(path, key, keys))
        return read_entries(path, [key])[key]


def read_arrays(path: Path) -> dict[str, Array]:
    """Every array of an .npz, in the file's order.

    Each entry's checksum is verified before NumPy looks at it.

    Raises:
        SnnccError: SNN015 when it cannot be read or holds no arrays by name.
    """
    with _readable(path):
        return read_entries(path)


def _close(path: Path, key: str, keys: list[str]) -> str:
    close = get_close_matches(key, keys, 1)
    return f"perhaps {path}:{close[0]}" if close else f"give {path}:KEY"


def read_labels(spec: str, data_spec: str) -> NDArray[np.int64]:
    """Labels from a key in the data's own file, or from a spec of their own.

    Raises:
        SnnccError: SNN015 when they cannot be read, SNN016 when they are not 1-D integers.
    """
    full = beside(spec, data_spec)
    return whole_labels(read_array(full), full)


def program_images(graph: Graph, spec: str) -> NDArray[np.uint8]:
    """The images of a file, as a program takes them.

    Raises:
        SnnccError: SNN015 or SNN016 when they cannot be read, do not fit, or are none.
    """
    frames = frames_of(graph)
    images = images_for(read_array(spec), frames.shape, spec, frames.domain)
    if len(images) == 0:
        raise SnnccError("SNN016", f"{spec} holds no images")
    return images


def write_arrays(path: Path, **arrays: Array) -> None:
    """Writes an .npz atomically; equal arrays give equal bytes.

    Raises:
        SnnccError: SNN002 when the file cannot be written.
    """
    write_named(path, arrays, zipfile.ZIP_DEFLATED)


def write_named(path: Path, arrays: Mapping[str, Array], method: int) -> None:
    """The same, compressed or not.

    Args:
        path: of the file.
        arrays: by name.
        method: ZIP_DEFLATED, or ZIP_STORED where time counts more than size.

    Raises:
        SnnccError: SNN002 when the file cannot be written.
    """

    def write(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w", method) as archive:
            for name, array in sorted(arrays.items()):
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, np.asanyarray(array), allow_pickle=False)
                entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
                entry.compress_type = method
                archive.writestr(entry, buffer.getvalue())

    write_atomically(path, write)


def _no_data(path: Path) -> SnnccError:
    kind = kind_of(path)
    if kind in ("", NUMPY):
        return _unreadable(path, "it is damaged, or not a NumPy file without objects", GIVE)
    first = "; the program comes first, the data second" if kind == PROGRAM else ""
    return _unreadable(path, f"it is {kind}, not a NumPy file{first}", GIVE)


def _unreadable(path: Path, reason: str, help: str) -> SnnccError:
    return SnnccError("SNN015", f"{path} cannot be read", why=reason, help=help)
