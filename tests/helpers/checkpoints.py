"""Small networks whose checkpoints tests save, damage and load."""

import torch
from torch import nn

from snncc.compiler.driver import compile_module
from snncc.compiler.options import CompileOptions
from snncc.frontends.mixer_snn.config import MixerConfig
from snncc.frontends.mixer_snn.model import MixerSNN
from snncc.frontends.mixer_snn.neuron import LIF
from snncc.frontends.torch_modules import source_of

SMALL = MixerConfig(6, (1, 1), 2, 2, 8, 3, 5)


def mixer(config: MixerConfig = SMALL) -> MixerSNN:
    torch.manual_seed(0)
    return MixerSNN(config).eval()


class Classifier(nn.Module):
    """[T, B, 3, 8, 8] to [T, B, 5]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.fire = LIF(v_threshold=0.3)
        self.head = nn.Linear(256, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.conv(x.flatten(0, 1)))
        spikes: torch.Tensor = self.fire(y.view(*x.shape[:2], 4, 8, 8))
        logits: torch.Tensor = self.head(spikes.flatten(2))
        return logits


def classifier() -> Classifier:
    torch.manual_seed(0)
    net = Classifier().eval()
    net.norm.running_mean = 0.1 * torch.randn(4)
    net.norm.running_var = torch.rand(4) + 0.3
    return net


def compiled_notes(net: nn.Module) -> tuple[str, ...]:
    """What compiling a module for images [3, 8, 8] tells."""
    source = source_of(net, "classifier", input_shape=(3, 8, 8), steps=2)
    return compile_module(source, CompileOptions()).notes
