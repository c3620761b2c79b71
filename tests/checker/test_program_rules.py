"""No program with a right checksum that breaks a rule of docs/program_rules.md is believed.

Not by the loader, not by the checker, not by the prover when the graph was built in Python.
"""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from certificates import certificate_of, file_of, hand_made
from lying_programs import LIES, LIMITS, honest, nested
from program_outcomes import outcome
from structure_fuzzer import sealed

from snncc.artifact import load_program
from snncc.artifact.program import canonical, from_manifest
from snncc.checker import Rejected, check
from snncc.checker.certificate import expected
from snncc.cli.main import run
from snncc.diagnostics import SnnccError
from snncc.ir import Graph, VerifyError, verify
from snncc.ir.codec import CodecError
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.mfi import Level, prove
from snncc.mfi.certificate import certify
from snncc.mfi.prover import bits


def test_what_is_honest_is_accepted(tmp_path: Path) -> None:
    became = outcome(sealed(*honest()), tmp_path / "p.snncc")
    assert (became.verdict, became.fault) == ("accepted", "")


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_refused_by_the_loader_and_by_the_checker(name: str, tmp_path: Path) -> None:
    content, path = sealed(*LIES[name]()), tmp_path / "p.snncc"
    path.write_bytes(content)
    with pytest.raises(SnnccError) as caught:
        load_program(path)
    assert caught.value.code == ("SNN070" if name in LIMITS else "SNN017")
    finding = caught.value.findings[0]
    assert finding.why.isprintable()
    assert finding.help
    with pytest.raises(Rejected) as rejected:
        expected(content)
    assert str(rejected.value).isprintable()


@pytest.mark.parametrize("name", LIES)
def test_a_lie_built_in_python_has_no_certificate(name: str) -> None:
    manifest, constants = LIES[name]()
    try:
        graph = from_manifest(manifest, constants).graph
    except (CodecError, RecursionError, UnicodeError):
        return  # no graph can say so
    if name in ("half a surrogate pair", "provenance nested 900 deep"):
        return  # where a program comes from is no part of the graph
    assert prove(graph).level is Level.NONE
    with pytest.raises(VerifyError):
        certify(graph, "", "")


SLOW = [
    *("stride 0", "shift 2^70", "shift 10^10", "a gain's shift of 2^40", "decay shift 2^62"),
    *("decay [1, 10^10]", "10^6 steps", "no place at all", "an axis of 2^31", "900 nested sums"),
    *("60 doubled sums", "padding 2^20", "provenance nested 900 deep"),
]


@pytest.mark.parametrize("name", SLOW)
def test_what_crashed_or_hung_is_one_coded_error_at_once(
    name: str, tmp_path: Path, root: Path
) -> None:
    """In a process of its own, with 2 GB and a minute; both commands need a second or two."""
    path = tmp_path / "p.snncc"
    path.write_bytes(sealed(*LIES[name]()))
    (tmp_path / "c.json").write_text("{}\n")
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30)); "
        "from {} import main; sys.exit(main(sys.argv[1:]))"
    )
    for module, arguments, codes in (
        ("snncc.cli.main", ["verify", "--widths", str(path)], (3, 4)),
        ("snncc.checker.__main__", [str(path), str(tmp_path / "c.json")], (1,)),
    ):
        done = subprocess.run(
            [sys.executable, "-c", limited.format(module), *arguments],
            capture_output=True, text=True, timeout=60, cwd=root, check=False,
        )  # fmt: skip
        assert done.returncode in codes, done.stderr
        assert "Traceback" not in done.stderr
        said = done.stderr if module == "snncc.cli.main" else done.stdout
        assert said.startswith(("error[SNN017]", "error[SNN070]", "rejected: "))


