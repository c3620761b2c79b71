"""The checker accepts every honest certificate and rejects after any change to either file."""

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from certificates import RARE, by_step, certificate_of, file_of, hand_made
from folded import lower
from programs import lowered_from_unit_pixels as lowered

from snncc.artifact.program import canonical
from snncc.checker import Rejected, check
from snncc.cli.main import run
from snncc.ir import (
    Context,
    Graph,
    Kind,
    Node,
    Op,
    TypeRuleError,
    ValueType,
    VerifyError,
    verify,
)
from snncc.ir.dialects.integer import Gain, IntegerPopulation
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.mfi import Level, prove
from snncc.mfi.folds.roundings import RoundedWeights, prove_roundings
from snncc.quantize.lower_to_integers import narrow

PLANTED = 200
LEGAL = 1000
KINDS = ("multiplication", "foreign op", "narrow", "threshold", "weight")


def accepted(program: bytes, certificate: bytes) -> bool:
    try:
        check(program, certificate)
    except Rejected:
        return False
    return True


def why(program: bytes, certificate: bytes) -> str:
    with pytest.raises(Rejected) as caught:
        check(program, certificate)
    return str(caught.value)


@dataclass(frozen=True)
class Multiply(Op):
    """What must not pass."""

    mnemonic: ClassVar[str] = "multiply"

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        return inputs[0]


def swapped(graph: Graph, old: Node, new: Node) -> Graph:
    return replace(graph, nodes=tuple(new if node is old else node for node in graph.nodes))


def retyped(graph: Graph, start: Node | None = None) -> Graph:
    """The graph with all types, and membranes, worked out again; after `start` if given."""
    nodes: dict[str, Node] = {}
    fresh = start is None
    for node in graph.nodes:
        new = node
        if fresh:
            inputs = tuple(nodes[name].type for name in node.inputs)
            if isinstance(node.op, IntegerPopulation):
                reached = node.op.membrane_range(inputs[0], graph.context)
                new = replace(node, op=replace(node.op, membrane=reached))
            new = replace(new, type=new.op.infer(inputs, graph.context))
        fresh = fresh or node is start
        nodes[node.name] = new
    return replace(graph, nodes=tuple(nodes.values()))


def one_off(graph: Graph, name: str, rng: np.random.Generator, by: int = 1) -> Graph:
    """A constant with one element changed by one, or by more."""
    array = graph.constants[name].astype(np.int64)
    array.reshape(-1)[int(rng.integers(array.size))] += by * int(rng.choice([-1, 1]))
    return retyped(replace(graph, constants={**graph.constants, name: narrow(array)}))


def forged(graph: Graph, folder: Path, honest: bytes) -> tuple[bytes, bytes]:
    """A changed program with the right hashes, and the best certificate that a liar has for it."""
    program = file_of(graph, folder)
    try:
        return program, certificate_of(graph, program)
    except ValueError:  # the prover refuses: the liar changes the hashes of the old one
        record: dict[str, Any] = json.loads(honest)
        header = json.loads(program[8 : 8 + int.from_bytes(program[:8], "little")])
        record["program"] = json.loads(header["__metadata__"]["snncc"])["sha256"]
        record["file"] = hashlib.sha256(program).hexdigest()
        return program, (canonical(record) + "\n").encode()


def test_a_thousand_legal_programs_are_accepted(tmp_path: Path) -> None:
    levels: set[str] = set()
    for seed in range(LEGAL):
        decay = ("approximate", "by-step")[seed % 2]
        graph = lowered(seed, ("shift-add", "unshared")[seed % 4 == 3], decay)
        program = file_of(graph, tmp_path)
        found = check(program, certificate_of(graph, program))
        assert found["level"] == prove(graph).level.label
        levels.add(found["level"])
    assert levels == {"strict", "shift-add"}


@pytest.mark.parametrize("seed", range(0, PLANTED, 10))
def test_planted_faults_are_caught(seed: int, tmp_path: Path) -> None:
    """The attacker corrects every hash and width and has a certificate made for what he planted."""
    for each in range(seed, seed + 10):
        _plant(KINDS[each % len(KINDS)], each, tmp_path)


