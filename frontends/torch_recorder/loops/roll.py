"""Two runs of a model, at T and at T + 1 steps, as one step of its loop and what stands around it.

All steps must read alike: constants, the input, results of this step, results of the step before.
What the first step reads instead is a start value. Nothing is declared: a state is what a step
reads of an earlier one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncc.frontends.torch_recorder.loops.forms import (
    DIFFER,
    JOINS,
    NO_FORM,
    PART,
    Call,
    Counted,
    Final,
    Form,
    Forms,
    Given,
    Inside,
    Literal,
    Outside,
    Series,
    Single,
    leaves,
    part_of,
)
from snncc.frontends.torch_recorder.loops.tape import Const, NotRolled, Tape
from snncc.frontends.torch_recorder.loops.timing import Place

Start = Form
"""What is read in the place of a result that does not exist yet; `Inside` with the step itself
where it usually holds a delay."""


@dataclass(frozen=True)
class Rolled:
    """A loop.

    Attributes:
        body: the calls of one step, as the last step makes them.
        outside: the calls around the loop.
        starts: what results of steps before a call's first execution are, by place, number of the
            result and step.
        output: what the model answers.
        first: the first step at which a call of the body runs.
        order: of all places.
        numbers: constants that are one number everywhere.
        arrays: those that are not, if they are small.
    """

    body: Mapping[Place, Call]
    outside: Mapping[Place, Call]
    starts: Mapping[tuple[Place, int, int], Start]
    output: Form
    first: Mapping[Place, int]
    order: Mapping[Place, int]
    numbers: Mapping[Const, float]
    arrays: Mapping[Const, NDArray[np.float64]]


def rolled(forms: Forms, steps: int, tape: Tape) -> Rolled:
    """One step in the place of all.

    Args:
        forms: of one run.
        steps: T of that run.
        tape: of the run.

    Raises:
        NotRolled: the steps differ; both places are named.
    """
    needed = forms.needed()
    body = {place: runs for place, runs in forms.inside.items() if place in needed}
    if not body:
        raise NotRolled()
    work = _Unifier({place: min(runs) for place, runs in body.items()}, body)
    calls: dict[Place, Call] = {}
    for place, runs in body.items():
        last = max(runs)
        call = runs[last]
        if last != steps - 1 or sorted(runs) != [*range(min(runs), steps)]:
            _refuse_some(call, sorted(runs), steps)
        begins_late = min(runs) > max(work.history, work.reached(call))
        if begins_late and not _accumulates(call, place):
            _refuse_late(runs, steps)
        given = {t: _turned(run, call) for t, run in runs.items()}
        calls[place] = Call(call.entry, work.unified(given, call))
    outside = {
        place: Call(call.entry, work.with_constants(call.form, steps))
        for place, call in forms.outside.items()
        if place in needed
    }
    for call in outside.values():
        parts = [leaf for leaf in leaves(call.form) if isinstance(leaf, Single)]
        given = call.form[0]
        if parts and call.entry.name in JOINS and part_of(given and given[0], steps) is None:
            late = [leaf.place for leaf in parts if work.first[leaf.place] > 0]
            if late:
                _refuse_late(body[late[0]], steps)
            raise NotRolled(NO_FORM, PART, call.entry)
    return Rolled(
        calls,
        outside,
        work.starts,
        work.with_constants(forms.output, steps),
        work.first,
        forms.order,
        tape.numbers,
        tape.arrays,
    )


ACCUMULATES = frozenset(("add", "iadd", "maximum"))
"""What may begin at a later step: a sum that leaves out the first ones."""


def _accumulates(call: Call, place: Place) -> bool:
    """Whether a call adds to its own result of the step before."""
    return call.entry.name in ACCUMULATES and Inside(place, 0, 1) in call.form[0]


def require_alike(one: Rolled, other: Rolled) -> None:
    """Raises NotRolled when two runs differ in more than numbers, such as T itself."""
    places = {*one.body, *one.outside}, {*other.body, *other.outside}
    for place in places[0] ^ places[1]:
        call = {**one.body, **one.outside, **other.body, **other.outside}[place]
        raise NotRolled(_LENGTH, _LENGTH_WHY, call.entry)
    for place, call in one.body.items():
        if _numberless(call.form) != _numberless(other.body[place].form):
            raise NotRolled(_LENGTH, _LENGTH_WHY, call.entry)
    for place, call in one.outside.items():
        if _numberless(call.form) != _numberless(other.outside[place].form):
            raise NotRolled(_LENGTH, _LENGTH_WHY, call.entry)
    for key, form in one.starts.items():
        # What `out[t] = s` writes into has a row for every step; it is looked at where it is read.
        rows = isinstance(form, Const) and one.body[key[0]].entry.name == "setitem"
        if other.starts.get(key) != form and not rows:
            raise NotRolled(
                "a loop over time starts from another state in another run",
                "the model keeps something from one run to the next, or starts from other numbers",
                one.body[key[0]].entry,
            )
    if _numberless(one.output) != _numberless(other.output):
        raise NotRolled(_LENGTH, _LENGTH_WHY)


_SAME = "a program takes the same step T times"
_LENGTH = "what a loop over time computes depends on the number of steps"
_LENGTH_WHY = "a run with one step more does something else, and not only the same step once more"


def _numberless(form: Form) -> Form:
    if isinstance(form, tuple):
        items = tuple(_numberless(item) for item in form)
        some = len(set(items)) == 1 and isinstance(items[0], Final)
        return items[0] if some else items  # a list of some steps, as many as there are
    if isinstance(form, Literal) and form.kind in (int, float):
        return Literal(form.kind, None)
    if isinstance(form, Single):  # counted from the end it is another number
        return Final(form.place, form.out)
    return form


def _refuse_some(call: Call, found: list[int], steps: int) -> None:
    raise NotRolled(
        DIFFER,
        f"a call depends on the input at steps {', '.join(map(str, found[:6]))}"
        + (", ..." if len(found) > 6 else "")
        + f" of 0 to {steps - 1}; {_SAME}",
        call.entry,
    )


def _refuse_late(runs: Mapping[int, Call], steps: int) -> None:
    raise NotRolled(
        DIFFER,
        f"a call depends on the input from step {min(runs)} on only; {_SAME}",
        runs[steps - 1].entry,
    )


def _turned(run: Call, like: Call) -> Form:
    """Operands of an add or a product in the order of the last step's: sum() begins with x + 0."""
    form, wanted = run.form, like.form
    if like.entry.name not in ("add", "mul") or len(form[0]) != 2 or len(wanted[0]) != 2:
        return form
    first, (left, right) = form[0][0], wanted[0]
    if not _of_one_place(first, left) and _of_one_place(first, right):
        return ((form[0][1], first), *form[1:])
    return form


