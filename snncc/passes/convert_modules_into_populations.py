"""From what the model says to populations and projections; nothing is folded yet."""

from dataclasses import dataclass, field, fields, replace
from typing import ClassVar

import numpy as np

from snncc.diagnostics import Finding, SnnccError
from snncc.ir import TIME, Graph, Kind, Node
from snncc.ir.dialects import traced
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.neurons import Neuron, TracedNeuron
from snncc.ir.dialects.pointwise import Pointwise
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Frames, Sum
from snncc.ir.dialects.spiking import Affine, Opaque, Population, Readout
from snncc.ir.dialects.step_windows import steps_in
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.windows import Largest
from snncc.ir.types import BYTE
from snncc.passes.answers import several_axes
from snncc.passes.input_readers import refused_delay, refused_reading
from snncc.passes.named import Named
from snncc.passes.normalization import normalization
from snncc.passes.pipeline import Note, PassResult
from snncc.passes.report_foreign_ops import foreign_findings, real_activation
from snncc.passes.rewriter import Rewriter
from snncc.passes.scaled_counts import behind_factor, largest_count, times_count

MEAN_OVER_TIME = "mean_over_time"
"""Name of the factor 1/T before a readout that the model left unaveraged."""


@dataclass(frozen=True)
class ConvertModulesIntoPopulations:
    """Traced dialect to spiking dialect, op by op.

    The input becomes the 8-bit image and its normalisation x/255 -> (x/255 - mean)/std; a linear
    map becomes a projection and an affine, a BatchNorm an affine, a neuron module a population in
    the form Y = tau * V, an add a sum of currents. Permutes and reshapes vanish: axes have names.
    A mean over time is held back until the readout, which sums over time.

    Attributes:
        means, stds: of the normalisation, one for every channel or one for all.
        encoding: how the image enters, "bit-planes" or "host".
        bits: names of what has no form here but is known to be 0 or 1.
        domain: of frames of whole numbers, which enter as they are; None for pixels / 255.
    """

    name: ClassVar[str] = "convert_modules_into_populations"
    means: tuple[float, ...] = (0.0,)
    stds: tuple[float, ...] = (1.0,)
    encoding: str = "bit-planes"
    bits: frozenset[str] = frozenset()
    domain: tuple[int, int] | None = None

    def run(self, graph: Graph) -> PassResult:
        """Converts; what has no form in the spiking dialect (SNN020, SNN021, SNN031) is refused.

        Raises:
            SnnccError: SNN001 when the normalisation does not fit the channels.
        """
        work = _Conversion(self, Rewriter(graph, "spiking"))
        for node in graph.nodes:
            work.convert(node)
        work.delay()
        work.rewriter.close_delays()  # they may read the answer, which a readout takes over now
        work.close()
        refusals = (*foreign_findings(graph), *work.findings)
        return PassResult(work.rewriter.finish(), tuple(work.notes), refusals)