def test_bytes_after_the_constants_are_refused(tmp_path: Path) -> None:
    content, path = sealed(*honest()), tmp_path / "p.snncc"
    for more in (b"\0", b"\0" * 8):
        path.write_bytes(content + more)
        with pytest.raises(SnnccError, match="not a readable program"):
            load_program(path)
        with pytest.raises(Rejected, match="more bytes than constants"):
            expected(content + more)


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h["__metadata__"].update(more="x"),
        lambda h: h["v"].update(more=1),
        lambda h: h.update(dict([("v", h.pop("v"))])),
    ],
)
def test_a_header_has_one_form(change, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Other metadata, other keys, another order, spaces."""
    content, path = sealed(*honest()), tmp_path / "p.snncc"
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    change(header)
    for text in (json.dumps(header, separators=(",", ":")), json.dumps(header)):
        head = text.encode()
        head += b" " * (-len(head) % 8)
        other = len(head).to_bytes(8, "little") + head + content[8 + length :]
        assert outcome(other, path, run=False).code in ("SNN017", ""), text
        if other != content:
            assert outcome(other, path, run=False).verdict == "refused"
    spaced = content[8 : 8 + length] + b" " * 8
    other = (length + 8).to_bytes(8, "little") + spaced + content[8 + length :]
    assert outcome(other, path, run=False).verdict == "refused"


def test_a_certificate_has_one_form(tmp_path: Path) -> None:
    graph = hand_made()
    program = file_of(graph, tmp_path)
    certificate = certificate_of(graph, program)
    record = json.loads(certificate)
    check(program, certificate)
    floats = canonical({**record, "steps": float(record["steps"])}).encode() + b"\n"
    for other in (certificate.rstrip(), b" " + certificate, floats, json.dumps(record).encode()):
        with pytest.raises(Rejected, match="canonical form"):
            check(program, other)


@pytest.mark.parametrize("kind", ["deep", "wide"])
def test_what_the_limits_allow_is_judged_and_runs(kind: str, tmp_path: Path) -> None:
    """256 nested sums, and 12 that double: 4,096 terms."""
    lie = nested(256, False) if kind == "deep" else nested(12, True)
    became = outcome(sealed(*lie()), tmp_path / "p.snncc")
    assert (became.verdict, became.fault) == ("accepted", "")


def wide_membranes(which: int) -> Graph:
    """Three populations in a row; one of them has the widest membrane."""
    graph = hand_made(threshold=30, reset="hard", compare="ge")
    (old,) = graph.select(IntegerPopulation)
    from snncc.ir import GraphBuilder
    from snncc.ir.dialects.projections import Contract, Frames

    b = GraphBuilder("integer", 2, "exact")
    name = b.add(Frames(("c",), (2,)), name="image")
    for number in range(3):
        weight = 1 << (20 if number == which else 2)
        param = b.constant("w", np.full((2, 2), weight), ("c", "c"))
        name = b.add(Contract(param, ("c",), ("c",)), [name])
        op = IntegerPopulation(b.constant("t", np.array([weight, 1]), ("c",)))
        reached = op.membrane_range(b[name].type, b.context)
        name = b.add(replace(op, membrane=reached), [name], name=f"fire{number}")
    assert isinstance(old.op, IntegerPopulation)
    head = b.constant("h", np.ones((1, 2), np.int64), ("o", "c"))
    return b.finish(b.add(IntegerReadout(), [b.add(Contract(head, ("c",), ("o",)), [name])]))


@pytest.mark.parametrize("which", [0, 1, 2])
def test_the_verdict_names_the_widest_membrane_of_all_populations(
    which: int, tmp_path: Path
) -> None:
    graph = wide_membranes(which)
    widest = [n.op for n in graph.select(IntegerPopulation)][which]
    assert isinstance(widest, IntegerPopulation)
    assert prove(graph).membrane_bits == bits(widest.membrane)
    path = tmp_path / "p.snncc"
    content = file_of(graph, tmp_path)
    assert outcome(content, path).fault == ""
    for node in graph.select(IntegerPopulation):  # each one's own membrane is held to its width
        assert isinstance(node.op, IntegerPopulation)
        low, high = node.op.membrane
        op = replace(node.op, membrane=(low, high - 1))
        nodes = tuple(replace(n, op=op) if n is node else n for n in graph.nodes)
        narrow = replace(graph, nodes=nodes)
        with pytest.raises(VerifyError, match="the membrane can reach"):
            verify(narrow)
        with pytest.raises(Rejected, match=f"{node.name}.*its width holds"):
            expected(file_of(narrow, tmp_path))


def test_a_graph_that_changes_is_verified_again(tmp_path: Path) -> None:
    """What was legal once is not believed when its constants can be written to, or are others."""
    graph = hand_made()
    verify(graph)
    name = graph.select(IntegerReadout)[0].op.offset.name  # type: ignore[attr-defined]
    other = {**graph.constants, name: np.full(2, 2**62)}
    with pytest.raises(VerifyError):
        verify(replace(graph, constants=other))
    loose = dict(graph.constants)
    changing = replace(graph, constants={**loose, name: np.array([3, -4])})
    verify(changing)
    changing.constants[name][:] = 2**62
    with pytest.raises(VerifyError):
        verify(changing)
    assert prove(changing).level is Level.NONE


def test_the_command_line_says_the_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "p.snncc"
    path.write_bytes(sealed(*LIES["an image over t"]()))
    assert run(["verify", str(path)]) == 3
    assert "its time axis has 100 frames, and T is" in capsys.readouterr().err
    path.write_bytes(sealed(*LIES["4097 steps"]()))
    assert run(["verify", str(path)]) == 4
    assert "4097 time steps, the most are 4096" in capsys.readouterr().err
    assert hashlib.sha256(path.read_bytes()).hexdigest()
