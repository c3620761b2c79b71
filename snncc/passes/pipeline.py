"""What a pass is, and the one driver that runs passes, verifies after each and reports."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np

from snncc.diagnostics import Finding, SnnccError
from snncc.ir import Graph, LimitError, VerifyError, verify
from snncc.passes.finite_constants import check_finite

LIMITS = "docs/program_rules.md lists the limits; take fewer --steps, or divide the network"


@dataclass(frozen=True, slots=True)
class Note:
    """What a rule did at one site, or why it did not fire there.

    Attributes:
        site: name of the node.
        fired: whether the rule changed something there.
        text: what it did, or the reason why not.
        through: names of what stood in the way of a rule that fired.
        refused: whether the model cannot be lowered because the rule did not fire.
        inexact: whether what it did is near to what the model says, and the user is told.
    """

    site: str
    fired: bool
    text: str
    through: tuple[str, ...] = ()
    refused: bool = False
    inexact: bool = False

    def __str__(self) -> str:
        return f"{self.site}: {self.text}" if self.fired else f"{self.site}: not here: {self.text}"


@dataclass(frozen=True, slots=True)
class PassResult:
    """A pass's new graph and what it has to say.

    Attributes:
        graph: verified by the driver.
        notes: what its rules did, and where not.
        refusals: why the user's model cannot be lowered; the graph is then as far as the pass goes.
    """

    graph: Graph
    notes: tuple[Note, ...] = ()
    refusals: tuple[Finding, ...] = ()


class Pass(Protocol):
    """One move on a graph: functional, its fields are its options, its name says the move.

    A pass may assume a verified graph and must leave one behind.
    """

    name: ClassVar[str]

    def run(self, graph: Graph) -> PassResult:
        """The new graph. Raises SnnccError for options and constants that do not fit the model."""
        ...


@dataclass(frozen=True)
class PassEvent:
    """What the observer learns after a pass: graph is already verified."""

    name: str
    graph: Graph
    seconds: float
    notes: tuple[Note, ...] = field(default=())


Observer = Callable[[PassEvent], None]


class PassError(RuntimeError):
    """A pass left an illegal graph behind: a bug of snncc."""


def run_passes(
    graph: Graph,
    passes: Sequence[Pass],
    observe: Observer | None = None,
    refused: list[Finding] | None = None,
) -> Graph:
    """Runs passes in order; after each one verifies the graph and calls the observer.

    Args:
        graph: what the first pass gets.
        passes: in order.
        observe: called after each.
        refused: takes down every refusal, and the passes go on; None to stop at the first pass
            that refuses something.

    Raises:
        SnnccError: the user's model cannot be lowered, or a constant overflows (SNN034).
        PassError: a pass broke a rule of the dialect.
    """
    for step in passes:
        start = time.perf_counter()
        with np.errstate(all="ignore"):  # what overflows is refused below, with its place
            result = step.run(graph)
        graph = result.graph
        if result.refusals and refused is None:
            raise SnnccError.of(result.refusals)
        if refused is not None:
            refused += result.refusals
        check_finite(graph)
        try:
            verify(graph)
        except LimitError as error:
            findings = (Finding("SNN070", text, help=LIMITS) for text in error.problems)
            raise SnnccError.of(findings) from error
        except VerifyError as error:
            raise PassError(f"after {step.name}:\n{error}") from error
        if observe is not None:
            observe(PassEvent(step.name, graph, time.perf_counter() - start, result.notes))
    return graph
