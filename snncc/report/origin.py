"""What a program's file says of where it comes from.

The file may be anybody's: what has not the form that `snncc compile` writes is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast


@dataclass(frozen=True)
class Fold:
    """What a pass did, or did not do, at one place.

    Attributes:
        rule: name of the pass.
        site: module path in the user's model.
        fired: whether it did something.
        text: what, or why not.
    """

    rule: str
    site: str
    fired: bool
    text: str


@dataclass(frozen=True)
class Beside:
    """A population of the program beside the real-valued network, when it was compiled.

    Attributes:
        rate: spikes of a neuron at a step, in the network.
        flips: share of neurons and steps at which the program differs.
        near: share of the network's membranes within 1/64 of their threshold.
    """

    rate: float
    flips: float
    near: float


def text_of(report: Mapping[str, Any], key: str, default: str = "") -> str:
    """A text or a number as text; the default for anything else."""
    value = report.get(key)
    return str(value) if isinstance(value, str | int | float) else default


def folds_of(report: Mapping[str, Any]) -> tuple[Fold, ...]:
    """Every note of the passes, in their order."""
    return tuple(
        Fold(str(each["pass"]), str(each["site"]), bool(each.get("fired")), str(each["text"]))
        for each in _records(report.get("folds"))
        if {"pass", "site", "text"} <= set(each)
    )


def fidelity_of(report: Mapping[str, Any]) -> tuple[str, Mapping[str, Beside]]:
    """What was judged when it was compiled: on which images, and every population by name."""
    found = report.get("fidelity")
    if not isinstance(found, dict):
        return "", {}
    record = cast("dict[str, Any]", found)
    keys = ("rate", "flips", "near")
    layers = {
        str(each["name"]): Beside(*(float(each[key]) for key in keys))
        for each in _records(record.get("populations"))
        if "name" in each and all(_is_share(each.get(key)) for key in keys)
    }
    images, by = text_of(record, "images", "?"), text_of(record, "by", "?")
    return f"{images} {by} images", layers


def weight_bits_of(report: Mapping[str, Any], name: str) -> int | None:
    """Bits to which a projection's weights were rounded; None where the file does not say."""
    layers = report.get("layer_bits")
    own = cast("dict[str, Any]", layers).get(name) if isinstance(layers, dict) else None
    bits = report.get("weight_bits") if own is None else own
    return bits if isinstance(bits, int) and 1 < bits < 63 else None


def _is_share(value: object) -> bool:
    """Whether it is a number from 0 to 1; NaN is none."""
    return isinstance(value, int | float) and 0 <= value <= 1


def _records(given: object) -> list[dict[str, Any]]:
    if not isinstance(given, list):
        return []
    every = [*cast("list[object]", given)]
    return [cast("dict[str, Any]", each) for each in every if isinstance(each, dict)]
