"""Refusals of loops over time name the cause, once, and what to do instead."""

import pytest
import torch
from torch import nn

import snncc
from snncc.diagnostics import SnnccError


class Loop(nn.Module):
    """Neurons written by hand, in a loop of `steps`."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.steps = steps
        self.enters, self.back = nn.Linear(4, 4), nn.Linear(4, 4, bias=False)
        self.leaves = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = [torch.zeros(len(x), 4) for _ in range(3)]
        total = torch.zeros(len(x), 3)
        for _ in range(self.steps):
            total = total + self.leaves(self.step(self.enters(x), state))
        return total / self.steps

    def step(self, current: torch.Tensor, state: list[torch.Tensor]) -> torch.Tensor:
        state[0] = 0.5 * state[0] + current
        spikes = (state[0] >= 1.0).to(current.dtype)
        state[0] = state[0] - spikes
        return spikes


class Refractory(Loop):
    def step(self, current: torch.Tensor, state: list[torch.Tensor]) -> torch.Tensor:
        state[0] = 0.5 * state[0] + current
        spikes = ((state[0] >= 1.0) & (state[1] <= 0)).to(current.dtype)
        state[0] = state[0] * (1 - spikes)
        state[1] = torch.where(spikes > 0, 2.0 + 0.0 * state[1], (state[1] - 1).clamp(min=0))
        return spikes


class Filtered(Loop):
    def step(self, current: torch.Tensor, state: list[torch.Tensor]) -> torch.Tensor:
        state[1] = 0.5 * state[1] + state[2]
        state[0] = 0.5 * state[0] * (1 - state[2]) + current + self.back(state[1])
        state[2] = (state[0] >= 1.0).to(current.dtype)
        return state[2]


@pytest.mark.parametrize(
    ("model", "steps", "code", "cause", "remedy"),
    [
        (Loop, 1, "SNN120", "with T = 1 there is none", "give steps 2 or more"),
        (Refractory, 5, "SNN121", "joins two comparisons", "let a spike lower a state that leaks"),
        (Filtered, 5, "SNN121", "is no plain spike of the step before", "filter what it gives"),
    ],
)
def test_one_finding_names_the_cause_and_a_remedy(
    model: type[Loop], steps: int, code: str, cause: str, remedy: str
) -> None:
    with pytest.raises(SnnccError) as caught:
        snncc.compile(model(steps).eval(), input_shape=(4,), steps=steps)
    (finding,) = caught.value.findings
    assert finding.code == code
    assert cause in finding.why
    assert remedy in finding.why + finding.help
    assert finding.loc is not None
