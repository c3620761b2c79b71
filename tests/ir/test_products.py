"""Sums of what spikes select, and counts: rules, and every way to run them."""

import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from checked_plans import checked_plan
from generators.executors import tried
from generators.inputs import images
from generators.products import PRODUCTS
from generators.programs import program

from snncc.artifact import Program, load_program, program_digest, save_program
from snncc.artifact.program import canonical
from snncc.checker import Rejected, check
from snncc.ir import TIME, Graph, GraphBuilder, Kind, VerifyError, verify
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.windows import Largest
from snncc.ir.text import parse_graph, print_graph
from snncc.mfi import Level, prove
from snncc.mfi.certificate import certify
from snncc.mfi.widths.proof import BEFORE_SHIFT, prove_widths
from snncc.runtime import ALL, interpret
from snncc.runtime.compare.layer_inputs import inputs_of
from snncc.runtime.compare.neuron_rules import replay
from snncc.runtime.counts.synaptic_operations import count_operations
from snncc.runtime.proofs.dynamic_proof import prove_by_running
from snncc.runtime.proofs.witness import reach
from snncc.runtime.simulator import Simulator

PROGRAMS = range(16)
CHECKED = 3
"""Plans of one program in so many are checked, which takes longer than to run it."""
MOST_STEPS = 6
"""Of programs that run in every way: streams run every step by itself."""


def of_products(seed: int) -> Graph:
    return program(seed, PRODUCTS)


