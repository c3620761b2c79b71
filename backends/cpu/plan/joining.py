"""Projections of a unit that become one list of weight rows."""

from dataclasses import replace

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.parts.projections import can_stack, stacked
from snncc.backends.cpu.plan.unit import Instruction, Unit


def join_projections(unit: Unit) -> None:
    """Projections that follow each other into one register become one where they may."""
    ops: list[Instruction] = []
    for op in unit.ops:
        last = ops[-1] if ops else op
        count = last.parts + 1
        group = unit.parts[last.what : last.what + count]
        follows = (last.kind, last.register, last.shift, last.what + last.parts) == (
            op.kind, op.register, op.shift, op.what,
        )  # fmt: skip
        if ops and op.kind == f.PROJECT and op.adds and follows and can_stack(group):
            ops[-1] = replace(last, parts=count)
        else:
            ops.append(op)
    for op in ops:
        if op.kind == f.PROJECT and op.parts > 1:
            chosen = slice(op.what, op.what + op.parts)
            unit.parts[chosen] = stacked(unit.parts[chosen])
    unit.ops = ops
