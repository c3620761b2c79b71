"""Which values of earlier steps are delays of values, and not states of neurons.

A neuron is what the algebra of a cycle says. A linear map in a cycle has no such algebra: what it
reads of an earlier step is spikes that are fed back, and the cycle is cut there. So it is at what a
neuron module gave, and where the cycle does not come back to the call at all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from snncc.frontends.torch_recorder.loops.first_steps import from_the_start
from snncc.frontends.torch_recorder.loops.forms import (
    NO_FORM,
    Call,
    Form,
    Inside,
    Literal,
    Past,
    leaves,
)
from snncc.frontends.torch_recorder.loops.neuron_algebra import ELEMENTWISE, MAPS, Cycle
from snncc.frontends.torch_recorder.loops.roll import Rolled
from snncc.frontends.torch_recorder.loops.tape import NEURON, Const, NotRolled
from snncc.frontends.torch_recorder.loops.timing import Place


def with_delays(loop: Rolled) -> Rolled:
    """The loop with `Past` where a call reads a value of an earlier step that is no state.

    Raises:
        NotRolled: what stands there before the first step is not 0.
    """
    found = {(place, leaf): around for place, leaf, around in _delayed(loop)}
    if not found:
        return loop
    for place, leaf in found:
        _require_zeros(loop, place, leaf)
    body = {
        place: Call(call.entry, _changed(place, call.form, found))
        for place, call in loop.body.items()
    }
    states = {
        (leaf.place, leaf.out)
        for call in body.values()
        for leaf in leaves(call.form)
        if isinstance(leaf, Inside) and leaf.delay
    }
    past = {(leaf.place, leaf.out) for _, leaf in found}
    starts = {
        key: form for key, form in loop.starts.items() if key[:2] in states or key[:2] not in past
    }
    return from_the_start(replace(loop, body=body, starts=starts))


def _delayed(loop: Rolled) -> Iterator[tuple[Place, Inside, bool]]:
    above: dict[Place, set[Place]] = {}
    for place, call in loop.body.items():
        for leaf in dict.fromkeys(leaves(call.form)):
            if not isinstance(leaf, Inside) or not leaf.delay:
                continue
            if leaf.place not in above:
                above[leaf.place] = _upstream(loop, leaf.place)
            around = place == leaf.place or place in above[leaf.place]
            module = loop.body[leaf.place].entry.name == NEURON
            if not around and not module and _is_state_of_a_neuron(loop, place, leaf.place, above):
                continue
            if not around or module or call.entry.name in MAPS:
                yield place, leaf, around


def _is_state_of_a_neuron(
    loop: Rolled, place: Place, source: Place, above: Mapping[Place, set[Place]]
) -> bool:
    """Whether an elementwise call reads what goes on by itself and is no spikes: a synapse."""
    if loop.body[place].entry.name not in ELEMENTWISE or source not in above[source]:
        return False
    cycle = [p for p in above[source] if source in _upstream(loop, p)]
    try:
        found = Cycle(loop, sorted(cycle, key=loop.order.__getitem__))
    except NotRolled:
        return False
    return not found.gives_bits(source)


def _upstream(loop: Rolled, place: Place) -> set[Place]:
    found: set[Place] = set()
    pending = [place]
    while pending:
        for leaf in leaves(loop.body[pending.pop()].form):
            if isinstance(leaf, Inside) and leaf.place not in found:
                found.add(leaf.place)
                pending.append(leaf.place)
    return found


def _require_zeros(loop: Rolled, place: Place, leaf: Inside) -> None:
    """A model may begin with anything; a delay that it means begins with 0."""
    for (where, out, _step), form in loop.starts.items():
        if (where, out) == (leaf.place, leaf.out) and not _is(loop, form, 0.0):
            why = "what is read of the step before is not 0 at the first step"
            raise NotRolled(NO_FORM, why, loop.body[place].entry)


def _changed(place: Place, form: Form, found: Mapping[tuple[Place, Inside], bool]) -> Form:
    if isinstance(form, tuple):
        return tuple(_changed(place, item, found) for item in form)
    if isinstance(form, Inside) and (place, form) in found:
        return Past(form.place, form.out, form.delay, found[place, form])
    return form


def unscaled(loop: Rolled, call: Call) -> Inside | None:
    """What a call of the loop's body gives back as it is, since it multiplies by 1; else None."""
    given, named = call.form
    if call.entry.name != "mul" or named or len(given) != 2:
        return None
    for one, other in (given, given[::-1]):
        if isinstance(other, Inside) and not other.delay and _is(loop, one, 1.0):
            shape = loop.body[other.place].entry.outs[other.out].shape
            return other if call.entry.outs[0].shape == shape else None
    return None


def _is(loop: Rolled, form: Form, number: float) -> bool:
    if isinstance(form, Const):
        return loop.numbers.get(form) == number
    return isinstance(form, Literal) and form.kind in (int, float) and form.value == number