def _plant(kind: str, seed: int, folder: Path) -> None:
    rng = np.random.default_rng(seed)
    source = lower(seed)
    graph = source.program
    program = file_of(graph, folder)
    honest = certificate_of(graph, program)
    assert accepted(program, honest)
    if kind == "multiplication":
        # A map reads the current that its population integrates: weights meet integers.
        sites = [
            node
            for node in graph.select(Contract, Convolve)
            if graph[node.inputs[0]].type.kind is Kind.SPIKE
        ]
        node = sites[int(rng.integers(len(sites)))]
        current = graph[node.inputs[0]].inputs[0]
        changed = swapped(graph, node, replace(node, inputs=(current,)))
        assert prove(changed).level is Level.NONE
        assert "multiplication" in why(*forged(changed, folder, honest))
    elif kind == "foreign op":
        node = graph.nodes[int(rng.integers(len(graph.nodes)))]
        changed = swapped(graph, node, replace(node, op=Multiply()))
        assert prove(changed).level is Level.NONE
        assert "multiply is no op" in why(*forged(changed, folder, honest))
    elif kind == "narrow":
        changed = _narrowed(graph, rng)
        with pytest.raises(VerifyError):
            verify(changed)
        reason = why(*forged(changed, folder, honest))
        assert "declared" in reason or "its width holds" in reason
    elif kind == "threshold":
        node = graph.select(IntegerPopulation)[int(rng.integers(len(source.prove())))]
        assert isinstance(node.op, IntegerPopulation)
        changed = one_off(graph, node.op.threshold.name, rng)
        # Another legal program: only the proof against the original network can know.
        fake = forged(changed, folder, honest)
        assert accepted(*fake)
        assert [site.name for site in source.prove(changed) if site.wrong] == [node.name]
        assert sum(site.wrong for site in source.prove()) == 0
        assert not accepted(fake[0], honest)
    else:
        sites = graph.select(Contract, Convolve)
        node = sites[int(rng.integers(len(sites)))]
        assert isinstance(node.op, Contract | Convolve)

        def rounded(which: Graph) -> dict[str, RoundedWeights]:
            return {r.name: r for r in prove_roundings(source.spiking, which, source.scales, 8)}

        before = rounded(graph)
        tied = before[node.name].farthest > 0.5 - 1e-9  # where two integers are as near, two off
        changed = one_off(graph, node.op.weight.name, rng, 2 if tied else 1)
        fake = forged(changed, folder, honest)
        assert accepted(*fake)
        assert not accepted(fake[0], honest)
        after = rounded(changed)
        worse = [n for n in before if after[n].farthest > before[n].farthest + 0.4]
        missed = [n for n in before if after[n].nearest < after[n].weights]
        assert node.name in {*worse, *missed}
        assert all(r.nearest == r.weights for r in before.values())


def _narrowed(graph: Graph, rng: np.random.Generator) -> Graph:
    """One interval is one too short at one end; everything behind it is made to fit."""
    sites = [n for n in graph.nodes if n.type.kind in (Kind.CURRENT, Kind.READOUT)]
    sites += graph.select(IntegerPopulation)
    node = sites[int(rng.integers(len(sites)))]
    end = int(rng.integers(2))

    def shorter(interval: tuple[int, int] | None) -> tuple[int, int]:
        low, high = interval or (0, 0)
        return (low + 1, high) if end == 0 else (low, high - 1)

    if isinstance(node.op, IntegerPopulation):
        op = replace(node.op, membrane=shorter(node.op.membrane))
        return swapped(graph, node, replace(node, op=op))
    new = replace(node, type=replace(node.type, range=shorter(node.type.range)))
    return retyped(swapped(graph, node, new), new)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """A program with gains, and its certificate."""
    for seed in range(100):
        graph = lowered(seed)
        if graph.select(Gain) and graph.select(Convolve):
            program = file_of(graph, tmp_path_factory.mktemp("pair"))
            return program, certificate_of(graph, program)
    raise LookupError("no network with a gain")


@pytest.mark.parametrize("which", ["program", "certificate"])
def test_every_damaged_byte_is_caught(pair: tuple[bytes, bytes], which: str) -> None:
    rng = np.random.default_rng(1)
    place = ("program", "certificate").index(which)
    content = pair[place]
    for at in rng.choice(len(content), min(len(content), 1500), replace=False):
        damaged = bytearray(content)
        damaged[at] ^= 1 << int(rng.integers(8))
        given = [*pair]
        given[place] = bytes(damaged)
        assert not accepted(*given), at
    for cut in (0, 1, 7, 8, 100, len(content) - 1):
        given = [*pair]
        given[place] = content[:cut]
        assert not accepted(*given)
        given[place] = content + b" "
        assert not accepted(*given)


