"""Which calls of a loop's body keep a state together, and what the state is."""

from collections.abc import Mapping
from dataclasses import dataclass

from snncc.frontends.torch_recorder.loops.forms import (
    DIFFER,
    NO_FORM,
    Final,
    Form,
    Inside,
    Literal,
    Outside,
    Past,
    Series,
    Single,
    leaves,
)
from snncc.frontends.torch_recorder.loops.neuron_groups import DELAY, neurons_at, read_behind
from snncc.frontends.torch_recorder.loops.neuron_reading import Population
from snncc.frontends.torch_recorder.loops.roll import Rolled
from snncc.frontends.torch_recorder.loops.tape import NEURON, Const, NotRolled
from snncc.frontends.torch_recorder.loops.timing import Place
from snncc.ir.dialects.step_windows import LOWEST


@dataclass(frozen=True)
class Unit:
    """Calls that become nodes together.

    Attributes:
        places: one call; or all of a neuron.
        sum_of: for a running sum, what is summed.
        peak_of: for a running maximum, of what.
        start: what a running maximum starts from.
        since: the step at which a running sum begins.
        rows_of: for a tensor with a row for every step, what is written into it.
        populations: for neurons.
    """

    places: tuple[Place, ...]
    sum_of: Inside | None = None
    peak_of: Inside | None = None
    start: float = LOWEST
    since: int = 0
    rows_of: Inside | None = None
    populations: tuple[Population, ...] = ()


def units_of(loop: Rolled) -> list[Unit]:
    """All calls of a loop and around it, in an order in which each can be made.

    Raises:
        NotRolled: a state is kept that has no form.
    """
    found: list[Unit] = []
    taken: set[Place] = set()
    cycles = _cycles(loop)
    for places in cycles:
        unit = _sum(loop, places) or _peak(loop, places) or _rows(loop, places)
        if unit is not None:
            found.append(unit)
            taken.update(unit.places)
    apart, refused = {*taken}, list[NotRolled]()
    for places in cycles:
        if not taken.isdisjoint(places):
            continue
        try:
            neurons = neurons_at(loop, places, cycles, apart)
        except NotRolled as error:
            refused.append(error)
            taken.update(places)
            continue
        found.append(Unit(neurons.places, populations=neurons.populations))
        taken.update(neurons.places)
    if refused:
        refused[0].others = tuple(refused[1:])
        refused[0].examined = True
        raise refused[0]
    single = [p for p in (*loop.body, *loop.outside) if p not in taken]
    found += [Unit((place,)) for place in single]
    _require_plain(loop, single)
    return _ordered(loop, found)


def _reads(loop: Rolled, place: Place) -> list[Inside]:
    call = loop.body.get(place)
    return [] if call is None else [x for x in leaves(call.form) if isinstance(x, Inside)]


def _cycles(loop: Rolled) -> list[list[Place]]:
    """Calls that depend on themselves, a step ago, in the order of the tape."""
    reach: dict[Place, set[Place]] = {}
    for place in loop.body:
        if not any(leaf.delay for leaf in _reads(loop, place)):
            continue
        reach[place] = _upstream(loop, place)
    cycles: list[list[Place]] = []
    for place, above in reach.items():
        if place in above and not any(place in cycle for cycle in cycles):
            cycle = [p for p in above if place in (reach.get(p) or _upstream(loop, p))]
            cycles.append(sorted(cycle, key=loop.order.__getitem__))
    return sorted(cycles, key=lambda cycle: loop.order[cycle[0]])


def _upstream(loop: Rolled, place: Place) -> set[Place]:
    found: set[Place] = set()
    pending = [place]
    while pending:
        for leaf in _reads(loop, pending.pop()):
            if leaf.place not in found:
                found.add(leaf.place)
                pending.append(leaf.place)
    return found


def _sum(loop: Rolled, places: list[Place]) -> Unit | None:
    """A running sum of a value of every step, read behind the loop only."""
    place, call = places[0], loop.body[places[0]]
    given, named = call.form
    if len(places) > 1 or call.entry.name not in ("add", "iadd") or named or len(given) != 2:
        return None
    own = Inside(place, 0, 1)
    other = given[1] if given[0] == own else given[0]
    if own not in given or not isinstance(other, Inside) or other.delay or other.place == place:
        return None
    shape = call.entry.outs[0].shape
    if loop.body[other.place].entry.outs[other.out].shape != shape:
        return None
    if not _only_final(loop, place):
        return None
    since = loop.first[place]
    for (where, _out, step), form in loop.starts.items():
        if where != place:
            continue
        if not _is_zero(loop, form) and step >= 0 and _is_of_step(form, other, step):
            since = step  # the first value is taken as it is, the others are added to it
        elif not _is_zero(loop, form):
            raise NotRolled(NO_FORM, "a sum over the steps does not start from 0", call.entry)
    return Unit((place,), sum_of=other, since=since)


