"""Frames in texts and files, and numbers that are given: words, schemas, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from certificates import file_of
from frame_programs import each_domain, each_form, small

import snncc
from snncc.artifact import Program, load_program, save_program
from snncc.artifact.program import from_manifest, to_manifest
from snncc.checker import Rejected
from snncc.checker.form import check_manifest
from snncc.cli.main import run
from snncc.diagnostics import SnnccError
from snncc.ir import TypeRuleError
from snncc.ir.codec import CodecError
from snncc.ir.text import parse_graph, print_graph, same_graph
from snncc.mfi import prove
from snncc.runtime import interpret
from snncc.runtime.counts.synaptic_operations import count_operations
from snncc.runtime.proofs.dynamic_proof import prove_by_running
from snncc.runtime.simulator import Simulator


def test_pixels_are_written_as_they_always_were(tmp_path: Path) -> None:
    graph = small((0, 255))
    text = print_graph(graph)
    assert "%image = pixels() {axes = [f], shape = [3]} : pixel[f:3]{0..255}" in text
    content = file_of(graph, tmp_path)
    assert b'"schema\\":1' in content
    assert same_graph(load_program(tmp_path / "program.snncc").graph, graph)


@each_form
@each_domain
def test_any_domain_is_written_and_read(
    domain: tuple[int, int], timed: bool, tmp_path: Path
) -> None:
    graph = small(domain, timed)
    assert same_graph(parse_graph(print_graph(graph), graph.constants), graph)
    content = file_of(graph, tmp_path)
    assert (b'"schema\\":2' in content) == (timed or domain != (0, 255))
    assert same_graph(load_program(tmp_path / "program.snncc").graph, graph)


def test_frames_of_a_domain_have_a_word_of_their_own() -> None:
    text = print_graph(small((0, 3)))
    assert "%image = frames() {axes = [f], shape = [3], domain = [0, 3]} : count[f:3]{0..3}" in text
    for old, new in (("= frames(", "= pixels("), (", domain = [0, 3]", ""), ("count[", "pixel[")):
        assert old in text
        with pytest.raises(ValueError, match=r"called|domain"):
            parse_graph(text.replace(old, new, 1), {})


@pytest.mark.parametrize(
    "domain", [(0, 0), (1, 3), (-3, -1), (0, 256), (-1, 128), (-129, 0), (3, 0)], ids=str
)
def test_what_8_bits_do_not_hold_is_no_domain(domain: tuple[int, int]) -> None:
    with pytest.raises(TypeRuleError, match=r"domain holds 0|8 bits"):
        small(domain)


# What is given


def test_a_number_outside_the_domain_is_named() -> None:
    graph = small((0, 3))
    numbers = np.array([[0, 3, 1], [2, 3, 9], [7, 0, 0]], np.uint8)
    for executed in (interpret, prove_by_running, count_operations):
        with pytest.raises(SnnccError) as caught:
            executed(graph, numbers)
        (finding,) = caught.value.findings
        assert finding.code == "SNN016"
        assert "image 1 holds 9 at f 2: the program takes 0..3" in finding.message
        assert "2 of 9 numbers" in finding.why


def test_no_executor_cuts_numbers_off() -> None:
    simulator, numbers = Simulator(small((0, 3)), 1), np.array([4, 0, 0], np.uint8)
    for executed in (simulator.run, lambda images: simulator.stream(images[0])):
        with pytest.raises(SnnccError, match="image 0 holds 4 at f 0"):
            executed(numbers[None])


def test_numbers_below_0_are_given_as_int8() -> None:
    signed, unsigned = small((-8, 7)), small((0, 7))
    with pytest.raises(SnnccError, match=r"int8 \[n, 3\] \(f\), not uint8"):
        interpret(signed, np.zeros((1, 3), np.uint8))
    with pytest.raises(SnnccError, match=r"uint8 \[n, 3\] \(f\), not int8"):
        interpret(unsigned, np.zeros((1, 3), np.int8))
    with pytest.raises(SnnccError, match="image 0 holds -9 at f 1"):
        interpret(signed, np.array([[0, -9, 0]], np.int8))


@pytest.mark.parametrize("domain", [(0, 255), (0, 3)], ids=str)
def test_a_program_has_one_schema(domain: tuple[int, int]) -> None:
    """An earlier version reads schema 1 alone: it refuses what it has no word for."""
    graph = small(domain)
    manifest = to_manifest(Program(graph, {}))
    assert manifest["schema"] == (1 if domain == (0, 255) else 2)
    check_manifest(manifest, dict(graph.constants))
    for other in {0, 1, 2, 3} - {manifest["schema"]}:
        changed = {**manifest, "schema": other}
        with pytest.raises(CodecError):
            from_manifest(changed, graph.constants)
        with pytest.raises(Rejected, match="schema"):
            check_manifest(changed, dict(graph.constants))


def test_the_verdict_says_what_enters() -> None:
    said = {d: prove(small(d)).encoding for d in ((0, 255), (0, 3), (-8, 7))}
    assert "each of a pixel's 8 bits selects weights (select, add, shift)" in said[0, 255]
    assert "each bit of a number 0..3 selects weights (select, add, shift)" in said[0, 3]
    assert (
        "each bit of a number -8..7 selects weights (select, add, subtract, shift)" in said[-8, 7]
    )
    timed = prove(small((0, 255), timed=True)).encoding
    assert "each bit of a number 0..255, of a frame for every step, selects weights" in timed
    assert not [text for text in (said[0, 3], said[-8, 7], timed) if "pixel" in text]


def test_the_python_interface_takes_lists_of_the_domain(tmp_path: Path) -> None:
    save_program(tmp_path / "p.snncc", Program(small((-8, 7)), {}))
    program = snncc.load(tmp_path / "p.snncc")
    wanted = interpret(program.graph, np.array([[1, 2, 3], [-8, 0, 7]], np.int8))
    assert np.array_equal(program.run([[1, 2, 3], [-8, 0, 7]]).logits, wanted.logits)
    with pytest.raises(SnnccError, match="image 0 holds 8 at f 2"):
        program.run([[1, 2, 8]])


def test_the_command_line_runs_and_refuses_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, data = str(tmp_path / "p.snncc"), str(tmp_path / "d.npz")
    save_program(tmp_path / "p.snncc", Program(small((0, 3), timed=True), {}))
    np.savez(data, x=np.full((2, 3, 2), 3, np.uint8), y=np.full((2, 3, 2), 4, np.uint8))
    for executor in ("interpreter", "simulator"):
        assert run(["run", file, f"{data}:x", "--executor", executor]) == 0
        assert run(["run", file, f"{data}:y", "--executor", executor]) == 3
        assert "image 0 holds 4 at f 0, t 0: the program takes 0..3" in capsys.readouterr().err
    assert run(["count", file, f"{data}:x"]) == 0
    assert "of counts" in capsys.readouterr().out
