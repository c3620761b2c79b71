"""Every part of every `require` of the checker rejects something: none could be lost unseen.

Most are met by changing one place of small programs that have every op, in every way of a list; the
others by what is written down here. No chance is in it.
"""

import ast
import importlib
import json
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import pytest
from broken_records import broken_records
from certificates import RARE, certificate_of, file_of, hand_made
from drawn_neurons import network
from frame_programs import small
from generators.products import PRODUCTS
from generators.programs import program
from generators.staircases import STAIRCASES
from generators.windows import WINDOWS
from looped_programs import looped
from lying_programs import LIES, honest
from mutation.functions import codes_in
from structure_fuzzer import Arrays, Json, sealed

import snncc.checker
from snncc.artifact import Program
from snncc.artifact.program import canonical, to_manifest
from snncc.checker import Rejected, check
from snncc.checker.certificate import expected, judge
from snncc.checker.delays import check_delays
from snncc.checker.form import bounded, check_manifest, check_record
from snncc.checker.packed_constants import inflated
from snncc.checker.program_file import Array, no_duplicates, read_constants
from snncc.checker.rules import OPS
from snncc.checker.sealed_program import read_program
from snncc.checker.state_fields import STATE
from snncc.checker.thresholds import LEVEL
from snncc.checker.values import NodeRecord, Value

FOLDER = Path(snncc.checker.__file__).parent
PROGRAMS = {
    **{name: RARE[name] for name in ("by step", "as it is")},
    "frames": lambda: small((-8, 7), True),
    "windows": lambda: program(1, WINDOWS),
    "products": lambda: program(15, PRODUCTS),
    "staircases": lambda: program(3, STAIRCASES),
    "states": lambda: network(0),
    "loops": lambda: looped(1),
}
LARGE = 2**24 + 1
SPIKES = Value("spike", (("a", 2), ("b", 2)), (0, 1))
CURRENT = Value("current", (("k", 2),), (-1, 1))
PICTURE = Value("pixel", (("a", 2),), (0, 255), "bit-planes")
HUGE = {"reset_shift": [2**61]}
"""A number of bits that no machine has."""
Break = Callable[[], object]


class Watch:
    """Takes the place of `require` and writes down which part of which rule rejects."""

    def __init__(self) -> None:
        self.met: set[str] = set()

    def __call__(self, condition: bool, why: str, part: str) -> None:
        if not condition:
            self.met.add(part)
            raise Rejected(why)


class Apart(ast.NodeTransformer):
    """Asks for every part of a rule by itself: what is joined by `and`, each of two comparisons."""

    def __init__(self, file: str) -> None:
        self.file, self.parts = file, list[str]()

    def visit_Expr(self, node: ast.Expr) -> Any:
        call = node.value
        if not isinstance(call, ast.Call) or ast.unparse(call.func) != "require":
            return node
        found = list[ast.Expr]()
        for part in self._parts(call.args[0]):
            name = f"{self.file}:{node.lineno}: {ast.unparse(part)}"
            self.parts.append(name)
            asked = ast.Call(call.func, [part, call.args[1], ast.Constant(name)], [])
            found.append(ast.fix_missing_locations(ast.copy_location(ast.Expr(asked), node)))
        return found

    def _parts(self, node: ast.expr) -> list[ast.expr]:
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
            return [part for each in node.values for part in self._parts(each)]
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            pairs = zip(sides, node.ops, sides[1:], strict=False)
            return [ast.Compare(left, [op], [right]) for left, op, right in pairs]
        return [node]


def functions_of(module: ModuleType) -> Iterator[FunctionType]:
    for each in vars(module).values():
        own = getattr(each, "__module__", "") == module.__name__
        for value in [each, *(vars(each).values() if isinstance(each, type) and own else ())]:
            function = value.fget if isinstance(value, property) else value
            if isinstance(function, FunctionType) and function.__module__ == module.__name__:
                yield function


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], set[str]]:
    """The parts of all rules, and those that have rejected something, which grow."""
    watch, every = Watch(), list[str]()
    for file in sorted(FOLDER.glob("*.py")):
        if file.stem in ("__init__", "__main__"):
            continue
        module = importlib.import_module(f"snncc.checker.{file.stem}")
        apart = Apart(file.name)
        tree = apart.visit(ast.parse(file.read_text()))
        codes = {each.co_qualname: each for each in codes_in(compile(tree, str(file), "exec"))}
        every += apart.parts
        monkeypatch.setattr(module, "require", watch, raising=False)
        for function in functions_of(module):
            if function.__qualname__ in codes and function.__name__ != "require":
                monkeypatch.setattr(function, "__code__", codes[function.__qualname__])
    return every, watch.met


