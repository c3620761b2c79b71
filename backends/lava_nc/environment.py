"""Finds a Python that has Lava: lava-nc 0.10.0, which exists for Python 3.10 only.

The order is: what the user names (an option, or SNNCC_LAVA_PYTHON), else the environment that
`snncc doctor --make-lava` makes, else every Python 3.10 of the machine. Each is asked in a child
process, for only it can say whether Lava can be imported there.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snncc.artifact.paths import is_folder
from snncc.diagnostics import SnnccError

LAVA_VERSION = "0.10.0"
PYTHON_VERSION = (3, 10)
VARIABLE = "SNNCC_LAVA_PYTHON"
MAKE = "snncc doctor --make-lava"
ISOLATED = ("-E", "-s")
"""No PYTHONPATH, no packages of the user: what is checked here is what runs later."""

CHECK_SECONDS = 120.0
"""The first import on a cold disk takes tens of seconds."""

STATE_FILE = ".snncc-lava.json"
COMPLETE = "complete"

_QUESTION = """
import json, sys
answer = {"version": list(sys.version_info[:3])}
try:
    from importlib.metadata import version
    answer["lava"] = version("lava-nc")
    import numpy
    answer["numpy"] = numpy.__version__
    import lava.magma.core.process.process
    answer["imported"] = True
except Exception as error:
    answer["reason"] = f"{type(error).__name__}: {error}"
print(json.dumps(answer))
"""


@dataclass(frozen=True)
class LavaEnvironment:
    """A Python that has Lava.

    Attributes:
        python: the interpreter.
        source: how it was found.
        version: of Python.
        lava: version of lava-nc.
        numpy: version of NumPy.
    """

    python: Path
    source: str
    version: str
    lava: str
    numpy: str


@dataclass(frozen=True)
class Refused:
    """A place that was looked at in vain.

    Attributes:
        place: interpreter or folder.
        source: why it was looked at.
        reason: why it does not do.
    """

    place: Path
    source: str
    reason: str

    def __str__(self) -> str:
        return f"{shown(self.place)} ({self.source}): {self.reason}"


@dataclass(frozen=True)
class Search:
    """What was found, and what was looked at before."""

    found: LavaEnvironment | None
    refused: tuple[Refused, ...]


def shown(path: Path) -> str:
    """A path as people write it: from ~ where it is in the home folder."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


def own_folder() -> Path:
    """Where `--make-lava` puts the environment: in the user's data, one for all projects."""
    data = os.environ.get("XDG_DATA_HOME", "")
    base = Path(data) if Path(data).is_absolute() else Path.home() / ".local/share"
    return base / "snncc/lava"


def find_lava(given: Path | None = None) -> Search:
    """Looks for a Lava environment.

    Args:
        given: the interpreter, or the folder of its environment, that the user names; then nothing
            else is looked at.
    """
    refused: list[Refused] = []
    if given is not None:
        places = [(_interpreter(given), "--lava-python")]
    elif os.environ.get(VARIABLE):
        places = [(_interpreter(Path(os.environ[VARIABLE])), VARIABLE)]
    else:
        places = _usual_places(refused)
    for python, source in places:
        answer = check(python, source)
        if isinstance(answer, LavaEnvironment):
            return Search(answer, tuple(refused))
        refused.append(answer)
    return Search(None, tuple(refused))


def require_lava(given: Path | None = None) -> LavaEnvironment:
    """The Lava environment.

    Raises:
        SnnccError: SNN051 with every place that was looked at, and the command that makes one.
    """
    search = find_lava(given)
    if search.found is not None:
        return search.found
    first = f"`{MAKE}` makes one"
    if find_python() is None:
        first = f"install Python 3.10 (python3.10 on the PATH, or pyenv), then {first}"
    raise SnnccError(
        "SNN051",
        "no Lava environment is found",
        why=f"lava-nc {LAVA_VERSION}, which exists for Python 3.10 only, is in none of:",
        help=f"{first}; or name the interpreter of another with --lava-python or {VARIABLE}",
        details=tuple(map(str, search.refused)),
    )


