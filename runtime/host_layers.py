"""Units that the host computes: in the plan's memory, fast, or as the interpreter does."""

import numpy as np

from snncc.backends.cpu.host.table import computed
from snncc.backends.cpu.plan.host import HostUnit
from snncc.backends.cpu.plan.places import Form, Place
from snncc.ir import TIME, Array, Graph
from snncc.ir.populations import is_population
from snncc.ir.steps import at_steps
from snncc.runtime.interpreter import evaluate


class HostLayer:
    """A host unit made ready.

    Args:
        unit: of a plan.
    """

    def __init__(self, unit: HostUnit) -> None:
        self.unit = unit
        self._programs: dict[tuple[int, int], Graph] = {}

    def run(self, memory: Array, image: Array, first: int, last: int, origin: int) -> int:
        """Computes steps of the unit, or the one step that stands for all, when the first comes.

        Args:
            memory: the working memory, uint8.
            image: uint8, [*axes of the image].
            first: from which step.
            last: to which, excluded.
            origin: the step that lies first in the memory.

        Returns:
            How many neurons spiked.
        """
        unit = self.unit
        if not unit.node.type.temporal:
            if first == 0:
                self._compute(unit.program, memory, image, 0, 1, begins=True)
            return 0
        if first >= last:
            return 0
        program = self._programs.get((first, last))
        if program is None:
            program = self._programs[first, last] = at_steps(unit.program, first, last)
        span = (first - origin, last - origin)
        return self._compute(program, memory, image, *span, begins=first == 0)

    def _compute(
        self, program: Graph, memory: Array, image: Array, first: int, last: int, begins: bool
    ) -> int:
        unit, node = self.unit, program[self.unit.node.name]
        if computed(unit, memory, first, last):
            return 0  # none of these ops is a population
        sources = [read_wide(place, memory, image, first, last)[None] for place in unit.reads]
        state = None if unit.state is None else kept_in(unit.state, memory)
        start = None if state is None or begins else state[None].astype(np.int64)
        value, membranes, left = evaluate(program, node, sources, image[None], start)
        unit.writes.write(memory, value[0], first, last)
        if state is not None and left is not None:
            state[...] = left[0]
        if membranes is None or not is_population(node.op):
            return 0
        if unit.record is not None:
            unit.record.write(memory, membranes[0], first, last)
        return int(np.count_nonzero(value))


def kept_in(place: Place, memory: Array) -> Array:
    """A view of what stays between calls, all of it."""
    return place.view(memory, 0, place.type.size(TIME) if place.type.temporal else 1)


def read_wide(place: Place, memory: Array, image: Array, first: int, last: int) -> Array:
    """Currents and counts as the interpreter holds them; spikes and pixels as they are."""
    value = place.read(memory, image, first, last)
    kept = place.form is not Form.INTEGERS and place.planes == 1
    return value if kept and value.dtype == np.uint8 else value.astype(np.int64)
