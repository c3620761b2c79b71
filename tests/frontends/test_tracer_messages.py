"""What the tracer refuses, it calls what it is: one finding for one cause, at its place."""

import copy
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from exact_models import conv, same_spikes, sequence
from spikingjelly.activation_based import layer, neuron
from torch import nn

import snncc
from snncc.compiler.folding import convert_and_fold
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import Finding, SnnccError
from snncc.frontends.torch_recorder import trace_model
from snncc.frontends.torch_recorder.source_lines import definition_of, user_line

SHAPE = (2, 8, 8)
STEPS = 4


def found(net: nn.Module, shape: tuple[int, ...] = SHAPE) -> tuple[Finding, ...]:
    """Everything that is found, each finding with its place, reason and remedy."""
    try:
        findings = trace_model(net, shape, STEPS).findings
    except SnnccError as error:
        findings = error.findings
    for finding in findings:
        assert finding.loc is not None, finding
        assert finding.why, finding
        assert finding.help, finding
    return findings


class Between(nn.Module):
    """Spikes, what is tested, a convolution with neurons, and a readout."""

    def __init__(self, change: Callable[[Any, torch.Tensor], Any], channels: int = 4) -> None:
        super().__init__()
        self.change = change
        self.first = sequence(conv(2, 4, padding=1), neuron.IFNode(v_threshold=3.0))
        self.second = sequence(conv(channels, 4, padding=1), neuron.IFNode(v_threshold=3.0))
        self.scale = nn.Parameter(torch.rand(4, 1, 1, 1, 1, dtype=torch.float64) + 0.5)
        self.conv = conv(4, 4, padding=1, step_mode="m").double()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        return self.second(self.change(self, x)).mean((3, 4))


# Lines of the user.


def test_a_model_of_library_code_shows_no_line() -> None:
    """Neither the compiler's call of the tracer nor a library's inside is the user's line."""
    net = sequence(conv(2, 4, padding=1), nn.Softmax(2), neuron.IFNode())
    for node in trace_model(net, SHAPE, STEPS).graph.nodes:
        for loc in node.locs:
            assert (loc.file, loc.line, loc.source) == ("", 0, ""), loc
    (finding,) = found(net)
    assert finding.loc is not None
    assert (finding.loc.module_path, finding.loc.file) == ("1", "")


def test_a_models_own_line_is_shown() -> None:
    (finding,) = found(Between(lambda _s, x: x.cos()))
    assert finding.loc is not None
    assert finding.loc.file == "frontends/test_tracer_messages.py"
    assert "x.cos()" in finding.loc.source


@pytest.mark.parametrize("package", ["snntorch", "norse.torch", "sinabs.layers", "snncc.whatever"])
def test_lines_of_libraries_are_never_the_users(package: str) -> None:
    """Wherever a library lies: here its code is compiled on the spot."""
    module = types.ModuleType(package)
    code = "def call(inner, outermost):\n    return inner(outermost)\n"
    exec(compile(code, "/somewhere/else/library.py", "exec"), module.__dict__)  # noqa: S102

    def outermost() -> tuple[str, int, str]:
        line: tuple[str, int, str] = module.call(user_line, outermost.__code__)
        return line

    assert outermost() == ("", 0, "")


def test_installed_packages_are_libraries() -> None:
    assert any("site-packages" in p or "dist-packages" in p for p in sys.path)
    from snncc.frontends.torch_recorder.source_lines import _is_library

    assert _is_library(pytest.__file__, "pytest")
    assert _is_library(copy.__file__, "copy")
    assert not _is_library(__file__, __name__)


# Neuron classes.


class Product(neuron.LIFNode):
    """Another neuron: its membrane grows by itself times its input."""

    def multi_step_forward(self, x_seq: torch.Tensor) -> torch.Tensor:
        v = torch.zeros_like(x_seq[0])
        spikes = []
        for x in x_seq:
            v = 0.5 * v + x * (1.0 + v)
            spikes.append((v >= 1.0).to(x))
            v = v * (1.0 - spikes[-1])
        return torch.stack(spikes)


