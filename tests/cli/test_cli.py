"""The command line as a user meets it: outputs, exit codes, and every wrong input by name."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from snncc.backends.cpu.vm.runner import compile_ahead
from snncc.cli.main import run
from snncc.frontends.mixer_snn.config import MixerConfig
from snncc.frontends.mixer_snn.model import MixerSNN

OPTIONS = ["--normalize", "0.3,0.35"]


@pytest.fixture(scope="module")
def program(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "digits.snncc"
    checkpoint = str(root / "examples/digits_mixer.pth")
    calibrate = ["--calibrate", f"{root / 'examples/digits.npz'}:x_cal"]
    assert run(["compile", checkpoint, "-o", str(out), *OPTIONS, *calibrate]) == 0
    return out


@pytest.fixture
def digits(root: Path) -> str:
    return str(root / "examples/digits.npz")


def test_the_shipped_example_stays_accurate(
    program: Path, digits: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.npz"
    arguments = ["run", str(program), f"{digits}:x_test", "--labels", "y_test"]
    assert run([*arguments, "--reference", "logits", "-o", str(out), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["schema"] == 1
    assert record["images"] == 500
    assert record["accuracy"] >= 0.95
    assert record["agreement"] >= 0.97
    assert record["reference_accuracy"] >= 0.95
    assert 0.02 < record["spike_rate"] < 0.5
    assert record["seconds"] > 0
    with np.load(out) as results:
        assert results["logits"].dtype == np.float64
        assert results["logits"].shape == (500, 10)
        assert np.array_equal(results["predictions"], results["logits"].argmax(axis=1))
    first = out.read_bytes()
    assert run([*arguments, "-o", str(out), "--executor", "interpreter"]) == 0
    assert out.read_bytes() == first


def test_run_for_people(program: Path, digits: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(["run", str(program), f"{digits}:x_test", "--labels", "y_test", "--limit", "20"]) == 0
    )
    text = capsys.readouterr().out
    for expected in (
        "images",
        "20",
        "accuracy",
        "spike rate",
        "ms an image",
        "token_mix.0.proj_h.3",
    ):
        assert expected in text


def test_verify_answers_with_its_exit_code(
    program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", str(program)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("multiplication-free: level shift-add")
    assert "input   bit-planes" in text
    assert "channel_mix.0.1.net.4" in text
    assert run(["verify", str(program), "--level", "strict", "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert record["holds"] is False
    assert record["level"] == "shift-add"
    assert {op["level"] for op in record["ops"]} == {"strict", "shift-add"}


def test_unshared_weights_are_strict(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "u.snncc"
    checkpoint = str(root / "examples/digits_mixer.pth")
    assert run(["compile", checkpoint, "-o", str(out), *OPTIONS, "--gain", "unshared"]) == 0
    assert run(["verify", str(out), "--level", "strict"]) == 0


def test_host_encoding_is_said_on_its_own_line(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "h.snncc"
    checkpoint = str(root / "examples/digits_mixer.pth")
    assert run(["compile", checkpoint, "-o", str(out), *OPTIONS, "--encoding", "host"]) == 0
    capsys.readouterr()
    assert run(["verify", str(out)]) == 1
    text = capsys.readouterr().out
    assert text.startswith("NOT multiplication-free: level none")
    assert "input   host, OUTSIDE the program" in text
    assert "--allow encoding=host accepts that" in text
    assert run(["verify", str(out), "--allow", "encoding=host"]) == 0
    assert "input   host, OUTSIDE the program" in capsys.readouterr().out
    assert run(["verify", str(out), "--allow", "encoding=host", "--level", "strict"]) == 1


def test_inspect(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(program), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["neurons"] == 18_944
    assert record["provenance"]["parameters"] == 43_058
    folds = record["provenance"]["folds"]
    kept = [f["site"] for f in folds if f["pass"].endswith("thresholds") and not f["fired"]]
    assert kept == ["channel_mix.0.1.net.4", "channel_mix.1.1.net.4"]
    assert run(["inspect", str(program)]) == 0
    assert "membrane bits" in capsys.readouterr().out
    assert run(["inspect", str(program), "--text"]) == 0
    assert capsys.readouterr().out.startswith("integer graph (steps 4, profile exact) {")
    assert run(["inspect", str(program), "--node", "token_mix.0.proj_h.3"]) == 0
    assert "threshold" in capsys.readouterr().out
    assert run(["inspect", str(program), "--node", "proj_h.3"]) == 2
    assert "perhaps token_mix.0.proj_h.3" in capsys.readouterr().err


def test_compile_says_what_it_did(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, dump = tmp_path / "d.snncc", tmp_path / "ir"
    arguments = ["compile", str(root / "examples/digits_mixer.pth"), "-o", str(out), *OPTIONS]
    assert run([*arguments, "--dump-ir", str(dump), "--time-passes", "--json"]) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert record["network"] == "mixer-snn"
    assert record["fired"]["fold_batchnorm_into_thresholds"] == 2
    assert "fold_batchnorm_into_weights" in captured.err
    names = sorted(p.name for p in dump.iterdir())
    assert names[0] == "00-trace.txt"
    assert names[-1] == "07-lower_to_integers.txt"


FACTORY = """
from torch import nn
from spikingjelly.activation_based import layer, neuron, functional

