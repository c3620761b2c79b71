"""Checkpoints: read without running what they hold; every fault is named."""

import argparse
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from snncc.diagnostics import SnnccError
from snncc.frontends.checkpoint import load_checkpoint
from snncc.frontends.mixer_snn.config import MixerConfig, infer_config, plain_keys
from snncc.frontends.mixer_snn.load import load_mixer, recognise, steps_of
from snncc.frontends.mixer_snn.model import MixerSNN

SMALL = MixerConfig(6, (1, 1), 2, 2, 8, 3, 5)


def network(config: MixerConfig = SMALL) -> MixerSNN:
    torch.manual_seed(0)
    return MixerSNN(config).eval()


def saved(path: Path, **extra: object) -> Path:
    torch.save({"model": network().state_dict(), "epoch": 3, **extra}, path)
    return path


def refused(path: Path) -> SnnccError:
    with pytest.raises(SnnccError) as caught:
        load_checkpoint(path)
    return caught.value


def test_the_public_format_loads_with_an_inert_namespace(tmp_path: Path) -> None:
    path = saved(tmp_path / "c.pth", args=argparse.Namespace(T=6, lr=0.1), scaler={"scale": 1.0})
    checkpoint = load_checkpoint(path)
    assert steps_of(checkpoint) == 6
    assert recognise(checkpoint.state)
    model, config, _ = load_mixer(checkpoint)
    assert config == SMALL
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in checkpoint.state.items())


def test_bare_states_prefixes_and_safetensors_load(tmp_path: Path) -> None:
    state = network().state_dict()
    torch.save(state, tmp_path / "a.pt")
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "b.pth")
    save_file(state, tmp_path / "c.safetensors")
    for name in ("a.pt", "b.pth", "c.safetensors"):
        loaded = load_mixer(load_checkpoint(tmp_path / name))[0].state_dict()
        assert set(loaded) == set(state)
        assert all(torch.equal(loaded[k], v) for k, v in state.items())


def test_converted_batchnorm_keys_are_plain_again() -> None:
    state = network().state_dict()
    norms = {k.rsplit(".", 1)[0] for k in state if k.endswith(".running_mean")}
    converted = {}
    for key, tensor in state.items():
        module, _, leaf = key.rpartition(".")
        converted[f"{module}.0.{leaf}" if module in norms else key] = tensor
    assert set(converted) != set(state)
    assert set(plain_keys(converted)) == set(state)
    assert infer_config(plain_keys(converted)) == SMALL
    assert plain_keys(state).keys() == state.keys()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04" + b"x" * 99])
def test_foreign_files_are_named(tmp_path: Path, content: bytes) -> None:
    for suffix in (".pth", ".safetensors"):
        path = tmp_path / f"x{suffix}"
        path.write_bytes(content)
        assert refused(path).code == "SNN010"


def test_truncated_checkpoints_are_named(tmp_path: Path) -> None:
    content = saved(tmp_path / "c.pth").read_bytes()
    for part in (0.1, 0.5, 0.9, 0.999):
        path = tmp_path / "t.pth"
        path.write_bytes(content[: int(len(content) * part)])
        assert refused(path).code == "SNN010"


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.pth").findings[0].why
    assert "folder" in refused(tmp_path).findings[0].why


class _Evil:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("where", ["args", "model"])
def test_a_pickle_that_would_run_code_runs_nothing(tmp_path: Path, where: str) -> None:
    canary = tmp_path / "canary"
    evil = _Evil(f"touch {canary}")
    state = network().state_dict()
    content = {"model": state, "args": evil} if where == "args" else {"model": {**state, "x": evil}}
    torch.save(content, tmp_path / "evil.pth")
    error = refused(tmp_path / "evil.pth")
    assert error.code == "SNN011"
    assert "system" in error.findings[0].why
    assert not canary.exists()


def test_numbers_that_are_not_finite_are_all_named(tmp_path: Path) -> None:
    state = network().state_dict()
    state["mlp_head.1.bias"][0] = float("nan")
    state["batch_norm.weight"][0] = float("inf")
    torch.save(state, tmp_path / "n.pth")
    error = refused(tmp_path / "n.pth")
    assert error.code == "SNN034"
    text = str(error)
    assert "mlp_head.1.bias" in text
    assert "batch_norm.weight" in text


