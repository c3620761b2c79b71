"""Errors that a user can act on: a stable code, the place, the reason, and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snncc.diagnostics.codes import CODES
from snncc.diagnostics.printable import printable

if TYPE_CHECKING:
    from snncc.ir.loc import Loc  # an error about a file needs no IR, and no numpy

DETAIL = " " * 7


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        code: "SNNxxx", one of `CODES`.
        message: what is wrong, one line, in the user's terms.
        loc: the place in the user's model, or None.
        why: the reason.
        help: what the user can do.
        details: lines that belong to the reason: what a process said, where was looked.
    """

    code: str
    message: str
    loc: "Loc | None" = None
    why: str = ""
    help: str = ""
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"error[{self.code}]: {self.message}"]
        if self.loc is not None:
            where = self.loc.module_path or "<root>"
            lines.append(f"  --> {where}   {self.loc.call}".rstrip())
            if self.loc.file:
                before = f"   |  {self.loc.file}:{self.loc.line}   "
                lines.append(f"{before}{self.loc.source}".rstrip())
                lines += _caret(before, self.loc)
        if self.why:
            lines.append(f"   = why: {self.why}")
        lines += [f"{DETAIL}{line}" for line in self.details]
        if self.help:
            lines.append(f"   = help: {self.help}")
        return "\n".join(map(printable, lines))


class SnnccError(Exception):
    """Something the user can act on; never raised for a bug of snncc.

    Args:
        code: "SNNxxx", one of `CODES`.
        message: what is wrong, one line.
        loc: the place in the user's model, or None.
        why: the reason.
        help: what the user can do.
        details: lines that belong to the reason.

    Attributes:
        findings: everything that was found; the first one is what the arguments say.
    """

    def __init__(
        self,
        code: str,
        message: str,
        loc: "Loc | None" = None,
        why: str = "",
        help: str = "",
        details: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.findings: tuple[Finding, ...] = (Finding(code, message, loc, why, help, details),)

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> "SnnccError":
        """One error for all findings of a run, in order, each once."""
        distinct = tuple(dict.fromkeys(findings))
        first = distinct[0]
        error = cls(first.code, first.message, first.loc, first.why, first.help)
        error.findings = distinct
        return error

    @property
    def code(self) -> str:
        return self.findings[0].code

    @property
    def exit_code(self) -> int:
        """Exit code of the command line: that of the first finding's code."""
        return CODES[self.code].exit_code

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))


def _caret(before: str, loc: "Loc") -> list[str]:
    """The line beneath a line of source that marks the call in it; none where it is not known."""
    start, end = loc.columns
    if not 0 <= start < end <= len(loc.source):
        return []
    place = len(printable(before + loc.source[:start]))
    return ["   |".ljust(place) + "^" * len(printable(loc.source[start:end]))]
