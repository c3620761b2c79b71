"""Weights of a layer as maps: dense, convolutions and pools by sum, with delays.

Synapses that wait differently are maps of their own, whose currents are added up.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod

import numpy as np

from snncc.frontends.lava_dl.conventions import Timing
from snncc.frontends.lava_dl.records import NO_FORM, Ints, Layer, Refused
from snncc.ir import GraphBuilder, Kind, Op, Param
from snncc.ir.arrays import narrow
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.projections import Contract, Convolve, Sum
from snncc.ir.types import BIT

SIGNED = (-256, 254)
"""Weights of both signs; NetX cuts others."""
UNSIGNED = 256
Made = tuple[str, tuple[str, ...], tuple[int, ...]]
"""A current with its axes and lengths."""


@dataclass(frozen=True)
class Given:
    """What a layer reads.

    Attributes:
        name: of a node that gives spikes, or of the input.
        axes: one step of it, channels first.
        shape: their lengths.
        late: by channel, how many steps later its spikes are heard; None for none.
    """

    name: str
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    late: Ints | None


@dataclass
class Synapses:
    """What leads into one layer.

    Attributes:
        builder: of the program.
        layer: checked.
        timing: how it is run.
    """

    builder: GraphBuilder
    layer: Layer
    timing: Timing
    loops: list[str] = field(default_factory=list[str])

    def current(self, source: Given, *, flat: bool) -> Made:
        """What arrives at the layer's neurons, before any shift.

        Args:
            source: the layer before it.
            flat: whether a flatten stands between the two.

        Raises:
            Refused: the two do not fit each other.
        """
        if self.layer.kind in ("dense", "dense_rec"):
            made = self._dense(source, flat=flat)
        elif flat or len(source.shape) != 3:
            raise Refused(self.layer.wrong(f"reads {list(source.shape)}, no image of channels"))
        elif self.layer.kind == "pool":
            made = self._pool(source)
        else:
            made = self._convolution(source, self._weight(4), int(self._groups()))
        said = self.layer.lengths("shape") if "shape" in self.layer.fields else ()
        if said and (prod(said) != prod(made[2]) or (len(made[2]) == 3 and said != made[2])):
            told = f"says that it has {list(said)} neurons, and has {list(made[2])}"
            raise Refused(self.layer.wrong(told))
        return made

    def close(self, spikes: str) -> None:
        """Tells recurrent synapses what they read."""
        for name in self.loops:
            self.builder.close(name, spikes)

    def _dense(self, source: Given, *, flat: bool) -> Made:
        if len(source.shape) > 1 and not flat and prod(source.shape) != source.shape[0]:
            raise Refused(self.layer.wrong(f"reads {list(source.shape)} without a flatten"))
        weight = self.layer.whole("weight")
        rows = prod(self.layer.lengths("shape")) if weight.ndim == 1 else len(weight)
        if weight.ndim == 1 and weight.size % rows:
            raise Refused(self.layer.wrong(f"has {weight.size} weights for {rows} neurons"))
        weight = weight.reshape(rows, -1)
        if weight.shape[1] != prod(source.shape):
            told = f"reads {weight.shape[1]} values, and gets {list(source.shape)}"
            raise Refused(self.layer.wrong(told))
        back = self.layer.whole("weight_rec") if self.layer.kind == "dense_rec" else None
        if back is not None and back.size != rows * rows:
            told = f"has recurrent weights of {list(back.shape)} for {rows} neurons"
            raise Refused(self.layer.wrong(told))
        both = weight if back is None else np.hstack([weight, back.reshape(rows, rows)])
        both = self._held(both)
        delays = self._delays(source, rows, weight.shape[1])
        axis = f"f_{self.layer.number}"

        def op(stored: Param) -> Op:
            return Contract(stored, source.axes, (axis,))

        def over(part: Ints) -> tuple[Ints, tuple[str, ...]]:
            return part.reshape(rows, *source.shape), (axis, *source.axes)

        parts = self._parts(source, both[:, : weight.shape[1]], delays, over, op)
        if back is not None:
            parts.append(self._back(both[:, weight.shape[1] :], axis, rows))
        return self._together(parts), (axis,), (rows,)

    def _back(self, weight: Ints, axis: str, rows: int) -> str:
        """Recurrent synapses, which hear the spikes of the step before."""
        if "delay" in self.layer.fields and self.layer.whole("delay").any():
            why = "NetX and slayer delay different things"
            raise Refused(self.layer.wrong("has delays and recurrent weights", why, NO_FORM))
        loc = (self.layer.loc,)
        delay = Delay(1, Kind.SPIKE.value, (axis,), (rows,), BIT)
        self.loops.append(self.builder.add(delay, (), loc, f"{self.layer.name}.before"))
        stored = self._stored("weight_rec", weight, (axis, axis))
        name = f"{self.layer.name}.back"
        return self.builder.add(Contract(stored, (axis,), (axis,)), self.loops[-1:], loc, name)

    def _pool(self, source: Given) -> Made:
        window = self._weight(4)
        channels = source.shape[0]
        whole = np.broadcast_to(window, (channels, 1, *window.shape[2:])).copy()
        kernel = window.shape[2:]
        stride = self.layer.pair("stride", 0) if "stride" in self.layer.fields else kernel
        padding, shape = self.layer.pair("padding", 0), source.shape[1:]
        ends = zip(shape, padding, kernel, stride, strict=True)
        whole_windows = all((have + 2 * pad - size) % step == 0 for have, pad, size, step in ends)
        if not whole_windows and "shape" not in self.layer.fields:
            told = f"has windows that do not fill the image {list(shape)}"
            why = "slayer adds rows and columns of zeros, others leave the rest out"
            raise Refused(self.layer.wrong(told, f"{why}: a shape of the layer would say which"))
        return self._convolution(source, whole, channels, (int(stride[0]), int(stride[1])))

    def _convolution(
        self, source: Given, weight: Ints, groups: int, stride: tuple[int, int] | None = None
    ) -> Made:
        if weight.shape[1] * groups != source.shape[0] or len(weight) % groups:
            told = f"has weights {list(weight.shape)} in {groups} groups"
            raise Refused(self.layer.wrong(told, f"it reads {list(source.shape)}"))
        if "delay" in self.layer.fields and self.timing.at_synapses:
            why = "NetX ignores delays of convolutions: --convention lava-slayer does not"
            if self.layer.whole("delay").any():
                raise Refused(self.layer.wrong("has delays", why, NO_FORM))
        number = self.layer.number
        made = f"c_{number}", f"h_{number}", f"w_{number}"
        channel, height, width = source.axes
        moves = stride or self.layer.pair("stride", 1)
        padding, dilation = self.layer.pair("padding", 0), self.layer.pair("dilation", 1)
        sizes = [
            (have + 2 * pad - apart * (kernel - 1) - 1) // step + 1
            for have, step, pad, apart, kernel in zip(
                source.shape[1:], moves, padding, dilation, weight.shape[2:], strict=True
            )
        ]
        if min(sizes) < 1:
            raise Refused(self.layer.wrong(f"has a kernel larger than {list(source.shape)}"))

        def op(stored: Param) -> Op:
            return Convolve(stored, channel, height, width, *made, moves, padding, dilation, groups)

        def over(part: Ints) -> tuple[Ints, tuple[str, ...]]:
            return part, ("out", "in", "kh", "kw")

        delays = None if source.late is None else self._by_channel(source.late, weight, groups)
        parts = self._parts(source, self._held(weight), delays, over, op)
        return self._together(parts), made, (len(weight), *sizes)

    def _by_channel(self, late: Ints, weight: Ints, groups: int) -> Ints:
        """Delays of channels as delays of weights [out, in of a group, rows, columns]."""
        first = np.arange(len(weight)) // (len(weight) // groups) * weight.shape[1]
        read = first[:, None] + np.arange(weight.shape[1])
        return np.broadcast_to(late[read][:, :, None, None], weight.shape)

    def _delays(self, source: Given, rows: int, columns: int) -> Ints | None:
        """[out, in] of a dense layer; None where nothing waits."""
        if not self.timing.at_synapses:
            if source.late is None:
                return None
            each = np.repeat(source.late, columns // len(source.late))
            return np.broadcast_to(each, (rows, columns))
        if "delay" not in self.layer.fields:
            return None
        given = self.layer.whole("delay")
        if given.size in (1, rows * columns):
            return np.broadcast_to(given.reshape(-1), (rows * columns,)).reshape(rows, columns)
        if given.size == rows:  # as NetX asks first, also where there are as many inputs
            return np.broadcast_to(given.reshape(-1, 1), (rows, columns))
        if given.size == columns:
            return np.broadcast_to(given.reshape(1, -1), (rows, columns))
        raise Refused(self.layer.wrong(f"has {given.size} delays for {rows} x {columns} weights"))

    def _parts(
        self,
        source: Given,
        weight: Ints,
        delays: Ints | None,
        over: Callable[[Ints], tuple[Ints, tuple[str, ...]]],
        op: Callable[[Param], Op],
    ) -> list[str]:
        """A map for all synapses that wait equally long."""
        waits = [0] if delays is None else np.unique(delays).tolist()
        parts: list[str] = []
        for wait in waits:
            part = weight if delays is None else np.where(delays == wait, weight, 0)
            if not part.any() and len(waits) > 1 and (parts or wait != waits[-1]):
                continue
            stored = self._stored("weight", *over(part))
            parts.append(self._late(source, op(stored), wait + self.timing.late))
        return parts

    def _late(self, source: Given, op: Op, steps: int) -> str:
        """A map that hears its source some steps later: of spikes, or of what it makes of input."""
        loc, name = (self.layer.loc,), self.layer.name
        spikes = self.builder[source.name].type.kind is Kind.SPIKE
        read = source.name
        if steps and spikes:
            delay = Delay.of(self.builder[read].type, steps)
            read = self.builder.add(delay, [read], loc, f"{name}.late_{steps}")
        made = self.builder.add(op, [read], loc, f"{name}.synapses")
        if steps and not spikes:
            low, high = self.builder[made].type.range or (0, 0)
            plain = Delay.of(self.builder[made].type, steps)
            delay = Delay(steps, plain.kind, plain.axes, plain.shape, (min(low, 0), max(high, 0)))
            made = self.builder.add(delay, [made], loc, f"{name}.late_{steps}")
        return made

    def _together(self, parts: list[str]) -> str:
        if len(parts) == 1:
            return parts[0]
        return self.builder.add(Sum(), parts, (self.layer.loc,), f"{self.layer.name}.sum")

    def _groups(self) -> int:
        return (
            int(self.layer.whole("groups").reshape(-1)[0]) if "groups" in self.layer.fields else 1
        )

    def _weight(self, axes: int) -> Ints:
        weight = self.layer.whole("weight")
        return weight.reshape(weight.shape[:axes])

    def _held(self, weight: Ints) -> Ints:
        """Weights that synapses hold. Raises Refused for others, which NetX would cut."""
        low, high = int(weight.min()), int(weight.max())
        if low >= -UNSIGNED and high < UNSIGNED and not (low < 0 and high > SIGNED[1]):
            return weight
        told = f"has weights {low:,}..{high:,}"
        why = "a synapse holds -256..254, or 0..255, or -256..0"
        raise Refused(self.layer.wrong(told, why, NO_FORM))

    def _stored(self, what: str, values: Ints, axes: tuple[str, ...]) -> Param:
        return self.builder.constant(f"{self.layer.name}.{what}", narrow(values), axes)
