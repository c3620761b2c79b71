"""Currents that are a count times constants: what moves and compares counts stands before them."""

from snncc.ir import TIME, Kind, Node
from snncc.ir.dialects.projections import Contract
from snncc.ir.dialects.windows import Largest
from snncc.passes.named import Named
from snncc.passes.rewriter import Rewriter


def behind_factor(rewriter: Rewriter, value: str) -> tuple[str, Named] | None:
    """The count, and its factor, of a current that is nothing else; None for other values."""
    new = rewriter.new
    op, inputs = new[value].op, new[value].inputs
    if not isinstance(op, Contract) or new[inputs[0]].type.kind is not Kind.COUNT:
        return None
    if op.into or op.out or op.summed or not new[inputs[0]].inputs:
        return None
    return inputs[0], rewriter.named(op.weight, 1.0)


def times_count(rewriter: Rewriter, node: Node, count: str, factor: Named, name: str) -> str:
    """A count times a factor as a current: a synapse of that weight for each element."""
    order = tuple(n for n in rewriter.new[count].type.names if n in factor.axes)
    weight = rewriter.new.constant(f"{node.name}.weight", factor.over(order), order)
    return rewriter.emit(node, Contract(weight, shared=order), count, name=name)


def largest_count(rewriter: Rewriter, node: Node, op: Largest, source: str) -> str | None:
    """The largest of counts, then their factor: alike where that is above 0 and one a window."""
    found = behind_factor(rewriter, source)
    if found is None:
        return None
    count, factor = found
    moves = set(factor.axes) & {*op.axes, TIME}
    if moves or bool((factor.array <= 0.0).any()):
        return None
    made = rewriter.emit(node, op, count)
    return times_count(rewriter, node, made, factor, f"{node.name}.scale")
