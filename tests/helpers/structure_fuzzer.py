"""Programs whose manifest is changed and sealed again; see `program_outcomes`."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from certificates import RARE
from drawn_neurons import network
from generators.products import PRODUCTS
from generators.programs import program
from generators.staircases import STAIRCASES
from generators.windows import WINDOWS
from looped_programs import looped
from programs import lowered_from_unit_pixels as lowered
from random_programs import random_program
from safetensors.numpy import save

from snncc.artifact import Program
from snncc.artifact.program import canonical, digest, to_manifest
from snncc.ir import DIALECTS, ValueType
from snncc.ir.codec import decode_op, decode_type, encode_op, encode_type
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.op import Context

Json = Any
Arrays = dict[str, np.ndarray]
Mutation = Callable[["Changed"], None]
DOMAINS = [(0, 255), (0, 3), (-8, 7)]


@dataclass
class Changed:
    """A program while it is changed."""

    rng: np.random.Generator
    manifest: Json
    constants: Arrays

    @property
    def nodes(self) -> list[Json]:
        return self.manifest["nodes"]

    def one(self, of: Any) -> Any:
        return of[int(self.rng.integers(len(of)))]

    def node(self) -> Json:
        return self.one(self.nodes)


SMALL_PRODUCTS = (4, 15, 52, 83)
"""Programs of few steps and elements that have products and counts of all kinds between them."""
SMALL_STAIRCASES = (3, 14, 15, 21)


def bases(count: int) -> list[tuple[Json, Arrays]]:
    """Manifests and constants of legal programs of many kinds."""
    graphs = [random_program(seed) for seed in range(count)]
    graphs += [
        lowered(
            seed, ("shift-add", "unshared")[seed % 2], ("approximate", "by-step")[seed // 2 % 2]
        )
        for seed in range(count // 2)
    ]
    graphs += [make() for make in RARE.values()]
    graphs += [random_program(1, domain, timed) for domain in DOMAINS for timed in (False, True)]
    graphs += [program(seed, WINDOWS) for seed in range(4)]
    graphs += [program(seed, PRODUCTS) for seed in SMALL_PRODUCTS]
    graphs += [program(seed, STAIRCASES) for seed in SMALL_STAIRCASES]
    graphs += [network(seed) for seed in (0, 3)] + [looped(seed) for seed in (1, 2)]
    return [(to_manifest(Program(g, {"of": "fuzz"})), dict(g.constants)) for g in graphs]


def changed_program(seed: int, base: tuple[Json, Arrays]) -> bytes:
    """One changed program with a right checksum; the same for the same seed."""
    rng = np.random.default_rng([seed, 77])
    manifest = json.loads(json.dumps(base[0]))
    subject = Changed(rng, manifest, dict(base[1]))
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        try:
            subject.one(MUTATIONS)(subject)
        except (KeyError, TypeError, IndexError, ValueError, AttributeError):
            continue  # an earlier change has taken away what this one wants to change
    if rng.random() < 0.7:
        repair(subject)
    return sealed(subject.manifest, subject.constants)


def sealed(manifest: Json, constants: Arrays) -> bytes:
    """A file with the right checksum over whatever it holds."""
    arrays = {name: np.ascontiguousarray(array) for name, array in constants.items()}
    arrays = {n: a.reshape(constants[n].shape) for n, a in arrays.items()}
    try:
        text = canonical(manifest)
        whole = canonical({"manifest": manifest, "sha256": digest(text, arrays)})
    except ValueError:  # infinity
        whole = json.dumps({"manifest": manifest, "sha256": ""}, sort_keys=True)
    return save(arrays, metadata={"snncc": whole})


def repair(subject: Changed) -> None:
    """Types and membranes as they follow from the fields, so that a change goes unseen longer."""
    steps = subject.manifest.get("steps")
    if type(steps) is not int or not 0 < steps < 100:
        return
    context = Context(steps, subject.constants)
    types: dict[str, ValueType] = {}
    for record in subject.nodes:
        try:
            known = DIALECTS["integer"].named(record["op"])
            if known is None:
                raise KeyError(record["op"])
            op = decode_op(known, record["fields"])
            record["op"] = op.word
            inputs = tuple(types[name] for name in record["inputs"])
            if isinstance(op, IntegerPopulation):
                op = replace(op, membrane=op.membrane_range(inputs[0], context))
                record["fields"] = encode_op(op)
            if isinstance(op, IntegerNeuron):
                states, form = op.within(inputs[0], context)
                record["fields"] = encode_op(replace(op, states_within=states, membrane=form))
                op = decode_op(known, record["fields"])
            types[record["name"]] = op.infer(inputs, context)
            record["type"] = encode_type(types[record["name"]])
        except Exception:  # whatever the change has broken stays as it is
            try:
                types[record["name"]] = decode_type(record["type"])
            except Exception:
                return


def fields_of(word: str) -> frozenset[str]:
    """Names of the fields of an op."""
    return frozenset(f.name for f in fields(DIALECTS["integer"].named(word)))


# Changes.

NUMBERS = [0, 1, -1, 2, 3, 7, 61, 62, 63, 64, 127, 128, 255, 256, 1000, 4096, 4097, 2**15, 2**16]
NUMBERS += [2**20, 2**31 - 1, 2**31, 2**32, 2**61 - 1, 2**61, 2**62, 2**63 - 1, 2**63, 2**70]
NUMBERS += [-2, -128, -(2**31), -(2**61), -(2**62), -(2**63), 10**30]
ODD = [0.0, 0.5, 1.0, -1.0, 3.9, 1e308, True, False, None, "", [], {}, [1], "1", {"@": "w"}]
TEXTS = [
    "",
    "t",
    "<",
    "c",
    "h",
    "w",
    "_",
    "cat[0]",
    "image",
    "a b",
    "x\n",
    "é",
    "\ud800",
    "k" * 600,
]
TEXTS += ["exact", "loihi-lava", "hard", "soft", "ge", "gt", "zero", "host", "spike", "pixel", "%v"]
TEXTS += ["count", "pixels", "frames"]


def leaves(value: Json, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of everything in a JSON value, containers too."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], (*path, key))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from leaves(each, (*path, place))


def at(value: Json, path: tuple[Any, ...]) -> Json:
    for key in path:
        value = value[key]
    return value


def any_place(s: Changed) -> tuple[Json, Any]:
    """A container within a node, or the manifest, and a key of it."""
    root = s.manifest if s.rng.random() < 0.15 else s.node()
    path = s.one([p for p in leaves(root) if p])
    return at(root, path[:-1]), path[-1]


def odd_value(s: Changed) -> None:
    where, key = any_place(s)
    value = where[key]
    pool: list[Json] = ODD
    if type(value) is int and s.rng.random() < 0.8:
        pool = [*NUMBERS, value + 1, value - 1, 2 * value, -value]
    elif type(value) is str and s.rng.random() < 0.8:
        pool = TEXTS
    where[key] = s.one(pool)


def field_value(s: Changed) -> None:
    """A number or a word of an op's fields, where most rules lie."""
    fields = s.node()["fields"]
    paths = [p for p in leaves(fields) if p and not isinstance(at(fields, p), dict | list)]
    path = s.one(paths)
    where, key = at(fields, path[:-1]), path[-1]
    value = where[key]
    near = [value + 1, value - 1, 2 * value] if type(value) is int else []
    where[key] = s.one([*NUMBERS, *near] if type(value) is int else TEXTS)


