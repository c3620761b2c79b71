"""Which of a host unit's ops are computed without the interpreter, each in several ways."""

from collections.abc import Callable, Mapping

from snncc.backends.cpu.host import numbers, words
from snncc.backends.cpu.plan.host import HostUnit
from snncc.ir import Array, Op
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Sum
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.windows import Largest

Way = Callable[[HostUnit, Array, int, int], bool]
"""Computes steps of a unit in a memory, or does nothing and says so."""
WAYS: Mapping[type[Op], tuple[Way, ...]] = {
    Sum: (words.add, numbers.add),
    Gate: (words.gate, numbers.gate),
    Take: (words.take, numbers.take),
    Largest: (words.largest, numbers.largest),
    Product: (numbers.select,),
    SumAlong: (numbers.add_along,),
}
"""By op, the fastest first; what none of them computes the interpreter does."""


def computed(unit: HostUnit, memory: Array, first: int, last: int) -> bool:
    """Computes steps of a unit, counted from the one that lies first in memory.

    Returns:
        Whether a way was found.
    """
    ways = WAYS.get(type(unit.node.op), ())
    return any(way(unit, memory, first, last) for way in ways)
