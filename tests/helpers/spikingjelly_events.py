"""SpikingJelly's own functions for events; its package `datasets` needs torchvision to import."""

import ast
import importlib.util
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np


def functions(file: str, *names: str) -> dict[str, Any]:
    """Functions and constants of a file of `spikingjelly.datasets`, by name."""
    spec = importlib.util.find_spec("spikingjelly")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    path = Path(spec.submodule_search_locations[0]) / "datasets" / file
    tree = ast.parse(path.read_text())
    wanted = [
        node
        for node in tree.body
        if (isinstance(node, ast.FunctionDef) and node.name in names)
        or (isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in names)
    ]
    for node in wanted:
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in node.args.args:
                argument.annotation = None
    found: dict[str, Any] = {"np": np, "struct": struct, "math": math}
    module = ast.Module(wanted, [])
    exec(compile(module, str(path), "exec"), found)  # noqa: S102 (a pinned package's lines)
    assert set(names) <= set(found)
    return found
