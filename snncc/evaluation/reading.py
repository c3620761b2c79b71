"""What a process is asked to read, as JSON, and the numbers that it gives.

A request says all that is needed: it goes to processes that read, here and on other machines, and
these know nothing else of the data.
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncc.data.arrays import Array
from snncc.data.files import read_array
from snncc.data.image_arrays import images_for
from snncc.data.image_files import ImageFiles, unreadable
from snncc.data.preprocessing import PRESETS
from snncc.data.specs import split_spec
from snncc.diagnostics import Finding, SnnccError

Request = dict[str, Any]
"""What to read: "kind", one of `KINDS`, "shape" of one image, and what the kind needs."""


def read(request: Request) -> NDArray[np.uint8]:
    """Images of a request, uint8 or int8 [n, *shape].

    Raises:
        SnnccError: SNN015 or SNN016 with every file that cannot be read or does not fit; of events
            those of framing.
    """
    return KINDS[request["kind"]](request)


def checksum(images: NDArray[np.uint8]) -> str:
    """Of what enters the program, whatever file it came from."""
    return hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()


def open_array(spec: str) -> Array:
    """An array; of an .npy a view of the file, of which only what is asked for is read."""
    path, key = split_spec(spec)
    if key or path.suffix.lower() != ".npy":
        return read_array(spec)
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return read_array(spec)  # it says what is wrong
    whole = getattr(array, "offset", 0) + array.nbytes == path.stat().st_size
    return array if whole else read_array(spec)


@lru_cache(maxsize=2)
def _kept(spec: str, state: tuple[int, ...]) -> Array:
    """An array as the file is now: a worker outlives many a file."""
    return open_array(spec)


def _state(spec: str) -> tuple[int, ...]:
    path = split_spec(spec)[0]
    try:
        found = path.stat()
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from error
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _of_array(request: Request) -> NDArray[np.uint8]:
    spec, domain = request["spec"], request["domain"]
    part = _kept(spec, _state(spec))[request["start"] : request["stop"]]
    if len(part) != request["stop"] - request["start"]:
        raise SnnccError("SNN016", f"{spec} is shorter than it was")
    return images_for(np.array(part), tuple(request["shape"]), spec, (domain[0], domain[1]))


def _of_files(request: Request) -> NDArray[np.uint8]:
    files = tuple(map(Path, request["files"]))
    return _images(request, files)[0 : len(files)]


def _of_tars(request: Request) -> NDArray[np.uint8]:
    images = _images(request, ())

    def one(member: list[Any]) -> NDArray[np.uint8]:
        tar, name, offset, size = member
        try:
            with open(tar, "rb") as file:
                file.seek(offset)
                data = file.read(size)
        except OSError as error:
            raise unreadable(Path(tar), error.strerror or str(error)) from error
        return images.pixels(Path(f"{tar}/{name}"), data)

    return _each(request, request["members"], one)


def _of_events(request: Request) -> NDArray[np.uint8]:
    from snncc.events.formats import format_of
    from snncc.events.kept_framing import framed, kept_framing

    shape, domain = tuple(request["shape"]), (request["domain"][0], request["domain"][1])
    how = kept_framing(request["framing"], "the program")

    def one(file: str) -> NDArray[np.uint8]:
        found = framed(file, format_of(Path(file)), shape, how).values
        if len(found) != 1:
            reason = f"it holds {len(found)} recordings, and a file of a folder is one"
            raise unreadable(Path(file), reason, "make one array with `snncc frames`")
        image: NDArray[np.uint8] = images_for(found, shape, file, domain)[0]
        return image

    return _each(request, request["files"], one)


def _images(request: Request, files: tuple[Path, ...]) -> ImageFiles:
    name = request["preset"]
    return ImageFiles(files, tuple(request["shape"]), PRESETS[name] if name else None)


def _each(
    request: Request, places: list[Any], one: Callable[[Any], NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """Images of all places; what is wrong with any of them is told of all."""
    kind = "int8" if request.get("domain", (0, 0))[0] < 0 else "uint8"
    shape = (len(places), *map(int, request["shape"]))
    images: NDArray[Any] = np.empty(shape, np.dtype(kind))
    findings: list[Finding] = []
    for number, place in enumerate(places):
        try:
            images[number] = one(place)
        except SnnccError as error:
            findings += error.findings
    if findings:
        raise SnnccError.of(findings)
    return images


KINDS: Mapping[str, Callable[[Request], NDArray[np.uint8]]] = {
    "array": _of_array,
    "images": _of_files,
    "tar": _of_tars,
    "events": _of_events,
}
