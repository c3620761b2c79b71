"""Neurons written by hand that fire several times a step, with a sign, or are held within ends."""

from collections.abc import Callable

import pytest
import torch
from loop_networks import CLASSES, HIDDEN, Looped
from looped_answers import compiled_equal, findings_of

from snncc.ir.dialects.neurons import TracedNeuron

Step = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def layers(step: Step) -> Callable[[Looped, torch.Tensor], torch.Tensor]:
    """Two layers of such neurons: the second one reads what the first one gives."""

    def body(self: Looped, x: torch.Tensor) -> torch.Tensor:
        v = torch.zeros(x.shape[1], HIDDEN, dtype=x.dtype)
        w, out = torch.zeros(x.shape[1], CLASSES, dtype=x.dtype), []
        for frame in x:
            spikes, v = step(v, self.first(frame))
            answer, w = step(w, self.second(spikes))
            out.append(answer)
        return torch.stack(out).mean(0)

    return body


def any_number(v: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """As Sinabs' IAF."""
    v = v + x
    spikes = (v > 0) * torch.div(v, 2.0, rounding_mode="trunc").float()
    return spikes, v - spikes * 2.0


def at_most(v: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """As Sinabs' LIF with `MaxSpike` and a least membrane."""
    v = v * 0.5 + x
    spikes = ((v > 0) * torch.div(v, 2.0, rounding_mode="trunc").float()).clamp(max=3)
    return spikes, torch.relu(v - spikes * 2.0 + 2.0) - 2.0


def rounded(v: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """As SpikingJelly's I-LIF: ties go to even counts."""
    v = v * 0.25 + x
    spikes = torch.round((v / 2.0).clamp(0, 4))
    return spikes, v - spikes * 2.0


def floored(v: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    v = v * 0.5 + x
    spikes = torch.relu(torch.floor(v / 2.0))
    return spikes, v - spikes * 2.0


def signed(v: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    v = v + x
    spikes = (v >= 2.0).to(v) - (v <= -2.0).to(v)
    return spikes, v - spikes * 2.0


def signed_and_reset(v: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    v = v * 0.5 + x
    above, below = (v >= 2.0).to(v), (-v >= 1.5).to(v)
    return above - below, v * (1 - above - below)


def within(v: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    v = (v * 0.5 + x).clamp(-3.0, 5.0)
    spikes = (v >= 2.0).to(v)
    return spikes, v - 2.0 * spikes


STEPS = (any_number, at_most, rounded, floored, signed, signed_and_reset, within)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_they_compile_and_every_answer_is_the_models(step: Step) -> None:
    trace = compiled_equal(layers(step))
    found = [n.op for n in trace.graph.nodes if isinstance(n.op, TracedNeuron)]
    assert len(found) == 2
    assert not any(op.fires_once for op in found)


def reset_by_count(v: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    v = v + x
    spikes = torch.relu(torch.floor(v / 2.0))
    return spikes, v - spikes * v


def negative(v: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Its counts have no end below."""
    v = v + x
    spikes = torch.floor(v / 2.0)
    return spikes, v - spikes * 2.0


def unlike(v: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A negative spike takes something else."""
    v = v + x
    above, below = (v >= 2.0).to(v), (v <= -2.0).to(v)
    return above - below, v - 2.0 * above + below


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (reset_by_count, "multiplied in it"),
        (negative, "a value is rounded in it"),
        (unlike, "a spike below 0 does something else"),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_what_has_no_form_is_told(step: Step, why: str) -> None:
    assert any(why in f"{finding.why}" for finding in findings_of(layers(step)))
