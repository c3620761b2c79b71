"""Damaged, foreign and hostile checkpoints end in one coded error, soon and in little memory."""

import io
import json
import os
import random
import resource
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import fuzz_checkpoints
import numpy as np
import pytest
import torch
from checkpoints import mixer
from safetensors.torch import save

from snncc.diagnostics import SnnccError
from snncc.frontends.checkpoint import load_checkpoint
from snncc.frontends.weights.pickles import MOST_OPCODES

SECONDS = 5.0
MEMORY = 1 << 29


def memory() -> int:
    """The most that this process has held so far, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def refused(path: Path) -> SnnccError:
    """The one coded error; it comes in seconds and needs little memory."""
    start, before = time.process_time(), memory()
    with pytest.raises(SnnccError) as caught:
        load_checkpoint(path)
    assert memory() - before < MEMORY
    assert time.process_time() - start < SECONDS
    return caught.value


def written(tmp_path: Path, content: bytes, name: str = "c.pth") -> Path:
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


def why(path: Path) -> str:
    error = refused(path)
    assert error.code == "SNN010", str(error)
    return error.findings[0].why


@pytest.mark.parametrize("kind", list(fuzz_checkpoints.MUTATIONS))
def test_damaged_files_are_refused_or_are_what_they_were(tmp_path: Path, kind: str) -> None:
    found = fuzz_checkpoints.fuzz(kind, 60, 7, tmp_path)
    assert found.total() == 60
    assert found["SNN010"] >= 20
    if kind in fuzz_checkpoints.EXACT:
        assert found["other numbers"] == 0


def test_the_fuzzer_sees_numbers_that_were_taken_without_a_word(tmp_path: Path) -> None:
    state = fuzz_checkpoints.trained()
    torch.save(fuzz_checkpoints.trained(seed=1), tmp_path / "c.pth")
    with pytest.raises(AssertionError, match="gave other numbers"):
        fuzz_checkpoints.outcome(tmp_path / "c.pth", state, True)
    assert fuzz_checkpoints.outcome(tmp_path / "c.pth", state, False) == "other numbers"


def test_a_flipped_bit_in_any_record_is_seen(tmp_path: Path) -> None:
    content = fuzz_checkpoints.base("pth")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = [info for info in archive.infolist() if info.file_size]
    for info in infos:
        name, extra = struct.unpack_from("<HH", content, info.header_offset + 26)
        mutant = bytearray(content)
        mutant[info.header_offset + 30 + name + extra + info.file_size // 2] ^= 1
        assert "CRC" in why(written(tmp_path, bytes(mutant)))
    assert len(infos) > 100


def test_a_record_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    content = fuzz_checkpoints.base("pth")
    for seed in range(3):
        mutant = fuzz_checkpoints.duplicate(content, random.Random(seed))  # noqa: S311
        assert "twice" in why(written(tmp_path, mutant))


def test_records_that_overlap_or_are_encrypted_are_refused(tmp_path: Path) -> None:
    content = bytearray(fuzz_checkpoints.base("pth"))
    entry = content.find(b"PK\x01\x02")
    content[entry + 8] |= 1
    assert "encrypted" in why(written(tmp_path, bytes(content)))
    content[entry + 8] &= 254
    struct.pack_into("<II", content, entry + 20, 10**6, 10**6)
    assert "overlaps" in why(written(tmp_path, bytes(content)))


def test_compressed_records_may_not_inflate_far_beyond_the_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "c.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}.")
        archive.writestr("a/data/0", bytes(1 << 26))
    assert (tmp_path / "c.pth").stat().st_size < 1 << 20
    assert "would grow to 67,108,868 bytes" in why(tmp_path / "c.pth")


def test_an_archive_that_someone_compressed_is_read(tmp_path: Path) -> None:
    content = fuzz_checkpoints.base("pth")
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(tmp_path / "c.pth", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
    state = fuzz_checkpoints.trained()
    assert fuzz_checkpoints.equal(load_checkpoint(tmp_path / "c.pth").state, state)


# Hostile descriptions, with right checksums.

TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"
STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"


def number(value: int) -> bytes:
    raw = value.to_bytes(9, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def lengths(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(
    size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0, numel: int = 4
) -> bytes:
    """Pickle code of one tensor over storage 0, which holds `numel` numbers."""
    stored = STORAGE + number(numel) + b"tQ"
    ends = b"\x89ccollections\nOrderedDict\n)R"
    return TENSOR + b"(" + stored + number(offset) + lengths(size) + lengths(stride) + ends + b"tR"


def archive(tmp_path: Path, code: bytes, data: bytes = bytes(16)) -> Path:
    with zipfile.ZipFile(tmp_path / "c.pth", "w") as made:
        made.writestr("a/data.pkl", b"\x80\x02" + code + b".")
        made.writestr("a/data/0", data)
    return tmp_path / "c.pth"


def named(code: bytes, name: bytes = b"w") -> bytes:
    """Pickle code of a dictionary with one entry."""
    return b"}X" + struct.pack("<I", len(name)) + name + code + b"s"


def test_a_tensor_written_by_hand_is_read(tmp_path: Path) -> None:
    data = np.arange(4, dtype="<f4").tobytes()
    state = load_checkpoint(archive(tmp_path, named(tensor((2, 2), (1, 2))), data)).state
    assert state["w"].tolist() == [[0.0, 2.0], [1.0, 3.0]]
    for order, form in (("little", "<f4"), ("big", ">f4")):
        path = archive(tmp_path, named(tensor((4,), (1,))), np.arange(4, dtype=form).tobytes())
        with zipfile.ZipFile(path, "a") as made:
            made.writestr("a/byteorder", order)
        assert load_checkpoint(path).state["w"].tolist() == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (tensor((2**33,), (0,)), "far more elements"),
        (tensor((2**20, 2**19), (0, 0)), "far more elements"),
        (tensor((2**40,), (0,)), "no sensible number"),
        (tensor((2**39, 2**39), (0, 0)), "more elements than any memory"),
        (tensor((5,), (1,)), "reaches beyond"),
        (tensor((4,), (1,), offset=1), "reaches beyond"),
        (tensor((2,), (-1,)), "no sensible number"),
        (tensor((-2,), (1,)), "no sensible number"),
        (tensor((2,), (1, 1)), "more lengths than strides"),
        (tensor((1,) * 17, (1,) * 17), "more than 16 axes"),
        (tensor((100,), (1,), numel=100), "its storage has 16 bytes, not 400"),
        (tensor((2,), (1,), numel=2), "its storage has 16 bytes, not 8"),
    ],
)
def test_a_tensor_that_asks_for_more_than_there_is_is_refused_by_name(
    tmp_path: Path, code: bytes, expected: str
) -> None:
    error = refused(archive(tmp_path, named(code)))
    assert error.code == "SNN010"
    assert "tensor w cannot be read" in error.findings[0].message
    assert expected in error.findings[0].why


def test_many_expanded_tensors_share_one_limit(tmp_path: Path) -> None:
    one = tensor((2**24,), (0,))
    items = b"".join(b"X\x01\x00\x00\x00" + b"%c" % (97 + i) + one for i in range(20))
    error = refused(archive(tmp_path, b"}(" + items + b"u"))
    assert "far more elements" in str(error)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(b"cbuiltins\nbytearray\n" + number(10**10) + b"\x85R", id="bytearray"),
        pytest.param(b")" + b"\x85" * 300_000, id="deep tuple"),
        pytest.param(b"]" * 300_000 + b"a" * 299_999, id="deep list"),
        pytest.param(b")" + b"2\x86" * 100_000, id="doubling tuple"),
        pytest.param(b"}(" + b")" + b"\x85" * 100_000 + b"Nu", id="deep key"),
        pytest.param(b"N" * MOST_OPCODES, id="too many instructions"),
        pytest.param(b"}" * (MOST_OPCODES - 9), id="many dictionaries"),
        pytest.param(b"\x8b\xff\xff\xff\x7f1", id="long without digits"),
        pytest.param(b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f1", id="text without letters"),
        pytest.param(b"T\xff\xff\xff\x7f1", id="string without letters"),
        pytest.param(b"I" + b"9" * 100_000 + b"\n", id="decimal digits"),
        pytest.param(b"Np" + b"9" * 4000 + b"\n", id="place in the memo"),
        pytest.param(
            b"}(" + b"".join(number((2**61 - 1) * k) + b"N" for k in range(1, 9)) + b"u",
            id="keys that fall together",
        ),
        pytest.param(b"(t\x81", id="object of nothing"),
        pytest.param(b"tR", id="no mark"),
        pytest.param(b"(R", id="mark as a value"),
        pytest.param(b"\x82\x01", id="extension"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_hostile_pickle_is_refused_and_harms_nothing(tmp_path: Path, code: bytes) -> None:
    assert refused(archive(tmp_path, code)).code == "SNN010"
    (tmp_path / "x").write_bytes(b"\x80\x02" + code + b".")
    assert refused(tmp_path / "x").code == "SNN010"


def test_what_a_pickle_asks_for_is_named_without_control_characters(tmp_path: Path) -> None:
    path = archive(tmp_path, named(b"cos\nsystem\nX\x01\x00\x00\x00a\x85R"))
    error = refused(path)
    assert error.code == "SNN011"
    assert "os.system" in error.findings[0].why
    assert refused(archive(tmp_path, b"ca\x1b[2J\nb\r")).code in ("SNN010", "SNN011")
    error = refused(archive(tmp_path, b"ca\x1b[2J\nb\n"))
    assert "\x1b" not in str(error)
    many = b"".join(b"cm\nf%d\n" % i for i in range(5000))
    assert len(str(refused(archive(tmp_path, many)))) < 2000


@pytest.mark.parametrize("name", [b"a\nerror[SNN017]: no", b"a\x1b[2J", b"n" * 2000])
def test_a_tensors_name_that_is_no_plain_text_is_refused(tmp_path: Path, name: bytes) -> None:
    error = refused(archive(tmp_path, named(tensor((4,), (1,)), name)))
    assert "no plain text" in error.findings[0].why
    assert len(str(error)) < 1000


class _Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_runs_whatever_the_protocol(tmp_path: Path, protocol: int, zipped: bool) -> None:
    path, canary = tmp_path / "c.pth", tmp_path / "canary"
    options = {"pickle_protocol": protocol, "_use_new_zipfile_serialization": zipped}
    torch.save({"model": mixer().state_dict(), "x": _Evil(canary)}, path, **options)
    assert refused(path).code == ("SNN011" if zipped or protocol > 1 else "SNN010")
    assert not canary.exists()
    torch.save({"model": mixer().state_dict()}, path, **options)
    if zipped or protocol > 1:
        state = load_checkpoint(path).state
        assert all(torch.equal(state[k], v) for k, v in mixer().state_dict().items())


def test_a_whole_module_is_refused_and_its_class_named(tmp_path: Path) -> None:
    torch.save(mixer(), tmp_path / "c.pth")
    error = refused(tmp_path / "c.pth")
    assert error.code == "SNN011"
    assert "MixerSNN" in error.findings[0].why
    assert "state_dict" in error.findings[0].help


# Safetensors.


def safetensors(header: object, data: bytes = bytes(16)) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(start: int, stop: int) -> dict[str, object]:
    return {"dtype": "F32", "shape": [(stop - start) // 4], "data_offsets": [start, stop]}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (safetensors({"a": entry(0, 16), "b": entry(0, 16)}), "overlap"),
        (safetensors({"a": entry(0, 8)}), "take 8 bytes, 16 follow"),
        (safetensors({"a": entry(0, 4), "b": entry(8, 16)}), "belong to none"),
        (safetensors({"a": entry(0, 32)}), "take 32 bytes, 16 follow"),
        (safetensors(b'{"a": %s, "a": 1}' % json.dumps(entry(0, 16)).encode()), "twice"),
        (safetensors({"a": {**entry(0, 16), "shape": [5]}}), ""),
        (safetensors({"a": {**entry(0, 16), "shape": [2**62, 2**62]}}), ""),
        (safetensors({"a": {**entry(0, 16), "dtype": "F31"}}), ""),
        (safetensors({"a": {"dtype": "F32"}}), "does not describe 'a'"),
        (safetensors(b'{"a":' * 50_000), "header is damaged"),
        (safetensors(b'{"a":' + b"[" * 100_000), "header is damaged"),
        (struct.pack("<Q", 1 << 60) + b"{" + bytes(99), "bytes, the file 108"),
        (struct.pack("<Q", 1 << 23) + b"{" + bytes(99), "bytes, the file 108"),
    ],
)
def test_a_safetensors_header_must_describe_the_file_exactly(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    assert expected in why(written(tmp_path, content, "c.safetensors"))


def test_the_kind_of_a_file_is_told_from_its_content(tmp_path: Path) -> None:
    state = dict(mixer().state_dict())
    path = written(tmp_path, save(state), "c.pth")
    assert load_checkpoint(path).state.keys() == state.keys()
    torch.save(state, tmp_path / "c.safetensors")
    assert load_checkpoint(tmp_path / "c.safetensors").state.keys() == state.keys()
    # 640 bytes of header: the file begins as a pickle does
    padded = json.dumps({"a": entry(0, 16)}).ljust(640).encode()
    assert load_checkpoint(written(tmp_path, safetensors(padded))).state["a"].shape == (4,)


# Other files.


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.zeros(3))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (npz, "NumPy archive (.npz)"),
        (lambda: b"\x93NUMPY\x01\x00" + bytes(99), ".npy"),
        (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "Git LFS"),
        (lambda: b"<!DOCTYPE html><html>", "web page"),
        (lambda: b'{"metadata": {}, "weight_map": {}}', "JSON"),
        (lambda: b"\x1f\x8b\x08" + bytes(99), "gzip"),
        (lambda: b"", "empty"),
        (lambda: bytes(257) + b"ustar" + bytes(300), "tar archive"),
        (lambda: b"\x80\x02}q\x00.", "torch.save did not write it"),
    ],
)
def test_other_files_are_named(tmp_path: Path, make: Callable[[], bytes], expected: str) -> None:
    assert expected in why(written(tmp_path, make()))


def test_a_compiled_program_is_named(tmp_path: Path) -> None:
    content = save({"a": torch.ones(2)}, metadata={"snncc": "{}"})
    error = refused(written(tmp_path, content, "p.snncc"))
    assert "snncc compile wrote" in error.findings[0].why
    assert "snncc run" in error.findings[0].help


def test_a_torchscript_archive_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "c.pt", "w") as made:
        made.writestr("a/data.pkl", b"\x80\x02}.")
        made.writestr("a/constants.pkl", b"\x80\x02).")
    assert "TorchScript" in why(tmp_path / "c.pt")


def test_the_old_format_has_no_checksums_and_that_is_said(tmp_path: Path) -> None:
    state = mixer().state_dict()
    torch.save(state, tmp_path / "c.pth", _use_new_zipfile_serialization=False)
    checkpoint = load_checkpoint(tmp_path / "c.pth")
    assert any("no checksums" in note for note in checkpoint.notes)
    assert all(torch.equal(checkpoint.state[k], v) for k, v in state.items())
    content = (tmp_path / "c.pth").read_bytes()
    assert "something follows" in why(written(tmp_path, content + b"\0"))
    assert "cut off" in why(written(tmp_path, content[:-1]))


def test_a_view_of_a_storage_is_read_from_the_old_format(tmp_path: Path) -> None:
    whole = torch.arange(12.0)
    views = {
        "a": whole[2:8].view(2, 3).t(),
        "b": whole,
        "c": whole[3:3],
        "d": torch.zeros(0, 4)[:, 2:],
    }
    for zipped in (True, False):
        torch.save(views, tmp_path / "c.pth", _use_new_zipfile_serialization=zipped)
        state = load_checkpoint(tmp_path / "c.pth").state
        assert all(torch.equal(state[k], v) for k, v in views.items())
