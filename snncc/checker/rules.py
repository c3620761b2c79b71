"""One function for each op: its result, and what is said about it.

An op without a function is rejected. docs/certificate.md states every rule in words.
"""

import math
from collections.abc import Callable

import numpy as np

from snncc.checker.program_file import Array, Json, demand, whole
from snncc.checker.values import WIDEST, Axes, Interval, Site, Value, bits, digits, ends, exact

LEVELS = ("strict", "shift-add")
Found = tuple[Value, dict[str, Json]]


def says(rule: str, words: str = "", terms: int = 1, **more: Json) -> Json:
    """More than one term, that is, shifted copies of a number to add: one step up the ladder."""
    above = terms > 1
    said = {"rule": f"{rule}-add" if above else rule, "arithmetic": words.split()}
    costs = {"adders": terms - 1 if above else 0, "level": LEVELS[above]}
    return {"before_shift": None, "membrane": None, **said, **costs, **more}


def pixels(site: Site) -> Found:
    encoding = site.fields["encoding"]
    demand(not site.sources and encoding in ("bit-planes", "host"), "this is no image")
    shape = [whole(size) for size in site.fields["shape"]]
    axes = tuple(zip(site.fields["axes"], shape, strict=True))
    return Value("pixel", axes, (0, 255), encoding), says("image")


def contract(site: Site) -> Found:
    """Selects: y[carried, shared, out] = sum of weight[shared, out, into] where the bit is 1."""
    (source,) = site.sources
    shared, out, into, summed = (tuple(site.fields[k]) for k in ("shared", "out", "into", "summed"))
    source = source.timed(site.steps) if "t" in shared else source  # a bank for every step
    axes, weight = site.constant("weight")
    demand(axes == (*shared, *out, *into), "the weight's axes are not shared, out, into")
    gone, kept = (*into, *summed), len(shared) + len(out)
    demand(len({*gone, *shared}) == len(gone) + len(shared), "an axis has two roles")
    sizes = (*weight.shape[: len(shared)], *weight.shape[kept:])
    fits = set(zip((*shared, *into), sizes, strict=True)) <= set(source.axes)
    demand(fits and set(summed) <= set(source.sizes), f"the weight does not fit {source.axes}")
    new = tuple(zip(out, weight.shape[len(shared) : kept], strict=True))
    if len(into) == len(out):
        place = dict(zip(into, new, strict=True))
        result = tuple(place.get(a[0], a) for a in source.axes if a[0] not in summed)
    else:
        result = (*(a for a in source.axes if a[0] not in gone), *new)
    again = math.prod(source.sizes[name] for name in summed)
    return selected(source, result, weight.reshape(*weight.shape[:kept], -1), again)


