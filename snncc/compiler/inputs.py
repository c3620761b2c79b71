"""What a network takes: the shape of an image, time steps, and images of the user's."""

import numpy as np
from numpy.typing import NDArray

from snncc.compiler.given_frames import frames_for
from snncc.compiler.options import CompileOptions, without_shape
from snncc.data.image_arrays import images_for, require_images
from snncc.data.image_folder import ImageFolder
from snncc.diagnostics import SnnccError
from snncc.frontends.frontend import Source
from snncc.ir.images import ImageSource

DEFAULT_STEPS = 4
Images = NDArray[np.uint8] | ImageFolder
"""An array [n, *input_shape], or files that get their size from the network."""


def shape_and_steps(source: Source, options: CompileOptions) -> tuple[tuple[int, ...], int]:
    preset = options.preset
    shape = options.input_shape or source.input_shape or (preset.shape if preset else None)
    if shape is None:
        raise without_shape()
    if preset is not None and preset.shape != shape:
        raise SnnccError(
            "SNN001",
            f"--preprocess {preset.name} gives images {list(preset.shape)}, the network takes "
            f"{list(shape)}",
            help="give --normalize MEAN,STD instead",
        )
    steps = options.steps or source.steps or DEFAULT_STEPS
    if source.steps_are_fixed and steps != source.steps:
        raise SnnccError(
            "SNN001",
            f"--steps {steps}, but the network was trained for {source.steps} time steps",
            why="its BatchNorms have a scale of their own for every step",
            help=f"leave --steps out, or give {source.steps}",
        )
    return shape, steps


def images_of(
    images: Images | None, shape: tuple[int, ...], steps: int, options: CompileOptions, what: str
) -> ImageSource | None:
    """The images as the network takes them; what is wrong with any is said before the work."""
    preset = options.preset
    if images is None:
        return None
    if options.frames is not None:
        return frames_for(images, (steps, *shape), options, what)
    if isinstance(images, ImageFolder):
        files = images.images(shape, preset)
        files.check()
        return files
    require_images(images, what)
    return images_for(images, shape, what)
