"""What is said of a program and a chip: fits, does not fit, or cannot be said."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from snncc.chips.facts import Chip
from snncc.chips.needs import Needs

FITS, DOES_NOT, UNSAID = "fits", "does not fit", "cannot be said"
PROGRAM = "program"
"""In place of a layer: of all of them together."""


@dataclass(frozen=True)
class Violation:
    """A limit that a program breaks.

    Attributes:
        layer: that breaks it, or `PROGRAM`.
        resource: in words.
        need: what is asked for.
        limit: what there is.
        change: the nearest one that fits; "" where none does.
        fact: the field of the description.
    """

    layer: str
    resource: str
    need: int | str
    limit: int | str
    change: str
    fact: str


@dataclass(frozen=True)
class Unsaid:
    """A limit that cannot be compared.

    Attributes:
        layer: the first that asks, or `PROGRAM`.
        resource: in words.
        fact: the field that is unknown; "" where it is the need that is.
        why: it is unknown.
    """

    layer: str
    resource: str
    fact: str
    why: str


@dataclass(frozen=True, repr=False)
class Fit:
    """The answer for one chip.

    Attributes:
        chip: it.
        needs: of the program, layer by layer.
        violations: all limits that are broken.
        unsaid: what is not known; counts only where nothing is broken.
        leaning: fields whose numbers nobody verified and which the answer rests on.
        notes: how something enters or is stored, so that it fits.
        cores: that the program takes; None where nothing was cut.
    """

    chip: Chip
    needs: tuple[Needs, ...]
    violations: tuple[Violation, ...]
    unsaid: tuple[Unsaid, ...]
    leaning: tuple[str, ...]
    notes: tuple[str, ...]
    cores: int | None

    @property
    def answer(self) -> str:
        """One of the three."""
        return DOES_NOT if self.violations else UNSAID if self.unsaid else FITS

    def __repr__(self) -> str:
        what = f"{len(self.violations)} limits broken, {len(self.unsaid)} things unknown"
        return f"<Fit {self.chip.name}: {self.answer}; {what}>"


@dataclass
class Judge:
    """Collects what rules find.

    Attributes:
        chip: whose limits count.
    """

    chip: Chip
    violations: list[Violation] = field(default_factory=list[Violation])
    unsaid: list[Unsaid] = field(default_factory=list[Unsaid])
    leaning: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    cores: int | None = None

    def at_most(
        self,
        layer: str,
        resource: str,
        need: int | None,
        key: str,
        change: str = "",
        times: int = 1,
    ) -> None:
        """Compares a need with a limit; what needs nothing fits whatever the limit is.

        Args:
            layer: that asks.
            resource: in words.
            need: None where it could not be counted.
            key: of the limit.
            change: what would fit.
            times: how often the limit is there.
        """
        if need == 0:
            return
        limit = self.chip.whole(key)
        if limit is None:
            self.unknown(layer, resource, key)
        elif need is None:
            self.uncounted(layer, resource)
        elif need > limit * times:
            self.broken(layer, resource, need, limit * times, change, key)
        else:
            self.lean(key)

    def one_of(self, layer: str, resource: str, need: str, key: str, change: str) -> None:
        """Compares a word with the words that there are."""
        known = self.chip.words(key)
        if not known:
            self.unknown(layer, resource, key)
        elif need not in known and "any" not in known:
            self.broken(layer, resource, need, " or ".join(known), change, key)
        else:
            self.lean(key)

    def broken(
        self,
        layer: str,
        resource: str,
        need: int | str,
        limit: int | str,
        change: str,
        key: str,
    ) -> None:
        """Keeps a violation; it leans on its fact as well."""
        self.lean(key)
        self.violations.append(Violation(layer, resource, need, limit, change, key))

    def unknown(self, layer: str, resource: str, key: str) -> None:
        """Keeps a limit that nobody knows, for the first layer that asks for it."""
        if all((known.fact, known.resource) != (key, resource) for known in self.unsaid):
            self.unsaid.append(Unsaid(layer, resource, key, self.chip.fact(key).source))

    def uncounted(self, layer: str, resource: str) -> None:
        """Keeps a need that could not be counted."""
        why = "synapses of this layer could not be unrolled"
        if all((known.fact, known.resource) != ("", resource) for known in self.unsaid):
            self.unsaid.append(Unsaid(layer, resource, "", why))

    def lean(self, *keys: str) -> None:
        """What is said rests on these facts."""
        for key in keys:
            fact = self.chip.fact(key)
            if fact.value is not None and not fact.verified and key not in self.leaning:
                self.leaning.append(key)

    def note(self, text: str) -> None:
        """How something is done so that it fits."""
        if text not in self.notes:
            self.notes.append(text)

    def answer(self, needs: Sequence[Needs]) -> Fit:
        """All of it."""
        return Fit(
            self.chip,
            tuple(needs),
            tuple(self.violations),
            tuple(self.unsaid),
            tuple(self.leaning),
            tuple(self.notes),
            self.cores,
        )