def net(width=4):
    model = nn.Sequential(layer.Conv2d(1, width, 4, stride=4), neuron.LIFNode(v_threshold=0.1),
                          layer.Flatten(), layer.Linear(width * 64, 10))
    functional.set_step_mode(model, "m")
    return model

def bad():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.LayerNorm(32)
            self.fire = neuron.LIFNode(step_mode="m")
        def forward(self, x):
            if x.sum() > 0:
                x = x * 2
            return self.fire(self.norm(x)).softmax(-1).mean((2, 3))
    return Net()

def number():
    return 3

def raises():
    raise KeyError("weights")
"""


def test_a_model_of_ones_own(
    tmp_path: Path, digits: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my_nets.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    base = ["compile", "-o", "own.snncc", "--input-shape", "1,32,32", "--steps", "3"]
    assert run([*base, "--model", "my_nets:net", "--arg", "width=6"]) == 0
    assert run(["run", "own.snncc", f"{digits}:x_test", "--limit", "5", "--json"]) == 0
    capsys.readouterr()
    assert run([*base, "--model", "my_nets:bad"]) == 4
    text = capsys.readouterr().err
    assert "error[SNN020]: LayerNorm needs a division by data" in text
    assert "--> norm" in text
    assert "error[SNN021]: torch.softmax needs exponentials" in text
    assert "error[SNN022]" in text
    assert "if x.sum() > 0:" in text
    assert "3 errors" in text
    for spec in ("my_nets:number", "my_nets:raises", "my_nets:none", "no_such:net", "my_nets"):
        assert run([*base, "--model", spec]) == 2, spec
        assert "SNN003" in capsys.readouterr().err
    assert run([*base[:-2], "--model", "my_nets:net", "--input-shape", "1,30,30"]) == 4
    assert "SNN028" in capsys.readouterr().err


def wrong_files(tmp_path: Path) -> dict[str, Path]:
    torch.manual_seed(0)
    state = MixerSNN(MixerConfig(6, (1, 1), 2, 2, 8, 1, 5)).state_dict()
    files = {
        n: tmp_path / f"{n}.pth"
        for n in ("empty", "cut", "foreign", "missing", "extra", "nan", "other")
    }
    torch.save(state, files["cut"])
    files["cut"].write_bytes(files["cut"].read_bytes()[:5000])
    files["empty"].write_bytes(b"")
    files["foreign"].write_text("hello")
    torch.save({k: v for k, v in state.items() if k != "batch_norm.bias"}, files["missing"])
    torch.save({**state, "more": torch.ones(2)}, files["extra"])
    torch.save({**state, "batch_norm.bias": torch.full((12,), float("nan"))}, files["nan"])
    torch.save({"some.weight": torch.ones(2)}, files["other"])
    return files


def test_bad_checkpoints_end_in_one_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = {
        "empty": "SNN010",
        "cut": "SNN010",
        "foreign": "SNN010",
        "missing": "SNN012",
        "extra": "SNN012",
        "nan": "SNN034",
        "other": "SNN013",
        "nothing": "SNN010",
    }
    files = {**wrong_files(tmp_path), "nothing": tmp_path / "no.pth"}
    for name, code in codes.items():
        out = tmp_path / "out.snncc"
        assert run(["compile", str(files[name]), "-o", str(out), "--json"]) == 3, name
        captured = capsys.readouterr()
        assert f"error[{code}]" in captured.err, name
        assert "Traceback" not in captured.err
        assert json.loads(captured.out)["errors"][0]["code"] == code
        assert not out.exists()


def test_bad_images_end_in_one_clear_error(
    program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = np.zeros((4, 1, 32, 32), np.uint8)
    cases = {
        "float": (good.astype(np.float32) / 255, "normalisation is part of the program"),
        "int": (good.astype(np.int32), "give it as uint8"),
        "range": (good.astype(np.int32) - 1, "beyond 0..255"),
        "shape": (np.zeros((4, 3, 32, 32), np.uint8), "not uint8 [n, 1, 32, 32]"),
        "grey": (np.zeros((4, 32, 32), np.uint8), "not uint8 [n, 1, 32, 32]"),
        "none": (good[:0], "holds no images"),
    }
    for name, (array, message) in cases.items():
        path = tmp_path / f"{name}.npy"
        np.save(path, array)
        assert run(["run", str(program), str(path)]) == 3, name
        text = capsys.readouterr().err
        assert "error[SNN016]" in text, name
        assert message in text, (name, text)
    np.savez(
        tmp_path / "l.npz", x=good, y=np.array([0, 1]), z=np.array([0, 1, 2, 77]), w=good[:, 0]
    )
    for key, message in (("y", "2 labels for 4 images"), ("z", "0..77"), ("w", "labels are")):
        assert run(["run", str(program), f"{tmp_path / 'l.npz'}:x", "--labels", key]) == 3
        assert message in capsys.readouterr().err
    for spec, message in (
        (f"{tmp_path / 'l.npz'}:no", "there are: x, y, z, w"),
        (str(tmp_path / "l.npz"), "several arrays"),
        (str(tmp_path / "none.npz"), "No such file"),
        (str(program), "not a NumPy file"),
    ):
        assert run(["run", str(program), spec]) == 3
        text = capsys.readouterr().err
        assert "error[SNN015]" in text
        assert message in text


def test_damaged_programs_end_in_one_clear_error(
    program: Path, digits: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(program.read_bytes())
    content[len(content) // 2] ^= 1
    broken = tmp_path / "broken.snncc"
    broken.write_bytes(content)
    for command in (
        ["verify", str(broken)],
        ["inspect", str(broken)],
        ["run", str(broken), digits],
    ):
        assert run(command) == 3
        assert "error[SNN017]" in capsys.readouterr().err
    assert run(["verify", str(tmp_path / "none.snncc")]) == 3


def test_unwritable_outputs_are_found_before_the_work(
    root: Path, program: Path, digits: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = str(root / "examples/digits_mixer.pth")
    for out in (tmp_path, tmp_path / "no/folder/x"):
        assert run(["compile", checkpoint, "-o", str(out), *OPTIONS]) == 2
        for option in ("-o", "--record"):
            assert run(["run", str(program), f"{digits}:x_test", option, str(out)]) == 2
        text = capsys.readouterr().err
        assert text.count("error[SNN002]") == text.count("help: choose another path\n") == 3


def test_options_that_do_not_fit_are_refused(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["compile", str(root / "examples/digits_mixer.pth"), "-o", str(tmp_path / "x")]
    assert run([*base, "--profile", "loihi-lava", "--weight-bits", "9"]) == 2
    assert "2 to 8 bits" in capsys.readouterr().err
    assert run([*base, "--normalize", "0.1/0.2/0.3,0.5"]) == 2
    assert "1 channels" in capsys.readouterr().err
    for wrong in (["--weight-bits", "1"], ["--normalize", "a,b"], ["--input-shape", "x"]):
        assert run([*base, *wrong]) == 2
        assert "error[SNN005]" in capsys.readouterr().err
    assert run([*base, "--input-shape", "1,16,16"]) == 4
    assert "SNN028" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_bug_ends_in_a_report_not_in_a_traceback(
    program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oh\nno")

    monkeypatch.setattr("snncc.mfi.prove", broken)
    assert run(["verify", str(program)]) == 70
    text = capsys.readouterr().err
    assert text.startswith("internal error: ZeroDivisionError: oh\n")
    path = Path(text.split("Details are in ")[1].split(";")[0])
    assert "Traceback" in path.read_text()
    path.unlink()


def spawned(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snncc", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_real_processes(program: Path) -> None:
    assert spawned("verify", str(program)).returncode == 0
    assert spawned("verify", str(program), "--level", "strict").returncode == 1
    assert spawned("verify").returncode == 2
    assert spawned("nonsense").returncode == 2
    helped = spawned("--help")
    assert helped.returncode == 0
    for command in ("compile", "verify", "run", "inspect"):
        assert command in helped.stdout
        assert spawned(command, "--help").returncode == 0
    assert spawned("--version").stdout.startswith("snncc")


def test_help_reading_and_running_import_no_torch_and_no_numba(program: Path, root: Path) -> None:
    compile_ahead()
    images = f"{root / 'examples/digits.npz'}:x_test"
    for arguments, absent in (
        (["--help"], ("torch", "numba", "numpy")),
        (["run", str(program), images, "--limit", "2"], ("torch", "numba")),
        (["verify", str(program)], ("torch", "numba")),
        (["inspect", str(program)], ("torch", "numba")),
    ):
        code = (
            "import sys; from snncc.cli.main import run\n"
            f"assert run({arguments!r}) == 0\n"
            f"assert not [m for m in {absent!r} if m in sys.modules], sorted(sys.modules)\n"
        )
        environment = {**os.environ, "PYTHONWARNINGS": "error"}
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, env=environment
        )


def test_compiling_without_torch_says_what_to_install(root: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from snncc.cli.main import run\n"
        f"sys.exit(run(['compile', {str(root / 'examples/digits_mixer.pth')!r}, '-o',"
        f" {str(tmp_path / 'x.snncc')!r}]))\n"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 5, result.stderr
    assert "error[SNN050]" in result.stderr
    assert "pip install" in result.stderr
