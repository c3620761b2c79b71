"""Copies of one weight are one constant: rounded once, stored once; where counts are read, one."""

import numpy as np
import pytest
import torch
from grid_networks import spiking_of
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

from snncc.backends.lava_nc import registers
from snncc.backends.lava_nc.loihi.lowering import LowerToLoihi
from snncc.backends.lava_nc.loihi.units import choose_loihi_units
from snncc.compiler.options import CompileOptions
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly, round_with_images
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator


class Residual(nn.Module):
    """Spikes are added, and a convolution, then a linear map, read the sum: two, three copies."""

    def __init__(self) -> None:
        super().__init__()

        def block(channels: int) -> nn.Module:
            return nn.Sequential(
                layer.Conv2d(channels, 8, 3, padding=1, bias=False),
                layer.BatchNorm2d(8),
                neuron.IFNode(v_threshold=0.5),
            )

        self.a, self.b, self.c = block(1), block(8), block(8)
        self.head = layer.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.a(x)
        x = self.b(x) + x
        x = self.c(x) + x
        return self.head(x.mean((3, 4))).mean(0)


def residual(options: CompileOptions):  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    net = Residual().double().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 2.0)
    functional.set_step_mode(net, "m")
    return spiking_of(net, 4, options, (1, 8, 8))


def images(count: int = 24) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 1, 8, 8)).astype(np.uint8)


@pytest.mark.parametrize("profile", ["exact", registers.PROFILE])
@pytest.mark.parametrize("calibrate", [False, True])
def test_a_residual_convolution_has_one_weight(profile: str, calibrate: bool) -> None:
    spiking = residual(CompileOptions(profile=profile))
    lava = profile == registers.PROFILE
    choose = {"choose": choose_loihi_units} if lava else {}
    rounded = (
        round_with_images(spiking, 4, images(), **choose)  # type: ignore[arg-type]
        if calibrate
        else round_plainly(spiking, 4, **choose)  # type: ignore[arg-type]
    )
    program = run_passes(spiking, [LowerToLoihi(rounded) if lava else LowerToIntegers(rounded, 4)])
    copies: dict[bytes, list[str]] = {}
    for node in spiking.select(Contract, Convolve):
        real = spiking.constants[node.op.weight.name]  # type: ignore[attr-defined]
        copies.setdefault(real.tobytes(), []).append(node.name)
    several = [names for names in copies.values() if len(names) > 1]
    assert sorted(map(len, several)) == ([2, 3] if lava else [])  # elsewhere they read the count
    assert len(copies) == 4
    for names in several:
        first, *others = names
        stored = {program[name].op.weight.name for name in names}  # type: ignore[attr-defined]
        for other in others:
            assert np.array_equal(rounded.integers[first], rounded.integers[other])
        assert len(stored) == 1
    run, fast = interpret(program, images(6), ALL), Simulator(program).run(images(6), ALL)
    assert np.array_equal(run.readout, fast.readout)


def test_compensation_for_both_is_better_than_none() -> None:
    """What copies see together is what their shared error is multiplied with."""
    from snncc.semantics.spiking import run_spiking

    spiking = residual(CompileOptions(profile=registers.PROFILE))
    wanted = run_spiking(spiking, images(48))[spiking.output]
    errors = []
    for rounded in (round_plainly(spiking, 4), round_with_images(spiking, 4, images(48))):
        program = run_passes(spiking, [LowerToIntegers(rounded, 4)])
        errors.append(np.abs(interpret(program, images(48)).logits - wanted).mean())
    assert errors[1] < errors[0]
