"""Programs of the trained Mixer-SNN: each is compiled once a run of the tests, in one process."""

import fcntl
from pathlib import Path

import numpy as np

from snncc.artifact import Program, load_program, save_program
from snncc.compiler.driver import compile_checkpoint
from snncc.compiler.given import Given
from snncc.compiler.options import CompileOptions


class CompiledMixers:
    """Compiles what no process of this run has compiled yet, and reads what one has.

    Args:
        folder: of this run alone, the same for all of its processes.
        shared: where the checkpoint and its images are.
    """

    def __init__(self, folder: Path, shared: Path) -> None:
        self._folder, self._data = folder, shared / "data"
        self._read: dict[str, Program] = {}

    def file(self, bits: int = 8, images: int = 1000, profile: str = "exact") -> Path:
        """A program's file.

        Args:
            bits: of the weights.
            images: how many are calibrated with; 0 for none.
            profile: of its integers.
        """
        self._folder.mkdir(exist_ok=True)
        kept = self._folder / f"{profile}-{bits}-{images}.snncc"
        with kept.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                save_program(kept, self._compiled(bits, images, profile))
        return kept

    def __call__(self, bits: int = 8, images: int = 1000, profile: str = "exact") -> Program:
        kept = self.file(bits, images, profile)
        if kept.name not in self._read:
            self._read[kept.name] = load_program(kept)
        return self._read[kept.name]

    def _compiled(self, bits: int, images: int, profile: str) -> Program:
        options = CompileOptions(
            (3, 32, 32), ((0.1307,), (0.3081,)), weight_bits=bits, profile=profile
        )
        with np.load(self._data / "mnist_32x32.npz") as data:
            given = Given(data["x_cal"][:images] if images else None)
        return compile_checkpoint(self._data / "mixer_spe_mnist.pth", options, given).program
