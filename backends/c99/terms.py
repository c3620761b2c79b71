"""What the elements of a value are in C: places in arrays, and expressions of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from snncc.backends.c99.integers import working

Indices = Sequence[str]


@dataclass(frozen=True)
class Leaf:
    """An array that an expression reads or writes.

    Attributes:
        base: its name in C.
        strides: how far apart neighbours lie, by axis.
        offset: of its first element, in C; "" for none.
    """

    base: str
    strides: Mapping[str, int] = field(default_factory=dict[str, int])
    offset: str = ""

    def at(self, index: str) -> str:
        """One of its elements."""
        parts = [part for part in (self.offset, index) if part and part != "0"]
        return f"{self.base}[{' + '.join(parts) or '0'}]"


@dataclass(frozen=True)
class Term:
    """The element of a value, as an expression.

    Attributes:
        ctype: a working type that holds it.
        bounds: the interval of it.
        leaves: the arrays it reads.
        write: gives the expression, from an index for each leaf; it may write lines before.
        literal: the number, of a constant that is one number everywhere.
    """

    ctype: str
    bounds: tuple[int, int]
    leaves: tuple[Leaf, ...]
    write: Callable[[Indices], str]
    literal: int | None = None

    def cast(self, ctype: str, indices: Indices) -> str:
        """The expression in another working type."""
        text = self.write(indices)
        return text if ctype == self.ctype or self.literal is not None else f"({ctype})({text})"


def strides_in(*terms: Term) -> list[Mapping[str, int]]:
    """Of every leaf of some terms."""
    return [leaf.strides for term in terms for leaf in term.leaves]


def dealt(indices: Sequence[str], *terms: Term) -> list[Sequence[str]]:
    """The indices of the leaves of all terms, by term; what is left comes last."""
    found: list[Sequence[str]] = []
    start = 0
    for term in terms:
        found.append(indices[start : start + len(term.leaves)])
        start += len(term.leaves)
    return [*found, indices[start:]]


def array_term(leaf: Leaf, bounds: tuple[int, int]) -> Term:
    """The element of an array."""
    ctype = working(*bounds)
    return Term(ctype, bounds, (leaf,), lambda indices: f"({ctype}){leaf.at(indices[0])}")


def number_term(number: int) -> Term:
    """One number."""
    return Term(working(number), (number, number), (), lambda _: str(number), number)
