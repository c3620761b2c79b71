"""`snncc doctor`."""

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snncc import __version__
from snncc.cli.command import Command, Rule
from snncc.cli.output import print_facts, print_json, say
from snncc.cli.path_types import InterpreterPath, OutputFolder
from snncc.diagnostics.codes import MISSING_DEPENDENCY

if TYPE_CHECKING:
    from snncc.backends.lava_nc.environment import Search

OWN_FOLDER = Path("your data folder")
"""Stands for it where --make-lava names none."""
RULES = (
    Rule(
        ("lava_python",),
        lambda given: given["making"] is None,
        "--make-lava looks at the environment that it makes",
    ),
)
PACKAGES = {
    "numpy": "",
    "numba": "",
    "torch": "needed to compile",
    "onnx": "not needed",
    "onnxruntime": "not needed",
}
"""Packages of this Python, and what it means when one is missing."""


@click.command("doctor", cls=Command, rules=RULES)
@click.option(
    "--make-lava",
    "making",
    type=OutputFolder(),
    is_flag=False,
    flag_value=OWN_FOLDER,
    metavar="[DIR]",
    help="Make a Lava environment, in DIR or in your data folder; safe to repeat.",
)
@click.option("--lava-python", type=InterpreterPath(), help="Look at this one only.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(making: Path | None, lava_python: Path | None, as_json: bool) -> int:
    """Say what this machine has for snncc, and make a Lava environment.

    Lava (lava-nc 0.10.0) exists for Python 3.10 only, so it lives in an environment of its own,
    where `snncc run --on lava` starts it.

    Exit code 0; 5 when --lava-python names an interpreter that has no Lava.
    """
    from snncc.backends.lava_nc.environment import VARIABLE, find_lava, find_python

    if making is not None:
        from snncc.backends.lava_nc.making import make_lava

        folder = None if making == OWN_FOLDER else making
        made = make_lava(folder, lambda line: say(line, err=True))
        if folder is not None:
            lava_python = made.python
            say(f"to use it: --lava-python {folder}, or {VARIABLE}={folder}", err=True)
    search = find_lava(lava_python)
    record: dict[str, Any] = {
        "schema": 1,
        "snncc": __version__,
        "python": {"version": platform.python_version(), "path": sys.executable},
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "packages": {name: _version(name) for name in PACKAGES},
        "threads": _threads(),
        "unit_cache": _unit_cache(),
        "python310": str(find_python() or "") or None,
        "lava": _lava(search),
    }
    if as_json:
        print_json(record)
    else:
        _print(record, search)
    return MISSING_DEPENDENCY if lava_python is not None and search.found is None else 0


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _threads() -> int | None:
    """Threads of the simulator; None where it lacks a package."""
    try:
        from snncc.runtime.simulator import threads_here
    except ImportError:
        return None
    return threads_here()


def _unit_cache() -> str | None:
    """Where the units' machine code is kept, as soon as there is some; None: nowhere."""
    from snncc.machine.user_cache import cache_folder

    folder = cache_folder()
    return None if folder is None else str(folder)


def _lava(search: "Search") -> dict[str, Any]:
    found = search.found
    record: dict[str, Any] = {"found": found is not None}
    if found is not None:
        record |= {"python": str(found.python), "version": found.version, "lava-nc": found.lava}
        record |= {"numpy": found.numpy, "source": found.source}
    record["refused"] = [
        {"place": str(r.place), "source": r.source, "reason": r.reason} for r in search.refused
    ]
    return record


def _print(record: dict[str, Any], search: "Search") -> None:
    from snncc.backends.lava_nc.environment import shown

    python = record["python"]
    facts: list[tuple[str, object]] = [
        ("snncc", record["snncc"]),
        ("python", f"{python['version']}, {shown(Path(python['path']))}"),
        ("machine", f"{record['platform']}, {record['cpus']} CPUs, {record['threads']} threads"),
    ]
    for name, note in PACKAGES.items():
        missing = f"not installed ({note})" if note else "not installed"
        facts.append((name, record["packages"][name] or missing))
    nowhere = "nowhere: set SNNCC_CACHE_DIR to a writable folder"
    kept = record["unit_cache"]
    facts.append(("kernel cache", shown(Path(kept)) if kept else nowhere))
    base = record["python310"]
    facts.append(("Python 3.10", shown(Path(base)) if base else "not found"))
    found = search.found
    if found is None:
        facts.append(("Lava", "not found"))
    else:
        facts.append(("Lava", f"lava-nc {found.lava}, Python {found.version}, numpy {found.numpy}"))
        facts.append(("", f"{shown(found.python)} ({found.source})"))
    print_facts(facts)
    if found is None:
        say()
        say("Looked for lava-nc in")
        for refused in search.refused:
            say(f"  {refused}")
        if record["python310"] is None:
            say("Lava needs Python 3.10: install it (python3.10 on the PATH, or pyenv). Then")
        say("Make an environment with: snncc doctor --make-lava")
