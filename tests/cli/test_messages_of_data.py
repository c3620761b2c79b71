"""What is said about data, files and words that are not what a command wants: the cause by name."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from executions import images_of, populations
from programs import lowered

from snncc.artifact import Program, save_program
from snncc.cli.main import run
from snncc.data import arrays as array_files
from snncc.data.files import read_array, read_arrays
from snncc.data.image_arrays import images_for, require_images
from snncc.diagnostics import SnnccError
from snncc.ir.dialects.projections import Frames
from snncc.machine import memory as machine_memory
from snncc.runtime.recording import load_recording

SEED = 7


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    graph = lowered(SEED)
    save_program(Path("p.snncc"), Program(graph, {}))
    images = images_of(SEED)
    np.savez("d.npz", x=images, y=np.arange(len(images)) % 2, columns=np.zeros((len(images), 2)))
    torch.save({"a.weight": torch.ones(3)}, "net.pth")
    torch.save({"a.weight": torch.ones(3)}, "old.pth", _use_new_zipfile_serialization=False)
    Path("other.json").write_text('{"nodes": 3}')
    Path("empty").write_bytes(b"")
    return tmp_path


def says(capsys: pytest.CaptureFixture[str], call: str, code: int, *expected: str) -> None:
    assert run(call.split()) == code, call
    error = capsys.readouterr().err
    for text in expected:
        assert text in error, (call, error)
    assert "Traceback" not in error
    assert "inline_container" not in error


@pytest.mark.parametrize("command", ["run {} d.npz:x", "inspect {}", "count {} d.npz:x"])
def test_what_is_no_program_is_called_what_it_is(
    command: str, there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path, kind, help_ in (
        ("net.pth", "it is a checkpoint, not a program", "snncc compile net.pth -o"),
        ("old.pth", "it is a checkpoint, not a program", "snncc compile old.pth -o"),
        ("d.npz", "it is a NumPy file, not a program", "the program comes first"),
        ("other.json", "it is a JSON file, not a program", "snncc verify PROGRAM --check"),
        ("empty", "the file is empty", "copy the file again"),
    ):
        says(capsys, command.format(path), 3, "error[SNN017]", kind, help_)


def test_swapped_arguments_are_called_swapped(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (there / "images").mkdir()
    for data in ("d.npz", "d.npz:x", "images"):
        for command in ("run", "count"):
            says(capsys, f"{command} {data} p.snncc", 2, "error[SNN001]", "are swapped")
    says(capsys, "run p.snncc p.snncc", 3, "it is a compiled program", "the program comes first")


def test_what_is_no_checkpoint_is_called_what_it_is(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path, kind in (
        ("d.npz", "it is a NumPy file, not a checkpoint"),
        ("p.snncc", "it is a compiled program, not a checkpoint"),
        ("other.json", "it is a JSON file, not a checkpoint"),
        ("empty", "the file is empty"),
        (".", "it is a folder"),
        ("none.pth", "there is no such file"),
    ):
        says(capsys, f"compile {path} -o out.snncc", 3, "error[SNN010]", kind)
        says(capsys, f"verify {path} --model mixer-snn", 3, "error[SNN010]", kind)


def test_a_key_of_the_given_file_wins(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (there / "y").mkdir()
    says(capsys, "run p.snncc d.npz:x --labels y", 0)
    (there / "x").write_text("a file")
    says(capsys, "run p.snncc d.npz:x --labels x", 3, "labels are uint8", ": d.npz:x")
    says(capsys, "run p.snncc d.npz:x --labels z", 3, "it has no array 'z'; there are: x, y, col")
    says(capsys, "run p.snncc d.npz:xx", 3, "perhaps d.npz:x\n")


def test_labels_and_logits_are_named_with_file_and_key(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(
        "l.npz",
        short=np.arange(3),
        wild=np.full(24, 77),
        column=np.zeros((24, 1), np.int64),
        floats=np.zeros(24),
        parts=np.full(24, 0.5),
    )
    for key, told in (
        ("short", "3 labels for 24 images: l.npz:short"),
        ("wild", "labels are 77..77"),
        ("column", "l.npz:column\n   = help: give one integer for each image: array[:, 0]"),
        ("floats", "l.npz:floats\n   = help: its values are whole: give array.astype('int64')"),
        ("parts", "l.npz:parts\n   = help: give one integer for each image\n"),
    ):
        says(capsys, f"run p.snncc d.npz:x --labels l.npz:{key}", 3, "error[SNN016]", told)
        says(capsys, f"run p.snncc d.npz:x --labels l.npz:{key}", 3, f"l.npz:{key}")
    says(capsys, "run p.snncc d.npz:x --labels columns", 3, "d.npz:columns", "array.argmax(1)")
    says(capsys, "run p.snncc d.npz:x --reference y", 3, ": d.npz:y")


def test_images_of_another_form_are_told_what_to_do() -> None:
    shape = (3, 4, 6)
    good = np.random.default_rng(0).integers(0, 256, (5, *shape), dtype=np.uint8)
    assert np.array_equal(images_for(good, shape, "x"), good)
    changed: list[tuple[np.ndarray, str]] = [
        (good.transpose(0, 2, 3, 1), "array.transpose(0, 3, 1, 2)"),
        (good[0], "it is one image: give array[None]"),
        (good[:, 0], "no channel axis: repeat it to 3"),
        (good[:, :, :2], "give images of shape [3, 4, 6]"),
        (good.astype(np.float32), "array.astype('uint8')"),
        (good.astype(np.int64), "array.astype('uint8')"),
        (good / 255, "not whole: give 8-bit images 0..255 as they are stored"),
        (good.astype(np.float32) * 0, "0..0: give 8-bit images"),
        (good.astype(np.float64) * np.nan, "not whole"),
        (good.astype(np.int16) - 1, "beyond 0..255"),
        (good.astype(np.float32) * 2, "beyond 0..255"),
        (good.astype(str), "give 8-bit images"),
        (good.astype(np.float32)[:0], "give 8-bit images"),
    ]
    for array, told in changed:
        with pytest.raises(SnnccError) as caught:
            images_for(array, shape, "a.npz:x")
        (finding,) = caught.value.findings
        assert finding.message.startswith("a.npz:x is "), finding
        assert told in finding.help, (array.dtype, array.shape, finding.help)
    with pytest.raises(SnnccError) as caught:
        images_for(good[:, 0], (1, 4, 6), "a.npz:x")
    assert "array[:, None]" in caught.value.findings[0].help
    remedied = good.transpose(0, 2, 3, 1).transpose(0, 3, 1, 2)
    assert np.array_equal(images_for(remedied, shape, "x"), good)
    for none in (good[:0], np.uint8(3) * np.ones(4, np.uint8)):
        with pytest.raises(SnnccError, match="holds no images"):
            require_images(none, "x")


def test_compile_names_images_by_file_and_key(
    root: Path, there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = root / "examples/digits_mixer.pth"
    np.savez("i.npz", last=np.zeros((4, 32, 32, 1), np.uint8), real=np.zeros((4, 1, 32, 32)))
    base = f"compile {checkpoint} -o out.snncc"
    for option in ("--calibrate", "--evaluate"):
        says(capsys, f"{base} {option} i.npz:last", 3, "i.npz:last is uint8", "transpose(0, 3")
        says(capsys, f"{base} {option} i.npz:real", 3, "i.npz:real is float64")
    assert not Path("out.snncc").exists()


def test_one_calibration_image_is_not_taken_without_a_word(
    root: Path, there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with np.load(root / "examples/digits.npz") as digits:
        np.save("one.npy", digits["x_cal"][:1])
    base = f"compile {root / 'examples/digits_mixer.pth'} -o out.snncc --normalize 0.3,0.35"
    says(capsys, f"{base} --calibrate one.npy", 0, "note: --calibrate: 1 image; rounding wants")


def test_check_says_what_is_no_certificate(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text, told in (
        ('{"nodes": 3}', "is not a certificate: it has no file, level, program, schema"),
        ("{", "it is no JSON"),
        ("[1, 2]", "no JSON file, not a certificate"),
        ("hello", "no JSON file, not a certificate"),
    ):
        Path("c.json").write_text(text)
        assert run(["verify", "p.snncc", "--check", "c.json"]) == 1
        out = capsys.readouterr().out
        assert out.startswith("rejected: c.json "), out
        assert told in out
        assert "KeyError" not in out
        assert "TypeError" not in out
    assert run(["verify", "p.snncc", "--certificate", "c.json"]) == 0
    capsys.readouterr()
    says(capsys, "verify c.json --check p.snncc", 3, "it is a JSON file, not a program")
    says(capsys, "verify net.pth --check c.json", 3, "it is a checkpoint, not a program")
    assert run(["verify", "p.snncc", "--check", "p.snncc"]) == 1
    assert "is a compiled program, not a certificate" in capsys.readouterr().out
    assert run(["verify", "p.snncc", "--check", "c.json"]) == 0


def test_unknown_words_get_the_closest_ones(
    root: Path, there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    says(capsys, "complie net.pth", 2, "no command is called 'complie'", "perhaps compile")
    says(capsys, "xyzzy", 2, "there are compile, verify, run")
    name = populations(lowered(SEED))[0]
    close = f"perhaps {name}"
    recorded = f"run p.snncc d.npz:x --record r.npz --record-only {name}x"
    says(capsys, recorded, 2, f"no population is called '{name}x'", close)
    says(capsys, recorded[:-1] + "#!?" * 9, 2, "`snncc inspect PROGRAM` lists them")
    says(capsys, f"inspect p.snncc --node {name}x", 2, f"no node is called '{name}x'", close)
    base = f"compile {root / 'examples/digits_mixer.pth'} -o out.snncc --neuron "
    for word, told in (
        ("tau=abc", "--neuron tau=abc: that is no tau\n   = help: give a number from 1"),
        ("v_reset=zero", "give a number, or none for a soft reset"),
        ("decay_input=1", "give true or false"),
        ("compare=eq", "give ge or gt"),
        ("v_treshold=1", "perhaps v_threshold; there are compare=ge or gt, decay_input=true"),
    ):
        says(capsys, base + word, 2, "error[SNN001]", told)


EARLY = {
    "no checkpoint": ("compile none.pth -o o.snncc", 3),
    "no checkpoint to judge": ("verify none.pth", 3),
    "not a checkpoint": ("compile d.npz -o o.snncc", 3),
    "no images": ("compile net.pth -o o.snncc --calibrate none.npz:x", 3),
    "no key": ("compile net.pth -o o.snncc --calibrate d.npz:none", 3),
    "no evaluation": ("compile net.pth -o o.snncc --evaluate none.npz:x", 3),
    "real images": ("compile net.pth -o o.snncc --calibrate d.npz:columns", 3),
    "wrong size": ("compile net.pth -o o.snncc --input-shape 1,2,2 --calibrate d.npz:x", 3),
    "no folder": ("compile net.pth -o none/o.snncc", 2),
    "a folder": ("compile net.pth -o .", 2),
    "no folder for passes": ("compile net.pth -o o.snncc --dump-ir net.pth/ir", 2),
    "onto itself": ("compile net.pth -o net.pth", 2),
    "another kind": ("compile net.pth -o o.npz", 2),
    "no such option value": ("compile net.pth -o o.snncc --profile none", 2),
    "an option in vain": ("verify net.pth --run d.npz:x", 2),
}


@pytest.mark.parametrize("case", EARLY)
def test_what_is_wrong_is_found_before_torch_is_imported(case: str, there: Path) -> None:
    call, code = EARLY[case]
    program = (
        "import sys; from snncc.cli.main import run\n"
        f"code = run({call.split()!r})\n"
        "assert 'torch' not in sys.modules and 'numba' not in sys.modules\n"
        "sys.exit(code)\n"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=there)
    assert result.returncode == code, result.stderr
    assert "error[SNN" in result.stderr


# Sizes.


def bomb(path: Path, size: int, entry: str = "x.npy") -> None:
    """An .npz with one array of so many zeros, a thousandth of it on the disk."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "|u1", "fortran_order": False, "shape": (size,)}
    )
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(entry, "w", force_zip64=True) as file,
    ):
        file.write(head.getvalue())
        for start in range(0, size, 1 << 24):
            file.write(bytes(min(1 << 24, size - start)))


