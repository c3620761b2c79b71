"""All profiles and targets by name; the package of one is imported when it is asked for."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snncc.diagnostics import SnnccError

if TYPE_CHECKING:
    from pathlib import Path

    from snncc.artifact import Program
    from snncc.targets.profile import Profile
    from snncc.targets.target import Exported, Target


@dataclass(frozen=True)
class Entry:
    """What is known of a target before its package is imported.

    Attributes:
        make: gives the target.
        runs: whether `--on` offers it.
        exports: whether `--to` offers it.
    """

    make: "Callable[[], Target]"
    runs: bool = False
    exports: bool = False


def _lazy(module: str, name: str) -> Callable[[], Any]:
    """A function of a module that is imported with the first call."""
    return lambda: getattr(importlib.import_module(module), name)()


PROFILES: "dict[str, Callable[[], Profile]]" = {
    "exact": _lazy("snncc.targets.exact", "exact"),
    "loihi-lava": _lazy("snncc.backends.lava_nc.target", "loihi_lava"),
}
TARGETS: dict[str, Entry] = {
    "cpu": Entry(_lazy("snncc.targets.cpu", "cpu"), runs=True),
    "lava": Entry(_lazy("snncc.backends.lava_nc.target", "lava"), runs=True, exports=True),
}


def profile_named(name: str) -> "Profile":
    """A profile.

    Raises:
        SnnccError: SNN001 when there is none of this name.
    """
    if name not in PROFILES:
        raise unknown("profile", name, tuple(PROFILES))
    return PROFILES[name]()


def target_named(name: str) -> "Target":
    """A target.

    Raises:
        SnnccError: SNN001 when there is none of this name.
    """
    if name not in TARGETS:
        raise unknown("on", name, tuple(TARGETS))
    return TARGETS[name].make()


def exporter(name: str) -> "Callable[[Program, Path, bool], Exported]":
    """What writes programs for a target.

    Raises:
        SnnccError: SNN001 when there is no such target, or nothing is exported to it.
    """
    write = target_named(name).export if name in TARGETS else None
    if write is None:
        raise unknown("to", name, that_export())
    return write


def that_run() -> tuple[str, ...]:
    """Names of the targets that run programs."""
    return tuple(name for name, entry in TARGETS.items() if entry.runs)


def that_export() -> tuple[str, ...]:
    """Names of the targets that programs can be exported to."""
    return tuple(name for name, entry in TARGETS.items() if entry.exports)


def unknown(option: str, value: object, allowed: tuple[str | None, ...]) -> SnnccError:
    """The error for a choice that there is not."""
    return SnnccError(
        "SNN001",
        f"--{option} {value} is not supported",
        help=f"one of: {', '.join(filter(None, allowed))}",
    )
