"""Folders of image files, with the order and the classes of torchvision's ImageFolder."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snncc.artifact.paths import is_file, is_folder
from snncc.data.image_files import MODES, ImageFiles, some_of, unreadable
from snncc.data.preprocessing import Preprocessing
from snncc.diagnostics import SnnccError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif"})
FOREIGN = frozenset({".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True)
class ImageFolder:
    """Image files by class folder, then by folder, then by name.

    Attributes:
        root: the folder.
        files: PNG and JPEG files in it and below, those in no class folder first.
        classes: names of the folders directly in it, sorted, with and without images.
    """

    root: Path
    files: tuple[Path, ...]
    classes: tuple[str, ...]

    def images(
        self, shape: tuple[int, ...], preset: Preprocessing | None, limit: int | None = None
    ) -> ImageFiles:
        """The files as images of a program.

        Args:
            shape: of one image, as the program takes it.
            preset: what is done to files; None when they have the program's size already.
            limit: only so many, the first ones.

        Raises:
            SnnccError: SNN016 when files cannot have that shape, or there are none.
        """
        if len(shape) != 3 or shape[0] not in MODES:
            raise SnnccError(
                "SNN016",
                f"image files do not fit a program that takes {list(shape)}",
                why="files give one grey channel or three colours, [1 or 3, height, width]",
                help="give the images as an array (.npy or .npz)",
            )
        if preset is not None and preset.shape != shape:
            raise SnnccError(
                "SNN016",
                f"{preset.name} gives images {list(preset.shape)}, the program takes {list(shape)}",
            )
        if not self.files:
            raise SnnccError(
                "SNN016",
                f"{self.root} holds no images",
                why="no PNG or JPEG files",
                help="give a folder with image files, or an array: NPZ:KEY",
            )
        return ImageFiles(self.files[:limit], shape, preset)

    def labels(self, classes: int) -> NDArray[np.int64]:
        """The place of every file's class folder in the order of their names.

        Raises:
            SnnccError: SNN016 when a file lies in no class folder, or there is not one folder for
                each of the program's classes.
        """
        inner = [file.relative_to(self.root).parts for file in self.files]
        loose = [parts[0] for parts in inner if len(parts) == 1]
        if loose:
            raise SnnccError(
                "SNN016",
                f"{some_of(loose)} in {self.root}: in no class folder",
                help="put every image into a folder of its class, or give labels in a file",
            )
        if len(self.classes) != classes:
            raise SnnccError(
                "SNN016",
                f"{self.root} has {len(self.classes)} class folders, the program {classes} classes",
                why="a class is the place of its folder in the order of names",
                help="make a folder for every class, empty ones too, or give labels in a file",
            )
        place = {name: index for index, name in enumerate(self.classes)}
        return np.array([place[parts[0]] for parts in inner], np.int64)


def find_images(path: Path) -> ImageFolder | None:
    """The image files in a folder and below, or one image file; None for anything else.

    Hidden files and folders are passed over, and so are files that are no images. Links are
    followed, except to a folder that holds them.

    Raises:
        SnnccError: SNN015 when a folder cannot be read, or holds images of other formats.
    """
    if path.suffix.lower() in SUFFIXES and is_file(path):
        return ImageFolder(path.parent, (path,), ())
    if not is_folder(path):
        return None
    found, classes = files_in(path)
    foreign = sorted(file.name for file in found if file.suffix.lower() in FOREIGN)
    if foreign:
        raise unreadable(path, f"of images it holds {some_of(foreign)}", "convert them to PNG")
    files = tuple(file for file in found if file.suffix.lower() in SUFFIXES)
    return ImageFolder(path, files, classes)


def files_in(path: Path) -> tuple[list[Path], tuple[str, ...]]:
    """The files in a folder and below in the order of `ImageFolder`, and its class folders.

    Raises:
        SnnccError: SNN015 when a folder cannot be read, or holds pipes, devices or sockets: who
            opens a pipe waits for somebody who writes.
    """
    found: list[Path] = []
    classes: list[str] = []
    for folder, folders, names in os.walk(path, onerror=_refuse, followlinks=True):
        here = Path(folder)
        above = {here.resolve(), *here.resolve().parents}
        folders[:] = [
            n for n in folders if not n.startswith(".") and (here / n).resolve() not in above
        ]
        if here == path:
            classes = sorted(folders)
        found += [here / name for name in names if not name.startswith(".")]

    others = [str(file.relative_to(path)) for file in found if _is_no_file(file)]
    if others:
        reason = f"it holds pipes, devices or sockets: {some_of(others)}"
        raise unreadable(path, reason, "remove them, or give a folder of files")

    def order(file: Path) -> tuple[str, str, str]:
        inner = file.relative_to(path)
        return inner.parts[0] if len(inner.parts) > 1 else "", str(inner.parent), inner.name

    return sorted(found, key=order), tuple(classes)


def _is_no_file(path: Path) -> bool:
    """Whether something is there that is no file; of a link to nothing its reader tells."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _refuse(error: OSError) -> None:
    raise unreadable(Path(str(error.filename)), error.strerror or str(error)) from error
