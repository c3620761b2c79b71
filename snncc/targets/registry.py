"""All profiles and targets by name; the package of one is imported when it is asked for."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snncc.diagnostics import SnnccError

if TYPE_CHECKING:
    from snncc.targets.profile import Profile
    from snncc.targets.target import Export, Target


@dataclass(frozen=True)
class Entry:
    """What is known of a target before its package is imported.

    Attributes:
        make: gives the target.
        runs: whether `--on` offers it.
        exports: whether `--to` offers it.
        forms: what `--form` offers for it, the usual one first.
        file: what is exported, and the ending of its name, where it is a file; None for a folder.
    """

    make: "Callable[[], Target]"
    runs: bool = False
    exports: bool = False
    forms: tuple[str, ...] = ()
    file: tuple[str, str] | None = None


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
    "onnx": Entry(
        _lazy("snncc.backends.onnx_graph.target", "onnx"),
        runs=True,
        exports=True,
        forms=("scan", "step"),
        file=("an ONNX graph", ".onnx"),
    ),
    "c": Entry(_lazy("snncc.backends.c99.target", "c"), exports=True, forms=("events", "dense")),
    "nir": Entry(
        _lazy("snncc.backends.nir_graph.target", "nir"), exports=True, file=("a NIR graph", ".nir")
    ),
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


def exporter(name: str, form: str | None = None) -> "Export":
    """What writes programs for a target.

    Args:
        name: of the target.
        form: in which it writes them; None for the usual one.

    Raises:
        SnnccError: SNN001 when there is no such target, nothing is exported to it, or not in this
            form.
    """
    target = target_named(name) if name in TARGETS else None
    if target is None or target.export is None:
        raise unknown("to", name, that_export())
    if form is None:
        return target.export
    if form not in target.forms:
        if not target.forms:
            raise SnnccError(
                "SNN001",
                f"--form {form} has no effect here",
                why=f"programs are exported to {name} in one form alone",
                help="leave --form out",
            )
        raise unknown("form", form, tuple(target.forms))
    return target.forms[form]


def that_have_forms() -> tuple[str, ...]:
    """Names of all forms that some target offers."""
    return tuple(dict.fromkeys(form for entry in TARGETS.values() for form in entry.forms))


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