def _is_of_step(form: Form, value: Inside, step: int) -> bool:
    """Whether a start is a value of the body at a step."""
    return form in (value, Inside(value.place, value.out, step))


def _peak(loop: Rolled, places: list[Place]) -> Unit | None:
    """A running maximum of a value of every step."""
    place, call = places[0], loop.body[places[0]]
    given, named = call.form
    if len(places) > 1 or call.entry.name != "maximum" or named or len(given) != 2:
        return None
    own = Inside(place, 0, 1)
    other = given[1] if given[0] == own else given[0]
    if own not in given or not isinstance(other, Inside) or other.delay or other.place == place:
        return None
    shape = call.entry.outs[0].shape
    if loop.body[other.place].entry.outs[other.out].shape != shape or loop.first[place] > 1:
        return None
    start = LOWEST
    for (where, _out, step), form in loop.starts.items():
        if where != place:
            continue
        number = loop.numbers.get(form) if isinstance(form, Const) else None
        if number is not None and step < 0:
            start = max(start, number)
        elif step != 0 or not _is_of_step(form, other, 0):
            raise NotRolled(NO_FORM, "a maximum over the steps starts from data", call.entry)
    return Unit((place,), peak_of=other, start=start)


def _rows(loop: Rolled, places: list[Place]) -> Unit | None:
    """A tensor made before the loop, into which every step writes its row: `out[t] = s`."""
    place, call = places[0], loop.body[places[0]]
    if len(places) > 1 or call.entry.name != "setitem" or not _only_final(loop, place):
        return None
    own, _index, value = call.form[0]
    if own != Inside(place, 0, 1) or not isinstance(value, Inside) or value.delay:
        return None
    return Unit((place,), rows_of=value)


def _only_final(loop: Rolled, place: Place) -> bool:
    """Whether a result is read behind the loop only, as the last step leaves it."""
    if any(x.place == place and not isinstance(x, Final) for x in read_behind(loop)):
        return False
    return not any(r.place == place for p in loop.body if p != place for r in _reads(loop, p))


def _is_zero(loop: Rolled, form: Form) -> bool:
    if isinstance(form, Const):
        return loop.numbers.get(form) == 0.0
    return isinstance(form, Literal) and form.kind in (int, float) and form.value == 0


def _require_plain(loop: Rolled, single: list[Place]) -> None:
    """Raises NotRolled for calls without a state that read other steps than their own."""
    for place in single:
        call = loop.body.get(place)
        if call is None:
            continue
        if loop.first[place] > 0:
            raise NotRolled(
                DIFFER,
                "the first step leaves a call out; a program takes the same step T times",
                call.entry,
            )
        if any(leaf.delay for leaf in _reads(loop, place)):
            raise NotRolled(NO_FORM, DELAY, call.entry)
    odd = [place for place, _out, _step in loop.starts if place in single]
    if odd:
        raise NotRolled(NO_FORM, "it starts from another value", loop.body[odd[0]].entry)


def _ordered(loop: Rolled, units: list[Unit]) -> list[Unit]:
    """In the order of the tape, but each behind what it reads."""
    calls = {**loop.body, **loop.outside}
    owner = {place: number for number, unit in enumerate(units) for place in unit.places}
    waits: Mapping[int, set[int]] = {
        number: {
            owner[leaf.place]
            for place in unit.places
            for leaf in leaves(calls[place].form)
            if isinstance(leaf, Inside | Outside | Final | Single | Series)
            or (isinstance(leaf, Past) and not leaf.around)
        }
        - {number}
        for number, unit in enumerate(units)
    }
    left = sorted(range(len(units)), key=lambda n: min(loop.order[p] for p in units[n].places))
    result: list[Unit] = []
    done: set[int] = set()
    while left:
        ready = next((n for n in left if waits[n] <= done), None)
        if ready is None:
            raise NotRolled(
                NO_FORM, "neurons read each other's spikes", calls[units[left[0]].places[0]].entry
            )
        left.remove(ready)
        done.add(ready)
        result.append(units[ready])
    return result


def neuron_modules(loop: Rolled) -> list[Place]:
    """Places of neuron modules that have a handler."""
    return [p for p, call in {**loop.body, **loop.outside}.items() if call.entry.name == NEURON]
