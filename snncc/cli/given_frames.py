"""What a program is given to run on: arrays and image files, or recordings of events."""

from typing import TYPE_CHECKING, Any

from snncc.cli.output import say
from snncc.diagnostics import SnnccError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from snncc.artifact import Program
    from snncc.data.image_folder import ImageFolder
    from snncc.events.kept_framing import KeptFraming
    from snncc.ir.dialects.projections import Frames


def open_given(program: "Program", spec: str) -> "NDArray[Any] | ImageFolder":
    """Images of a spec; a recording of events as frames of the program's T, domain and sensor.

    Raises:
        SnnccError: SNN015 when it cannot be read; SNN016 for a recording where a program takes
            still images, and for frames that are made otherwise than the program's; those of
            framing, such as SNN081.
    """
    from snncc.data.files import open_images
    from snncc.events.kept_framing import framing_kept_in, recorded_format, require_alike
    from snncc.ir import TIME
    from snncc.ir.encodings import frames_of

    kind = recorded_format(spec)
    if kind is None:
        require_alike(spec, program.provenance)
        return open_images(spec)
    frames = frames_of(program.graph)
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
    return _framed(spec, kind, frames, framing_kept_in(program.provenance))


def given_images(program: "Program", spec: str) -> "NDArray[Any]":
    """Images of a spec, as a program takes them.

    Raises:
        SnnccError: as `open_given`; SNN016 when they do not fit, or are none.
    """
    from snncc.data.files import program_images
    from snncc.data.image_arrays import images_for
    from snncc.data.image_folder import ImageFolder
    from snncc.events.kept_framing import recorded_format, require_alike
    from snncc.ir.encodings import frames_of

    given = None if recorded_format(spec) is None else open_given(program, spec)
    if given is None or isinstance(given, ImageFolder):
        require_alike(spec, program.provenance)
        return program_images(program.graph, spec)
    frames = frames_of(program.graph)
    return images_for(given, frames.shape, spec, frames.domain)


def _framed(spec: str, kind: str, frames: "Frames", own: "KeptFraming | None") -> "NDArray[Any]":
    from snncc.events.kept_framing import framed, usual_framing

    how = own or usual_framing(frames.shape, frames.domain)
    stack = framed(spec, kind, frames.shape, how)
    steps, values = frames.shape[0], how.framing.values
    made = (
        f"framed {how}, as the program says"
        if own
        else ("as `snncc frames --by number` makes them; it has other rules")
    )
    say(f"note: {spec}: {stack.events:,} events in {steps} frames of {values}, {made}", err=True)
    return stack.values
