"""A second look at finished plans, which shares nothing with the planner but names of columns."""

from snncc.backends.cpu.checking.checker import check_plan
from snncc.backends.cpu.checking.wrong import PlanFault

__all__ = ["PlanFault", "check_plan"]