def test_every_claim_of_a_certificate_counts(pair: tuple[bytes, bytes]) -> None:
    """Each field of each node, changed by itself in a well-formed certificate."""
    program, certificate = pair
    honest = json.loads(certificate)
    changed = 0

    def variants(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [{**value, k: v} for k in value for v in variants(value[k])]
        if isinstance(value, list):
            found = [
                [*value[:i], v, *value[i + 1 :]]
                for i, e in enumerate(value[:9])
                for v in variants(e)[:9]
            ]
            return [*found, [*value, 0], value[:-1]] if value else [[0]]
        if isinstance(value, str):
            return [value + "x", "", "strict" if value == "shift-add" else "shift-add"]
        return [0 if value is None else None, (value or 0) + 1]

    for node in honest["nodes"]:
        for key in node:
            for value in variants(node[key]):
                lie = {
                    **honest,
                    "nodes": [{**n, key: value} if n is node else n for n in honest["nodes"]],
                }
                assert not accepted(program, (canonical(lie) + "\n").encode()), (node["name"], key)
                changed += 1
    for key in honest:
        for value in variants(honest[key])[:20]:
            lie = {**honest, key: value}
            assert not accepted(program, (canonical(lie) + "\n").encode()), key
            changed += 1
        less = {k: v for k, v in honest.items() if k != key}
        assert not accepted(program, (canonical(less) + "\n").encode())
    assert not accepted(program, (canonical({**honest, "more": 1}) + "\n").encode())
    assert not accepted(program, json.dumps(honest, indent=1).encode())
    assert not accepted(program, certificate.replace(b'"schema":1', b'"schema":1,"schema":1', 1))
    assert changed > 100


def test_a_certificate_of_another_program_is_rejected(tmp_path: Path) -> None:
    first, second = (file_of(lowered(seed), tmp_path) for seed in (1, 2))
    certificate = certificate_of(lowered(1), first)
    assert accepted(first, certificate)
    assert not accepted(second, certificate)


@pytest.mark.parametrize("name", RARE)
def test_prover_and_checker_agree_on_rare_forms(name: str, tmp_path: Path) -> None:
    graph = RARE[name]()
    verify(graph)
    program = file_of(graph, tmp_path)
    assert accepted(program, certificate_of(graph, program))


def changed_neurons(graph: Graph, **fields: Any) -> Graph:
    """The first population with other fields and the membrane that belongs to them."""
    node = graph.select(IntegerPopulation)[0]
    assert isinstance(node.op, IntegerPopulation)
    op = replace(node.op, **fields)
    try:
        reached = op.membrane_range(graph[node.inputs[0]].type, graph.context)
    except TypeRuleError:  # no width holds it: the liar leaves the old one
        reached = node.op.membrane
    return swapped(graph, node, replace(node, op=replace(op, membrane=reached)))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"decay": (11, 5), "decay_offset": 32}, "a whole step"),
        ({"decay": (1, 61), "decay_offset": 2**61 - 1}, "too wide"),
        ({"decay": (33, 5)}, "outside"),
    ],
)
def test_leaks_that_cannot_be_are_rejected(
    fields: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    graph = hand_made()
    program = file_of(graph, tmp_path)
    changed = changed_neurons(graph, **fields)
    with pytest.raises(VerifyError):
        verify(changed)
    assert reason in why(*forged(changed, tmp_path, certificate_of(graph, program)))


def test_a_bank_for_every_step_is_needed(tmp_path: Path) -> None:
    graph = by_step()
    honest = certificate_of(graph, file_of(graph, tmp_path))
    for node in graph.select(Convolve, Contract):
        assert isinstance(node.op, Contract | Convolve)
        name = node.op.weight.name
        if node.op.weight.axes[0] != "t":
            continue
        banks = graph.constants[name]
        more = {**graph.constants, name: np.concatenate([banks, banks[-1:]])}
        changed = replace(graph, constants=more)
        with pytest.raises(VerifyError):
            verify(changed)
        assert not accepted(*forged(changed, tmp_path, honest)), node.name


def test_numbers_beyond_the_widest_are_rejected(tmp_path: Path) -> None:
    graph = hand_made()
    name = graph.select(Contract)[0].op.weight.name  # type: ignore[attr-defined]
    huge = graph.constants[name].astype(np.int64) + 2**61
    changed = replace(graph, constants={**graph.constants, name: huge})
    program = file_of(changed, tmp_path)
    assert "62 bits" in why(program, certificate_of(graph, program))


def test_the_command_line_writes_and_checks(
    pair: tuple[bytes, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program, certificate = tmp_path / "p.snncc", tmp_path / "c.json"
    program.write_bytes(pair[0])
    assert run(["verify", str(program), "--certificate", str(certificate)]) == 0
    assert certificate.read_bytes() == pair[1]
    assert run(["verify", str(program), "--check", str(certificate)]) == 0
    capsys.readouterr()
    record = json.loads(pair[1])
    record["nodes"][1]["adders"] += 1
    certificate.write_text(canonical(record) + "\n")
    assert run(["verify", str(program), "--check", str(certificate), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["accepted"] is False
    assert "adders" in answer["reason"]
    assert run(["verify", str(program), "--check", str(tmp_path / "none.json")]) == 3
    (tmp_path / "folder").mkdir()
    wrong = ["verify", str(program), "--certificate", str(tmp_path / "none" / "c.json")]
    assert run(wrong) == 2


def test_the_checker_runs_by_itself(pair: tuple[bytes, bytes], tmp_path: Path, root: Path) -> None:
    program, certificate = tmp_path / "p.snncc", tmp_path / "c.json"
    program.write_bytes(pair[0])
    certificate.write_bytes(pair[1])

    def spawned(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "snncc.checker", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)

    held = spawned(str(program), str(certificate))
    assert (held.returncode, held.stdout.split(":")[0]) == (0, "accepted")
    certificate.write_bytes(pair[1].replace(b"strict", b"string", 1))
    wrong = spawned(str(program), str(certificate))
    assert (wrong.returncode, wrong.stdout.split(":")[0]) == (1, "rejected")
    assert len(wrong.stdout.splitlines()) == 1
    assert spawned(str(program)).returncode == 2
    assert spawned(str(program), str(tmp_path / "none")).returncode == 3