def convolve(site: Site) -> Found:
    """As `contract`, for each place of a kernel; outside the image all bits are 0."""
    (source,), field, (axes, weight) = site.sources, site.fields, site.constant("weight")
    source = source.timed(site.steps) if axes[0] == "t" else source
    *banks, outputs, inputs, height, width = weight.shape
    demand(banks == ([site.steps] if axes[0] == "t" else []), "a bank for every step is needed")
    channel, place, groups = field["channel"], (field["height"], field["width"]), field["groups"]
    demand(len({*place, channel, "t"}) == 4, "height, width and channel must be three axes")
    demand(inputs * whole(groups, 1) == source.sizes[channel], "channels do not fit")
    demand(outputs % groups == 0, "groups do not fit")
    new: list[tuple[str, int]] = []
    for i, name in enumerate((field["out_height"], field["out_width"])):
        stride, dilation = whole(field["stride"][i], 1), whole(field["dilation"][i], 1)
        room = source.sizes[place[i]] + 2 * whole(field["padding"][i])
        room -= dilation * ((height, width)[i] - 1) + 1
        new.append((name, whole(room // stride + 1, 1)))
    carried = [axis for axis in source.axes if axis[0] not in (*place, channel)]
    result = (*carried, *new, (field["out_channel"], outputs))
    return selected(source, result, weight.reshape(*weight.shape[:-3], -1), 1)


def selected(source: Value, axes: Axes, rows: Array, again: int) -> Found:
    """Each row adds up any choice of its weights, `again` times each; only bits may choose."""
    demand(source.kind in ("spike", "pixel"), f"weights meet a {source.kind}: a multiplication")
    wide = exact(rows, max(map(abs, ends(rows))) * max(1, rows.shape[-1]))
    most = again * source.interval[1]
    low = ends(np.minimum(wide, 0).sum(axis=-1))[0] * most
    high = ends(np.maximum(wide, 0).sum(axis=-1))[1] * most
    value = Value("current", axes, (low, high))
    if source.kind == "spike":
        return value, says("spikes-select", "select add")
    if source.encoding == "host":
        return value, says("host-current")
    return value, says("pixel-bits-select", "select add shift")


def concat(site: Site) -> Found:
    pairs = list(zip(site.sources, site.fields["along"], strict=True))
    first, lead = next(((v, a) for v, a in pairs if "t" in v.sizes), pairs[0])
    rest = {axis for axis in first.axes if axis[0] != lead}
    for value, along in pairs:
        own = {axis for axis in value.axes if axis[0] != along}
        demand(own in (rest, {a for a in rest if a[0] != "t"}), "sources differ on another axis")
        demand((value.kind, value.encoding) == (first.kind, first.encoding), "kinds differ")
    joined = (site.fields["out"], sum(value.sizes[along] for value, along in pairs))
    axes = tuple(joined if axis[0] == lead else axis for axis in first.axes)
    low, high = (f(v.interval[i] for v, _ in pairs) for i, f in enumerate((min, max)))
    return Value(first.kind, axes, (low, high), first.encoding), says("side-by-side")


def add(site: Site) -> Found:
    """Adds: y = sum of x_i << shifts[i]; an axis that a source lacks is broadcast."""
    demand(all(v.kind == "current" for v in site.sources), "only currents can be added")
    shifts = [whole(n) for n in site.fields["shifts"]] or [0] * len(site.sources)
    demand(max(shifts) <= WIDEST, "a shift is too wide")
    widest = max(site.sources, key=lambda v: len(v.axes))
    missing = {axis for v in site.sources for axis in v.axes} - set(widest.axes)
    demand(missing <= {("t", site.steps)}, "sources differ on an axis")
    pairs = list(zip(site.sources, shifts, strict=True))
    low, high = (sum(v.interval[i] << n for v, n in pairs) for i in (0, 1))
    value = Value("current", (*missing, *widest.axes), (low, high))
    return value, says("add-currents", "add shift" if any(shifts) else "add")


def gain(site: Site) -> Found:
    """Scales: y = (m * x + 2^(shift-1)) >> shift; m * x is one addition for each digit of m."""
    (source,), shift = site.sources, whole(site.fields["shift"])
    by_step = "t" in site.constant("mantissa")[0]
    axes = source.timed(site.steps).axes if by_step else source.axes
    mantissa = site.over("mantissa", axes)
    demand(source.kind == "current" and shift <= WIDEST, "a gain scales a current")
    reach = [m * x + ((1 << shift) >> 1) for m in ends(mantissa) for x in source.interval]
    low, high = min(reach), max(reach)
    demand(bits((low, high)) <= WIDEST, f"before its shift the gain reaches {low}..{high}")
    value = Value("current", axes, (low >> shift, high >> shift))
    most = max(digits(int(m)) for m in np.unique(mantissa))
    words = "shift add" if most > 1 else "shift"
    return value, says("gain-by-shift", words, most, before_shift=[low, high])


def population(site: Site) -> Found:
    (source,), field = site.sources, site.fields
    factor, shift = (whole(n) for n in field["decay"])
    demand(source.kind == "current", "a population integrates a current")
    demand(shift <= WIDEST and factor <= 1 << shift, "the decay is outside [0, 1]")
    carry = whole(field["decay_offset"])
    demand(carry < 1 << shift, "the decay's offset is a whole step")
    demand(field["reset"] in ("hard", "soft") and field["compare"] in ("ge", "gt"), "unknown rule")
    demand(field["rounding"] in ("floor", "zero"), "unknown rounding")
    low, high = field["membrane"]
    reached = membrane(site, source, factor, shift)
    fits = low <= reached[0] and reached[1] <= high
    demand(fits, f"the membrane reaches {reached}, its width holds {low}..{high}")
    widest = max(-low, high) * max(1, factor) + carry
    demand(bits((-widest, widest)) <= WIDEST, "the leak is too wide")
    value = Value("spike", source.timed(site.steps).axes, (0, 1))
    both = {"declared": [low, high], "reached": [*reached]}
    words = "shift add compare select" if shift else "add compare select"
    return value, says("leak-by-shift", words, digits(factor), membrane=both)


def membrane(site: Site, source: Value, factor: int, shift: int) -> Interval:
    """Everything that a membrane can be in T steps from 0, before and after the reset.

    Z = leak(V) + polarity * (X + offset) + bias, leak(V) = (factor * V + carry) >> shift. What of
    it does not fire stays; what fires becomes 0 (hard) or Z - threshold (soft).
    """
    every, carry = (("t", site.steps), *source.rest), site.fields["decay_offset"]
    fields = [site.over(k, every) for k in ("threshold", "bias", "offset")]
    signs, at_least = site.over("polarity", every, 1), site.fields["compare"] == "ge"
    demand(set(np.unique(signs).tolist()) <= {-1, 0, 1}, "a polarity is not -1, 0 or 1")
    largest = sum(max(map(abs, pair)) for pair in (*map(ends, fields), source.interval)) + 1
    reach = largest * (site.steps + 1) * max(1, factor) + carry
    steps = [exact(array, reach) for array in (*fields, signs)]
    side, zero, found = 1 if at_least else -1, site.fields["rounding"] == "zero", [0]
    low = high = exact(np.zeros((1,) * len(source.rest), np.int64), reach)
    for t in range(site.steps):
        threshold, bias, offset, sign = (array[t if len(array) > 1 else 0] for array in steps)
        push = [sign * (end + offset) + bias + 0 * threshold for end in source.interval]
        last = threshold - 1 if at_least else threshold  # the highest level that does not fire
        ways = ((v, np.where(v < 0, -1, 1) if zero else side) for v in (low, high))  # the rounding
        low, high = (way * ((factor * way * v + carry) >> shift) for v, way in ways)
        low, high = low + np.minimum(*push), high + np.maximum(*push)
        found += [*ends(low), *ends(high)]
        soft = np.maximum(low, last + 1) - threshold, high - threshold
        fired = soft if site.fields["reset"] == "soft" else (0 * low, 0 * low)
        stays = np.where(low <= last, (low, np.minimum(high, last)), fired)
        goes = np.where(high > last, fired, stays)
        low, high = np.minimum(stays[0], goes[0]), np.maximum(stays[1], goes[1])
        found += [*ends(low), *ends(high)]
    return min(found), max(found)


def readout(site: Site) -> Found:
    """Answers: y = sum of x over T steps, and an offset; its real unit stays outside."""
    (source,), unit = site.sources, site.fields["unit"]
    demand(source.kind == "current", "a readout sums a current")
    demand(type(unit) is float and 0 < unit < math.inf, "the unit is not positive")
    offset = site.over("offset", source.rest)
    low = source.interval[0] * site.steps + int(offset.min())
    high = source.interval[1] * site.steps + int(offset.max())
    return Value("readout", source.rest, (low, high)), says("sum-over-time", "add")


KERNEL = "weight channel height width out_channel out_height out_width"
ONE, NONE, RULE = [1, 1], [0, 0], {"reset": "hard", "compare": "ge", "rounding": "floor"}
NEURON = {"bias": None, "polarity": None, "offset": None, "decay": ONE, "decay_offset": 0}
OPS: dict[str, tuple[Callable[[Site], Found], str, dict[str, Json]]] = {
    # the function, the fields that must be there, the others with what they are by default
    "pixels": (pixels, "axes shape", {"encoding": "bit-planes"}),
    "contract": (contract, "weight", {"into": [], "out": [], "shared": [], "summed": []}),
    "convolve": (convolve, KERNEL, {"stride": ONE, "padding": NONE, "dilation": ONE, "groups": 1}),
    "concat": (concat, "along out", {}),
    "sum": (add, "", {"shifts": []}),
    "gain": (gain, "mantissa", {"shift": 0}),
    "integer_population": (population, "threshold", {**NEURON, **RULE, "membrane": NONE}),
    "integer_readout": (readout, "", {"offset": None, "unit": 1.0}),
}