def test_something_without_tensors_is_named(tmp_path: Path) -> None:
    torch.save([1, 2, 3], tmp_path / "l.pth")
    assert refused(tmp_path / "l.pth").code == "SNN010"


def mixer_error(tmp_path: Path, state: dict[str, torch.Tensor]) -> SnnccError:
    torch.save(state, tmp_path / "m.pth")
    with pytest.raises(SnnccError) as caught:
        load_mixer(load_checkpoint(tmp_path / "m.pth"))
    return caught.value


def test_all_misfits_are_named_at_once(tmp_path: Path) -> None:
    state = dict(network().state_dict())
    del state["batch_norm.bias"]
    state["surplus"] = torch.zeros(1)
    state["mlp_head.1.bias"] = torch.zeros(9)
    error = mixer_error(tmp_path, state)
    assert {f.code for f in error.findings} == {"SNN012"}
    text = str(error)
    for expected in (
        "batch_norm.bias is missing",
        "surplus is not part",
        "mlp_head.1.bias has shape",
    ):
        assert expected in text


def test_a_shape_that_makes_no_network_is_named(tmp_path: Path) -> None:
    state = dict(network().state_dict())
    state["channel_mix.0.1.net.0.weight"] = torch.zeros(5)
    assert mixer_error(tmp_path, state).code == "SNN012"


def test_layer_norms_are_refused_each_by_name(tmp_path: Path) -> None:
    state = dict(network().state_dict())
    for block in (0, 1):
        for norm in (f"channel_mix.{block}.1.net.1", f"channel_mix.{block}.1.net.4"):
            for leaf in ("running_mean", "running_var", "num_batches_tracked"):
                del state[f"{norm}.{leaf}"]
    error = mixer_error(tmp_path, state)
    assert {f.code for f in error.findings} == {"SNN020"}
    places = [f.loc.module_path for f in error.findings if f.loc is not None]
    assert places == [f"channel_mix.{b}.1.net.{n}" for b in (0, 1) for n in (1, 4)]


def test_what_no_variant_holds_is_named(tmp_path: Path) -> None:
    scaled = {**network().state_dict(), "batch_norm.scale": torch.ones(4)}
    error = mixer_error(tmp_path, scaled)
    assert error.code == "SNN012"
    assert "to_patch_embedding.0.1.scale is missing" in str(error)
    scaled["to_patch_embedding.0.1.scale"] = torch.ones(6)
    assert "trained for [4, 6] steps" in str(mixer_error(tmp_path, scaled))
    other = {"layer.weight": torch.zeros(2, 2)}
    assert mixer_error(tmp_path, other).code == "SNN013"


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (MixerConfig(78, (2, 8, 14, 2)), 25_229_180),
        (MixerConfig(78, (2, 8, 14, 2), num_classes=10), 24_610_430),
        (MixerConfig(96, (2, 8, 14, 2)), 37_975_568),
        (MixerConfig(96, (2, 8, 14, 2), patch_cell=False), 34_490_128),
        (MixerConfig(96, (2, 8, 14, 2), patch_cell=False, identity_norm=True), 34_507_408),
        (MixerConfig(108, (2, 10, 24, 2)), 65_607_184),
        (MixerConfig(12, (1, 1, 1, 1), image_size=32, num_classes=10), 192_786),
    ],
)
def test_parameter_counts_are_the_published_ones(config: MixerConfig, parameters: int) -> None:
    with torch.device("meta"):
        model = MixerSNN(config)
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert infer_config(model.state_dict()) == config


def test_the_neuron_is_spikingjellys() -> None:
    from spikingjelly.activation_based import neuron

    from snncc.frontends.mixer_snn.neuron import LIF

    x = torch.randn(5, 200, dtype=torch.float64) * 2
    cases = [
        {},
        {"tau": 4.0, "v_threshold": 0.5},
        {"v_reset": None},
        {"decay_input": False, "v_reset": -0.5},
    ]
    for case in cases:
        theirs = neuron.LIFNode(step_mode="m", detach_reset=True, **case)
        assert torch.equal(LIF(**case)(x), theirs(x)), case
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    LIF()(a).sum().backward()
    neuron.LIFNode(step_mode="m", detach_reset=True)(b).sum().backward()
    assert torch.allclose(a.grad, b.grad)
