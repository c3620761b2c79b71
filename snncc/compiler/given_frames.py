"""Data of a network with a frame for every step: recordings of events, arrays [n, T, ...]."""

from typing import Any

from numpy.typing import NDArray

from snncc.compiler.options import CompileOptions
from snncc.data.files import open_images
from snncc.data.image_arrays import images_for, require_domain, require_some
from snncc.data.image_folder import ImageFolder
from snncc.diagnostics import SnnccError
from snncc.events.kept_framing import (
    KeptFraming,
    framed,
    framing_of_file,
    recorded_format,
    usual_framing,
)
from snncc.ir import TIME

Opened = tuple[NDArray[Any] | ImageFolder, KeptFraming | None]


def open_data(spec: str, option: str, options: CompileOptions) -> Opened:
    """What an option names, and how its frames were made, where there are any.

    Args:
        spec: of an array, of image files, or of a recording.
        option: by which it is given.
        options: with `frames`, `steps` and `input_shape`, which a recording needs.

    Raises:
        SnnccError: SNN015 when it cannot be read; SNN001 for a recording where the network takes
            still images, or nobody says T and the sensor; those of framing, such as SNN081.
    """
    kind, domain = recorded_format(spec), options.frames
    if kind is None:
        found = open_images(spec)
        own = None if domain is None else framing_of_file(spec)
        return found, None if own is None or domain is None else own.within(domain, spec)
    shape, steps = options.input_shape, options.steps
    if domain is None or shape is None or steps is None or len(shape) != 3:
        raise SnnccError(
            "SNN001",
            f"{option} {spec} is a recording of events",
            why="it becomes a frame for each of T steps, of polarities, rows and columns, in a "
            "domain, and not all of this is said",
            help="give --frames LOW..HIGH, --steps T and --input-shape C,H,W; or make frames with "
            "`snncc frames`, by any of its rules",
        )
    how = usual_framing((steps, *shape), domain)
    return framed(spec, kind, (steps, *shape), how).values, how


def frames_for(
    array: NDArray[Any] | ImageFolder, shape: tuple[int, ...], options: CompileOptions, what: str
) -> NDArray[Any]:
    """The array as frames [n, *shape] of the network's domain, time the first of their axes.

    Raises:
        SnnccError: SNN016 when it is no such array, or the domain does not hold an element.
    """
    if isinstance(array, ImageFolder):
        told = f"{what}: image files are still images, and the network takes a frame every step"
        raise SnnccError("SNN016", told, help="give an array [n, T, C, H, W] or a recording")
    domain = options.frames or (0, 255)
    require_some(array, what)
    frames = images_for(array, shape, what, domain)
    require_domain(frames, (TIME, *(f"axis {i}" for i in range(1, len(shape)))), domain)
    return frames


def one_framing(
    calibration: KeptFraming | None, evaluation: KeptFraming | None
) -> KeptFraming | None:
    """The one way in which all frames were made, as far as that is known.

    Raises:
        SnnccError: SNN001 where there are two.
    """
    if calibration is not None and evaluation is not None and calibration != evaluation:
        raise SnnccError(
            "SNN001",
            "--calibrate and --evaluate are framed in different ways",
            why=f"one {calibration}, the other {evaluation}; a program keeps one",
            help="frame both alike",
        )
    return calibration or evaluation
