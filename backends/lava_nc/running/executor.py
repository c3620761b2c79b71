"""An executor that runs an exported bundle under Lava, in a child process."""

import time
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np

from snncc.backends.lava_nc.environment import ISOLATED, LavaEnvironment
from snncc.backends.lava_nc.running.child_process import GuardedFolder, Limits
from snncc.data.files import read_arrays
from snncc.diagnostics import SnnccError
from snncc.execution import Execute, Execution, Images, readout_of
from snncc.ir import Array, Graph
from snncc.ir.populations import population_nodes

SPIKES, MEMBRANES = "spikes:", "membranes:"
IDLE_SHARE, IDLE_LEAST = 0.1, 60.0
"""Without progress: a tenth of the whole time, at least so many seconds."""

QUIET = ("-W", "ignore:resource_tracker")
"""What a killed process left is removed, so nobody need read that it left it."""


def lava_executor(
    graph: Graph,
    bundle: Path,
    lava: LavaEnvironment,
    folder: GuardedFolder,
    seconds: float,
    advance: Callable[[int], None] = lambda _done: None,
) -> Execute:
    """What runs a program under Lava.

    Args:
        graph: integer dialect; what was exported.
        bundle: folder with the bundle's `run.py`.
        lava: runs it.
        folder: where images and results pass; its end ends Lava.
        seconds: for all calls together, from now.
        advance: called with the images done so far, over all calls.

    Returns:
        The executor. It raises SnnccError: SNN053 when Lava fails or writes something else than
        the program's populations; SNN054 when it takes too long.
    """
    end = time.monotonic() + seconds
    before = 0

    def execute(images: Images, record: Collection[str]) -> Execution:
        nonlocal before
        given, out = folder.path / "images.npy", folder.path / "out.npz"
        np.save(given, np.ascontiguousarray(images))
        out.unlink(missing_ok=True)
        command = [str(lava.python), *ISOLATED, *QUIET, "-u", str(bundle / "run.py"), str(given)]
        left = max(0.0, end - time.monotonic())
        limits = Limits(left, max(IDLE_SHARE * seconds, IDLE_LEAST))
        folder.run(
            [*command, "-o", str(out), "--record", "--progress"],
            limits,
            lambda done, _total: advance(before + done),
        )
        before += len(images)
        return _execution(graph, out, len(images), record)

    return execute


def _execution(graph: Graph, out: Path, images: int, record: Collection[str]) -> Execution:
    """What the bundle wrote, checked against the program's types."""
    if not out.exists():
        raise _wrong("it ended well and wrote nothing")
    arrays = read_arrays(out)
    shape = (images, *graph[graph.output].type.shape)
    readout = _array(arrays, "readout", shape)
    spikes: dict[str, Array] = {}
    membranes: dict[str, Array] = {}
    for node in population_nodes(graph):
        shape = (images, *node.type.shape)
        spikes[node.name] = _array(arrays, SPIKES + node.name, shape)
        membranes[node.name] = _array(arrays, MEMBRANES + node.name, shape)
        if spikes[node.name].dtype != np.uint8 or spikes[node.name].max(initial=0) > 1:
            raise _wrong(f"{SPIKES}{node.name} are not 0 and 1 in uint8")
    return Execution(
        readout,
        readout.astype(np.float64) * readout_of(graph).unit,
        {name: spikes[name] for name in record if name in spikes},
        {name: membranes[name] for name in record if name in spikes},
        {name: int(array.sum(dtype=np.int64)) for name, array in spikes.items()},
    )


def _array(arrays: dict[str, Array], key: str, shape: tuple[int, ...]) -> Array:
    if key not in arrays:
        raise _wrong(f"it has no array {key}")
    array = arrays[key]
    if array.shape != shape or not np.issubdtype(array.dtype, np.integer):
        raise _wrong(f"{key} is {array.dtype} {list(array.shape)}, not integers {list(shape)}")
    return array.astype(np.int64) if key == "readout" else array


def _wrong(why: str) -> SnnccError:
    return SnnccError("SNN053", "what Lava wrote is not what the program computes", why=why)