def ruled(op: str, *sources: Value, **fields: Any) -> Break:
    """An op's own rule; a pair of axes and numbers is a constant."""
    arrays = {key: np.array(v[1]) for key, v in fields.items() if isinstance(v, tuple)}
    given = {k: {"@": k, "axes": [*v[0]]} if isinstance(v, tuple) else v for k, v in fields.items()}
    rule, _, others = OPS[op]
    return lambda: rule(NodeRecord({**others, **given}, [*sources], arrays, 3))


def neuron(source: Value = CURRENT, **fields: Any) -> Break:
    """One of one state, with other fields."""
    own = {key: ((STATE,), [1]) for key in ("leak", "gain", "form")}
    within = {"shift": [0], "states_within": [[-99, 99]], "membrane": [-99, 99]}
    return ruled("integer_neuron", source, **{**own, **within, "threshold": ((), 5), **fields})


def windows(source: Value, size: int, out: str = "b", **more: Any) -> Break:
    lists = {"kernel": [2], "stride": [1], "padding": [0], "dilation": [1]}
    return ruled("largest", source, axes=["a"], out=[out], size=[size], **lists, **more)


def of_the_manifest(**changes: Any) -> Break:
    manifest, constants = honest()
    more = changes.pop("constants", {})
    return lambda: check_manifest({**manifest, **changes}, {**constants, **more})


def of_a_record(number: int, **changes: Any) -> Break:
    record = honest()[0]["nodes"][number]
    fields = {**record["fields"], **changes.pop("fields", {})}
    return lambda: check_record({**record, "fields": fields, **changes})


def with_constant(op: str, count: int, *shape: int) -> dict[str, Any]:
    """A node that reads a large constant some times; it takes no memory."""
    array = np.broadcast_to(np.zeros(1, np.int8), shape)
    record = honest()[0]["nodes"][1]
    fields = {f"f{number}": {"@": "large", "axes": ["k"]} for number in range(count)}
    return {"nodes": [{**record, "op": op, "fields": fields}], "constants": {"large": array}}


def delayed(*nodes: tuple[str, str, list[str]], **values: Value) -> Break:
    records = [{"name": n, "op": op, "inputs": inputs, "fields": {}} for n, op, inputs in nodes]
    return lambda: check_delays(records, values)


def of_packed() -> Iterator[Break]:
    """Constants in fewer bits than bytes."""
    a = np.resize(np.arange(-4, 4, dtype=np.int8), (25, 41))

    def packed(bits: int) -> Array:
        flat = (a.reshape(-1, 1).view(np.uint8) >> np.arange(bits, dtype=np.uint8)) & 1
        return np.packbits(flat, bitorder="little")

    good, told = packed(3), {"w": [3, [25, 41]]}
    behind = good.copy()
    behind[-1] |= 0x80
    full = np.arange(20_000).astype(np.int8)
    wrong: list[tuple[dict[str, Array], Json]] = [
        *(({"w": good}, None), ({"w": good}, [1]), ({"w": good}, {"v": [3, [25, 41]]}), ({}, {})),
        *(({"w": good}, {"w": [3, [2**32]]}), ({"w": good, "v": a}, told)),
        *(({"w": good, "v": full}, told), ({"w": good}, {"w": 7}), ({"w": good}, {"w": [3]})),
        *(({"w": good}, {"w": [3, "xx"]}), ({"w": np.append(good, good[:1])}, told)),
        *(({"w": behind}, told), ({"w": packed(4)}, {"w": [4, [25, 41]]})),
    ]
    assert np.array_equal(inflated({"w": good}, told)["w"], a)
    yield from (lambda each=each: inflated(*each) for each in wrong)


