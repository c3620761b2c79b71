"""What a program must be as a whole: names, limits, one image, one readout, nothing to spare."""

import math
from dataclasses import replace

from snncc.checker.program_file import (
    Array,
    Json,
    canonical,
    is_list,
    is_record,
    natural,
    require,
    short,
)
from snncc.checker.values import Value, narrow

MANIFEST = {"schema", "dialect", "steps", "profile", "output", "nodes", "provenance"}
RECORD = {"name", "op", "fields", "inputs", "type", "locs"}
PROFILES = ("exact", "loihi-lava")
LOCATION = [str, str, int, str, str]

MOST_STEPS, MOST_NODES = 2**12, 2**14
MOST_SOURCES, MOST_TERMS, DEEPEST = 2**12, 2**12, 256
LONGEST_NAME, MOST_AXES = 512, 16
MOST_ELEMENTS, MOST_NEURON_STEPS, MOST_NUMBERS = 2**26, 2**30, 2**31
NEURONS = ("integer_population", "integer_neuron")
NESTS = ("sum", "gain", "concat", "largest", "take", "gate", "product", "sum_along")
AXES = ("axes", "into", "out", "shared", "summed", "along")
AXIS = ("channel", "height", "width", "out_channel", "out_height", "out_width", "out")


def name(value: Json) -> str:
    """Printable, and without square brackets."""
    good = type(value) is str and 0 < len(value) <= LONGEST_NAME and value.isprintable()
    require(good and not {"[", "]"} & set(value), f"{short(value)} is no name")
    return str(value)


def axis_name(value: Json) -> str:
    good = name(value)[0].isalpha() and all(c.isalnum() or c in "_.-" for c in value)
    require(good, f"{short(value)} is no name of an axis")
    return str(value)


def check_manifest(manifest: Json, constants: dict[str, Array]) -> None:
    """The form of the manifest, and constants that are named and are not too wide."""
    require(set(manifest) == MANIFEST, "unknown form of program")
    form = (manifest["dialect"], manifest["profile"])
    require(form in [("integer", p) for p in PROFILES], f"unknown dialect or profile {short(form)}")
    natural(manifest["steps"], 1, MOST_STEPS)
    require(is_list(manifest["nodes"]), "the nodes are no list")
    require(len(manifest["nodes"]) <= MOST_NODES, "too many nodes")
    require(is_record(manifest["provenance"]), "the provenance is no record")
    for record in manifest["nodes"]:
        require(set(record) == RECORD and is_record(record["fields"]), "unknown form of a node")
    ops = {record["op"] for record in manifest["nodes"]}
    schema = 3 if "delay" in ops else 2 if "frames" in ops else 1
    require(natural(manifest["schema"]) == schema, "unknown schema")
    for key, array in constants.items():
        name(key)
        narrow(f"constant {key}", int(array.min()), int(array.max()))
    named = [v for r in manifest["nodes"] for v in r["fields"].values() if is_record(v)]
    numbers = sum(constants[param["@"]].size for param in named)
    require(numbers <= MOST_NUMBERS, "nodes read too many numbers of constants")
    work = manifest["steps"] * sum(told_apart(r, constants) for r in manifest["nodes"])
    require(work <= MOST_NEURON_STEPS, "too many neurons times steps that constants tell apart")


def check_record(record: Json) -> None:
    """Names, places and sources of a node, and the names of axes in its fields."""
    name(record["name"])
    require(is_list(record["inputs"]), "the sources are no list")
    require(len(record["inputs"]) <= MOST_SOURCES, "too many sources")
    require(is_list(record["locs"]), "the places are no list")
    for place in record["locs"]:
        require(is_list(place) and [type(p) for p in place] == LOCATION, "unknown form of place")
    for key, value in record["fields"].items():
        if is_record(value):
            require(set(value) == {"@", "axes"}, f"{key} is no constant")
        named = value["axes"] if is_record(value) else value
        if key in AXIS and (key != "out" or record["op"] == "concat"):
            axis_name(value)
        elif is_record(value) or key in AXES:
            require(is_list(named), f"{key} is no list of axes")
            require(len(named) <= MOST_AXES or key == "along", f"{key} has too many axes")
            for each in named:
                axis_name(each)


def check_defaults(given: dict[str, Json], defaults: dict[str, Json]) -> None:
    """A field that is what it is by default is left out: a program has one manifest."""
    same = [k for k in given if k in defaults and canonical(given[k]) == canonical(defaults[k])]
    require(not same, f"{same} need not be written")


def bounded(record: Json, value: Value, sources: list[Value]) -> Value:
    """The value with how much it is made of, when that and its size are within the limits."""
    sizes = [size for _, size in value.rest]
    require(len(value.sizes) == len(value.axes) <= MOST_AXES, "an axis stands twice, or too many")
    require(math.prod(sizes) <= MOST_ELEMENTS, "too many elements")
    narrow("the value", *value.interval)
    if record["op"] not in NESTS:
        return value
    terms, depth = sum(s.terms for s in sources), 1 + max(s.depth for s in sources)
    require(terms <= MOST_TERMS and depth <= DEEPEST, "sums of sums: too many terms, or too deep")
    return replace(value, terms=terms, depth=depth)


def told_apart(record: Json, constants: dict[str, Array]) -> int:
    """How many neurons of a population have constants of their own; 0 for other nodes."""
    sizes: dict[str, int] = {}
    for param in record["fields"].values():
        if record["op"] in NEURONS and is_record(param):
            sizes |= dict(zip(param["axes"], constants[param["@"]].shape, strict=False))
    return math.prod(size for axis, size in sizes.items() if axis != "t") if sizes else 0


def check_whole(manifest: Json, values: dict[str, Value], constants: dict[str, Array]) -> None:
    """One image, one readout, which is the output, and nothing that nobody reads."""
    nodes = manifest["nodes"]
    readouts = [r["name"] for r in nodes if r["op"] == "integer_readout"]
    require(sum(r["op"] in ("pixels", "frames") for r in nodes) == 1, "a program has one image")
    require(readouts == [manifest["output"]], "the output is no readout, or there are several")
    read = {source for record in nodes for source in record["inputs"]}
    idle = [n for n in values if n not in read and n != manifest["output"]]
    require(not idle, f"nobody reads {short(idle)}")
    named = {v["@"] for r in nodes for v in r["fields"].values() if is_record(v)}
    require(named == set(constants), "a constant belongs to no node")
