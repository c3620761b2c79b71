"""Meanings: tables from op class to function, one for each thing that is asked of an op.

A table is total over a dialect: for every op there is a function, or a reason why there is none.
`tests/ir/test_meanings.py` finds every table of the package and holds that. An op of which a table
says nothing at all is refused where it stands, as `SNN040`, never computed by a rule of another.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from snncc.diagnostics import Finding, SnnccError
from snncc.ir.dialects.dialect import Dialect
from snncc.ir.graph import Graph, Node
from snncc.ir.op import Op

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
Kind = TypeVar("Kind", bound=Op)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a table has no function for an op, and what a user can do."""

    why: str
    help: str


class Meaning(Generic[Asked, Answer]):
    """What the ops of a dialect mean in one respect.

    Args:
        name: who asks, as it stands in messages: "the interpreter".
        dialect: the ops for which there must be a function or a reason.
    """

    def __init__(self, name: str, dialect: Dialect) -> None:
        self.name, self.dialect = name, dialect
        self._known: dict[type[Op], Callable[[Asked, Any], Answer]] = {}
        self._refused: dict[type[Op], Refusal] = {}

    def of(
        self, op: type[Kind]
    ) -> Callable[[Callable[[Asked, Kind], Answer]], Callable[[Asked, Kind], Answer]]:
        """A decorator: the function is the meaning of this op. Raises ValueError for a second."""

        def put(function: Callable[[Asked, Kind], Answer]) -> Callable[[Asked, Kind], Answer]:
            self._require_new(op)
            self._known[op] = function
            return function

        return put

    def each(
        self, *ops: type[Op]
    ) -> Callable[[Callable[[Asked, Op], Answer]], Callable[[Asked, Op], Answer]]:
        """A decorator: one function for several ops, which does not look at their fields."""

        def put(function: Callable[[Asked, Op], Answer]) -> Callable[[Asked, Op], Answer]:
            for op in ops:
                self._require_new(op)
                self._known[op] = function
            return function

        return put

    def refuses(self, *ops: type[Op], why: str, help: str) -> None:
        """There is no function for these ops, on purpose. Raises ValueError for a second answer."""
        for op in ops:
            self._require_new(op)
            self._refused[op] = Refusal(why, help)

    def knows(self, op: Op) -> bool:
        """Whether there is a function for an op."""
        return type(op) in self._known

    def refusal(self, op: type[Op]) -> Refusal | None:
        """Why there is no function for an op on purpose; None where there is one, or nothing."""
        return self._refused.get(op)

    def __getitem__(self, node: Node) -> Callable[[Asked, Any], Answer]:
        """The function for a node's op.

        Raises:
            SnnccError: SNN040 with the node's place, when there is none.
        """
        function = self._known.get(type(node.op))
        if function is None:
            raise SnnccError.of([self.finding(node)])
        return function

    def __call__(self, asked: Asked, node: Node) -> Answer:
        """The answer for a node. Raises SnnccError (SNN040) when there is none."""
        return self[node](asked, node.op)

    def require(self, graph: Graph) -> None:
        """Raises SnnccError: SNN040, for every node of a graph that has no function."""
        found = [self.finding(node) for node in graph.nodes if not self.knows(node.op)]
        if found:
            raise SnnccError.of(found)

    def finding(self, node: Node) -> Finding:
        """What is told of a node for whose op there is no function."""
        op, place = node.op.mnemonic, node.loc
        said = self._refused.get(type(node.op)) or self._nothing_said(op)
        message = f"{self.name} has no form for {op} ({node.name})"
        return Finding("SNN040", message, place, said.why, said.help)

    def holes(self) -> set[type[Op]]:
        """Ops of the dialect with neither a function nor a reason: the tests hold that none is."""
        return {op for op in self.dialect.ops.values() if not self._has(op)}

    @contextmanager
    def replaced(
        self, op: type[Kind], function: Callable[[Asked, Kind], Answer]
    ) -> Generator[Callable[[Asked, Kind], Answer]]:
        """Within the block the op means something else; gives the function that it meant before.

        For tests that plant a fault. Raises KeyError for an op that has no function.
        """
        before = self._known[op]
        self._known[op] = function
        try:
            yield before
        finally:
            self._known[op] = before

    @contextmanager
    def restored(self) -> Generator[None]:
        """What the table learns within the block it forgets after it; for tests that add an op."""
        known, refused = dict(self._known), dict(self._refused)
        try:
            yield
        finally:
            self._known, self._refused = known, refused

    def _has(self, op: type[Op]) -> bool:
        return op in self._known or op in self._refused

    def _require_new(self, op: type[Op]) -> None:
        if self._has(op):
            raise ValueError(f"{self.name} has an answer for {op.mnemonic} already")

    def _nothing_said(self, op: str) -> Refusal:
        known = sorted(known.mnemonic for known in self._known)
        return Refusal(
            f"nothing says what {op} means there, and no rule of another op is used for it",
            f"it knows {', '.join(known)}; CONTRIBUTING.md says what an op needs",
        )
