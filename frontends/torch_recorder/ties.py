"""Membranes that meet their threshold exactly, where torch decides by the last bits of its sums."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from snncc.diagnostics import SnnccError
from snncc.ir import TIME, Graph, Node
from snncc.ir.arrays import over_steps
from snncc.ir.dialects.traced import Lif
from snncc.semantics.arrays import Real
from snncc.semantics.traced import fire

RELATIVE = 1e-9
"""Both sides compute in float64; they differ by the order of additions only."""


class Ties:
    """Compares the spikes of a graph with torch's; takes torch's where they differ in ties alone.

    Args:
        graph: in the traced dialect.
        spikes: torch's, by module path, with time leading.
        currents: what the modules read, likewise; run when the first spike differs.

    Attributes:
        counts: decisions of torch that were taken, by module path.
    """

    def __init__(
        self,
        graph: Graph,
        spikes: Mapping[str, NDArray[np.bool_]],
        currents: Callable[[], Mapping[str, Real]],
    ) -> None:
        self._graph = graph
        self._spikes = spikes
        self._read = currents
        self._currents: Mapping[str, Real] | None = None
        self.counts: dict[str, int] = {}

    def decide(self, node: Node, current: Real, mine: Real) -> Real:
        """The spikes with which the replay goes on behind a node.

        Raises:
            SnnccError: SNN027, torch's differ where the membrane is not at the threshold.
        """
        path = node.locs[0].module_path
        spikes = self._spikes.get(path)
        if spikes is None or not np.isfinite(current).all():
            return mine
        time = 1 + node.type.names.index(TIME)
        moved = np.moveaxis(mine, time, 0)
        if np.array_equal(moved.reshape(-1) != 0, spikes.reshape(-1)):
            return mine
        if moved.size == spikes.size and isinstance(node.op, Lif):
            given = np.moveaxis(spikes.reshape(moved.shape), 0, time)
            count = self._tied(node, node.op, current, given)
            if count:
                self.counts[path] = count
                return given.astype(np.float64)
        raise SnnccError(
            "SNN027",
            "the traced graph does not spike as the model does",
            node.locs[0],
            "a module behaves in a way that the recorder does not see",
            "report this with the model, or write the module with plain torch functions",
        )

    def _tied(self, node: Node, op: Lif, current: Real, given: NDArray[np.bool_]) -> int:
        """How many of torch's decisions differ, 0 where they are not all ties."""
        if self._currents is None:
            self._currents = self._read()
        theirs = self._currents.get(node.locs[0].module_path)
        names = self._graph[node.inputs[0]].type.names
        read = np.moveaxis(over_steps(current, names, self._graph.steps), 1, 0)
        own, excess = fire(self._graph, node, op, current, given.astype(np.float64))
        threshold = op.v_threshold
        if op.threshold is not None:
            threshold = float(np.abs(self._graph.constants[op.threshold.name]).max())
        near = RELATIVE * max(np.abs(read).max(), np.abs(excess).max(), abs(threshold))
        if theirs is None or theirs.size != read.size:
            return 0
        if np.abs(theirs.reshape(-1) - read.reshape(-1)).max() > near:
            return 0
        other = (own != 0) != given
        return int(other.sum()) if (np.abs(excess[other]) <= near).all() else 0

    def notes(self) -> tuple[str, ...]:
        if not self.counts:
            return ()
        where = ", ".join(path or "<root>" for path in self.counts)
        return (
            f"membranes of {where} met their threshold exactly, and torch decided "
            f"{sum(self.counts.values()):,} such ties by the last bits of its sums, which the "
            "order of additions says: spikes of the program may differ there (SNN027 in "
            "docs/diagnostics.md)",
        )