class Written(nn.Module):
    """A neuron as people write it: a loop, a membrane, two comparisons."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        v = torch.zeros_like(x[0])
        spikes = []
        for step in x:
            v = 0.5 * v + step
            spikes.append((v > 1.0).to(x))
            v = torch.where(v > 1.5, torch.zeros_like(v), v)
        return torch.stack(spikes)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (Product, "changes multi_step_forward of LIFNode"),
        (neuron.QIFNode, "its state has no form"),
        (neuron.EIFNode, "its state has no form"),
        (lambda: neuron.MaskedPSN(k=2, T=STEPS, lambda_init=1.0), "its state has no form"),
        (Written, "compares data in its own code"),
    ],
)
def test_a_neuron_class_that_is_not_known_is_one_finding(
    make: Callable[[], nn.Module], why: str
) -> None:
    (finding,) = found(sequence(conv(2, 4, padding=1), make(), conv(4, 4, padding=1), make()))
    assert finding.code == "SNN026"
    assert type(make()).__name__ in finding.message
    assert why in finding.why
    assert "2 modules: 1, 3" in finding.why
    assert "LIFNode" in finding.help
    assert finding.loc is not None
    assert finding.loc.module_path == "1"


def test_other_findings_stand_beside_an_unknown_neuron() -> None:
    net = sequence(conv(2, 4, padding=1), nn.Softmax(2), neuron.QIFNode())
    assert [f.code for f in found(net)] == ["SNN021", "SNN026"]


@pytest.mark.parametrize("decode", ["max-mem", "last_mem"])
def test_neurons_that_answer_with_their_last_or_largest_membrane_compile(decode: str) -> None:
    assert found(membranes_of(decode)) == ()


def membranes_of(decode: str | None) -> nn.Module:
    last = neuron.NonSpikingLIFNode(decode=decode)
    head = (layer.Flatten(), layer.Linear(256, 5), last)
    return sequence(conv(2, 4, padding=1), neuron.IFNode(v_threshold=3.0), *head)


def test_neurons_that_answer_with_all_membranes_are_named() -> None:
    finding = found(membranes_of(None))[0]
    assert finding.code == "SNN026"
    assert "NonSpikingLIFNode" in finding.message
    assert finding.loc is not None
    assert finding.loc.module_path == "4"


def test_a_neuron_object_with_a_forward_of_its_own_is_another_neuron() -> None:
    net = sequence(conv(2, 4, padding=1), neuron.LIFNode())
    net[1].multi_step_forward = types.MethodType(Product.multi_step_forward, net[1])
    (finding,) = found(sequence(*net, neuron.IFNode(v_threshold=2.0)))[:1]
    assert "changes multi_step_forward of LIFNode" in finding.why


# What is read and made.


def test_a_largest_of_spikes_and_of_currents() -> None:
    same_spikes(Between(lambda _s, x: torch.maximum(x, x.roll(1, 3))), SHAPE)
    (spikes,) = found(Between(lambda _s, x: torch.maximum(x, x.clone().transpose(3, 4))))
    assert "two dimensions are the same axis" in spikes.why
    (currents,) = found(Between(lambda s, x: torch.maximum(s.conv(x), s.conv(x))))
    assert "not spikes" in currents.why
    assert "OR" not in currents.why + currents.message


def test_products_are_told_by_what_they_multiply() -> None:
    (currents,) = found(Between(lambda s, x: s.conv(x) * s.conv(x)))
    assert "both factors" in currents.why
    (turned,) = found(Between(lambda _s, x: x * x.clone().transpose(3, 4)))
    assert "two dimensions are the same axis" in turned.why
    same_spikes(Between(lambda _s, x: x @ x.transpose(3, 4)), SHAPE)
    (counts,) = found(Between(lambda _s, x: (x @ x.mT) @ (x @ x.mT)))
    assert "neither is spikes" in counts.why
    (broadcast,) = found(Between(lambda s, x: x.mean(0, keepdim=True) * s.scale))[:1]
    assert "constant of shape (4, 1, 1, 1, 1)" in broadcast.why
    assert "data by data" not in broadcast.message


def test_a_relu_of_currents_is_an_activation() -> None:
    net = Between(lambda s, x: torch.relu(s.conv(x)))
    assert not found(net)  # the passes tell of it: behind a rounding it is a staircase
    trace = trace_model(net, SHAPE, STEPS)
    _, (finding,) = convert_and_fold(trace.graph, trace.findings, CompileOptions(), lambda _: None)
    assert "gives real numbers" in finding.message
    assert "--activation-bits" in finding.help
    assert finding.loc is not None


def test_a_difference_is_a_sum() -> None:
    assert not found(Between(lambda s, x: s.conv(x) - x))
    same_spikes(Between(lambda _s, x: x + (-1.0) * (0.5 * x)), SHAPE)
    same_spikes(Between(lambda _s, x: x - 0.5 * x), SHAPE)


def test_batch_statistics_are_called_that() -> None:
    (finding,) = found(Between(lambda _s, x: x + (-1.0) * x.mean(1, keepdim=True)))[:1]
    assert "over the images of a batch" in finding.why
    norm = layer.BatchNorm2d(4, track_running_stats=False)
    (finding,) = found(sequence(conv(2, 4), norm, neuron.IFNode()))
    assert "no running statistics" in finding.message
    assert "LayerNorm" not in str(finding)
    assert "track_running_stats" in finding.help


# Axes.


def test_a_channel_shuffle_is_one_finding_where_it_stands() -> None:
    change = lambda _s, x: x.unflatten(2, (2, 2)).transpose(2, 3).flatten(2, 3)  # noqa: E731
    (finding,) = found(Between(change))
    assert finding.code == "SNN029"
    assert "cut into pieces" in finding.message
    assert "channel shuffle" in finding.help
    assert finding.loc is not None
    assert "unflatten" in finding.loc.source


def test_axes_that_cannot_be_followed_leave_the_other_findings() -> None:
    def change(self: Any, x: torch.Tensor) -> torch.Tensor:
        x = x.unflatten(2, (2, 2)).transpose(2, 3).flatten(2, 3)
        return torch.softmax(self.conv(x), 2)

    assert {f.code for f in found(Between(change))} == {"SNN029", "SNN021"}


def test_streams_that_are_stacked_are_one_finding() -> None:
    (finding,) = found(Between(lambda _s, x: torch.stack([x, x], 2).flatten(2, 3), channels=8))
    assert "stack" in finding.message
    assert "torch.cat" in finding.help


def test_what_follows_from_a_foreign_call_is_no_finding_of_its_own() -> None:
    (finding,) = found(Between(lambda _s, x: torch.cat([x[:1], x[:-1]], 0)))
    assert "cat" in finding.message
    assert "some of the time steps" in finding.why


# Answers.


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda y: (y, y), "a tuple with 2 tensors"),
        (lambda y: {"logits": y}, "a dict with 1 tensors"),
        (lambda y: [y, {"more": (y, y)}], "a list with 3 tensors"),
        (lambda _y: torch.zeros(3), "a constant"),
        (lambda _y: None, "NoneType"),
    ],
)
def test_an_answer_that_is_no_tensor_has_a_place_and_hides_nothing(
    answer: Callable[[torch.Tensor], Any], why: str
) -> None:
    class Answers(Between):
        def forward(self, x: torch.Tensor) -> Any:
            return answer(super().forward(x))

    findings = found(Answers(lambda _s, x: x.cos()))
    last = findings[-1]
    assert last.code == "SNN024"
    assert why in last.why
    assert last.loc is not None
    assert last.loc.file == "frontends/test_tracer_messages.py"
    if "tensors" in why:
        assert "cos" in findings[0].message


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_model_that_torch_has_compiled_is_refused_with_a_place() -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(128, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(x.flatten(2))

    example = torch.zeros(STEPS, 2, *SHAPE)
    frozen = torch.jit.trace(Flat().eval(), example)  # type: ignore[no-untyped-call]
    findings = found(frozen)
    assert {f.code for f in findings} <= {"SNN024", "SNN025"}
    assert definition_of(frozen) == ("", 0, "")


# Tricks in place.


def test_a_write_into_a_part_is_called_that() -> None:
    def change(_s: Any, x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        x[:, :, 0] = 0.0
        return x

    (finding,) = found(Between(change))
    assert "overwritten in place" in finding.message
    assert "torch.stack" in finding.help


def test_a_list_of_steps_written_into_zeros_is_called_that() -> None:
    def change(_s: Any, x: torch.Tensor) -> torch.Tensor:
        out = torch.zeros(4, 2, 4, 8, 8)[:, : x.shape[1]]
        out[:] = x
        return out

    findings = found(Between(change))
    assert "overwritten in place" in findings[0].message


def test_an_alias_is_the_cause_of_a_failed_replay() -> None:
    def change(_s: Any, x: torch.Tensor) -> torch.Tensor:
        flat = x.flatten(3)
        x.add_(1.0)
        return flat.unflatten(3, (8, 8))

    (finding,) = found(Between(change))
    assert finding.code == "SNN021"
    assert "add_" in (finding.loc.call if finding.loc else "")


def test_writes_in_place_without_an_alias_are_followed() -> None:
    def change(_s: Any, x: torch.Tensor) -> torch.Tensor:
        y = x.clone()
        y += x
        return y.data

    same_spikes(Between(change), SHAPE, whole=False)


# Copies.


class NoCopy(nn.Conv2d):
    def __deepcopy__(self, memo: Any) -> Any:
        raise AttributeError("can't set attribute 'state'")


@pytest.mark.parametrize("nested", [False, True])
def test_a_model_that_cannot_be_copied_names_the_part(nested: bool) -> None:
    part = NoCopy(2, 4, 3)
    net = nn.Sequential(nn.Sequential(nn.Identity(), part)) if nested else nn.Sequential(part)
    (finding,) = found(net)
    assert finding.code == "SNN025"
    assert finding.loc is not None
    assert finding.loc.module_path == ("0.1" if nested else "0")
    assert "AttributeError: can't set attribute 'state'" in finding.why
    assert "deepcopy" in finding.help


class Mean(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((3, 4))


@pytest.mark.parametrize("name", ["fire[0]", "fire\n0", "cat[0]"])
def test_a_module_may_have_any_name(name: str) -> None:
    plain = sequence(conv(2, 4), neuron.IFNode(), conv(4, 3), Mean())
    odd = nn.Sequential()
    for number, module in enumerate(plain):
        odd.add_module(f"{name}{number}", module)
    answers = []
    for net in (plain, odd):
        program = snncc.compile(net, input_shape=(2, 8, 8), steps=3)
        answers.append(program.run(np.full((1, 2, 8, 8), 200, np.uint8)).readout)
    assert np.array_equal(*answers)
