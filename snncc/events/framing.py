"""How events become frames: a rule, what is counted, and the domain that it must lie in."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from snncc.events.errors import wrong_option
from snncc.events.rules import Rule
from snncc.events.whole_numbers import pair_of

Kind = Literal["counts", "bits", "signed"]
KINDS: tuple[Kind, ...] = ("counts", "bits", "signed")


@dataclass(frozen=True)
class Framing:
    """How events become frames.

    Attributes:
        rule: which events are in which frame.
        values: "counts": events of each polarity and pixel, [T, 2, H, W], or [T, 1, H, W] where
            events have no polarity. "bits": 1 where there are any. "signed": ON minus OFF,
            [T, 1, H, W].
        domain: the lowest and the highest value that a frame may have; None: whatever comes.
        clip: whether values beyond the domain become its ends; else they are an error.

    Raises:
        SnnccError: SNN001 for a domain without 0, for `clip` without one, for one of bits.
    """

    rule: Rule
    values: Kind = "counts"
    domain: tuple[int, int] | None = None
    clip: bool = False

    def __post_init__(self) -> None:
        if self.values not in KINDS:
            why = f"values are {', '.join(KINDS)}"
            raise wrong_option(f"values={self.values!r}", why, "give one of them")
        if self.clip and (self.domain is None or self.values == "bits"):
            why = "bits are 0 or 1" if self.values == "bits" else "there is no domain"
            raise wrong_option(
                "clip has no effect", why, "leave it out, or give a domain of counts"
            )
        if self.domain is None:
            return
        ends = pair_of(self.domain)
        if ends is None:
            raise wrong_option(f"domain {self.domain!r}", "it is two whole numbers", "give (0, 1)")
        low, high = ends
        object.__setattr__(self, "domain", ends)
        limit = np.iinfo(np.int32).max
        if not -limit <= low <= 0 <= high <= limit or low == high:
            why = "a pixel without events is 0, so 0 is in every domain; it ends within 32 bits"
            raise wrong_option(f"domain {low}..{high}", why, "give for example 0..1")

    def to_json(self) -> dict[str, Any]:
        """As an artefact keeps it; `framing_from_json` reads it."""
        domain = None if self.domain is None else list(self.domain)
        rest = {"values": self.values, "domain": domain, "clip": self.clip}
        return {**self.rule.to_json(), **rest}
