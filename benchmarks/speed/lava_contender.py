"""Lava's CPU backend on a program: `snncc run --on lava` where a Lava environment exists."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from speed.networks import ROOT, Network
from speed.rounds import Refused, in_short

FEW, MORE = 1, 3
LIMIT = 300


def lava_seconds(network: Network) -> float:
    """Seconds that Lava needs for one more image: its start, some seconds, is not counted.

    Raises:
        Refused: there is no Lava here, or it did not answer.
    """
    some = {count: _run(network, count) for count in (FEW, MORE)}
    return (some[MORE] - some[FEW]) / (MORE - FEW)


def _run(network: Network, count: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images.npz"
        np.savez(images, x=network.images[:count])
        command = [sys.executable, "-m", "snncc", "run", str(network.program), f"{images}:x"]
        try:
            done = subprocess.run(
                [*command, "--on", "lava", "--json"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=LIMIT,
            )
        except subprocess.TimeoutExpired:
            raise Refused(f"{count} images took longer than {LIMIT} s") from None
    if done.returncode:
        raise Refused(in_short(done.stderr))
    return float(json.loads(done.stdout)["seconds"])