@dataclass
class _Conversion:
    """State of one run: where values are, which are averaged over time, which nobody knows."""

    options: ConvertModulesIntoPopulations
    rewriter: Rewriter
    averaged: dict[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    unknown: set[str] = field(default_factory=set[str])
    findings: list[Finding] = field(default_factory=list[Finding])
    notes: list[Note] = field(default_factory=list[Note])

    def convert(self, node: Node) -> None:
        sources = self.rewriter.inputs(node)
        averaged = {name in self.averaged for name in sources}
        windows = {self.averaged[name] for name in sources if name in self.averaged}
        mixed = len(averaged) > 1 or len(windows) > 1
        unknown = not self.unknown.isdisjoint(sources)
        if isinstance(node.op, traced.Foreign) or (mixed and unknown):  # told where it begins
            result = self.opaque(node)
        elif len(averaged) > 1:
            message = "a value that is averaged over time meets one that is not"
            result = self.refuse(node, message, "SNN031")
        elif len(windows) > 1:
            message = "sums over different steps meet: a program sums one window of steps"
            result = self.refuse(node, message, "SNN031")
        else:
            result = self.lower(node, sources, averaged == {True})
        self.rewriter.value[node.name] = result
        if unknown or isinstance(node.op, traced.Foreign):
            self.unknown.add(result)
        if averaged == {True} and node.type.kind is not Kind.SPIKE:
            self.averaged[result] = windows.pop() if windows else ()

    def lower(self, node: Node, sources: tuple[str, ...], averaged: bool) -> str:
        """The new name of a node's value."""
        refused = refused_reading(self.rewriter.new, node, sources)
        if refused is not None:
            return self.told(node, refused)
        match node.op:
            case traced.Input():
                return self.image(node, node.op)
            case traced.Linear() | traced.Conv():
                return self.mapped(node, node.op, sources[0], averaged)
            case traced.BatchNorm():
                return self.batchnorm(node, node.op, sources[0], averaged)
            case traced.Scale(scale=scale, offset=offset):
                return self.affine(
                    node,
                    sources[0],
                    self.rewriter.named(scale, 1.0),
                    self.rewriter.named(offset, 0.0),
                    averaged,
                )
            case traced.Lif():
                return self.neurons(node, node.op, sources[0], averaged)
            case TracedNeuron():
                return self.states(node, node.op, sources[0], averaged)
            case traced.Add():
                return self.add(node, sources)
            case traced.TracedConcat(along=along, out=out):
                return self.rewriter.emit(node, Concat(along, out), *self.alike(node, sources))
            case Gate():
                return self.rewriter.emit(node, node.op, *sources)
            case Product():
                return self.product(node, node.op, sources)
            case MultiThreshold():
                return self.staircase(node, node.op, sources[0], averaged)
            case Pointwise():
                return self.clipped(node, node.op, sources[0])
            case Take():
                return self.rewriter.emit(node, node.op, sources[0])
            case Delay():
                refused = refused_delay(self.rewriter, node)
                if refused is not None:
                    return self.told(node, refused)
                kind = Kind.SPIKE if node.type.kind is Kind.SPIKE else Kind.CURRENT
                return self.rewriter.emit(node, replace(node.op, kind=kind.value))
            case Largest():
                return self.largest(node, node.op, sources[0], averaged)
            case traced.Rearrange() | traced.Repeat():
                return sources[0]
            case traced.Mean(axes=axes):
                return self.reduce(node, sources[0], axes, mean=True, averaged=averaged)
            case traced.Total(axes=axes, window=window):
                return self.reduce(node, sources[0], axes, window, mean=False, averaged=averaged)
            case _:
                return self.refuse(node, f"{node.op.mnemonic} has no form as populations", "SNN021")

    def delay(self) -> None:
        """What is delayed is spikes or a current, a count as the current it makes."""
        old, value = self.rewriter.old, self.rewriter.value
        for node in old.select(Delay):
            source = value[node.inputs[0]]
            kinds = {node.type.kind, self.rewriter.new[source].type.kind}
            if kinds != {Kind.SPIKE} and not isinstance(
                self.rewriter.new[value[node.name]].op, Opaque
            ):
                value[node.inputs[0]] = self.current(node, source)

    def close(self) -> None:
        """Ends the program in a readout: the mean over time of what the model returns."""
        old = self.rewriter.old
        name = self.rewriter.value[old.output]
        last = old[old.output]
        several = several_axes(self.rewriter.new[name].type, last)
        if several is not None:
            self.findings.append(several)
            self.notes.append(Note(last.name, False, several.message, refused=True))
        value, window = self.current(last, name), self.averaged.get(name, ())
        if name not in self.averaged:
            share = self.rewriter.new.constant(MEAN_OVER_TIME, np.array(1.0 / old.steps))
            op = Affine(scale=share)
            value = self.rewriter.emit(last, op, value, name=MEAN_OVER_TIME)
        readout = self.rewriter.emit(last, Readout(window=window), value, name="readout")
        self.rewriter.value[old.output] = readout

    def image(self, node: Node, op: traced.Input) -> str:
        if node != self.rewriter.old.select(traced.Input)[0]:
            return self.refuse(node, "a second image enters: a program has one", "SNN021")
        if op.frames and self.options.encoding != "bit-planes":
            raise SnnccError(
                "SNN001",
                f"--encoding {self.options.encoding} does not go with a frame for every step",
                help="leave --encoding out: frames enter as bit planes",
            )
        axes = tuple((n, s) for n, s in zip(op.axes, op.shape, strict=True) if n != TIME)
        names, shape = tuple(n for n, _ in axes), tuple(s for _, s in axes)
        channels = shape[0]
        if op.frames:
            names, shape = op.axes, op.shape
        domain = self.options.domain
        frames = Frames(names, shape, self.options.encoding, domain or BYTE)
        pixels = self.rewriter.emit(node, frames, name="frames" if op.frames else "image")
        if domain is not None:
            return pixels
        means, stds = self.options.means, self.options.stds
        scale, offset = normalization(means, stds, axes[0][0], channels)
        return self.affine(node, pixels, scale, offset, False)

    def batchnorm(self, node: Node, op: traced.BatchNorm, source: str, averaged: bool) -> str:
        named = self.rewriter.named
        deviation = named(op.var, 1.0) + Named.scalar(op.eps)
        scale = named(op.weight, 1.0) / Named(deviation.axes, np.sqrt(deviation.array))
        offset = named(op.bias, 0.0) + Named.scalar(-1.0) * scale * named(op.mean, 0.0)
        return self.affine(node, source, scale, offset, averaged)

    def mapped(
        self, node: Node, op: traced.Linear | traced.Conv, source: str, averaged: bool
    ) -> str:
        """A linear map followed by its bias."""
        mapped = self.rewriter.emit(node, op.map, source)
        offset = self.rewriter.named(op.bias, 0.0)
        return self.affine(node, mapped, Named.scalar(1.0), offset, averaged)

    def affine(self, node: Node, source: str, scale: Named, offset: Named, averaged: bool) -> str:
        """Gives scale * source + offset; what does nothing is left out; scaled spikes project.

        A scale for every step goes below the scale and offset that stand there already, which are
        then the same at every step and can be folded: k(ax + d) = a(kx) + kd.
        """
        new = self.rewriter.new
        if averaged:  # the readout will add this up at each of its steps
            window = self.averaged[self.rewriter.inputs(node)[0]]
            count = steps_in(window, self.rewriter.old.steps)
            offset = offset * Named.scalar(1.0 / count)
        scale, offset = scale.compact(), offset.compact()
        trivial = not scale.axes and float(scale.array) == 1.0
        stem = node.name
        kind, made = new[source].type.kind, bool(new[source].inputs)
        selects = kind is Kind.SPIKE or (kind is Kind.COUNT and made)  # an image is made of nothing
        scaled = behind_factor(self.rewriter, source)
        if scaled is not None and not trivial:
            source, scale, selects = scaled[0], scaled[1] * scale, True
        if selects and not (trivial and offset.is_zero()):
            source = times_count(self.rewriter, node, source, scale, node.name)
            trivial = True
        if trivial and offset.is_zero():
            return source
        below, below_name = new[source].op, source
        if scale.axes == (TIME,) and isinstance(below, Affine) and below.scale is not None:
            stepwise = Affine(scale.store(new, f"{stem}.scale"))
            source = self.rewriter.emit(node, stepwise, new[source].inputs[0])
            offset = offset + scale * self.rewriter.named(below.offset, 0.0)
            scale, stem = self.rewriter.named(below.scale, 1.0), below_name
        op = Affine(
            None if trivial else scale.store(new, f"{stem}.scale"),
            None if offset.is_zero() else offset.store(new, f"{stem}.offset"),
        )
        return self.rewriter.emit(node, op, source, name=stem)

    def neurons(self, node: Node, op: traced.Lif, source: str, averaged: bool) -> str:
        if averaged:
            return self.refuse(node, "a neuron reads a value averaged over time", "SNN031")
        decay = 1.0 if op.tau is None else 1.0 - 1.0 / op.tau
        unit = op.tau if op.tau is not None and op.decay_input else 1.0
        level = self.rewriter.named(op.threshold, op.v_threshold)
        threshold = Named(level.axes, (level.array - op.rest) * unit)
        new = self.rewriter.new
        return self.rewriter.emit(
            node,
            Population(
                threshold=threshold.store(new, f"{node.name}.threshold"),
                decay=decay,
                reset="soft" if op.v_reset is None else "hard",
                compare=op.compare,
            ),
            self.started(node, op, self.current(node, source), decay * unit),
        )

    def states(self, node: Node, op: TracedNeuron, source: str, averaged: bool) -> str:
        """A general neuron keeps its form: it is that of the spiking dialect already."""
        if averaged:
            return self.refuse(node, "a neuron reads a value averaged over time", "SNN031")
        kept = Neuron(**{f.name: getattr(op, f.name) for f in fields(op)})
        return self.rewriter.emit(node, kept, self.current(node, source))

    def started(self, node: Node, op: traced.Lif, source: str, share: float) -> str:
        """The current with what a membrane's start leaves of it at the first step.

        Y[0] = decay * Y[-1] + X[0], and the population's Y[-1] is 0: so X[0] takes the rest.
        """
        start = 0.0 if op.start is None else share * (op.start - op.rest)
        if start == 0.0:
            return source
        first = np.zeros(self.rewriter.old.steps)
        first[0] = start
        stored = self.rewriter.new.constant(f"{node.name}.start", first, (TIME,))
        return self.rewriter.emit(node, Affine(offset=stored), source, name=f"{node.name}.start")

    def add(self, node: Node, sources: tuple[str, ...]) -> str:
        return self.rewriter.emit(node, Sum(), *(self.current(node, s) for s in sources))

    def staircase(self, node: Node, op: MultiThreshold, source: str, averaged: bool) -> str:
        """Keeps its form; what is delayed is a current."""
        if averaged:
            return self.refuse(node, "an activation reads a value averaged over time", "SNN031")
        made = self.rewriter.emit(node, op, self.current(node, source))
        readers = self.rewriter.old.readers.get(node.name, ())
        return self.current(node, made) if any(r.op.looks_back for r in readers) else made

    def clipped(self, node: Node, op: Pointwise, source: str) -> str:
        """Real numbers have no integers; told once, and not behind what is refused itself."""
        if not isinstance(self.rewriter.new[source].op, Opaque):
            self.findings.append(real_activation(node, op))
        return self.opaque(node)

    def product(self, node: Node, op: Product, sources: tuple[str, ...]) -> str:
        """A constant factor of a count stands behind the sum of what is selected: c (a b)."""
        gate, x = sources
        scaled = behind_factor(self.rewriter, x)
        if scaled is None or scaled[1].axes:
            return self.rewriter.emit(node, op, gate, x)
        counted = self.rewriter.emit(node, op, gate, scaled[0])
        return times_count(self.rewriter, node, counted, scaled[1], f"{node.name}.scale")

    def largest(self, node: Node, op: Largest, source: str, averaged: bool) -> str:
        """Windows of spikes or currents; a maximum of images or of means has no integers yet."""
        if averaged:
            return self.refuse(node, "a maximum reads a value averaged over time", "SNN031")
        counts = largest_count(self.rewriter, node, op, source)
        return counts or self.rewriter.emit(node, op, source)

    def alike(self, node: Node, sources: tuple[str, ...]) -> tuple[str, ...]:
        """Sources of one concat: spikes stay spikes only if all are; maps alone read frames."""
        new = self.rewriter.new
        frames = any(isinstance(new[s].op, Frames) for s in sources)
        kinds = {new[s].type.kind for s in sources}
        return (
            sources
            if len(kinds) == 1 and not frames
            else tuple(self.current(node, s) for s in sources)
        )

    def current(self, node: Node, source: str) -> str:
        """The value as a current: a spike arrives through a synapse of weight one."""
        new = self.rewriter.new
        if new[source].type.kind is Kind.CURRENT:
            return source
        weight = new.constant("one", np.array(1.0))
        return self.rewriter.emit(node, Contract(weight), source, name=f"{node.name}.synapse")

    def reduce(
        self,
        node: Node,
        source: str,
        axes: tuple[str, ...],
        window: tuple[int, ...] = (),
        *,
        mean: bool,
        averaged: bool,
    ) -> str:
        """A mean or a sum: over time it is left to the readout, elsewhere it is a projection."""
        value = self.rewriter.new[source].type
        factor = 1.0
        if TIME in axes:
            if averaged:
                return self.refuse(node, "time is averaged twice", "SNN031")
            factor = 1.0 / self.rewriter.old.steps if mean else 1.0
        summed = tuple(n for n in axes if n != TIME)
        for name in summed:
            factor /= value.size(name) if mean else 1
        weight = self.rewriter.new.constant(f"{node.name}.share", np.array(factor))
        result = self.rewriter.emit(node, Contract(weight, summed=summed), source)
        if TIME in axes:
            self.averaged[result] = window
        return result

    def refuse(self, node: Node, message: str, code: str) -> str:
        """Notes a finding; what reads the value goes on with one of which nothing is known."""
        return self.told(node, Finding(code, message, node.loc))

    def told(self, node: Node, finding: Finding) -> str:
        self.findings.append(finding)
        self.notes.append(Note(node.name, False, finding.message, refused=True))
        return self.opaque(node)

    def opaque(self, node: Node) -> str:
        """A node that has no form here, with its own axes."""
        bits = node.type.kind is Kind.SPIKE or node.name in self.options.bits
        kind = Kind.SPIKE if bits else Kind.CURRENT
        foreign = node.op.mnemonic
        if isinstance(node.op, traced.Foreign | Pointwise):
            foreign = node.op.function
        op = Opaque(foreign, kind.value, node.type.names, node.type.shape)
        return self.rewriter.emit(node, op, *self.rewriter.inputs(node))
