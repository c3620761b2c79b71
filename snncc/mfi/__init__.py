"""Is it multiplication-free? The ladder, the rules, the verdict."""

from snncc.mfi.ladder import Level
from snncc.mfi.prover import OpVerdict, Verdict, prove

__all__ = ["Level", "OpVerdict", "Verdict", "prove"]
