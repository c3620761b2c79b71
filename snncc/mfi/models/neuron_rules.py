"""What a general neuron needs, and what its values can be, in the traced and spiking dialects."""

import numpy as np

from snncc.ir import Array, Op
from snncc.ir.dialects.neurons import Neuron
from snncc.mfi.ladder import Level
from snncc.mfi.models.constants import GAIN_BITS, powers_of_two
from snncc.mfi.models.domains import ANY_CURRENT, BIT, Domain, integers
from snncc.mfi.models.structure import Judged, Read
from snncc.mfi.rules import Need, digits_of


def domain(at: Read, op: Op) -> Domain:
    """Bits where it fires; a readout of membranes is a sum of what it has read."""
    if not isinstance(op, Neuron) or not op.fires:
        return ANY_CURRENT
    return BIT if op.gives_bits else integers(*op.counts)


def need(at: Judged, op: Neuron) -> Need:
    """A shift for every coefficient that is a power of two; else a few shifted additions."""
    fires = ("compare", "select") if op.threshold is not None else ()
    clamps = ("compare", "select") if op.has_floor or op.has_low or op.has_high else ()
    basic = ("shift", "add", *dict.fromkeys((*fires, *clamps)))
    odd = {
        what: found
        for what, found in _coefficients(at, op).items()
        if not all(powers_of_two(np.abs(each)) for each in found.flat)
    }
    if not odd:
        reason = "every leak and coupling of its states is a power of two or 0"
        return Need(Level.STRICT, basic, reason=reason)
    adders = max(int(digits_of(np.round(each * 2**GAIN_BITS)).max()) - 1 for each in odd.values())
    what, found = next(iter(odd.items()))
    value = next(float(each) for each in found.flat if not powers_of_two(np.abs(each)))
    return Need(
        Level.SHIFT_ADD,
        basic,
        adders=max(adders, 1),
        reason=f"its {what} {value:.6g} is no power of two",
        help=nearest_exact(value) if what == "leak" else "a power of two makes it a shift",
    )


def _coefficients(at: Judged, op: Neuron) -> dict[str, Array]:
    """What meets a state at every step, by name."""
    named = {"leak": op.leak, "coupling": op.reads, "form": op.form, "reset": op.keep}
    named |= {"reset by a state": op.takes, "readout of membranes": op.read}
    constants = at.structure.graph.constants
    return {
        what: np.asarray(constants[param.name])
        for what, param in named.items()
        if param is not None
    }


def nearest_exact(leak: float) -> str:
    """What to train with in place of a leak that integers do not have."""
    if not 0.0 < leak < 1.0:
        return "a leak of 1/2, 1/4 or 1 - 2^-k is exact"
    k = max(1, round(-np.log2(min(leak, 1.0 - leak))))
    near = 2.0**-k if leak < 0.5 else 1.0 - 2.0**-k
    one = "one shift" if near <= 0.5 else "a shift and a subtraction"
    return f"the nearest exact leak is {near:g}, {one}; 1/2 and 1/4 are one shift"
