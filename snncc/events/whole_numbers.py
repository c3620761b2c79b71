"""Arguments that must be whole numbers."""

from collections.abc import Iterable
from numbers import Integral
from typing import cast


def is_whole(value: object) -> bool:
    """Whether a value is a whole number, also of NumPy; truth values are none."""
    return type(value) is not bool and isinstance(value, Integral)


def pair_of(value: object) -> tuple[int, int] | None:
    """Two whole numbers as those of Python, which have a JSON form; None for anything else."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        return None
    parts: list[object] = [*cast("Iterable[object]", value)]
    if len(parts) != 2 or not all(map(is_whole, parts)):
        return None
    first, second = (int(cast("int", part)) for part in parts)
    return first, second