def of_the_file() -> Iterator[Break]:
    """Bytes that are no program."""
    content = sealed(*honest())
    length = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    whole = json.loads(header["__metadata__"]["snncc"])

    def file(metadata: Json, spaces: int = 0, last: bool = False) -> bytes:
        both = [{"__metadata__": metadata}, {k: header[k] for k in header if k in "wvth"}]
        whole = both[last] | both[not last]
        text = json.dumps(whole, separators=(",", ":")).encode()
        text = text.ljust(-(-len(text) // 8) * 8 + spaces)
        return len(text).to_bytes(8, "little") + text + data

    class Huge(bytes):
        def __len__(self) -> int:
            return 2**31 + 1

    entry = {"dtype": "I8", "shape": [2], "data_offsets": [0, 2]}
    contents = [
        b"\xff" * 8 + content[8:],
        file(header["__metadata__"], 8),
        file(header["__metadata__"], last=True),
        file({**header["__metadata__"], "more": "1"}),
        file({"snncc": canonical({**whole, "more": 1})}),
        file({"snncc": json.dumps(whole)}),
        file({"snncc": canonical({**whole, "sha256": ""})}),
    ]
    yield from (lambda each=each: read_program(each) for each in contents)  # type: ignore[misc]
    read: list[tuple[Json, bytes]] = [
        ({}, Huge()),
        ({"w": {}}, b""),
        ({"w": {**entry, "data_offsets": [1, 2]}}, b"ab"),
        ({"w": {**entry, "dtype": "F32"}}, b"ab"),
        ({"w": {**entry, "shape": [3]}}, b"ab"),
        ({"w": entry}, b"abc"),
        ({"w": entry}, b"a"),
        ({"w": entry, "x": {**entry, "data_offsets": [2, 1]}}, b"ab"),
    ]
    yield from (lambda each=each: read_constants(*each) for each in read)  # type: ignore[misc]
    yield lambda: no_duplicates([("a", 1), ("a", 2)])


def of_the_certificate(folder: Path) -> Iterator[Break]:
    graph = hand_made()
    content = file_of(graph, folder)
    text = certificate_of(graph, content)
    said = json.loads(text)
    nodes = [{**said["nodes"][0], "range": [0, 1]}, *said["nodes"][1:]]
    for changes in ({"program": "0"}, {"nodes": nodes}, {"level": "none"}):
        changed = canonical({**said, **changes}).encode()
        yield lambda changed=changed: check(content, changed)  # type: ignore[misc]
    yield lambda: check(content, text + b"\n")


def alone() -> Iterator[Break]:
    """What no change of one place leads to."""
    names = [f"a{number}" for number in range(17)]
    wide = Value("spike", (("a", LARGE),), (0, 1))
    one, two = (Value("current", (("k", n),), (0, 1)) for n in (1, 2))
    timed = Value("current", (("k", 1),), (0, 1))
    doubled = [(f"s{n}", "sum", [f"s{n - 1}"] * 2) for n in range(1, 14)]
    yield from (
        ruled("sum_along", Value("current", wide.axes, (0, 1)), summed=["a"]),
        ruled("concat", PICTURE, PICTURE, along=["a", "a"], out="a"),
        ruled("sum", SPIKES, SPIKES, shifts=[1, 1]),
        ruled("product", wide, wide, summed=["a"]),
        ruled("take", SPIKES, axes=["a", "a"], out=["c", "d"], runs=[[0, 1, 1], [0, 1, 1]]),
        ruled("take", SPIKES, axes=["a"], out=["b"], runs=[[0, 1, 1]]),
        windows(SPIKES, 1),
        windows(Value("spike", (("a", LARGE),), (0, 1)), LARGE - 1),
        ruled("frames", axes=["c"], shape=[2], encoding="bit-planes", domain=[0, 255]),
        ruled("contract", SPIKES, weight=(("k",), [1]), into="k"),
        ruled(
            *("convolve", Value("spike", (("c", 1), ("h", 1), ("w", 2)), (0, 1))),
            weight=(("o", "i", "y", "x"), np.ones((1, 1, 1, 1))), padding=[4096, 4096],
            channel="c", height="h", width="w", out_channel="c", out_height="h", out_width="w",
        ),
        ruled("multi_threshold", Value("current", ((LEVEL, 2),), (0, 1)), thresholds=((), 1)),
        ruled("multi_threshold", CURRENT, thresholds=((LEVEL,), np.arange(4097))),
        neuron(most=300, step=((), 1)),
        neuron(most=300, step=((), 1), amount=((STATE,), [2])),
        neuron(most=2, step=((), 0)),
        neuron(most=2, step=((), 1), threshold=None),
        neuron(below=((), 5)),
        neuron(swallow=[False]),
        neuron(shift=[]),
        neuron(reset_shift=[70]),
        neuron(most=300, step=((), 1), amount=((STATE,), [1]), keep=((STATE,), [1]), **HUGE),
        neuron(leak=((STATE,), [1] * 9)),
        neuron(Value("current", ((STATE, 2),), (0, 1))),
        neuron(threshold=None, amount=((STATE,), [1])),
        of_the_manifest(more=1),
        of_the_manifest(nodes={}),
        of_the_manifest(nodes=[{}] * (2**14 + 1)),
        of_the_manifest(provenance=[]),
        of_the_manifest(schema=3),
        of_the_manifest(**with_constant("sum", 33, 2**26), schema=1),
        of_the_manifest(**with_constant("integer_population", 1, 2**20), schema=1, steps=4096),
        of_a_record(1, inputs={}),
        of_a_record(1, inputs=["image"] * (2**12 + 1)),
        of_a_record(1, locs={}),
        of_a_record(1, fields={"into": names}),
        *second_parts(),
        delayed(("d", "delay", [])),
        delayed(("d", "delay", ["x"])),
        delayed(("d", "delay", ["x"]), d=one, x=two),
        delayed(("d", "delay", ["x"]), ("x", "sum", ["d"]), d=one, x=timed),
        delayed(("s0", "integer_population", []), ("d", "delay", ["s0"]), *doubled, d=one, s0=one),
    )  # fmt: skip


def second_parts() -> Iterator[Break]:
    """What only a later part of a rule rejects."""
    lists = {key: [1, 1] for key in ("size", "kernel", "stride", "dilation")} | {"padding": [0, 0]}
    empty: dict[str, list[int]] = {key: [] for key in ("axes", "out", *lists)}
    past = {"kind": "current", "axes": ["k"], "shape": [2], "range": [0, 1], "steps": 1}
    image = {"axes": ["c"], "shape": [2], "encoding": "bit-planes"}
    one, more = (Value("current", (("k", 1),), (0, high)) for high in (1, 2))
    many = Value("current", tuple((f"a{number}", 1) for number in range(17)), (0, 1))
    record = honest()[0]["nodes"][1]
    yield from (
        ruled("concat", along=[], out="a"),
        ruled("delay", **{**past, "axes": "k", "shape": [2]}),
        ruled("delay", **{**past, "range": [0, True]}),
        delayed(("d", "delay", ["x"]), d=one, x=more),
        of_the_manifest(nodes=[{**record, "fields": []}]),
        of_a_record(1, locs=["place"]),
        lambda: bounded(record, many, []),
        ruled("frames", **image, domain=[-1, 128]),
        ruled("pixels", SPIKES, **image),
        ruled("take", SPIKES, axes=[], out=[], runs=[]),
        ruled("integer_population", CURRENT, threshold=((), 5), membrane=[0, None]),
        ruled("integer_readout", CURRENT, unit=math.inf),
        neuron(most=300, step=((), 1), amount=((STATE,), [1]), form=((STATE,), [0])),
        neuron(states_within=[[0, None]]),
        neuron(states_within=[[-2, -1]]),
        ruled("multi_threshold", CURRENT, thresholds=((LEVEL,), [])),
        ruled("gain", CURRENT, mantissa=(("k", "k"), np.ones((2, 2), np.int64))),
        ruled("largest", SPIKES, axes=["a", "a"], out=["b", "c"], **lists),
        ruled("largest", SPIKES, **empty),
    )


def change_everything(manifest: Json, constants: Arrays) -> None:
    """One place of the first node of every op and set of fields, in every way."""
    _, arrays, _ = read_program(sealed(manifest, constants))
    values: dict[str, Value] = {}
    kinds: dict[object, str] = {}
    done = set[tuple[str, ...]]()
    for record in manifest["nodes"]:
        form = (record["op"], *(() if record["op"] in SLOW else sorted(record["fields"])))
        if form not in done:
            done.add(form)
            for changed, given in broken_records(record, arrays, [*kinds.values()][:8]):
                with suppress(Rejected, TypeError, ValueError, KeyError, IndexError):
                    judge(changed, dict(values), given, manifest["steps"])
        judge(record, values, arrays, manifest["steps"])
        value = values[record["name"]]
        kinds.setdefault((value.kind, value.axes), record["name"])
    last = manifest["nodes"][-1]
    for again in (last, {**last, "name": "another", "op": "multiply"}):
        with suppress(Rejected):
            judge(again, values, arrays, manifest["steps"])


SLOW = ("integer_neuron", "contract", "integer_population", "sum")
"""One node of these a program is enough."""


def test_every_part_of_every_rule_rejects_something(
    parts: tuple[list[str], set[str]], tmp_path: Path
) -> None:
    for make in PROGRAMS.values():
        graph = make()
        change_everything(to_manifest(Program(graph, {})), dict(graph.constants))
    for lie in LIES.values():
        with pytest.raises(Rejected):
            expected(sealed(*lie()))
    for number, wrong in enumerate(
        [*alone(), *of_packed(), *of_the_file(), *of_the_certificate(tmp_path)]
    ):
        with pytest.raises(Rejected):
            print(number, wrong())
    every, met = parts
    assert len(every) == len({*every}) > 200
    if missing := [part for part in every if part not in met]:
        pytest.fail("nothing is rejected by\n" + "\n".join(missing))


BYTES = Value("pixel", SPIKES.axes, (0, 255)), Value("count", SPIKES.axes, (-3, 5))
PAIR = Value("current", (("a", 4),), (-1, 2))
AT_BORDERS: dict[str, tuple[Break, Value]] = {
    "every axis of an image is summed": (
        ruled("contract", PICTURE, weight=(("k",), [1, 2]), out=["k"], summed=["a"]),
        Value("current", (("k", 2),), (0, 2 * 2 * 255)),
    ),
    "counts beside what has a pixel's interval": (
        ruled("concat", *BYTES, along=["a", "a"], out="a"),
        Value("count", (("a", 4), ("b", 2)), (-3, 255)),
    ),
    "offsets move both ends of what is compared": (
        windows(PAIR, 2, offset=(("a",), [10, 20, 30, 40])),
        Value("current", (("b", 2),), (9, 42)),
    ),
    "300 spikes a step, each of one step of thresholds": (
        neuron(
            **{"most": 300, "step": ((), 1), "amount": ((STATE,), [1]), "keep": ((STATE,), [1])}
        ),
        Value("count", (("t", 3), ("k", 2)), (0, 300)),
    ),
}


@pytest.mark.parametrize("name", AT_BORDERS)
def test_what_is_at_a_border_is_accepted_with_its_ends(name: str) -> None:
    rule, value = AT_BORDERS[name]
    assert rule()[0] == value  # type: ignore[index]


@pytest.mark.parametrize(("current", "reached"), [((-5, -1), [-15, 0]), ((1, 2), [0, 4])])
def test_membranes_reach_from_zero_as_far_as_three_steps_go(
    current: tuple[int, int], reached: list[int]
) -> None:
    """Down without an end; up to the threshold, which 3 is, and what is left above it: 2 + 2."""
    fields = {"threshold": ((), 3), "decay": [1, 0], "reset": "soft", "membrane": [-15, 6]}
    rule = ruled("integer_population", Value("current", (("k", 1),), current), **fields)
    assert rule()[1]["membrane"]["reached"] == reached  # type: ignore[index]
