"""Constants of 2 to 7 bits lie in their bits in a file, and every reader gets the same integers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from snncc.artifact import Program, load_program, program_digest, save_program
from snncc.artifact.packing import pack, packed_bits, packed_bytes, unpack
from snncc.artifact.program import canonical, digest, to_manifest
from snncc.checker import Rejected, packed_constants
from snncc.checker.certificate import expected
from snncc.diagnostics import SnnccError
from snncc.ir import GraphBuilder
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames
from snncc.ir.text import same_graph

Json = Any


def narrow_program(bits: int = 3, seed: int = 0) -> Program:
    """Two maps of such weights, with both ends among them, and thresholds of more bits."""
    rng = np.random.default_rng([seed, bits])
    half = 1 << (bits - 1)
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("c",), (29,)), name="image")
    enter = rng.integers(-half, half, (41, 29)).astype(np.int8)
    enter[0, :2] = -half, half - 1
    current = b.add(Contract(b.constant("a.w", enter, ("c", "c")), ("c",), ("c",)), (image,))
    low, high = b[current].type.range or (0, 0)
    levels = b.constant("k", rng.integers(1, max(2, high // 2), 41), ("c",))
    cells = b.add(IntegerPopulation(levels, membrane=(3 * low, 3 * high)), (current,), name="n")
    leave = rng.integers(-half, half, (20, 41)).astype(np.int8)
    leave[0, :2] = -half, half - 1
    last = b.add(Contract(b.constant("b.w", leave, ("c", "c")), ("c",), ("c",)), (cells,))
    return Program(b.finish(b.add(IntegerReadout(), (last,), name="out")), {})


@pytest.mark.parametrize("bits", range(2, 8))
def test_integers_come_back_whatever_their_number(bits: int, tmp_path: Path) -> None:
    rng, half = np.random.default_rng(bits), 1 << (bits - 1)
    for elements in (1, 2, 7, 8, 9, 63, 1000):
        array = rng.integers(-half, half, elements).astype(np.int8)
        content = pack(array, bits)
        assert len(content) == packed_bytes(elements, bits)
        assert np.array_equal(unpack(content, bits, elements), array)
        text = "".join(format(int(n) & (2 * half - 1), f"0{bits}b")[::-1] for n in array)
        by_hand = [int(text[at : at + 8][::-1], 2) for at in range(0, len(text), 8)]
        assert content.tolist() == by_hand
    program, path = narrow_program(bits), tmp_path / "p.snncc"
    assert packed_bits(program.graph.constants) == {"a.w": bits, "b.w": bits}
    sha = save_program(path, program)
    loaded = load_program(path)
    assert same_graph(loaded.graph, program.graph)
    assert sha == program_digest(program) == program_digest(loaded)
    assert expected(path.read_bytes())["program"] == sha
    content = path.read_bytes()
    save_program(path, loaded)
    assert path.read_bytes() == content
    plain = sealed(to_manifest(program), program.graph.constants, sha, None)
    assert len(content) < len(plain)
    path.write_bytes(plain)  # as versions before wrote it
    assert same_graph(load_program(path).graph, program.graph)
    assert expected(plain)["program"] == sha


def test_what_saves_little_is_not_packed() -> None:
    assert packed_bits(narrow_program(8).graph.constants) == {}
    small = np.arange(-4, 4, dtype=np.int8)
    assert packed_bits({"w": small}) == {}
    many = np.resize(small, 200)
    assert packed_bits({"w": many}) == {"w": 3}
    assert packed_bits({"w": many, "v": np.zeros(4000, np.int32)}) == {}
    assert packed_bits({"w": many.astype(np.int16)}) == {}
    assert packed_bits({"w": np.zeros(100, np.int8)}) == {"w": 2}


def sealed(manifest: Json, arrays: Json, sha: str, packed: Json) -> bytes:
    whole = {"manifest": manifest, "sha256": sha} | ({} if packed is None else {"packed": packed})
    stored = {name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())}
    return save(stored, metadata={"snncc": canonical(whole)})


def wide(told: Json, arrays: Json) -> None:
    """One bit more than the integers need."""
    arrays["a.w"] = pack(unpack(arrays["a.w"], 3, 41 * 29), 4)
    told["a.w"][0] = 4


def bare(told: Json, arrays: Json) -> None:
    """One that is not packed, though that would save."""
    del told["b.w"]
    arrays["b.w"] = unpack(arrays["b.w"], 3, 820).reshape(20, 41)


def behind(told: Json, arrays: Json) -> None:
    arrays["a.w"] = arrays["a.w"].copy()
    arrays["a.w"][-1] |= 0x80


def longer(told: Json, arrays: Json) -> None:
    arrays["a.w"] = np.append(arrays["a.w"], np.uint8(0))


def huge(told: Json, arrays: Json) -> None:
    told["a.w"][1] = [1 << 40, 29]


def told_more(told: Json, arrays: Json) -> None:
    told["c.w"] = [3, [100]]


FAULTS: list[Callable[[Json, Json], None]] = [
    *(wide, bare, behind, longer, huge, told_more),
    lambda told, arrays: told.clear(),
    lambda told, arrays: told["a.w"].__setitem__(0, 8),
    lambda told, arrays: told["a.w"].__setitem__(0, True),
    lambda told, arrays: told["a.w"].__setitem__(0, 3.0),
    lambda told, arrays: told["a.w"].__setitem__(1, [29, 41]),
    lambda told, arrays: told["a.w"].__setitem__(1, [41 * 29]),
    lambda told, arrays: told["a.w"].__setitem__(1, [-41, -29]),
    lambda told, arrays: told["a.w"].__setitem__(1, "xx"),
    lambda told, arrays: told["a.w"].append(1),
    lambda told, arrays: told["a.w"].pop(),
    lambda told, arrays: told["a.w"].clear(),
    lambda told, arrays: told["a.w"].__setitem__(1, [10**400]),
    lambda told, arrays: told.__setitem__("a.w", None),
    lambda told, arrays: told.__setitem__("a.w", 7),
]


@pytest.mark.parametrize("fault", range(len(FAULTS)))
def test_what_no_program_packs_so_is_refused_by_both_readers(fault: int, tmp_path: Path) -> None:
    program, path = narrow_program(), tmp_path / "p.snncc"
    save_program(path, program)
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    whole = json.loads(header["__metadata__"]["snncc"])
    arrays = dict(program.graph.constants)
    for name, (bits, _) in whole["packed"].items():
        arrays[name] = pack(arrays[name], bits)
    right = sealed(whole["manifest"], arrays, whole["sha256"], whole["packed"])
    assert right == content
    FAULTS[fault](whole["packed"], arrays)
    sha = whole["sha256"]
    if fault in (10, 11):  # another shape of the same integers, with a right sha256
        shaped = dict(program.graph.constants)
        shaped["a.w"] = shaped["a.w"].reshape(whole["packed"]["a.w"][1])
        sha = digest(canonical(whole["manifest"]), shaped)
    path.write_bytes(sealed(whole["manifest"], arrays, sha, whole["packed"]))
    with pytest.raises(SnnccError) as caught:
        load_program(path)
    assert caught.value.code == "SNN017"
    with pytest.raises((Rejected, TypeError, ValueError, KeyError)):
        expected(path.read_bytes())


def test_a_packed_constant_without_its_entry_is_refused_and_sizes_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, path = narrow_program(), tmp_path / "p.snncc"
    arrays = dict(program.graph.constants) | {"a.w": pack(program.graph.constants["a.w"], 3)}
    sha = program_digest(program)
    path.write_bytes(sealed(to_manifest(program), arrays, sha, None))
    with pytest.raises(SnnccError, match="SNN017"):
        load_program(path)
    with pytest.raises(Rejected, match="no integer"):
        expected(path.read_bytes())
    save_program(path, program)
    size = sum(array.nbytes for array in program.graph.constants.values())
    for most, good in ((size, True), (size - 1, False)):
        monkeypatch.setattr("snncc.artifact.files.LARGEST_CONSTANTS", most)
        monkeypatch.setattr(packed_constants, "MOST_INFLATED_BYTES", most)
        if good:
            load_program(path)
            expected(path.read_bytes())
            continue
        with pytest.raises(SnnccError, match="SNN017"):
            load_program(path)
        with pytest.raises(Rejected, match="too large"):
            expected(path.read_bytes())
