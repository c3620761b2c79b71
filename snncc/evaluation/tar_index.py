"""Images in .tar files, in the way of WebDataset: `key.jpg` and `key.cls` are image and class.

Nothing is unpacked: the index says where in the file each image lies.
"""

import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from snncc.data.image_files import some_of, unreadable
from snncc.diagnostics import SnnccError

IMAGES = frozenset({"png", "jpg", "jpeg", "jpe", "jfif"})
LABEL = "cls"
BLOCK = 512
LONGEST_LABEL = 32


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


def index_of(path: Path) -> list[Member]:
    """The images of a .tar file, in its order.

    Raises:
        SnnccError: SNN015 when it cannot be read, is packed, cut off or damaged, or holds a key
            twice.
    """
    found: dict[str, tarfile.TarInfo] = {}
    labels: dict[str, int] = {}
    try:
        with tarfile.open(path, "r:") as archive:
            for info in archive:
                key, extension = _split(info.name)
                if not info.isreg() or extension not in (IMAGES | {LABEL}):
                    continue
                if key in (labels if extension == LABEL else found):
                    raise unreadable(path, f"{key} stands twice in it")
                if extension == LABEL:
                    labels[key] = _label(path, archive, info)
                else:
                    found[key] = info
            _require_end(path, archive.offset)
    except (tarfile.TarError, OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise unreadable(path, reason, "give .tar files that are not packed") from error
    if not found:
        raise unreadable(path, "it holds no PNG or JPEG files")
    lonely = sorted(labels.keys() - found.keys())
    if lonely:
        raise unreadable(path, f"classes without an image: {some_of(lonely)}")
    return [
        Member(str(path), info.name, info.offset_data, info.size, labels.get(key))
        for key, info in found.items()
    ]


def _split(name: str) -> tuple[str, str]:
    """Key and extension: what stands before and after the first dot of the last part."""
    path = PurePosixPath(name)
    stem, _, extension = path.name.partition(".")
    return str(path.parent / stem), extension.lower()


def _label(path: Path, archive: tarfile.TarFile, info: tarfile.TarInfo) -> int:
    content = archive.extractfile(info)
    text = b"" if content is None or info.size > LONGEST_LABEL else content.read().strip()
    if not text.isdigit():
        raise unreadable(path, f"{info.name} is no whole number", "write the class as digits")
    return int(text)


def _require_end(path: Path, offset: int) -> None:
    """The block of zeros with which archives end: where tarfile stops at anything else it is mute.

    Raises:
        SnnccError: SNN015 where there is none.
    """
    with path.open("rb") as file:
        file.seek(offset)
        if file.read(BLOCK) != bytes(BLOCK):
            reason = f"it is cut off or damaged at byte {offset:,}"
            raise SnnccError("SNN015", f"{path} cannot be read", why=reason, help="fetch it again")
