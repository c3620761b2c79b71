"""Recordings: spikes and membranes of populations in a file that plain NumPy reads.

The keys of the .npz are

    spikes/<name>     uint8, the bits of the 0/1 array packed by numpy.packbits, C order
    shape/<name>      int64, the shape of that array
    axes/<name>       names of its axes in order, "batch" and "t" among them
    counts/<name>     whole numbers of neurons that fire several times a step, and of staircases
    membranes/<name>  smallest integer type, same shape: before the reset, at the comparison
    names             populations in the program's order
    program           sha256 of the program's content, as `snncc inspect` shows it
    images            uint8 [batch, ...]: what was run
    readout           int64 [batch, ...]: the answers, summed over time

Only the first two are needed. Without `axes` an array is [T, batch, ...] with axes in the order of
whoever wrote it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from snncc.data.arrays import require_room
from snncc.data.files import read_arrays, write_arrays
from snncc.diagnostics import SnnccError
from snncc.execution import (
    ALL,
    Execute,
    Execution,
    Images,
    counts_among,
    recorded_names,
)
from snncc.ir import TIME, Array, Graph
from snncc.ir.arrays import count, narrow
from snncc.ir.populations import membrane_of
from snncc.machine.memory import require_memory

BATCH = "batch"
NAMES, PROGRAM, IMAGES, READOUT = "names", "program", "images", "readout"
SPIKES, SHAPE, AXES, MEMBRANES = "spikes/", "shape/", "axes/", "membranes/"
COUNTS = "counts/"
CHUNK_BYTES = 1 << 28
"""Recorded membranes of one chunk of images, before they are narrowed, take about so much."""


@dataclass(frozen=True)
class Recording:
    """What populations did, for a batch.

    Attributes:
        spikes: 0 or 1, uint8, by population in the program's order.
        axes: names of each array's axes, `BATCH` among them; none where nobody said.
        membranes: integers at the comparison, before the reset; shapes as the spikes'.
        program: sha256 of the program, "" when it is not known.
        images: what was run, or None.
        readout: the answers, or None.
        counts: whole numbers by name, of what gives counts; their axes too have `BATCH`, and time.
    """

    spikes: Mapping[str, Array]
    axes: Mapping[str, tuple[str, ...]]
    membranes: Mapping[str, Array] = field(default_factory=dict[str, Array])
    program: str = ""
    images: Images | None = None
    readout: Array | None = None
    counts: Mapping[str, Array] = field(default_factory=dict[str, Array])


def run_recorded(
    graph: Graph, images: Images, execute: Execute, record: Collection[str], program: str = ""
) -> tuple[Execution, Recording]:
    """Runs a program chunk by chunk and keeps what populations did in narrow types.

    Args:
        graph: integer dialect.
        images: uint8 [batch, ...].
        execute: an executor of this program: images and the populations to record.
        record: these populations, or `ALL`.
        program: sha256 of the program.

    Returns:
        The execution, without spikes and membranes, and the recording, which has them.

    Raises:
        SnnccError: SNN001 for a name that no population has; SNN016 for images that do not fit;
            SNN004 when memory cannot hold what would be kept.
    """
    wanted = recorded_names(graph, record)
    numbers = counts_among(graph, wanted)
    names = [node.name for node in graph.nodes if node.name in wanted - numbers]
    elements = sum(count(graph[name].type.shape) for name in names)
    step = max(1, CHUNK_BYTES // max(1, 8 * elements))
    _require_memory(graph, names, len(images), min(step, len(images)))
    parts: list[Execution] = []
    counts: dict[str, list[Array]] = {name: [] for name in sorted(numbers)}
    spikes: dict[str, list[Array]] = {name: [] for name in names}
    membranes: dict[str, list[Array]] = {name: [] for name in names}
    for start in range(0, max(1, len(images)), step):
        part = execute(images[start : start + step], wanted)
        for name in names:
            spikes[name].append(part.spikes[name])
            membranes[name].append(narrow(part.membranes[name]))
        for name, values in part.counts.items():
            counts[name].append(_at_every_step(graph, name, values))
        parts.append(replace(part, spikes={}, membranes={}, counts={}))
        del part  # its 64-bit membranes go before the next chunk's come
    execution = Execution(
        np.concatenate([p.readout for p in parts]),
        np.concatenate([p.logits for p in parts]),
        {},
        {},
        {n: sum(p.spike_counts[n] for p in parts) for n in parts[0].spike_counts},
    )
    made = {n: np.concatenate(each) for n, each in counts.items() if each}
    kinds = {n: graph[n].type.with_time(graph.steps) for n in (*names, *made)}
    axes = {n: (BATCH, *kind.names) for n, kind in kinds.items()}
    whole = {name: np.concatenate(spikes.pop(name)) for name in names}
    levels = {name: np.concatenate(membranes.pop(name)) for name in names}
    recording = Recording(whole, axes, levels, program, images, execution.readout, made)
    return execution, recording


def _at_every_step(graph: Graph, name: str, values: Array) -> Array:
    """Counts with their time axis; those of an image are the same at all steps."""
    kind = graph[name].type
    if kind.temporal:
        return values
    place = 1 + kind.with_time(graph.steps).names.index(TIME)
    return np.repeat(np.expand_dims(values, place), graph.steps, axis=place)


def _require_memory(graph: Graph, names: Collection[str], images: int, chunk: int) -> None:
    """Refuses a recording that memory cannot hold.

    Spikes are bytes, membranes have the smallest type of their proved interval; a population is
    there twice while its chunks are put together, and a chunk's membranes have 64 bits.
    """
    each, largest, wide = 0, 0, 0
    for name in names:
        membrane, elements = membrane_of(graph[name].op), count(graph[name].type.shape)
        if membrane is not None:
            kept = elements * (1 + narrow(np.array(membrane)).itemsize)
            each, largest, wide = each + kept, max(largest, kept), wide + 9 * elements
    require_memory("recorded populations", images, each + largest, chunk * wide)


def only(recording: Recording, graph: Graph, names: Collection[str]) -> Recording:
    """A recording with these populations alone; with all of them for no names.

    Raises:
        SnnccError: SNN001 for a name that no population has.
    """
    wanted = recorded_names(graph, names or ALL)
    kept = [name for name in recording.spikes if name in wanted]
    spikes = {name: recording.spikes[name] for name in kept}
    membranes = {name: recording.membranes[name] for name in kept}
    counts = {name: values for name, values in recording.counts.items() if name in wanted}
    axes = {name: recording.axes[name] for name in (*kept, *counts)}
    return replace(recording, spikes=spikes, axes=axes, membranes=membranes, counts=counts)


def save_recording(path: Path, recording: Recording) -> None:
    """Writes a recording; equal recordings give equal bytes.

    Raises:
        SnnccError: SNN002 when the file cannot be written.
    """
    arrays: dict[str, Array] = {
        NAMES: np.array([*recording.spikes], dtype=np.str_),
        PROGRAM: np.array(recording.program),
    }
    for name, spikes in recording.spikes.items():
        arrays[SPIKES + name] = np.packbits(spikes)
        arrays[SHAPE + name] = np.array(spikes.shape, np.int64)
        if recording.axes.get(name):
            arrays[AXES + name] = np.array(recording.axes[name])
    arrays |= {COUNTS + name: narrow(v) for name, v in recording.counts.items()}
    arrays |= {AXES + n: np.array(recording.axes[n]) for n in recording.counts}
    arrays |= {MEMBRANES + name: narrow(v) for name, v in recording.membranes.items()}
    if recording.images is not None:
        arrays[IMAGES] = recording.images
    if recording.readout is not None:
        arrays[READOUT] = recording.readout
    write_arrays(path, **arrays)


def load_recording(path: Path) -> Recording:
    """Reads a recording, or spikes that somebody else recorded in this layout.

    Raises:
        SnnccError: SNN015 when the file cannot be read; SNN016 when it is no recording, or its
            arrays do not fit together.
    """
    arrays = read_arrays(path)
    found = [key.removeprefix(SPIKES) for key in arrays if key.startswith(SPIKES)]
    counts = {k.removeprefix(COUNTS): v for k, v in arrays.items() if k.startswith(COUNTS)}
    if not found and not counts:
        raise _wrong(path, "it has no array spikes/<name>")
    names = found
    if NAMES in arrays:
        names = _texts(path, NAMES, arrays[NAMES])
        if sorted(names) != sorted(found):
            raise _wrong(path, "its names and its spikes are not of the same populations")
    require_room(path, sum(8 * arrays[SPIKES + name].size for name in names))
    spikes = {name: _unpacked(path, name, arrays) for name in names}
    axes = {
        name: tuple(_texts(path, AXES + name, arrays[AXES + name]))
        for name in (*names, *counts)
        if AXES + name in arrays
    }
    for name, values in counts.items():
        if not np.issubdtype(values.dtype, np.integer) or name not in axes or name in spikes:
            raise _wrong(path, f"{COUNTS}{name} are not whole numbers with names of their axes")
    recorded = {**spikes, **counts}
    for name, each in axes.items():
        if len(each) != recorded[name].ndim or len(set(each)) != len(each) or BATCH not in each:
            raise _wrong(path, f"{AXES}{name} does not name each axis of the spikes once")
    membranes = {n: arrays[MEMBRANES + n] for n in names if MEMBRANES + n in arrays}
    for name, values in membranes.items():
        if values.shape != spikes[name].shape or not np.issubdtype(values.dtype, np.integer):
            raise _wrong(path, f"{MEMBRANES}{name} are not integers of the spikes' shape")
    if PROGRAM in arrays and (arrays[PROGRAM].ndim or arrays[PROGRAM].dtype.kind != "U"):
        raise _wrong(path, "its program is not one text")
    images, readout = arrays.get(IMAGES), arrays.get(READOUT)
    if images is not None and (images.dtype not in (np.uint8, np.int8) or images.ndim < 1):
        raise _wrong(path, "its images are not uint8 or int8")
    if readout is not None and not np.issubdtype(readout.dtype, np.integer):
        raise _wrong(path, "its readout are not integers")
    _check_batch(path, recorded, axes, images, readout)
    program = str(arrays[PROGRAM]) if PROGRAM in arrays else ""
    return Recording(spikes, axes, membranes, program, images, readout, counts)


def _check_batch(
    path: Path,
    spikes: Mapping[str, Array],
    axes: Mapping[str, tuple[str, ...]],
    images: Array | None,
    readout: Array | None,
) -> None:
    """Where it is said which axis is the batch, there is one batch."""
    sizes = {spikes[name].shape[each.index(BATCH)] for name, each in axes.items()}
    sizes |= {len(a) for a in (images, readout) if a is not None and a.ndim and axes}
    if len(sizes) > 1:
        raise _wrong(path, f"its arrays are of {sorted(sizes)} images")


def _unpacked(path: Path, name: str, arrays: Mapping[str, Array]) -> Array:
    packed, shape = arrays[SPIKES + name], arrays.get(SHAPE + name)
    if shape is None or shape.ndim != 1 or not np.issubdtype(shape.dtype, np.integer):
        raise _wrong(path, f"it has no {SHAPE}{name}, or that is no shape")
    sizes = tuple(int(n) for n in shape)
    bits = 1
    for size in sizes:  # in Python integers: a wild shape must not wrap around
        bits *= max(0, size)
    if packed.dtype != np.uint8 or packed.ndim != 1 or packed.size != -(-bits // 8):
        raise _wrong(path, f"{SPIKES}{name} are not {bits} packed bits, as {SHAPE}{name} says")
    if min(sizes, default=0) < 0:
        raise _wrong(path, f"{SHAPE}{name} has a negative length")
    return np.unpackbits(packed, count=bits).reshape(sizes)


def _texts(path: Path, key: str, array: Array) -> list[str]:
    if array.dtype.kind != "U" or array.ndim != 1:
        raise _wrong(path, f"{key} is not a list of texts")
    return [str(text) for text in array]


def _wrong(path: Path, why: str) -> SnnccError:
    return SnnccError(
        "SNN016",
        f"{path} is not a recording",
        why=why,
        help="record with `snncc run --record FILE.npz`; docs/compare.md describes the layout",
    )
