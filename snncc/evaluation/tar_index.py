"""Images in .tar files, in the way of WebDataset: `key.jpg` and `key.cls` are image and class.

Nothing is unpacked: the index says where in the file each image lies.
"""

import tarfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from snncc.data.image_files import some_of, unreadable
from snncc.data.image_folder import FOREIGN, SUFFIXES
from snncc.diagnostics import SnnccError

IMAGES = frozenset(suffix[1:] for suffix in SUFFIXES)
OTHER_IMAGES = frozenset(suffix[1:] for suffix in FOREIGN)
LABEL = "cls"
BLOCK = 512
AT_ONCE = 1 << 20
LONGEST_LABEL = 32
PLAIN = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE})
"""Kinds of members whose bytes lie in the file as they are."""

_Files = dict[str, tuple[str, tarfile.TarInfo]]


@dataclass(frozen=True)
class Member:
    """An image in a .tar file.

    Attributes:
        tar: the file.
        name: in it.
        offset: where its bytes begin.
        size: how many they are.
        label: its class; None where no .cls lies beside it.
    """

    tar: str
    name: str
    offset: int
    size: int
    label: int | None


@dataclass
class _Found:
    """What the members of a file are.

    Attributes:
        images: name and contents by key.
        labels: the same of classes.
        foreign: names of images of other formats.
        others: names of members that are neither files nor folders, each with what it is.
        twice: keys of which there are several images or classes.
    """

    images: _Files = field(default_factory=_Files)
    labels: _Files = field(default_factory=_Files)
    foreign: list[str] = field(default_factory=list[str])
    others: list[str] = field(default_factory=list[str])
    twice: list[str] = field(default_factory=list[str])

    def take(self, name: str, info: tarfile.TarInfo) -> None:
        """A file of this name, whose bytes are those of a member."""
        key, extension = _split(name)
        if extension in OTHER_IMAGES:
            self.foreign.append(name)
        if extension not in IMAGES and extension != LABEL:
            return
        into = self.labels if extension == LABEL else self.images
        if key in into:
            self.twice.append(key)
        into[key] = (name, info)


def index_of(path: Path) -> list[Member]:
    """The images of a .tar file, in its order; hidden members are passed over, as in folders.

    Raises:
        SnnccError: SNN015 when it cannot be read, is packed, cut off or damaged, holds a key
            twice, or what a folder of images could not hold, or is no file as it lies there.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            found = _members(archive)
            _require_end(path, archive.offset)
            _require_images(path, found)
            labels = {
                key: _label(path, name, archive, info) for key, (name, info) in found.labels.items()
            }
    except (tarfile.TarError, OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise unreadable(path, reason, "give .tar files that are not packed") from error
    return [
        Member(str(path), name, info.offset_data, info.size, labels.get(key))
        for key, (name, info) in found.images.items()
    ]


def _members(archive: tarfile.TarFile) -> _Found:
    found, plain = _Found(), dict[PurePosixPath, tarfile.TarInfo]()
    for info in archive:
        target = info if info.type in PLAIN and not info.issparse() else None
        if info.islnk():  # its bytes are those of an earlier member
            target = plain.get(PurePosixPath(info.linkname))
        if target is not None:
            plain[PurePosixPath(info.name)] = target
        if info.isdir() or _is_hidden(info.name):
            continue
        if target is None:
            found.others.append(f"{info.name} ({_kind(info)})")
        else:
            found.take(info.name, target)
    return found


def _require_images(path: Path, found: _Found) -> None:
    if found.others:
        help_ = "write it anew with links as files (tar --dereference) and without --sparse"
        raise unreadable(path, f"of members it holds {some_of(found.others)}", help_)
    if found.foreign:
        raise unreadable(
            path, f"of images it holds {some_of(found.foreign)}", "convert them to PNG"
        )
    if found.twice:
        raise unreadable(path, f"{some_of(found.twice)} stands twice in it")
    if not found.images:
        raise unreadable(path, "it holds no PNG or JPEG files")
    lonely = sorted(found.labels.keys() - found.images.keys())
    if lonely:
        raise unreadable(path, f"classes without an image: {some_of(lonely)}")


def _kind(info: tarfile.TarInfo) -> str:
    if info.issym():
        return f"a symbolic link to {info.linkname}"
    if info.islnk():
        return f"a hard link to {info.linkname}, which is no file before it"
    return "with holes" if info.issparse() else "a device, a pipe or something else"


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") and part != ".." for part in PurePosixPath(name).parts)


def _split(name: str) -> tuple[str, str]:
    """Key and extension: what stands before and after the last dot."""
    path = PurePosixPath(name)
    return str(path.with_suffix("")), path.suffix[1:].lower()


def _label(path: Path, name: str, archive: tarfile.TarFile, info: tarfile.TarInfo) -> int:
    content = archive.extractfile(info)
    text = b"" if content is None or info.size > LONGEST_LABEL else content.read().strip()
    if not text.isdigit():
        raise unreadable(path, f"{name} is no whole number", "write the class as digits")
    return int(text)


def _require_end(path: Path, offset: int) -> None:
    """Zeros, with which archives end: where tarfile stops at anything else it is mute.

    Raises:
        SnnccError: SNN015 where there are none, or more stands behind them.
    """
    with path.open("rb") as file:
        file.seek(offset)
        if file.read(BLOCK) != bytes(BLOCK):
            reason = f"it is cut off or damaged at byte {offset:,}"
            raise SnnccError("SNN015", f"{path} cannot be read", why=reason, help="fetch it again")
        while chunk := file.read(AT_ONCE):
            if chunk.count(0) != len(chunk):
                reason = f"it ends at byte {offset:,}, and more stands behind that"
                help_ = "give files that were joined one by one, or join them with `tar -A`"
                raise unreadable(path, reason, help_)
