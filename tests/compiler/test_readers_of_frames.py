"""What reads or delays frames before any map, and a count that a loop keeps, is told."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as f

import snncc
from snncc.diagnostics import SnnccError

STEPS = 4


class Moved(nn.Module):
    """Changes its frames [T, B, 2, 4, 4] before the first convolution."""

    def __init__(self, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.conv, self.change = nn.Conv2d(2, 3, 1), change

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(self.change(x.flatten(0, 1)))
        y = y.reshape(*x.shape[:2], *y.shape[1:])
        v, out = torch.zeros_like(y[0]), []
        for each in y:
            v = 0.5 * v + each
            z = (v >= 0.3).to(v)
            v = v * (1 - z)
            out.append(z)
        return torch.stack(out).mean((0, 3, 4))


class Kept(nn.Module):
    """A loop over [T, B, 4] that keeps the frame, or a count of few bits, for the next step."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last, self.kind = nn.Linear(4, 6), nn.Linear(6, 3), kind
        self.first.weight.data = torch.randint(-2, 3, (6, 4)).float() / 4
        self.first.bias.data = torch.arange(6.0) / 4 - 0.5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        v = torch.zeros(x.shape[1], 6, dtype=x.dtype)
        frame, count, out = torch.zeros_like(x[0]), torch.zeros_like(v), []
        for t in range(x.shape[0]):
            a = self.first(x[t] - frame if self.kind == "frame" else x[t])
            v = 0.5 * v + a + (count if self.kind == "count" else 0)
            z = (v >= 1).to(v)
            v = v * (1 - z)
            out.append(self.last(z))
            frame, count = x[t], torch.clamp(torch.round(a * 2), 0, 3)
        return torch.stack(out).mean(0)


def refused(model: nn.Module, shape: tuple[int, ...], domain: tuple[int, int] | None) -> SnnccError:
    layout = "auto" if domain else "sequence"
    with pytest.raises(SnnccError) as caught:
        snncc.compile(model.eval(), input_shape=shape, steps=STEPS, frames=domain, layout=layout)
    return caught.value


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda y: f.max_pool2d(y, 2), "a maximum reads the image"),
        (lambda y: y[..., 1:, :], "elements of the image are moved"),
        (lambda y: f.pad(y, (1, 0, 0, 1)), "elements of the image are moved"),
        (lambda y: torch.roll(y, 1, -1), "elements of the image are moved"),
    ],
    ids=["pool", "crop", "pad", "roll"],
)
def test_maps_alone_read_frames(change: Callable[[torch.Tensor], torch.Tensor], told: str) -> None:
    error = refused(Moved(change), (2, 4, 4), (0, 1))
    (finding,) = error.findings
    assert (finding.code, finding.message.split(",")[0]) == ("SNN021", told)
    assert finding.loc is not None
    assert "before it" in finding.help


@pytest.mark.parametrize(("kind", "domain"), [("frame", (-2, 3)), ("frame", None), ("count", None)])
def test_neither_frames_nor_counts_are_delayed(kind: str, domain: tuple[int, int] | None) -> None:
    (finding,) = refused(Kept(kind), (4,), domain).findings
    assert finding.code == "SNN121"
    assert finding.loc is not None
    assert finding.help == "delay what the first map makes of it"


def test_logic_of_other_operands_is_told() -> None:
    """Of functions that are known of spikes it is the operands that are refused."""
    (finding,) = refused(Moved(torch.abs), (2, 4, 4), (-2, 3)).findings
    assert finding.code == "SNN021"
    assert "of two spikes, not of these" in finding.why
