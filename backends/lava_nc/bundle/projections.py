"""Images and projections: where currents come from.

A projection sends what it summed one step ago, as Lava's Dense does: it costs one step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from arithmetic import PIXEL_BITS, Axes, Ints, Linear, at_step, pixel_planes, project_planes
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from window import Window, WindowedModel, port_shape


class PixelPlanes(AbstractProcess):
    """The images as eight binary planes, lowest bit first, the same at every step of a window.

    Args:
        name: for messages.
        window: when which image is sent.
        images: uint8 [samples, *axes].
        axes: of one image.
    """

    def __init__(self, *, name: str, window: Window, images: np.ndarray, axes: Axes) -> None:
        super().__init__(name=name, window=window, arrival=0, images=images)
        self.s_out = OutPort(shape=(PIXEL_BITS, *port_shape(axes)))


@implements(proc=PixelPlanes, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyPixelPlanesModel(WindowedModel):
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=1)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.images: np.ndarray = proc_params["images"]

    def run_spk(self) -> None:
        now = self.now()
        planes = np.zeros(self.s_out.shape, np.int64)
        if now is not None:
            planes = pixel_planes(self.images[now[0]]).reshape(self.s_out.shape)
        self.s_out.send(planes)


class HostCurrent(AbstractProcess):
    """Currents that the host computes from the images: a bias that holds for one sample.

    Args:
        name: module path of the projection that the host carries out.
        window: when which sample is sent.
        images: uint8 [samples, *linear.source].
        weight, linear: the projection.
    """

    def __init__(
        self, *, name: str, window: Window, images: np.ndarray, weight: Ints, linear: Linear
    ) -> None:
        steps = range(window.steps if linear.by_step(weight) else 1)
        wide = weight.astype(np.int64)
        currents = np.array(
            [[project_planes(linear, wide, pixel_planes(x), t) for t in steps] for x in images]
        )
        super().__init__(name=name, window=window, arrival=0, currents=currents)
        self.a_out = OutPort(shape=port_shape(linear.result))


@implements(proc=HostCurrent, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyHostCurrentModel(WindowedModel):
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.currents: np.ndarray = proc_params["currents"]

    def run_spk(self) -> None:
        now = self.now()
        current = np.zeros(self.a_out.shape, np.int64)
        if now is not None:
            current = at_step(self.currents[now[0]], now[1]).reshape(self.a_out.shape)
        self.a_out.send(current)


class Projection(AbstractProcess):
    """Spikes in, the current that they make one step later out.

    Args:
        name: module path in the model.
        window: when which sample arrives.
        arrival: step at which the first sample's first spikes come in.
        weight: integers.
        linear: what the weights connect.
        planes: whether the eight bit planes of an image come in.
    """

    def __init__(
        self,
        *,
        name: str,
        window: Window,
        arrival: int,
        weight: Ints,
        linear: Linear,
        planes: bool = False,
    ) -> None:
        super().__init__(
            name=name,
            window=window,
            arrival=arrival,
            linear=linear,
            planes=planes,
            weight_shape=weight.shape,
        )
        lead = (PIXEL_BITS,) if planes else ()
        self.s_in = InPort(shape=(*lead, *port_shape(linear.source)))
        self.a_out = OutPort(shape=port_shape(linear.result))
        self.weight = Var(shape=weight.shape or (1,), init=weight)


@implements(proc=Projection, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyProjectionModel(WindowedModel):
    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int64)
    weight: np.ndarray = LavaPyType(np.ndarray, np.int64)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.linear: Linear = proc_params["linear"]
        self.planes: bool = proc_params["planes"]
        self.weight_shape: tuple[int, ...] = proc_params["weight_shape"]
        self.source = tuple(self.linear.source.values())
        self.summed_up = np.zeros(port_shape(self.linear.result), np.int64)

    def run_spk(self) -> None:
        self.a_out.send(self.summed_up)
        x = self.s_in.recv().astype(np.int64)
        now = self.now()
        t = 0 if now is None else now[1]
        weight = self.weight.reshape(self.weight_shape)
        if self.planes:
            planes = x.reshape(PIXEL_BITS, *self.source)
            current = project_planes(self.linear, weight, planes, t)
        else:
            current = self.linear(weight, x.reshape(self.source), t)
        self.summed_up = current.reshape(self.a_out.shape)
