"""What models do between layers: answers are the model's, or it is refused by name."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn
from torch.nn.functional import avg_pool2d, conv_transpose2d, interpolate, pad

import snncc
from snncc.diagnostics import SnnccError
from snncc.frontends.torch_recorder.trace import trace_model
from snncc.ir.dialects.moves import Take

STEPS, SHAPE = 3, (4, 8, 6)
Change = Callable[[torch.Tensor], torch.Tensor]


class Moves(nn.Module):
    """Changes its image, spikes or currents of 4 channels; a convolution and a neuron follow.

    Between neurons a change stands alone.
    """

    def __init__(self, where: str, change: Change) -> None:
        super().__init__()
        self.where, self.change = where, change
        self.first = layer.Conv2d(4, 4, 3, padding=1, bias=False)
        self.norm = layer.BatchNorm2d(4)
        self.fire, self.last = neuron.IFNode(), neuron.LIFNode(v_threshold=0.1234)  # no ties
        with torch.no_grad():
            made = change(torch.zeros(STEPS, 1, *SHAPE))
        self.conv = layer.Conv2d(made.shape[2], 5, 3, padding=1)
        self.head = nn.Linear(made.shape[2] if where == "between neurons" else 5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.change(x) if self.where == "image" else self.norm(self.first(x))
        if self.where == "currents":
            x = self.change(x)
        if self.where != "image":
            x = self.fire(x)
        if self.where == "between neurons":
            return self.head(self.last(self.change(x)).mean((3, 4)))
        x = self.change(x) if self.where == "spikes" else x
        return self.head(self.last(self.conv(x)).mean((3, 4)))


CHANGES: dict[str, Change] = {
    "slice": lambda x: x[..., 1:],
    "steps of a slice": lambda x: x[:, :, ::2, 1::3],
    "an ellipsis": lambda x: x[..., :-2],
    "some channels": lambda x: x[:, :, [2, 0, 0]],
    "one channel kept": lambda x: x[:, :, 1:2],
    "narrow": lambda x: x.narrow(3, 2, 5),
    "roll": lambda x: x.roll(2, 3),
    "roll two": lambda x: torch.roll(x, (1, -2), (3, 4)),
    "flip": lambda x: x.flip(-1, 2),
    "index_select": lambda x: x.index_select(4, torch.tensor([5, 5, 0])),
    "chunk": lambda x: torch.cat([part + 0 for part in x.chunk(2, 2)][::-1], 2),
    "split": lambda x: torch.cat(x.split([1, 3], 2)[::-1], 2),
    "repeat": lambda x: x.repeat(1, 1, 2, 1, 1),
    "repeat_interleave": lambda x: x.repeat_interleave(2, dim=3),
    "upsample": lambda x: interpolate(x.flatten(0, 1), scale_factor=2).unflatten(0, x.shape[:2]),
    "zeros around": lambda x: pad(x, (1, 2, 0, 3)),
    "reflected": lambda x: pad(x.flatten(0, 1), (2, 1, 1, 0), "reflect").unflatten(0, x.shape[:2]),
    "around the end": lambda x: pad(x.flatten(0, 1), (1, 1, 1, 1), "circular").unflatten(
        0, x.shape[:2]
    ),
    "cropped": lambda x: pad(x, (-1, -2, -1, 0)),
    "shifted channels": lambda x: torch.cat([x[:, :, 1:], 0 * x[:, :, :1] + x[:, :, :1]], 2),
}


def of_images(change: Change) -> Change:
    """A change of [B, C, H, W], for all steps at once."""
    return lambda x: change(x.flatten(0, 1)).unflatten(0, x.shape[:2])


KERNEL = torch.linspace(-1.5, 2.5, 4 * 3 * 3 * 2).reshape(4, 3, 3, 2)
MATRIX = torch.linspace(-1, 2, 12).reshape(3, 4)
MAPS: dict[str, Change] = {
    "average, padding not counted": of_images(
        lambda x: avg_pool2d(x, 3, 2, 1, count_include_pad=False)
    ),
    "average, last window cut": of_images(lambda x: avg_pool2d(x, 3, 2, ceil_mode=True)),
    "average, both": of_images(lambda x: avg_pool2d(x, (3, 2), (3, 4), (1, 0), True, False)),
    "average, a divisor": of_images(lambda x: avg_pool2d(x, 2, divisor_override=3)),
    "average, any size": of_images(lambda x: nn.functional.adaptive_avg_pool2d(x, (5, 4))),
    "average, larger": of_images(lambda x: nn.functional.adaptive_avg_pool2d(x, (9, 13))),
    "transposed": of_images(lambda x: conv_transpose2d(x, KERNEL.to(x.dtype), stride=2)),
    "transposed, cut": of_images(
        lambda x: conv_transpose2d(
            x, KERNEL.to(x.dtype), torch.ones(3, dtype=x.dtype), (2, 3), (2, 1), (1, 0)
        )
    ),
    "transposed, dilated": of_images(
        lambda x: conv_transpose2d(x, KERNEL[:, :1].to(x.dtype), None, 1, (5, 0), 0, 4, (2, 3))
    ),
    "a sum with a factor": lambda x: torch.add(x, x.flip(3), alpha=0.5),
    "a difference": lambda x: x - 0.25 * x.flip(3),
    "a difference with a factor": lambda x: torch.sub(x.flip(4), x, alpha=2),
    "from a constant": lambda x: torch.rsub(x, 0.2, alpha=0.5),
    "from a value": lambda x: torch.rsub(x, x.roll(1, 3), alpha=0.5),
    "less a constant": lambda x: torch.sub(x, 0.5, alpha=0.5),
    "and": lambda x: x * x.flip(3),
    "and not": lambda x: x * (1 - x.roll(1, 4)),
    "not and": lambda x: (1.0 - x.flip(4)) * x,
    "a mask of currents": lambda x: x * (x.flip(3) + 0.5 * x.roll(1, 4)),
    "and, three": lambda x: x * x.flip(3) * x.flip(4),
    "relu of an and": lambda x: torch.relu(x * x.flip(3)),
    "einsum": lambda x: torch.einsum("dc,tbchw->tbdhw", MATRIX.to(x.dtype), x),
    "einsum, moved": lambda x: torch.einsum("tbchw,cd->tbhdw", x, MATRIX.t().to(x.dtype)).permute(
        0, 1, 3, 2, 4
    ),
}  # fmt: skip


def answers(model: Moves, images: np.ndarray, normal: tuple[float, float]) -> np.ndarray:
    functional.reset_net(model)
    given = (torch.tensor(images, dtype=torch.float64) / 255 - normal[0]) / normal[1]
    with torch.no_grad():
        found: np.ndarray = model.double()(given[None].repeat(STEPS, 1, 1, 1, 1)).mean(0).numpy()
    return found


def made(where: str, change: Change) -> Moves:
    torch.manual_seed(4)
    model = Moves(where, change)
    functional.set_step_mode(model, "m")
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.bias.data.uniform_(0, 0.5)
            module.weight.data.uniform_(0.5, 3)
        elif isinstance(module, nn.Conv2d):
            module.weight.data.mul_(3)
            if module.bias is not None:
                module.bias.data.uniform_(0.2, 1.5)
    return model.eval()


@pytest.mark.parametrize(
    ("name", "where"),
    [*product(CHANGES, ["spikes", "currents"]), *product(MAPS, ["between neurons"])],
)
def test_answers_are_those_of_the_model(name: str, where: str) -> None:
    model, normal = made(where, {**CHANGES, **MAPS}[name]), (0.3, 0.4)
    images = np.random.default_rng(1).integers(0, 256, (5, *SHAPE)).astype(np.uint8)
    program = snncc.compile(
        model, input_shape=SHAPE, steps=STEPS, weight_bits=24, normalize=((0.3,), (0.4,))
    )
    result = program.run(images)
    wanted = answers(model, images, normal)
    assert np.abs(result.logits - wanted).max() < 1e-4
    assert all(0.02 < rate < 0.98 for rate in result.spike_rates.values())
    assert wanted.std(axis=0).max() > 1e-3


@pytest.mark.parametrize("name", ["slice", "some channels", "zeros around", "flip", "one"])
def test_changes_of_the_image(name: str) -> None:
    """Composed into the convolution that reads it where that is one map; else refused."""
    change = CHANGES.get(name) or (lambda x: pad(x, (1, 1, 1, 1)))
    model, images = made("image", change), np.zeros((3, *SHAPE), np.uint8)
    images[:] = np.random.default_rng(2).integers(0, 256, images.shape)
    if name in ("slice", "flip", "zeros around"):
        with pytest.raises(SnnccError) as caught:
            snncc.compile(model, input_shape=SHAPE, steps=STEPS)
        assert caught.value.code == "SNN030"
        assert "moves what it reads" in str(caught.value)
        return
    options = {"input_shape": SHAPE, "steps": STEPS, "weight_bits": 24}
    program = snncc.compile(model, normalize=((0.3,), (0.4,)), **options)
    assert np.abs(program.run(images).logits - answers(model, images, (0.3, 0.4))).max() < 1e-4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: x[1:], "takes some of the time steps"),
        (lambda x: x.roll(1, 0), "takes some of the time steps"),
        (lambda x: torch.cat([x[:1], x[1:]]), "takes some of the time steps"),
        (lambda x: pad(x, (1, 1), value=2.0), "puts 2 beside"),
        (lambda x: interpolate(x[0], scale_factor=2, mode="bilinear")[None], "time steps"),
        (
            lambda x: interpolate(x.flatten(0, 1), scale_factor=2, mode="bilinear").unflatten(
                0, x.shape[:2]
            ),
            "changes elements",
        ),
        (lambda x: x[:, :, [0, 1], [2, 3]].unsqueeze(3), "across several axes"),
        (lambda x: x.flatten(3).roll(1, 3).unflatten(3, x.shape[3:]), "one axis"),
    ],
)
def test_what_has_no_index_is_refused(change: Change, said: str) -> None:
    model = made("spikes", change)
    with pytest.raises(SnnccError) as caught:
        snncc.compile(model, input_shape=SHAPE, steps=STEPS)
    assert said in str(caught.value)


def test_one_element_of_an_axis_leaves_it() -> None:
    """x[:, :, i] and unbind drop an axis; what remains is the other axes."""

    class One(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.fire = layer.Conv2d(4, 3, 3, padding=1), neuron.IFNode()
            self.last = nn.Linear(8, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            spikes = self.fire(self.first(x))
            return self.last(spikes[:, :, 1, :, -1]) + self.last(spikes.unbind(2)[2].mean(3))

    torch.manual_seed(2)
    model = One()
    functional.set_step_mode(model, "m")
    model.eval()
    model.first.weight.data.mul_(4)
    images = np.random.default_rng(1).integers(0, 256, (5, *SHAPE)).astype(np.uint8)
    program = snncc.compile(model, input_shape=SHAPE, steps=STEPS, weight_bits=24)
    assert np.abs(program.run(images).logits - answers(model, images, (0.0, 1.0))).max() < 1e-4  # type: ignore[arg-type]


def test_a_change_that_changes_nothing_leaves_no_trace() -> None:
    trace = trace_model(made("spikes", lambda x: x[:, :, :4, ...].roll(0, 1)), SHAPE, STEPS)
    assert trace.findings == ()
    assert trace.graph.select(Take) == ()
