"""Options of `snncc compile` that do nothing in a network, and what the sums of a file are of."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from programs import lowered

from snncc.cli.main import run
from snncc.compiler.bit_widths import bits_by_layer
from snncc.compiler.driver import compile_module
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import SnnccError
from snncc.frontends.mixer_snn.config import MixerConfig
from snncc.frontends.mixer_snn.model import MixerSNN
from snncc.frontends.mixer_snn.neuron import LIF
from snncc.frontends.torch_modules import source_of
from snncc.ir.dialects.projections import Contract, Convolve

SMALL = MixerConfig(6, (1, 1), 2, 2, 8, 1, 5)


class Plain(torch.nn.Module):
    """No BatchNorm: no gain can be left."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.map, self.fire, self.head = torch.nn.Linear(8, 6), LIF(), torch.nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.fire(self.map(x.flatten(2)))).mean(0)


def notes(module: torch.nn.Module, shape: tuple[int, ...], gain: str | None) -> list[str]:
    options = CompileOptions(shape, steps=2, gain=gain)
    done = compile_module(source_of(module.eval(), "x"), options)
    return [note for note in done.notes if "--gain" in note]


@pytest.mark.parametrize("gain", ["shift-add", "unshared"])
def test_a_gain_for_no_batchnorm_is_said_to_do_nothing(gain: str) -> None:
    assert notes(Plain(), (8,), gain) == [
        f"--gain {gain}: every BatchNorm folds, which leaves it nothing to do"
    ]
    assert notes(Plain(), (8,), None) == []
    torch.manual_seed(0)
    mixer = MixerSNN(SMALL)
    for module in mixer.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    assert notes(mixer, (1, 8, 8), gain) == []


def test_a_pattern_that_decides_for_no_map_is_refused() -> None:
    graph = lowered(0)
    name = next(node.name for node in graph.select(Contract, Convolve))
    assert bits_by_layer(graph, 8, (("*", 4), (name, 5)))[name] == 5
    for layers in (((name, 5), ("*", 4)), ((name, 5), (name, 5), ("*", 4))):
        with pytest.raises(SnnccError, match="has no effect here"):
            bits_by_layer(graph, 8, layers)


def test_the_digest_is_of_the_computation_and_the_sha256_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two names of one checkpoint: one digest, two files."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    state = MixerSNN(SMALL).state_dict()
    records = []
    for name in ("one", "two"):
        torch.save(state, f"{name}.pth")
        assert run(["compile", f"{name}.pth", "-o", f"{name}.snncc", "--json"]) == 0
        made = json.loads(capsys.readouterr().out)
        assert run(["inspect", f"{name}.snncc", "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        for key in ("digest", "sha256", "file_sha256"):
            assert made[key] == shown[key]
        content = Path(f"{name}.snncc").read_bytes()
        assert made["file_sha256"] == hashlib.sha256(content).hexdigest()
        assert run(["inspect", f"{name}.snncc"]) == 0
        text = capsys.readouterr().out
        assert f"file sha256 {made['file_sha256'][:16]}…" in text
        assert f"content     sha256 {made['sha256'][:16]}…  (as recordings" in text
        assert f"digest      {made['digest'][:16]}…  (of nodes and constants" in text
        records.append(made)
    one, two = records
    assert one["digest"] == two["digest"]
    assert one["sha256"] != two["sha256"]
    assert one["file_sha256"] != two["file_sha256"]
    assert run(["compile", "one.pth", "-o", "one.snncc"]) == 0
    text = capsys.readouterr().out
    assert f"file sha256 {one['file_sha256'][:16]}…\n" in text
    assert f"digest       {one['digest'][:16]}…  (of nodes and constants: what it computes)" in text
