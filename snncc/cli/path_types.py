"""Parameters that name files and folders; each says what a command does with them.

Every parameter that takes a path has one of these types: `snncc.cli.places` reads from them what a
call reads and what it writes, and a test holds that no command takes a path in another way.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snncc.artifact.paths import is_file, is_folder, is_there

if TYPE_CHECKING:
    Base = click.ParamType[Any, Any]
else:  # it takes no types before click 8.2
    Base = click.ParamType

Given = Mapping[str, Any]
"""Values of a call by parameter name."""


_STREAM = re.compile(r"/dev/(stdin|stdout|stderr|fd/[^/]+)|/proc/[^/]+(/task/[^/]+)?/fd/[^/]+")
_MOST_LINKS = 40


@dataclass(frozen=True)
class Place:
    """A file or folder of a call.

    Attributes:
        option: as the user knows it: "-o", "PROGRAM".
        path: of it.
        writes: whether the call writes there.
        folder: whether it is, or will be, a folder.
    """

    option: str
    path: Path
    writes: bool
    folder: bool


class PathType(Base):
    """A path; an empty one is refused, and "-" unless it stands for stdin."""

    name = "path"
    writes = False

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, checked.

        Raises:
            click.BadParameter: it is empty, or "-".
        """
        if isinstance(value, Path):
            return value
        if not value.strip():
            self.fail("the path is empty", param, ctx)
        if value == "-":
            what = "to stdout" if self.writes else "from stdin"
            self.fail(f"nothing goes {what}: give the name of a file", param, ctx)
        if self.writes and _is_stream(Path(value)):
            self.fail(f"{value} is no file: give the name of one", param, ctx)
        return self.kept(value)

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> Any:
        """Names of files, which the shell knows."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]

    def kept(self, value: str) -> Any:
        """What the command gets."""
        return Path(value)

    def check(self, value: Any) -> None:
        """Raises SnnccError for a value that the command cannot take, as far as that is quick."""

    def places(self, value: Any, option: str, given: Given) -> list[Place]:
        """What a value names."""
        return [Place(option, value, self.writes, is_folder(value))]


class InputPath(PathType):
    """A file that is read; that a folder is none is for the command to say.

    Args:
        piped: whether "-" stands for a program that comes through stdin.
    """

    def __init__(self, piped: bool = False) -> None:
        self.piped = piped

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; "-" itself where it stands for stdin, which the command then reads."""
        if self.piped and value == "-":
            return Path(value)
        return super().convert(value, param, ctx)

    def places(self, value: Any, option: str, given: Given) -> list[Place]:
        return [Place(option, value, False, False)]


class ProgramPath(InputPath):
    """What `snncc compile` wrote; a file that is not there is refused before much is imported."""

    def __init__(self) -> None:
        super().__init__(piped=True)

    def check(self, value: Any) -> None:
        from snncc.artifact.program_file import require_program_file

        require_program_file(value)


class InterpreterPath(PathType):
    """A Python, or the folder of its environment."""


class OutputFile(PathType):
    """A file that is written.

    Args:
        what: it is.
        suffix: that its name should have.
    """

    writes = True

    def __init__(self, what: str, suffix: str) -> None:
        self.what, self.suffix = what, suffix

    def places(self, value: Any, option: str, given: Given) -> list[Place]:
        return [Place(option, value, True, False)]


class StoreFile(OutputFile):
    """A file of SQLite, which writes and deletes others beside it."""

    def places(self, value: Any, option: str, given: Given) -> list[Place]:
        from snncc.evaluation.store_files import companions

        every = (value, *companions(value))
        return [Place(option, path, True, False) for path in every]


class OutputFolder(PathType):
    """A folder in which files are written, or which is replaced."""

    writes = True

    def places(self, value: Any, option: str, given: Given) -> list[Place]:
        return [Place(option, value, True, True)]


class OutputOfTarget(OutputFolder):
    """What is exported: a folder, or a file where the registry says so of the target."""

    def file_in(self, given: Given) -> OutputFile | None:
        """The file that a call writes; None for a folder."""
        from snncc.targets.registry import TARGETS

        entry = TARGETS.get(given["target"])
        return None if entry is None or entry.file is None else OutputFile(*entry.file)

    def places(self, value: Any, option: str, given: Given) -> list[Place]:
        return [Place(option, value, True, self.file_in(given) is None)]


class DataPath(PathType):
    """An array, FILE.npz:KEY, or with it a folder of images; the command gets the text."""

    def kept(self, value: str) -> Any:
        return value

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value.startswith(":"):
            self.fail(f"{value!r} names a key and no file: give FILE.npz{value}", param, ctx)
        return super().convert(value, param, ctx)

    def places(self, value: Any, option: str, given: Given) -> list[Place]:
        from snncc.data.specs import split_spec

        path = split_spec(value)[0]
        return [Place(option, path, False, is_folder(path))]


class KeyOrDataPath(DataPath):
    """A key of the file in another parameter, or an array of its own.

    Args:
        beside: names of these parameters; the first that is given counts.
    """

    def __init__(self, *beside: str) -> None:
        self.beside = beside or ("data",)

    def places(self, value: Any, option: str, given: Given) -> list[Place]:
        from snncc.data.specs import in_data_file, split_spec

        data = next((given[name] for name in self.beside if given[name] is not None), None)
        if value == "folders" or (data is not None and in_data_file(value, data)):
            return []
        path = split_spec(value)[0]
        return [Place(option, path, False, False)] if is_there(path) else []


class ChipName(PathType):
    """A chip's name, or the path of its description; the command gets the text."""

    def kept(self, value: str) -> Any:
        return value

    def places(self, value: Any, option: str, given: Given) -> list[Place]:
        """The file, where there is one: a name that is shipped is none."""
        path = Path(value)
        return [Place(option, path, False, False)] if is_there(path) else []

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> Any:
        """The shipped names that begin so."""
        from click.shell_completion import CompletionItem

        from snncc.chips.reading import shipped

        return [CompletionItem(name) for name in shipped() if name.startswith(incomplete)]


class ModelName(Base):
    """mixer-snn, or package.module:factory, whose file is read."""

    name = "text"

    def places(self, value: Any, option: str, given: Given) -> list[Place]:
        """The module's own file and those of its packages, where the working folder has them."""
        parts = value.partition(":")[0].split(".")
        stems = [Path(*parts[: count + 1]) for count in range(len(parts))] if all(parts) else []
        files = [stem.with_suffix(".py") for stem in stems[-1:]]
        files += [stem / "__init__.py" for stem in stems]
        return [Place(option, file, False, False) for file in files if is_file(file)]


def _is_stream(path: Path) -> bool:
    """Whether a path leads, by links too, to a stream of a process, whatever that is open on."""
    for _ in range(_MOST_LINKS):
        path = Path(os.path.realpath(path.parent)) / path.name
        if _STREAM.fullmatch(str(path)):
            return True
        if not os.path.islink(path):
            return False
        path = path.parent / os.readlink(path)
    return False
