"""What a program is given to run on: arrays and image files, or recordings of events."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from snncc.cli.output import say
from snncc.diagnostics import SnnccError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from snncc.data.image_folder import ImageFolder
    from snncc.ir import Graph
    from snncc.ir.dialects.projections import Frames

COLUMNS = {"t", "x", "y"}
"""Keys of an .npz that holds events, one column each, and no frames."""


def open_given(graph: "Graph", spec: str) -> "NDArray[Any] | ImageFolder":
    """Images of a spec; a recording of events as frames of the program's T, domain and sensor.

    Raises:
        SnnccError: SNN015 when it cannot be read; SNN016 for a recording where a program takes
            still images; those of framing, such as SNN081.
    """
    from snncc.data.files import open_images
    from snncc.ir import TIME
    from snncc.ir.encodings import frames_of

    kind = _format_of(spec)
    if kind is None:
        return open_images(spec)
    frames = frames_of(graph)
    if frames.axes[:1] != (TIME,) or len(frames.axes) != 4:
        sizes = zip(frames.axes, frames.shape, strict=True)
        takes = ", ".join(f"{name}:{size}" for name, size in sizes)
        raise SnnccError(
            "SNN016",
            f"{spec} is a recording of events, and the program takes none",
            why=f"what enters it is {takes}; recordings are frames of steps, polarities, rows and "
            "columns",
            help="make frames with `snncc frames` for a program that takes such",
        )
    return _framed(spec, kind, frames)


def given_images(graph: "Graph", spec: str) -> "NDArray[Any]":
    """Images of a spec, as a program takes them.

    Raises:
        SnnccError: as `open_given`; SNN016 when they do not fit, or are none.
    """
    from snncc.data.files import program_images
    from snncc.data.image_arrays import images_for
    from snncc.data.image_folder import ImageFolder
    from snncc.ir.encodings import frames_of

    given = None if _format_of(spec) is None else open_given(graph, spec)
    if given is None or isinstance(given, ImageFolder):
        return program_images(graph, spec)
    frames = frames_of(graph)
    return images_for(given, frames.shape, spec, frames.domain)


def _framed(spec: str, kind: str, frames: "Frames") -> "NDArray[Any]":
    from snncc.events.programs import framing_for, reading_for
    from snncc.events.stacks import frame_files

    framing = framing_for(frames.shape, frames.domain)
    stack = frame_files([spec], framing, reading_for(frames.shape, kind))
    say(
        f"note: {spec}: {stack.events:,} events in {frames.shape[0]} frames of {framing.values}, "
        "as `snncc frames --by number` makes them; it has other rules",
        err=True,
    )
    return stack.values


def _format_of(spec: str) -> str | None:
    """The format of a recording of events; None for everything else, an array of a file too."""
    from snncc.data.files import read_arrays
    from snncc.data.specs import split_spec
    from snncc.events.formats import format_of

    path, key = split_spec(spec)
    try:
        if key or not path.is_file():
            return None
        kind = format_of(Path(path))
        if kind != "npz":
            return kind
        return kind if {*read_arrays(path)} >= COLUMNS else None
    except (SnnccError, OSError):
        return None  # of what cannot be read the reader of images says more
