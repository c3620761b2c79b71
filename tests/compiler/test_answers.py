"""An answer is one number for each class, however the model shapes it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from einops import rearrange
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

from snncc.artifact import Program, load_program, save_program
from snncc.cli.main import run
from snncc.compiler.driver import Compiled, compile_module
from snncc.compiler.fidelity import measure_fidelity
from snncc.compiler.given import Given
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import SnnccError
from snncc.frontends.torch_modules import source_of
from snncc.ir import Graph, GraphBuilder
from snncc.ir.dialects.integer import IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames
from snncc.ir.dialects.spiking import Readout
from snncc.runtime import interpret
from snncc.runtime.answers import class_axis, predictions_of
from snncc.runtime.simulator import Simulator

STEPS = 3
Forward = Callable[[nn.Module, torch.Tensor], torch.Tensor]


class Shaped(nn.Module):
    """A network between a reshape before it and one behind it."""

    def __init__(self, net: nn.Module, forward: Forward) -> None:
        super().__init__()
        self.net = net
        self.shaped = forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.shaped(self.net, x)


def perceptron() -> nn.Module:
    return nn.Sequential(layer.Linear(36, 16), neuron.LIFNode(v_threshold=0.3), layer.Linear(16, 5))


def convolutions() -> nn.Module:
    return nn.Sequential(
        layer.Conv2d(1, 4, 3, padding=1, groups=1),
        neuron.LIFNode(v_threshold=0.2),
        layer.Conv2d(4, 6, (8, 7), stride=3, padding=1, groups=2),
    )


MODELS: dict[str, tuple[Callable[[], nn.Module], Forward]] = {
    "squeeze and flatten": (perceptron, lambda n, x: n(x.squeeze(2).flatten(2))),
    "squeeze, then view": (perceptron, lambda n, x: n(x.squeeze(2).view(STEPS, -1, 36))),
    "view": (perceptron, lambda n, x: n(x.view(x.shape[0], x.shape[1], -1))),
    "einops one": (perceptron, lambda n, x: n(rearrange(x, "t b 1 h w -> t b (h w)"))),
    "one channel kept": (perceptron, lambda n, x: n(x.flatten(3))),
    "one channel squeezed behind": (perceptron, lambda n, x: n(x.flatten(3)).squeeze(2)),
    "one channel averaged": (perceptron, lambda n, x: n(x.flatten(3)).mean(2)),
    "a convolution of the whole image": (convolutions, lambda n, x: n(x).flatten(2)),
    "the same, not flattened": (convolutions, lambda n, x: n(x)),
}


def made(name: str) -> nn.Module:
    make, forward = MODELS[name]
    torch.manual_seed(7)
    net = Shaped(make(), forward)
    for parameter in net.parameters():
        parameter.data *= 3.0  # livelier: several classes are answered
    functional.set_step_mode(net, "m")
    return net.double().eval()


def images(count: int = 12) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, 1, 6, 6)).astype(np.uint8)


def compiled(net: nn.Module, **options: object) -> Compiled:
    source = source_of(net, "test")
    chosen = CompileOptions(input_shape=(1, 6, 6), steps=STEPS, **options)  # type: ignore[arg-type]
    return compile_module(source, chosen, Given(evaluation=images()))


def answers(net: nn.Module) -> np.ndarray:
    """The mean over time of the network's own answers, [n, classes]."""
    functional.reset_net(net)
    x = torch.from_numpy(images()).double() / 255.0
    with torch.no_grad():
        y = net(x.unsqueeze(0).repeat(STEPS, 1, 1, 1, 1)).mean(0)
    functional.reset_net(net)
    return y.reshape(len(x), -1).numpy()


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_of_images_and_classes(name: str) -> None:
    net = made(name)
    wanted = answers(net)
    assert len(set(wanted.argmax(axis=1))) > 1  # one class for all images would show nothing
    found = compiled(net, weight_bits=24)
    graph = found.program.graph
    for done in (interpret(graph, images()), Simulator(graph).run(images())):
        assert done.logits.shape == wanted.shape
        np.testing.assert_allclose(done.logits, wanted, rtol=0, atol=1e-4)
        assert np.array_equal(predictions_of(done.logits), wanted.argmax(axis=1))
    assert found.report["fidelity"]["agreement"] == 1.0


def test_a_search_for_bits_looks_at_the_classes() -> None:
    """Two bits keep no answer of this network; ever so many kept it when one class was compared."""
    net = made("squeeze and flatten")
    wanted = answers(net).argmax(axis=1)

    def agreement(bits: int) -> float:
        graph = compiled(net, weight_bits=bits).program.graph
        return float((interpret(graph, images()).logits.argmax(axis=1) == wanted).mean())

    assert agreement(2) < 1.0
    found = compiled(net, agreement=1.0)
    trials = found.report["bit_search"]["trials"]
    assert trials[0] == {"text": "16 bits", "agreement": 1.0}
    for trial in trials:
        bits, _, rest = trial["text"].partition(" bits")
        if not rest:
            assert trial["agreement"] == agreement(int(bits))


