"""What Python callers give, as the compiler takes it; errors in the words of the Python API."""

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from snncc.diagnostics import Finding, SnnccError
from snncc.runtime.data_files import open_images
from snncc.runtime.image_folder import ImageFolder

Images = Any
"""uint8 [n, *shape of one image]: an array, a tensor, a list; "file.npz:KEY", a file, a folder."""
Numbers = float | Sequence[float]

_OPTION = re.compile(r"--(?!index-url)([a-z]+(?:-[a-z]+)*)")
_WORDS = {
    "model": "model",
    "arg": "arguments",
    "on": "executor",
    "to": "target",
    "limit": "images[:N]",
    "record-only": "record",
}
"""Options of the command line whose arguments have another name here."""


@contextmanager
def in_words_of_python() -> Generator[None]:
    """Turns names of options in an error's texts into names of arguments."""
    try:
        yield
    except SnnccError as error:
        raise SnnccError.of(_reworded(finding) for finding in error.findings) from error


def _reworded(finding: Finding) -> Finding:
    message, why, help_ = map(_argument_names, (finding.message, finding.why, finding.help))
    return replace(finding, message=message, why=why, help=help_)


def _argument_names(text: str) -> str:
    """The text with arguments in place of options; commands, which stand in `...`, stay."""
    parts = text.split("`")
    return "`".join(part if i % 2 else _OPTION.sub(_argument, part) for i, part in enumerate(parts))


def _argument(found: re.Match[str]) -> str:
    return _WORDS.get(found[1], found[1].replace("-", "_"))


def images_of(given: Images, what: str) -> NDArray[Any] | ImageFolder:
    """Images from an array, something that NumPy takes as one, or a path.

    Raises:
        SnnccError: SNN015 when a file cannot be read; SNN016 when this is no array.
    """
    if isinstance(given, str | Path):
        return open_images(str(given))
    try:
        array = np.asarray(given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise _no_images(what, f"{type(error).__name__}: {error}") from error
    if array.dtype.kind not in "buif":
        raise _no_images(what, f"{type(given).__name__} of type {array.dtype}")
    return array


def classes_of(given: object) -> NDArray[np.int64]:
    """Labels as int64 [n].

    Raises:
        SnnccError: SNN016 when they are not one integer for each image.
    """
    labels = np.asarray(given)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise SnnccError(
            "SNN016",
            f"labels are {labels.dtype} {list(labels.shape)}",
            help="give one integer for each image",
        )
    return labels.astype(np.int64)


def normalization_of(given: tuple[Numbers, Numbers] | None) -> Any:
    """(mean, std), each a number or one a channel, as two tuples.

    Raises:
        SnnccError: SNN001 for anything else.
    """
    if given is None:
        return None
    try:
        mean, std = given
        return _numbers(mean), _numbers(std)
    except (TypeError, ValueError) as error:
        raise SnnccError(
            "SNN001",
            f"normalize={given!r}",
            why="a pixel enters as (x / 255 - mean) / std",
            help="give (mean, std): two numbers, or two sequences with one number a channel",
        ) from error


def shape_of(given: object) -> tuple[int, ...] | None:
    """The shape of one image as a tuple.

    Raises:
        SnnccError: SNN001 when it is no sequence.
    """
    if given is None:
        return None
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise SnnccError("SNN001", f"input_shape={given!r}", help="give (channels, height, width)")
    return tuple(cast("Sequence[int]", given))


def texts_of(given: Mapping[str, object] | None) -> dict[str, str]:
    """Values as the command line would give them; what a factory reads back as the same value.

    Raises:
        SnnccError: SNN001 for a value that has no such form.
    """
    plain = (bool, int, float, str, tuple, list, type(None))
    for key, value in (given or {}).items():
        if not isinstance(value, plain):
            raise SnnccError(
                "SNN001",
                f"{key}={value!r} is a {type(value).__name__}",
                why="arguments of a named factory are recorded as text",
                help="call the factory yourself and give the module it returns",
            )
    return {key: v if isinstance(v, str) else repr(v) for key, v in (given or {}).items()}


def progress_of(given: Callable[[int, int], None] | None) -> Callable[[int, int], None] | None:
    """A callback of (done, total), checked before the work.

    Raises:
        SnnccError: SNN001 when it cannot be called.
    """
    if given is not None and not callable(given):
        raise SnnccError("SNN001", f"progress={given!r}", help="give a function of (done, total)")
    return given


def _numbers(given: Numbers) -> tuple[float, ...]:
    if isinstance(given, int | float | np.number):
        return (float(given),)
    return tuple(float(number) for number in given)


def _no_images(what: str, why: str) -> SnnccError:
    return SnnccError(
        "SNN016",
        f"{what} is no array of images",
        why=why,
        help="give uint8 [n, *shape of one image], or the path of an .npy, an .npz or a folder",
    )
