"""What a call in a loop reads, in words that are the same for every step."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from snncc.frontends.torch_recorder.loops.tape import Const, Entry, NotRolled, Ref, Tape
from snncc.frontends.torch_recorder.loops.timing import At, Place


@dataclass(frozen=True)
class Given:
    """The model's input."""


@dataclass(frozen=True)
class Outside:
    """A result of a call outside of the loop; `out` is `Counted` where each step takes its own."""

    place: Place
    out: Any


@dataclass(frozen=True)
class Inside:
    """A result of a call of the loop's body, `delay` steps ago."""

    place: Place
    out: int
    delay: int


@dataclass(frozen=True)
class Past:
    """A result of a call of the loop's body, `delay` steps ago, as a value: 0 before the first.

    `around` tells whether that call reads the reader's result in turn.
    """

    place: Place
    out: int
    delay: int
    around: bool


@dataclass(frozen=True)
class Final:
    """What the last step gave, read behind the loop."""

    place: Place
    out: int


@dataclass(frozen=True)
class Single:
    """What another step gave, read behind the loop."""

    place: Place
    out: int
    step: int


@dataclass(frozen=True)
class Series:
    """What all steps gave, in order, read behind the loop."""

    place: Place
    out: int


@dataclass(frozen=True)
class Counted:
    """A whole number: the step plus `offset`."""

    offset: int


@dataclass(frozen=True)
class Literal:
    """Anything that is no tensor, with its type: 1, 1.0 and True differ."""

    kind: type
    value: Any


DIFFER = "the steps of a loop over time differ"
NO_FORM = "what a loop over time keeps from step to step has no form in a program yet"
PART = "behind the loop some of its steps are read, or not in their order; a program reads all"
JOINS = frozenset(("stack", "cat", "concat", "concatenate"))
"""Functions that take a list."""
Form = Any
"""A form, or a tuple of them."""


def form_of(operand: Any, times: list[At], now: int | None, steps: int) -> Form:
    """An operand of a call as a form.

    Args:
        operand: with `Ref` and `Const` for tensors.
        times: of the tape's entries.
        now: step of the call; None outside of the loop.
        steps: T.

    Raises:
        NotRolled: a step reads what a later step gives, if counted from the last one.
    """
    if isinstance(operand, tuple):
        items = tuple(form_of(item, times, now, steps) for item in operand)
        return items if now is not None else _series(items, steps)
    if isinstance(operand, Ref):
        if operand.entry < 0:
            return Given()
        at = times[operand.entry]
        if at.step is None:
            return Outside(at.place, operand.out)
        if now is None:
            last = at.step == steps - 1
            return Final(at.place, operand.out) if last else Single(at.place, operand.out, at.step)
        if at.step > now:
            raise NotRolled()
        return Inside(at.place, operand.out, now - at.step)
    return operand if isinstance(operand, Const) else Literal(type(operand), operand)


def _series(items: tuple[Form, ...], steps: int) -> Form:
    """A list of one value of all steps, or the items as they are."""
    if len(items) != steps or not isinstance(items[-1], Final):
        return items
    last = items[-1]
    wanted = [Single(last.place, last.out, step) for step in range(steps - 1)]
    return Series(last.place, last.out) if [*items[:-1]] == wanted else items


def part_of(items: Form, steps: int) -> tuple[Final, int, int] | None:
    """A list of one value of some steps that follow each other.

    Returns:
        Where it is from, the first of the steps and the one behind the last.
    """
    if not isinstance(items, tuple) or not all(isinstance(i, Single | Final) for i in items):
        return None
    found = [i.step if isinstance(i, Single) else steps - 1 for i in items]
    alike = len({(i.place, i.out) for i in items}) == 1
    if not items or not alike or found != [*range(found[0], found[0] + len(found))]:
        return None
    return Final(items[0].place, items[0].out), found[0], found[-1] + 1


def leaves(form: Form) -> Iterator[Form]:
    if isinstance(form, tuple):
        for item in form:
            yield from leaves(item)
    else:
        yield form


@dataclass(frozen=True)
class Call:
    """A call with what it reads."""

    entry: Entry
    form: Form


@dataclass(frozen=True)
class Forms:
    """A tape by places.

    Attributes:
        inside: the calls of the loop's body, by step.
        outside: calls outside of it.
        output: what the model answers.
        order: where in the tape a place stands, the last step's for the loop's body.
    """

    inside: dict[Place, dict[int, Call]]
    outside: dict[Place, Call]
    output: Form
    order: dict[Place, int]

    def needed(self) -> set[Place]:
        """Places on which the answer depends."""
        found: set[Place] = set()
        pending: list[Form] = [self.output]
        while pending:
            for leaf in leaves(pending.pop()):
                place = getattr(leaf, "place", None)
                if place is None or place in found:
                    continue
                found.add(place)
                pending += [call.form for call in self.inside.get(place, {}).values()]
                if place in self.outside:
                    pending.append(self.outside[place].form)
        return found


def forms_of(tape: Tape, times: list[At], steps: int) -> Forms:
    """A tape whose entries have their steps.

    Raises:
        NotRolled: a step reads a later one; two calls outside of the loop, or of one step, have
            one place.
    """
    inside: dict[Place, dict[int, Call]] = {}
    outside: dict[Place, Call] = {}
    order: dict[Place, int] = {}
    for number, (entry, at) in enumerate(zip(tape.entries, times, strict=True)):
        try:
            call = Call(entry, form_of(entry.operands, times, at.step, steps))
        except NotRolled as error:
            raise NotRolled(DIFFER, "not all steps run the same calls", entry) from error
        order[at.place] = number
        runs: dict[Any, Call] = outside if at.step is None else inside.setdefault(at.place, {})
        key = at.place if at.step is None else at.step
        if key in runs:
            raise NotRolled(DIFFER, "they run a call in no regular order", entry)
        runs[key] = call
    return Forms(inside, outside, form_of(tape.output, times, None, steps), order)
