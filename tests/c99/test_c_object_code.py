"""What compilers make of exported C multiplies nothing; how large it is, and that it is right."""

import re
import shutil
import subprocess
from pathlib import Path

import c_runs
import numpy as np
import pytest
from c_runs import COMPILERS, STRICT, each_compiler, needs_compiler

import snncc
from snncc.artifact import Program
from snncc.backends.c99.draft import DENSE, EVENTS, FORMS
from snncc.backends.c99.object_code import helpers, instructions, offences
from snncc.backends.c99.source import Source
from snncc.runtime import interpret

LEVELS = ("-Os", "-O2", "-O3")
needs_listing = pytest.mark.skipif(not shutil.which("objdump"), reason="there is no objdump here")
PLANTED = {
    "int f(int x) { return x * 2161; }": "imul",
    "int f(int x) { return (x << 3) + (x << 7) + (x << 12); }": "imul",
    "unsigned f(unsigned x, unsigned y) { return x / y; }": "div",
    "int f(int x, int y) { return x % y; }": "idiv",
    "float f(float x) { return x + 1; }": "addss",
    "double f(int x) { return x; }": "cvtsi2sd",
    "void f(short *x, int *y) { for (int i = 0; i < 64; i++) y[i] = x[i] * 77; }": "pm",
}


def called(*words: str | Path) -> str:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    return done.stdout


def listing(compiler: str, source: Path, *options: str) -> str:
    made = source.with_suffix(".o")
    called(compiler, *STRICT, *options, "-c", source, "-o", made)
    return called("objdump", "-d", made)


@needs_compiler
@needs_listing
def test_what_is_planted_is_found(tmp_path: Path) -> None:
    source = tmp_path / "planted.c"
    for number, (text, name) in enumerate(PLANTED.items()):
        source.write_text(text)
        options = ("-Os",) if number < 6 else ("-O3", "-msse2")
        found = offences(listing("gcc" if "gcc" in COMPILERS else "clang", source, *options))
        assert any(name in line for line in found), text
    source.write_text("int f(int x, int y) { return (x << 3) + (y >> 1) - (x & y); }")
    code = listing(COMPILERS[0], source, "-O2")
    assert (offences(code), len(instructions(code)) > 3) == ([], True)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("       0: 33 05 b5 02  \tmul\ta0, a0, a1", True),
        ("   4:\tfb01 f000 \tmul.w\tr0, r1, r0", True),
        ("   4:\t9b017c00 \tmadd\tw0, w0, w1, wzr", True),
        ("   8:\te0810392 \tumull\tr0, r1, r2, r3", True),
        ("  14:\t0e a1 9c 00 \tmla\tv0.2s, v0.2s, v1.2s", True),
        ("  14:\t66 0f e5 c1 \tpmulhw %xmm1,%xmm0", True),
        ("  14:\tc5 f9 f5 c1 \tvpmaddwd %xmm1,%xmm0,%xmm0", True),
        ("  14:\t0f 57 c0 \txorps  %xmm0,%xmm0", False),
        ("  14:\t0f 11 07 \tmovups %xmm0,(%rdi)", False),
        ("  14:\t66 0f fe c1 \tpaddd  %xmm1,%xmm0", False),
        ("  14:\t0f f0 0f 00 \tfence", False),
        ("  18:\t53 75 b5 00 \tfadd.s\tfa0, fa0, fa1", True),
        ("  18:\tee30 0a20 \tvadd.f32\ts0, s0, s1", True),
        ("  18:\te1a00080 \tlsl\tr0, r0, #1", False),
    ],
)
def test_instructions_of_other_machines(line: str, found: bool) -> None:
    assert bool(offences(line)) is found


def test_routines_in_place_of_a_multiplier_are_known() -> None:
    named = "__mulsi3 __muldi3 __divsi3 __udivdi3 __umodsi3 __aeabi_idivmod __aeabi_fmul __addsf3"
    assert helpers("\n".join(f"         U {name}" for name in named.split())) == named.split()
    assert helpers("         U memset\n         U net_seen\n         U memcpy\n") == []


@pytest.mark.parametrize("form", FORMS)
@each_compiler
@needs_listing
def test_random_programs_multiply_nothing(tmp_path: Path, compiler: str, form: str) -> None:
    """Leaks and gains by any numbers; where indices go by any strides."""
    cases = [c_runs.drawn(4), c_runs.keeping(3)] if form == EVENTS else [c_runs.drawn(13)]
    for number, (graph, _) in enumerate(cases):
        for name, text in Source(graph, form).files(Program(graph, {})).items():
            (tmp_path / name).write_text(text)
        for level in LEVELS:
            found = offences(listing(compiler, tmp_path / "net.c", level))
            assert not found, (number, level, found[:5])


@pytest.fixture(scope="module")
def digits(root: Path) -> Program:
    compiled = snncc.compile(root / "examples/digits_mixer.pth", normalize=(0.3, 0.35))
    return Program(compiled.graph, {})


@each_compiler
@needs_listing
def test_the_digits_network(tmp_path: Path, root: Path, digits: Program, compiler: str) -> None:
    graph = digits.graph
    source = Source(graph)
    for name, text in source.files(digits).items():
        (tmp_path / name).write_text(text)
    for level in LEVELS:
        found = offences(listing(compiler, tmp_path / "net.c", level))
        assert not found, (level, found[:5])
        words = called("size", tmp_path / "net.o").splitlines()[1].split()
        text_bytes, ram = int(words[0]), int(words[1]) + int(words[2])
        if level != "-O3":
            assert text_bytes < 100_000
        assert ram < 110_000
        assert source.footprint.flash < text_bytes
        assert abs(ram - source.footprint.ram) < 256
    with np.load(root / "examples/digits.npz") as data:
        images = data["x_test"][:10]
    called(
        compiler, *STRICT, "-O2", tmp_path / "net.o", tmp_path / "main.c", "-o", tmp_path / "net"
    )
    done = subprocess.run(
        [tmp_path / "net"], input=images.tobytes(), capture_output=True, check=True
    )
    answers = np.array([line.split() for line in done.stdout.splitlines()], np.int64)
    assert np.array_equal(answers, interpret(graph, images).readout)


@pytest.mark.skipif(
    not (shutil.which("clang") and shutil.which("llvm-nm")), reason="there is no clang here"
)
def test_a_processor_without_a_multiplier_calls_no_routine(tmp_path: Path, digits: Program) -> None:
    target = ("--target=riscv32", "-march=rv32i", "-mabi=ilp32", "-ffreestanding")
    graph, _ = c_runs.keeping(3)
    for program, form in ((digits, EVENTS), (Program(graph, {}), DENSE)):
        for name, text in Source(program.graph, form).files(program).items():
            (tmp_path / name).write_text(text)
        for level in ("-Os", "-O2"):
            called("clang", *target, level, "-c", tmp_path / "net.c", "-o", tmp_path / "net.o")
            assert helpers(called("llvm-nm", "-u", tmp_path / "net.o")) == []


def test_the_source_has_no_product_and_no_real_number(digits: Program) -> None:
    text = re.sub(r"/\*.*?\*/", "", Source(digits.graph).source(), flags=re.S)
    code = re.sub(r"\b(u?int\d+_t|net_\w+) \*", "pointer ", text)
    assert not re.search(r"\b(float|double)\b|\d\.\d", code)
    assert not re.search(r"(?<![(])\*(?!\))|/|%", re.sub(r'#.*|"[^"]*"', "", code))
