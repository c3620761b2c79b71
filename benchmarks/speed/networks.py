"""The networks to compare: as PyTorch modules, as programs, and images for both."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from full_size import MEAN, STD, make_checkpoint, smooth_images
from numpy.typing import NDArray
from torch import nn

from snncc.artifact import load_program, save_program
from snncc.compiler.driver import compile_checkpoint
from snncc.compiler.given import Given
from snncc.compiler.options import CompileOptions
from snncc.frontends.checkpoint import load_checkpoint
from snncc.frontends.mixer_snn.load import load_mixer
from snncc.ir import Graph
from speed.rounds import Refused

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "build/speed"
STEPS = 4
MOST = 16
"""Images that a run can take at most."""


@dataclass(frozen=True)
class Network:
    """One network in two forms.

    Attributes:
        name: as the page has it.
        program: its file.
        graph: the program, integer dialect.
        images: uint8 [n, *shape].
        mean, std: of pixels / 255, as the module wants them.
        checkpoint: the trained or untrained weights.
    """

    name: str
    program: Path
    graph: Graph
    images: NDArray[np.uint8]
    mean: float
    std: float
    checkpoint: Path

    def module(self) -> nn.Module:
        """A new copy of the original, float32, in evaluation mode."""
        return load_mixer(load_checkpoint(self.checkpoint))[0].float().eval()

    def sequence(self, batch: int) -> torch.Tensor:
        """What the module takes: [T, batch, *shape], the normalised image at every step."""
        pixels = torch.from_numpy(self.images[:batch]).float()
        normal = (pixels / 255 - self.mean) / self.std
        return normal.unsqueeze(0).repeat(self.graph.steps, *[1] * normal.dim())


def _full_size(name: str) -> Callable[[], Network]:
    def make() -> Network:
        checkpoint = FOLDER / f"{name}-{STEPS}.pth"
        if not checkpoint.exists():
            make_checkpoint(name, STEPS, FOLDER)
        images = smooth_images(MOST, 3)
        return _network(name, checkpoint, images, (MEAN, STD), None)

    return make


def _digits() -> Network:
    with np.load(ROOT / "examples/digits.npz") as data:
        images, calibration = data["x_test"][:MOST], data["x_cal"]
    path = ROOT / "examples/digits_mixer.pth"
    return _network("digits", path, images, (0.3, 0.35), calibration)


def _mnist() -> Network:
    folder = Path(os.environ.get("SNNCC_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        raise Refused("the trained checkpoint is not on this machine (SNNCC_SHARED)")
    with np.load(folder / "mnist_32x32.npz") as data:
        images, calibration = data["x_test"][:MOST], data["x_cal"]
    path = folder / "mixer_spe_mnist.pth"
    return _network("MNIST", path, images, (0.1307, 0.3081), calibration)


NETWORKS: dict[str, Callable[[], Network]] = {
    "digits": _digits,
    "MNIST": _mnist,
    **{name: _full_size(name) for name in ("MLP-SPE-T", "MLP-S", "MLP-SPE-S", "MLP-SPE-B")},
}


def _network(
    name: str,
    checkpoint: Path,
    images: NDArray[np.uint8],
    normal: tuple[float, float],
    calibration: NDArray[np.uint8] | None,
) -> Network:
    """Compiles the checkpoint unless build/ has its program already."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    program = FOLDER / f"{name}.snncc"
    if not program.exists() or program.stat().st_mtime < checkpoint.stat().st_mtime:
        options = CompileOptions(normalize=((normal[0],), (normal[1],)))
        compiled = compile_checkpoint(checkpoint, options, Given(calibration))
        save_program(program, compiled.program)
    graph = load_program(program).graph
    return Network(name, program, graph, images, *normal, checkpoint)
