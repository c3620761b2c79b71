"""Examples in plain PyTorch: what is shipped answers as it did, and compiles to what is said."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import snncc
from snncc.cli.main import run
from snncc.frontends.torch_recorder.precision import in_double

Sample = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def at_root(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands of the examples are called in the checkout."""
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.chdir(root)


def load(name: str, factory: str) -> tuple[nn.Module, NDArray[Any]]:
    """A shipped network, and its own logits."""
    module, _, function = factory.partition(":")
    net: nn.Module = getattr(import_module(f"examples.{module}"), function)()
    net.load_state_dict(torch.load(f"examples/trained/{name}.pth", weights_only=True))
    with np.load("examples/trained/logits.npz") as file:
        return net, file[name]


def data(file: str, *keys: str) -> list[NDArray[Any]]:
    with np.load(f"examples/trained/{file}.npz") as held:
        return [held[key] for key in keys]


def compiled(name: str, folder: Path, *instead: str) -> snncc.Program:
    """What the README's command for a shipped network makes, word for word but for the path."""
    lines = Path("examples/README.md").read_text().splitlines()
    start = f"    snncc compile examples/trained/{name}.pth "
    (line,) = [line for line in lines if line.startswith(start)]
    words = line.split()[1:]
    place = words.index("-o") + 1
    words[place] = str(folder / words[place])
    assert run([*words, *instead]) == 0
    return snncc.load(words[place])


def check_logits(
    net: nn.Module, given: Callable[[torch.Tensor], torch.Tensor], x: Sample, logits: Any
) -> None:
    """The shipped logits are those of the shipped weights; stored in float32."""
    with in_double(), torch.no_grad():
        answer = net.double()(given(torch.from_numpy(x).double())).numpy()
    assert np.abs(answer - logits).max() < 1e-5


def check_program(
    program: snncc.Program,
    x: Sample,
    labels: Any,
    logits: Any,
    *,
    right: float,
    same: float,
    executors: tuple[str, str] = ("simulator", "interpreter"),
) -> None:
    """Accuracy and agreement by one executor, the bits of both on some samples."""
    found = program.run(x, executor=executors[0])
    assert found.accuracy(labels) >= right
    assert np.mean(found.predictions == logits.argmax(axis=1)) >= same
    other = program.run(x[:2], executor=executors[1])
    assert np.array_equal(other.readout, found.readout[:2])


@pytest.mark.parametrize("network", ["sew_resnet", "spikformer"])
def test_networks_of_images_are_strict_and_lose_less_than_a_point(
    network: str, tmp_path: Path
) -> None:
    """Further widths: docs/variants.md."""
    name = f"{network.replace('_', '-')}-t4"
    net, logits = load(name, f"spiking_images:{network}")
    x_cal, x, y = data("small_digits", "x_cal", "x_test", "y_test")
    np.save(tmp_path / "few.npy", x_cal[:64])
    program = compiled(name, tmp_path, "--calibrate", str(tmp_path / "few.npy"))
    assert program.verify(level="strict")
    original = np.mean(logits.argmax(axis=1) == y)
    assert original >= 0.985
    check_program(program, x, y, logits, right=original - 0.01, same=0.98)
    check_logits(net, lambda x: (x / 16).expand(4, *x.shape), x[:20], logits[:20])


def test_moving_patterns_are_answered_step_by_step(tmp_path: Path) -> None:
    net, logits = load("moving-patterns-t16", "moving_patterns:direction")
    x, y = data("moving_patterns", "x_test", "y_test")
    program = compiled("moving-patterns-t16", tmp_path)
    assert program.verify(level="strict")
    check_program(program, x, y, logits, right=0.97, same=0.98)
    (name,) = program.populations
    whole = program.run(x[:2])
    for place in range(2):
        stream = program.stream(record=(name,))
        answers = [stream.step(frame) for frame in x[place]]
        assert [answer.done for answer in answers] == [*range(1, 17)]
        assert np.array_equal(answers[-1].readout, whole.readout[place])
        spikes = np.stack([answer.spikes[name] for answer in answers])
        assert np.array_equal(spikes, whole.spikes[name].values[place])
    check_logits(net, lambda x: x.transpose(0, 1), x[:20], logits[:20])


def test_recordings_of_moving_patterns_are_those_that_the_script_makes() -> None:
    patterns: Any = import_module("examples.moving_patterns")
    x, y = data("moving_patterns", "x_test", "y_test")
    made, labels = patterns.recordings(500, 2)
    assert np.array_equal(made, x)
    assert np.array_equal(labels, y)


@pytest.mark.parametrize(
    ("network", "level", "every"), [("taps", "strict", 5), ("glu", "shift-add", 20)]
)
def test_state_spaces_answer_as_trained(
    network: str, level: str, every: int, tmp_path: Path
) -> None:
    """At several widths: examples/README.md. The interpreter takes many sequences at once."""
    net, logits = load(f"state-space-{network}-t64", f"spiking_state_space:{network}")
    x, y = data("small_digits", "sequences_test", "y_test")
    program = compiled(f"state-space-{network}-t64", tmp_path)
    assert program.verify(level=level)
    assert np.mean(logits.argmax(axis=1) == y) >= 0.9
    some = slice(None, None, every)
    executors = ("interpreter", "simulator")
    given = (x[some], y[some], logits[some])
    check_program(program, *given, right=0.9, same=0.95, executors=executors)
    check_logits(net, lambda x: x / 16, x[:20], logits[:20])


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("spiking_images", ["sew-resnet"]),
        ("spiking_state_space", ["glu"]),
        ("moving_patterns", []),
    ],
)
def test_scripts_write_what_they_trained(
    module: str, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one epoch on few data; every weight has moved."""
    script: Any = import_module(f"examples.{module}")
    if arguments:
        split = script.split
        monkeypatch.setattr(script, "split", lambda: [part[:128] for part in split()])
    else:
        made = script.recordings
        monkeypatch.setattr(script, "recordings", lambda count, seed: made(128, seed))
    monkeypatch.setattr("sys.argv", [module, *arguments, "--epochs", "1", "--out", str(tmp_path)])
    script.main()
    (file,) = tmp_path.glob("*.pth")
    with np.load(tmp_path / "logits.npz") as held:
        assert list(held) == [file.stem]
        assert len(held[file.stem]) == 128
    trained = torch.load(file, weights_only=True)
    torch.manual_seed(0)
    fresh = script.NETWORKS[arguments[0]]() if arguments else script.direction()
    same = [key for key, value in fresh.named_parameters() if torch.equal(value, trained[key])]
    assert same == []
