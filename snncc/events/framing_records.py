"""Framings as artefacts keep them."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, cast

from snncc.events.errors import wrong_option
from snncc.events.framing import Framing
from snncc.events.rules import ByWindow, Rule
from snncc.events.spikingjelly_rules import ByDuration, ByNumber, ByTime
from snncc.events.tonic_rules import (
    TonicEventBins,
    TonicEventCount,
    TonicTimeBins,
    TonicTimeWindow,
)

RULES: Mapping[str, type[Rule]] = {
    rule.name: rule
    for rule in (
        *(ByNumber, ByTime, ByDuration, ByWindow),
        *(TonicTimeWindow, TonicTimeBins, TonicEventCount, TonicEventBins),
    )
}
"""Every rule by its name."""


def framing_from_json(record: object) -> Framing:
    """The framing that `Framing.to_json` wrote.

    Raises:
        SnnccError: SNN001 when it is none: a rule or a field that there is not, a wrong value.
    """
    given = dict(cast("dict[object, Any]", record)) if isinstance(record, dict) else {}
    rule = rule_named(given.pop("rule", None))
    own = {key: given.pop(key) for key in ("values", "domain", "clip") if key in given}
    known = {field.name: field.default is MISSING for field in fields(rule)}
    wrong = [f"no {key!r}" for key in given if key not in known]
    wrong += [f"{key!r}" for key, needed in known.items() if needed and key not in given]
    if wrong:
        why = f"there must be {', '.join(wrong)}"
        raise wrong_option(f"framing by {rule.name}: wrong options", why, f"it has {list(known)}")
    if not isinstance(own.get("clip", False), bool):
        raise wrong_option(f"clip={own['clip']!r}", "it is true or false", "give one of them")
    return Framing(rule(**{str(key): value for key, value in given.items()}), **own)


def rule_named(name: object) -> type[Rule]:
    """The rule of a name.

    Raises:
        SnnccError: SNN001 for a name of none.
    """
    found = RULES.get(name) if isinstance(name, str) else None
    if found is None:
        why = "there is none of that name"
        raise wrong_option(f"framing by {name!r}", why, f"rules are {', '.join(RULES)}")
    return found
