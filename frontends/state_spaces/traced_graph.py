"""A spiking state space model as a traced graph with one frame a step.

A norm before a layer is an offset before it and a scale behind: SSM(a r + e) = a SSM(r + e / a). So
the scale ends up in thresholds, and poles that are rounded still see what the norm has centred.
Where a is next to nothing the constant e SSM(1), known at every step, stands behind the layer.
"""

from dataclasses import dataclass

import numpy as np

from snncc.frontends.state_spaces.structure import Block, Network, Real, StateSpace
from snncc.ir import TIME, Graph, GraphBuilder, Loc, Param
from snncc.ir.dialects import traced
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.neurons import State, neuron

CHANNEL, INPUT, CLASS = "c", "f", "k"
MOST_OFFSET = 1e6
"""Of a norm, in units of the stream, before its layer."""
GATE_STEPS = 8
"""Steps of the staircase that stands for a sigmoid."""


def staircase_levels() -> tuple[float, ...]:
    """Where the staircase rises by 1 / GATE_STEPS: where the sigmoid is halfway between steps."""
    middles = (np.arange(GATE_STEPS) + 0.5) / GATE_STEPS
    return tuple(float(each) for each in np.log(middles / (1.0 - middles)))


def traced_graph(network: Network, steps: int) -> Graph:
    """The graph, for samples [t, input]."""
    return _Work(GraphBuilder("traced", steps), steps).network(network)


@dataclass(frozen=True)
class _Work:
    builder: GraphBuilder
    steps: int

    def network(self, network: Network) -> Graph:
        weight, bias = network.encoder
        axes, shape = (TIME, INPUT), (self.steps, weight.shape[1])
        pixels = self.builder.add(traced.Input(axes, shape, frames=True), name="input")
        stream = self.linear(pixels, weight, bias, "encoder", INPUT, CHANNEL)
        for block in network.blocks:
            stream = self.block(stream, block)
        if network.last is not None:
            stream = self.lif(stream, network.last, 1.0, "last")
        loc = (Loc("decoder"),)
        mean = self.builder.add(traced.Mean((TIME,)), [stream], loc, "mean")
        answer = self.linear(mean, *network.decoder, "decoder", CHANNEL, CLASS)
        return self.builder.finish(answer)

    def block(self, stream: str, block: Block) -> str:
        ssm, path = block.ssm, f"{block.path}.ssm"
        norm = (Loc(f"{block.path}.norm"),)
        size = np.abs(block.scale)
        centred = (size > 0.0) & (np.abs(block.offset) <= MOST_OFFSET * size)
        before = np.where(centred, block.offset, 0.0) / np.where(centred, block.scale, 1.0)
        source = stream
        if before.any():
            moved = traced.Scale(offset=self.param(f"{path}.before", before, (CHANNEL,)))
            source = self.builder.add(moved, [stream], norm, f"{block.path}.norm")
        parts = self.register(source, ssm, path)
        if ssm.poles is not None:
            parts = [self.scaled(source, ssm.d, f"{path}.D", path)] if ssm.d.any() else []
            parts += [self.pole(source, ssm, n, path) for n in range(ssm.c.shape[1])]
        total = self.builder.add(traced.Add(), parts, (Loc(path),), path)
        scale = self.param(f"{path}.scale", block.scale / block.level, (CHANNEL,))
        offset = None
        if not centred.all():
            rest = np.where(centred, 0.0, block.offset) / block.level
            constant = rest * ssm.kernel(self.steps).cumsum(axis=0)
            offset = self.param(f"{path}.offset", constant, (TIME, CHANNEL))
        current = self.builder.add(traced.Scale(scale, offset), [total], norm, f"{path}.norm")
        spikes = self.lif(current, block.decay, 1.0, f"{block.path}.neuron")
        return self.gated(stream, spikes, block)

    def register(self, stream: str, ssm: StateSpace, path: str) -> list[str]:
        """What was read 0, 1, 2, ... steps ago, each times its tap; nothing for poles."""
        if ssm.poles is not None:
            return []
        found, late = [self.scaled(stream, ssm.d, f"{path}.tap", path)], stream
        for taps in ssm.c.T:
            held = Delay.of(self.builder[late].type, 1)
            late = self.builder.add(held, [late], (Loc(path),), f"{path}.late")
            if taps.any():
                found.append(self.scaled(late, taps, f"{path}.tap", path))
        return found

    def pole(self, stream: str, ssm: StateSpace, n: int, path: str) -> str:
        """The states of one pole a channel, and Re(C x) as what they give."""
        poles, c = np.asarray(ssm.poles)[:, n], ssm.c[:, n]
        stem = f"{path}.pole"

        def by_channel(what: str, values: Real) -> Param:
            return self.param(f"{stem}.{what}", np.asarray(values, np.float64), (CHANNEL,))

        if np.isrealobj(poles):
            states = [State(by_channel("leak", poles), gain=1.0)]
            op = neuron(self.builder, stem, states, {0: by_channel("form", c)}, None)
        else:
            turn, back = by_channel("turn", poles.imag), by_channel("back", -poles.imag)
            leak = by_channel("leak", poles.real)
            states = [
                State(0.0, reads={1: 1.0}),
                State(leak, gain=1.0, reads={2: back}),
                State(leak, reads={0: turn}),
            ]
            form = {1: by_channel("real", c.real), 2: by_channel("imag", -c.imag)}
            op = neuron(self.builder, stem, states, form, None)
        return self.builder.add(op, [stream], (Loc(path),), stem)

    def gated(self, stream: str, spikes: str, block: Block) -> str:
        """The first half of the linear map passes where the second half is large."""
        path, width = f"{block.path}.linear", block.weight.shape[1]
        levels = (0.0,) if block.gate == "spike" else staircase_levels()
        weight, bias = block.weight[:width] / len(levels), block.bias[:width] / len(levels)
        value = self.linear(spikes, weight, bias, path, CHANNEL, CHANNEL)
        weight, bias = block.weight[width:], block.bias[width:]
        chosen = self.linear(spikes, weight, bias, path, CHANNEL, CHANNEL)
        loc = (Loc(block.path),)
        passed = [stream]
        for level in levels:
            gate = self.lif(chosen, 0.0, level, f"{block.path}.gate")
            passed.append(self.builder.add(Gate(), [gate, value], loc, f"{block.path}.gated"))
        return self.builder.add(traced.Add(), passed, loc, block.path)

    def linear(self, source: str, weight: Real, bias: Real, path: str, into: str, out: str) -> str:
        stored = self.param(f"{path}.weight", weight, (out, into))
        more = self.param(f"{path}.bias", bias, (out,)) if bias.any() else None
        op = traced.Linear(stored, (into,), (out,), more)
        return self.builder.add(op, [source], (Loc(path, call="Linear"),), path)

    def scaled(self, source: str, factor: Real, stem: str, path: str) -> str:
        scale = self.param(stem, factor, (CHANNEL,))
        return self.builder.add(traced.Scale(scale), [source], (Loc(path),), stem)

    def lif(self, source: str, decay: float, threshold: float, path: str) -> str:
        """Neurons without input decay; a decay of 0 is a comparison that remembers nothing."""
        op = traced.Lif(
            tau=None if decay == 1.0 else 1.0 / (1.0 - decay),
            v_threshold=threshold,
            decay_input=False,
        )
        return self.builder.add(op, [source], (Loc(path, call="LIF"),), path)

    def param(self, stem: str, values: Real, axes: tuple[str, ...]) -> Param:
        return self.builder.constant(stem, np.asarray(values, np.float64), axes)
