"""What is wrong with single layers: unknown types, missing numbers, numbers that cannot be."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from snncc.diagnostics import Finding
from snncc.frontends.hdf5.reader import Field
from snncc.frontends.lava_dl.records import NO_FORM, Layer

LARGEST = 1 << 24
"""Of any number; registers of Loihi end there."""
MOST_ELEMENTS = 1 << 26
LARGEST_GEOMETRY = 1 << 12
MOST_DELAY = 62
WHOLE_DECAY = 1 << 12
UNREACHED = 1 << 18
"""Thresholds end here: 17 bits of mantissa, and what slayer writes for none."""


@dataclass(frozen=True)
class Kind:
    """A type of layer: fields that it must have, and may have."""

    needs: tuple[str, ...]
    may: tuple[str, ...] = ()


_GEOMETRY = ("stride", "padding", "dilation", "kernelSize")
KINDS: Mapping[str, Kind] = {
    "input": Kind(("shape",), ("weight", "bias")),
    "flatten": Kind((), ("shape",)),
    "dense": Kind(("weight",), ("shape", "bias", "delay", "inFeatures", "outFeatures")),
    "dense_rec": Kind(
        ("weight", "weight_rec"), ("shape", "bias", "delay", "inFeatures", "outFeatures")
    ),
    "conv": Kind(
        ("weight",), ("shape", "bias", "delay", *_GEOMETRY, "groups", "inChannels", "outChannels")
    ),
    "pool": Kind(("weight",), ("shape", "delay", *_GEOMETRY)),
}
LATER: Mapping[str, str] = {
    "average": "an average over time and neurons; the program's own readout adds up spikes",
    "concat": "several layers side by side, which a file does not name",
    "convT": "transposed convolutions",
    "unpool": "transposed pooling",
    "dense_comp": "complex weights, of resonate-and-fire neurons",
}
"""Types of layers without a form, as what they are."""
LIF = ("iDecay", "vDecay", "vThMant")
TRAINING = ("theta", "tauRho", "scaleRho")
"""What only training reads."""
USUAL = ("wgtExp", "refDelay", "gradedSpike", "messageBits", "weight_exp")
OF_NEURON = (*LIF, *TRAINING, *USUAL, "type")
LEAST = {"stride": 1, "padding": 0, "dilation": 1, "kernelSize": 1, "groups": 1}
GRADED = "messages of several bits times weights are products of two numbers: level none"


def layer_findings(layer: Layer) -> Iterator[Finding]:
    """Everything that is wrong with a layer by itself."""
    if layer.kind in LATER:
        yield layer.wrong("has no form", f"it is {LATER[layer.kind]}", NO_FORM)
        return
    kind = KINDS.get(layer.kind)
    if kind is None:
        known = ", ".join((*KINDS, *LATER))
        yield layer.wrong("is of a type that lava-dl does not have", f"there are {known}")
        return
    known_fields = (*kind.needs, *kind.may)
    if "weight/imag" in layer.fields:
        yield layer.wrong("has no form", f"it has {LATER['dense_comp']}", NO_FORM)
        return
    if beyond := [name for name in layer.fields if name not in known_fields]:
        why = "what it stands for is not known, so it cannot be left out"
        yield layer.wrong(f"has {', '.join(beyond)}", why)
    if missing := [name for name in kind.needs if name not in layer.fields]:
        yield layer.wrong(f"has no {', '.join(missing)}")
    found = [each for name in layer.fields for each in _of_numbers(layer, name)]
    yield from found
    if not (beyond or missing or found):
        yield from _of_shapes(layer)
    if layer.neuron is not None:
        yield from _of_neuron(layer, layer.neuron)


def _of_numbers(layer: Layer, name: str) -> Iterator[Finding]:
    value = layer.fields[name]
    if isinstance(value, str) or value.size == 0 or value.ndim > 5:
        shape = "a text" if isinstance(value, str) else f"a shape of {list(value.shape)}"
        yield layer.wrong(f"has {shape} as its {name}", "it needs numbers")
        return
    real = value.astype(np.float64)
    if not np.isfinite(real).all() or (np.abs(real) > LARGEST).any():
        yield layer.wrong(f"has a {name} that is not finite, or beyond {LARGEST:,}")
    elif (real != np.rint(real)).any() and (layer.kind, name) not in (
        ("input", "weight"),
        ("input", "bias"),
    ):
        worst = real.reshape(-1)[np.flatnonzero(real.reshape(-1) != np.rint(real.reshape(-1)))[0]]
        why = f"a file of lava-dl holds the chip's integers; the first other number is {worst:g}"
        yield layer.wrong(f"has a {name} that is not whole", why)
    elif name in LEAST and not LEAST[name] <= real.min() <= real.max() <= LARGEST_GEOMETRY:
        yield layer.wrong(f"has a {name} of {real.reshape(-1)[:4].tolist()}")
    elif name == "delay" and not 0 <= real.min() <= real.max() <= MOST_DELAY:
        why = f"a synapse waits 0 to {MOST_DELAY} steps"
        yield layer.wrong(f"has delays of {real.min():g} to {real.max():g} steps", why)
    elif name == "shape" and (real.min() < 1 or math.prod(map(int, real.flat)) > MOST_ELEMENTS):
        yield layer.wrong(f"has a shape of {real.tolist()}")


def _of_shapes(layer: Layer) -> Iterator[Finding]:
    """Whether fields fit each other."""
    for name in (*_GEOMETRY, "groups"):
        if name in layer.fields and layer.numbers(name).size not in (
            (1,) if name == "groups" else (1, 2)
        ):
            yield layer.wrong(f"has a {name} of {layer.numbers(name).tolist()}")
    if layer.kind in ("flatten", "input"):
        if layer.kind == "input" and layer.numbers("shape").size > 3:
            yield layer.wrong("has more than three axes")
        return
    weight = layer.numbers("weight").shape
    axes = "[out, in]" if layer.kind.startswith("dense") else "[out, in, rows, columns]"
    wanted = (1, 2) if layer.kind.startswith("dense") else (4, 5)
    if len(weight) not in wanted or (len(weight) == 5 and weight[4] != 1):
        yield layer.wrong(f"has a weight of shape {list(weight)}", f"it is {axes}")
        return
    if len(weight) > 2 and max(weight[2:4]) > LARGEST_GEOMETRY:
        yield layer.wrong(f"has a kernel of {list(weight[2:4])}")
    if layer.kind == "pool" and weight[:2] != (1, 1):
        yield layer.wrong(f"has a weight of shape {list(weight)}", "it is [1, 1, rows, columns]")
    if len(weight) == 1 and "shape" not in layer.fields:
        yield layer.wrong("has a weight of one axis and no shape")


def _of_neuron(layer: Layer, held: Mapping[str, Field]) -> Iterator[Finding]:
    kind = held["type"]
    if kind == "SDNN" or "sigma_output" in held:
        yield layer.wrong("has sigma-delta neurons", GRADED, NO_FORM)
        return
    if kind not in ("LOIHI", "CUBA"):
        why = "LOIHI and CUBA neurons have a form"
        yield layer.wrong(f"has neurons of type {str(kind)[:40]!r}", why, NO_FORM)
        return
    if beyond := [name for name in held if name not in OF_NEURON]:
        why = "what it stands for is not known, so it cannot be left out"
        yield layer.wrong(f"has neurons with {', '.join(beyond)}", why)
    if missing := [name for name in LIF if name not in held]:
        yield layer.wrong(f"has neurons without {', '.join(missing)}")
    for name in (*LIF, *USUAL):
        if name in held and (problem := _whole_number(held[name])):
            yield layer.wrong(f"has neurons with a {name} that is {problem}")
            return
    if beyond or missing:
        return
    for name, least, most in (
        ("iDecay", 0, WHOLE_DECAY),
        ("vDecay", 0, WHOLE_DECAY),
        ("vThMant", 0, UNREACHED),
        ("wgtExp", -6, 7),
    ):
        if not least <= (value := layer.of_neuron(name)) <= most:
            yield layer.wrong(f"has neurons with {name} {value:,}", f"{least} to {most:,} are")
    if layer.of_neuron("refDelay", 1) != 1:
        yield layer.wrong("has neurons with a refractory time", "only refDelay 1 is run", NO_FORM)
    if layer.of_neuron("gradedSpike") or layer.of_neuron("messageBits"):
        yield layer.wrong("sends graded spikes", GRADED, NO_FORM)
    if layer.of_neuron("weight_exp"):
        yield layer.wrong("has a norm with an exponent of its own", code=NO_FORM)


def _whole_number(value: Field) -> str:
    """What keeps a field from being one whole number, or ""."""
    if isinstance(value, str) or value.size != 1:
        return "not one number"
    real = float(value.reshape(-1)[0])
    return "" if math.isfinite(real) and real == round(real) else f"{real:g}, and not whole"
