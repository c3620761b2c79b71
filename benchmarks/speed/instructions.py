"""Instructions for one image, counted by valgrind: a number that repeats on a busy machine.

Valgrind knows no AVX-512, so kernels are compiled for a CPU with AVX2 alone: the count says how the
code changes over time, not what this machine executes. Start-up is not counted: it is the same for
one image and for more, and the difference is taken.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from speed.networks import FOLDER, Network
from speed.rounds import Refused, in_short

CPU = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
OBJECT = re.compile(r"(c?)ob=(\(\d+\))(?: (.+))?")
"""The file that code belongs to, its name where the number is new; "cob" of what is called."""
COST = re.compile(r"(?:[+-]?\d+|\*) (\d+)")
"""A place in a source file and instructions spent there."""
FEW, MORE = 1, 3
LIMIT = 600


def instructions(network: Network) -> dict[str, Any]:
    """Instructions of one more image: all of them, and those of compiled kernels.

    Raises:
        Refused: there is no valgrind, or it failed.
    """
    if shutil.which("valgrind") is None:
        raise Refused("valgrind is not on this machine")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "images.npy", network.images[:1])
        _call([], network, folder, FEW)  # compiles the kernels into the cache
        few, more = (_counted(network, folder, times) for times in (FEW, MORE))
    each = {key: (more[key] - few[key]) // (MORE - FEW) for key in few}
    return {"network": network.name, "cpu": CPU["NUMBA_CPU_NAME"], **each}


def _counted(network: Network, folder: Path, times: int) -> dict[str, int]:
    out = folder / f"callgrind.{times}"
    tool = ["valgrind", "--tool=callgrind", "--smc-check=none", f"--callgrind-out-file={out}"]
    _call(tool, network, folder, times)
    return _sums(out)


def _call(tool: list[str], network: Network, folder: Path, times: int) -> None:
    command = [*tool, sys.executable, "-m", "speed.one_image", str(network.program)]
    variables = {
        **os.environ,
        **CPU,
        **ONE_THREAD,
        "NUMBA_CACHE_DIR": str(FOLDER / "numba-avx2"),
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    try:
        done = subprocess.run(
            [*command, str(folder / "images.npy"), str(times)],
            env=variables,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"callgrind took longer than {LIMIT} s") from None
    if done.returncode:
        raise Refused(in_short(done.stderr))


def _sums(path: Path) -> dict[str, int]:
    """Instructions in all, and in code that belongs to no file: what numba compiled."""
    total = kernels = 0
    unknown: dict[str, bool] = {}
    inside, skip = False, False
    for line in path.read_text(errors="replace").splitlines():
        if name := OBJECT.fullmatch(line):
            called, number, given = name.groups()
            if given:
                unknown[number] = given == "???"
            inside = inside if called else unknown[number]
        elif line.startswith("calls="):
            skip = True
        elif cost := COST.fullmatch(line):
            if not skip:  # what is called stands by itself elsewhere
                total += int(cost[1])
                kernels += int(cost[1]) if inside else 0
            skip = False
    return {"all": total, "kernels": kernels}
