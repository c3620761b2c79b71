"""Elements that change places along axes."""

from snncc.checker.program_file import Json, is_list, natural, require
from snncc.checker.values import Found, NodeRecord, Value, counted, is_made, statement

MOST_TAKEN = 2**24


def take(site: NodeRecord) -> Found:
    """Takes y[o] = x[index[o]], or 0 where a run starts at -1."""
    source = site.source("spike", "pixel", "count", "current")
    require(source.kind == "current" or is_made(source), "an image is read by maps alone")
    axes, out, runs = (site.fields[name] for name in ("axes", "out", "runs"))
    require(is_list(runs) and len(axes) == len(out) == len(runs) > 0, "one entry an axis is needed")
    require(len(set(axes)) == len(axes), "elements are taken twice along an axis")
    require("t" not in (*axes, *out), "a step never reads another")
    made: dict[str, tuple[str, int]] = {}
    zeros = False
    for axis, name, numbers in zip(axes, out, runs, strict=True):
        require(axis in source.sizes, f"the source has no axis {axis}")
        size, fills = _runs(numbers, source.sizes[axis])
        made[axis], zeros = (name, size), zeros or fills
    result = tuple(made.get(name, (name, size)) for name, size in source.axes)
    require(len({name for name, _ in result}) == len(result), "the result has an axis twice")
    low, high = source.interval
    interval = (min(low, 0), max(high, 0)) if zeros else (low, high)
    if source.kind in ("spike", "current"):
        return Value(source.kind, result, interval), statement("taken")
    return counted(result, interval), statement("taken")


def _runs(numbers: Json, length: int) -> tuple[int, bool]:
    """How many elements runs of (first, step, count) give, and whether there are zeros."""
    require(is_list(numbers) and len(numbers) > 0 and len(numbers) % 3 == 0, "runs are triples")
    total, zeros = 0, False
    for place in range(0, len(numbers), 3):
        first = natural(numbers[place], -1, length - 1)
        step = natural(numbers[place + 1], -MOST_TAKEN, MOST_TAKEN)
        count = natural(numbers[place + 2], 1, MOST_TAKEN)
        total += count
        if first < 0:
            require(step == 0, "a run of zeros has no step")
            zeros = True
        else:
            natural(first + (count - 1) * step, 0, length - 1)
    natural(total, 1, MOST_TAKEN)
    return total, zeros
