"""What the plan checker says when a plan does not compute its program."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PlanFault:
    """A place at which a plan is wrong.

    Attributes:
        unit: name of the unit; "" for the plan as a whole.
        what: what it does there, in a sentence.
    """

    unit: str
    what: str


class Wrong(Exception):
    """A plan does not hold; the message says what was found."""


def require(holds: object, what: str) -> None:
    """Raises Wrong(what) unless it holds."""
    if not holds:
        raise Wrong(what)
