"""What the arguments of the Python API may be: one error that names the argument for all else."""

import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from operator import index
from pathlib import Path
from typing import Any, cast

import numpy as np

from snncc.diagnostics import SnnccError

LARGEST = (1 << 63) - 1
LONGEST = 80
"""Characters of a value in a message."""


def wrong(name: str, given: object, help: str, why: str = "") -> SnnccError:
    """The error for a value that an argument cannot have."""
    return SnnccError("SNN001", f"{name}={_shown(given)}", why=why, help=help)


def path_of(name: str, given: object) -> Path:
    """A path from a text or a path.

    Raises:
        SnnccError: SNN001 for anything else, and for an empty text.
    """
    value: Any = given
    if isinstance(value, str | os.PathLike) and value != "":
        with suppress(TypeError, ValueError):  # a path of bytes; half of a surrogate pair
            path = Path(cast("str | os.PathLike[str]", given))
            if b"\0" not in os.fsencode(path):
                return path
    raise wrong(name, given, "give a path: a str or a pathlib.Path")


def whole(name: str, given: object, help: str = "give an int") -> int:
    """A whole number, of NumPy's too.

    Raises:
        SnnccError: SNN001 for anything else; True and False are no numbers.
    """
    number = _index(given)
    if number is None or abs(number) > LARGEST:
        raise wrong(name, given, help)
    return number


def real(name: str, given: object) -> float:
    """A real number, of NumPy's too.

    Raises:
        SnnccError: SNN001 for anything else.
    """
    value: Any = given
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        with suppress(TypeError, OverflowError):  # complex; an int beyond all floats
            return float(cast("float", given))
    raise wrong(name, given, "give a number")


def text(name: str, given: object) -> str:
    """A text. Raises SnnccError (SNN001) for anything else."""
    if not isinstance(given, str):
        raise wrong(name, given, "give a str")
    return given


def flag(name: str, given: object) -> bool:
    """True or False. Raises SnnccError (SNN001) for anything else."""
    value: Any = given
    if not isinstance(value, bool | np.bool_):
        raise wrong(name, given, "give True or False")
    return bool(cast("bool", value))


def choice(name: str, given: object, choices: Collection[str]) -> str:
    """One of some texts. Raises SnnccError (SNN001) for anything else."""
    if not isinstance(given, str) or given not in choices:
        raise wrong(name, given, f"one of: {', '.join(choices)}")
    return given


def several(name: str, given: object, choices: Collection[str]) -> frozenset[str]:
    """A collection of some texts.

    Raises:
        SnnccError: SNN001 for anything else; a text alone is a collection of characters.
    """
    value: Any = given
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Collection):
        example = f"give a collection of texts, such as ({next(iter(choices))!r},)"
        raise wrong(name, given, example)
    return frozenset(choice(name, each, choices) for each in cast("Collection[object]", given))


def mapping(name: str, given: object) -> dict[str, Any]:
    """A mapping with texts as keys; None for an empty one.

    Raises:
        SnnccError: SNN001 for anything else.
    """
    if given is None:
        return {}
    value: Any = given
    if isinstance(value, Mapping):
        found = dict(cast("Mapping[object, Any]", given))
        if all(isinstance(key, str) for key in found):
            return cast("dict[str, Any]", found)
    raise wrong(name, given, "give a dict with a str for every key")


def _index(given: object) -> int | None:
    if isinstance(given, bool | np.bool_) or (isinstance(given, np.ndarray) and given.ndim):
        return None
    try:
        return index(cast("Any", given))
    except (TypeError, ValueError, RuntimeError):  # the last two: what a tensor says
        return None


def _shown(given: object) -> str:
    """A value in a message: on one line, and not too long."""
    try:
        found = " ".join(repr(given).split())
    except Exception:  # __repr__ is the user's code, and an int can have too many digits
        return f"a {type(given).__name__}"
    return found if len(found) <= LONGEST else f"{found[: LONGEST - 3]}..."