def test_an_archive_that_inflates_beyond_measure_is_refused(
    there: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(array_files, "INFLATED", 1 << 22)
    bomb(Path("bomb.npz"), 1 << 23)
    assert Path("bomb.npz").stat().st_size < 1 << 14
    refusals: list[Callable[[], object]] = [
        lambda: read_array("bomb.npz"),
        lambda: read_arrays(Path("bomb.npz")),
        lambda: load_recording(Path("bomb.npz")),
    ]
    for refuse in refusals:
        with pytest.raises(SnnccError) as caught:
            refuse()
        assert caught.value.code == "SNN015"
        assert "inflate to 8.4 MB" in caught.value.findings[0].why
    says(capsys, "compare bomb.npz bomb.npz", 3, "error[SNN015]", "inflate")
    says(capsys, "run p.snncc bomb.npz", 3, "error[SNN015]", "inflate")
    rng = np.random.default_rng(0)
    np.savez_compressed("real.npz", x=rng.integers(0, 256, 1 << 23, dtype=np.uint8))
    assert read_array("real.npz").size == 1 << 23


def test_what_does_not_fit_into_memory_is_refused_before_it_is_taken(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save("big.npy", np.zeros(1 << 23, np.uint8))
    np.savez("big.npz", x=np.zeros(1 << 23, np.uint8))
    monkeypatch.setattr(array_files, "INFLATED", 1 << 22)
    monkeypatch.setattr(array_files, "free_memory", lambda: 1 << 20)
    for spec in ("big.npy", "big.npz:x"):
        with pytest.raises(SnnccError) as caught:
            read_array(spec)
        assert "1.0 MB are free" in caught.value.findings[0].why


def test_recorded_spikes_are_eight_times_as_long_unpacked(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bits = 1 << 23
    packed = np.random.default_rng(0).integers(0, 256, bits // 8, dtype=np.uint8)
    np.savez("r.npz", **{"spikes/a": packed, "shape/a": np.array([1, 1, bits])})
    assert load_recording(Path("r.npz")).spikes["a"].size == bits
    monkeypatch.setattr(array_files, "INFLATED", 1 << 22)
    monkeypatch.setattr(array_files, "free_memory", lambda: bits // 2)
    with pytest.raises(SnnccError) as caught:
        load_recording(Path("r.npz"))
    assert caught.value.code == "SNN015"


def test_arrays_whose_headers_lie_and_doubled_names_are_refused(there: Path) -> None:
    for shape in ((1 << 40,), (3,), (1 << 31, 1 << 31, 1 << 31), (0,)):
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            head, {"descr": "|u1", "fortran_order": False, "shape": shape}
        )
        Path("lie.npy").write_bytes(head.getvalue() + b"12345")
        with zipfile.ZipFile("lie.npz", "w") as archive:
            archive.writestr("x.npy", head.getvalue() + b"12345")
        for spec in ("lie.npy", "lie.npz:x"):
            with pytest.raises(SnnccError, match=r"lie\.np. cannot be read"):
                read_array(spec)
    buffer = io.BytesIO()
    np.save(buffer, np.arange(3))
    with zipfile.ZipFile("two.npz", "w") as archive:
        archive.writestr("x.npy", buffer.getvalue())
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("x.npy", buffer.getvalue())
    for refuse in (lambda: read_array("two.npz:x"), lambda: read_arrays(Path("two.npz"))):
        with pytest.raises(SnnccError) as caught:
            refuse()
        assert "a name stands twice" in caught.value.findings[0].why
    np.save("objects.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(SnnccError, match="cannot be read"):
        read_array("objects.npy")


def test_a_flipped_byte_of_an_npz_never_gives_other_numbers(there: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 3), dtype=np.uint8)
    np.savez_compressed("good.npz", x=images)
    content = Path("good.npz").read_bytes()
    rng = np.random.default_rng(1)
    refused = 0
    for place in rng.integers(0, len(content), 300):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(rng.integers(8))
        Path("bad.npz").write_bytes(damaged)
        try:
            found = read_array("bad.npz:x")
        except SnnccError:
            refused += 1
        else:
            assert np.array_equal(found, images)
    assert refused > 150


def test_pixels_are_what_is_meant(there: Path) -> None:
    """The program of these tests takes images that no other file here has the shape of."""
    (node,) = lowered(SEED).select(Frames)
    assert images_of(SEED).shape[1:] == node.op.shape  # type: ignore[union-attr]
    with np.load("d.npz") as file:
        assert json.dumps(sorted(file.files)) == '["columns", "x", "y"]'


def test_files_that_the_system_keeps_count_as_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container, what was read before is counted as used until somebody wants the memory."""
    monkeypatch.setattr(machine_memory, "CGROUP", tmp_path)
    monkeypatch.setattr(machine_memory, "_machine", lambda: None)
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("900\n")
    assert machine_memory.free_memory() == 100
    (tmp_path / "memory.stat").write_text("anon 100\ninactive_file 700\nactive_file 50\n")
    assert machine_memory.free_memory() == 800
    (tmp_path / "memory.stat").write_text("inactive_file\n")
    assert machine_memory.free_memory() == 100
