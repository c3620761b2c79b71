"""The largest of windows: an OR of spikes, or currents that are compared."""

import numpy as np

from snncc.checker.program_file import natural, require
from snncc.checker.values import Found, NodeRecord, Value, counted, is_made, narrow, statement

MOST_GEOMETRY = 2**12
MOST_PLACES = 2**24


def largest(site: NodeRecord) -> Found:
    """Takes y[o] = max of x[stride * o + dilation * k - padding] + offset, inside the source."""
    source = site.source("spike", "pixel", "count", "current")
    require(source.kind == "current" or is_made(source), "an image is read by maps alone")
    axes, out = site.fields["axes"], site.fields["out"]
    require(len(axes) == len(out) == len(set(axes)) > 0, "windows need axes, each once, and names")
    require("t" not in (*axes, *out), "a step never reads another")
    lists = [site.fields[name] for name in ("size", "kernel", "stride", "padding", "dilation")]
    require(all(len(each) == len(axes) for each in lists), "one number an axis is needed")
    made: dict[str, tuple[str, int]] = {}
    for axis, name, *numbers in zip(axes, out, *lists, strict=True):
        require(axis in source.sizes, f"the source has no axis {axis}")
        size, kernel = natural(numbers[0], 1, MOST_PLACES), natural(numbers[1], 1, MOST_GEOMETRY)
        stride, dilation = (natural(n, 1, MOST_GEOMETRY) for n in (numbers[2], numbers[4]))
        padding = natural(numbers[3], 0, MOST_GEOMETRY)
        require(size * kernel <= MOST_PLACES, "windows have too many places")
        _every_window_meets(source.sizes[axis], size, kernel, stride, padding, dilation)
        made[axis] = (name, size)
    result = tuple(made.get(name, (name, size)) for name, size in source.axes)
    require(len({name for name, _ in result}) == len(result), "the result has an axis twice")
    if source.kind == "spike":
        require(site.fields["offset"] is None, "spikes have no offset")
        return Value("spike", result, source.interval), statement("or-of-spikes", "logic")
    if source.kind != "current":
        require(site.fields["offset"] is None, "counts have no offset")
        return counted(result, source.interval), statement("largest-count", "compare select")
    if site.fields["offset"] is None:
        return Value("current", result, source.interval), statement(
            "largest-current", "compare select"
        )
    least, most = _ends_of(site, source)
    low, high = source.interval[0] + least, source.interval[1] + most
    narrow("what is compared", low, high)
    return Value("current", result, (low, high)), statement("largest-current", "add compare select")


def _ends_of(site: NodeRecord, source: Value) -> tuple[int, int]:
    array = site.over("offset", source.rest)
    return int(array.min()), int(array.max())


def _every_window_meets(
    length: int, size: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    """Place o * stride + k * dilation - padding is one of 0..length-1 for a k of each window o."""
    last = (size - 1) * stride - padding
    require(last < length, "a window has no element of the source")
    first = np.arange(-padding, min(last + 1, 0), stride, dtype=np.int64)  # those before element 0
    skipped = (dilation - 1 - first) // dilation
    met = (skipped < kernel) & (first + skipped * dilation < length)
    require(bool(met.all()), "a window has no element of the source")
