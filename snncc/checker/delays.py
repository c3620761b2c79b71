"""Delays: registers, the only nodes that may read what comes after them, and the loops they close.

Their type is declared, since what they read may not be judged yet; it is held against the source
when all nodes are.
"""

from collections import deque

from snncc.checker.form import DEEPEST, MOST_ELEMENTS, MOST_STEPS, MOST_TERMS, NESTS
from snncc.checker.program_file import Json, is_list, natural, require, short
from snncc.checker.values import Found, NodeRecord, Value, narrow, statement


def delay(site: NodeRecord) -> Found:
    """Gives x[t - steps], or start before there is such a step; of a declared type."""
    kind, names, shape = (site.fields[key] for key in ("kind", "axes", "shape"))
    require(kind in ("spike", "current"), f"a {short(kind)} is delayed")
    require(is_list(names) and is_list(shape) and len(names) == len(shape), "axes without lengths")
    require("t" not in names, "time leads the result by itself")
    rest = tuple((name, natural(size, 1)) for name, size in zip(names, shape, strict=True))
    bounds = site.fields["range"]
    require(is_list(bounds) and len(bounds) == 2, "the range is no interval")
    low, high = bounds
    require(type(low) is int and type(high) is int and low <= high, "the range is no interval")
    narrow("the declared range", low, high)
    require(kind != "spike" or (low, high) == (0, 1), "spikes are 0 or 1")
    start = site.over("start", rest)
    inside = low <= int(start.min()) and int(start.max()) <= high
    require(inside, "it starts outside of its range")
    value = Value(kind, (("t", site.steps), *rest), (low, high))
    kept = natural(site.fields["steps"], 1, MOST_STEPS)
    for size in shape:
        kept *= size
    require(kept <= MOST_ELEMENTS, "too many elements are kept for later steps")
    return value, statement("delayed")


def check_delays(nodes: list[Json], values: dict[str, Value]) -> None:
    """What every delay reads is what it declares; loops lead through neurons; limits of nesting."""
    delays = [record for record in nodes if record["op"] == "delay"]
    for record in delays:
        said = f"the delay {short(record['name'])}"
        require(len(record["inputs"]) == 1, f"{said} has not one source")
        require(record["inputs"][0] in values, f"{said} reads what there is not")
        given, declared = values[record["inputs"][0]], values[record["name"]]
        same = (given.kind, set(given.rest)) == (declared.kind, set(declared.rest))
        low, high = declared.interval
        fits = low <= given.interval[0] and given.interval[1] <= high
        require(same and fits, f"{said} reads another value than it declares")
    if delays:
        _check_ways(nodes)


def _fires(record: Json) -> bool:
    """Whether a node gives spikes of neurons; those without a threshold give their membranes."""
    several = record["op"] == "integer_neuron" and record["fields"].get("threshold") is not None
    return several or record["op"] == "integer_population"


def _check_ways(nodes: list[Json]) -> None:
    """Walks from what is known at once along everything that is no population.

    A population's spikes are bits whatever it reads, so that the walk starts from them; who is
    never reached stands on a loop without neurons, or behind one.
    """
    by_name = {record["name"]: record for record in nodes}
    readers: dict[str, list[str]] = {name: [] for name in by_name}
    waits: dict[str, int] = {}
    for name, record in by_name.items():
        inner = not _fires(record)
        waits[name] = len(record["inputs"]) if inner else 0
        if inner:
            for source in record["inputs"]:
                readers[source].append(name)
    ready = deque(name for name, count in waits.items() if count == 0)
    ways: dict[str, tuple[int, int]] = {}
    while ready:
        name = ready.popleft()
        record = by_name[name]
        ways[name] = (1, 0)
        if record["op"] in (*NESTS, "delay"):
            before = [ways[source] for source in record["inputs"]]
            ways[name] = sum(terms for terms, _ in before), 1 + max(deep for _, deep in before)
            few = ways[name][0] <= MOST_TERMS and ways[name][1] <= DEEPEST
            require(few, f"{short(name)}: sums of sums: too many terms, or too deep")
        for reader in readers[name]:
            waits[reader] -= 1
            if waits[reader] == 0:
                ready.append(reader)
    require(len(ways) == len(by_name), "a loop leads through delays and no neurons")
