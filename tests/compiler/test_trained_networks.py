"""Two trained networks with weights on a grid: programs answer and spike as torch in float64."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from grid_networks import in_torch_order, torch_spikes
from torch import nn
from trained_networks import NORMALIZE, STEPS, digits, pooled, ternary

from snncc.compiler.driver import Compiled, compile_module
from snncc.compiler.given import Given
from snncc.compiler.options import CompileOptions
from snncc.frontends.torch_modules import source_of
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator

NETWORKS = {"pooled": pooled, "ternary": ternary}
COUNT = 100


@pytest.fixture(scope="module", params=list(NETWORKS))
def net(request: pytest.FixtureRequest) -> Iterator[nn.Module]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield NETWORKS[request.param]()
    torch.set_num_threads(threads)


def compiled(net: nn.Module, calibrate: bool = True, **options: object) -> Compiled:
    images, labels = digits()
    chosen = CompileOptions((1, 8, 8), NORMALIZE, STEPS, **options)  # type: ignore[arg-type]
    source, some = source_of(net, "trained"), images[:48] if calibrate else None
    return compile_module(source, chosen, Given(some, images[-COUNT:], labels[-COUNT:]))


def accuracy(logits: np.ndarray) -> float:
    return float((logits.argmax(axis=1) == digits()[1][-COUNT:]).mean())


@pytest.mark.parametrize("calibrate", [False, True])
def test_every_spike_and_answer_is_torchs(net: nn.Module, calibrate: bool) -> None:
    images = digits()[0][-COUNT:]
    wanted, logits = torch_spikes(net, images, STEPS, lambda x: x / 16.0)
    assert accuracy(logits) > 0.5
    found = compiled(net, calibrate)
    program = found.program.graph
    run = interpret(program, images, ALL)
    assert set(run.spikes) == set(wanted)
    for name, spikes in wanted.items():
        assert 0.01 < spikes.mean() < 0.9
        got = in_torch_order(program, name, run.spikes[name])
        assert np.array_equal(got != 0, spikes != 0), name
    np.testing.assert_allclose(run.logits, logits, rtol=0, atol=1e-12)
    report = found.report["fidelity"]
    assert (report["agreement"], report["flips"]) == (1.0, 0.0)
    assert report["accuracy"] == report["reference_accuracy"] == accuracy(logits)


def test_the_simulator_answers_as_the_interpreter_does(net: nn.Module) -> None:
    """The pooled network's last map reads sums over 64 places."""
    images = digits()[0][-COUNT:]
    program = compiled(net).program.graph
    slow, fast = interpret(program, images, ALL), Simulator(program).run(images, ALL)
    assert np.array_equal(slow.readout, fast.readout)
    for name in slow.spikes:
        assert np.array_equal(slow.spikes[name], fast.spikes[name])
        assert np.array_equal(slow.membranes[name], fast.membranes[name])


def test_three_bits_hold_the_network_trained_with_three() -> None:
    net = ternary()
    images = digits()[0][-COUNT:]
    wanted, logits = torch_spikes(net, images, STEPS, lambda x: x / 16.0)
    for options in ({"weight_bits": 3}, {"weight_bits": 24}, {"agreement": 1.0}):
        found = compiled(net, **options)
        run = interpret(found.program.graph, images, ALL)
        for name, spikes in wanted.items():
            got = in_torch_order(found.program.graph, name, run.spikes[name])
            assert np.array_equal(got != 0, spikes != 0), (options, name)
        np.testing.assert_allclose(run.logits, logits, rtol=0, atol=1e-12)
        assert found.report["rounding"]["farthest"] < 1e-9