class OneNumber(nn.Module):
    """A regression: no class axis at all."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            layer.Linear(36, 8), neuron.LIFNode(v_threshold=0.3), layer.Linear(8, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x.flatten(2)).squeeze(-1)


def test_one_number_keeps_one_axis() -> None:
    torch.manual_seed(0)
    net = OneNumber().double().eval()
    functional.set_step_mode(net, "m")
    logits = interpret(compiled(net, weight_bits=24).program.graph, images()).logits
    np.testing.assert_allclose(logits, answers(net), atol=1e-4)
    assert logits.shape == (12, 1)


class Segments(nn.Module):
    """Five numbers for every pixel."""

    def __init__(self, flat: bool) -> None:
        super().__init__()
        self.flat = flat
        self.net = nn.Sequential(
            layer.Conv2d(1, 4, 3, padding=1), neuron.IFNode(0.2), layer.Conv2d(4, 5, 3, padding=1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.net(x)
        return y.flatten(2) if self.flat else y


@pytest.mark.parametrize("flat", [False, True])
def test_an_answer_with_several_axes_is_refused(flat: bool) -> None:
    net = Segments(flat).double().eval()
    functional.set_step_mode(net, "m")
    with pytest.raises(SnnccError, match="several axes") as caught:
        compiled(net)
    assert caught.value.code == "SNN110"


def test_the_classes_lie_on_the_only_long_axis() -> None:
    logits = np.random.default_rng(0).normal(size=(4, 5))
    for shape in ((4, 5), (4, 1, 5), (4, 5, 1), (4, 1, 5, 1)):
        assert np.array_equal(predictions_of(logits.reshape(shape)), logits.argmax(axis=1))
    assert class_axis((1, 5, 1)) == 1
    assert np.array_equal(predictions_of(np.ones((3, 1))), [0, 0, 0])
    with pytest.raises(SnnccError, match="several axes"):
        predictions_of(logits.reshape(4, 5, 1).repeat(2, axis=2))


def of_two_axes(dialect: str) -> Graph:
    """A graph as no model gives it any more: what it answers lies over two axes."""
    b = GraphBuilder(dialect, 2, "exact" if dialect == "integer" else "")
    image = b.add(Frames(("h", "c"), (3, 2)), name="image")
    whole = dialect == "integer"
    w = b.constant("w", np.array([[1, -2], [3, 1]], np.int8 if whole else float), ("k", "c"))
    current = b.add(Contract(w, ("c",), ("k",)), [image], name="head")
    return b.finish(b.add(IntegerReadout() if whole else Readout(), [current], name="answer"))


def test_several_axes_are_never_compared_along_one_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fidelity and accuracies refuse; logits alone are written, without predictions."""
    pixels = np.random.default_rng(0).integers(0, 9, (4, 3, 2)).astype(np.uint8)
    with pytest.raises(SnnccError, match="several axes"):
        measure_fidelity(of_two_axes("spiking"), of_two_axes("integer"), pixels)
    program, data = tmp_path / "p.snncc", tmp_path / "x.npz"
    save_program(program, Program(of_two_axes("integer"), {}))
    np.savez(data, x=pixels, y=np.zeros(4, np.int64), logits=np.zeros((4, 3)))
    out = tmp_path / "out.npz"
    assert run(["run", str(program), f"{data}:x", "-o", str(out)]) == 0
    with np.load(out) as found:
        assert found.files == ["logits"]
        assert np.array_equal(found["logits"], interpret(of_two_axes("integer"), pixels).logits)
    for option, key in (("--labels", "y"), ("--reference", "logits")):
        capsys.readouterr()
        assert run(["run", str(program), f"{data}:x", option, key]) == 4
        assert "SNN110" in capsys.readouterr().err


def test_a_program_with_an_axis_of_length_one_still_predicts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As versions before this one made them: logits [n, 1, classes]."""
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("h", "c"), (1, 2)), name="image")
    w = b.constant("w", np.array([[1, -2], [3, 1], [-1, 2]], np.int8), ("k", "c"))
    current = b.add(Contract(w, ("c",), ("k",)), [image], name="head")
    graph = b.finish(b.add(IntegerReadout(), [current], name="answer"))
    pixels = np.array([[[9, 0]], [[0, 9]], [[5, 5]], [[1, 9]]], np.uint8)
    wanted = interpret(graph, pixels).logits.reshape(4, 3)
    program, data, out = tmp_path / "p.snncc", tmp_path / "x.npz", tmp_path / "out.npz"
    save_program(program, Program(graph, {}))
    np.savez(data, x=pixels, y=wanted.argmax(axis=1), logits=wanted)
    arguments = [str(program), f"{data}:x", "--labels", "y", "--reference", "logits", "--json"]
    assert run(["run", *arguments, "-o", str(out)]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["accuracy"], record["agreement"]) == (1.0, 1.0)
    with np.load(out) as found:
        assert np.array_equal(found["predictions"], wanted.argmax(axis=1))
    assert load_program(program).graph[graph.output].type.shape == (1, 3)
