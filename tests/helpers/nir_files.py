"""Writes small .nir files, by h5py alone: /version and /node as the package nir lays them out."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Fields = Mapping[str, Any]
Nodes = Mapping[str, tuple[str, Any]]
"""By name the type and its fields; of a NIRGraph (nodes, edges)."""
Edges = Sequence[tuple[str, str]]


def write(path: Path, nodes: Nodes, edges: Edges, version: str | None = "1.0.8") -> Path:
    """A file of a graph; numbers are stored as they come, lists as arrays."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        if version is not None:
            file["version"] = version
        write_graph(file.create_group("node"), nodes, edges)
    return path


def write_graph(group: Any, nodes: Nodes, edges: Edges) -> None:
    h5py = pytest.importorskip("h5py")
    group["type"] = "NIRGraph"
    inside = group.create_group("nodes")
    for name, (kind, fields) in nodes.items():
        made = inside.create_group(name)
        if kind == "NIRGraph":
            write_graph(made, *fields)
            continue
        made["type"] = kind
        for key, value in fields.items():
            array = np.asarray(value) if not isinstance(value, str) else value
            if isinstance(array, np.ndarray) and array.size > 64:
                made.create_dataset(key, data=array, compression="gzip")
            else:
                made[key] = array
    pairs = np.array([*edges], dtype=object).reshape(-1, 2)
    group.create_dataset("edges", data=pairs, dtype=h5py.string_dtype())


def chain(*names: str) -> list[tuple[str, str]]:
    """Edges from each to the next."""
    return [*pairwise(names)]


def ends(inputs: Sequence[int], outputs: Sequence[int]) -> dict[str, tuple[str, Fields]]:
    return {"input": ("Input", {"shape": [*inputs]}), "output": ("Output", {"shape": [*outputs]})}


def lif(n: int, **fields: Any) -> tuple[str, Fields]:
    """LIF neurons with tau 2, r 1, threshold 1; `fields` say what is else."""
    usual = {"tau": 2.0, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0}
    given = {key: np.full(n, value) for key, value in usual.items()}
    for key, value in fields.items():
        if value is None:
            del given[key]
        else:
            given[key] = np.broadcast_to(np.asarray(value), n) if np.ndim(value) < 1 else value
    return "LIF", given


def integrate(n: int, **fields: Any) -> tuple[str, Fields]:
    """IF neurons with r 1 and threshold 1."""
    return "IF", {key: v for key, v in lif(n, **fields)[1].items() if key not in ("tau", "v_leak")}


def affine(weight: Any, bias: Any = None) -> tuple[str, Fields]:
    matrix = np.asarray(weight, np.float64)
    return "Affine", {
        "weight": matrix,
        "bias": np.zeros(len(matrix)) if bias is None else np.asarray(bias, np.float64),
    }


def conv2d(weight: Any, image: Sequence[int], **fields: Any) -> tuple[str, Fields]:
    kernel = np.asarray(weight, np.float64)
    usual = {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1}
    bias = np.zeros(len(kernel))
    return "Conv2d", {"weight": kernel, "input_shape": [*image], "bias": bias, **usual, **fields}


def small(path: Path, **fields: Any) -> Path:
    """Input, Affine, LIF, Output of two neurons."""
    nodes = {**ends([2], [2]), "fc": affine([[1.0, -1.0], [0.5, 0.25]]), "lif": lif(2, **fields)}
    return write(path, nodes, chain("input", "fc", "lif", "output"))
