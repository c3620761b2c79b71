"""Writing a bundle: what its files hold."""

import hashlib
import io
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from snncc import __version__
from snncc.artifact import Program, program_digest
from snncc.backends.bundle_folder import check_free, place_files
from snncc.backends.lava_nc import registers
from snncc.backends.lava_nc.loihi.network import build_stock
from snncc.backends.lava_nc.network_text import network_text
from snncc.backends.lava_nc.process_network import ProcessNetwork, build_processes
from snncc.backends.lava_nc.readme_text import readme_text
from snncc.backends.lava_nc.schedule import schedule_table
from snncc.diagnostics import printable
from snncc.ir import Array, Graph
from snncc.ir.dialects.integer import IntegerReadout
from snncc.ir.dialects.projections import Frames
from snncc.ir.populations import population_nodes
from snncc.passes.distribute_counts import distribute_counts

SCHEMA = 1
COMMON = ("arithmetic.py", "host.py", "run.py", "watch.py", "window.py")
OWN = (*COMMON, "neurons.py", "projections.py")
STOCK = (*COMMON, "stock.py")


def write_bundle(program: Program, folder: Path, force: bool = False) -> ProcessNetwork:
    """Writes the bundle of a program; equal programs give equal bytes.

    Args:
        program: verified.
        folder: where the bundle will be.
        force: whether a bundle that is there already is replaced; nothing else ever is.

    Raises:
        SnnccError: SNN040, for everything in the program that has no process; SNN002 when the
            directory is there and not empty, or cannot be written.
    """
    check_free(folder, force)
    network = network_of(program.graph)
    place_files(folder, bundle_files(network, program_digest(program)))
    return network


def network_of(graph: Graph) -> ProcessNetwork:
    """The processes of a program: Lava's own for the profile `loihi-lava`, ours for `exact`.

    Projections of sums of spikes are several there: see `distribute_counts`.

    Raises:
        SnnccError: SNN040 or SNN036, for everything in the program that has no process.
    """
    graph = distribute_counts(graph)  # a wire carries one bit
    return build_stock(graph) if graph.profile == registers.PROFILE else build_processes(graph)


def bundle_files(network: ProcessNetwork, sha: str) -> dict[str, bytes]:
    """Every file of a bundle, by name.

    Args:
        network: the program's processes.
        sha: of the program.
    """
    version = __version__
    shipped = files("snncc.backends.lava_nc") / "bundle"
    static = STOCK if network.graph.profile == registers.PROFILE else OWN
    content = {name: (shipped / name).read_bytes() for name in static}
    content["network.py"] = network_text(network, sha, version).encode()
    content["tensors.npz"] = _tensors(network.tensors)
    readme = readme_text(network, sha, version).split("\n")  # shown, and names may hold anything
    content["README.md"] = "\n".join(map(printable, readme)).encode()
    manifest = _manifest(network, sha, version)
    manifest["files"] = {n: hashlib.sha256(content[n]).hexdigest() for n in sorted(content)}
    content["manifest.json"] = (json.dumps(manifest, indent=2) + "\n").encode()
    return content


def _manifest(network: ProcessNetwork, sha: str, version: str) -> dict[str, Any]:
    graph, schedule = network.graph, network.schedule
    readout = graph[graph.output].op
    image = next(node for node in graph.nodes if isinstance(node.op, Frames))
    encoding = image.op.encoding if isinstance(image.op, Frames) else ""
    return {
        "schema": SCHEMA,
        "profile": graph.profile,
        "program": sha,
        "snncc": version,
        "T": schedule.steps,
        "period": schedule.period,
        "depth": schedule.depth,
        "image": {"shape": list(image.type.shape), "encoding": encoding},
        "unit": readout.unit if isinstance(readout, IntegerReadout) else 1.0,
        "processes": len(network.processes),
        "schedule": {node.name: schedule.listens[node.name] for node in population_nodes(graph)},
        "relays": [{"source": r.source, "delay": r.delay} for r in schedule.relays],
        "populations": {
            node.name: {
                "axes": {axis.name: axis.size for axis in node.type.axes},
                "arrival": schedule.arrival[node.name],
            }
            for node in population_nodes(graph)
        },
        "table": [list(row) for row in schedule_table(graph, schedule)],
    }


def _tensors(tensors: Mapping[str, Array]) -> bytes:
    """Arrays as an .npz, whose members carry no time of day."""
    file = io.BytesIO()
    arrays: dict[str, Any] = {name: tensors[name] for name in sorted(tensors)}
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()
