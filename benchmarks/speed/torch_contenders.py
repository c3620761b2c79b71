"""The original network in PyTorch, with the neurons of three libraries.

Maps and norms are the same modules for all; only the neurons differ. They take [T, B, ...], as
SpikingJelly's multi-step mode does, so that every map sees T * B samples at once.

The neuron is V = V + (X - V) / 2, fires at V >= 1 and goes to 0. snnTorch and Norse fire at V > v:
with v the number below 1 that is nearest to it in float32 that is the same.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from snncc.frontends.mixer_snn.neuron import LIF
from speed.networks import Network
from speed.rounds import Contender, Refused, in_short

BELOW_ONE = float(np.nextafter(np.float32(1), np.float32(0)))


def with_neurons(net: nn.Module, make: Callable[[], nn.Module]) -> nn.Module:
    """Puts other neurons into a network that has ours.

    Raises:
        Refused: one of its neurons is not the one that is written above.
    """
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, LIF):
                found = (child.tau, child.v_threshold, child.v_reset, child.decay_input)
                if (
                    found != (2.0, 1.0, 0.0, True)
                    or child.compare != "ge"
                    or type(child) is not LIF
                ):
                    raise Refused(f"its neurons are others: {child}")
                setattr(module, name, make())
    return net


class SnnTorchNeurons(nn.Module):
    """snnTorch's Leaky over the steps: V / 2 + X / 2, rounded once; V + (X - V) / 2 is twice."""

    def __init__(self) -> None:
        super().__init__()
        import snntorch

        self.leaky = snntorch.Leaky(
            beta=0.5, threshold=BELOW_ONE, reset_mechanism="zero", reset_delay=False
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        v = torch.zeros_like(x[0])
        spikes: list[torch.Tensor] = []
        for half in 0.5 * x:
            spike, v = self.leaky(half, v)
            spikes.append(spike)
        return torch.stack(spikes)


class NorseNeurons(nn.Module):
    """Norse's LIFBox over the steps; its LIF would filter X by a synaptic current."""

    def __init__(self) -> None:
        super().__init__()
        from norse.torch.functional import lif_box

        self.box = lif_box
        self.parameters_ = lif_box.LIFBoxParameters(
            tau_mem_inv=torch.tensor(0.5),
            v_th=torch.tensor(BELOW_ONE),
            method="heaviside",
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = self.box.LIFBoxFeedForwardState(v=torch.zeros_like(x[0]))
        spikes: list[torch.Tensor] = []
        for current in x:
            spike, state = self.box.lif_box_feed_forward_step(
                current, state, self.parameters_, dt=1.0
            )
            spikes.append(spike)
        return torch.stack(spikes)


class PlainNeurons(nn.Module):
    """The same neuron in three tensor operations, for export to ONNX."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        v = torch.zeros_like(x[0])
        spikes: list[torch.Tensor] = []
        for t in range(x.shape[0]):
            v = v + (x[t] - v) * 0.5
            fires = v >= 1.0
            spikes.append(fires.to(x.dtype))
            v = torch.where(fires, torch.zeros_like(v), v)
        return torch.stack(spikes)


def spiking_jelly_neurons() -> nn.Module:
    from spikingjelly.activation_based import neuron

    return neuron.LIFNode(tau=2.0, step_mode="m", detach_reset=True)


def spiking_jelly(network: Network, batch: int, compiled: bool = False) -> Contender:
    """SpikingJelly, multi-step: states are reset before every run, as its users do."""
    from spikingjelly.activation_based import functional

    net = with_neurons(network.module(), spiking_jelly_neurons)
    called: Any = torch.compile(net) if compiled else net
    x = network.sequence(batch)

    def answer() -> np.ndarray:
        functional.reset_net(net)
        with torch.no_grad():
            logits: np.ndarray = called(x).mean(0).numpy()
            return logits

    if compiled:
        return Contender("SpikingJelly, compiled", answer, note="multi-step, torch.compile")
    return Contender("SpikingJelly", answer, note="multi-step, eager")


def snn_torch(network: Network, batch: int) -> Contender:
    note = "Leaky(beta=0.5) on X / 2"
    return _stepwise("snnTorch", network, batch, SnnTorchNeurons, note)


def norse(network: Network, batch: int) -> Contender:
    note = "LIFBox, dt * tau_mem_inv = 0.5"
    return _stepwise("Norse", network, batch, NorseNeurons, note)


def _stepwise(
    name: str, network: Network, batch: int, neurons: Callable[[], nn.Module], note: str
) -> Contender:
    net = with_neurons(network.module(), neurons)
    x = network.sequence(batch)

    def answer() -> np.ndarray:
        with torch.no_grad():
            logits: np.ndarray = net(x).mean(0).numpy()
            return logits

    return Contender(name, answer, note=note)


def compiled_ahead(name: str, batch: int, seconds: float, threads: int) -> None:
    """Fills torch.compile's cache in a process of its own, which can be ended when it takes long.

    Raises:
        Refused: it took longer than that, or failed.
    """
    command = [sys.executable, "-m", "speed.torch_contenders", name, str(batch), str(threads)]
    child = subprocess.Popen(
        command,
        cwd=Path(__file__).resolve().parent.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    try:
        _, told = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)  # its compilers too
        child.communicate()
        raise Refused(f"torch.compile took longer than {seconds:.0f} s") from None
    if child.returncode:
        raise Refused(f"torch.compile failed: {in_short(told)}")


def main() -> None:
    """Compiles one network: NAME BATCH THREADS."""
    from speed.networks import NETWORKS

    name, batch, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    spiking_jelly(NETWORKS[name](), int(batch), compiled=True).answer()


if __name__ == "__main__":
    main()
