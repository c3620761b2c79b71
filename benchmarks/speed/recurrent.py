"""Networks in time: layers of neurons that read their own spikes, or not, beside loops in PyTorch.

Neurons as snnTorch's are by default: a spike where the membrane is above the threshold, which is
taken off at the next step, after the leak. (With `reset_delay=False` snnTorch works out the last
reset once more from a membrane that was reduced already: where that is still above the threshold,
the next spike is decided without what was taken off. That is another neuron; the frontend refuses
it.) The weights are whole numbers, so what layers get is the same in every contender. A leak of 1/2
decides the same rounded or not; behind a synaptic current we round both states to 2^-FRACTION. So
`Plain` can round as we do, and must then give the same bits.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from snncc.ir import Graph, GraphBuilder, Param, verify
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.integer import IntegerReadout
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neurons import READ, STATE
from snncc.ir.dialects.projections import Contract, Frames, Sum
from snncc.ir.op import Context

SIZES = (700, 256, 256, 20)
STEPS, ACTIVITY, THRESHOLD, FRACTION = 100, 0.05, 150, 4
LEAK_SHIFT = 1
"""Of membranes: half of one is left a step."""
SYNAPSE_SHIFT = 2
"""Of synaptic currents: a quarter is lost a step."""


@dataclass(frozen=True)
class Weights:
    """Whole numbers: into each layer, and where layers read their own spikes, back into it."""

    into: list[NDArray[np.int8]]
    back: list[NDArray[np.int8]]


def weights(recurrent: bool, seed: int = 0) -> Weights:
    rng = np.random.default_rng(seed)
    pairs = list(itertools.pairwise(SIZES))
    into = [rng.integers(-12, 16, (b, a)).astype(np.int8) for a, b in pairs]
    back = [rng.integers(-12, 12, (b, b)).astype(np.int8) for _, b in pairs[:-1]]
    return Weights(into, back if recurrent else [])


def events(images: int, seed: int = 1) -> NDArray[np.uint8]:
    """Frames of bits, [images, t, inputs]."""
    rng = np.random.default_rng(seed)
    return (rng.random((images, STEPS, SIZES[0])) < ACTIVITY).astype(np.uint8)


def program(given: Weights, synaptic: bool) -> Graph:
    """As integers: neurons with one state, or behind a synaptic current."""
    b = GraphBuilder("integer", STEPS, "exact")
    last = b.add(Frames(("t", "l"), (STEPS, SIZES[0]), domain=(0, 1)), name="frames")
    axis = "l"
    for layer, matrix in enumerate(given.into[:-1]):
        own, size = f"k{layer}", len(matrix)
        w = b.constant(f"into{layer}", matrix, (own, axis))
        current = b.add(Contract(w, (axis,), (own,)), [last])
        past = ""
        if given.back:
            past = b.add(Delay(1, "spike", (own,), (size,), (0, 1)), name=f"past{layer}")
            r = b.constant(f"back{layer}", given.back[layer], (own, own))
            current = b.add(Sum(), [current, b.add(Contract(r, (own,), (own,)), [past])])
        last = b.add(neurons(b, current, synaptic), [current], name=f"spikes{layer}")
        if past:
            b.close(past, last)
        axis = own
    head = b.constant("head", given.into[-1], ("class", axis))
    answer = b.add(Contract(head, (axis,), ("class",)), [last])
    graph = b.finish(b.add(IntegerReadout(), [answer]))
    verify(graph)
    return graph


def neurons(b: GraphBuilder, current: str, synaptic: bool) -> IntegerNeuron:
    """Leaky, or Synaptic: states in 2^-FRACTION of a weight."""

    def table(what: str, values: Any, *axes: str) -> Param:
        return b.constant(what, np.array(values, np.int64), axes)

    level = THRESHOLD << FRACTION
    unit = 1 << FRACTION
    kept = (1 << SYNAPSE_SHIFT) - 1
    if synaptic:  # a current that leaks, and a membrane that adds it up
        one = 1 << LEAK_SHIFT
        op = IntegerNeuron(
            leak=table("leak", [kept, 1], STATE),
            gain=table("gain", [unit << SYNAPSE_SHIFT, 0], STATE),
            form=table("form", [0, 1], STATE),
            threshold=table("level", 2 * level),
            compare="gt",
            reads=table("reads", [[0, 0], [one, 0]], STATE, READ),
            late=table("late", [0, 2 * level], STATE),
            shift=(SYNAPSE_SHIFT, LEAK_SHIFT),
            states_within=((0, 0), (0, 0)),
        )
    else:
        op = IntegerNeuron(
            leak=table("leak", [1], STATE),
            gain=table("gain", [unit << LEAK_SHIFT], STATE),
            form=table("form", [1], STATE),
            threshold=table("level", level),
            compare="gt",
            late=table("late", [level], STATE),
            shift=(LEAK_SHIFT,),
            states_within=((0, 0),),
        )
    context = Context(b.context.steps, b.context.constants)
    states, form = op.within(b[current].type, context)
    return replace(op, states_within=states, membrane=form)


class Plain(nn.Module):
    """A loop over time in PyTorch, with as few operations as the neurons need.

    Args:
        given: weights.
        synaptic: whether neurons have a synaptic current.
        rounded: whether states are rounded as those of `program`.
    """

    def __init__(self, given: Weights, synaptic: bool, rounded: bool = False) -> None:
        super().__init__()
        self.into = nn.ModuleList(linear(matrix) for matrix in given.into)
        self.back = nn.ModuleList(linear(matrix) for matrix in given.back)
        self.synaptic, self.rounded = synaptic, rounded
        self.level = float(2 * THRESHOLD if synaptic else THRESHOLD)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        layers = len(self.into) - 1
        zeros = [torch.zeros(x.shape[1], size) for size in SIZES[1:-1]]
        membranes, currents, spikes = [*zeros], [*zeros], [*zeros]
        total = torch.zeros(x.shape[1], SIZES[-1])
        for now in x:
            for i in range(layers):
                drive = self.into[i](now)
                if self.back:
                    drive = drive + self.back[i](spikes[i])
                if self.synaptic:
                    drive = currents[i] = self._state(0.75 * currents[i] + drive)
                level = self._state(0.5 * membranes[i] + drive) - self.level * spikes[i]
                membranes[i] = level
                now = spikes[i] = (level > self.level).float()
            total = total + self.into[-1](now)
        return total

    def _state(self, value: torch.Tensor) -> torch.Tensor:
        if not self.rounded:
            return value
        return torch.ceil(value * (1 << FRACTION)) / (1 << FRACTION)


class SnnTorch(nn.Module):
    """The same with snnTorch's neurons, called step by step as its tutorials do."""

    def __init__(self, given: Weights, synaptic: bool) -> None:
        super().__init__()
        import snntorch

        self.into = nn.ModuleList(linear(matrix) for matrix in given.into)
        self.back = nn.ModuleList(linear(matrix) for matrix in given.back)
        self.synaptic = synaptic
        self.neurons = nn.ModuleList(
            snntorch.Synaptic(alpha=0.75, beta=0.5, threshold=2.0 * THRESHOLD)
            if synaptic
            else snntorch.Leaky(beta=0.5, threshold=float(THRESHOLD))
            for _ in given.into[:-1]
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        zeros = [torch.zeros(x.shape[1], size) for size in SIZES[1:-1]]
        states = [(zero, zero) if self.synaptic else (zero,) for zero in zeros]
        spikes = [*zeros]
        total = torch.zeros(x.shape[1], SIZES[-1])
        for now in x:
            for i, neuron in enumerate(self.neurons):
                drive = self.into[i](now)
                if self.back:
                    drive = drive + self.back[i](spikes[i])
                now, *left = neuron(drive, *states[i])
                states[i], spikes[i] = tuple(left), now
            total = total + self.into[-1](now)
        return total


def linear(matrix: NDArray[np.int8]) -> nn.Linear:
    made = nn.Linear(matrix.shape[1], matrix.shape[0], bias=False)
    made.weight.data = torch.tensor(matrix, dtype=torch.float32)
    return made


def answered(net: nn.Module, frames: NDArray[np.uint8]) -> Callable[[], NDArray[Any]]:
    """A run of a network in PyTorch, conversion of its input apart."""
    x = torch.tensor(frames, dtype=torch.float32).transpose(0, 1).contiguous()

    def answer() -> NDArray[Any]:
        with torch.inference_mode():
            return net(x).numpy()

    return answer
