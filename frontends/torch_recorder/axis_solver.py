"""Which dimension is which: atoms of dimensions, unified where a model adds or reshapes."""

import math
from collections.abc import Callable, Sequence
from itertools import takewhile

Dim = tuple[int, ...]
"""One dimension of a tensor: the atoms it was merged from, outermost first; () when of length 1
without meaning (an unsqueeze, a kept mean)."""


class AxisError(ValueError):
    """Two dimensions cannot be brought together, or a call has no form.

    Attributes:
        help: what the user can do, "" for the usual advice.
    """

    def __init__(self, reason: str, help: str = "") -> None:
        super().__init__(reason)
        self.help = help


class NotOneAxis(AxisError):
    """Several axes stand where a layer needs one."""


class AxisSolver:
    """A union-find over atoms in which an atom may also turn out to be several.

    Lengths never identify anything: two atoms become one only where the model itself puts them in
    the same place.

    Attributes:
        windows: atoms that stand for some of the time steps, the first and the one behind the last.
        here: gives the place in the model at which dimensions are brought together just now.
    """

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._stems: list[str] = []
        self._expansion: dict[int, Dim] = {}
        self._cuts: dict[int, object] = {}
        self.windows: dict[int, tuple[int, int]] = {}
        self.here: Callable[[], object] = lambda: None

    def atom(self, stem: str, size: int) -> int:
        """A new atom; its stem is where its name comes from."""
        self._sizes.append(size)
        self._stems.append(stem)
        return len(self._sizes) - 1

    def size(self, atom: int) -> int:
        return self._sizes[atom]

    def roots(self, dim: Sequence[int]) -> Dim:
        """The atoms that a dimension consists of by now."""
        found: list[int] = []
        for atom in dim:
            if atom in self._expansion:
                found += self.roots(self._expansion[atom])
            else:
                found.append(atom)
        return tuple(found)

    def length(self, dim: Sequence[int]) -> int:
        return math.prod(self._sizes[a] for a in dim)

    def split(self, atom: int, first: int) -> Dim:
        """Makes one atom two, the outer one of length `first`.

        Raises:
            AxisError: the length is no multiple of `first`.
        """
        size = self._sizes[atom]
        if size % first:
            raise AxisError(f"an axis of length {size} cannot be cut into pieces of {first}")
        stem = self._stems[atom]
        pair = (self.atom(f"{stem}_", first), self.atom(f"{stem}_", size // first))
        self._expansion[atom] = pair
        place = self.here()
        for each in (atom, *pair):
            self._cuts[each] = place
        return pair

    def cut_at(self, dims: Sequence[Dim]) -> object:
        """The place at which an axis of these dimensions was cut in two, or None."""
        for atom in (a for dim in dims for a in dim):
            below = self._expansion.get(atom, ())
            place = self._cuts.get(atom) or self.cut_at([below])
            if place is not None:
                return place
        return None

    def unify(self, left: Sequence[int], right: Sequence[int]) -> None:
        """Says that two dimensions are the same one.

        Raises:
            AxisError: their lengths differ or cannot be cut alike.
        """
        a, b = list(self.roots(left)), list(self.roots(right))
        if self.length(a) != self.length(b):
            raise AxisError(f"lengths {self.length(a)} and {self.length(b)} meet")
        long_a, long_b = self._longer(a), self._longer(b)
        if long_a and (len(long_a) < len(a) or len(long_b) < len(b)):
            # Axes of length 1 may sit with another neighbour on the other side: they do not decide.
            ones = [[x for x in side if self._sizes[x] == 1] for side in (a, b)]
            self.unify(long_a, long_b)
            if len(ones[0]) == len(ones[1]):
                for x, y in zip(*ones, strict=True):
                    self._merge(x, y)
            return
        if len(a) == 1 and len(b) != 1:
            a, b = b, a
        if len(b) == 1 and len(a) > 1:
            self._expand(b[0], tuple(a))
            return
        while a and b:
            x, y = a[0], b[0]
            if self._sizes[x] == self._sizes[y]:
                self._merge(x, y)
                a, b = a[1:], b[1:]
            elif self._sizes[x] > self._sizes[y]:
                a = [*self.split(x, self._sizes[y]), *a[1:]]
            else:
                b = [*self.split(y, self._sizes[x]), *b[1:]]

    def _longer(self, dim: Sequence[int]) -> list[int]:
        return [atom for atom in dim if self._sizes[atom] > 1]

    def _merge(self, x: int, y: int) -> None:
        if x != y:
            self._expansion[max(x, y)] = (min(x, y),)

    def _expand(self, atom: int, parts: Dim) -> None:
        if atom in parts:
            raise AxisError("an axis would be a part of itself")
        self._expansion[atom] = parts

    def reshape(self, dims: Sequence[Dim], shape: Sequence[int]) -> tuple[Dim, ...]:
        """The dimensions of a row-major reshape, cutting atoms where it cuts them.

        Atoms of length 1 stay with dimensions of length 1 at their place, else with a neighbour:
        with the one behind them where the two are one dimension.

        Raises:
            AxisError: the shape cuts across an axis.
        """
        atoms = [a for d in dims for a in self.roots(d)]
        bound = {a for d in dims for a in self._before_longer(self.roots(d))}
        result: list[list[int]] = []
        for position, size in enumerate(shape):
            group: list[int] = []
            if size == 1:
                ones = self._leading_ones(atoms)
                later = self._ones_from(shape, position + 1)
                take = ones if later == 0 else min(1, ones)
                group, atoms = atoms[:take], atoms[take:]
            else:
                need = size
                while need > 1 or (atoms and self._sizes[atoms[0]] == 1 and need > 1):
                    if not atoms:
                        raise AxisError(f"shape {tuple(shape)} does not fit")
                    atom, atoms = atoms[0], atoms[1:]
                    if self._sizes[atom] > need:
                        atom, rest = self.split(atom, need)
                        atoms = [rest, *atoms]
                    if need % self._sizes[atom]:
                        raise AxisError(f"shape {tuple(shape)} cuts across an axis")
                    need //= self._sizes[atom]
                    group.append(atom)
                if self._ones_from(shape, position + 1) == 0:
                    free = [*takewhile(lambda atom: atom not in bound, atoms)]
                    ones = self._leading_ones(free)
                    group, atoms = group + atoms[:ones], atoms[ones:]
            result.append(group)
        if atoms and result:
            result[-1] += atoms
        return tuple(tuple(g) for g in result)

    def _before_longer(self, roots: Dim) -> Dim:
        """Atoms of length 1 that stand in one dimension with a longer one behind them."""
        lengths = [self._sizes[a] for a in roots]
        return tuple(a for i, a in enumerate(roots) if lengths[i] == 1 < max(lengths[i:]))

    def _leading_ones(self, atoms: Sequence[int]) -> int:
        count = 0
        while count < len(atoms) and self._sizes[atoms[count]] == 1:
            count += 1
        return count

    @staticmethod
    def _ones_from(shape: Sequence[int], position: int) -> int:
        count = 0
        while position + count < len(shape) and shape[position + count] == 1:
            count += 1
        return count

    def names(self) -> dict[int, str]:
        """A name for every root atom: its stem, numbered from the second bearer on."""
        used: dict[str, int] = {}
        names: dict[int, str] = {}
        for atom, stem in enumerate(self._stems):
            if atom in self._expansion:
                continue
            clean = stem.rstrip("_")
            number = used.get(clean, 0)
            used[clean] = number + 1
            names[atom] = clean if number == 0 else f"{clean}{number}"
        return names
