"""Diagnostics: what a user is told, with stable codes."""

from snncc.diagnostics.codes import CODES, Code
from snncc.diagnostics.errors import Finding, SnnccError

__all__ = ["CODES", "Code", "Finding", "SnnccError"]
