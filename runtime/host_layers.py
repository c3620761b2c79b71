"""Units that the host computes: inputs read from a plan's memory, the interpreter, written back."""

import numpy as np

from snncc.backends.cpu.plan.host import HostUnit, at_steps
from snncc.ir import Array, Graph
from snncc.ir.populations import is_population
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
                self._compute(unit.program, memory, image, 0, 1, True)
            return 0
        if first >= last:
            return 0
        program = self._programs.get((first, last))
        if program is None:
            program = self._programs[first, last] = at_steps(unit.program, first, last)
        return self._compute(program, memory, image, first - origin, last - origin, first == 0)

    def _compute(
        self, program: Graph, memory: Array, image: Array, first: int, last: int, begins: bool
    ) -> int:
        unit, node = self.unit, program[self.unit.node.name]
        sources = [_wide(place.read(memory, image, first, last))[None] for place in unit.reads]
        state = None if unit.state is None else unit.state.view(memory, 0, 1)
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


def _wide(value: Array) -> Array:
    """Currents as the interpreter holds them; spikes and pixels as they are."""
    return value if value.dtype == np.uint8 else value.astype(np.int64)
