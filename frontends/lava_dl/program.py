"""The layers of a file as one integer program."""

from dataclasses import dataclass
from math import prod

import numpy as np

from snncc.diagnostics import Finding, SnnccError
from snncc.frontends.lava_dl.conventions import Timing
from snncc.frontends.lava_dl.neurons import NO_THRESHOLD, REGISTER, SHIFT, Bias, Neurons
from snncc.frontends.lava_dl.records import NO_FORM, Ints, Layer, NetFile, Refused
from snncc.frontends.lava_dl.synapses import Given, Synapses
from snncc.ir import (
    TIME,
    Graph,
    GraphBuilder,
    LimitError,
    Param,
    TypeRuleError,
    VerifyError,
    verify,
)
from snncc.ir.arrays import narrow
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.integer import IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames, Sum
from snncc.ir.op import TooWide
from snncc.ir.types import BIT, BYTE

STEMS = {1: ("f",), 2: ("h", "w"), 3: ("c", "h", "w")}
COUNTED = "spikes of the last layer, counted over the steps"


@dataclass(frozen=True)
class Made:
    """A program, and what its answer is.

    Attributes:
        graph: integer dialect, verified.
        answer: in words.
    """

    graph: Graph
    answer: str


def program_of(net: NetFile, timing: Timing, shape: tuple[int, ...], steps: int) -> Made:
    """The program of a file.

    Args:
        net: of checked layers.
        timing: how it is run.
        shape: of one image, or of the spikes of one step.
        steps: T.

    Raises:
        SnnccError: SNN151 where layers do not fit each other, SNN153 for what has no form, SNN033
            and SNN070 for numbers and programs that are too large.
    """
    work = _Work(GraphBuilder("integer", steps, "exact"), timing, steps)
    try:
        for layer in net.layers:
            work.layer(layer, shape, is_last=layer is net.layers[-1])
        graph = work.finish(net.layers[-1])
        verify(graph)
    except Refused as refused:
        raise SnnccError.of([refused.finding]) from refused
    except LimitError as error:
        raise SnnccError.of(Finding("SNN070", text) for text in error.problems) from error
    except (VerifyError, TypeRuleError) as error:
        code = "SNN033" if isinstance(error, TooWide) else NO_FORM
        raise SnnccError(code, "the layers cannot be put together", why=str(error)) from error
    return Made(graph, work.answer)


