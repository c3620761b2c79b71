"""Makes a Lava environment: a virtual environment of Python 3.10 with lava-nc in it."""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from snncc.backends.lava_nc.environment import (
    COMPLETE,
    ISOLATED,
    LAVA_VERSION,
    MAKE,
    STATE_FILE,
    LavaEnvironment,
    check,
    find_python,
    own_folder,
    read_state,
)
from snncc.diagnostics import SnnccError

CONSTRAINTS = Path(__file__).with_name("constraints.txt")
MAKING = "making"
PARTS = {STATE_FILE, ".gitignore", "pyvenv.cfg", "bin", "etc", "include", "lib", "lib64", "share"}
"""What an environment consists of; a folder with anything else is not made again."""


def make_lava(folder: Path | None, report: Callable[[str], None]) -> LavaEnvironment:
    """Makes the environment, or finds that it is there already.

    The folder says in a file of ours whether it is whole. Whatever interrupts the making, the next
    one starts again, and nobody takes half an environment for a whole one.

    Args:
        folder: where; None for `own_folder()`.
        report: told what is being done, and what pip says.

    Returns:
        The environment, checked.

    Raises:
        SnnccError: SNN052 without a Python 3.10, when the folder holds something else or another
            process is making it, or when the installation fails.
    """
    target = (own_folder() if folder is None else folder).absolute()
    with _locked(target) as lock:
        state = read_state(target)
        foreign = sorted(each.name for each in target.iterdir() if each.name not in PARTS)
        if foreign or (state is None and any(target.iterdir())):
            what = f": {', '.join(foreign[:5])}" if foreign else ""
            raise _cannot(f"{target} holds something else{what}", "give a new or an empty folder")
        source = f"made by `{MAKE}`"
        if state is not None and state.get("state") == COMPLETE:
            there = check(target / "bin/python", source)
            if isinstance(there, LavaEnvironment):
                report(f"{target} is there already and works")
                return there
            report(f"{there}: made again")
        python = find_python()
        if python is None:
            raise _cannot(
                "there is no Python 3.10 on this machine",
                "install it (python3.10 with its venv module on the PATH, or `pyenv install 3.10`)",
            )
        _write_state(target, MAKING)
        _clear(target)
        own = target / "bin/python"
        report(f"a virtual environment of {python} in {target}")
        _call([str(python), *ISOLATED, "-m", "venv", str(target)], lock, report)
        report(f"installing lava-nc {LAVA_VERSION}, 80 MB to download")
        pip = [str(own), *ISOLATED, "-m", "pip", "install", "--disable-pip-version-check"]
        _call([*pip, "-c", str(CONSTRAINTS), f"lava-nc=={LAVA_VERSION}"], lock, report)
        _write_state(target, COMPLETE)
        made = check(own, source)
        if not isinstance(made, LavaEnvironment):
            _write_state(target, MAKING)
            raise _cannot(f"what was installed does not work: {made.reason}", "see what pip said")
        return made


@contextmanager
def _locked(target: Path) -> Generator[int]:
    """Makes the folder and keeps other makers away from it, with a lock that dies with us."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        lock = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        reason = f"{target} cannot be made: {error.strerror}"
        raise _cannot(reason, "choose another with --make-lava DIR") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield lock
        finally:
            if not any(target.iterdir()):
                target.rmdir()
    except BlockingIOError as error:
        raise _cannot(f"another process is making {target}", "wait for it to end") from error
    finally:
        os.close(lock)


def _clear(target: Path) -> None:
    """Removes what an interrupted making left, except the file that says so."""
    for entry in target.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != STATE_FILE:
            entry.unlink()


def _write_state(target: Path, state: str) -> None:
    """A torn file is one that does not say "complete"."""
    facts = {"schema": 1, "state": state, "lava": LAVA_VERSION}
    (target / STATE_FILE).write_text(json.dumps(facts) + "\n")


def _call(command: Sequence[str], lock: int, report: Callable[[str], None]) -> None:
    """Runs a step and reports its lines; it holds the lock too, should we be killed meanwhile."""
    last = ""
    with subprocess.Popen(  # noqa: S603 (the user's Python 3.10, and its pip)
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=(lock,),
    ) as process:
        try:
            for line in process.stdout or ():
                last = line.rstrip() or last
                report(f"  {line.rstrip()}")
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise _cannot(
            f"a step fails with exit status {process.returncode}: {last}",
            "a network or a mirror of the package index is needed; then run it again",
        )


def _cannot(reason: str, help: str) -> SnnccError:
    return SnnccError("SNN052", "a Lava environment cannot be made", why=reason, help=help)
