"""What Python callers give, as the compiler takes it; errors in the words of the Python API."""

import ast
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from snncc.api.checks import mapping, real, whole, wrong
from snncc.data.files import open_images
from snncc.data.image_folder import ImageFolder
from snncc.data.labels import whole_labels
from snncc.diagnostics import Finding, SnnccError

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
    "set": "changes",
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
    message, why, help_ = map(argument_names, (finding.message, finding.why, finding.help))
    return replace(finding, message=message, why=why, help=help_)


def argument_names(text: str) -> str:
    """The text with arguments in place of options; commands, which stand in `...`, stay."""
    parts = text.split("`")
    return "`".join(part if i % 2 else _OPTION.sub(_argument, part) for i, part in enumerate(parts))


def _argument(found: re.Match[str]) -> str:
    return _WORDS.get(found[1], found[1].replace("-", "_"))


def images_of(given: Images, what: str, dtype: str = "uint8") -> NDArray[Any] | ImageFolder:
    """Images from an array, something that NumPy takes as one, or a path.

    Integers in lists become those that a program takes, uint8 or int8, where that type has them;
    an array has the type that it has.

    Raises:
        SnnccError: SNN015 when a file cannot be read; SNN016 when this is no array.
    """
    if isinstance(given, str | Path):
        return open_images(str(given))
    try:
        array = np.asarray(given)
    except Exception as error:  # what turns itself into an array may raise any
        raise _no_images(what, f"{type(error).__name__}: {error}") from error
    if array.dtype.kind not in "buif":
        raise _no_images(what, f"{type(given).__name__} of type {array.dtype}")
    in_lists = isinstance(given, list | tuple) and array.dtype.kind in "iu" and array.size > 0
    held = np.iinfo(dtype)
    if in_lists and held.min <= array.min() and array.max() <= held.max:
        return array.astype(dtype)
    return array


def classes_of(given: object) -> NDArray[np.int64]:
    """Labels as int64 [n].

    Raises:
        SnnccError: SNN016 when they are not one integer for each image.
    """
    try:
        labels = np.asarray(given)
    except Exception as error:  # as for images
        why = f"{type(error).__name__}: {error}"
        help_ = "give one integer for each image"
        raise SnnccError("SNN016", "labels are no array", why=why, help=help_) from error
    return whole_labels(labels)


def normalization_of(given: object) -> Any:
    """(mean, std), each a number or one a channel, as two tuples.

    Raises:
        SnnccError: SNN001 for anything else.
    """
    if given is None:
        return None
    try:
        mean, std = cast("tuple[Numbers, Numbers]", given)
        return _numbers(mean), _numbers(std)
    except (TypeError, ValueError, SnnccError) as error:
        help_ = "give (mean, std): two numbers, or two sequences with one number a channel"
        why = "a pixel enters as (x / 255 - mean) / std"
        raise wrong("normalize", given, help_, why) from error


def shape_of(given: object) -> tuple[int, ...] | None:
    """The shape of one image as a tuple.

    Raises:
        SnnccError: SNN001 when it is no sequence of whole numbers.
    """
    if given is None:
        return None
    help_ = "give (channels, height, width)"
    value: Any = given
    listed = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    if not listed and not (isinstance(value, np.ndarray) and value.ndim == 1):
        raise wrong("input_shape", given, help_)
    return tuple(whole("input_shape", each, help_) for each in cast("Sequence[object]", given))


def domain_of(given: object) -> tuple[int, int]:
    """Least and largest number of a frame. Raises SnnccError (SNN001) for anything else."""
    help_ = "give two whole numbers, such as (0, 15)"
    value: Any = given
    ends = [*cast("Sequence[object]", value)] if isinstance(value, list | tuple) else []
    if len(ends) != 2:
        raise wrong("frames", given, help_)
    low, high = ends
    return whole("frames", low, help_), whole("frames", high, help_)


def bits_of(given: object) -> tuple[tuple[str, int], ...]:
    """Bits by pattern of layer names. Raises SnnccError (SNN001) for anything else."""
    found = mapping("layer_bits", given)
    return tuple((key, whole(f"layer_bits[{key!r}]", bits)) for key, bits in found.items())


def activation_bits_of(given: object) -> tuple[tuple[str, int], ...]:
    """Bits by pattern of activations' names; one number is for all. Raises SnnccError (SNN001)."""
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        return (("*", whole("activation_bits", given)),)
    found = mapping("activation_bits", cast("Mapping[object, object]", given))
    return tuple((key, whole(f"activation_bits[{key!r}]", bits)) for key, bits in found.items())


def neuron_of(given: object) -> dict[str, str] | None:
    """Parameters of neurons as the command line gives them, None for none.

    Raises:
        SnnccError: SNN001 for values that no parameter can have.
    """
    found = mapping("neuron", given)
    texts = {k: v if isinstance(v, str) else _literal(k, v) for k, v in found.items()}
    return {key: each.lower() for key, each in texts.items()} or None


def texts_of(given: object) -> dict[str, str]:
    """Values as the command line would give them, which a factory reads back as the same values.

    Raises:
        SnnccError: SNN001 for a value that has no such form.
    """
    return {key: _read_back(key, value) for key, value in mapping("arguments", given).items()}


def _read_back(key: str, value: object) -> str:
    if isinstance(value, str) and _value(value) is value:
        return value
    found = _literal(key, value)
    if isinstance(_value(found), str) and not isinstance(value, str):  # a list of modules, nan
        raise _no_text(key, value)
    return found


def _value(text: str) -> object:
    """What a factory gets for a text."""
    try:
        return cast("object", ast.literal_eval(text))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _literal(key: str, value: object) -> str:
    given: Any = value
    plain: Any = cast("Any", given).item() if isinstance(given, np.generic) else given
    if isinstance(plain, bool | int | float | str | tuple | list | None):
        try:
            return repr(cast("object", plain))
        except Exception as error:  # of what a list holds; an int of too many digits
            raise _no_text(key, value) from error
    raise _no_text(key, value)


def _no_text(key: str, value: object) -> SnnccError:
    why = "arguments of a named factory are recorded as text"
    return wrong(key, value, "call the factory yourself and give the module it returns", why)


def progress_of(given: Callable[[int, int], None] | None) -> Callable[[int, int], None] | None:
    """A callback of (done, total), checked before the work.

    Raises:
        SnnccError: SNN001 when it cannot be called.
    """
    if given is not None and not callable(given):
        raise wrong("progress", given, "give a function of (done, total)")
    return given


def _numbers(given: Numbers) -> tuple[float, ...]:
    if isinstance(given, int | float | np.number):
        return (real("normalize", given),)
    return tuple(real("normalize", number) for number in given)


def _no_images(what: str, why: str) -> SnnccError:
    return SnnccError(
        "SNN016",
        f"{what} is no array of images",
        why=why,
        help="give uint8 [n, *shape of one image], or the path of an .npy, an .npz or a folder",
    )
