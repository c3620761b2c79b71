"""Which step of a loop over time an entry of a tape belongs to."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from snncc.frontends.torch_recorder.loops.tape import Entry, NotRolled, Ref, Tape
from snncc.frontends.torch_recorder.stamps import Key

Place = tuple[Key, tuple[int, ...], int]
"""A call in the loop's body, or outside: its key, the counts that are not time, and the how manyth
of its step it is."""


@dataclass(frozen=True)
class At:
    """Where an entry stands.

    Attributes:
        place: the same for all steps.
        step: of the loop over time; None outside of it.
    """

    place: Place
    step: int | None


def times_of(
    tape: Tape,
    other: Tape | None,
    steps: int,
    others: int,
    *,
    by_layer: bool = False,
    apart: bool = False,
) -> list[At]:
    """Step and place of every entry of a tape.

    A level of frames whose count differs between the two runs is time. Steps are counted from the
    end: what the first steps leave out (`if t == 0`) is common, and the last step is whole.

    Args:
        tape: the run that is asked about.
        other: a run with another number of steps; None: what runs `steps` times, or once less, is
            in the loop.
        steps: of the run.
        others: of the other one.
        by_layer: a place that runs more than once a step runs through all steps of one layer first.
        apart: the first step is written apart, in lines of its own.

    Raises:
        NotRolled: a call runs less often with more steps.
    """
    own = _by_key(tape)
    theirs: Mapping[Key, list[tuple[tuple[int, ...], int]]] = (
        {} if other is None else _by_key(other)
    )
    found: list[At | None] = [None] * len(tape.entries)
    for key, runs in own.items():
        level, per_step = _level(
            [index for index, _ in runs],
            None if other is None else [index for index, _ in theirs.get(key, [])],
            steps,
            others,
            tape.entries[runs[0][1]],
        )
        if level is None:
            for index, number in runs:
                found[number] = At((key, index, 0), None)
            continue
        ranks = _ranks([index for index, _ in runs], level)
        most = max(map(len, ranks.values()))
        for index, number in runs:
            rest = (*index[:level], *index[level + 1 :])
            at = ranks[rest][index[level]]
            if by_layer and per_step > 1:
                # Constants are no entries: a layer's first step may have none.
                run = most // per_step
                step, part = at % run + steps - run, at // run
            else:
                step, part = (at - most) // per_step + steps, (at - most) % per_step
            place = (key, rest, part)
            found[number] = At(place, step) if step >= 0 else At((key, index, -1), None)
    if apart:
        _take_first_steps(tape, found)
    return [at for at in found if at is not None]


def _take_first_steps(tape: Tape, found: list[At | None]) -> None:
    """Gives calls of a first step that is written apart (`if t == 0: ... else: ...`) their places.

    They are calls of the same code from another line of one frame. Whether they are the loop's
    first step indeed is for the forms to say.
    """
    late: dict[Place, tuple[int, int]] = {}
    for number, at in enumerate(found):
        if at is not None and at.step is not None:
            late[at.place] = min((at.step, number), late.get(at.place, (at.step, number)))
    wanted = {place: number for place, (step, number) in late.items() if step == 1}
    read = _read(tape)
    for number, at in enumerate(found):
        if at is None or at.step is not None or number not in read:
            continue
        key, index = tape.entries[number].stamp.key, tape.entries[number].stamp.index
        fits = [p for p, first in wanted.items() if number < first and _is_apart(p, key, index)]
        if len(fits) == 1:
            found[number] = At(fits[0], 0)
            del wanted[fits[0]]


def _read(tape: Tape) -> set[int]:
    """Entries of which something is read: a shape is no data, as in zeros_like(x[0])."""
    found: set[int] = set()
    pending: list[object] = [tape.output, *(entry.operands for entry in tape.entries)]
    while pending:
        form = pending.pop()
        if isinstance(form, tuple):
            pending += [*cast("tuple[object, ...]", form)]
        elif isinstance(form, Ref):
            found.add(form.entry)
    return found


def _is_apart(place: Place, key: Key, index: tuple[int, ...]) -> bool:
    """Whether a call is that of a place but for one line, which it comes by first."""
    other, rest, part = place
    if part or len(other) != len(key):
        return False
    differ = [i for i, pair in enumerate(zip(other, key, strict=True)) if pair[0] != pair[1]]
    if len(differ) != 1 or differ[0] == len(key) - 1:
        return False
    level = differ[0]
    codes = [k[0] if isinstance(k, tuple) else k for k in (other[level], key[level])]
    return (
        codes[0] == codes[1]
        and index[level] == 0
        and rest
        == (
            *index[:level],
            *index[level + 1 :],
        )
    )


def _by_key(tape: Tape) -> dict[Key, list[tuple[tuple[int, ...], int]]]:
    groups: dict[Key, list[tuple[tuple[int, ...], int]]] = defaultdict(list)
    for number, entry in enumerate(tape.entries):
        groups[entry.stamp.key].append((entry.stamp.index, number))
    return groups


def _level(
    own: Sequence[tuple[int, ...]],
    theirs: Sequence[tuple[int, ...]] | None,
    steps: int,
    others: int,
    entry: Entry,
) -> tuple[int | None, int]:
    """The level of a call's frames that counts time, and how often it runs a step."""
    for level in range(len(own[0])):
        mine = max(map(len, _ranks(own, level).values()))
        if theirs is None:
            if mine == steps or mine == steps - 1 > 1:  # the first step may be written apart
                return level, 1
            continue
        found = max(map(len, _ranks(theirs, level).values()), default=0)
        if mine != found:
            per_step = (mine - found) // (steps - others)
            if per_step * (steps - others) != mine - found or per_step < 1:
                raise NotRolled(
                    "a call in a loop runs less often with more time steps",
                    f"it runs {mine} times with {steps} steps, {found} times with {others}",
                    entry,
                )
            return level, per_step
    return None, 1


def _ranks(indices: Sequence[tuple[int, ...]], level: int) -> dict[tuple[int, ...], dict[int, int]]:
    """What is counted at a level, numbered, for fixed counts at the other levels."""
    seen: dict[tuple[int, ...], set[int]] = defaultdict(set)
    for index in indices:
        seen[(*index[:level], *index[level + 1 :])].add(index[level])
    return {
        rest: {count: rank for rank, count in enumerate(sorted(counts))}
        for rest, counts in seen.items()
    }