@dataclass
class _Work:
    """State of one run: the layer that was put down last."""

    builder: GraphBuilder
    timing: Timing
    steps: int
    given: Given | None = None
    read_out: str | None = None
    answer: str = COUNTED
    offset: Bias | None = None
    unit: float = 1.0
    flat: bool = False

    def layer(self, layer: Layer, shape: tuple[int, ...], *, is_last: bool) -> None:
        if self.given is None:
            self.enter(layer, shape)
            if layer.kind == "input":
                return
        if layer.kind == "input":
            raise Refused(layer.wrong("is not the first"))
        if layer.kind == "flatten":
            self.flat = True
            return
        if self.timing.at_synapses and layer.of_neuron("wgtExp"):
            why = "NetX ignores it: --convention lava-slayer does not"
            raise Refused(layer.wrong("has weights with an exponent", why, NO_FORM))
        synapses = Synapses(self.builder, layer, self.timing)
        current, axes, sizes = synapses.current(self.source(layer), flat=self.flat)
        self.flat = False
        bias = self.bias(layer, axes, sizes)
        silent = layer.neuron is None or layer.of_neuron("vThMant") >= NO_THRESHOLD
        if silent and is_last:
            self.read(layer, current, bias)
            return
        if layer.neuron is None:
            raise Refused(layer.wrong("has no neurons, and is not the last", code=NO_FORM))
        spikes = Neurons(self.builder, layer).spikes(current, bias)
        synapses.close(spikes)
        self.given = Given(spikes, axes, sizes, self.own_delays(layer, sizes))

    def source(self, layer: Layer) -> Given:
        if self.given is None:
            raise Refused(layer.wrong("reads nothing"))
        return self.given

    def enter(self, layer: Layer, shape: tuple[int, ...]) -> None:
        """What comes from outside: an image where input neurons take it, else spikes."""
        stems = STEMS.get(len(shape))
        if stems is None:
            raise Refused(layer.wrong(f"reads values of {list(shape)}", "1 to 3 axes are read"))
        axes = tuple(f"{stem}_in" for stem in stems)
        loc = (layer.loc,)
        if layer.kind != "input" or layer.neuron is None:
            op = Frames((TIME, *axes), (self.steps, *shape), domain=BIT)
            self.given = Given(self.builder.add(op, (), loc, "input"), axes, shape, None)
            return
        image = self.builder.add(Frames(axes, shape, domain=BYTE), (), loc, "input")
        one = self.builder.constant(f"{layer.name}.one", narrow(np.asarray(1)))
        current = self.builder.add(Contract(one), [image], loc, f"{layer.name}.image")
        spikes = Neurons(self.builder, layer).spikes(current, None)
        self.given = Given(spikes, axes, shape, None)

    def bias(self, layer: Layer, axes: tuple[str, ...], sizes: tuple[int, ...]) -> Bias | None:
        """One number for all, or one for each channel, or for each neuron."""
        if "bias" not in layer.fields or not (values := layer.whole("bias")).any():
            return None
        if values.size == 1:
            return values.reshape(()), ()
        if values.size == sizes[0]:
            return values.reshape(-1), axes[:1]
        if values.size == prod(sizes):
            return values.reshape(sizes), axes
        told = f"has {values.size} biases for {list(sizes)} neurons"
        raise Refused(layer.wrong(told))

    def own_delays(self, layer: Layer, sizes: tuple[int, ...]) -> Ints | None:
        """By channel, how many steps later a layer's spikes are heard; None for none."""
        if "delay" not in layer.fields or self.timing.at_synapses:
            return None
        values = layer.whole("delay").reshape(-1)
        if values.size not in (1, sizes[0]):
            raise Refused(layer.wrong(f"has {values.size} delays for {sizes[0]} channels"))
        return np.broadcast_to(values, sizes[:1]) if values.any() else None

    def read(self, layer: Layer, current: str, bias: Bias | None) -> None:
        """A last layer that does not fire: the membrane that NetX reads."""
        neurons = Neurons(self.builder, layer)
        decays = layer.of_neuron("iDecay", 0), layer.of_neuron("vDecay", 1 << 12)
        if decays not in ((1 << 12, 0), (0, 1 << 12)):
            self.read_out = neurons.membrane(current, bias)
            self.answer = "membranes of the last layer, added up over the steps"
            return
        self.read_out, self.unit = current, float(1 << SHIFT)
        again = self.steps if decays[0] else 1
        self.offset = None if bias is None else (bias[0] * again, bias[1])
        self.answer = "membranes of the last layer after the last step"

    def finish(self, last: Layer) -> Graph:
        """The program, which ends in the sum over the steps."""
        if self.flat or (self.read_out is None and last.kind in ("input", "flatten")):
            raise Refused(last.wrong("is the last", "a program answers with neurons"))
        current, given = self.read_out, self.given
        if current is None and given is not None:
            current = self.counted(last, given)
        stored = None
        if self.offset is not None:
            values, axes = self.offset
            stored = self.builder.constant(f"{last.name}.offset", narrow(values), axes)
        name = self.builder.add(
            IntegerReadout(stored, self.unit), [current or ""], (last.loc,), "answer"
        )
        if self.unit != 1.0:
            low, high = self.builder[name].type.range or (0, 0)
            if max(-low, high) << SHIFT > REGISTER:
                told = f"a membrane that can reach {low << SHIFT:,}..{high << SHIFT:,}"
                raise Neurons(self.builder, last).refused(told, "Lava cuts it at 24 bits")
        return self.builder.finish(name)

    def counted(self, last: Layer, given: Given) -> str:
        """Spikes as a current, late ones at their step."""
        loc = (last.loc,)
        late = np.zeros(1, np.int64) if given.late is None else given.late
        parts: list[str] = []
        for steps in np.unique(late).tolist():
            source = given.name
            if steps:
                op = Delay.of(self.builder[source].type, steps)
                source = self.builder.add(op, [source], loc, f"{last.name}.late_{steps}")
            mask, axes = narrow(np.asarray(1)), tuple[str, ...]()
            if len(late) > 1:
                mask, axes = narrow((late == steps).astype(np.int64)), given.axes[:1]
            weight: Param = self.builder.constant(f"{last.name}.counted", mask, axes)
            parts.append(self.builder.add(Contract(weight, shared=axes), [source], loc, "counted"))
        return parts[0] if len(parts) == 1 else self.builder.add(Sum(), parts, loc, "counts")