def check(python: Path, source: str) -> LavaEnvironment | Refused:
    """Asks an interpreter for its Lava."""
    state = read_state(python.parent.parent)
    if state is not None and state.get("state") != COMPLETE:
        return Refused(python.parent.parent, source, f"half made; `{MAKE}` makes it whole")
    try:
        answer = _ask(python, _QUESTION)
    except _NoAnswerError as error:
        return Refused(python, source, str(error))
    version = ".".join(map(str, answer["version"]))
    if tuple(answer["version"][:2]) != PYTHON_VERSION:
        return Refused(python, source, f"it is Python {version}; Lava needs 3.10")
    if not answer.get("imported"):
        known = answer.get("lava")
        reason = f"lava-nc {known} fails: {answer['reason']}" if known else "it has no lava-nc"
        return Refused(python, source, reason)
    if answer["lava"] != LAVA_VERSION:
        return Refused(python, source, f"it has lava-nc {answer['lava']}, not {LAVA_VERSION}")
    return LavaEnvironment(python, source, version, answer["lava"], answer["numpy"])


def find_python() -> Path | None:
    """A Python 3.10 that can make virtual environments."""
    question = "import ensurepip, json, sys, venv; print(json.dumps(sys.version_info[:2]))"
    for python in _pythons():
        try:
            if tuple(_ask(python, question)) == PYTHON_VERSION:
                return python
        except _NoAnswerError:
            continue
    return None


class _NoAnswerError(Exception):
    """An interpreter does not answer; says why."""


def _ask(python: Path, question: str) -> Any:
    """What an interpreter prints in JSON. Raises _NoAnswerError."""
    command = [str(python), *ISOLATED, "-c", question]
    try:
        run = subprocess.run(  # noqa: S603 (an interpreter that the user has)
            command,
            capture_output=True,
            text=True,
            timeout=CHECK_SECONDS,
            cwd="/",  # not a folder of the user, whose modules would be found first
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if run.returncode == 0:
            return json.loads(run.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired as error:
        raise _NoAnswerError(f"it does not answer within {CHECK_SECONDS:g} s") from error
    except OSError as error:
        raise _NoAnswerError(f"it cannot be run: {error.strerror}") from error
    except (ValueError, IndexError) as error:
        raise _NoAnswerError("it is no Python") from error
    first = run.stderr.strip().splitlines()[:1] or ["it says nothing"]
    raise _NoAnswerError(f"it fails with exit status {run.returncode}: {first[0]}")


def _interpreter(named: Path) -> Path:
    """The interpreter that the user names by itself or by its environment's folder."""
    python = named / "bin/python" if is_folder(named) else named
    return Path(shutil.which(python) or python).absolute()


def _usual_places(refused: list[Refused]) -> list[tuple[Path, str]]:
    """Interpreters to ask, in order."""
    folder, source = own_folder(), f"made by `{MAKE}`"
    own = [(folder / "bin/python", source)]
    if not folder.exists():
        refused.append(Refused(folder, source, "it does not exist"))
        own = []
    return [*own, *_pythons().items()]


def _pythons() -> dict[Path, str]:
    """Python 3.10 on the PATH, then pyenv's, newest first; each with how it was found."""
    found: dict[Path, str] = {}
    for folder in os.get_exec_path():
        if path := shutil.which("python3.10", path=folder):
            found.setdefault(Path(path), "PATH")
    for root in (os.environ.get("PYENV_ROOT") or "~/.pyenv", "~/.pyenv"):
        versions = Path(root).expanduser().glob("versions/3.10*/bin/python")
        for python in sorted(versions, key=_release, reverse=True):
            found.setdefault(python, "pyenv")
    return found


def _release(python: Path) -> tuple[int, ...]:
    return tuple(int(p) for p in python.parent.parent.name.split(".") if p.isdecimal())


def read_state(folder: Path) -> Mapping[str, str] | None:
    """What `--make-lava` wrote about its environment; None where it made none."""
    try:
        state: Mapping[str, str] = json.loads((folder / STATE_FILE).read_text())
    except OSError:
        return None
    except ValueError:
        return {}
    return state
