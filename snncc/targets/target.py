"""A target: where programs go, and what it can do with them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snncc.artifact import Program
from snncc.execution import Execute

Json = Any
Advance = Callable[[int], None]
"""Called with how many images are done."""


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        record: in JSON form.
        facts: the same for people: a title and its value.
        columns: titles of a table of `rows`.
        rows: of the table.
    """

    record: Mapping[str, Json]
    facts: Sequence[tuple[str, object]]
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()


Export = Callable[[Program, Path, bool], Exported]
"""A program, where to write it, and whether an earlier export there is replaced."""


@dataclass(frozen=True)
class Machine:
    """What runs a target's programs here, beside the executors of `--executor`.

    Attributes:
        place: the program or device that runs them.
        version: what it is, in words.
        record: the same in JSON form.
        executor: for a program, the seconds that all of its calls may take from now on, and what
            is told of progress: what runs images, as long as the context lasts.
    """

    place: str
    version: str
    record: Mapping[str, Json]
    executor: Callable[[Program, float, Advance], AbstractContextManager[Execute]]


@dataclass(frozen=True)
class Target:
    """Where programs go.

    Attributes:
        name: of `--on` and `--to`.
        title: its name in sentences.
        summary: a sentence for `snncc targets`.
        profiles: of the programs that it takes.
        here: whether it is this process that runs them, with the executors of `--executor`.
        machine: finds what runs them elsewhere, given the interpreter that the user names, and
            raises SnnccError with a reason where there is none; None where nothing ever does.
        export: writes a program into a folder, or into a file where the registry names its ending,
            and over an earlier export where it is told to; raises SnnccError for what the target
            has no form for; None where there is no such form.
        forms: the same by the names of `--form`, the one above first; none where there is but one.
        export_needs: raises SnnccError where something that exporting takes is not installed.
        asks_for_python: whether `machine` looks at the interpreter that the user names.
    """

    name: str
    title: str
    summary: str
    profiles: tuple[str, ...]
    here: bool = False
    machine: Callable[[Path | None], Machine] | None = None
    export: Export | None = None
    forms: Mapping[str, Export] = field(default_factory=dict[str, Export])
    export_needs: Callable[[], None] | None = None
    asks_for_python: bool = False

    @property
    def runs(self) -> bool:
        """Whether there is a way to run programs, on this machine or on another."""
        return self.here or self.machine is not None
