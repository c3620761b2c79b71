"""The runtime: executes integer programs, bit for bit, without torch."""

from snncc.execution import ALL, Execution
from snncc.runtime.interpreter import interpret

__all__ = ["ALL", "Execution", "interpret"]
