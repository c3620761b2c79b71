"""Models on a grid of weights, and the one question: is every spike of theirs the program's?"""

from collections.abc import Sequence

import numpy as np
import torch
from spikingjelly.activation_based import functional, layer
from torch import nn

from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.frontends.torch_recorder import trace_model
from snncc.frontends.torch_recorder.neurons.known import handler_for
from snncc.ir import TIME, Graph
from snncc.ir.dialects.traced import Lif
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator
from snncc.semantics.spiking import run_spiking
from snncc.semantics.traced import run_traced

RAW = CompileOptions(normalize=((0.0,), (1.0 / 255.0,)))
"""Pixels are what the network computes with."""
LARGEST = 127
"""Of 8-bit weights: each output has one such weight, so that its grid is the program's."""
STEPS = 4


def on_grid(net: nn.Module, seed: int = 0) -> nn.Module:
    """Weights and biases k / 64 with whole k, in multi-step and evaluation mode."""
    rng = np.random.default_rng(seed)
    for module in net.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.Conv1d):
            weight = rng.integers(-30, 31, module.weight.shape)
            rows = weight.reshape(len(weight), -1)
            at = rng.integers(0, rows.shape[1], len(rows))
            rows[np.arange(len(rows)), at] = LARGEST * rng.choice([-1, 1, 1], len(rows))
            module.weight.data = torch.from_numpy(weight / 64.0)
            if module.bias is not None:
                module.bias.data = torch.from_numpy(rng.integers(-20, 21, module.bias.shape) / 64)
    functional.set_step_mode(net, "m")
    return net.double().eval()


def sequence(*parts: nn.Module, seed: int = 0) -> nn.Module:
    return on_grid(nn.Sequential(*parts), seed)


def conv(inputs: int, outputs: int, kernel: int = 3, **options: object) -> nn.Module:
    return layer.Conv2d(inputs, outputs, kernel, **options)  # type: ignore[arg-type]


def spikes_of(net: nn.Module, images: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Spikes of every known neuron module [T, B, ...], and the answer's mean over time."""
    found: dict[str, np.ndarray] = {}
    hooks = []
    for path, module in net.named_modules():
        if handler_for(module) is not None:

            def keep(_m: object, _a: object, out: torch.Tensor, path: str = path) -> None:
                found[path] = out.numpy()

            hooks.append(module.register_forward_hook(keep))
    x = torch.from_numpy(images.astype(np.float64))
    with torch.no_grad():
        answer = net(x[None].repeat(STEPS, *[1] * x.dim())).numpy()
    for hook in hooks:
        hook.remove()
    return found, answer.mean(axis=0) if answer.shape[0] == STEPS else answer


def same_spikes(
    net: nn.Module,
    shape: tuple[int, ...],
    levels: int = 8,
    silent: Sequence[str] = (),
    whole: bool = True,
) -> Graph:
    """Holds the traced, the spiking and the integer graph against torch, spike by spike.

    Args:
        net: in multi-step mode; its membranes are as they stand.
        shape: of an image.
        levels: pixels are 0..levels - 1.
        silent: neurons that need not fire.
        whole: whether the program's weights are the model's; else they are rounded, and only its
            executors are compared with each other.

    Returns:
        The integer program.
    """
    images = np.random.default_rng(5).integers(0, levels, (6, *shape)).astype(np.uint8)
    trace = trace_model(net, shape, STEPS)
    assert trace.findings == (), "\n".join(map(str, trace.findings))
    wanted, answer = spikes_of(net, images)
    assert wanted or silent
    inputs = np.repeat(images.astype(np.float64)[:, None], STEPS, axis=1)
    traced = run_traced(trace.graph, inputs)
    spiking = run_passes(trace.graph, spiking_passes(RAW))
    real = run_spiking(spiking, images)
    bits = 8 if whole else 24
    program = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, bits), bits)])
    slow, fast = interpret(program, images, ALL), Simulator(program).run(images, ALL)
    for node in trace.graph.select(Lif):
        names, right = node.type.names, wanted[node.locs[0].module_path]
        if node.name not in silent:
            assert 0.01 < right.mean() < 0.99, (node.name, right.mean())
        right = right.reshape(STEPS, len(images), *node.type.without(TIME).shape)
        assert np.array_equal(np.moveaxis(traced[node.name], 1 + names.index(TIME), 0), right)
        assert np.array_equal(slow.spikes[node.name], fast.spikes[node.name])
        for graph, value in ((spiking, real[node.name]), (program, slow.spikes[node.name])):
            if graph is program and not whole:
                continue
            own = graph[node.name].type.names
            order = [1 + own.index(TIME), 0, *(1 + own.index(n) for n in names if n != TIME)]
            assert np.array_equal(value.transpose(order), right), (graph.dialect, node.name)
    np.testing.assert_allclose(real[spiking.output].reshape(answer.shape), answer, atol=1e-9)
    assert np.array_equal(slow.readout, fast.readout)
    if whole:
        np.testing.assert_allclose(slow.logits.reshape(answer.shape), answer, rtol=0, atol=0.05)
    return program
