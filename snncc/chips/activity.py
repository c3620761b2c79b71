"""Spikes of every neuron of a program, counted in a recording of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snncc.chips.grids import axes_of
from snncc.chips.synapses import Ints
from snncc.diagnostics import SnnccError
from snncc.ir import TIME, Graph
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.runtime.recording import BATCH, Recording, load_recording

_HELP = "snncc run PROGRAM DATA --record FILE.npz writes one of all populations"


@dataclass(frozen=True)
class Activity:
    """What neurons did.

    Attributes:
        images: that were run.
        spikes: int64 [neurons], over all images and steps, by population.
    """

    images: int
    spikes: Mapping[str, Ints]

    @property
    def digest(self) -> str:
        """The sha256 of the counts: what a placement says that it was made from."""
        state = hashlib.sha256(f"{self.images}".encode())
        for name in sorted(self.spikes):
            state.update(f"\n{name}\n".encode() + self.spikes[name].astype("<i8").tobytes())
        return state.hexdigest()


def read_activity(path: Path, graph: Graph, program: str) -> Activity:
    """The counts of a recording.

    Args:
        path: of the recording.
        graph: the program.
        program: its sha256.

    Raises:
        SnnccError: SNN015 and SNN016 for a file that is no recording of this program, or of not
            all of its populations, or of no image.
    """
    return activity_of(load_recording(path), graph, program, str(path))


def activity_of(recording: Recording, graph: Graph, program: str, place: str) -> Activity:
    """The counts of a recording that is in memory. Raises SnnccError: SNN016."""
    if recording.program != program:
        raise _wrong(f"{place} is not a recording of this program")
    populations = graph.select(IntegerPopulation)
    missing = [node.name for node in populations if node.name not in recording.spikes]
    if missing:
        raise _wrong(f"{place} lacks {', '.join(missing[:5])}: all populations are needed")
    spikes: dict[str, Ints] = {}
    images = 0
    for node in populations:
        axes, values = recording.axes.get(node.name, ()), recording.spikes[node.name]
        sizes = axes_of(node)
        if set(axes) != {BATCH, TIME, *sizes}:
            raise _wrong(f"{place}: {node.name} has other axes than in the program")
        turned = values.transpose([axes.index(name) for name in (BATCH, TIME, *sizes)])
        images = turned.shape[0]
        if turned.shape[1:] != (graph.steps, *sizes.values()) or not images:
            raise _wrong(f"{place}: {node.name} has another shape than in the program")
        spikes[node.name] = turned.sum(axis=(0, 1), dtype=np.int64).ravel()
    return Activity(images, spikes)


def _wrong(what: str) -> SnnccError:
    return SnnccError("SNN016", what, help=_HELP)
