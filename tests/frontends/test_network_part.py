"""State_dicts that hold other modules' tensors beside the network's, as Lightning saves them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import SMALL, Classifier, classifier, mixer
from torch import nn

from snncc.compiler.driver import compile_checkpoint
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import SnnccError
from snncc.frontends.checkpoint import load_checkpoint
from snncc.frontends.mixer_snn.load import load_mixer, recognise
from snncc.frontends.weights.fit import load_weights

State = dict[str, torch.Tensor]


def under(prefix: str, net: nn.Module, factor: float = 1.0) -> State:
    state = net.state_dict()
    return {f"{prefix}.{k}": v * factor if v.is_floating_point() else v for k, v in state.items()}


def lightning(tmp_path: Path, *parts: State) -> Path:
    state = {name: tensor for part in parts for name, tensor in part.items()}
    torch.save({"state_dict": state, "epoch": 3, "pytorch-lightning_version": "2"}, tmp_path / "c")
    return tmp_path / "c"


def same(net: nn.Module, other: nn.Module, factor: float = 1.0) -> bool:
    own, wanted = net.state_dict(), other.state_dict()
    return all(torch.equal(own[k], wanted[k] * factor) for k in own if "num_batches" not in k)


LOSS = {"criterion.weight": torch.ones(5)}
METRICS = {"train_acc.tp": torch.zeros(5), "val_metrics.fn": torch.zeros(5)}
OTHER_TEACHER = {"teacher.fc.weight": torch.ones(3, 2)}


@pytest.mark.parametrize("prefix", ["model", "net", "module.model", "_orig_mod.student"])
@pytest.mark.parametrize(
    "beside", [LOSS, METRICS, OTHER_TEACHER, {**LOSS, **METRICS, **OTHER_TEACHER}]
)
def test_the_network_is_found_beside_what_takes_part_in_training(
    tmp_path: Path, prefix: str, beside: State
) -> None:
    outer = prefix.rpartition(".")[0]
    there = {f"{outer}.{k}" if outer else k: v for k, v in beside.items()}
    path = lightning(tmp_path, under(prefix, classifier()), there)
    net = Classifier()
    (note,) = load_weights(net, load_checkpoint(path).state, path.name)
    assert same(net, classifier())
    assert f"under {prefix} are the network's" in note
    assert all(name.split(".")[0] in note for name in beside)
    path = lightning(tmp_path, under(prefix, mixer()), there)
    checkpoint = load_checkpoint(path)
    assert recognise(checkpoint.state)
    found, config, notes = load_mixer(checkpoint)
    assert config == SMALL
    assert same(found, mixer())
    assert any("left out" in each for each in notes)


def test_an_average_beside_the_network_is_offered(tmp_path: Path) -> None:
    average = under("model_ema.module", mixer(), 0.5) | {"model_ema.n_averaged": torch.tensor(3)}
    path = lightning(tmp_path, under("model", mixer()), average, LOSS)
    found, _, notes = load_mixer(load_checkpoint(path))
    assert same(found, mixer())
    assert any("--weights ema" in note for note in notes)
    for wanted in ("ema", "model_ema"):
        checkpoint = load_checkpoint(path, wanted)
        assert checkpoint.weights == "model_ema"
        assert same(load_mixer(checkpoint)[0], mixer(), 0.5)
    compiled = compile_checkpoint(path, CompileOptions(weights="model"))
    assert compiled.report["weights"] == "model"


def test_two_parts_that_fit_are_asked_about(tmp_path: Path) -> None:
    path = lightning(tmp_path, under("student", classifier()), under("teacher", classifier(), 0.5))
    with pytest.raises(SnnccError) as caught:
        load_weights(Classifier(), load_checkpoint(path).state, path.name)
    (finding,) = caught.value.findings
    assert finding.code == "SNN090"
    assert "student, teacher" in finding.why
    assert "--weights student" in finding.help
    net = Classifier()
    load_weights(net, load_checkpoint(path, "teacher").state, path.name)
    assert same(net, classifier(), 0.5)


def test_what_may_belong_to_inference_is_not_left_out(tmp_path: Path) -> None:
    head = {"projector.weight": torch.ones(2, 2)}
    path = lightning(tmp_path, under("model", classifier()), head, LOSS)
    with pytest.raises(SnnccError) as caught:
        load_weights(Classifier(), load_checkpoint(path).state, path.name)
    (finding,) = caught.value.findings
    assert finding.code == "SNN090"
    assert "projector" in finding.why
    assert "criterion" not in finding.why
    assert "--weights model" in finding.help
    net = Classifier()
    load_weights(net, load_checkpoint(path, "model").state, path.name)
    assert same(net, classifier())


def test_a_network_that_owns_all_parts_takes_all(tmp_path: Path) -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.criterion = classifier(), nn.Linear(2, 2)

    path = lightning(tmp_path, dict(Both().state_dict()))
    assert load_weights(Both(), load_checkpoint(path).state, path.name) == ()


def test_a_part_that_lacks_a_tensor_is_no_network(tmp_path: Path) -> None:
    state = under("model", classifier())
    del state["model.head.bias"]
    path = lightning(tmp_path, state, LOSS)
    with pytest.raises(SnnccError) as caught:
        load_weights(Classifier(), load_checkpoint(path).state, path.name)
    assert caught.value.code == "SNN012"
    assert "tensor head.bias is missing" in str(caught.value)


def test_an_unknown_prefix_is_refused_with_those_there_are(tmp_path: Path) -> None:
    path = lightning(tmp_path, under("model", classifier()), LOSS)
    with pytest.raises(SnnccError) as caught:
        load_checkpoint(path, "mode")
    assert caught.value.code == "SNN090"


@pytest.mark.parametrize("inner", [None, "state_dict"])
def test_arrays_of_numpy_are_called_so(tmp_path: Path, inner: str | None) -> None:
    arrays = {k: v.numpy() for k, v in classifier().state_dict().items()}
    torch.save({inner: arrays} if inner else arrays, tmp_path / "c.pth")
    with pytest.raises(SnnccError) as caught:
        load_checkpoint(tmp_path / "c.pth")
    (finding,) = caught.value.findings
    assert finding.code == "SNN010"
    assert "NumPy arrays" in finding.message
    assert (f"{inner}.conv.weight" if inner else "conv.weight") in finding.why
    assert "torch.from_numpy" in finding.help
    torch.save({"best": np.float64(3.0), "epoch": 2}, tmp_path / "c.pth")
    with pytest.raises(SnnccError) as caught:
        load_checkpoint(tmp_path / "c.pth")
    assert "NumPy arrays" not in str(caught.value)
