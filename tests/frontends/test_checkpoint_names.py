"""Names of tensors: prefixes, ties, counters, pruning, several sets of weights, what is missing."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from checkpoints import SMALL, Classifier, classifier, mixer
from click.testing import CliRunner
from safetensors.torch import load_file, save_file, save_model
from torch import nn
from torch.nn.utils import prune

from snncc.cli.main import cli
from snncc.compiler.driver import compile_checkpoint
from snncc.compiler.options import CompileOptions
from snncc.compiler.sources import load_source
from snncc.diagnostics import SnnccError
from snncc.frontends.checkpoint import Checkpoint, load_checkpoint
from snncc.frontends.mixer_snn.load import load_mixer, recognise
from snncc.frontends.weights.fit import load_weights
from snncc.frontends.weights.names import without_wrappers

State = dict[str, torch.Tensor]
PREFIXES = [
    *("module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "model."),
    *("module.module.", "net.model.", "encoder.backbone."),
]


def refusal(call: Callable[[], object]) -> SnnccError:
    with pytest.raises(SnnccError) as caught:
        call()
    return caught.value


def save(tmp_path: Path, content: object) -> Path:
    torch.save(content, tmp_path / "c.pth")
    return tmp_path / "c.pth"


def same(net: nn.Module, state: State) -> bool:
    own = net.state_dict()
    return own.keys() == state.keys() and all(torch.equal(own[k], v) for k, v in state.items())


def fitted(net: nn.Module, path: Path) -> tuple[str, ...]:
    return load_weights(net, load_checkpoint(path).state, path.name)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_prefix_that_the_network_does_not_want_is_taken_off(tmp_path: Path, prefix: str) -> None:
    for net, blank in ((classifier(), Classifier()), (mixer(), None)):
        path = save(tmp_path, {prefix + k: v for k, v in net.state_dict().items()})
        if blank is not None:
            (note,) = fitted(blank, path)
            assert prefix in note
        else:
            checkpoint = load_checkpoint(path)
            assert recognise(checkpoint.state)
            blank, config, _ = load_mixer(checkpoint)
            assert config == SMALL
        assert same(blank, dict(net.state_dict()))


def test_levels_of_wrappers_are_taken_out_of_the_middle(tmp_path: Path) -> None:
    state = mixer().state_dict()
    wrapped = {k.replace("token_mix.", "token_mix._orig_mod.module."): v for k, v in state.items()}
    assert same(load_mixer(load_checkpoint(save(tmp_path, wrapped)))[0], dict(state))


class Owner(nn.Module):
    """A network that calls its own part `module`."""

    def __init__(self) -> None:
        super().__init__()
        self.module = classifier()


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod."])
def test_a_level_of_the_networks_own_that_is_called_module_stays(
    tmp_path: Path, prefix: str
) -> None:
    state = {f"{prefix}{k}": v for k, v in Owner().state_dict().items()}
    net = Owner()
    for parameter in net.parameters():
        parameter.data.zero_()
    fitted(net, save(tmp_path, state))
    assert same(net, dict(Owner().state_dict()))


def test_an_averaged_model_of_torch_is_loaded(tmp_path: Path) -> None:
    from torch.optim.swa_utils import AveragedModel

    averaged = AveragedModel(mixer())
    path = save(tmp_path, averaged.state_dict())
    assert same(load_mixer(load_checkpoint(path))[0], dict(mixer().state_dict()))


def test_a_prefix_that_the_file_lacks_is_named() -> None:
    error = refusal(lambda: load_weights(Owner(), classifier().state_dict(), "c.pth"))
    assert error.code == "SNN012"
    assert "every name in the network has the prefix module." in error.findings[0].help


def test_names_that_two_tensors_would_get_stay_as_they_are() -> None:
    state = {"module.a": 1, "a": 2}
    assert without_wrappers(state, {"a", "b"}.__contains__) == (state, "")


class Tied(nn.Module):
    def __init__(self, tie: bool = True) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        if tie:
            self.second.weight = self.first.weight


def test_tied_weights_may_stand_in_the_file_once(tmp_path: Path) -> None:
    trained = Tied()
    trained.first.weight.data += 0.5
    save_model(trained, tmp_path / "c.safetensors")
    assert len(load_file(tmp_path / "c.safetensors")) == 3
    net = Tied()
    fitted(net, tmp_path / "c.safetensors")
    assert torch.equal(net.second.weight, trained.first.weight)
    assert net.second.weight is net.first.weight
    error = refusal(lambda: fitted(Tied(tie=False), tmp_path / "c.safetensors"))
    assert "second.weight is missing" in str(error) or "first.weight is missing" in str(error)


def test_tied_weights_that_differ_in_the_file_are_refused(tmp_path: Path) -> None:
    error = refusal(lambda: fitted(Tied(), save(tmp_path, Tied(tie=False).state_dict())))
    assert error.code == "SNN012"
    assert "tensors first.weight and second.weight differ" in error.findings[0].message
    fitted(Tied(), save(tmp_path, Tied().state_dict()))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".SAFETENSORS", ".bin"])
def test_batch_counters_may_be_missing_and_no_other_tensor(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"ST{suffix}"
    write = save_file if "safetensors" in suffix.lower() else torch.save
    for net in (classifier(), mixer()):
        state = {k: v for k, v in net.state_dict().items() if "num_batches" not in k}
        write(state, path)
        if isinstance(net, Classifier):
            net = Classifier()
            fitted(net, path)
        else:
            net = load_mixer(load_checkpoint(path))[0]
        assert all(torch.equal(net.state_dict()[k], v) for k, v in state.items())


@pytest.mark.parametrize(
    "missing",
    [
        *("to_patch_embedding.0.0.weight", "mlp_head.1.weight", "token_mix.1.fuse.0.weight"),
        *("token_mix.0.proj_h.1.weight", "channel_mix.0.1.net.0.weight", "batch_norm.running_mean"),
        *("token_mix.0.fuse.1.running_var", "channel_mix.1.1.net.4.running_mean"),
    ],
)
def test_one_missing_tensor_of_a_recognised_network_is_named(tmp_path: Path, missing: str) -> None:
    state = dict(mixer().state_dict())
    del state[missing]
    path = save(tmp_path, state)
    error = refusal(lambda: load_source(path, None, {}, None))
    assert error.code == "SNN012"
    (finding,) = error.findings
    assert f"tensor {missing} is missing" in finding.message
    assert f"{len(state)} of the network's {len(state) + 1} tensors match" in finding.why


@pytest.mark.parametrize("key", ["net", "network", "weights", "params", "snn", "anything"])
def test_a_state_dict_is_found_under_any_key(tmp_path: Path, key: str) -> None:
    optimiser = torch.optim.Adam(mixer().parameters())
    content = {
        key: mixer().state_dict(),
        "optimizer": {"state": {"a": {"exp_avg": torch.ones(2)}}, **optimiser.state_dict()},
        "epoch": 7,
        "max_test_acc": torch.tensor(0.5),
    }
    checkpoint = load_checkpoint(save(tmp_path, content))
    assert checkpoint.weights == key
    assert same(load_mixer(checkpoint)[0], dict(mixer().state_dict()))


def test_keys_that_are_there_are_listed_when_none_holds_weights(tmp_path: Path) -> None:
    error = refusal(lambda: load_checkpoint(save(tmp_path, {"epoch": 7, "log": [1.0]})))
    assert error.code == "SNN010"
    assert "the keys epoch, log" in error.findings[0].why


def test_weights_beside_other_things_on_the_first_level_are_taken_and_said(tmp_path: Path) -> None:
    content = {**mixer().state_dict(), "epoch": 3, "args": argparse.Namespace(T=5)}
    checkpoint = load_checkpoint(save(tmp_path, content))
    assert checkpoint.arguments["T"] == 5
    assert "not used: epoch, args" in " ".join(checkpoint.notes)
    assert same(load_mixer(checkpoint)[0], dict(mixer().state_dict()))


def halved(state: State) -> State:
    return {k: v * 0.5 if v.is_floating_point() else v for k, v in state.items()}


@pytest.mark.parametrize(
    ("plain", "average"),
    [
        *(("state_dict", "state_dict_ema"), ("model", "model_ema"), ("model", "ema")),
        *(("net", "ema_state_dict"), ("params", "params_ema"), ("model", "ema.shadow")),
    ],
)
def test_of_two_sets_the_plain_one_is_taken_and_the_other_is_offered(
    tmp_path: Path, plain: str, average: str
) -> None:
    state = dict(mixer().state_dict())
    outer, _, inner = average.partition(".")
    second = {"decay": 0.99, inner: halved(state)} if inner else halved(state)
    path = save(tmp_path, {plain: state, outer: second, "epoch": 3})

    def loaded(weights: str | None) -> Checkpoint:
        return load_checkpoint(path, weights)

    assert torch.equal(loaded(None).state["mlp_head.1.weight"], state["mlp_head.1.weight"])
    assert any(average in n and "--weights ema" in n for n in loaded(None).notes)
    for wanted in ("plain", plain):
        assert torch.equal(loaded(wanted).state["mlp_head.1.bias"], state["mlp_head.1.bias"])
    for wanted in ("ema", average):
        found = loaded(wanted)
        assert torch.equal(found.state["mlp_head.1.bias"], 0.5 * state["mlp_head.1.bias"])
        assert found.weights == average
    error = refusal(lambda: loaded("best"))
    assert error.code == "SNN090"
    assert plain in error.findings[0].why


def test_an_average_alone_is_loaded_and_said(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(save(tmp_path, {"model_ema": mixer().state_dict(), "epoch": 1}))
    assert any("moving average" in note for note in checkpoint.notes)
    assert load_mixer(checkpoint)[1] == SMALL


def test_two_sets_of_which_neither_is_an_average_are_refused_with_their_keys(
    tmp_path: Path,
) -> None:
    state = dict(mixer().state_dict())
    path = save(tmp_path, {"student": state, "teacher": halved(state)})
    error = refusal(lambda: load_checkpoint(path))
    assert error.code == "SNN090"
    assert "student, teacher" in error.findings[0].why
    assert load_checkpoint(path, "teacher").weights == "teacher"
    again = save(tmp_path, {"model": state, "best": state})  # one and the same
    assert load_checkpoint(again).weights == "model"


def test_the_command_takes_the_average_when_it_is_asked_for(tmp_path: Path) -> None:
    state = dict(mixer().state_dict())
    path = save(tmp_path, {"model": state, "model_ema": halved(state)})
    for command, extra in (("compile", ["-o", str(tmp_path / "p.snncc")]), ("verify", [])):
        done = CliRunner().invoke(cli, [command, str(path), *extra])
        assert "note: the file holds two kinds of weights" in done.stderr, done.output
    outputs = {}
    for weights in ("plain", "ema"):
        options = CompileOptions(weights=weights)
        compiled = compile_checkpoint(path, options)
        outputs[weights] = compiled
    assert outputs["ema"].report["weights"] == "model_ema"
    assert outputs["plain"].report["weights"] == "model"
    error = refusal(
        lambda: compile_checkpoint(None, CompileOptions(weights="ema"), model="checkpoints:mixer")
    )
    assert error.code == "SNN001"


def pruned(net: nn.Module, *places: str) -> nn.Module:
    for place in places:
        prune.l1_unstructured(net.get_submodule(place), "weight", 0.5)
    return net


def test_pruned_weights_of_a_file_are_made_plain(tmp_path: Path) -> None:
    for net, blank, places in (
        (classifier(), Classifier(), ("conv", "head")),
        (mixer(), None, ("to_patch_embedding.0.0", "channel_mix.0.1.net.0", "mlp_head.1")),
    ):
        path = save(tmp_path, pruned(net, *places).state_dict())
        for place in places:
            prune.remove(net.get_submodule(place), "weight")
        if blank is None:
            checkpoint = load_checkpoint(path)
            assert recognise(checkpoint.state)
            blank, _, notes = load_mixer(checkpoint)
        else:
            notes = fitted(blank, path)
        assert any("pruned" in note for note in notes)
        state = dict(net.state_dict())
        assert same(blank, {key: state[key] for key in blank.state_dict()})


@pytest.mark.filterwarnings("ignore::FutureWarning")  # weight_norm is deprecated
@pytest.mark.parametrize("dim", [0, 1, None])
def test_normalised_weights_of_a_file_are_made_plain(tmp_path: Path, dim: int | None) -> None:
    net = classifier()
    nn.utils.weight_norm(net.conv, dim=dim)
    nn.utils.weight_norm(net.head, dim=dim)
    net.conv.weight_g.data *= 1.25
    path = save(tmp_path, net.state_dict())
    nn.utils.remove_weight_norm(net.conv)
    nn.utils.remove_weight_norm(net.head)
    blank = Classifier()
    assert any("weight normalisation" in note for note in fitted(blank, path))
    state = dict(net.state_dict())
    assert same(blank, {key: state[key] for key in blank.state_dict()})


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_parts_that_do_not_say_the_weight_are_refused_with_what_to_do(tmp_path: Path) -> None:
    spectral = classifier()
    nn.utils.spectral_norm(spectral.head)
    error = refusal(lambda: fitted(Classifier(), save(tmp_path, spectral.state_dict())))
    assert "remove_spectral_norm" in error.findings[0].help
    new = classifier()
    nn.utils.parametrizations.weight_norm(new.conv)
    error = refusal(lambda: fitted(Classifier(), save(tmp_path, new.state_dict())))
    assert len(error.findings) == 1
    assert "remove_parametrizations" in error.findings[0].help
    cut = dict(pruned(classifier(), "conv").state_dict())
    cut["conv.weight_mask"] = cut["conv.weight_mask"][:2]
    error = refusal(lambda: fitted(Classifier(), save(tmp_path, cut)))
    assert "prune.remove" in error.findings[0].help


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("kind", ["pruned", "weight_norm", "spectral_norm"])
def test_modules_with_weights_made_by_hooks_compile_to_what_they_compute(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def factory() -> nn.Module:
        net = classifier()
        if kind == "pruned":
            return pruned(net, "conv", "head")
        (nn.utils.weight_norm if kind == "weight_norm" else nn.utils.spectral_norm)(net.conv)
        return net

    def plain() -> nn.Module:
        net = factory().double().eval()
        if kind == "pruned":
            prune.remove(net.conv, "weight")
            prune.remove(net.head, "weight")
        elif kind == "weight_norm":
            nn.utils.remove_weight_norm(net.conv)
        else:
            nn.utils.remove_spectral_norm(net.conv)
        return net

    from snncc.frontends.torch_recorder import trace_model

    found, wanted = (trace_model(make(), (3, 8, 8), 2).graph for make in (factory, plain))
    assert found.nodes == wanted.nodes
    assert all((found.constants[k] == v).all() for k, v in wanted.constants.items())
