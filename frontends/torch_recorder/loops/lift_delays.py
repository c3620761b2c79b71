"""Loops whose steps read spikes or currents of earlier steps: these become delays."""

from collections.abc import Mapping

from snncc.frontends.torch_recorder.axis_solver import AxisError, Dim
from snncc.frontends.torch_recorder.loops.feedback import unscaled, with_delays
from snncc.frontends.torch_recorder.loops.forms import Call, Form, Past
from snncc.frontends.torch_recorder.loops.lift import Lift
from snncc.frontends.torch_recorder.loops.neuron_groups import DELAY
from snncc.frontends.torch_recorder.loops.roll import Rolled
from snncc.frontends.torch_recorder.loops.timing import Place
from snncc.frontends.torch_recorder.neurons.parameters import NeuronRefused
from snncc.frontends.torch_recorder.steps import Naming, Value
from snncc.ir import Kind, Op
from snncc.ir.dialects.delays import Delay


class LiftWithDelays(Lift):
    """Notes the steps of a rolled loop, delays among them."""

    def begin(
        self,
        started: Mapping[int, float | NeuronRefused],
        loop: Rolled,
        given: Value,
        *,
        sequence: bool,
    ) -> None:
        """As `Lift.begin`, with the values of earlier steps that are no states told apart."""
        super().begin(started, with_delays(loop), given, sequence=sequence)
        self._past: dict[Past, Value] = {}

    def lifted(self, *, every_step: bool = False) -> Value:
        answer = super().lifted(every_step=every_step)
        self._close()
        return answer

    def _plain(self, place: Place, call: Call) -> None:
        """A product with 1 is its other factor: spikes stay spikes (snnTorch scales all by 1)."""
        same = unscaled(self.loop, call)
        if same is None:
            super()._plain(place, call)
        else:
            self._found[place, 0] = self._value(same)

    def _value(self, form: Form) -> Value:
        return self._delayed(form) if isinstance(form, Past) else super()._value(form)

    def _delayed(self, form: Past) -> Value:
        """What a call gave some steps ago.

        Where that call comes later in the step, all that is known of it is its shape: it must turn
        out to be spikes.
        """
        known = self._past.get(form)
        if known is not None:
            return known
        if (form.place, form.out) in self._final:
            raise self._refuse(DELAY)
        entry, source = self.loop.body[form.place].entry, self._found.get((form.place, form.out))
        shape = tuple(entry.outs[form.out].shape)
        rest = ((self.solver.atom("past", size),) for size in shape[1:])
        dims: tuple[Dim, ...] = ((self.batch_atom,), *rest)
        spikes = True
        if source is not None:
            dims, spikes = source.dims, source.step in self._bits.spikes
        kind = Kind.SPIKE if spikes else Kind.REAL
        stem = f"{self.path()}.past" if self.path() else "past"

        def build(n: Naming) -> Op:
            return Delay(form.delay, kind.value, n.axes(*dims), n.shape(*dims))

        name = self._note(stem, (), dims, build, str(entry.name))
        self.temporal.add(name)
        if spikes:
            self._bits.spikes.add(name)
        self._past[form] = Value(name, dims)
        return self._past[form]

    def _close(self) -> None:
        """Tells every delay what it reads, now that all is lifted.

        Raises:
            NotRolled: what is fed back is no spikes, or has other dimensions than it was taken for.
        """
        for form, value in self._past.items():
            source = self._found.get((form.place, form.out))
            self._entry = self.loop.body[form.place].entry
            spikes = source is not None and source.step in self._bits.spikes
            if source is None or (value.step in self._bits.spikes and not spikes):
                raise self._refuse("membranes or currents are fed back, not spikes")
            try:
                for a, b in zip(value.dims[1:], source.dims[1:], strict=True):
                    self.solver.unify(a, b)
            except (AxisError, ValueError) as error:
                raise self._refuse(str(error)) from error
            lead = {self.solver.roots(v.dims[0]) for v in (value, source) if v.dims}
            if len(lead) > 1:
                raise self._refuse("the batch is not the first dimension of what is fed back")
            self.closes[value.step] = source.step
