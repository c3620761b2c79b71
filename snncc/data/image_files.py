"""Image files as a source of images: checked before the work, decoded when they are needed.

Decoding and resizing are Pillow's, as in torchvision's loader for PIL images, so that files become
the pixels that a network was trained on. EXIF orientation is ignored there, and here.
"""

import io
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from snncc.data.preprocessing import PRESETS, Preprocessing
from snncc.diagnostics import Finding, SnnccError

FORMATS = ("PNG", "JPEG")
MODES = {1: "L", 3: "RGB"}
"""Pillow's mode by the number of channels that a program takes."""
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
PNG_DEPTH_AT = 24
"""Where the bits of one sample stand in a PNG file."""
MOST_PIXELS = 1 << 26
"""Of one image, decoded or resized: a few bytes of a file can ask for any amount of memory."""
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)
"""What Pillow raises on damaged files (seen on 60,000 mutated ones, and documented)."""
SHOWN = 5


@dataclass(frozen=True)
class ImageFiles:
    """Files as the images of a program; each is decoded when it is asked for.

    Attributes:
        files: in order.
        shape: of one image, [1 or 3, height, width].
        preset: geometry; None when files have the program's size already.
    """

    files: tuple[Path, ...]
    shape: tuple[int, ...]
    preset: Preprocessing | None = None

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: slice | NDArray[np.intp], /) -> NDArray[np.uint8]:
        """The chosen images, uint8 [chosen, *shape].

        Raises:
            SnnccError: SNN015 with every chosen file that cannot be read, SNN016 for wrong sizes.
        """
        places = range(len(self.files))[index] if isinstance(index, slice) else index.tolist()
        chosen: list[Path] = [self.files[int(place)] for place in places]
        images = np.empty((len(chosen), *self.shape), np.uint8)
        findings: list[Finding] = []
        for place, file in enumerate(chosen):
            try:
                images[place] = self.pixels(file)
            except SnnccError as error:
                findings += error.findings
        if findings:
            raise SnnccError.of(findings)
        return images

    def check(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Looks for damage and wrong sizes in every file before the work begins.

        PNG files are read whole and their checksums compared; of JPEG files an eighth of the
        picture's size is decoded, which takes all of the file too.

        Args:
            progress: called with the number of files looked at and their total.

        Raises:
            SnnccError: SNN015 for each file that cannot be read, SNN016 for those of another size.
        """
        findings: list[Finding] = []
        sizes: dict[Path, tuple[int, int]] = {}
        for done, file in enumerate(self.files, 1):
            try:
                with _opened(file) as image:
                    sizes[file] = (image.height, image.width)
                    _read_without_keeping(image)
                self._require_room(file, *sizes[file])
            except SnnccError as error:
                findings += error.findings
            if progress is not None:
                progress(done, len(self.files))
        findings += self._wrong_sizes(sizes)
        if findings:
            raise SnnccError.of(findings)

    def pixels(self, file: Path, data: bytes | None = None) -> NDArray[np.uint8]:
        """One image, [*shape]; converted before it is resized, as torchvision's loader does.

        Args:
            file: to read, or the name in messages.
            data: its bytes, where they lie in another file.

        Raises:
            SnnccError: SNN015 when it cannot be read, SNN016 for another size.
        """
        with _opened(file, data) as image:
            size = (image.height, image.width)
            self._require_room(file, *size)
            picture = image.convert(MODES[self.shape[0]])
        if self.preset is not None:
            picture = _applied(self.preset, picture)
        wrong = self._wrong_sizes({file: size})
        if wrong:
            raise SnnccError.of(wrong)
        pixels = np.asarray(picture, np.uint8).reshape(*self.shape[1:], self.shape[0])
        return pixels.transpose(2, 0, 1)

    def _require_room(self, file: Path, height: int, width: int) -> None:
        if self.preset is not None:
            height, width = self.preset.resized(height, width)
        if height * width > MOST_PIXELS:
            reason = (
                f"resized it would be {height} high and {width} wide, over {MOST_PIXELS:,} pixels"
            )
            raise unreadable(file, reason)

    def _wrong_sizes(self, sizes: dict[Path, tuple[int, int]]) -> list[Finding]:
        """One finding for all files of another size than the program's; none with a preset."""
        height, width = self.shape[1:]
        wrong = [
            f"{file} ({high} x {wide})"
            for file, (high, wide) in sizes.items()
            if (high, wide) != (height, width)
        ]
        if self.preset is not None or not wrong:
            return []
        fit = [name for name, preset in PRESETS.items() if preset.shape == self.shape]
        return [
            Finding(
                "SNN016",
                f"{len(wrong)} of {len(sizes)} images are not {height} high and {width} wide: "
                f"{some_of(wrong)}",
                None,
                "the program was compiled without --preprocess, so files enter as they are",
                f"resize the files to {height} x {width}"
                + (f", or compile with --preprocess {' | '.join(fit)}" if fit else ""),
            )
        ]


@contextmanager
def _opened(file: Path, data: bytes | None = None) -> Generator[Image.Image]:
    """An image whose pixels are not decoded yet; what goes wrong meanwhile is SNN015."""
    try:
        with warnings.catch_warnings(), _content(file, data) as content:
            warnings.simplefilter("ignore")  # about metadata: nothing of it is used
            head = content.read(PNG_DEPTH_AT + 1)
            content.seek(0)
            with Image.open(content, formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise unreadable(file, f"it has more than {MOST_PIXELS:,} pixels")
                if image.format == "PNG" and head[PNG_DEPTH_AT] > 8:
                    reason = "it has 16 bits a channel, programs take 8"
                    raise unreadable(file, reason, "convert it to 8 bits")
                yield image
    except UnidentifiedImageError as error:
        raise unreadable(file, "it is not a PNG or JPEG file, or its head is damaged") from error
    except DAMAGE as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise unreadable(file, reason or type(error).__name__) from error


def _content(file: Path, data: bytes | None) -> BinaryIO:
    return file.open("rb") if data is None else io.BytesIO(data)


def _read_without_keeping(image: Image.Image) -> None:
    if image.format == "PNG":
        image.verify()
    else:
        image.draft("L", (1, 1))
        image.load()


def _applied(preset: Preprocessing, picture: Image.Image) -> Image.Image:
    height, width = preset.resized(picture.height, picture.width)
    picture = picture.resize((width, height), FILTERS[preset.interpolation])
    top, left = preset.corner(height, width)
    return picture.crop((left, top, left + preset.side, top + preset.side))


def some_of(names: Sequence[str]) -> str:
    """The first names, and how many there are beside them."""
    shown = ", ".join(names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"


def unreadable(file: Path, reason: str, help: str = "") -> SnnccError:
    """SNN015 for one file or folder."""
    return SnnccError("SNN015", f"{file} cannot be read", why=reason, help=help)
