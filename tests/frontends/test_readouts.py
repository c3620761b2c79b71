"""What a model takes of its steps for an answer: the last, some, the largest; equal to torch."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from loop_networks import CLASSES, FEATURES, STEPS, Looped
from looped_answers import compiled_equal, findings_of

from snncc.diagnostics import SnnccError
from snncc.frontends.torch_recorder import trace_model
from snncc.ir.dialects.traced import Total

Values = list[torch.Tensor]


def spikes(self: Looped, x: torch.Tensor) -> Values:
    return [self.net(frame) for frame in x]


def currents(self: Looped, x: torch.Tensor) -> Values:
    """Biases differ between classes, so that the largest one is below 0 for some."""
    return [self.second(self.net[1](self.net[0](frame))) - 4.0 for frame in x]


def membranes(self: Looped, x: torch.Tensor) -> Values:
    v, found = torch.zeros(x.shape[1], CLASSES, dtype=x.dtype), Values()
    for current in currents(self, x):
        v = v * 0.5 + current
        found.append(v)
    return found


def running(values: Values) -> torch.Tensor:
    most = values[0]
    for value in values[1:]:
        most = torch.maximum(most, value)
    return most


def late_sum(values: Values) -> Any:
    total: Any = 0
    for step, value in enumerate(values):
        if step >= 3:
            total = total + value
    return total


READOUTS: dict[str, tuple[Callable[..., Values], Callable[[Values], Any]]] = {
    "last": (membranes, lambda values: values[-1]),
    "first": (spikes, lambda values: values[0]),
    "from the end": (membranes, lambda values: torch.stack(values)[-2]),
    "burn-in": (membranes, lambda values: torch.stack(values[2:]).mean(0)),
    "late sum": (spikes, late_sum),
    "first steps": (membranes, lambda values: torch.stack(values[:3]).sum(0)),
    "a window": (spikes, lambda values: torch.stack(values)[1:4].mean(dim=0)),
    "largest": (currents, lambda values: torch.stack(values).max(0)[0]),
    "largest of spikes": (spikes, lambda values: torch.stack(values).amax(dim=0)),
    "running": (membranes, running),
}


@pytest.mark.parametrize("what", READOUTS)
def test_a_readout_of_some_steps_is_the_models(what: str) -> None:
    values, end = READOUTS[what]
    compiled_equal(lambda self, x: end(values(self, x)))


def test_a_layer_behind_a_window_has_its_bias_once() -> None:
    def body(self: Looped, x: torch.Tensor) -> Any:
        hidden = torch.stack([self.net[1](self.net[0](frame)) for frame in x])
        return self.second(hidden[2:].mean(0))

    trace = compiled_equal(body)
    assert [node.op.window for node in trace.graph.select(Total) if isinstance(node.op, Total)] == [
        (2, 6)
    ]


def test_the_same_of_a_model_that_takes_all_steps_at_once() -> None:
    ends: tuple[Callable[[torch.Tensor], Any], ...] = (
        lambda y: y[2],
        lambda y: y[-1:].sum(0),
        lambda y: y[2:].sum(0),
        lambda y: y.amax(0),
    )
    for end in ends:

        def body(self: Looped, x: torch.Tensor, end: Any = end) -> Any:
            return end(self.net(x))

        compiled_equal(body, "m")


def test_what_takes_no_window_of_steps_is_refused() -> None:
    def two(self: Looped, x: torch.Tensor) -> Any:
        values = membranes(self, x)
        return values[-1] + torch.stack(values[1:]).mean(0)

    def every_second(self: Looped, x: torch.Tensor) -> Any:
        return torch.stack(membranes(self, x)[::2]).mean(0)

    def apart(self: Looped, x: torch.Tensor) -> Any:
        return torch.stack(membranes(self, x))[2:]

    for body in (every_second, apart):
        assert findings_of(body)
    with pytest.raises(Exception, match="SNN031"):
        compiled_equal(two)


class Parts(torch.nn.Module):
    """It returns what is read as its answer beside something else, by name or by number."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.net = Looped(lambda net, x: torch.stack(membranes(net, x)))

    def forward(self, x: torch.Tensor) -> Any:
        levels = self.net(x)
        most, mean = levels.amax(0), levels.mean(0)
        return {"most": most, "mem": mean} if self.kind == "dict" else (most, mean)


@pytest.mark.parametrize(("kind", "answer"), [("dict", "mem"), ("tuple", "1")])
def test_a_part_of_what_a_model_returns_is_chosen(kind: str, answer: str) -> None:
    whole = Looped(lambda net, x: torch.stack(membranes(net, x)).mean(0))
    wanted = trace_model(whole, (FEATURES,), STEPS)
    trace = trace_model(Parts(kind), (FEATURES,), STEPS, answer=answer)
    assert trace.findings == wanted.findings == ()
    assert [node.op.mnemonic for node in trace.graph.nodes] == [
        node.op.mnemonic for node in wanted.graph.nodes
    ]
    with pytest.raises(SnnccError, match="returns no such part"):
        trace_model(Parts(kind), (FEATURES,), STEPS, answer="logits")
    if kind == "dict":
        with pytest.raises(SnnccError) as caught:
            trace_model(Parts(kind), (FEATURES,), STEPS)
        assert "its keys are most, mem" in str(caught.value)
