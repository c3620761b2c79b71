"""An untrained Mixer-SNN that fires as a trained one does: for benchmarks and tests.

No trained checkpoint of the full-size networks is public. Random weights alone leave most layers
silent or saturated, which would make every measurement of an event-driven program meaningless.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from snncc.frontends.mixer_snn.config import MixerConfig
from snncc.frontends.mixer_snn.model import MixerSNN
from snncc.frontends.mixer_snn.neuron import LIF, NeuronOptions

Norm = nn.BatchNorm1d | nn.BatchNorm2d
SIZES = {
    "MLP-SPE-T": MixerConfig(78, (2, 8, 14, 2)),
    "MLP-S": MixerConfig(96, (2, 8, 14, 2), patch_cell=False),
    "MLP-SPE-S": MixerConfig(96, (2, 8, 14, 2)),
    "MLP-SPE-B": MixerConfig(108, (2, 10, 24, 2)),
}
"""The networks of the paper at 224x224 with 1,000 classes; B's shape is inferred from its size."""

PASSES = 4
REACH = 8.0
"""A rate is sought by shifting a current by at most so much."""
HALVINGS = 14
INVERTED = 0.3
"""Share of BatchNorm gains that are negative."""


def untrained_mixer(
    config: MixerConfig,
    images: torch.Tensor,
    steps: int = 4,
    rate: float = 0.1,
    seed: int = 0,
    neuron: NeuronOptions | None = None,
) -> MixerSNN:
    """A network with random weights whose BatchNorms are calibrated on images.

    Running statistics are those of the images. Gains are of both signs. The offset of the norm
    before each layer of neurons is shifted so that the layer fires at `rate`.

    Args:
        config: shape and variant.
        images: normalised, float [n, in_channels, image_size, image_size].
        steps: T.
        rate: wanted share of neurons that fire at a step.
        seed: of weights and gains.
        neuron: parameters of all its neurons.

    Returns:
        The network in evaluation mode, float32.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = MixerSNN(config, neuron).eval()
    norms = {n: m for n, m in net.named_modules() if isinstance(m, Norm)}
    for norm in norms.values():
        size = norm.num_features
        sign = torch.where(torch.rand(size, generator=generator) < INVERTED, -1.0, 1.0)
        norm.weight.data = sign * (0.5 + torch.rand(size, generator=generator))
        norm.bias.data = 0.3 * torch.randn(size, generator=generator)
    sequence = images.float().unsqueeze(0).expand(steps, *images.shape)
    for _ in range(PASSES):
        with _calibrating(net, norms, rate), torch.no_grad():
            net(sequence)
    return net


def norm_before(path: str) -> str:
    """The path of the norm whose offset drives a layer of neurons, by the neurons' path."""
    head, _, last = path.rpartition(".")
    if head == "to_patch_embedding_lif":
        return f"to_patch_embedding.{last}" + (".1" if last == "0" else "")
    if head in ("token_mix_lif", "channel_mix_lif"):
        return f"token_mix.{last}.fuse.1" if head[0] == "t" else f"channel_mix.{last}.1.net.4"
    if head.endswith(".lif"):
        return f"{head.removesuffix('.lif')}.cell2node.{last}.1"
    if last == "activation":
        return f"{head}.BN"
    return f"{head}.{int(last) - 1}"


@contextmanager
def _calibrating(net: MixerSNN, norms: dict[str, Norm], rate: float) -> Iterator[None]:
    """While this is open, one run sets statistics and offsets layer by layer."""
    hooks = [norm.register_forward_pre_hook(_take_statistics) for norm in norms.values()]
    for path, module in net.named_modules():
        if isinstance(module, LIF):
            before = norm_before(path)
            cell = f"{before}.cell2node.2.1"  # the third node's currents have no neurons yet
            norm = norms[next(n for n in (before, cell, f"{before}.1") if n in norms)]
            hooks.append(module.register_forward_pre_hook(_Shift(norm, rate)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _take_statistics(norm: nn.Module, inputs: tuple[torch.Tensor]) -> None:
    if isinstance(norm, Norm):
        (x,) = inputs
        dims = [d for d in range(x.dim()) if d != 1]
        norm.running_mean = x.mean(dims)
        norm.running_var = x.var(dims, unbiased=False) + 1e-3


class _Shift:
    """Moves a norm's offset so that the neurons behind it fire at a rate."""

    def __init__(self, norm: Norm, rate: float) -> None:
        self.norm = norm
        self.rate = rate

    def __call__(self, neurons: nn.Module, inputs: tuple[torch.Tensor]) -> None:
        if not isinstance(neurons, LIF):
            return
        (current,) = inputs
        part = current[:, :1]  # one image tells the rate well enough
        low, high = -REACH, REACH
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            fires = float(neurons.forward(part + middle).mean())
            low, high = (middle, high) if fires < self.rate else (low, middle)
        self.norm.bias.data += (low + high) / 2
