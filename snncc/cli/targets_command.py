"""`snncc targets`."""

from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from snncc import __version__
from snncc.cli.command import Command
from snncc.cli.output import print_facts, print_json, say

if TYPE_CHECKING:
    from snncc.targets.target import Target


@dataclass(frozen=True)
class Ability:
    """Whether this machine can do something for a target.

    Attributes:
        can: whether it can.
        how: with what, or by which option; "" where it cannot.
        why: why not; "" where it can.
        details: what was looked at in vain.
        help: what to do about that; "" where nothing helps.
    """

    can: bool
    how: str = ""
    why: str = ""
    details: tuple[str, ...] = ()
    help: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """The same for people."""
        first = f"yes: {self.how}" if self.can else f"no: {self.why}"
        return (first, *(f"  {each}" for each in self.details), *filter(None, (self.help,)))


@click.command("targets", cls=Command)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(as_json: bool) -> None:
    """List all targets, and what this machine can do for each.

    A target is where programs go. `compile` says which profiles of `snncc compile` suit it, `run`
    whether `snncc run --on` can run them here, `export` whether `snncc export --to` can write them;
    where one is not possible, the reason.
    """
    from snncc.targets import TARGETS, target_named

    found = {name: target_named(name) for name in TARGETS}
    able = {name: abilities(target) for name, target in found.items()}
    if as_json:
        print_json({"schema": 1, "snncc": __version__, "targets": _records(found, able)})
        return
    for place, (name, target) in enumerate(found.items()):
        if place:
            say()
        facts: list[tuple[str, object]] = [(name, target.summary)]
        facts += [(f"  {what}", ability.lines) for what, ability in able[name].items()]
        print_facts(facts)


def abilities(target: "Target") -> dict[str, Ability]:
    """What this machine can do for a target: "compile", "run", "export"."""
    return {"compile": _compile(target), "run": _run(target), "export": _export(target)}


def _compile(target: "Target") -> Ability:
    if find_spec("torch") is None:
        help_ = "pip install 'snncc[compile]'; programs run without it"
        return Ability(False, why="torch is not installed", help=help_)
    return Ability(True, f"--profile {' or '.join(target.profiles)}")


def _run(target: "Target") -> Ability:
    from snncc.diagnostics import SnnccError

    if target.here:
        return Ability(True, f"--on {target.name}, in this process")
    if target.machine is None:
        return Ability(False, why="nothing here runs its programs")
    try:
        machine = target.machine(None)
    except SnnccError as error:
        first = error.findings[0]
        return Ability(False, why=first.message, details=first.details, help=first.help)
    return Ability(True, f"--on {target.name}, {machine.version}, {machine.place}")


def _export(target: "Target") -> Ability:
    from snncc.diagnostics import SnnccError

    if target.export is None:
        why = "it runs the program's own file" if target.here else "nothing is exported to it"
        return Ability(False, why=why)
    try:
        if target.export_needs is not None:
            target.export_needs()
    except SnnccError as error:
        first = error.findings[0]
        return Ability(False, why=first.message, details=first.details, help=first.help)
    return Ability(True, " or ".join(f"--to {target.name}{form}" for form in _forms(target)))


def _forms(target: "Target") -> list[str]:
    return [f" --form {form}" for form in target.forms] or [""]


def _records(
    found: "dict[str, Target]", able: dict[str, dict[str, Ability]]
) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "summary": target.summary,
            "profiles": list(target.profiles),
            **{what: asdict(ability) for what, ability in able[name].items()},
        }
        for name, target in found.items()
    ]
