"""Checks certificates. Shares no code with the compiler or the prover.

It imports the standard library and NumPy, reads the program file by itself, walks its nodes once,
and works out from the constants alone what every node needs and how large every number can become.
It accepts if and only if the certificate says exactly that: who trusts this folder need not trust
the rest of snncc.
"""

from snncc.checker.certificate import check
from snncc.checker.program_file import Rejected

__all__ = ["Rejected", "check"]