@pytest.mark.parametrize("first", PROGRAMS[::4])
def test_every_way_to_run_gives_the_interpreters_bits(
    first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(first, first + 4):
        graph = of_products(seed)
        if graph.steps > MOST_STEPS:
            continue
        with monkeypatch.context() as patch:
            if seed % CHECKED == 0:
                patch.setattr("snncc.runtime.simulator.plan_units", checked_plan)
            became = tried(graph, images(graph, seed, 3), seed)
        assert became.differences == (), seed
        for node in graph.select(SumAlong):
            assert became.host[node.name] == f"compiled units have no {node.op.mnemonic}"
        for node in graph.select(Contract, Convolve):
            low, _ = graph[node.inputs[0]].type.domain or (0, 0)
            why = became.host.get(node.name, "")  # wide sums are those of digits
            assert low < 0 or why in ("", "its numbers need more than 32 bits"), seed


def test_programs_have_all_of_them() -> None:
    found: Counter[str] = Counter()
    along = 0
    for seed in range(40):
        graph = of_products(seed)
        along += len(graph.select(SumAlong))
        for node in graph.select(Product, Sum, Take, Largest, Gate, Concat, Contract, Convolve):
            last = 1 if isinstance(node.op, Product | Gate) else 0
            for of in map(graph.by_name.__getitem__, node.inputs[last:]):
                counts = Kind.COUNT in (node.type.kind, of.type.kind)
                if isinstance(node.op, Product) or (counts and not isinstance(of.op, Frames)):
                    found[f"{node.op.mnemonic} of {of.type.kind.value}"] += 1
    wanted = {f"product of {kind}" for kind in ("spike", "count", "current")}
    wanted |= {f"{name} of count" for name in ("take", "largest", "gate", "contract", "convolve")}
    assert wanted | {"sum of spike", "sum of count", "concat of count"} <= set(found)
    assert along > 2


@pytest.mark.parametrize("seed", PROGRAMS)
def test_text_file_certificate_and_widths(seed: int, tmp_path: Path) -> None:
    graph = of_products(seed)
    assert print_graph(parse_graph(print_graph(graph), graph.constants)) == print_graph(graph)
    path = tmp_path / "p.snncc"
    save_program(path, Program(graph, {}))
    loaded = load_program(path)
    assert program_digest(loaded) == program_digest(Program(graph, {}))
    assert prove(loaded.graph).level in (Level.STRICT, Level.SHIFT_ADD)
    content = path.read_bytes()
    record = certify(loaded.graph, program_digest(loaded), hashlib.sha256(content).hexdigest())
    certificate = (canonical(record) + "\n").encode()
    assert check(content, certificate) == json.loads(certificate)
    assert all(width.holds for width in prove_widths(graph))


@pytest.mark.parametrize("seed", PROGRAMS[:12])
def test_running_it_multiplies_nothing(seed: int) -> None:
    graph = of_products(seed)
    given = images(graph, seed, 2)
    proof, run = prove_by_running(graph, given, ALL), interpret(graph, given, ALL)
    assert np.array_equal(proof.execution.readout, run.readout)


@pytest.mark.parametrize("seed", range(30, 42))
def test_witnesses_run_and_stay_within_what_is_proved(seed: int) -> None:
    graph, reached = of_products(seed), 0
    for width in prove_widths(graph):
        for witness in (width.low, width.high):
            before = width.what == BEFORE_SHIFT
            ends = reach(graph, witness.node, witness.element, witness.inputs, before)
            assert width.low.bound <= ends[0], (seed, width)
            assert ends[1] <= width.high.bound, (seed, width)
            reached += ends[witness.upper] == witness.bound
    assert reached > 0


def fires(b: GraphBuilder, current: str, threshold: int, name: str) -> str:
    op = IntegerPopulation(b.constant(f"{name}.k", np.array(threshold), ()), decay=(1, 1))
    reach = op.membrane_range(b[current].type, b.context)
    return b.add(replace(op, membrane=reach), [current], name=name)


def attention(
    places: int, width: int, thresholds: tuple[int, int, int], inverted: bool = False
) -> Graph:
    """The sums of q (k^T v) over places and width, as a readout: (places, channels of v)."""
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("n", "d"), (places, width)), name="image")
    one = b.constant("one", np.array(1, np.int8), ())
    pixels = b.add(Contract(one), [image])
    q, k, v = (fires(b, pixels, th, name) for th, name in zip(thresholds, "qkv", strict=True))
    values = b.add(Take(("d",), ("e",), ((0, 1, width),)), [v], name="values")
    kv = b.add(Product(("n",), inverted), [k, values], name="kv")
    made = b.add(Product(("d",)), [q, kv], name="made")
    graph = b.finish(b.add(IntegerReadout(), [b.add(Contract(one), [made])]))
    verify(graph)
    return graph


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize(
    ("places", "width", "thresholds"),
    [
        (4, 4, (90, 120, 150)),  # equal lengths: names alone say which axis is which
        (4096, 2, (1, 1, 1)),  # nearly all spikes, 4,096 places
        (7, 5, (1, 511, 60)),  # keys are silent
        (300, 1, (100, 100, 100)),
    ],
)
def test_attention_is_that_of_numpy(
    places: int, width: int, thresholds: tuple[int, int, int], inverted: bool
) -> None:
    graph = attention(places, width, thresholds, inverted)
    given = np.random.default_rng(places).integers(0, 256, (2, places, width), dtype=np.uint8)
    run, fast = interpret(graph, given, ALL), Simulator(graph).run(given, ALL)
    q, k, v = (run.spikes[name].astype(np.int64) for name in "qkv")
    kv = np.einsum("btnd,btne->btde", 1 - k if inverted else k, v)
    wanted = np.einsum("btnd,btde->bne", q, kv)
    assert np.array_equal(run.readout, wanted)
    assert np.array_equal(fast.readout, wanted)
    assert graph["kv"].type.range == (0, places)
    assert graph["made"].type.range == (0, places * width)
    silent = min(int(x.sum()) for x in (q, k, v)) == 0
    assert silent == (511 in thresholds)
    assert all(width.holds for width in prove_widths(graph))


@pytest.mark.parametrize("seed", PROGRAMS[:10])
def test_recomputed_currents_are_the_definitions(seed: int) -> None:
    """What `snncc compare` tells of a layer: its drive, and how far rounding can move it."""
    graph = of_products(seed)
    run = interpret(graph, images(graph, seed, 2), ALL)
    for node in graph.select(IntegerPopulation):
        inputs = inputs_of(graph, node, run.spikes, images(graph, seed, 2))
        result = replay(inputs.drive, inputs.thresholds, node.op.rule)
        t = 1 + node.type.names.index(TIME)
        assert np.array_equal(result.levels, np.moveaxis(run.membranes[node.name], t, 1))
        assert inputs.variance.min(initial=0.0) >= 0.0