def _of_one_place(one: Form, other: Form) -> bool:
    """Whether two forms are the same, or two steps' own parts of one value."""
    if isinstance(one, Outside) and isinstance(other, Outside):
        return one.place == other.place
    return bool(one == other)


class _Unifier:
    """Finds what the steps' forms have in common.

    Attributes:
        history: how many steps back a step reads; so many first steps may read something else.
        starts: see `Rolled`.
    """

    def __init__(self, first: Mapping[Place, int], body: Mapping[Place, dict[int, Call]]) -> None:
        self.first = first
        self.body = body
        self.starts: dict[tuple[Place, int, int], Start] = {}
        delays = [
            leaf.delay
            for runs in body.values()
            for leaf in leaves(runs[max(runs)].form)
            if isinstance(leaf, Inside)
        ]
        self.history = max([1, *delays])

    def reached(self, call: Call) -> int:
        """The first step at which the input can reach a call: before it everything is constant."""
        found = [
            self.first[leaf.place] + leaf.delay
            for leaf in leaves(call.form)
            if isinstance(leaf, Inside)
        ]
        data = any(isinstance(leaf, Outside | Given) for leaf in leaves(call.form))
        return 0 if data else min(found, default=0)

    def with_constants(self, form: Form, steps: int) -> Form:
        """Lists of all steps in which the first ones, which no input reaches, are constants."""
        if not isinstance(form, tuple):
            return form
        late = [t for t, item in enumerate(form) if isinstance(item, Const)]
        part = part_of(form[len(late) :], steps) if late == [*range(len(late))] else None
        if not late or part is None or part[1:] != (len(late), steps) or len(form) != steps:
            return tuple(self.with_constants(item, steps) for item in form)
        final = part[0]
        if self.first.get(final.place) != len(late):
            return form
        for step in late:
            self.starts.setdefault((final.place, final.out, step), form[step])
        return Series(final.place, final.out)

    def unified(self, by_step: Mapping[int, Form], call: Call) -> Form:
        """The common form of one operand, from its forms at all steps.

        Raises:
            NotRolled: there is none.
        """
        last = by_step[max(by_step)]
        if all(form == last for form in by_step.values()):
            return last
        if isinstance(last, tuple):
            like = {
                t: f for t, f in by_step.items() if isinstance(f, tuple) and len(f) == len(last)
            }
            if len(like) < len(by_step):
                self.refuse(by_step, call)
            return tuple(
                self.unified({t: form[i] for t, form in like.items()}, call)
                for i in range(len(last))
            )
        if isinstance(last, Inside):
            return self._state(by_step, last, call)
        if isinstance(last, Literal) and all(isinstance(f, Literal) for f in by_step.values()):
            return self._number(by_step, call)
        if isinstance(last, Outside) and all(
            isinstance(f, Outside) and f.place == last.place for f in by_step.values()
        ):
            outs = {t: Literal(int, form.out) for t, form in by_step.items()}
            return Outside(last.place, self._number(outs, call))
        self.refuse(by_step, call)
        return last

    def _state(self, by_step: Mapping[int, Form], last: Inside, call: Call) -> Form:
        for step, form in by_step.items():
            if form == last:
                continue
            before = step - last.delay
            if before >= self.first[last.place]:
                self.refuse(by_step, call)
            if isinstance(form, Inside):
                form = Inside(form.place, form.out, step - form.delay)
            known = self.starts.setdefault((last.place, last.out, before), form)
            if known != form:
                raise NotRolled(
                    "a state of a loop over time has two start values",
                    "what the first step reads in its place is not the same everywhere",
                    call.entry,
                )
        return last

    def _number(self, by_step: Mapping[int, Literal], call: Call) -> Form:
        offsets = {
            form.value - step if form.kind is int else None for step, form in by_step.items()
        }
        if len(offsets) != 1 or None in offsets:
            raise NotRolled(
                "a loop over time has a constant of its own for every step",
                "a program holds one constant for all steps of a loop",
                call.entry,
            )
        return Counted(offsets.pop() or 0)

    def refuse(self, by_step: Mapping[int, Form], call: Call) -> None:
        """Raises NotRolled for steps that read different things."""
        last = by_step[max(by_step)]
        odd = next(t for t in sorted(by_step) if by_step[t] != last)
        if all(isinstance(form, Const) for form in by_step.values()):
            raise NotRolled(
                "a loop over time has weights or constants of its own for every step",
                "a program holds one set of weights for all steps of a loop",
                call.entry,
            )
        runs = next((r for r in self.body.values() if r.get(max(by_step)) is call), {})
        there = [runs[odd].entry] if odd in runs else []
        raise NotRolled(
            DIFFER,
            f"step {odd} reads something else than step {max(by_step)}; {_SAME}",
            call.entry,
            *there,
        )
