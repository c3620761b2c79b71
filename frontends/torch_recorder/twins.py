"""Axes that have a second name in a product, where one value would have the same axis twice.

Tokens of queries and tokens of keys are the same axis of the model, and two axes of their product.
So a product gives its axes new names, twins of those of its factors. Once the whole run is known, a
twin that never meets its original in one value or op becomes one with it again.
"""

from collections.abc import Iterable, Sequence

from snncc.frontends.torch_recorder.axis_solver import AxisSolver, Dim


class Twins:
    """The second names of a run.

    Args:
        solver: of the run.
    """

    def __init__(self, solver: AxisSolver) -> None:
        self.solver = solver
        self._pairs: list[tuple[Dim, Dim]] = []
        self._together: list[tuple[Dim, ...]] = []

    def twin(self, dim: Dim) -> Dim:
        """New axes of the lengths of a dimension's."""
        solver = self.solver
        made = tuple(solver.atom("m", solver.size(atom)) for atom in solver.roots(dim))
        self._pairs.append((dim, made))
        return made

    def pair(self, dim: Dim, twin: Dim) -> None:
        """Says that a twin is that of another dimension too."""
        self._pairs.append((dim, twin))

    def apart(self, dims: Sequence[Dim]) -> None:
        """Says that these are different axes of one op."""
        self._together.append(tuple(dims))

    def settle(self, values: Iterable[tuple[Dim, ...]]) -> None:
        """Cuts twins as their originals are cut, and unites those that are never met together.

        Args:
            values: dimensions of every recorded value.
        """
        while any([self._cut(*pair) for pair in self._pairs]):
            pass
        groups = [*values, *self._together]
        for original, twin in self._pairs:
            pairs = zip(self.solver.roots(original), self.solver.roots(twin), strict=True)
            for first, second in [*pairs]:
                if not any(self._met(first, second, group) for group in groups):
                    self.solver.unify((first,), (second,))

    def _met(self, first: int, second: int, group: tuple[Dim, ...]) -> bool:
        roots = {root for dim in group for root in self.solver.roots(dim)}
        return {*self.solver.roots((first,)), *self.solver.roots((second,))} <= roots

    def _cut(self, left: Dim, right: Dim) -> bool:
        """Cuts both alike; whether anything was cut."""
        solver, cut = self.solver, False
        a, b = [*solver.roots(left)], [*solver.roots(right)]
        while a and b:
            x, y = solver.size(a[0]), solver.size(b[0])
            if x == y:
                a, b = a[1:], b[1:]
                continue
            cut = True
            if x > y:
                a = [*solver.split(a[0], y), *a[1:]]
            else:
                b = [*solver.split(b[0], x), *b[1:]]
        return cut
