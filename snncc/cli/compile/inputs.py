"""What `snncc compile` and `snncc verify --model` are given, looked at before torch is imported."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from snncc.artifact.kinds import CHECKPOINT, EMPTY, FOLDER, kind_of
from snncc.artifact.paths import is_there
from snncc.artifact.writing import check_writable, write_atomically
from snncc.cli.output import say
from snncc.diagnostics import SnnccError

if TYPE_CHECKING:
    from snncc.compiler.inputs import Images
    from snncc.compiler.options import CompileOptions
    from snncc.events.kept_framing import KeptFraming
    from snncc.passes.pipeline import PassEvent

Data: TypeAlias = "tuple[Images | None, KeptFraming | None]"
OPEN_FILES = (".nir", ".net")
"""Files that do not say all of how they are run."""
OF_OPEN_FILES = ("convention", "dt")
"""Options of these files."""
FEW = 16
"""Images below which rounding learns little from them."""


def check_checkpoint(path: Path | None) -> None:
    """Says what is wrong with a checkpoint as far as its first bytes tell.

    Raises:
        SnnccError: SNN010 when there is no such file, or it is of another kind.
    """
    if path is None or is_open(path):  # whose frontend says more
        return
    kind = kind_of(path)
    why = f"it is {kind}, not a checkpoint"
    if not is_there(path):
        why = _why_not_there(path)
    elif kind == EMPTY:
        why = "the file is empty"
    elif kind == FOLDER:
        why = "it is a folder"
    elif kind in ("", CHECKPOINT):
        return
    raise SnnccError(
        "SNN010",
        f"{path} cannot be read",
        why=why,
        help="give a file that torch.save or safetensors wrote, with a state_dict in it",
    )


def is_open(path: Path | None) -> bool:
    """Whether a name is that of a .nir or .net file."""
    return path is not None and path.suffix.lower() in OPEN_FILES


def _why_not_there(path: Path) -> str:
    try:
        path.stat()
    except FileNotFoundError:
        return "there is no such file"
    except OSError as error:  # a name that is too long, a folder without permission
        return error.strerror or str(error)
    return "it was not there a moment ago"


def images_of(spec: str | None, options: "CompileOptions", option: str) -> "Data":
    """The images that an option names, and how frames of them were made.

    Raises:
        SnnccError: SNN015 or SNN016 when they cannot be read, are not 8-bit, or are none.
    """
    if spec is None:
        return None, None
    from snncc.compiler.given_frames import frames_for, open_data
    from snncc.data.image_arrays import images_for, require_images
    from snncc.data.image_folder import ImageFolder

    images, framing = open_data(spec, option, options)
    shape, steps = options.input_shape, options.steps
    if isinstance(images, ImageFolder):
        count = len(images.files)
    elif options.frames is not None:
        count = len(images)
        if shape is not None and steps is not None:
            frames_for(images, (steps, *shape), options, spec)
    else:
        preset = options.preset
        shape = options.input_shape or (preset.shape if preset else None)
        require_images(images, spec)
        if shape is not None:
            images_for(images, shape, spec)
        count = len(images)
    if option == "--calibrate" and 0 < count < FEW:
        some = "1 image" if count == 1 else f"{count} images"
        say(f"note: {option}: {some}; rounding wants a few hundred to look at", err=True)
    return images, framing


def labels_of(spec: str | None, *images: "tuple[str | None, Images | None]") -> Any:
    """Labels of the first images that are given, int64 [n]; None without a spec.

    Args:
        spec: of --labels.
        images: specs of images, and what they name.

    Raises:
        SnnccError: SNN001, SNN015 or SNN016 when there are none there, or they are no labels.
    """
    if spec is None:
        return None
    from snncc.cli.labels import read_all_labels

    data, given = next(each for each in images if each[0] is not None)
    return read_all_labels(spec, given, str(data))


class IrDump:
    """Writes every pass's graph into a folder, and tells how long it took.

    Args:
        folder: made when it is not there; None to write nothing.
        timed: whether seconds are told on stderr.
    """

    def __init__(self, folder: Path | None, timed: bool) -> None:
        self.folder, self.timed, self.count = folder, timed, 0
        if folder is not None:
            _make(folder)
            check_writable(folder / "00-trace.txt")

    def observe(self, event: "PassEvent") -> None:
        """After a pass."""
        from snncc.ir.text import print_graph

        if self.folder is not None:
            text = print_graph(event.graph).encode()
            path = self.folder / f"{self.count:02d}-{event.name}.txt"
            write_atomically(path, lambda file: file.write(text))
        if self.timed:
            say(f"{event.seconds:8.3f} s  {event.name}", err=True)
        self.count += 1


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is a file" if is_there(folder) else error.strerror or str(error)
        raise SnnccError(
            "SNN002", f"{folder} cannot be written", why=reason, help="choose another path"
        ) from error
