"""Named preprocessing of images: the evaluation transforms of the source paper's training script.

The normalisation becomes part of the program. The geometry is applied to image files before their
pixels enter it, with the sizes and the rounding of torchvision's Resize and CenterCrop.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from snncc.diagnostics import SnnccError


@dataclass(frozen=True)
class Preprocessing:
    """What happens to a colour image before the network sees it.

    A name is a promise: programs keep only the name, so what it stands for never changes.

    Attributes:
        name: as it stands in a program's provenance.
        means, stds: of pixels / 255, one for each channel.
        side: height and width that the network takes, pixels.
        shorter: the shorter side is brought to this length and the centre is cut out; None to
            stretch the image to side x side.
        interpolation: "bilinear" or "bicubic", antialiased.
    """

    name: str
    means: tuple[float, float, float]
    stds: tuple[float, float, float]
    side: int
    shorter: int | None
    interpolation: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the images that come out: channels, height, width."""
        return (3, self.side, self.side)

    @property
    def normalization(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Means and standard deviations."""
        return self.means, self.stds

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after resizing; the longer side is rounded down."""
        if self.shorter is None:
            return self.side, self.side
        if width <= height:
            return self.shorter * height // width, self.shorter
        return self.shorter, self.shorter * width // height

    def corner(self, height: int, width: int) -> tuple[int, int]:
        """Top and left of the cut in a resized image; halves go to the even number."""
        return round((height - self.side) / 2), round((width - self.side) / 2)

    def __str__(self) -> str:
        if self.shorter is None:
            return f"{self.name}: to {self.side} x {self.side} ({self.interpolation})"
        return (
            f"{self.name}: shorter side to {self.shorter} ({self.interpolation}), "
            f"centre {self.side} x {self.side}"
        )


PRESETS: Mapping[str, Preprocessing] = {
    preset.name: preset
    for preset in (
        Preprocessing(
            "imagenet224", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 224, 256, "bicubic"
        ),
        Preprocessing(
            "cifar224", (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010), 224, None, "bilinear"
        ),
    )
}


def preset_of(provenance: Mapping[str, object]) -> Preprocessing | None:
    """The preprocessing that a program was compiled with; None for none.

    Raises:
        SnnccError: SNN017 for a name that this version does not know.
    """
    name = provenance.get("preprocess")
    if name is None:
        return None
    if not isinstance(name, str) or name not in PRESETS:
        raise SnnccError(
            "SNN017",
            f"the program was compiled with --preprocess {name}",
            why=f"this version of snncc knows {', '.join(PRESETS)}",
            help="run it with the version that compiled it, or give images as an array",
        )
    return PRESETS[name]
