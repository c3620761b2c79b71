"""Every plan that a simulator makes in the tests is checked against its program."""

from collections.abc import Collection

from snncc.backends.cpu.checking import check_plan
from snncc.backends.cpu.plan.encoding import plan_units
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.ir import Graph

LARGEST = 1 << 23
"""Bytes of constants and of working memory; plans of more are checked by tests of their own."""


def checked_plan(
    graph: Graph,
    steps: int,
    record: frozenset[str] = frozenset(),
    stateful: bool = False,
    dense: Collection[str] = (),
    both: bool = False,
) -> UnitPlan:
    """What `plan_units` gives, found right."""
    plan = plan_units(graph, steps, record, stateful, dense, both)
    if plan.block.nbytes < LARGEST and plan.memory < LARGEST:
        assert check_plan(graph, plan) == ()
    return plan
