"""Delay nodes: y(t) = x(t - delay), in whole steps."""

import numpy as np

from snncc.frontends.nir.layers import by_neuron
from snncc.frontends.nir.records import NO_FORM, OPEN, NirNode, Real, Refused
from snncc.frontends.nir.values import Naming, Steps, Value
from snncc.ir import Kind, Op
from snncc.ir.dialects import traced
from snncc.ir.dialects.delays import Delay

NEAR = 1e-3
"""How far from a whole number of steps a delay may be, which writers compute in 32 bits."""
MOST_STEPS = 1 << 12
IMAGE = "input"
"""The step that stands for the Input."""


def delayed(steps: Steps, node: NirNode, x: Value, dt: float | None) -> Value:
    """What a node reads, as it was some steps ago; 0 before the first step.

    Elements that wait differently are delayed apart, and added up where the others are 0.

    Raises:
        Refused: a delay is no whole number of steps, or has too many.
    """
    seconds = by_neuron(steps, node, x, node.real("delay"))
    exact = seconds / (1.0 if dt is None else dt)
    waits = np.rint(exact)
    if (np.abs(exact - waits) > NEAR).any():
        off = float(exact.reshape(-1)[int(np.abs(exact - waits).argmax())])
        told = f"{node.title} waits for {off:.6g} steps of {1.0 if dt is None else dt:g} s"
        why = "a program goes in whole steps"
        raise Refused(node.finding(OPEN, told, why, "give the --dt that the network was made for"))
    if x.step in steps.pictures and waits.any():
        told = f"{node.title} delays the Input"
        why = "what enters is read by linear maps and convolutions alone, at its own step"
        raise Refused(node.finding(NO_FORM, told, why, "delay what the first map makes of it"))
    if waits.max() > MOST_STEPS:
        told = f"{node.title} waits for {int(waits.max()):,} steps"
        raise Refused(node.finding(NO_FORM, told, f"{MOST_STEPS:,} are possible"))
    each = [int(wait) for wait in np.unique(waits)]
    if len(each) == 1:
        return _late(steps, node, x, each[0])
    parts = tuple(
        _only(steps, node, _late(steps, node, x, wait), (waits == wait).astype(np.float64))
        for wait in each
    )
    return steps.add(f"{node.name}.sum", parts, x.dims, lambda _: traced.Add(), node.loc)


def _late(steps: Steps, node: NirNode, x: Value, wait: int) -> Value:
    if wait == 0:
        return x

    def build(n: Naming) -> Op:
        return Delay(wait, Kind.REAL.value, n.axes(*x.dims), n.shape(*x.dims))

    return steps.add(node.name, (x,), x.dims, build, node.loc)


def _only(steps: Steps, node: NirNode, x: Value, kept: Real) -> Value:
    """Some elements of a value, 0 in place of the others."""

    def build(n: Naming) -> Op:
        return traced.Scale(n.compact("kept", kept, *x.dims))

    return steps.add(f"{node.name}.some", (x,), x.dims, build, node.loc)
