"""Lava's CPU backend on a program: `snncc run --on lava` where a Lava environment exists."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from speed.networks import ROOT, Network
from speed.rounds import Refused, in_short

FEW, MORE = 4, 44
"""Images; so far apart that the start, some seconds and never the same, does not decide."""
LIMIT = 300
"""Seconds."""


def lava_seconds(network: Network) -> float:
    """Seconds that Lava needs for one more image: its start, some seconds, is not counted.

    Raises:
        Refused: there is no Lava here, or it did not answer.
    """
    some = {count: _run(network, count) for count in (FEW, MORE)}
    each = (some[MORE] - some[FEW]) / (MORE - FEW)
    if each <= 0:
        raise Refused(f"{FEW} images took longer than {MORE}: the machine is too busy to measure")
    return each


def _run(network: Network, count: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images.npz"
        np.savez(images, x=np.resize(network.images, (count, *network.images.shape[1:])))
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