def new_field(s: Changed) -> None:
    """A field that is at its default gets another value, or its default in writing."""
    name, value = s.one(
        [
            *(("stride", v) for v in ([2, 1], [0, 1], [1, -1], [1, 1])),
            *(("padding", v) for v in ([1, 1], [-1, 0], [0, 2**20], [0, 0], [0, 300])),
            *(("dilation", v) for v in ([2, 1], [0, 1], [1, -1])),
            *(("groups", v) for v in (1, 2, 0, -1, 3)),
            *(("shifts", v) for v in ([], [0, 1], [1, 0], [70, 0], [2**70, 0], [-1, 0])),
            *(("shift", v) for v in (0, 1, 60, 61, 62, 2**40)),
            *(("decay", v) for v in ([1, 0], [0, 0], [1, 61], [3, 2], [1, 10**10], [2**61, 61])),
            *(("decay_offset", v) for v in (1, 3, -1, 2**61)),
            *(("into", v) for v in (["t"], ["h"], ["c"], ["c", "h"], [])),
            *(("out", v) for v in (["t"], ["h"], ["k"], [], "c", "t")),
            *(("shared", v) for v in (["t"], ["h"], ["c"])),
            *(("summed", v) for v in (["t"], ["h"], ["w"], ["c"], ["h", "w"], ["h", "h"])),
            *(("along", v) for v in (["t", "t"], ["h", "h"], ["c"])),
            *(("unit", v) for v in (1.0, 1, -1.0, 0.0, 1e-300)),
            *(("reset", v) for v in ("hard", "soft")),
            *(("compare", v) for v in ("ge", "gt")),
            *(("rounding", v) for v in ("floor", "zero", "up")),
            *(("membrane", v) for v in ([0, 0], [-5, 5], [-(2**61), 2**61 - 1], [-(2**62), 2**62])),
            *(("encoding", v) for v in ("host", "bit-planes", "other")),
            *(("domain", v) for v in ([0, 3], [0, 255], [0, 256], [-8, 7], [-1, 0], [-129, 0])),
            *(("domain", v) for v in ([1, 3], [0, 0], [0.0, 3], [0, 3, 5], [0, True], 3)),
        ]
    )
    having = [n for n in s.nodes if name in fields_of(n["op"])]
    s.one(having)["fields"][name] = value


