"""Calls that ended in an internal error, in the user's own exit code, or in a wrong answer."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from executions import images_of, populations, with_neurons
from programs import lowered
from torch import nn

from snncc.artifact import Program, save_program
from snncc.cli.main import run
from snncc.cli.path_types import OutputFile
from snncc.diagnostics import SnnccError
from snncc.frontends.torch_recorder.copying import copied
from snncc.frontends.torch_recorder.trace import trace_model
from snncc.frontends.weights.fit import load_weights

LONG = "n" * 300
"""Longer than a name may be: to ask whether it exists raises OSError on Python 3.11."""
EXITS = {
    "at_import": "raise SystemExit(9)\n",
    "in_factory": "import sys\ndef make():\n    sys.exit(9)\n",
    "in_forward": (
        "import sys\nfrom torch import nn\n"
        "class Net(nn.Module):\n"
        "    def forward(self, x):\n        sys.exit(9)\n"
        "def make():\n    return Net()\n"
    ),
    "in_second_forward": (
        "import sys\nfrom torch import nn\ncalls = []\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.a = nn.Linear(4, 2)\n"
        "    def forward(self, x):\n"
        "        calls.append(0)\n"
        "        if len(calls) > 1:\n            sys.exit(9)\n"
        "        return self.a(x)\n"
        "def make():\n    return Net()\n"
    ),
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two programs and images, which is the working folder."""
    graph = lowered(7)
    name = populations(graph)[0]
    reset = "soft" if graph[name].op.reset == "hard" else "hard"
    save_program(tmp_path / "a.snncc", Program(graph, {}))
    save_program(tmp_path / "b.snncc", Program(with_neurons(graph, name, reset=reset), {}))
    np.savez(tmp_path / "d.npz", x=images_of(7))
    torch.save({"a.weight": torch.zeros(2, 4), "a.bias": torch.zeros(2)}, tmp_path / "w.pth")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("where", "code"),
    [("at_import", 2), ("in_factory", 2), ("in_forward", 4), ("in_second_forward", 4)],
)
def test_sys_exit_in_the_users_code_is_an_error_of_the_model(
    where: str,
    code: int,
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    module = f"exits_{where}"
    (files / f"{module}.py").write_text(EXITS[where])
    monkeypatch.syspath_prepend(str(files))
    call = ["verify", "--model", f"{module}:make", "--input-shape", "4", "--steps", "2"]
    assert run(call) == code
    text = capsys.readouterr().err
    assert ("SNN003" if code == 2 else "SNN028") in text
    assert "the code called sys.exit(9)" in text


class _Exits(nn.Linear):
    def __deepcopy__(self, memo: object) -> nn.Module:
        raise SystemExit(9)

    def load_state_dict(self, *given: object, **named: object) -> None:  # type: ignore[override]
        raise SystemExit(9)


def test_sys_exit_in_copies_and_in_loading_is_an_error_of_the_model() -> None:
    model = _Exits(4, 2)
    with pytest.raises(SnnccError, match=r"SNN025(.|\n)*the code called sys\.exit\(9\)"):
        copied(model)
    with pytest.raises(SnnccError, match=r"SNN012(.|\n)*the code called sys\.exit\(9\)"):
        load_weights(model, model.state_dict(), "w.pth")


@pytest.mark.parametrize(
    "call",
    [
        "run a.snncc LONG",
        "run a.snncc LONG:x",
        "run LONG d.npz:x",
        "run a.snncc d.npz:x --labels LONG",
        "run a.snncc d.npz:x -o LONG",
        "run a.snncc d.npz:x --record LONG",
        "compile LONG -o p.snncc",
        "compile w.pth -o LONG",
        "compile w.pth -o p.snncc --dump-ir LONG",
        "compile w.pth -o p.snncc --calibrate LONG",
        "export a.snncc --to lava -o LONG",
        "export a.snncc --to lava -o LONG --force",
        "verify LONG",
        "verify a.snncc --certificate LONG",
        "inspect LONG",
        "compare a.snncc LONG --data d.npz:x",
        "compare a.snncc b.snncc --data LONG",
    ],
)
def test_a_name_that_is_too_long_is_a_coded_error(
    call: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(os.listdir(files))
    code = run([word.replace("LONG", LONG) for word in call.split()])
    text = capsys.readouterr().err
    assert code in (2, 3), text
    assert "SNN0" in text
    assert sorted(os.listdir(files)) == before


@pytest.mark.parametrize(("shape", "steps"), [((1, 999_999_999, 32), 1), ((4,), 1 << 40)])
def test_an_example_beyond_all_memory_is_not_made(shape: tuple[int, ...], steps: int) -> None:
    with pytest.raises(SnnccError) as caught:
        trace_model(nn.Linear(4, 2), shape, steps)
    assert caught.value.code == "SNN001"
    assert "too large" in str(caught.value)


def test_compare_holds_a_recording_against_the_stated_program(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", "a.snncc", "d.npz:x", "--record", "r.npz", "-o", "o.npz"]) == 0
    for other in ("a.snncc", "b.snncc"):
        capsys.readouterr()
        assert run(["compare", other, "r.npz", "--program", "b.snncc"]) == 3
        assert "error[SNN016]: r.npz is not a recording of b.snncc" in capsys.readouterr().err
    assert run(["compare", "a.snncc", "r.npz", "--program", "a.snncc"]) == 0


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no such names on this system")
@pytest.mark.parametrize(
    "name",
    ["/dev/stdout", "/dev/stderr", "/dev/fd/1", "/proc/self/fd/1", "/dev/../dev/stdout", "link"],
)
def test_streams_are_no_output(
    name: str, files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (files / "link").symlink_to("/dev/stdout")
    assert run(["run", "a.snncc", "d.npz:x", "-o", name]) == 2
    assert f"{name} is no file" in capsys.readouterr().err
    assert run(["export", "a.snncc", "--to", "lava", "-o", name]) == 2


def test_links_to_files_and_rings_of_links_are_no_streams(files: Path) -> None:
    (files / "to").symlink_to("o.npz")
    (files / "one").symlink_to("two")
    (files / "two").symlink_to("one")
    kind = OutputFile("an archive of arrays", ".npz")
    for name in ("to", "one", "fd/1", "dev/stdout"):
        assert kind.convert(name, None, None) == Path(name)
