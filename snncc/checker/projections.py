"""Maps and convolutions: weights that bits select, and that are added up."""

import math

from snncc.checker.program_file import Array, Json, is_list, natural, require
from snncc.checker.selections import row_ends
from snncc.checker.values import Axes, Found, NodeRecord, Value, statement

MOST_GEOMETRY = 2**12
MOST_PADDED = 2**26


def contract(site: NodeRecord) -> Found:
    """Selects: y[carried, shared, out] = sum of weight[shared, out, into] where the bit is 1."""
    source = site.source("spike", "pixel", "count")
    roles = [site.fields[k] for k in ("shared", "out", "into", "summed")]
    require(all(map(is_list, roles)), "a role is no list of axes")
    shared, out, into, summed = map(tuple, roles)
    require("t" not in (*out, *into, *summed), "a step would read another, or time would be made")
    source = source.timed(site.steps) if "t" in shared else source  # a bank for every step
    axes, weight = site.constant("weight")
    require(axes == (*shared, *out, *into), "the weight's axes are not shared, out, into")
    gone, kept = (*into, *summed), len(shared) + len(out)
    require(len({*gone, *shared}) == len(gone) + len(shared), "an axis has two roles")
    sizes = (*weight.shape[: len(shared)], *weight.shape[kept:])
    fits = set(zip((*shared, *into), sizes, strict=True)) <= set(source.axes)
    require(fits and set(summed) <= set(source.sizes), f"the weight does not fit {source.axes}")
    new = tuple(zip(out, weight.shape[len(shared) : kept], strict=True))
    if len(into) == len(out):
        place = dict(zip(into, new, strict=True))
        result = tuple(place.get(a[0], a) for a in source.axes if a[0] not in summed)
    else:
        result = (*(a for a in source.axes if a[0] not in gone), *new)
    again = math.prod(source.sizes[name] for name in summed)
    inner = math.prod(weight.shape[kept:])
    return selected(source, result, weight.reshape(-1, inner), again)


def convolve(site: NodeRecord) -> Found:
    """As `contract`, for each place of a kernel; outside the image all bits are 0."""
    source, field, (axes, weight) = (
        site.source("spike", "pixel", "count"),
        site.fields,
        site.constant("weight"),
    )
    banks = axes[:1] == ("t",)
    require(len(axes) == 4 + banks and "t" not in axes[banks:], "unknown form of a kernel")
    require(not banks or len(weight) == site.steps, "a bank for every step is needed")
    source = source.timed(site.steps) if banks else source
    outputs, inputs, *kernel = weight.shape[banks:]
    channel, place, groups = field["channel"], (field["height"], field["width"]), field["groups"]
    made = (field["out_height"], field["out_width"], field["out_channel"])
    require(len({*place, channel}) == 3, "height, width and channel must be three axes")
    require("t" not in (*place, channel, *made), "a step would read another, or time would be made")
    require({*place, channel} <= set(source.sizes), f"{source.axes} lacks an axis of the kernel")
    require(inputs * natural(groups, 1) == source.sizes[channel], "channels do not fit")
    require(outputs % groups == 0, "groups do not fit")
    stride, dilation = pair(field["stride"], 1), pair(field["dilation"], 1)
    padding = pair(field["padding"], 0)
    padded = {n: source.sizes[n] + 2 * pad for n, pad in zip(place, padding, strict=True)}
    area = math.prod({**dict(source.rest), **padded}.values())
    require(area <= MOST_PADDED, "too many elements with padding")
    new: list[tuple[str, int]] = []
    for i in (0, 1):
        room = padded[place[i]] - dilation[i] * (kernel[i] - 1) - 1
        new.append((made[i], natural(room // stride[i] + 1, 1)))
    carried = [axis for axis in source.axes if axis[0] not in (*place, channel)]
    result = (*carried, *new, (made[2], outputs))
    return selected(source, result, weight.reshape(-1, math.prod(weight.shape[-3:])), 1)


def pair(value: Json, least: int) -> tuple[int, int]:
    """Two integers: of the height and of the width."""
    require(type(value) is list and len(value) == 2, "stride, padding and dilation are pairs")
    return natural(value[0], least, MOST_GEOMETRY), natural(value[1], least, MOST_GEOMETRY)


def selected(source: Value, axes: Axes, rows: Array, again: int) -> Found:
    """Each row adds up its weights, as often as numbers of the source say; only bits may choose."""
    least, most = source.interval
    low, high = (again * end for end in row_ends(rows, least, most))
    value = Value("current", axes, (low, high))
    if source.kind == "spike":
        return value, statement("spikes-select", "select add")
    if source.encoding == "host":
        return value, statement("host-current")
    signed = " subtract" if least < 0 else ""  # the weights of the sign bit
    moved = " shift" if most - least > 1 else ""  # more numbers than one bit tells apart
    return value, statement(f"{source.kind}-bits-select", f"select add{signed}{moved}")
