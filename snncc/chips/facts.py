"""What is known of a chip: numbers with their sources; what is unknown stays unknown."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

Value = int | float | bool | str | tuple[int, ...] | tuple[str, ...]
NOT_DESCRIBED = "the description does not say"


@dataclass(frozen=True)
class Fact:
    """One thing that a description says.

    Attributes:
        value: in the base unit of its field; None where it is unknown.
        source: where the value stands, or why there is none.
        verified: whether whoever wrote it down read it in that source.
        range: the least and the most that sources give, in the same unit; None where there is one.
    """

    value: Value | None
    source: str
    verified: bool = True
    range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Chip:
    """A chip as a fit rule sees it.

    Attributes:
        name: what the user called it: a shipped name, or the stem of a file.
        title: its name in sentences.
        family: which rule judges it: one of `FAMILIES`.
        facts: by field, "core.neurons".
    """

    name: str
    title: str
    family: str
    facts: Mapping[str, Fact]

    def fact(self, key: str) -> Fact:
        """What is said of a field; a field that the description leaves out is unknown."""
        return self.facts.get(key, Fact(None, NOT_DESCRIBED))

    def whole(self, key: str) -> int | None:
        """A whole number, or None where it is unknown: never 0 for that."""
        value = self.fact(key).value
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def wholes(self, key: str) -> tuple[int, ...]:
        """Several whole numbers; none where they are unknown."""
        value = self.fact(key).value
        several = value if isinstance(value, tuple) else ()
        return tuple(each for each in several if isinstance(each, int))

    def words(self, key: str) -> tuple[str, ...]:
        """Several words; none where they are unknown."""
        value = self.fact(key).value
        several = value if isinstance(value, tuple) else ()
        return tuple(each for each in several if isinstance(each, str))

    def flag(self, key: str) -> bool | None:
        """Yes, no, or None where it is unknown."""
        value = self.fact(key).value
        return value if isinstance(value, bool) else None

    def amount(self, key: str) -> tuple[float, float, float] | None:
        """The least, the usual and the most of an energy or a time; None where it is unknown."""
        fact = self.fact(key)
        if not isinstance(fact.value, float):
            return None
        least, most = fact.range or (fact.value, fact.value)
        return least, fact.value, most

    @property
    def digest(self) -> str:
        """The sha256 of all facts, sources included."""
        record = {"name": self.title, "family": self.family}
        facts = {key: _record(self.facts[key]) for key in sorted(self.facts)}
        text = json.dumps(record | {"facts": facts}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _record(fact: Fact) -> dict[str, object]:
    """A fact in JSON form; what has no range looks as it did before there were ranges."""
    record = asdict(fact)
    if fact.range is None:
        del record["range"]
    return record
