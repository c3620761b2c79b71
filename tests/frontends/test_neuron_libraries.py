"""Neurons of snnTorch and Norse, where they are installed, through the same algebra."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from snncc.frontends.torch_recorder import trace_model
from snncc.frontends.torch_recorder.precision import in_double
from snncc.ir.dialects.neurons import TracedNeuron
from snncc.semantics.traced import run_traced

FEATURES, HIDDEN, STEPS = 6, 8, 5


class Loop(nn.Module):
    """One layer in a loop over time; the states are what the neuron returns behind its spikes."""

    def __init__(self, neuron: nn.Module, states: int, *, norse: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.neuron = nn.Linear(FEATURES, HIDDEN), neuron
        self.first.weight.data *= 4.0
        self.states, self.norse = states, norse
        self.eval()

    def forward(self, x: torch.Tensor) -> Any:
        kept: Any = None if self.norse else (torch.zeros(x.shape[1], HIDDEN),) * self.states
        out: list[torch.Tensor] = []
        for frame in x:
            if self.norse:
                read, kept = self.neuron(self.first(frame), kept)
            else:
                read, *kept = self.neuron(self.first(frame), *kept)
            out.append(read)
        return torch.stack(out)


def held(net: nn.Module) -> None:
    """The graph has one general neuron and answers as the model does, in float64."""
    trace = trace_model(net, (FEATURES,), STEPS, "sequence")
    assert trace.findings == (), "\n".join(map(str, trace.findings))
    assert len([*trace.graph.select(TracedNeuron)]) == 1
    images = np.random.default_rng(5).standard_normal((32, FEATURES)) * 2
    given = np.repeat(images[:, None], STEPS, axis=1)
    found = run_traced(trace.graph, given)[trace.graph.output]
    with in_double(), torch.no_grad():
        wanted = net.double()(torch.stack([torch.from_numpy(images)] * STEPS)).numpy()
    np.testing.assert_allclose(np.moveaxis(found, 1, 0), wanted, rtol=0, atol=1e-9)
    assert wanted.std() > 0.01


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize(("kind", "states"), [("Synaptic", 2), ("Lapicque", 1), ("Leaky", 1)])
def test_snntorch(kind: str, states: int, reset: str) -> None:
    snn = pytest.importorskip("snntorch")
    kinds: dict[str, dict[str, Any]] = {
        "Leaky": {"beta": torch.rand(HIDDEN), "learn_beta": True},
        "Synaptic": {"alpha": 0.9, "beta": 0.8},
        "Lapicque": {"beta": 0.7},
    }
    held(Loop(getattr(snn, kind)(**kinds[kind], reset_mechanism=reset), states))


@pytest.mark.parametrize("kind", ["LIFCell", "LICell"])
def test_norse(kind: str) -> None:
    norse = pytest.importorskip("norse.torch")
    given = () if kind == "LICell" else (norse.LIFParameters(v_th=torch.as_tensor(0.3)),)
    held(Loop(getattr(norse, kind)(*given), 1, norse=True))
