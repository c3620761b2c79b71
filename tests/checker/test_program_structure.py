"""Changed manifests, sealed again: refused by loader and checker, or right everywhere."""

import time
from collections import Counter
from pathlib import Path

import pytest
from fuzz_programs import damaged
from program_outcomes import Outcome, outcome
from structure_fuzzer import bases, changed_program, sealed

COUNT = 2000
"""`python tests/helpers/fuzz_programs.py --count 100000` goes on."""
BYTES = 1500
PART = 6
RUN_EACH = 6
BASES = 12


@pytest.fixture(scope="module")
def programs() -> list:
    return bases(BASES)


@pytest.mark.parametrize("part", range(PART))
def test_a_changed_manifest_is_refused_by_all_or_right_everywhere(
    part: int, programs: list, tmp_path: Path
) -> None:
    found, faults = Counter[str](), dict[int, Outcome]()
    for seed in range(part, COUNT, PART):
        content = changed_program(seed, programs[seed % len(programs)])
        became = outcome(content, tmp_path / "p.snncc", seed % RUN_EACH == part)
        found[became.verdict] += 1
        if became.fault:
            faults[seed] = became
    assert faults == {}
    assert found["refused"] > COUNT // PART // 2
    assert found["accepted"] > COUNT // PART // 20


def test_no_damaged_byte_is_read(programs: list, tmp_path: Path) -> None:
    files = [sealed(*program) for program in programs]
    for seed in range(BYTES):
        content = files[seed % len(files)]
        changed = damaged(seed, content)
        if changed != content:
            became = outcome(changed, tmp_path / "p.snncc", run=False)
            assert became == Outcome("refused", "", "SNN017"), seed


def test_unchanged_programs_are_accepted(programs: list, tmp_path: Path) -> None:
    """The fuzzer starts from what is right."""
    begin = time.monotonic()
    for program in programs:
        assert outcome(sealed(*program), tmp_path / "p.snncc", run=False) == Outcome("accepted")
    assert time.monotonic() - begin < 600
