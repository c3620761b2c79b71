"""The largest of windows and elements that are taken: rules, and every executor."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from checked_plans import checked_plan
from generators.executors import tried
from generators.inputs import images
from generators.programs import program
from generators.windows import WINDOWS
from random_networks import random_images, random_network
from test_random_networks import RAW, folded

from snncc.artifact import Program, load_program, program_digest, save_program
from snncc.artifact.program import canonical
from snncc.checker import Rejected, check
from snncc.checker.windows import _every_window_meets
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import SnnccError
from snncc.ir import Graph, GraphBuilder, Kind, Param, VerifyError, verify
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.moves import Take, runs_of
from snncc.ir.dialects.projections import Contract, Frames
from snncc.ir.dialects.windows import Largest
from snncc.ir.text import parse_graph, print_graph
from snncc.mfi import Level, prove
from snncc.mfi.certificate import certify
from snncc.mfi.widths.proof import BEFORE_SHIFT, prove_widths
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import ALL, interpret
from snncc.runtime.proofs.dynamic_proof import prove_by_running
from snncc.runtime.proofs.witness import reach
from snncc.runtime.simulator import Simulator

PROGRAMS = range(16)
CHECKED = 5
"""Plans of one program in so many are checked, which takes longer than to run it."""


def of_windows(seed: int) -> Graph:
    return program(seed, WINDOWS)


@pytest.mark.parametrize("first", PROGRAMS[::8])
def test_every_way_to_run_gives_the_interpreters_bits(
    first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(first, first + 8):
        graph = of_windows(seed)
        with monkeypatch.context() as patch:
            if seed % CHECKED == 0:
                patch.setattr("snncc.runtime.simulator.plan_units", checked_plan)
            became = tried(graph, images(graph, seed, 3), seed)
        assert became.differences == (), seed
        for node in graph.select(Largest, Take):
            assert became.host[node.name] == f"compiled units have no {node.op.mnemonic}"
        for node in graph.select(Gate):  # compiled: of currents with the axes of their gates
            axes = {frozenset(graph[name].type.names) for name in node.inputs}
            alike = node.type.kind is Kind.CURRENT and len(axes) == 1
            assert alike or node.name in became.host


def test_programs_have_all_of_them() -> None:
    nodes = [node for seed in PROGRAMS for node in of_windows(seed).select(Largest, Take, Gate)]
    found = Counter(f"{node.op.mnemonic} of {node.type.kind.value}" for node in nodes)
    assert len(found) == 6
    assert min(found.values()) > 2


@pytest.mark.parametrize("seed", PROGRAMS)
def test_text_file_certificate_and_widths(seed: int, tmp_path: Path) -> None:
    graph = of_windows(seed)
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
    graph = of_windows(seed)
    given = images(graph, seed, 2)
    proof, run = prove_by_running(graph, given, ALL), interpret(graph, given, ALL)
    assert np.array_equal(proof.execution.readout, run.readout)


def geometries(seed: int) -> tuple[dict[str, object], tuple[int, int]]:
    """Arguments of max_pool2d, and the size of an image."""
    rng = np.random.default_rng([seed, 3])
    kernel = tuple(int(n) for n in rng.integers(1, 5, 2))
    return {
        "kernel_size": kernel,
        "stride": tuple(int(n) for n in rng.integers(1, 4, 2)),
        "padding": tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel),
        "dilation": tuple(int(n) for n in rng.integers(1, 3, 2)),
        "ceil_mode": bool(rng.integers(2)),
    }, (int(rng.integers(9, 14)), int(rng.integers(9, 14)))


def fires(b: GraphBuilder, current: str, threshold: Param, name: str = "fires") -> str:
    """A population with a leak of a half, its membranes declared."""
    op = IntegerPopulation(threshold, decay=(1, 1))
    reach = op.membrane_range(b[current].type, b.context)
    return b.add(replace(op, membrane=reach), [current], name=name)


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("what", ["spikes", "currents"])
def test_windows_are_those_of_torch(seed: int, what: str) -> None:
    options, (height, width) = geometries(seed)
    rng = np.random.default_rng(seed)
    b = GraphBuilder("integer", 3, "exact")
    image = b.add(Frames(("c", "h", "w"), (2, height, width)), name="image")
    signs = b.constant("s", np.array([1, -1], np.int8), ("c",))
    current = b.add(Contract(signs, shared=("c",)), [image])
    threshold = b.constant("k", rng.integers(1, 255, (2, height, width)), ("c", "h", "w"))
    source = fires(b, current, threshold) if what == "spikes" else current
    given = rng.integers(0, 256, (4, 2, height, width)).astype(np.uint8)
    wanted = torch.nn.functional.max_pool2d(torch.zeros(1, 1, height, width), **options)  # type: ignore[arg-type]
    size = (int(wanted.shape[-2]), int(wanted.shape[-1]))
    stride, padding, dilation = (options[n] for n in ("stride", "padding", "dilation"))
    made = Largest(("h", "w"), ("y", "x"), size, options["kernel_size"], stride, padding, dilation)  # type: ignore[arg-type]
    pooled = b.add(made, [source], name="pooled")
    head = b.constant("h", rng.integers(-9, 9, (5, 2, *size)), ("o", "c", "y", "x"))
    if what == "currents":
        pooled = fires(b, pooled, b.constant("l", np.array(9), ()), "after")
    answer = b.add(Contract(head, ("c", "y", "x"), ("o",)), [pooled])
    graph = b.finish(b.add(IntegerReadout(), [answer]))
    verify(graph)
    run = interpret(graph, given, ALL)
    fast = Simulator(graph).run(given, ALL)
    assert np.array_equal(run.readout, fast.readout)

    def pool(x: np.ndarray) -> np.ndarray:
        lead = x.shape[:-3]
        whole = torch.tensor(x.reshape(-1, *x.shape[-3:]), dtype=torch.float64)
        out = torch.nn.functional.max_pool2d(whole, **options)  # type: ignore[arg-type]
        return out.numpy().astype(np.int64).reshape(*lead, *out.shape[1:])

    if what == "spikes":
        bits = run.spikes[source].astype(np.int64)
        weights = graph.constants[graph[graph[graph.output].inputs[0]].op.weight.name]  # type: ignore[attr-defined]
        wanted_answer = np.einsum("btcyx,ocyx->bo", pool(bits), weights.astype(np.int64))
        assert bits.any()
        assert np.array_equal(run.readout, wanted_answer)
    else:
        signed = given.astype(np.int64) * np.array([1, -1])[:, None, None]
        first = run.membranes["after"][:, 0]
        assert np.array_equal(first, pool(signed))


@pytest.mark.parametrize("first", range(0, 60, 10))
def test_passes_keep_every_spike_of_pooled_networks(first: int) -> None:
    refused = kept = 0
    for seed in range(first, first + 10):
        graph = random_network(seed, pooled=True)
        given = random_images(graph, seed, 3)
        try:
            spiking = folded(graph, given, CompileOptions(normalize=RAW.normalize))
        except SnnccError as error:
            refused += {f.code for f in error.findings} <= {"SNN030", "SNN031"}
            continue
        bits = (4, 8, 16)[seed % 3]
        lowered = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, bits), bits)])
        slow, fast = interpret(lowered, given, ALL), Simulator(lowered).run(given, ALL)
        assert np.array_equal(slow.readout, fast.readout), seed
        for name in slow.spikes:
            assert np.array_equal(slow.membranes[name], fast.membranes[name]), (seed, name)
        assert all(width.holds for width in prove_widths(lowered)), seed
        kept += 1
    assert kept + refused == 10
    assert kept > 5


def plain(**changes: object) -> Graph:
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("c", "h"), (2, 6)), name="image")
    one = b.constant("one", np.array([1, 1], np.int8), ("c",))
    current = b.add(Contract(one, shared=("c",)), [image])
    fields = dict(
        axes=("h",), out=("y",), size=(3,), kernel=(2,), stride=(2,), padding=(0,), dilation=(1,)
    )
    pooled = b.add(Largest(**{**fields, **changes}), [current], name="pooled")  # type: ignore[arg-type]
    return b.finish(b.add(IntegerReadout(), [pooled]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"axes": ()}, "windows need an axis"),
        ({"axes": ("h", "h"), "out": ("y", "x")}, "one number an axis is needed"),
        ({"axes": ("t",)}, "a step never reads another"),
        ({"out": ("t",)}, "a step never reads another"),
        ({"out": ("c",)}, "an axis twice"),
        ({"axes": ("q",)}, "has no axis 'q'"),
        ({"kernel": (0,)}, "at least 1"),
        ({"stride": (0,)}, "at least 1"),
        ({"dilation": (0,)}, "at least 1"),
        ({"padding": (-1,)}, "negative"),
        ({"padding": (4097,)}, "beyond 4096"),
        ({"size": (4,)}, "has no element of the source"),
        ({"padding": (2,)}, "has no element of the source"),
        ({"kernel": (4097,)}, "beyond 4096"),
        ({"kernel": (4096,), "size": (1 << 13,)}, "the most are"),
    ],
)
def test_windows_that_mean_nothing_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises((VerifyError, ValueError), match=said):
        plain(**changes)


@pytest.mark.parametrize("seed", range(300))
def test_windows_without_an_element_are_found(seed: int) -> None:
    """By rule and by checker as by trying every place, also where a dilation jumps the source."""
    rng = np.random.default_rng([seed, 11])
    size, kernel, stride, dilation = (int(n) for n in rng.integers(1, (9, 5, 6, 12)))
    padding = int(rng.integers(0, 14))
    met = all(
        any(0 <= o * stride + k * dilation - padding < 6 for k in range(kernel))
        for o in range(size)
    )
    fields = dict(
        size=(size,), kernel=(kernel,), stride=(stride,), padding=(padding,), dilation=(dilation,)
    )
    for judge in (
        lambda: plain(**fields),
        lambda: _every_window_meets(6, size, kernel, stride, padding, dilation),
    ):
        if met:
            judge()
        else:
            with pytest.raises((ValueError, Rejected), match="no element of the source"):
                judge()


def test_a_maximum_of_spikes_has_no_offset() -> None:
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("h",), (4,)), name="image")
    current = b.add(Contract(b.constant("one", np.array(1, np.int8), ())), [image])
    op = IntegerPopulation(b.constant("k", np.array(9), ()), membrane=(0, 510))
    spikes = b.add(op, [current])
    offset = b.constant("o", np.array([1, 2, 3, 4]), ("h",))
    windows = Largest(("h",), ("y",), (2,), (2,), (2,), (0,), (1,), offset)
    with pytest.raises(ValueError, match="an offset belongs to currents"):
        b.add(windows, [spikes])


@pytest.mark.parametrize(
    ("index", "runs"),
    [
        ([0, 1, 2, 3], (0, 1, 4)),
        ([3, 2, 1], (3, -1, 3)),
        ([-1, -1, 0, 2, 4, -1], (-1, 0, 2, 0, 2, 3, -1, 0, 1)),
        ([5], (5, 0, 1)),
        ([2, 2, 2], (2, 0, 3)),
        ([0, 0, 1, 1], (0, 0, 2, 1, 0, 2)),
        ([7, 0, 1], (7, -7, 2, 1, 0, 1)),
    ],
)
def test_runs_say_the_index(index: list[int], runs: tuple[int, ...]) -> None:
    assert runs_of(index) == runs
    assert Take(("h",), ("h",), (runs,)).index(0).tolist() == index


@pytest.mark.parametrize("seed", range(50))
def test_any_index_has_runs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    index = rng.integers(-1, 4, rng.integers(1, 20)).tolist()
    assert Take(("h",), ("h",), (runs_of(index),)).index(0).tolist() == index


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"axes": (), "out": (), "runs": ()}, "an axis is needed"),
        ({"runs": ((0, 1),)}, "three numbers"),
        ({"runs": ((),)}, "three numbers"),
        ({"runs": ((0, 1, 0),)}, "a run of 0 elements"),
        ({"runs": ((0, 1, 7),)}, "leaves the 6 elements"),
        ({"runs": ((2, -1, 4),)}, "leaves the 6 elements"),
        ({"runs": ((-2, 0, 1),)}, "leaves the 6 elements"),
        ({"runs": ((-1, 1, 2),)}, "no step"),
        ({"runs": ((0, 0, (1 << 24) + 1),)}, "elements along an axis"),
        ({"axes": ("t",)}, "a step never reads another"),
        ({"axes": ("q",)}, "has no axis 'q'"),
        ({"out": ("c",)}, "an axis twice"),
        ({"axes": ("h", "h")}, "one entry an axis"),
    ],
)
def test_elements_that_cannot_be_taken_are_refused(changes: dict[str, object], said: str) -> None:
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("c", "h"), (2, 6)), name="image")
    one = b.constant("one", np.array([1, 1], np.int8), ("c",))
    current = b.add(Contract(one, shared=("c",)), [image])
    fields = {"axes": ("h",), "out": ("y",), "runs": ((0, 2, 3),), **changes}
    with pytest.raises((VerifyError, ValueError), match=said):
        b.add(Take(**fields), [current])  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [of_windows, program])
@pytest.mark.parametrize("seed", range(25, 40))
def test_witnesses_run_and_stay_within_what_is_proved(
    seed: int, make: Callable[[int], Graph]
) -> None:
    """A maximum is driven up through one element, so that some bounds are reached, none passed.

    What an element is not made of has a value all the same: the other half of a concat.
    """
    graph, reached = make(seed), 0
    for width in prove_widths(graph):
        for witness in (width.low, width.high):
            before = width.what == BEFORE_SHIFT
            ends = reach(graph, witness.node, witness.element, witness.inputs, before)
            assert width.low.bound <= ends[0], (seed, width)
            assert ends[1] <= width.high.bound, (seed, width)
            reached += ends[witness.upper] == witness.bound
    assert reached > 0
