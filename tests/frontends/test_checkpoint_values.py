"""Values of a checkpoint that cannot be computed with are refused; odd ones are said."""

from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints import SMALL, classifier, compiled_notes, mixer
from torch import nn

from snncc.compiler.driver import trace_checkpoint
from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import SnnccError
from snncc.frontends.checkpoint import load_checkpoint
from snncc.frontends.mixer_snn.load import load_mixer
from snncc.frontends.torch_recorder import trace_model
from snncc.frontends.weights.fit import load_weights
from snncc.passes.pipeline import run_passes

NORM = "to_patch_embedding.0.1"


def saved(path: Path, state: dict[str, object]) -> Path:
    torch.save(state, path)
    return path


def loaded(path: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(path).state


def mixer_refused(path: Path) -> SnnccError:
    with pytest.raises(SnnccError) as caught:
        trace_checkpoint_findings(path)
    return caught.value


def trace_checkpoint_findings(path: Path) -> None:
    trace, _ = trace_checkpoint(path, CompileOptions())
    if trace.findings:
        raise SnnccError.of(trace.findings)


@pytest.mark.parametrize("value", [-0.5, -2e-5])
def test_a_negative_variance_is_refused_in_a_recognised_network(
    tmp_path: Path, value: float
) -> None:
    state = dict(mixer().state_dict())
    state[f"{NORM}.running_var"][1] = value
    error = mixer_refused(saved(tmp_path / "c.pth", state))
    assert error.code == "SNN034"
    (finding,) = error.findings
    assert finding.loc is not None
    assert finding.loc.module_path == NORM
    assert "running_var" in finding.message
    assert "1 of 6 channels" in finding.why


@pytest.mark.parametrize(("variance", "eps"), [(-0.5, 1e-5), (0.0, 0.0)])
def test_a_norm_that_divides_by_zero_or_less_is_refused_in_a_module(
    variance: float, eps: float
) -> None:
    net = classifier()
    net.norm.eps = eps
    net.norm.running_var[2] = variance
    trace = trace_model(net, (3, 8, 8), 2)
    assert [f.code for f in trace.findings] == ["SNN034"]
    assert "running_var" in trace.findings[0].message


def test_a_constant_that_overflows_on_the_way_is_refused_with_its_place() -> None:
    net = classifier().double()
    net.norm.weight.data[:] = 1e300
    net.norm.running_var[:] = 1e-30
    net.norm.eps = 0.0
    with pytest.raises(SnnccError) as caught:
        compiled_notes(net)
    assert caught.value.code == "SNN034"
    finding = caught.value.findings[0]
    assert finding.loc is not None
    assert finding.loc.module_path == "norm"


def test_a_pass_that_overflows_is_refused_with_its_place() -> None:
    net = classifier().double()
    net.norm.weight.data[:] = 1e200
    net.conv.weight.data *= 1e50
    trace = trace_model(net, (3, 8, 8), 2)
    passes = spiking_passes(CompileOptions(normalize=((0.0,), (1e-150,))))
    with pytest.raises(SnnccError) as caught:
        run_passes(trace.graph, passes)
    assert caught.value.code == "SNN034"
    assert caught.value.findings[0].loc is not None


def test_a_factory_with_numbers_that_are_not_finite_is_told_so() -> None:
    net = classifier()
    net.head.weight.data[0, 0] = float("nan")
    with pytest.raises(SnnccError) as caught:
        trace_model(net, (3, 8, 8), 2)
    assert caught.value.code == "SNN034"
    assert "axes" not in str(caught.value)


def test_a_norm_without_statistics_is_told_so() -> None:
    net = classifier()
    net.norm = nn.BatchNorm2d(4, track_running_stats=False)
    (finding,) = trace_model(net, (3, 8, 8), 2).findings
    assert finding.code == "SNN025"
    assert "statistics are missing" in finding.message
    assert "track_running_stats" in finding.help


def test_a_recognised_network_without_statistics_is_no_layer_norm(tmp_path: Path) -> None:
    lost = ("running_mean", "running_var", "num_batches_tracked")
    state = {k: v for k, v in mixer().state_dict().items() if k.rpartition(".")[2] not in lost}
    error = mixer_refused(saved(tmp_path / "c.pth", state))
    assert {f.code for f in error.findings} == {"SNN025"}
    assert "LayerNorm" not in str(error)
    assert NORM in {f.loc.module_path for f in error.findings if f.loc is not None}


KINDS = {
    "qint8": lambda v: torch.quantize_per_tensor(v, float(v.abs().max() / 127), 0, torch.qint8),
    "quint8 by channel": lambda v: torch.quantize_per_channel(
        v,
        torch.linspace(0.01, 0.02, v.shape[0], dtype=torch.float64),
        torch.arange(v.shape[0]),
        0,
        torch.quint8,
    ),
    "sparse": lambda v: v.to_sparse(),
    "float8": lambda v: v.to(torch.float8_e4m3fn),
    "float8 e5m2": lambda v: v.to(torch.float8_e5m2),
    "bfloat16": lambda v: v.to(torch.bfloat16),
    "parameter": nn.Parameter,
    "buffer": nn.Buffer,
    "transposed": lambda v: v.transpose(0, 1).contiguous().transpose(0, 1),
    "expanded": lambda v: v[:1].expand_as(v),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.filterwarnings("ignore")  # torch warns that quantised tensors are deprecated
def test_tensors_of_every_kind_give_their_values(tmp_path: Path, kind: str, zipped: bool) -> None:
    state = mixer().state_dict()
    converted = {k: KINDS[kind](v) if v.dim() > 1 else v for k, v in state.items()}
    torch.save(converted, tmp_path / "c.pth", _use_new_zipfile_serialization=zipped)
    checkpoint = load_checkpoint(tmp_path / "c.pth")
    for name, value in converted.items():
        plain = value.dequantize() if value.is_quantized else value
        plain = plain.to_dense() if plain.is_sparse else plain
        found = checkpoint.state[name]
        assert found.shape == plain.shape
        if value.is_quantized:
            assert torch.allclose(found, plain, rtol=2e-7, atol=1e-9)
        else:
            wide = plain.detach().to(torch.float32) if plain.is_floating_point() else plain
            assert torch.equal(found.to(wide.dtype), wide), name
    load_mixer(checkpoint)
    assert any("quantised" in note for note in checkpoint.notes) == kind.startswith("q")


def test_compressed_sparse_rows_give_their_values(tmp_path: Path) -> None:
    weight = torch.tensor([[0.0, 1.5, 0.0], [2.0, 0.0, -1.0]])
    with pytest.warns(UserWarning, match="Sparse CSR"):
        sparse = weight.to_sparse_csr()
    torch.save({"a.weight": sparse, "b": torch.ones(2)}, tmp_path / "c.pth")
    assert torch.equal(loaded(tmp_path / "c.pth")["a.weight"], weight)


def test_complex_numbers_are_refused_by_name(tmp_path: Path) -> None:
    path = saved(tmp_path / "c.pth", {"a.weight": torch.ones(2, dtype=torch.complex64)})
    with pytest.raises(SnnccError) as caught:
        load_checkpoint(path)
    assert "tensor a.weight" in caught.value.findings[0].message
    assert "complex" in caught.value.findings[0].why


def test_integers_in_a_weights_place_are_refused() -> None:
    net = classifier()
    state = {k: v.to(torch.int32) for k, v in net.state_dict().items()}
    with pytest.raises(SnnccError) as caught:
        load_weights(net, state, "c.pth")
    assert caught.value.code == "SNN012"
    assert "holds int32, the network has float32" in caught.value.findings[0].message


def test_a_value_that_overflows_the_networks_type_is_refused() -> None:
    net = classifier()
    state = {k: v.double() if v.is_floating_point() else v for k, v in net.state_dict().items()}
    state["head.weight"] = state["head.weight"] * 0 + 1e300
    with pytest.raises(SnnccError) as caught:
        load_weights(net, state, "c.pth")
    assert caught.value.code == "SNN034"
    assert "overflows the network's float32" in caught.value.findings[0].message


def test_checkpoints_that_look_untrained_are_doubted(tmp_path: Path) -> None:
    def notes(change: object) -> str:
        state = {k: change(v) for k, v in mixer().state_dict().items()}
        return " ".join(load_checkpoint(saved(tmp_path / "c.pth", state)).notes)

    assert notes(lambda v: v) == ""
    assert "every weight is 0" in notes(torch.zeros_like)
    assert "whole number" in notes(lambda v: (3 * v).round())


def test_a_variance_of_zero_and_a_huge_tau_are_said() -> None:
    net = classifier()
    assert not [n for n in compiled_notes(net) if "running_var" in n or "tau" in n]
    net.norm.running_var[:3] = 0.0
    net.fire.tau = 1e9
    notes = compiled_notes(net)
    assert [n for n in notes if "running_var is 0 in 3 of 4 channels" in n]
    assert [n for n in notes if "tau 1e+09" in n]


def test_a_scaled_numpy_number_is_an_option_of_the_script(tmp_path: Path) -> None:
    content = {
        "model": mixer().state_dict(),
        "args": {"T": np.int64(6), "lr": np.float32(0.5), "out": Path("runs/1")},
        "acc": np.float64(0.9),
        "confusion": np.eye(3),
    }
    checkpoint = load_checkpoint(saved(tmp_path / "c.pth", content))
    assert checkpoint.arguments["T"] == 6
    assert checkpoint.arguments["lr"] == 0.5
    assert load_mixer(checkpoint)[1] == SMALL
