"""Counts of passed thresholds: rules, and every way to run them."""

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
from generators.programs import program
from generators.staircases import STAIRCASES
from structure_fuzzer import sealed

from snncc.artifact import Program, load_program, program_digest, save_program
from snncc.artifact.program import canonical, to_manifest
from snncc.backends.lava_nc.expressible import check_expressible
from snncc.checker import Rejected, check
from snncc.diagnostics import SnnccError
from snncc.ir import TIME, Graph, GraphBuilder, Kind, VerifyError, verify
from snncc.ir.dialects.integer import IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames
from snncc.ir.dialects.thresholds import LEVEL, MultiThreshold
from snncc.ir.text import parse_graph, print_graph
from snncc.mfi import Level, prove
from snncc.mfi.certificate import certify
from snncc.mfi.widths.proof import prove_widths
from snncc.runtime import ALL, interpret
from snncc.runtime.counts.synaptic_operations import count_operations
from snncc.runtime.proofs.dynamic_proof import prove_by_running

MOST_STEPS = 6


def of_staircases(seed: int) -> Graph:
    return program(seed, STAIRCASES)


def certified(graph: Graph, path: Path) -> tuple[bytes, bytes]:
    save_program(path, Program(graph, {}))
    content = path.read_bytes()
    digest = program_digest(Program(graph, {}))
    record = certify(graph, digest, hashlib.sha256(content).hexdigest())
    return content, (canonical(record) + "\n").encode()


@pytest.mark.parametrize("first", range(0, 12, 3))
def test_every_way_to_run_gives_the_interpreters_bits(
    first: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for seed in range(first, first + 3):
        graph = of_staircases(seed)
        assert print_graph(parse_graph(print_graph(graph), graph.constants)) == print_graph(graph)
        content, said = certified(graph, tmp_path / "p.snncc")
        assert check(content, said) == json.loads(said)
        assert load_program(tmp_path / "p.snncc").graph.nodes == graph.nodes
        assert all(width.holds for width in prove_widths(graph))
        given = images(graph, seed, 2)
        proof = prove_by_running(graph, given, ALL)
        assert np.array_equal(proof.execution.readout, interpret(graph, given, ALL).readout)
        if graph.steps > MOST_STEPS:
            continue
        with monkeypatch.context() as patch:
            if seed % 3 == 0:
                patch.setattr("snncc.runtime.simulator.plan_units", checked_plan)
            became = tried(graph, images(graph, seed, 3), seed)
        assert became.differences == (), seed
        for node in graph.select(MultiThreshold):
            assert became.host[node.name] == "compiled units have no multi_threshold"


def test_programs_have_all_of_them() -> None:
    found: Counter[str] = Counter()
    for seed in range(40):
        graph = of_staircases(seed)
        for node in graph.select(MultiThreshold):
            op = node.op
            assert isinstance(op, MultiThreshold)
            low, high = node.type.range or (0, 0)
            found["below 0"] += low < 0
            found["many"] += high - low > 255
            found["by step"] += TIME in op.thresholds.axes
            found["signs"] += op.polarity is not None
            found["no time"] += not node.type.temporal
            for reader in graph.readers[node.name]:
                found[reader.op.mnemonic] += 1
    wanted = {"below 0", "many", "by step", "signs", "no time"}
    wanted |= {"contract", "convolve", "largest", "sum", "gate", "product", "take", "concat"}
    assert wanted <= {name for name, times in found.items() if times}, found


def by_hand(x: np.ndarray, thresholds: np.ndarray, sign: int, lowest: int) -> np.ndarray:
    counted = [[lowest + sum(sign * int(v) >= k for k in thresholds) for v in row] for row in x]
    return np.array(counted)


@pytest.mark.parametrize("sign", [-1, 0, 1])
def test_it_is_its_equation_over_the_whole_range(sign: int) -> None:
    thresholds = np.array([-130, -128, -128, 0, 0, 0, 1, 127, 128, 129])
    graph, b = byte_program(thresholds, sign, -2)
    given = np.arange(256, dtype=np.uint8)[:, None]
    wanted = by_hand(given, thresholds, sign, -2)
    assert np.array_equal(interpret(graph, given, ALL).readout, wanted)
    assert b == (-2, 8)


def byte_program(thresholds: np.ndarray, sign: int, lowest: int) -> tuple[Graph, object]:
    b = GraphBuilder("integer", 1, "exact")
    image = b.add(Frames(("f",), (1,)), name="image")
    one = b.constant("one", np.array(1, np.int8), ())
    x = b.add(Contract(one), [image])
    op = MultiThreshold(
        b.constant("k", thresholds, (LEVEL,)), b.constant("p", np.array(sign, np.int8), ()), lowest
    )
    counted = b.add(op, [x], name="counted")
    assert b[counted].type.kind is Kind.COUNT
    answer = b.add(Contract(b.constant("two", np.array(1, np.int8), ())), [counted])
    graph = b.finish(b.add(IntegerReadout(), [answer], name="readout"))
    verify(graph)
    return graph, b[counted].type.range


def test_verdict_counts_and_what_lava_says() -> None:
    graph, _ = byte_program(np.arange(1, 16), 1, 0)
    verdict = prove(graph)
    assert verdict.level is Level.STRICT
    need = next(op.need for op in verdict.ops if op.name == "counted")
    assert need.reason == "a current is compared with 15 thresholds, those passed are counted"
    counted = count_operations(graph, np.array([[200]], np.uint8))
    assert counted.product_adds == 14
    with pytest.raises(SnnccError, match="how many thresholds") as caught:
        check_expressible(graph)
    assert caught.value.code == "SNN040"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"k": np.array([3, 2])}, "do not ascend"),
        ({"p": np.array(2, np.int8)}, "polarity"),
        ({"k": np.array([1, 1 << 70 >> 9]).astype(np.int64)}, "bits"),
    ],
)
def test_what_is_none_is_refused_by_loader_and_checker(
    change: dict[str, np.ndarray], why: str, tmp_path: Path
) -> None:
    graph, _ = byte_program(np.array([2, 3]), 1, 0)
    _, said = certified(graph, tmp_path / "p.snncc")
    bad = replace(graph, constants={**graph.constants, **change})
    with pytest.raises(VerifyError, match=why):
        verify(bad)
    with pytest.raises(Rejected):
        check(sealed(to_manifest(Program(bad, {})), dict(bad.constants)), said)
