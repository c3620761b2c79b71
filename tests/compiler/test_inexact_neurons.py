"""What neurons compute that is near to what the model says, and not exact, is told."""

import pytest
import torch
from spikingjelly.activation_based import functional, neuron
from torch import nn

import snncc


class Layers(nn.Module):
    """One linear layer and neurons for each time constant."""

    def __init__(self, taus: tuple[float, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for tau in taus:
            layers += [nn.Linear(6, 6), neuron.LIFNode(tau=tau, step_mode="m")]
        self.net = nn.Sequential(*layers, nn.Linear(6, 3))
        functional.set_step_mode(self, "m")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x).mean(0)


def told(*taus: float) -> list[str]:
    torch.manual_seed(0)
    program = snncc.compile(Layers(taus), input_shape=(6,), steps=4)
    return [note for note in program.notes if "away" in note or "more kinds" in note]


def test_a_leak_that_is_near_has_a_note() -> None:
    (note,) = told(10.0)
    assert note == "net.1: decay 0.9 is 3686/2^12, 9.8e-05 away"


def test_leaks_that_are_alike_share_it() -> None:
    (note,) = told(10.0, 10.0, 10.0)
    assert note.startswith("net.1 and 2 more: decay 0.9")


@pytest.mark.parametrize("taus", [(2.0,), (4.0 / 3.0, 1.5, 2.0)])
def test_exact_ones_have_none(taus: tuple[float, ...]) -> None:
    assert told(*taus) == []


def test_many_kinds_are_counted() -> None:
    notes = told(10.0, 11.0, 12.0, 13.0, 14.0, 15.0)
    assert len(notes) == 4
    assert notes[-1] == "3 more kinds of neurons are near, and not exact: `snncc inspect` has them"
