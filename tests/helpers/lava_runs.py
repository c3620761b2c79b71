"""What a bundle's run gave, beside what the interpreter defines."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from executions import images_of
from programs import lowered
from random_programs import program_images, random_program

from snncc.artifact import Program
from snncc.backends.lava_nc import write_bundle
from snncc.ir import TIME, Graph
from snncc.runtime import ALL, interpret

IMAGES = 5


def networks(count: int) -> list[tuple[str, Graph, np.ndarray]]:
    """Name, program and images: one half compiled, one half built op by op."""
    built = [
        (f"built {n}", random_program(n), program_images(n, IMAGES)) for n in range(count // 2)
    ]
    compiled = [
        (f"compiled {n}", lowered(n), images_of(n)[:IMAGES]) for n in range(count - count // 2)
    ]
    return built + compiled


def export(graph: Graph, folder: Path) -> Path:
    write_bundle(Program(graph, {}), folder)
    return folder


def differences(graph: Graph, images: np.ndarray, arrays: Mapping[str, np.ndarray]) -> list[str]:
    """What of a run is not what the interpreter says: spikes, membranes, shapes, answers."""
    wanted = interpret(graph, images, ALL)
    expected: dict[str, np.ndarray] = {"readout": wanted.readout}
    expected |= {f"spikes:{name}": array for name, array in wanted.spikes.items()}
    expected |= {f"membranes:{name}": array for name, array in wanted.membranes.items()}
    wrong = [f"{key}: missing or unknown" for key in sorted(expected.keys() ^ set(arrays))]
    for key in sorted(expected.keys() & set(arrays)):
        a, b = expected[key], arrays[key]
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            wrong.append(f"{key}: {b.dtype} {b.shape}, not {a.dtype} {a.shape}")
        elif (count := np.count_nonzero(a != b)) > 0:
            wrong.append(f"{key}: {count} of {a.size}")
    return wrong


def recorded(graph: Graph, net: object) -> dict[str, np.ndarray]:
    """What a network of a bundle holds after its run, as run.py writes it."""
    arrays = {"readout": net.answers}  # type: ignore[attr-defined]
    for name in net.spikes:  # type: ignore[attr-defined]
        place = 1 + graph[name].type.names.index(TIME)
        arrays[f"spikes:{name}"] = np.moveaxis(net.spikes[name], 1, place)  # type: ignore[attr-defined]
        arrays[f"membranes:{name}"] = np.moveaxis(net.membranes[name], 1, place)  # type: ignore[attr-defined]
    return arrays