def test_additions_of_products_are_counted() -> None:
    graph = attention(3, 2, (90, 120, 150))
    kv, made = graph["kv"], graph["made"]
    additions = count_operations(graph, np.zeros((2, 3, 2), np.uint8)).product_adds
    assert additions == 2 * 2 * (kv.type.neurons * (3 - 1) + made.type.neurons * (2 - 1))


def plain(**changes: object) -> Graph:
    """Two populations over (c, h) and (h, w), a product of them over h, read out."""
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("c", "h"), (2, 6)), name="image")
    one = b.constant("one", np.array(1, np.int8), ())
    first = fires(b, b.add(Contract(one), [image]), 9, "first")
    wide = b.constant("wide", np.ones((3, 2), np.int8), ("w", "c"))
    second = fires(b, b.add(Contract(wide, ("c",), ("w",)), [image]), 9, "second")
    named = {"first": first, "second": second, "image": image}
    named["short"] = b.add(Take(("h",), ("h",), ((0, 1, 5),)), [second])
    named["current"] = b.add(Contract(one), [second])
    gate, x = (named[str(changes.pop(n, n))] for n in ("first", "second"))
    made = b.add(Product(**{"summed": ("h",), **changes}), [gate, x], name="made")  # type: ignore[arg-type]
    graph = b.finish(b.add(IntegerReadout(), [b.add(Contract(one), [made])]))
    verify(graph)
    return graph


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"summed": (), "second": "first"}, "a product without a sum is a gate"),
        ({"summed": ("h", "h")}, "an axis is summed twice"),
        ({"summed": ("t",)}, "a step never reads another"),
        ({"summed": ("c",)}, "not both sources have 'c'"),
        ({"summed": ("q",)}, "not both sources have 'q'"),
        ({"first": "current"}, "selects with spikes, not with current"),
        ({"second": "short"}, "differ in the length of 'h'"),
        ({"second": "image"}, "a product reads an image, which maps alone read"),
    ],
)
def test_products_that_mean_nothing_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises((VerifyError, ValueError), match=said):
        plain(**changes)


def test_spikes_that_are_added_have_no_shifts() -> None:
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("h",), (4,)), name="image")
    one = b.constant("one", np.array(1, np.int8), ())
    spikes = fires(b, b.add(Contract(one), [image]), 9, "s")
    assert b[b.add(Sum(), [spikes, spikes])].type.range == (0, 2)
    with pytest.raises(ValueError, match="have no shifts"):
        b.add(Sum((1, 0)), [spikes, spikes])
    with pytest.raises(ValueError, match="only currents can be summed"):
        b.add(Sum(), [spikes, b.add(Contract(one), [spikes])])


@pytest.mark.parametrize(
    ("summed", "said"),
    [
        ((), "an axis is needed"),
        (("h", "h"), "an axis is summed twice"),
        (("t",), "a step never reads another"),
        (("q",), "lacks one of"),
    ],
)
def test_sums_along_no_axis_are_refused(summed: tuple[str, ...], said: str) -> None:
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("h",), (4,)), name="image")
    current = b.add(Contract(b.constant("one", np.array(1, np.int8), ())), [image])
    with pytest.raises(ValueError, match=said):
        b.add(SumAlong(summed), [current])
    assert b[b.add(SumAlong(("h",)), [current])].type.range == (0, 4 * 255)


def sealed(graph: Graph, folder: Path) -> tuple[bytes, bytes]:
    """A program's file and its certificate."""
    path = folder / "p.snncc"
    save_program(path, Program(graph, {}))
    content, digest = path.read_bytes(), program_digest(Program(graph, {}))
    record = certify(graph, digest, hashlib.sha256(content).hexdigest())
    return content, (canonical(record) + "\n").encode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rule", "sum-of-selected"),
        ("arithmetic", ["logic"]),
        ("range", [0, 5]),
        ("level", "shift-add"),
        ("adders", 1),
    ],
)
def test_the_checker_rejects_another_statement(field: str, value: object, tmp_path: Path) -> None:
    content, certificate = sealed(plain(), tmp_path)
    record = json.loads(certificate)
    assert check(content, certificate) == record
    node = next(each for each in record["nodes"] if each["name"] == "made")
    assert node[field] != value
    node[field] = value
    with pytest.raises(Rejected):
        check(content, (canonical(record) + "\n").encode())
