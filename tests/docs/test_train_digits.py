"""The training script: each variant's network, what training changes, the files it writes."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import train_digits
from torch import nn

from snncc.frontends.checkpoint import load_checkpoint
from snncc.frontends.mixer_snn.load import load_mixer, steps_of

FEW = 628
"""500 images for the test leave two batches of 64; the rate of a single step would be next to 0."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads would make these small networks slower and their sums differ."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = train_digits.images_of_digits()
    monkeypatch.setattr(train_digits, "images_of_digits", lambda: (images[:FEW], labels[:FEW]))


def run_script(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["train_digits.py", "--epochs", "1", *arguments])
    train_digits.main()


@pytest.mark.parametrize("variant", train_digits.VARIANTS)
def test_every_variant_trains_into_a_checkpoint_of_its_kind(
    variant: str, few_images: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_script(monkeypatch, "--variant", variant, "--steps", "3", "--out", str(tmp_path))
    checkpoint = load_checkpoint(tmp_path / f"{variant}-t3.pth")
    assert steps_of(checkpoint) == 3
    net, config, _ = load_mixer(checkpoint)
    assert config == train_digits.config_of(variant, 3)
    torch.manual_seed(0)
    before = train_digits.untrained(variant, 3).state_dict()
    same = [n for n, p in net.named_parameters() if torch.equal(p, before[n])]
    assert same == []
    with np.load(tmp_path / "logits.npz") as file:
        assert list(file) == [f"{variant}-t3"]
        assert file[f"{variant}-t3"].shape == (500, 10)


def test_logits_of_other_networks_stay(
    few_images: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for steps in ("3", "2"):
        arguments = ["--variant", "strided", "--steps", steps, "--out", str(tmp_path)]
        run_script(monkeypatch, *arguments)
    with np.load(tmp_path / "logits.npz") as file:
        assert list(file) == ["strided-t2", "strided-t3"]
        assert not np.array_equal(file["strided-t2"], file["strided-t3"])


def test_without_options_it_writes_the_files_of_the_demo(
    few_images: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_script(monkeypatch, "--out", str(tmp_path))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["digits.npz", "digits_mixer.pth"]


def test_images_of_the_demo_are_split_as_the_script_splits(root: Path) -> None:
    images, labels = train_digits.images_of_digits()
    x_train, x_test, y_train, y_test = train_digits.split(images, labels)
    with np.load(root / "examples/digits.npz") as shipped:
        assert np.array_equal(shipped["x_test"], x_test)
        assert np.array_equal(shipped["y_test"], y_test)
        assert np.array_equal(shipped["x_cal"], x_train[:500])
        assert np.array_equal(shipped["y_cal"], y_train[:500])


def test_tdbn_starts_at_the_threshold_and_less_where_currents_meet() -> None:
    torch.manual_seed(0)
    plain = train_digits.untrained("patch-cell", 4)
    torch.manual_seed(0)
    net = train_digits.untrained("tdbn", 4)
    starts = {
        name: float(module.weight.detach()[0])
        for name, module in net.named_modules()
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
    }
    full = {"token_mix.0.proj_h.2", "token_mix.0.proj_w.2", "channel_mix.0.1.net.1", "batch_norm"}
    full |= {"token_mix.1.proj_h.2", "token_mix.1.proj_w.2", "channel_mix.1.1.net.1"}
    assert {name for name, start in starts.items() if start == 1.0} == full
    assert {starts[name] for name in starts.keys() - full} == {float(torch.tensor(0.5**0.5))}
    others = dict(plain.named_parameters())
    changed = {n for n, p in net.named_parameters() if not torch.equal(p, others[n])}
    assert changed == {f"{name}.weight" for name in starts.keys() - full}
