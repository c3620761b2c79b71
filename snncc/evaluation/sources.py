"""Data sets of users: how many images, where each lies, and whether it is still what it was."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from snncc.data.image_arrays import images_for
from snncc.data.image_files import some_of, unreadable
from snncc.data.image_folder import FOREIGN, SUFFIXES, ImageFolder, files_in, find_images
from snncc.data.preprocessing import preset_of
from snncc.data.specs import split_spec
from snncc.diagnostics import SnnccError
from snncc.evaluation.reading import Request, open_array
from snncc.evaluation.tar_index import LABEL, Member, index_of
from snncc.events.kept_framing import framing_kept_in, require_alike, usual_framing
from snncc.ir import TIME, Graph
from snncc.ir.dialects.projections import Frames
from snncc.ir.encodings import frames_of

EVENTS = frozenset({".bin", ".dat", ".raw", ".aedat", ".aedat4", ".npz"})
"""Endings of files that hold one recording each."""
PACKED = (
    *(".tgz", ".tbz", ".tbz2", ".txz", ".tzst", ".tlz"),
    *(f".tar.{how}" for how in ("gz", "bz2", "xz", "zst", "lz", "lz4", "lzma", "br", "z")),
)
"""Endings of .tar files in which no image can be found without unpacking all."""
FOLDERS = "folders"


class Source(Protocol):
    """Images in a fixed order."""

    @property
    def count(self) -> int:
        """How many there are."""
        ...

    def request(self, start: int, stop: int) -> Request:
        """What a process is asked for these images."""
        ...

    def stamp(self, start: int, stop: int) -> str:
        """Of names, sizes and times of the files that hold these images; reads none of them."""
        ...

    def own_labels(self, spec: str, classes: int) -> NDArray[np.int64] | None:
        """Classes that the data hold under this word; None where it means something else."""
        ...


@dataclass(frozen=True)
class FileSource:
    """A folder of images, or of recordings of events, one a file, which are framed as `framing`."""

    folder: ImageFolder
    kind: str
    shape: tuple[int, ...]
    domain: tuple[int, int]
    preset: str | None
    framing: Mapping[str, object] | None = None

    @property
    def count(self) -> int:
        return len(self.folder.files)

    def request(self, start: int, stop: int) -> Request:
        files = [os.path.abspath(file) for file in self.folder.files[start:stop]]
        rest = {"shape": [*self.shape], "domain": [*self.domain], "preset": self.preset}
        return {"kind": self.kind, "files": files, "framing": self.framing, **rest}

    def stamp(self, start: int, stop: int) -> str:
        files = self.folder.files[start:stop]
        return _stamp([(str(f.relative_to(self.folder.root)), *_state(f)) for f in files])

    def own_labels(self, spec: str, classes: int) -> NDArray[np.int64] | None:
        return self.folder.labels(classes) if spec == FOLDERS else None


@dataclass(frozen=True)
class TarSource:
    """Images in .tar files."""

    members: Sequence[Member]
    shape: tuple[int, ...]
    preset: str | None

    @property
    def count(self) -> int:
        return len(self.members)

    def request(self, start: int, stop: int) -> Request:
        places = [
            [os.path.abspath(m.tar), m.name, m.offset, m.size] for m in self.members[start:stop]
        ]
        return {
            "kind": "tar",
            "members": places,
            "shape": [*self.shape],
            "preset": self.preset,
        }

    def stamp(self, start: int, stop: int) -> str:
        members = self.members[start:stop]
        states = {tar: _state(Path(tar)) for tar in {m.tar for m in members}}
        return _stamp([(m.name, m.offset, m.size, *states[m.tar]) for m in members])

    def own_labels(self, spec: str, classes: int) -> NDArray[np.int64] | None:
        if spec != LABEL:
            return None
        without = [f"{m.tar}/{m.name}" for m in self.members if m.label is None]
        if without:
            raise SnnccError("SNN016", f"no .cls beside {some_of(without)}")
        beyond = [f"{m.tar}/{m.name}: {m.label}" for m in self.members if _is_beyond(m.label)]
        if beyond:
            reason = f"the program has classes 0..{classes - 1}"
            raise SnnccError("SNN016", f"classes beyond the program: {some_of(beyond)}", why=reason)
        return np.array([m.label for m in self.members], np.int64)


@dataclass(frozen=True)
class ArraySource:
    """An .npy, of which parts are read, or an array of an .npz, which is read whole."""

    spec: str
    count: int
    shape: tuple[int, ...]
    domain: tuple[int, int]

    def request(self, start: int, stop: int) -> Request:
        path, key = split_spec(self.spec)
        spec = os.path.abspath(path) + (f":{key}" if key else "")
        place = {"spec": spec, "start": start, "stop": stop}
        return {"kind": "array", **place, "shape": [*self.shape], "domain": [*self.domain]}

    def stamp(self, start: int, stop: int) -> str:
        return _stamp([(start, stop, *_state(split_spec(self.spec)[0]))])

    def own_labels(self, spec: str, classes: int) -> NDArray[np.int64] | None:
        return None


def open_source(graph: Graph, provenance: Mapping[str, object], spec: str) -> Source:
    """The images of a spec, for a program.

    Args:
        graph: of the program.
        provenance: of the program; it says how files are preprocessed.
        spec: an array, a folder of images, of recordings or of .tar files, or one .tar file.

    Raises:
        SnnccError: SNN015 when it cannot be read; SNN016 when it holds nothing that the program
            takes, or frames that are made otherwise than the program's.
    """
    frames, path = frames_of(graph), Path(spec)
    preset = preset_of(provenance)
    name = None if preset is None else preset.name
    tars = [path] if path.suffix.lower() == ".tar" and path.is_file() else []
    found: Sequence[Path] = ()
    classes: tuple[str, ...] = ()
    found, classes = files_in(path) if path.is_dir() else ([], ())
    if path.is_dir():
        tars = [file for file in found if file.suffix.lower() == ".tar"]
        _require_one_kind(path, found, bool(tars))
    if tars:
        images = ImageFolder(path, tuple(tars), ()).images(frames.shape, preset)  # checks the shape
        members = [member for tar in images.files for member in index_of(tar)]
        return TarSource(members, frames.shape, name)
    images_in = find_images(path)
    if images_in is not None and (images_in.files or not path.is_dir()):
        images_in.images(frames.shape, preset)
        return FileSource(images_in, "images", frames.shape, frames.domain, name)
    if path.is_dir():
        files = tuple(file for file in found if file.suffix.lower() in EVENTS)
        if not files:
            raise unreadable(path, "it holds no images, no recordings of events and no .tar files")
        _require_frames(path, frames)
        folder = ImageFolder(path, files, classes)
        how = framing_kept_in(provenance) or usual_framing(frames.shape, frames.domain)
        return FileSource(folder, "events", frames.shape, frames.domain, None, how.to_json())
    require_alike(spec, provenance)
    array = open_array(spec)
    images_for(array, frames.shape, spec, frames.domain)
    if len(array) == 0:
        raise SnnccError("SNN016", f"{spec} holds no images")
    return ArraySource(spec, len(array), frames.shape, frames.domain)


def _require_one_kind(path: Path, found: Sequence[Path], tars: bool) -> None:
    """Raises SnnccError (SNN015) for a folder of which only a part would be evaluated."""
    packed = [str(f.relative_to(path)) for f in found if f.name.lower().endswith(PACKED)]
    if packed:
        raise unreadable(path, f"it holds packed files: {some_of(packed)}", "unpack them to .tar")
    images = [
        str(file.relative_to(path)) for file in found if file.suffix.lower() in SUFFIXES | FOREIGN
    ]
    if tars and images:
        reason = f"beside .tar files it holds images: {some_of(images)}"
        raise unreadable(path, reason, "give a folder of the one or of the other")


def _require_frames(path: Path, frames: Frames) -> None:
    if frames.axes[:1] != (TIME,) or len(frames.axes) != 4:
        sizes = zip(frames.axes, frames.shape, strict=True)
        takes = ", ".join(f"{name}:{size}" for name, size in sizes)
        raise SnnccError(
            "SNN016",
            f"{path} holds recordings of events, and the program takes none",
            why=f"what enters it is {takes}; recordings are frames of steps, polarities, rows and "
            "columns",
        )


def _is_beyond(label: int | None) -> bool:
    return label is not None and label > np.iinfo(np.int64).max


def _state(path: Path) -> tuple[int, ...]:
    """What another file of this name differs in, also one of the same size and time.

    The last two change with a file's links and rights as well: then it is read again, and found
    to hold what it held.

    Raises:
        SnnccError: SNN015 when it is not there.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from error
    return found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns


def _stamp(rows: Sequence[tuple[object, ...]]) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()