def rename_axis(s: Changed) -> None:
    """One axis gets another name, everywhere or in one node."""
    names = sorted({a[0] for node in s.nodes for a in node["type"]["axes"]})
    old, new = s.one(names), s.one([*names, *TEXTS, "t", "t", "z"])
    if s.rng.random() < 0.3:  # one way or the other
        old, new = new, old
    nodes = s.nodes if s.rng.random() < 0.6 else [s.node()]

    def renamed(value: Json) -> Json:
        if isinstance(value, dict):
            return {k: (v if k == "@" else renamed(v)) for k, v in value.items()}
        if isinstance(value, list):
            return [renamed(v) for v in value]
        return new if value == old and isinstance(value, str) else value

    for node in nodes:
        node["fields"], node["type"] = renamed(node["fields"]), renamed(node["type"])


def rename_node(s: Changed) -> None:
    old, new = s.node()["name"], s.one([*TEXTS, s.node()["name"], "fresh", "net.cat", "cat[1]"])
    for node in s.nodes:
        node["name"] = new if node["name"] == old else node["name"]
        node["inputs"] = [new if name == old else name for name in node["inputs"]]
    if s.manifest["output"] == old and s.rng.random() < 0.8:
        s.manifest["output"] = new


def rename_constant(s: Changed) -> None:
    old, new = s.one(list(s.constants)), s.one([*TEXTS[:-1], *s.constants])
    if "\ud800" in new:
        return
    s.constants[new] = s.constants.pop(old)
    for node in s.nodes:
        for value in node["fields"].values():
            if isinstance(value, dict) and value["@"] == old:
                value["@"] = new


def other_input(s: Changed) -> None:
    node = s.node()
    place = int(s.rng.integers(len(node["inputs"])))
    node["inputs"][place] = s.one([*(n["name"] for n in s.nodes), "nothing"])


def more_inputs(s: Changed) -> None:
    node, name = s.node(), s.node()["name"]
    node["inputs"].insert(int(s.rng.integers(len(node["inputs"]) + 1)), name)
    for field in ("along", "shifts"):
        if field in node["fields"] and s.rng.random() < 0.7:
            node["fields"][field].append(node["fields"][field][0])


def fewer_inputs(s: Changed) -> None:
    node = s.node()
    node["inputs"].pop()
    for field in ("along", "shifts"):
        if field in node["fields"] and s.rng.random() < 0.7:
            node["fields"][field].pop()


def delete_node(s: Changed) -> None:
    s.nodes.remove(s.node())


def duplicate_node(s: Changed) -> None:
    """A copy, under the same name or another, that may be read by what comes later, or answer."""
    place = int(s.rng.integers(len(s.nodes)))
    copy = json.loads(json.dumps(s.nodes[place]))
    if s.rng.random() < 0.8:
        copy["name"] += "_b"
    s.nodes.insert(place + 1, copy)
    if s.rng.random() < 0.5:
        for node in s.nodes[place + 2 :: 2]:
            names = [copy["name"] if n == s.nodes[place]["name"] else n for n in node["inputs"]]
            node["inputs"] = names


def reorder(s: Changed) -> None:
    i, j = (int(s.rng.integers(len(s.nodes))) for _ in range(2))
    s.nodes[i], s.nodes[j] = s.nodes[j], s.nodes[i]


def other_op(s: Changed) -> None:
    s.node()["op"] = s.one([*DIALECTS["integer"].ops, "multiply", "", None])


def extra_key(s: Changed) -> None:
    root = s.manifest
    where = at(root, s.one([p for p in leaves(root) if isinstance(at(root, p), dict)]))
    where[s.one(["extra", "type", "unit", "range", ""])] = s.one([0, None, "x", [], {}])


def lost_key(s: Changed) -> None:
    root = s.manifest
    where = at(root, s.one([p for p in leaves(root) if p and isinstance(at(root, p), dict)]))
    where.pop(s.one(sorted(where)))


