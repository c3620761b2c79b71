"""Option values that several commands take."""

import math
import re
from typing import Any

import click


class Seconds(click.FloatRange):
    """How long something may take: more than nothing, and an end; NaN is within no range."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value} is no length of time: give seconds", param, ctx)
        return seconds


def parse_shape(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Any:
    """C,H,W as a tuple of lengths."""
    if value is None:
        return None
    try:
        shape = tuple(int(part) for part in value.split(","))
    except ValueError as error:
        raise click.BadParameter("give whole numbers, e.g. 3,32,32") from error
    if not shape or min(shape) < 1:
        raise click.BadParameter("every length must be at least 1")
    return shape


def parse_normalize(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Any:
    """MEAN,STD as two tuples, per channel a/b/c."""
    if value is None:
        return None
    parts = value.split(",")
    if len(parts) != 2:
        raise click.BadParameter("give MEAN,STD, e.g. 0.1307,0.3081 or 0.5/0.4/0.4,0.2/0.2/0.2")
    try:
        means, stds = (tuple(float(n) for n in part.split("/")) for part in parts)
    except ValueError as error:
        raise click.BadParameter("a mean or a standard deviation is not a number") from error
    return means, stds


def parse_arguments(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> Any:
    """KEY=VALUE words as a dictionary."""
    pairs = [value.partition("=") for value in values]
    if any(not key or not equals for key, equals, _ in pairs):
        raise click.BadParameter("give KEY=VALUE")
    keys = [key for key, _, _ in pairs]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise click.BadParameter(f"{twice} is given twice")
    return {key: text for key, _, text in pairs}


def parse_bits(_ctx: click.Context, _param: click.Parameter, value: str) -> int | None:
    """Bits of weights; None for "auto"."""
    if value == "auto":
        return None
    return _bits(value)


def parse_layer_bits(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, int], ...]:
    """Pairs of a pattern and bits from PATTERN=BITS."""
    found: list[tuple[str, int]] = []
    for value in values:
        pattern, equals, bits = value.rpartition("=")
        if not pattern or not equals:
            raise click.BadParameter("give PATTERN=BITS, e.g. 'token_mix.*=6'")
        found.append((pattern, _bits(bits)))
    return tuple(found)


def parse_activation_bits(
    _ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, int], ...]:
    """Pairs of a pattern and bits from PATTERN=BITS, or from BITS for all."""
    found: list[tuple[str, int]] = []
    for value in values:
        pattern, equals, bits = value.rpartition("=")
        if equals and not pattern:
            raise click.BadParameter("give BITS or PATTERN=BITS, e.g. 4 or 'relu1*=2'")
        found.append((pattern or "*", _bits(bits, 1, 8)))
    return tuple(found)


def _bits(text: str, least: int = 2, most: int = 24) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise click.BadParameter(f"{text!r} is not a number of bits from {least} to {most}")
    return int(text)


def parse_domain(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Any:
    """LOW..HIGH as two whole numbers."""
    if value is None:
        return None
    found = re.fullmatch(r"(-?[0-9]{1,10})\.\.(-?[0-9]{1,10})", value)
    if not found:
        raise click.BadParameter("give LOW..HIGH, e.g. 0..1 or -8..7")
    return int(found[1]), int(found[2])


def parse_sensor(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Any:
    """WIDTHxHEIGHT as two lengths."""
    if value is None:
        return None
    found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", value)
    if not found:
        raise click.BadParameter("give WIDTHxHEIGHT, e.g. 34x34")
    return int(found[1]), int(found[2])
