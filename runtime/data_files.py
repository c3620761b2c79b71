"""Images, labels and results: NumPy files, and folders of image files."""

import io
import tokenize
import zipfile
import zlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from snncc.artifact.writing import write_atomically
from snncc.diagnostics import SnnccError
from snncc.ir import Graph
from snncc.ir.projections import Pixels
from snncc.runtime.image_folder import ImageFolder, find_images

Array = NDArray[Any]
BROKEN = (
    *(ValueError, EOFError, KeyError, NotImplementedError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)
"""What NumPy raises, beside OSError, on files that are not what they seem."""


def split_spec(spec: str) -> tuple[Path, str]:
    """A path and a key from "file.npz:KEY"; the key is "" when there is none."""
    head, colon, key = spec.rpartition(":")
    if colon and not Path(spec).exists() and (head.endswith(".npz") or Path(head).exists()):
        return Path(head), key
    return Path(spec), ""


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
        folder = "only `run` and --calibrate take folders of images; " if path.is_dir() else ""
        reason = error.strerror or "it is not a NumPy file"
        raise _unreadable(path, reason, f"{folder}give an .npy, or an .npz with NPZ:KEY") from error
    except BROKEN as error:
        reason = "it is damaged, or not a NumPy file without objects"
        raise _unreadable(path, reason, "give an .npy, or an .npz with NPZ:KEY") from error


def read_array(spec: str) -> Array:
    """An array from "file.npz:KEY", "file.npz" with one array, or "file.npy".

    Raises:
        SnnccError: SNN015 with the reason; for a missing key, the keys there are.
    """
    path, key = split_spec(spec)
    with _readable(path):
        loaded: Any = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            if key:
                raise _unreadable(path, f"it holds one array, not a key {key!r}", f"{path}")
            return np.asarray(loaded)
        with loaded:
            keys = list(loaded.files)
            if not key and len(keys) == 1:
                key = keys[0]
            if key not in keys:
                what = f"it has no array {key!r}" if key else "it holds several arrays"
                raise _unreadable(path, f"{what}; there are: {', '.join(keys)}", f"{path}:KEY")
            return np.asarray(loaded[key])


def read_arrays(path: Path) -> dict[str, Array]:
    """Every array of an .npz, in the file's order.

    Each entry's checksum is verified before NumPy looks at it.

    Raises:
        SnnccError: SNN015 when it cannot be read or holds no arrays by name.
    """
    with _readable(path), zipfile.ZipFile(path) as archive:
        return {
            name.removesuffix(".npy"): np.lib.format.read_array(
                io.BytesIO(archive.read(name)), allow_pickle=False
            )
            for name in archive.namelist()
        }


def beside(spec: str, data_spec: str) -> str:
    """The full spec of labels or the like that may be a bare key in the data's own file.

    Raises:
        SnnccError: SNN001 for a bare key when the data are image files, which have none.
    """
    if Path(spec).exists() or ":" in spec or spec.endswith((".npy", ".npz")):
        return spec
    path = split_spec(data_spec)[0]
    if find_images(path) is not None:
        raise SnnccError(
            "SNN001",
            f"{path} holds image files and no key {spec!r}",
            help="give NPZ:KEY, or --labels folders when every class has a folder",
        )
    return f"{path}:{spec}"


def read_labels(spec: str, data_spec: str) -> NDArray[np.int64]:
    """Labels from a key in the data's own file, or from a spec of their own.

    Raises:
        SnnccError: SNN015 when they cannot be read, SNN016 when they are not 1-D integers.
    """
    labels = read_array(beside(spec, data_spec))
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise SnnccError(
            "SNN016",
            f"labels are {labels.dtype} {list(labels.shape)}",
            help="give one integer for each image",
        )
    return labels.astype(np.int64)


def images_for(array: Array, shape: tuple[int, ...], what: str) -> NDArray[np.uint8]:
    """The array as images of a shape.

    Raises:
        SnnccError: SNN016 when type, shape or range do not fit, saying what to give.
    """
    wanted = f"uint8 [n, {', '.join(map(str, shape))}]"
    if array.dtype != np.uint8:
        hint = "give 8-bit images 0..255 as they are stored; normalisation is part of the program"
        if np.issubdtype(array.dtype, np.integer) and array.size:
            low, high = int(array.min()), int(array.max())
            if low >= 0 and high <= 255:
                hint = f"its values are {low}..{high}: give it as uint8 (array.astype('uint8'))"
            else:
                hint = f"its values are {low}..{high}, beyond 0..255"
        raise SnnccError(
            "SNN016", f"{what} is {array.dtype} {list(array.shape)}, not {wanted}", help=hint
        )
    if array.shape[1:] != shape:
        hint = f"give images of shape {list(shape)}"
        if array.shape[1:] == shape[1:]:
            hint = f"it has no channel axis: repeat it to {shape[0]} channels if that is meant"
        raise SnnccError(
            "SNN016", f"{what} is {array.dtype} {list(array.shape)}, not {wanted}", help=hint
        )
    return array.view(np.uint8)


def program_images(graph: Graph, spec: str, limit: int | None = None) -> NDArray[np.uint8]:
    """The first images of a file, as a program takes them.

    Raises:
        SnnccError: SNN015 or SNN016 when they cannot be read, do not fit, or are none.
    """
    shape = next(n.op.shape for n in graph.select(Pixels) if isinstance(n.op, Pixels))
    images = images_for(read_array(spec), shape, spec)[:limit]
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


def _unreadable(path: Path, reason: str, help: str) -> SnnccError:
    return SnnccError("SNN015", f"{path} cannot be read", why=reason, help=help)
