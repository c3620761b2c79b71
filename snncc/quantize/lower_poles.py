"""A pole of a state space in integers: a neuron that never fires and turns two of its states."""

import math
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import numpy as np

from snncc.ir import Array, Node, Param
from snncc.ir.arrays import narrow
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neurons import READ, STATE, Neuron
from snncc.passes.named import Named
from snncc.passes.neuron_constants import stacked
from snncc.passes.pipeline import Note
from snncc.quantize.neuron_scales import ONE, ZERO, RealNeuron
from snncc.quantize.poles import choose_poles, few_digits
from snncc.quantize.whole_levels import nearest

if TYPE_CHECKING:
    from snncc.quantize.lower_to_integers import Lowering

FORM_TERMS = 4
"""Signed powers of two of what is read of a pole."""
FORM_BITS = 14
FINE_BITS = 10
"""Rounding may move a state by this small a part of its current's reach."""


OF_POLES = {"leak", "gain", "reads", "form", "bias", "start"}
"""Fields of a neuron that a pole has; all others are as in a neuron that has none of them."""


def is_pole(op: Neuron, neuron: RealNeuron) -> bool:
    """Whether states 1 and 2 are turned, 0 holds what 1 was, and 1 alone takes the current in."""
    leak, reads = neuron.leak, neuron.reads
    others = (field for field in fields(op) if field.name not in OF_POLES)
    if len(leak) != 3 or any(getattr(op, each.name) != each.default for each in others):
        return False
    alike = _same(leak[1], leak[2]) and _same(reads[1][2], Named.scalar(-1.0) * reads[2][0])
    zeros = (leak[0], reads[0][2], reads[1][0], reads[2][1], *neuron.gain[::2], neuron.form[0])
    silent = all(each.is_zero() for each in (*zeros, *neuron.start, *neuron.bias[::2]))
    return alike and silent and _same(reads[0][1], ONE) and _same(neuron.gain[1], ONE)


def lower_pole(
    lowering: "Lowering", node: Node, op: Neuron, neuron: RealNeuron, source: str
) -> str:
    """The integer neuron; what it gives is in the unit of its current, and is not rounded.

    Args:
        lowering: the pass at work.
        node: of the old graph.
        op: its neuron, see `is_pole`.
        neuron: its constants, as the model has them.
        source: the integer current.

    Raises:
        TooWide: it does not fit into 62 bits.
    """
    axes = tuple(n for n in node.type.names if n in neuron.leak[1].axes + neuron.reads[2][0].axes)
    real, turn = np.broadcast_arrays(neuron.leak[1].over(axes), neuron.reads[2][0].over(axes))
    poles = choose_poles((real + 1j * turn).reshape(-1), lowering.rewriter.old.steps)
    p, q = (Named(axes, each.reshape(real.shape).astype(float)) for each in (poles.p, poles.q))
    new, places = lowering.rewriter.new, poles.places
    current = new[source].type
    reach = max(map(abs, current.range or (0, 0)))
    slowest = float(np.abs(poles.p + 1j * poles.q).max()) * 2.0**-places
    noise = math.sqrt(0.5) / (1.0 - slowest)
    fine = max(0, math.ceil(math.log2(noise)) + FINE_BITS - reach.bit_length())
    form, form_places = _form(neuron)
    unit = lowering.units.unit[node.inputs[0]] * Named.scalar(
        2.0 ** -(lowering.fraction[source] + fine)
    )
    bias = nearest(neuron.bias[1] / unit)
    gain = Named.scalar(2.0 ** (places + fine))
    back = Named.scalar(-1.0) * q
    rows = [[ZERO, ONE, ZERO], [ZERO, ZERO, back], [q, ZERO, ZERO]]

    def store(what: str, value: Named, *lead: str) -> Param:
        order = (*lead, *(n for n in node.type.names if n in value.axes))
        own = dict(zip(value.axes, value.array.shape, strict=True))
        whole: Array = np.broadcast_to(value.over(order), [own.get(n, 3) for n in order])
        stored = narrow(whole.astype(np.int64))
        return new.constant(f"{node.name}.{what}", stored, order)

    half = 1 << (places - 1)
    made = IntegerNeuron(
        leak=store("leak", stacked([ZERO, p, p], STATE), STATE),
        gain=store("gain", stacked([ZERO, gain, ZERO], STATE), STATE),
        form=store("form", stacked([ZERO, *form], STATE), STATE),
        bias=None if bias.is_zero() else store("bias", stacked([ZERO, bias, ZERO], STATE), STATE),
        reads=store("reads", stacked([stacked(row, READ) for row in rows], STATE), STATE, READ),
        shift=(0, places, places),
        carry=(0, half, half),
        states_within=((0, 0),) * 3,
    )
    states, given = made.within(current, new.context)
    whole = replace(made, states_within=states, membrane=given)
    result = lowering.rewriter.emit(node, whole, source)
    lowering.lossless(node, result, lowering.fraction[source] + fine + form_places)
    worst = float(poles.error.max())
    text = (
        f"poles of {int(poles.terms.max())} signed powers of two and {places} bits: responses over "
        f"{lowering.rewriter.old.steps} steps are off by at most {worst:.2%}"
    )
    lowering.notes.append(Note(node.name, True, text, inexact=True))
    return result


def _form(neuron: RealNeuron) -> tuple[list[Named], int]:
    """What is read of states 1 and 2, as a few signed powers of two, and bits behind the point."""
    largest = max(float(np.abs(each.array).max()) for each in neuron.form)
    places = 0 if largest == 0.0 else max(0, FORM_BITS - math.floor(math.log2(largest)))
    return [
        Named(each.axes, few_digits(each.array, FORM_TERMS, places).astype(float))
        for each in neuron.form[1:]
    ], places


def _same(one: Named, other: Named) -> bool:
    return (one + Named.scalar(-1.0) * other).is_zero()