def other_head(s: Changed) -> None:
    key, values = s.one(
        [
            ("steps", [1, 2, 3, 5, 17, 0, -1, 4096, 4097, 10**6, 2**70, 2.0, True, "3", None]),
            ("profile", ["exact", "loihi-lava", "", "other", None]),
            ("output", [s.node()["name"], "nothing", ""]),
            ("dialect", ["integer", "spiking", "traced", ""]),
            ("schema", [1, 2, 1.0, True, "1"]),
            (
                "provenance",
                [{}, [], {"a": {"b": [1.5, None, True]}}, None, nested(40), nested(900)],
            ),
        ]
    )
    s.manifest[key] = s.one(values)


def nested(depth: int) -> Json:
    value: Json = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def other_constant(s: Changed) -> None:
    """Numbers at the borders of what fits."""
    name = s.one(list(s.constants))
    array = s.constants[name].astype(np.int64)
    kind = int(s.rng.integers(4))
    if kind == 0:
        array = array << int(s.rng.integers(1, 62))
    elif kind == 1:
        array.reshape(-1)[int(s.rng.integers(array.size))] = s.one(
            [0, 1, -1, 2**61, -(2**61), 2**31]
        )
    elif kind == 2:
        array = np.full_like(array, s.one([0, 1, -1, 127, 2**15, 2**31, 2**52, 2**61 - 1, 2**62]))
    else:
        array = array * int(s.rng.integers(-300, 300))
    s.constants[name] = array


def other_shape(s: Changed) -> None:
    name = s.one(list(s.constants))
    array = s.constants[name]
    shapes = [array.T, array.reshape(-1), array[None], array[..., :0], array[:1], array[..., 0]]
    doubled = np.concatenate([array, array]) if array.ndim else array
    s.constants[name] = s.one([*shapes[: 6 if array.ndim else 3], doubled])


def other_dtype(s: Changed) -> None:
    name = s.one(list(s.constants))
    kinds = [np.int16, np.int32, np.int64, np.uint8, np.float32, np.bool_]
    s.constants[name] = s.constants[name].astype(s.one(kinds))


def spare_constant(s: Changed) -> None:
    s.constants[s.one(["spare", "<", "a[0]"])] = np.zeros(3, np.int8)


def other_roles(s: Changed) -> None:
    """A map's axes change places or roles, the weight's names with them."""
    node = s.one([n for n in s.nodes if n["op"] == "contract"])
    fields, roles = node["fields"], ("shared", "out", "into", "summed")
    one, other = s.one(roles), s.one(roles)
    given = [*fields.get(one, [])]
    moved = given.pop(int(s.rng.integers(len(given)))) if given else s.one(["h", "c", "w", "t"])
    fields[one] = given
    fields[other] = [*fields.get(other, []), moved]
    for role in roles:
        if not fields.get(role, [1]):
            del fields[role]
    named = [n for role in roles[:3] for n in fields.get(role, [])]
    fields["weight"]["axes"] = named
    weight = s.constants[fields["weight"]["@"]]
    if weight.ndim != len(named):
        sizes = dict(s.one(s.nodes)["type"]["axes"]) | dict(node["type"]["axes"])
        shape = [int(sizes.get(n, 2)) for n in named]
        if math.prod(shape) < 1 << 16:
            s.constants[fields["weight"]["@"]] = s.rng.integers(-4, 5, shape).astype(np.int8)


def nested_sums(s: Changed) -> None:
    """A chain of sums, each of the one before, once or twice."""
    sources = [n["name"] for n in s.nodes if n["type"]["kind"] == "current"]
    name, depth, twice = s.one(sources), int(s.one([3, 12, 40, 255, 300])), s.rng.random() < 0.3
    place = [n["name"] for n in s.nodes].index(name)
    kind = s.nodes[place]["type"]
    for node in s.nodes[place + 1 :]:
        node["inputs"] = [f"{name}.s{depth - 1}" if n == name else n for n in node["inputs"]]
    chain: list[Json] = []
    for number in range(depth):
        source = f"{name}.s{number - 1}" if number else name
        inputs = [source, source] if twice else [source]
        made = {"name": f"{name}.s{number}", "op": "sum", "fields": {}, "inputs": inputs}
        chain.append({**made, "type": json.loads(json.dumps(kind)), "locs": []})
    s.nodes[place + 1 : place + 1] = chain


MUTATIONS: list[Mutation] = [
    *(odd_value, odd_value, field_value, field_value, field_value, new_field, new_field, new_field),
    *(rename_axis, rename_axis, rename_node, rename_constant, other_input, other_input),
    *(more_inputs, fewer_inputs, delete_node, duplicate_node, duplicate_node, reorder, other_op),
    *(extra_key, lost_key, other_head, other_head, other_constant, other_constant, other_shape),
    *(other_dtype, spare_constant, other_roles, other_roles, nested_sums),
]
