"""Which calls of a loop's body are one neuron.

A synapse whose current goes on from step to step is a cycle of its own, and so is the membrane that
reads it; they are one neuron when nothing but elementwise calls lies between them.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from snncc.frontends.torch_recorder.loops.forms import (
    NO_FORM,
    Final,
    Form,
    Inside,
    Series,
    Single,
    leaves,
)
from snncc.frontends.torch_recorder.loops.neuron_algebra import COMPARED, ELEMENTWISE, Cycle
from snncc.frontends.torch_recorder.loops.neuron_reading import Population
from snncc.frontends.torch_recorder.loops.neuron_variants import varied_populations, with_examples
from snncc.frontends.torch_recorder.loops.roll import Rolled
from snncc.frontends.torch_recorder.loops.tape import NotRolled
from snncc.frontends.torch_recorder.loops.timing import Place

DELAY = "it reads a value of an earlier step: a delay"


@dataclass(frozen=True)
class Neurons:
    """A neuron: all of its calls, and what they are."""

    places: tuple[Place, ...]
    populations: tuple[Population, ...]


def neurons_at(
    loop: Rolled, places: Sequence[Place], cycles: Sequence[Sequence[Place]], apart: set[Place]
) -> Neurons:
    """The neuron of which a cycle is a part.

    Args:
        loop: the whole loop.
        places: of the cycle.
        cycles: all cycles of the loop.
        apart: places that are no neuron's, such as running sums.

    Raises:
        NotRolled: it has no form.
    """
    around = _Around(with_examples(loop), cycles, apart)
    cycle = around.whole(places)
    first: NotRolled | None = None
    while True:
        try:
            populations = varied_populations(loop, cycle, around.outputs(cycle))
        except NotRolled as error:
            # What is computed of one current twice, or scaled, is seen to be one further up.
            first = first or error
            wider = _wider(around, cycle)
            if wider is None:
                raise first from error
            cycle = wider
        else:
            return Neurons(tuple(cycle.places), populations)


def _wider(around: "_Around", cycle: Cycle) -> Cycle | None:
    """The cycle with the elementwise calls from which it reads its currents, if there are any."""
    before = around.currents_of(cycle)
    if not before:
        return None
    places = sorted({*cycle.places, *before}, key=around.loop.order.__getitem__)
    try:
        return Cycle(around.loop, places)
    except NotRolled:
        return None


def read_behind(loop: Rolled) -> Iterable[Final | Single | Series]:
    forms: list[Form] = [loop.output, *(call.form for call in loop.outside.values())]
    return (x for form in forms for x in leaves(form) if isinstance(x, Final | Single | Series))


class _Around:
    """What lies around a cycle."""

    def __init__(self, loop: Rolled, cycles: Sequence[Sequence[Place]], apart: set[Place]) -> None:
        self.loop = loop
        self.cycle_of = {p: cycle for cycle in cycles for p in cycle if p not in apart}
        self.apart = apart
        self.tape = sorted(loop.body, key=loop.order.__getitem__)
        self.reads = {p: [*self._reads(p)] for p in loop.body}
        self.readers: dict[Place, list[Place]] = {}
        for place in self.tape:
            for leaf in self.reads[place]:
                self.readers.setdefault(leaf.place, []).append(place)
        self._leads: dict[Place, bool] = {}

    def _reads(self, place: Place) -> Iterator[Inside]:
        return (x for x in leaves(self.loop.body[place].form) if isinstance(x, Inside))

    def whole(self, places: Sequence[Place]) -> Cycle:
        """The cycle with all that reads its membranes or gives it theirs, until nothing is new."""
        found = set(places)
        while True:
            cycle = Cycle(self.loop, sorted(found, key=self.loop.order.__getitem__))
            more = self._more(cycle)
            if not more:
                return cycle
            found |= more

    def _more(self, cycle: Cycle) -> set[Place]:
        own = {*cycle.values}
        found: set[Place] = set()
        for place in own:
            if cycle.gives_bits(place) and len(cycle.bits) == 2:
                found.update(p for p in self.readers.get(place, []) if self._is_of(p, own))
            if not cycle.gives_bits(place):
                behind = [p for p in self.readers.get(place, []) if p not in own]
                found.update(p for p in behind if self._leads_to_neuron(p))
            for leaf in self.reads[place]:
                if leaf.place not in own:
                    found |= self._membrane_behind(leaf)
        for place in [*found]:
            found.update(self.cycle_of.get(place, ()))
        return found

    def _is_of(self, place: Place, own: set[Place]) -> bool:
        """Whether a call subtracts two results of this step's: spikes with a sign."""
        reads = self.reads[place]
        both = len(reads) == 2 and all(leaf.place in own and not leaf.delay for leaf in reads)
        return both and place not in own and self.loop.body[place].entry.name in ("sub", "subtract")

    def _leads_to_neuron(self, place: Place) -> bool:
        """Whether a call, or what is made of its result elementwise, is compared or kept."""
        if place in self._leads:
            return self._leads[place]
        self._leads[place] = False
        name = self.loop.body[place].entry.name
        found = place not in self.apart and name in ELEMENTWISE
        if found and name not in COMPARED and place not in self.cycle_of:
            found = any(map(self._leads_to_neuron, self.readers.get(place, [])))
        self._leads[place] = found
        return found

    def _membrane_behind(self, leaf: Inside) -> set[Place]:
        """The calls between another cycle's membrane and a read, the cycle's own included."""
        pending, found = [leaf.place], set[Place]()
        while pending:
            place = pending.pop()
            name = self.loop.body[place].entry.name
            if place in self.apart or name not in ELEMENTWISE or name in COMPARED:
                continue
            cycle = self.cycle_of.get(place)
            if cycle is not None:
                if not self._gives_bits(cycle, place):
                    return {*cycle, place, *self._between(place, leaf.place)}
                continue
            if place in found:
                continue
            found.add(place)
            pending += [inner.place for inner in self.reads[place]]
        return set()

    def _between(self, start: Place, end: Place) -> set[Place]:
        """Elementwise calls on the way from one call to another, within a step."""
        if start == end:
            return set()
        ahead = {end}
        for place in reversed(self.tape):
            follows = any(p in ahead for p in self.readers.get(place, []))
            if follows and self.loop.body[place].entry.name in ELEMENTWISE:
                ahead.add(place)
        behind = {start}
        for place in self.tape:
            if any(leaf.place in behind for leaf in self.reads[place]):
                behind.add(place)
        return {p for p in ahead & behind if p not in self.cycle_of}

    def _gives_bits(self, cycle: Sequence[Place], place: Place) -> bool:
        """Whether a call of another cycle gives spikes."""
        try:
            return Cycle(self.loop, cycle).gives_bits(place)
        except NotRolled:
            return False

    def currents_of(self, cycle: Cycle) -> set[Place]:
        """Elementwise calls from which it reads its currents, such as 2 * x beside x."""
        own = {*cycle.values}
        given = {leaf.place for place in own for leaf in self.reads[place]} - own - {*self.cycle_of}
        scaled = {p for p in given if self.loop.body[p].entry.name in ELEMENTWISE - COMPARED}
        return scaled if scaled.isdisjoint(self.apart) else set()

    def outputs(self, cycle: Cycle) -> Collection[Place]:
        """Calls of a cycle that are read elsewhere, in the order of the tape.

        Raises:
            NotRolled: of an earlier step.
        """
        own = {*cycle.values}
        found: set[Place] = {x.place for x in read_behind(self.loop) if x.place in own}
        for place in self.tape:
            if place in own:
                continue
            for leaf in self.reads[place]:
                if leaf.place in own:
                    if leaf.delay and place not in self.apart:
                        raise NotRolled(NO_FORM, DELAY, self.loop.body[place].entry)
                    found.add(leaf.place)
        return sorted(found, key=self.loop.order.__getitem__)
