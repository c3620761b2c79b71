"""What an op is in C: the table, and what its functions are given."""

from collections.abc import Sequence
from dataclasses import dataclass

from snncc.backends.c99.draft import Draft
from snncc.backends.c99.terms import Term
from snncc.backends.c99.writer import Writer
from snncc.ir import INTEGER, Graph, Node, ValueType
from snncc.meaning import Meaning


@dataclass(frozen=True)
class At:
    """A node that is to be written.

    Attributes:
        draft: the source under construction.
        node: of the program.
    """

    draft: Draft
    node: Node

    @property
    def w(self) -> Writer:
        return self.draft.w

    @property
    def graph(self) -> Graph:
        return self.draft.graph

    @property
    def inputs(self) -> tuple[ValueType, ...]:
        """Types of the sources."""
        return self.draft.graph.input_types(self.node)

    @property
    def sources(self) -> Sequence[Term]:
        """Elements of the sources, which are read here."""
        return [self.draft.term(name) for name in self.node.inputs]


FORM: Meaning[At, None] = Meaning("C", INTEGER)
