"""Every plan that a simulator makes in the tests is checked against its program."""

import hashlib
from collections.abc import Collection
from dataclasses import fields

import numpy as np

from snncc.artifact import Program, program_digest
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
        key = _content(graph, plan)
        if key not in _right:
            assert check_plan(graph, plan) == ()
        if key:
            _right.add(key)
    return plan


_right: set[bytes] = set()
"""Plans of programs that were found right in this process; the checker would say it again."""


def _content(graph: Graph, plan: UnitPlan) -> bytes:
    """What tells a plan of a program from all others; empty where the host has a part in it."""
    if plan.dense or plan.host or plan.relays or plan.loops:
        return b""
    found = hashlib.sha256(program_digest(Program(graph, {})).encode())
    for each in fields(plan):
        value = getattr(plan, each.name)
        whole = value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
        found.update(f"{each.name} {len(whole)} ".encode() + whole)
    return found.digest()
