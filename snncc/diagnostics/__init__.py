"""Diagnostics: what a user is told, with stable codes."""

from snncc.diagnostics.codes import CODES, Code
from snncc.diagnostics.errors import Finding, SnnccError
from snncc.diagnostics.printable import printable

__all__ = ["CODES", "Code", "Finding", "SnnccError", "printable"]
