"""From image files to predictions on the command line, with the paper's preprocessing."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from snncc.artifact import load_program
from snncc.cli.compile.command import command as compile_command
from snncc.cli.main import run
from snncc.data.image_files import ImageFiles
from snncc.data.image_folder import find_images
from snncc.data.preprocessing import PRESETS, Preprocessing
from snncc.frontends.mixer_snn.config import MixerConfig
from snncc.frontends.mixer_snn.model import MixerSNN
from snncc.frontends.mixer_snn.untrained import untrained_mixer
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.projections import Frames
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator

CONFIG = MixerConfig(dim=6, depths=(1, 1), alpha=2, patch_size=28, num_classes=4)
STEPS = 3
SIZES = [(60, 80), (80, 60), (256, 300), (224, 224), (31, 33), (400, 250), (90, 90)]
NAMES = ["ant/1.png", "ant/2.jpg", "bee/1.png", "bee/2.png", "cat/1.jpg", "cat/2.png", "eel/1.png"]
CLASSES = [0, 0, 1, 1, 2, 2, 3]


def picture(seed: int, height: int, width: int) -> Image.Image:
    """Smooth and colourful: noise of a few blocks, enlarged."""
    blocks = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((width, height), Image.Resampling.BILINEAR)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("images")
    for seed, (name, size) in enumerate(zip(NAMES, SIZES, strict=True)):
        (root / name).parent.mkdir(exist_ok=True)
        picture(seed, *size).save(root / name)
    return root


def pixels_of(folder: Path, preset: Preprocessing) -> np.ndarray:
    found = find_images(folder)
    assert found is not None
    return found.images(preset.shape, preset)[:]


def normalized(pixels: np.ndarray, preset: Preprocessing) -> torch.Tensor:
    means, stds = (torch.tensor(v, dtype=torch.float64).view(3, 1, 1) for v in preset.normalization)
    return (torch.from_numpy(pixels).double() / 255.0 - means) / stds


@pytest.fixture(scope="module")
def net(folder: Path) -> MixerSNN:
    preset = PRESETS["imagenet224"]
    images = normalized(pixels_of(folder, preset), preset)
    return untrained_mixer(CONFIG, images, STEPS, rate=0.2).double().eval()


@pytest.fixture(scope="module")
def checkpoint(net: MixerSNN, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("net") / "colour.pth"
    state = {name: tensor.float() for name, tensor in net.state_dict().items()}
    torch.save({"model": state}, path)
    return str(path)


def compiled(checkpoint: str, out: Path, *options: str) -> str:
    assert run(["compile", checkpoint, "-o", str(out), "--steps", str(STEPS), *options]) == 0
    return str(out)


@pytest.fixture(scope="module")
def program(checkpoint: str, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("program") / "colour.snncc"
    options = ("--preprocess", "imagenet224", "--calibrate", str(folder))
    return compiled(checkpoint, out, *options)


def test_the_choices_are_the_presets() -> None:
    (option,) = (p for p in compile_command.params if p.name == "preprocess")
    assert list(option.type.choices) == list(PRESETS)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", PRESETS)
def test_the_program_sees_what_the_network_saw(
    name: str, net: MixerSNN, checkpoint: str, folder: Path, tmp_path: Path
) -> None:
    """Files in, logits out: those of the float64 network on normalised pixels."""
    out = compiled(checkpoint, tmp_path / "p.snncc", "--preprocess", name, "--weight-bits", "24")
    assert run(["run", out, str(folder), "-o", str(tmp_path / "out.npz")]) == 0
    preset = PRESETS[name]
    sequence = normalized(pixels_of(folder, preset), preset).expand(STEPS, -1, -1, -1, -1)
    with torch.no_grad():
        wanted = net(sequence).mean(0).numpy()
    with np.load(tmp_path / "out.npz") as results:
        got = results["logits"]
    assert np.ptp(wanted, axis=0).min() > 1e-3  # the images do not all look the same to it
    assert np.allclose(got, wanted, atol=1e-5)


@pytest.mark.parametrize("name", PRESETS)
def test_both_encodings_and_both_executors_agree(
    name: str, checkpoint: str, folder: Path, tmp_path: Path
) -> None:
    pixels, seen = pixels_of(folder, PRESETS[name])[:4], []
    for encoding in ("bit-planes", "host"):
        options = ("--preprocess", name, "--encoding", encoding)
        out = compiled(checkpoint, tmp_path / encoding, *options)
        loaded = load_program(Path(out))
        assert loaded.provenance["preprocess"] == name
        (entry,) = loaded.graph.select(Frames)
        assert isinstance(entry.op, Frames)
        assert (entry.op.encoding, entry.op.shape) == (encoding, (3, 224, 224))
        seen += [interpret(loaded.graph, pixels, ALL), Simulator(loaded.graph).run(pixels, ALL)]
    first = seen[0]
    assert len(np.unique(first.readout, axis=0)) == 4
    assert all(count > 0 for count in first.spike_counts.values())
    for other in seen[1:]:
        assert np.array_equal(other.readout, first.readout)
        for population in first.spikes:
            assert np.array_equal(other.spikes[population], first.spikes[population])
            assert np.array_equal(other.membranes[population], first.membranes[population])


def test_a_folder_is_the_array_of_its_pixels(
    program: str, checkpoint: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset = PRESETS["imagenet224"]
    np.savez(tmp_path / "a.npz", x=pixels_of(folder, preset), y=np.array(CLASSES))
    data = f"{tmp_path / 'a.npz'}:x"
    same = compiled(
        checkpoint, tmp_path / "same", "--preprocess", "imagenet224", "--calibrate", data
    )
    assert Path(same).read_bytes() == Path(program).read_bytes()
    files, array = tmp_path / "f.npz", tmp_path / "g.npz"
    capsys.readouterr()
    labels = ["--labels", "folders", "--json"]
    assert run(["run", program, str(folder), *labels, "-o", str(files)]) == 0
    of_files = json.loads(capsys.readouterr().out)
    assert run(["run", program, data, "--labels", "y", "--json", "-o", str(array)]) == 0
    of_array = json.loads(capsys.readouterr().out)
    assert files.read_bytes() == array.read_bytes()
    assert of_files["preprocess"] == "imagenet224"
    assert "preprocess" not in of_array
    for key in ("images", "accuracy", "spike_rate", "spike_rates"):
        assert of_files[key] == of_array[key], key
    assert run(["run", program, str(folder / NAMES[2]), "-o", str(tmp_path / "one.npz")]) == 0
    with np.load(files) as every, np.load(tmp_path / "one.npz") as single:
        assert np.array_equal(single["logits"], every["logits"][2:3])


def test_only_as_many_images_are_read_as_run_at_once(
    program: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = tmp_path / "whole.npz", tmp_path / "parts.npz"
    assert run(["run", program, str(folder), "-o", str(whole)]) == 0
    monkeypatch.setattr("snncc.runtime.executors.images_of_interpreter", lambda _: 3)
    monkeypatch.setattr("snncc.runtime.simulator.AT_ONCE", 3)
    read: list[int] = []
    take = ImageFiles.__getitem__

    def counted(self: ImageFiles, index: slice) -> np.ndarray:
        images = take(self, index)
        read.append(len(images))
        return images

    monkeypatch.setattr(ImageFiles, "__getitem__", counted)
    for executor in ("simulator", "interpreter"):
        arguments = ["run", program, str(folder), "-o", str(parts), "--executor", executor]
        assert run(arguments) == 0
        assert parts.read_bytes() == whole.read_bytes()
    assert read == [3, 3, 1, 3, 3, 1]
    read.clear()
    assert run(["run", program, str(folder), "--limit", "2", "--labels", "folders"]) == 0
    assert read == [2]


def test_people_are_told_what_happens_to_files(
    program: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run(["run", program, str(folder), "--labels", "folders"]) == 0
    text = capsys.readouterr().out
    assert "preprocess  imagenet224" in text
    assert "accuracy" in text
    assert run(["inspect", program]) == 0
    assert "preprocess  imagenet224" in capsys.readouterr().out


def test_compile_says_which_geometry_files_will_get(
    checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compiled(checkpoint, tmp_path / "p", "--preprocess", "cifar224")
    captured = capsys.readouterr()
    assert "cifar224: to 224 x 224 (bilinear)" in captured.out
    assert "--normalize" not in captured.err
    compiled(checkpoint, tmp_path / "p", "--preprocess", "cifar224", "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["preprocess"] == "cifar224"
    assert report["normalize"]["mean"] == [0.4914, 0.4822, 0.4465]


def test_without_a_preset_files_must_have_the_size(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "digits.snncc")
    with np.load(root / "examples/digits.npz") as digits:
        images, labels = digits["x_test"][:60], digits["y_test"][:60]
    for place, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = tmp_path / "test" / str(label) / f"{place:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0]).save(path)
    base = ["compile", str(root / "examples/digits_mixer.pth"), "-o", out, "--normalize"]
    assert run([*base, "0.3,0.35", "--calibrate", str(tmp_path / "test")]) == 0
    capsys.readouterr()
    arguments = ["run", out, str(tmp_path / "test"), "--labels"]
    assert run([*arguments, "folders", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] > 0.9
    order = np.argsort(labels, kind="stable")
    np.save(tmp_path / "labels.npy", labels[order])
    assert run([*arguments, str(tmp_path / "labels.npy"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] > 0.9
    assert run([*arguments, "y_test"]) == 2
    assert "holds image files and no key 'y_test'" in capsys.readouterr().err
    picture(0, 32, 31).save(tmp_path / "test/0/narrow.png")
    (tmp_path / "test/1/broken.png").write_bytes(b"no image")
    assert run([*arguments, "folders", "--json"]) == 3
    captured = capsys.readouterr()
    assert [e["code"] for e in json.loads(captured.out)["errors"]] == ["SNN015", "SNN016"]
    assert "narrow.png (32 x 31)" in captured.err
    assert "broken.png cannot be read" in captured.err
    assert run([*base, "0.3,0.35", "--calibrate", str(tmp_path / "test")]) == 3
    assert "broken.png cannot be read" in capsys.readouterr().err


def test_what_does_not_fit_is_refused(
    root: Path, program: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digits = ["compile", str(root / "examples/digits_mixer.pth"), "-o", str(tmp_path / "x")]
    assert run([*digits, "--preprocess", "imagenet224", "--normalize", "0.3,0.35"]) == 2
    assert "--normalize and --preprocess are both given" in capsys.readouterr().err
    assert run([*digits, "--preprocess", "imagenet448"]) == 2
    assert "imagenet224" in capsys.readouterr().err
    assert run([*digits, "--preprocess", "cifar224"]) == 2
    text = capsys.readouterr().err
    assert "cifar224 gives images [3, 224, 224], the network takes [1, 32, 32]" in text
    assert not (tmp_path / "x").exists()
    (tmp_path / "data").mkdir()
    assert run(["run", program, str(tmp_path / "data")]) == 3
    assert "holds no images" in capsys.readouterr().err
    for name in ("ant", "bee"):
        (tmp_path / "data" / name).mkdir()
    picture(0, 50, 50).save(tmp_path / "data/bee/1.png")
    assert run(["run", program, str(tmp_path / "data"), "--labels", "folders"]) == 3
    assert "2 class folders, the program 4 classes" in capsys.readouterr().err
    assert run(["run", program, str(folder), "--reference", "logits"]) == 2
    assert "no key 'logits'" in capsys.readouterr().err


FACTORY = """
from torch import nn
from spikingjelly.activation_based import layer, neuron, functional

def net():
    model = nn.Sequential(layer.Conv2d(3, 2, 56, stride=56), neuron.LIFNode(v_threshold=0.01),
                          layer.Flatten(), layer.Linear(32, 4))
    functional.set_step_mode(model, "m")
    return model
"""


def test_a_preset_gives_the_shape_of_a_network_of_ones_own(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nets_with_preset.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    base = ["compile", "-o", "own.snncc", "--model", "nets_with_preset:net", "--steps", "2"]
    assert run([*base, "--preprocess", "cifar224"]) == 0
    graph = load_program(tmp_path / "own.snncc").graph
    assert graph.select(IntegerPopulation)
    assert run(["run", "own.snncc", str(folder), "--labels", "folders"]) == 0
