"""A program as a .nir file: nodes and edges, and in its metadata what NIR cannot say.

`/node/metadata/snncc` holds JSON: the program without the numbers that stand in nodes, where these
stand, and a digest of nodes and edges. Reading back uses the numbers of the nodes.
"""

import hashlib
import importlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from snncc.artifact.kinds import EMPTY, kind_of
from snncc.artifact.paths import is_there
from snncc.artifact.program import canonical
from snncc.artifact.writing import check_writable, write_atomically
from snncc.backends.nir_graph.draft import At, Draft
from snncc.backends.nir_graph.table import FORM
from snncc.diagnostics import SnnccError
from snncc.ir import Graph, Param
from snncc.ir.codec import encode_loc, encode_op, encode_type

VERSION = "1.0"
OWN = "snncc"
HEAD = b"\x89HDF\r\n\x1a\n"


def draft_of(graph: Graph) -> Draft:
    """The graph of a program.

    Raises:
        SnnccError: SNN040 with everything that NIR cannot say.
    """
    FORM.require(graph)
    draft = Draft(graph)
    for node in graph.nodes:
        draft.values[node.name] = FORM(At(draft, node), node)
    return draft


def library() -> Any:
    """The package h5py. Raises SnnccError (SNN050) without it."""
    try:
        return importlib.import_module("h5py")
    except ImportError as error:
        raise SnnccError(
            "SNN050",
            "NIR files need the package h5py",
            why=f"h5py cannot be imported here: {error}",
            help="pip install 'snncc[nir]'",
        ) from error


def content_of(draft: Draft) -> bytes:
    """The file."""
    h5py = library()
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["version"] = VERSION
        root = file.create_group("node")
        root["type"] = "NIRGraph"
        for name, node in draft.nodes.items():
            group = root.create_group(f"nodes/{name}")
            group["type"] = node.kind
            for key, value in node.fields.items():
                large = {"compression": "gzip"} if value.size > 64 else {}
                group.create_dataset(key, data=value, **large)
        pairs = np.array([*draft.edges], dtype=object).reshape(-1, 2)
        root.create_dataset("edges", data=pairs, dtype=h5py.string_dtype())
        held = root.create_group("metadata")
        held["convention"], held["dt"], held["steps"] = "nir-literal", 1.0, draft.graph.steps
        own = np.frombuffer(canonical(_own(draft)).encode(), np.uint8)
        held.create_dataset(OWN, data=own, compression="gzip")
    return buffer.getvalue()


def _own(draft: Draft) -> dict[str, Any]:
    graph = draft.graph
    records: list[dict[str, Any]] = [
        {
            "name": node.name,
            "op": node.op.word,
            "fields": encode_op(node.op),
            "inputs": list(node.inputs),
            "type": encode_type(node.type),
            "locs": [encode_loc(loc) for loc in node.locs],
            "in": {
                what: list(at) for (name, what), at in draft.places.items() if name == node.name
            },
        }
        for node in graph.nodes
    ]
    by_name: dict[str, Any] = {record["name"]: record for record in records}
    for (name, what), place in draft.places.items():
        by_name[name]["in"][what] = list(place)
    constants: dict[str, Any] = {}
    for node in graph.nodes:
        for what in node.op.__dataclass_fields__:
            param = getattr(node.op, what)
            if not isinstance(param, Param):
                continue
            array = graph.constants[param.name]
            said = constants.setdefault(param.name, {"dtype": array.dtype.name})
            said["shape"] = list(array.shape)
            if (node.name, what) not in draft.places:
                said["values"] = array.reshape(-1).tolist()
    return {
        "schema": 1,
        "steps": graph.steps,
        "profile": graph.profile,
        "output": graph.output,
        "nodes": records,
        "axes": {name: list(value.axes) for name, value in draft.values.items()},
        "constants": constants,
        "graph": _digest(draft),
    }


def _digest(draft: Draft) -> str:
    """Of all nodes with their numbers, and of all edges: what is read back was not changed."""
    digest = hashlib.sha256()
    for name in sorted(draft.nodes):
        node = draft.nodes[name]
        for key, value in sorted(node.fields.items()):
            digest.update(json.dumps([name, node.kind, key, list(value.shape)]).encode())
            digest.update(value.astype("<f8").tobytes())
    digest.update(json.dumps(sorted(map(list, draft.edges))).encode())
    return digest.hexdigest()


def check_free(path: Path, force: bool) -> None:
    """Says before the work whether a file may be written.

    Raises:
        SnnccError: SNN002 where there is a file, and `force` is not given or no export wrote it.
    """
    check_writable(path)
    if not is_there(path) or kind_of(path) == EMPTY:
        return
    why, help_ = "it is no graph that an export wrote", "give another path with -o"
    if _is_own(path):
        if force:
            return
        why, help_ = "a graph is there", "give --force to replace it"
    raise SnnccError("SNN002", f"{path} is not replaced", why=why, help=help_)


def _is_own(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            if file.read(len(HEAD)) != HEAD:
                return False
        with library().File(path, "r") as held:
            return f"node/metadata/{OWN}" in held
    except (OSError, ValueError, RuntimeError, KeyError):
        return False


def write(path: Path, content: bytes) -> None:
    write_atomically(path, lambda file: file.write(content))
