"""Whatever door Python takes to data, the model is refused: a choice would be frozen."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

import snncc
from snncc.diagnostics import SnnccError
from snncc.frontends.torch_recorder.trace import trace_model

STEPS, SHAPE = 3, (2, 4, 4)
Door = Callable[[torch.Tensor], object]


class Chooses(nn.Module):
    """Adds 1 where a look at its spikes says so."""

    def __init__(self, look: Door) -> None:
        super().__init__()
        self.look = look
        self.first = nn.Sequential(layer.Conv2d(2, 4, 3, padding=1), neuron.IFNode())
        self.last = nn.Linear(4, 3)
        functional.set_step_mode(self, "m")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spikes = self.first(x)
        found = self.last(spikes.mean((3, 4)))
        return found + 1 if self.look(spikes) else found


DOORS: dict[str, Door] = {
    "bool": lambda s: bool(s.sum() > 3),
    "item": lambda s: s.sum().item() > 3,
    "equal": lambda s: torch.equal(s, torch.zeros_like(s)),
    "method equal": lambda s: s.equal(torch.zeros_like(s)),
    "allclose": lambda s: torch.allclose(s, torch.zeros_like(s)),
    "is_nonzero": lambda s: s.sum().is_nonzero(),
    "in": lambda s: 1.0 in s,
    "asarray": lambda s: np.asarray(s).sum() > 3,
    "array": lambda s: np.array(s).sum() > 3,
    "count_nonzero": lambda s: np.count_nonzero(s) > 3,
    "storage": lambda s: s.untyped_storage().size() and s.untyped_storage()[3] > 0,
    "nonzero": lambda s: len(s.nonzero()) > 3,
    "argwhere": lambda s: torch.argwhere(s).shape[0] > 3,
    "where": lambda s: len(torch.where(s)[0]) > 3,
    "mask": lambda s: s[s > 0].numel() > 3,
    "masked_select": lambda s: torch.masked_select(s, s > 0).numel() > 3,
    "unique": lambda s: len(torch.unique(s)) > 1,
    "sparse": lambda s: s.flatten().to_sparse()._nnz() > 3,
    "bincount": lambda s: len(torch.bincount(s.flatten().long())) > 1,
    "repeats": lambda s: torch.repeat_interleave(s.flatten().long()).numel() > 3,
}


@pytest.mark.parametrize("name", DOORS)
def test_a_look_at_data_is_found(name: str) -> None:
    torch.manual_seed(0)
    with pytest.raises(SnnccError) as caught:
        snncc.compile(Chooses(DOORS[name]).eval(), input_shape=SHAPE, steps=STEPS)
    assert {finding.code for finding in caught.value.findings} & {"SNN022", "SNN028"}


SEEN: dict[str, Door] = {
    "shape": lambda s: s.shape[0] > 99 or s.size(1) > 99 or s.dim() > 99 or s.numel() > 99999,
    "type": lambda s: s.dtype is torch.int8 or s.type() == "x" or s.is_complex() or s.is_cuda,
    "place": lambda s: s.is_contiguous() and s.stride(0) < 0 and s.storage_offset() > 9 and len(s),
    "text": lambda s: not f"{s.shape} {s}",
}


@pytest.mark.parametrize("name", SEEN)
def test_what_a_tensor_is_may_be_asked(name: str) -> None:
    torch.manual_seed(0)
    assert trace_model(Chooses(SEEN[name]).eval(), SHAPE, STEPS).findings == ()


class Changes(nn.Module):
    """Currents that pass through a function before they reach neurons."""

    def __init__(self, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.change = change
        self.first, self.fire = layer.Conv2d(2, 4, 3, padding=1), neuron.IFNode()
        self.last = nn.Linear(4, 3)
        functional.set_step_mode(self, "m")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.fire(self.change(self.first(x))).mean((3, 4)))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_a_cast_that_rounds_is_refused(kind: torch.dtype) -> None:
    for change in (
        lambda x: x.to(dtype=kind).to(x.dtype),
        lambda x: x.to(kind).float(),
        lambda x: x.type(kind).to(x.dtype),
        lambda x: x.to(torch.zeros(1, dtype=kind)).to(x.dtype),
    ):
        with pytest.raises(SnnccError, match="rounds real numbers to") as caught:
            snncc.compile(Changes(change).eval(), input_shape=SHAPE, steps=STEPS)
        assert caught.value.code == "SNN021"


def test_casts_of_spikes_and_to_wider_types_change_nothing() -> None:
    class Spikes(Changes):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            spikes = self.fire(self.first(x).double().float())
            return self.last(spikes.to(torch.float16).to(x.dtype).mean((3, 4)))

    assert trace_model(Spikes(lambda x: x).eval(), SHAPE, STEPS).findings == ()


@pytest.mark.parametrize(
    "drop",
    [
        lambda x: nn.functional.dropout(x, 0.5, True),
        lambda x: nn.functional.dropout(x, 0.5, True, inplace=True),
        lambda x: nn.functional.dropout1d(x.flatten(0, 2), 0.5, True).view(x.shape),
        lambda x: nn.functional.dropout2d(x.flatten(0, 1), 0.5, True).view(x.shape),
        lambda x: torch.feature_dropout(x, 0.5, True),
        lambda x: torch.dropout_(x, 0.5, True),
        lambda x: nn.functional.alpha_dropout(x, 0.5, True),
    ],
)
def test_an_active_dropout_is_named(drop: Callable[[torch.Tensor], torch.Tensor]) -> None:
    found = trace_model(Changes(drop).eval(), SHAPE, STEPS).findings
    assert ("SNN023", "dropout is active") in [(f.code, f.message) for f in found]


@pytest.mark.parametrize(
    "drop",
    [
        lambda x: nn.functional.dropout(x, 0.5, False),
        lambda x: nn.functional.dropout2d(x.flatten(0, 1), 0.5, False).view(x.shape),
        lambda x: nn.functional.alpha_dropout(x),
        lambda x: nn.functional.dropout(x, 0.0, True),
    ],
)
def test_a_dropout_that_drops_nothing_is_none(
    drop: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    assert trace_model(Changes(drop).eval(), SHAPE, STEPS).findings == ()


def test_what_has_no_form_in_place_is_told_as_what_it_is() -> None:
    with pytest.raises(SnnccError) as caught:
        snncc.compile(Changes(nn.ReLU(inplace=True)).eval(), input_shape=SHAPE, steps=STEPS)
    found = caught.value.findings
    assert [(f.code, "gives real numbers" in f.message) for f in found] == [("SNN021", True)]


def test_a_constant_of_the_type_of_data_is_a_constant() -> None:
    class Mixes(Changes):
        matrix: torch.Tensor

        def __init__(self) -> None:
            super().__init__(lambda x: x)
            self.register_buffer("matrix", torch.linspace(-1, 1, 16).reshape(4, 4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            mixed = torch.einsum("tbchw,cd->tbdhw", self.first(x), self.matrix.to(x))
            return self.last(self.fire(mixed).mean((3, 4)))

    assert trace_model(Mixes().eval(), SHAPE, STEPS).findings == ()
