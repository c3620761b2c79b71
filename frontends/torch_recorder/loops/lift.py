"""From one step of a loop to the graph that the recorder makes of a model without the loop.

Each call of the step is given to its handler once. Its values have a time axis that their tensors
do not show, as those of a model that takes one frame a call.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from snncc.frontends.torch_recorder.axis_solver import AxisError, Dim
from snncc.frontends.torch_recorder.calls.time_windows import peak_of, total, windowed
from snncc.frontends.torch_recorder.loops.counted import counted_at
from snncc.frontends.torch_recorder.loops.forms import (
    JOINS,
    NO_FORM,
    PART,
    Call,
    Counted,
    Final,
    Form,
    Given,
    Inside,
    Outside,
    Series,
    Single,
    leaves,
    part_of,
)
from snncc.frontends.torch_recorder.loops.neuron_groups import DELAY
from snncc.frontends.torch_recorder.loops.neuron_ops import built
from snncc.frontends.torch_recorder.loops.neuron_reading import Population
from snncc.frontends.torch_recorder.loops.roll import Rolled
from snncc.frontends.torch_recorder.loops.state_edges import Unit, units_of
from snncc.frontends.torch_recorder.loops.tape import NEURON, Const, Entry, NotRolled, token_of
from snncc.frontends.torch_recorder.loops.timing import Place
from snncc.frontends.torch_recorder.neurons.known import handler_for, is_multi_step
from snncc.frontends.torch_recorder.neurons.parameters import NeuronRefused
from snncc.frontends.torch_recorder.recorder import Recorder
from snncc.frontends.torch_recorder.steps import Build, Naming, Value
from snncc.ir import Loc, Op
from snncc.ir.dialects import traced as ops

_TAKES_STEPS = ("getitem", "select")


class Lift(Recorder):
    """Notes the steps of a rolled loop.

    Attributes:
        temporal: steps whose values have a time axis, shown or not.
    """

    def begin(
        self,
        started: Mapping[int, float | NeuronRefused],
        loop: Rolled,
        given: Value,
        *,
        sequence: bool,
    ) -> None:
        """Where neuron modules start, what is lifted, and the value of the input."""
        self._started = dict(started)
        self.loop = loop
        self.given = given
        self.temporal: set[str] = {given.step} if sequence else set()
        self._found: dict[tuple[Place, int], Value] = {}
        self._rows: dict[Place, Value] = {}
        self._final: set[tuple[Place, int]] = set()
        self._entry: Entry | None = None

    def lifted(self, *, every_step: bool = False) -> Value:
        """Notes everything; the value of the answer.

        Args:
            every_step: whether the answer is one of every step.

        Raises:
            NotRolled: something that no op says.
        """
        units = units_of(self.loop)
        try:
            answer = self._all(units, every_step=every_step)
        except NotRolled as error:
            error.examined = True
            raise
        return answer

    def _all(self, units: list[Unit], *, every_step: bool) -> Value:
        for unit in units:
            place = unit.places[0]
            call = self.loop.body.get(place) or self.loop.outside[place]
            self._entry, self._stack = call.entry, [*call.entry.stack]
            if unit.populations:
                for population in unit.populations:
                    self._population(population, unit.places)
            elif unit.sum_of is not None:
                self._sum(place, self._value(unit.sum_of), unit.since)
            elif unit.peak_of is not None:
                self._peak(place, self._value(unit.peak_of), unit.start)
            elif unit.rows_of is not None:
                self._written_rows(place, call, self._value(unit.rows_of))
            else:
                self._plain(place, call)
        output = self.loop.output
        if every_step and isinstance(output, Series):
            value = self._found[output.place, output.out]
            return self._in_time(value, ((self.time_atom,), *value.dims))
        if isinstance(output, tuple):
            raise NotRolled()
        return self._value(output)

    def place(self, call: str) -> Loc:
        if self._entry is None:
            return super().place(call)
        file, line, source = self._entry.line
        return Loc(self.path(), file, line, call, source)

    def _note(
        self,
        stem: str,
        sources: tuple[Value, ...],
        dims: tuple[Dim, ...],
        build: Build,
        call: str,
    ) -> str:
        name = super()._note(stem, sources, dims, build, call)
        shown, kept = any(map(self._shows_time, sources)), self._has_time(dims)
        if kept or (not shown and any(s.step in self.temporal for s in sources)):
            self.temporal.add(name)
        return name

    def _has_time(self, dims: tuple[Dim, ...]) -> bool:
        return any(self.time_atom in self.solver.roots(dim) for dim in dims)

    def _shows_time(self, value: Value) -> bool:
        return self._has_time(value.dims)

    def _refuse(self, why: str) -> NotRolled:
        return NotRolled(NO_FORM, why, *([self._entry] if self._entry else []))

    # What calls read.

    def _value(self, form: Form) -> Value:
        if isinstance(form, Given):
            return self.given
        if isinstance(form, Outside) and isinstance(form.out, Counted):
            rows = self._rows.get(form.place)
            if rows is None or form.out.offset:
                raise self._refuse("a step takes a part of a value that is not the step's own")
            return rows
        if isinstance(form, Single | Final) and (form.place, form.out) not in self._final:
            return self._of_step(form)
        if isinstance(form, Single):
            raise self._refuse(PART)
        if isinstance(form, Series):
            raise self._refuse("the values of all steps are read as a list here")
        found = self._found.get((form.place, form.out))
        if found is None:
            raise self._refuse("a value has no form")
        return found

    def _of_step(self, form: Single | Final) -> Value:
        """What one step gave, read behind the loop."""
        value, steps = self._found.get((form.place, form.out)), self.solver.size(self.time_atom)
        if value is None or self._shows_time(value):
            raise self._refuse(PART)
        if value.step not in self.temporal:
            return value  # the same at every step
        step = form.step if isinstance(form, Single) else steps - 1
        return self._summed(value, (step, step + 1))

    def _summed(self, value: Value, window: tuple[int, ...]) -> Value:
        shown = self._in_time(value, ((self.time_atom,), *value.dims))
        name = self._note(self._stem("sum"), (shown,), value.dims, total((), window), "sum")
        return Value(name, value.dims)

    def _plain(self, place: Place, call: Call) -> None:
        entry, inside = call.entry, place in self.loop.body
        if inside and entry.name in _TAKES_STEPS and self._row(place, call):
            return
        if entry.name in JOINS and self._joined(place, call):
            return
        if any(isinstance(leaf, Counted) for leaf in leaves(call.form)):
            raise self._refuse("the number of the step is computed with")
        for tensor, form in _operands((entry.args, entry.kwargs), call.form):
            self._offer(tensor, form, inside=inside)
        if entry.name == NEURON:
            self._module(entry, inside=inside)
        elif entry.name == "unbind" and self._unbound(place, entry):
            return
        else:
            for at, tensor in enumerate(entry.outs):
                called, place_of = (entry.name, entry.args, entry.kwargs), (at, len(entry.outs))
                self._function(*called, tensor, entry.raw, entry.function, place_of)
        for at, tensor in enumerate(entry.outs):
            value = self.value_of(tensor)
            if value is not None:
                self._found[place, at] = value

    def _offer(self, tensor: torch.Tensor, form: Form, *, inside: bool) -> None:
        """Lets a handler see what a tensor is."""
        if isinstance(form, Const):
            if token_of(tensor) != form:
                raise self._refuse("a constant is overwritten after it is read")
            self._values.pop(id(tensor), None)
            self._know(tensor)
            return
        value = self._value(form)
        if inside and self._shows_time(value):
            raise self._refuse("every step reads a value of all steps")
        if isinstance(form, Inside) and form.delay:
            raise self._refuse(DELAY)
        self.bind(tensor, value)

    def _module(self, entry: Entry, *, inside: bool) -> None:
        module = entry.stack[-1]
        handler = handler_for(module)
        if handler is None:
            raise self._refuse("a module changes while it runs")
        if not inside and not is_multi_step(module):
            raise self._refuse("a neuron module is called outside of the loop over time")
        self._neuron(module, handler, entry.args, entry.outs[0])
        value = self.value_of(entry.outs[0])
        if value is not None:
            self.temporal.add(value.step)

    # Steps of a value, and values of all steps.

    def _row(self, place: Place, call: Call) -> bool:
        """`x[t]`: a value that shows its time axis, at the step's own place."""
        at = counted_at(call)
        if at is None:
            return False
        source = self._value(call.form[0][0])
        dim, offset = at
        dim = dim % len(source.dims)
        if offset or self.solver.roots(source.dims[dim]) != (self.time_atom,):
            raise self._refuse("a step takes a part of a value that is not the step's own")
        dims = (*source.dims[:dim], *source.dims[dim + 1 :])
        self._found[place, 0] = Value(source.step, dims)
        return True

    def _unbound(self, place: Place, entry: Entry) -> bool:
        """`for xt in x`, `x.unbind(0)`: likewise, one result a step."""
        source = self.value_of(entry.args[0])
        dim = _dim_of(entry)
        if source is None or not isinstance(dim, int):
            return False
        dim = dim % len(source.dims)
        if self.solver.roots(source.dims[dim]) != (self.time_atom,):
            return False
        dims = (*source.dims[:dim], *source.dims[dim + 1 :])
        self._rows[place] = Value(source.step, dims)
        return True

    def _joined(self, place: Place, call: Call) -> bool:
        """`torch.stack(list)` of one value of all steps: the value with its time axis shown."""
        given, _named = call.form
        series = given[0] if given else None
        time: Dim = (self.time_atom,)
        part = part_of(series, self.solver.size(self.time_atom))
        if part is not None:
            series, first, stop = part
            time = windowed(self.solver, first, stop)
        elif not isinstance(series, Series):
            return False
        entry = call.entry
        value = self._found.get((series.place, series.out))
        dim = _dim_of(entry)
        if value is None or not isinstance(dim, int) or (series.place, series.out) in self._final:
            return False
        dims = list(value.dims)
        if entry.name == "stack":
            dims.insert(dim % (len(dims) + 1), time)
        elif dims[dim % len(dims)] == ():
            dims[dim % len(dims)] = time
        else:
            raise self._refuse("the values of all steps are joined along an axis of theirs")
        self._found[place, 0] = self._in_time(value, tuple(dims))
        return True

    def _written_rows(self, place: Place, call: Call, value: Value) -> None:
        """`out[t] = s`: what is written, with its time axis shown."""
        at, shape = counted_at(call), tuple(call.entry.outs[0].shape)
        lengths = [self.solver.length(self.solver.roots(d)) for d in value.dims]
        if at is None or at[1]:
            raise self._refuse("a step writes into a place that is not its own")
        dims, dim = list(value.dims), at[0] % len(shape)
        lengths.insert(dim, self.solver.size(self.time_atom))
        if shape != tuple(lengths):
            raise self._refuse(f"rows of a tensor of shape {shape} are written in a loop of others")
        dims.insert(dim, (self.time_atom,))
        self._found[place, 0] = self._in_time(value, tuple(dims))
        self._final.add((place, 0))

    def _in_time(self, value: Value, dims: tuple[Dim, ...]) -> Value:
        if value.step in self.temporal:
            return Value(value.step, dims)
        return Value(self._note("repeat", (value,), dims, lambda _n: ops.Repeat(), "repeat"), dims)

    def _sum(self, place: Place, value: Value, since: int) -> None:
        window = (since, self.solver.size(self.time_atom)) if since else ()
        self._found[place, 0] = self._summed(value, window)
        self._final.add((place, 0))

    def _peak(self, place: Place, value: Value, start: float) -> None:
        name = self._note(self._stem("peak"), (value,), value.dims, peak_of(start), "maximum")
        self.temporal.add(name)
        self._found[place, 0] = Value(name, value.dims)

    # Neurons by algebra.

    def _population(self, population: Population, places: tuple[Place, ...]) -> None:
        gives = population.spikes | population.membranes
        # Spikes that no call gives are those of neurons whose membranes alone are read.
        at = min(gives, key=self.loop.order.__getitem__) if gives else places[-1]
        entry = self.loop.body[at].entry
        self._entry, self._stack = entry, [*entry.stack]
        shape = tuple(entry.outs[0].shape)
        parts = [self._current(form, gain, shape) for form, gain in population.currents.items()]
        dims = parts[0].dims
        try:
            for other in parts[1:]:
                for a, b in zip(dims, other.dims, strict=True):
                    self.solver.unify(a, b)
        except AxisError as error:
            raise self._refuse(str(error)) from error
        call = f"{type(entry.stack[-1]).__name__}()"
        current = parts[0]
        if len(parts) > 1:
            current = Value(
                self._note(self._stem("add"), tuple(parts), dims, lambda _n: ops.Add(), call), dims
            )
        if population.bias:
            current = self._scaled(current, None, population.bias)
        stem, build = built(population.op, dims)
        name = self._note(self._stem(stem), (current,), dims, build, call)
        self.temporal.add(name)
        given = Value(name, dims)
        if population.gives_bits:
            self._bits.spikes.add(name)
        if population.offset:
            given = self._scaled(given, None, population.offset)
        for place in gives:
            self._found[place, 0] = given

    def _current(self, form: Form, gain: float, shape: tuple[int, ...]) -> Value:
        value = self._value(form)
        lengths = tuple(self.solver.length(self.solver.roots(d)) for d in value.dims)
        if lengths != shape or self._shows_time(value):
            raise self._refuse(f"a current of shape {lengths} feeds neurons of shape {shape}")
        return value if gain == 1.0 else self._scaled(value, gain, None)

    def _scaled(self, value: Value, scale: float | None, offset: float | None) -> Value:
        def build(n: Naming) -> Op:
            return ops.Scale(*(None if x is None else _number(n, w, x) for w, x in given))

        given = (("scale", scale), ("offset", offset))
        name = self._note(self._stem("scale"), (value,), value.dims, build, "scale")
        return Value(name, value.dims)


def _number(n: Naming, what: str, value: float) -> Any:
    return n.param(what, torch.tensor(value, dtype=torch.float64))


def _dim_of(entry: Entry) -> Any:
    """The dimension that a call names behind its first argument, by default the first."""
    given = entry.kwargs
    return entry.args[1] if len(entry.args) > 1 else given.get("dim", given.get("axis", 0))


def _operands(thing: Any, form: Form) -> Iterator[tuple[torch.Tensor, Form]]:
    """Tensors of a call beside their forms."""
    if isinstance(thing, torch.Tensor):
        yield thing, form
    elif isinstance(thing, list | tuple):
        for item, part in zip([*thing], form, strict=True):
            yield from _operands(item, part)
    elif isinstance(thing, dict):
        for (_key, item), part in zip(sorted(thing.items()), form, strict=True):
            yield from _operands(item, part[1])
