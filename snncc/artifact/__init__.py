"""Programs as files: one `.snncc` file, checked to the last bit when it is read.

Its names are loaded when they are first used: a command looks at its files before it needs NumPy.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snncc.artifact.files import load_program, save_program
    from snncc.artifact.program import Program, computation_digest, program_digest
    from snncc.artifact.writing import check_writable

__all__ = [
    "Program",
    "check_writable",
    "computation_digest",
    "load_program",
    "program_digest",
    "save_program",
]
_HOMES = {
    "Program": "snncc.artifact.program",
    "check_writable": "snncc.artifact.writing",
    "computation_digest": "snncc.artifact.program",
    "load_program": "snncc.artifact.files",
    "program_digest": "snncc.artifact.program",
    "save_program": "snncc.artifact.files",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'snncc.artifact' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
