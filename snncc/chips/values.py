"""Values of a description: what each field takes, and the reason why it does not take another."""

import math
from typing import cast

from snncc.chips.facts import Value
from snncc.chips.fields import LARGEST, MOST_VALUES, Field


class NotTaken(ValueError):
    """A value that a field does not take; says why."""


def value_of(field: Field, given: object, unit: object = None) -> Value:
    """A value in the base unit of its field.

    Args:
        field: that it belongs to.
        given: as TOML gives it.
        unit: the word for its unit, None for none.

    Raises:
        NotTaken: with the reason.
    """
    size = _unit(field, unit)
    if field.kind == "flag":
        if not isinstance(given, bool):
            raise NotTaken(f"{_shown(given)} is neither true nor false")
        return given
    if field.kind == "words":
        return _words(field, given)
    if field.kind == "amount":
        return _amount(given) * size
    if field.kind == "whole":
        return _whole(given, field.least) * size
    several = _listed(given)
    if not 1 <= len(several) <= MOST_VALUES:
        raise NotTaken(f"{_shown(given)} is no list of 1 to {MOST_VALUES} whole numbers")
    if field.kind == "span":
        return _span(several)
    return tuple(_whole(each, field.least) for each in several)


def range_of(field: Field, given: object, unit: object, value: Value) -> tuple[float, float] | None:
    """The least and the most that sources give for an amount; None where nothing is said.

    Raises:
        NotTaken: with the reason.
    """
    if given is None:
        return None
    if field.kind != "amount":
        raise NotTaken("only energies and times have a range")
    ends = [_amount(each) * _unit(field, unit) for each in _listed(given)]
    if len(ends) != 2 or not isinstance(value, float) or not ends[0] <= value <= ends[1]:
        raise NotTaken(f"range {_shown(given)} is not a least and a most around the value")
    return ends[0], ends[1]


def from_text(field: Field, text: str) -> object:
    """What a text of the command line stands for, in the form that TOML would give it."""
    if field.kind == "flag":
        return {"true": True, "false": False}.get(text, text)
    if field.kind == "words":
        return text.split(",")
    if field.kind in ("wholes", "span"):
        return [_number(part) for part in text.split(",")]
    return _number(text)


def _number(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text) if len(text) < 40 else text
        except ValueError:
            continue
    return text


def _unit(field: Field, unit: object) -> int:
    if field.units is None:
        if unit is not None:
            raise NotTaken(f"unit {_shown(unit)}: it is a number without a unit")
        return 1
    if not isinstance(unit, str) or unit not in field.units:
        known = ", ".join(field.units)
        raise NotTaken(f"unit {_shown(unit)} is not known here: one of {known}")
    return field.units[unit]


def _whole(given: object, least: int) -> int:
    if not isinstance(given, int) or isinstance(given, bool):
        raise NotTaken(f"{_shown(given)} is no whole number")
    if not least <= given <= LARGEST:
        raise NotTaken(f"{_shown(given)} is outside of {least}..2^50")
    return given


def _amount(given: object) -> float:
    if not isinstance(given, int | float) or isinstance(given, bool):
        raise NotTaken(f"{_shown(given)} is no number")
    if not (math.isfinite(given) and 0 < given <= LARGEST):
        raise NotTaken(f"{_shown(given)} is not above 0 and finite")
    return float(given)


def _span(given: list[object]) -> tuple[int, ...]:
    ends = tuple(_whole(each, -LARGEST) for each in given)
    if len(ends) != 2 or ends[0] > ends[1]:
        raise NotTaken(f"{_shown(given)} is not a least and a most")
    return ends


def _words(field: Field, given: object) -> tuple[str, ...]:
    several = _listed(given)
    words = tuple(each for each in several if isinstance(each, str) and each in field.words)
    if not words or len(words) != len(several):
        raise NotTaken(f"{_shown(given)} is no list of these: {', '.join(field.words)}")
    return words


def _listed(given: object) -> list[object]:
    """What stands in a list; nothing stands in other values."""
    return [*cast("list[object]", given)] if isinstance(given, list) else []


def _shown(given: object) -> str:
    text = repr(given) if not isinstance(given, int) or abs(given) <= LARGEST else "a huge number"
    return text if len(text) <= 60 else f"{text[:57]}..."
