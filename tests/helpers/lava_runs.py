"""What a bundle's run gave, beside what the interpreter defines."""

import subprocess
from collections.abc import Mapping, Sequence
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


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def run_all(
    python: Path,
    folder: Path,
    given: Sequence[tuple[Graph, np.ndarray]],
    *,
    threads: bool,
    seconds: float = 900.0,
) -> list[dict[str, np.ndarray]]:
    """What the bundles of these programs write for their images, recordings included.

    Args:
        threads: with Lava's processes as threads of one process; or as processes of their own.
    """
    places = [folder / str(i) for i in range(len(given))]
    for place, (graph, images) in zip(places, given, strict=True):
        place.mkdir(parents=True)
        export(graph, place / "bundle")
        np.save(place / "images.npy", images)
    driver = Path(__file__).with_name("lava_driver.py")
    command = [str(python), str(driver), *["--threads"] * threads, *map(str, places)]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, done.stdout + done.stderr
    return [arrays_of(place / "out.npz") for place in places]


def spikes_in(arrays: Mapping[str, np.ndarray]) -> int:
    return sum(int(array.sum()) for key, array in arrays.items() if key.startswith("spikes:"))


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
