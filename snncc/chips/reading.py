"""Chip descriptions as files: shipped ones by name, the user's by path; every fault at once."""

import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from snncc.chips.contradictions import contradictions
from snncc.chips.facts import Chip, Fact
from snncc.chips.fields import FAMILIES, FIELDS, SCHEMA, named
from snncc.chips.values import NotTaken, from_text, range_of, value_of
from snncc.diagnostics import Finding, SnnccError

CODE = "SNN130"
LARGEST_FILE = 1 << 18
"""Bytes."""
UNKNOWN = "unknown"
KEYS = ("value", "source", "verified", "unit", "range")
"""Of an entry."""
Record = dict[str, Any]


def shipped() -> tuple[str, ...]:
    """The names of the descriptions that come with snncc."""
    found = (file.name for file in files("snncc.chips").joinpath("described").iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml")))


def chip_named(name: str, changes: Sequence[str] = ()) -> Chip:
    """A chip by the name of a shipped description, or the path of a file.

    Args:
        name: a text with "/" or that ends in ".toml" is a path.
        changes: "KEY=VALUE", each in place of what the description says.

    Raises:
        SnnccError: SNN001 for a name that there is not and for changes that are none; SNN130 with
            everything that is wrong in a file.
    """
    if _is_path(name):
        text, stem = _text_of(Path(name)), Path(name).stem
    elif name in shipped():
        text, stem = _shipped_text(name), name
    else:
        near = "".join(f"perhaps {each}; " for each in get_close_matches(name, shipped(), 1))
        raise SnnccError(
            "SNN001",
            f"no chip is called {name!r}",
            help=f"{near}one of {', '.join(shipped())}, or the path of a description, NAME.toml",
        )
    chip = parsed(text, stem, name)
    return _changed(chip, changes) if changes else chip


def parsed(text: str, stem: str, place: str) -> Chip:
    """The chip of a description's text.

    Args:
        text: TOML.
        stem: how the chip is called.
        place: where the text stands, for messages.

    Raises:
        SnnccError: SNN130 with everything that is wrong.
    """
    try:
        record: Record = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        why = str(error) or "it is nested too deeply"
        raise SnnccError(CODE, f"{place} is no TOML", why=why, help=_HELP) from None
    faults: list[str] = []
    base = _inherited(record.pop("inherit", None), faults)
    if record.pop("schema", None) != SCHEMA:
        faults.append(f"schema: write schema = {SCHEMA}")
    title = record.pop("name", None if base is None else base.title)
    if not isinstance(title, str) or not 0 < len(title) <= 60:
        faults.append('name: write name = "...", 60 characters at most')
    family = record.pop("family", None if base is None else base.family)
    if not isinstance(family, str) or family not in FAMILIES:
        faults.append(f"family: one of {', '.join(FAMILIES)}")
        family = ""
    facts = {} if base is None else dict(base.facts)
    for table, entries in record.items():
        if not isinstance(entries, dict):
            faults.append(f"{table}: there is no such key")
            continue
        for key, entry in cast("Record", entries).items():
            fact = _fact(f"{table}.{key}", entry, family, faults)
            if fact is not None:
                facts[f"{table}.{key}"] = fact
    chip = Chip(stem, str(title), family, facts)
    _refuse(place, faults or contradictions(chip))
    return chip


_HELP = (
    "docs/chips.md has the schema; `source` says where a number stands, `unknown` why there is none"
)


def _refuse(place: str, faults: Sequence[str]) -> None:
    if faults:
        shown = [printed if len(printed) <= 200 else f"{printed[:197]}..." for printed in faults]
        findings = [Finding(CODE, f"{place}: {fault}", None, "", "") for fault in shown[:50]]
        last = findings[-1]
        findings[-1] = Finding(CODE, last.message, None, "", _HELP)
        raise SnnccError.of(findings)


def _fact(key: str, entry: object, family: str, faults: list[str]) -> Fact | None:
    """One entry; None where it is wrong, with the reason among the faults."""
    field = FIELDS.get(key)
    if field is None:
        faults.append(f"{key}: there is no such field")
        return None
    if family and family not in field.families:
        faults.append(f"{key}: no field of the family {family}")
        return None
    if not isinstance(entry, dict):
        faults.append(f'{key}: write {{ value = ..., source = "..." }}, or {{ unknown = "why" }}')
        return None
    given = cast("Record", entry)
    if set(given) == {UNKNOWN}:
        why = given[UNKNOWN]
        if isinstance(why, str) and why.strip():
            return Fact(None, why)
        faults.append(f"{key}: unknown = a text that says why")
        return None
    if not set(given) <= set(KEYS) or "value" not in given:
        faults.append(f"{key}: an entry has {', '.join(KEYS)}, or unknown alone")
        return None
    source, verified = given.get("source"), given.get("verified", True)
    if not isinstance(source, str) or not source.strip():
        faults.append(f"{key}: source is missing")
        return None
    if not isinstance(verified, bool):
        faults.append(f"{key}: verified is true or false")
        return None
    try:
        unit = given.get("unit")
        value = value_of(field, given["value"], unit)
        return Fact(value, source, verified, range_of(field, given.get("range"), unit, value))
    except NotTaken as error:
        faults.append(f"{key}: {error}")
        return None


def _inherited(name: object, faults: list[str]) -> Chip | None:
    if name is None:
        return None
    if isinstance(name, str) and name in shipped():
        return parsed(_shipped_text(name), name, name)
    faults.append(f"inherit: one of {', '.join(shipped())}")
    return None


def _changed(chip: Chip, changes: Sequence[str]) -> Chip:
    """A chip with other facts. Raises SnnccError: SNN001 with every change that is none."""
    findings: list[Finding] = []
    facts: dict[str, Fact] = dict(chip.facts)
    for change in changes:
        key, equals, text = change.partition("=")
        names = [name for name in named(key.strip()) if chip.family in FIELDS[name].families]
        try:
            if not equals or len(names) != 1:
                raise NotTaken(_which(key, names))
            facts[names[0]] = _given(names[0], text.strip())
        except NotTaken as error:
            findings.append(Finding("SNN001", f"--set {change}", None, str(error), _SET_HELP))
    if findings:
        raise SnnccError.of(findings)
    changed = Chip(chip.name, chip.title, chip.family, facts)
    wrong = contradictions(changed)
    if wrong:
        raise SnnccError.of(
            [
                Finding("SNN001", f"--set {', '.join(changes)}", None, why, _SET_HELP)
                for why in wrong
            ]
        )
    return changed


_SET_HELP = "--set KEY=VALUE, such as cores=120 or core.in_axons=unknown; memory is given in bits"


def _given(key: str, text: str) -> Fact:
    if text == UNKNOWN:
        return Fact(None, "--set")
    field = FIELDS[key]
    unit = None if field.units is None else next(iter(field.units))
    return Fact(value_of(field, from_text(field, text), unit), "--set")


def _which(key: str, names: Sequence[str]) -> str:
    if names:
        return f"{key} can be {' or '.join(names)}"
    return f"no field of this family is called {key!r}"


def _is_path(name: str) -> bool:
    return "/" in name or name.endswith(".toml")


def _shipped_text(name: str) -> str:
    return files("snncc.chips").joinpath(f"described/{name}.toml").read_text(encoding="utf-8")


def _text_of(path: Path) -> str:
    try:
        if not path.is_file():
            raise SnnccError(CODE, f"{path} is no file that can be read", help=_HELP)
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise SnnccError(CODE, f"{path} is longer than {LARGEST_FILE:,} bytes", help=_HELP)
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SnnccError(CODE, f"{path} is no UTF-8", why=str(error), help=_HELP) from None
    except (OSError, ValueError) as error:
        raise SnnccError(CODE, f"{path} cannot be read", why=str(error), help=_HELP) from None


def facts_of(chip: Chip) -> Mapping[str, Any]:
    """All facts in JSON form: value, source, verified by field, in the order of the schema."""
    return {
        key: {"value": fact.value, "source": fact.source, "verified": fact.verified}
        | ({} if fact.range is None else {"range": list(fact.range)})
        for key in FIELDS
        if (fact := chip.facts.get(key)) is not None
    }
