"""Is it multiplication-free? The ladder, the rules, the verdict."""

from snncc.mfi.ladder import Level
from snncc.mfi.models.analysis import domains_of
from snncc.mfi.models.domains import Domain, Values
from snncc.mfi.outcome import Outcome, standing
from snncc.mfi.policy import ALLOWANCES, Judgement, Policy, headline
from snncc.mfi.prover import OpVerdict, Verdict, prove

__all__ = [
    "ALLOWANCES",
    "Domain",
    "Judgement",
    "Level",
    "OpVerdict",
    "Outcome",
    "Policy",
    "Values",
    "Verdict",
    "domains_of",
    "headline",
    "prove",
    "standing",
]
