"""The .snncc file: equal bytes, no partial files, and no damage that loads as something else."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from programs import lowered_from_unit_pixels
from safetensors.numpy import save

from snncc.artifact import Program, load_program, program_digest, save_program
from snncc.artifact.kinds import CHECKPOINT, kind_of
from snncc.artifact.program import canonical, digest, to_manifest
from snncc.diagnostics import SnnccError
from snncc.ir.text import same_graph


def program(seed: int) -> Program:
    graph = lowered_from_unit_pixels(seed)
    return Program(graph, {"network": "random", "seed": seed, "odd": 'quote " and ü'})


def test_constants_are_loaded_in_the_order_of_the_file(tmp_path: Path) -> None:
    """The text of a program is the same whenever it is loaded."""
    path = tmp_path / "p.snncc"
    save_program(path, max(map(program, range(10)), key=lambda each: len(each.graph.constants)))
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    names = [name for name in header if name != "__metadata__"]
    assert len(names) > 10
    assert all(list(load_program(path).graph.constants) == names for _ in range(5))


def test_what_is_loaded_is_what_was_saved(tmp_path: Path) -> None:
    for seed in range(30):
        first, path = program(seed), tmp_path / "p.snncc"
        sha = save_program(path, first)
        second = load_program(path)
        assert same_graph(first.graph, second.graph)
        assert second.provenance == first.provenance
        assert program_digest(second) == sha
        content = path.read_bytes()
        save_program(path, second)
        assert path.read_bytes() == content


def test_damaged_files_never_load_as_something_else(tmp_path: Path) -> None:
    first, path = program(3), tmp_path / "p.snncc"
    save_program(path, first)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    rejected, codes = 0, set[str]()
    for _ in range(2000):
        damaged = bytearray(content)
        at = int(rng.integers(len(content)))
        match int(rng.integers(6)):
            case 0:
                damaged[at] ^= 1 << int(rng.integers(8))
            case 1:
                del damaged[at:]
            case 2:
                damaged[at:at] = rng.bytes(int(rng.integers(1, 16)))
            case 3:
                damaged[at:at] = damaged[at : at + 64]
            case 4:
                damaged[int(rng.integers(512))] = int(rng.integers(256))
            case _:
                damaged[:8] = int(rng.integers(1 << 62)).to_bytes(8, "little")
        if bytes(damaged) == content:
            continue
        path.write_bytes(damaged)
        try:
            loaded = load_program(path)
        except SnnccError as error:
            codes.add(error.code)
            rejected += 1
        else:
            assert same_graph(loaded.graph, first.graph)
            assert loaded.provenance == first.provenance
    assert rejected > 1900
    assert codes == {"SNN017"}


def rewritten(path: Path, manifest: dict, constants: dict) -> None:
    """A file with another content and a hash that fits it."""
    text = canonical(manifest)
    sealed = canonical({"manifest": manifest, "sha256": digest(text, constants)})
    content = save(constants, metadata={"snncc": sealed})
    path.write_bytes(content)


def test_a_program_with_a_fitting_hash_is_still_verified(tmp_path: Path) -> None:
    first, path = program(5), tmp_path / "p.snncc"
    constants = {k: v.copy() for k, v in first.graph.constants.items()}
    manifest = to_manifest(first)
    rewritten(path, manifest, constants)
    assert same_graph(load_program(path).graph, first.graph)

    def refused(change: str) -> None:
        with pytest.raises(SnnccError) as caught:
            load_program(path)
        assert caught.value.code == "SNN017", change

    def copy() -> dict:
        return json.loads(canonical(manifest))

    changes = {
        "schema": lambda m: m.update(schema=2),
        "extra field": lambda m: m.update(extra=1),
        "dialect": lambda m: m.update(dialect="spiking"),
        "unknown op": lambda m: m["nodes"][1].update(op="multiply"),
        "unknown field": lambda m: m["nodes"][1]["fields"].update(alpha=1),
        "type": lambda m: m["nodes"][1]["type"].update(range=[0, 1]),
        "input": lambda m: m["nodes"][1].update(inputs=["nothing"]),
        "missing node": lambda m: m["nodes"].pop(1),
        "output": lambda m: m.update(output="nothing"),
    }
    for name, change in changes.items():
        other = copy()
        change(other)
        rewritten(path, other, constants)
        refused(name)
    rewritten(path, manifest, {**constants, next(iter(constants)): np.zeros(3, np.float32)})
    refused("float constant")


@pytest.mark.parametrize("content", [b"", b"abc", b"\x80\x04\x95" * 50, b"PK\x03\x04" * 40])
def test_foreign_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.snncc"
    path.write_bytes(content)
    with pytest.raises(SnnccError) as caught:
        load_program(path)
    assert caught.value.code == "SNN017"


@pytest.mark.parametrize("nested", ['{"a":' * 9 + "1" + "}" * 9, '{"a":' * 100_000])
def test_the_kind_of_a_nested_file_is_no_crash(tmp_path: Path, nested: str) -> None:
    path = tmp_path / "x.snncc"
    path.write_bytes(len(nested).to_bytes(8, "little") + nested.encode())
    assert kind_of(path) in ("", CHECKPOINT)


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.snncc"
    header = b'{"__metadata__":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(SnnccError) as caught:
        load_program(path)
    assert caught.value.code == "SNN017"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SnnccError) as caught:
        load_program(tmp_path / "none.snncc")
    assert caught.value.code == "SNN015"


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.snncc"
    save_program(path, program(1))
    before = path.read_bytes()

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for name in ("replace", "fsync"):
        monkeypatch.setattr(os, name, broken)
        with pytest.raises(SnnccError) as caught:
            save_program(path, program(2))
        monkeypatch.undo()
        assert caught.value.code == "SNN002"
        assert path.read_bytes() == before
        assert [p.name for p in tmp_path.iterdir()] == ["p.snncc"]


def test_unwritable_paths_are_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no/such/folder.snncc"):
        with pytest.raises(SnnccError) as caught:
            save_program(path, program(1))
        assert caught.value.code == "SNN002"


def test_the_digest_sees_every_part() -> None:
    first = program(7)
    name, array = next((k, v) for k, v in first.graph.constants.items() if v.size)
    other = array.copy()
    other.flat[0] ^= 1
    changed = replace(first.graph, constants={**first.graph.constants, name: other})
    digests = {
        program_digest(first),
        program_digest(Program(changed, first.provenance)),
        program_digest(Program(replace(first.graph, steps=9), first.provenance)),
        program_digest(Program(first.graph, {})),
    }
    assert len(digests) == 4
