"""Programs as files: one `.snncc` file, checked to the last bit when it is read."""

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
