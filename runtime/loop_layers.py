"""Loops through delays in a plan's memory: the interpreter, step by step."""

from collections.abc import Mapping

import numpy as np

from snncc.backends.cpu.plan.host import LoopUnit
from snncc.ir import Array
from snncc.ir.dialects.delays import Delay
from snncc.runtime.host_layers import kept_in, read_wide
from snncc.runtime.interpreter.loops import Loop


class LoopLayer:
    """A loop made ready.

    Args:
        unit: of a plan.
    """

    def __init__(self, unit: LoopUnit) -> None:
        self.unit = unit
        self._nodes = [member.node for member in unit.members]
        self._loops: dict[tuple[int, int], Loop] = {}

    def run(
        self, memory: Array, image: Array, first: int, last: int, origin: int
    ) -> Mapping[int, int]:
        """Computes steps of the loop.

        Args:
            memory: the working memory, uint8.
            image: uint8, [*axes of the image].
            first: from which step; the first of all starts from nothing.
            last: to which, excluded.
            origin: the step that lies first in the memory.

        Returns:
            How many neurons spiked, by the unit that counts them.
        """
        if first >= last:
            return {}
        unit, span = self.unit, (first - origin, last - origin)
        loop = self._loops.get((first, last))
        if loop is None:
            loop = Loop.of(unit.program, self._nodes, first, last)
            self._loops[first, last] = loop
        sources = {
            name: read_wide(place, memory, image, *span)[None] for name, place in unit.reads.items()
        }
        ran = loop.run(sources, 1, None if first == 0 else self._kept(memory))
        counts: dict[int, int] = {}
        for member in unit.members:
            name = member.node.name
            if member.writes is not None:
                member.writes.write(memory, ran.values[name][0], *span)
            if member.record is not None:
                member.record.write(memory, ran.membranes[name][0], *span)
            if member.state is not None:
                kept_in(member.state, memory)[...] = ran.state[name][0]
            if member.unit >= 0:
                counts[member.unit] = int(np.count_nonzero(ran.values[name]))
        return counts

    def _kept(self, memory: Array) -> dict[str, Array]:
        """What the step before left: membranes, and what delays have read."""
        found: dict[str, Array] = {}
        for member in self.unit.members:
            if member.state is None:
                continue
            node, whole = member.node, kept_in(member.state, memory)[None]
            bits = isinstance(node.op, Delay) and node.type.domain is not None
            found[node.name] = whole.astype(np.uint8 if bits else np.int64)
        return found
