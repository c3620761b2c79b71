"""A command of snncc: what it is given is checked as a whole before it does anything."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from snncc.cli.manner import manner, shared_options
from snncc.cli.output import say
from snncc.cli.path_types import InputPath, PathType
from snncc.cli.places import check_order, check_places, option_of
from snncc.cli.project_file import defaults_for, say_defaults
from snncc.cli.standard_input import DASH, from_stdin

Given = Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """Options that have an effect under a condition only.

    Attributes:
        options: names of parameters.
        holds: whether they have an effect in a call with these values.
        why: they have none where it does not hold.
        help: what to do.
    """

    options: tuple[str, ...]
    holds: Callable[[Given], bool]
    why: str
    help: str = ""


class Command(click.Command):
    """Checks options against the command's rules, then its files against each other.

    Args:
        rules: which options need which others.
        attributes: of click.
    """

    def __init__(self, *attributes: Any, rules: Sequence[Rule] = (), **named: Any) -> None:
        super().__init__(*attributes, **named)
        self.rules = tuple(rules)
        self._shared = shared_options()

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own, then those that every command has."""
        return [*self.params, *self._shared, *super().get_params(ctx)[len(self.params) :]]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The call's options, and beneath them those of the project."""
        from snncc.cli.main import COMMANDS

        if not ctx.resilient_parsing:
            ctx.default_map = defaults_for(self, COMMANDS)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command.

        Raises:
            SnnccError: SNN001 for every option that would have no effect, SNN002 for outputs that
                are inputs; what the types of its paths refuse.
        """
        if manner().verbose:
            say_versions()
        refuse_options_in_vain(self, ctx)
        leave_out_in_vain(self, ctx)
        say_defaults(self, ctx)
        check_order(ctx.params)
        check_places(self, ctx.params)
        for param in self.params:
            value = ctx.params.get(param.name or "")
            if isinstance(param.type, InputPath) and param.type.piped and value == DASH:
                value = ctx.params[param.name or ""] = from_stdin(ctx)
            if isinstance(param.type, PathType) and isinstance(value, Path):
                param.type.check(value)
        return super().invoke(ctx)


def refuse_options_in_vain(command: Command, ctx: click.Context) -> None:
    """Raises SnnccError (SNN001) with every option that the call gives in vain."""
    from snncc.diagnostics import Finding, SnnccError

    params = {param.name: param for param in command.params}
    findings: list[Finding] = []
    seen: set[str] = set()
    for rule in command.rules:
        for name in rule.options:
            if name in seen or not is_given(ctx, name) or rule.holds(ctx.params):
                continue
            seen.add(name)
            option = option_of(params[name])
            help_ = rule.help or f"leave {option} out"
            findings.append(
                Finding("SNN001", f"{option} has no effect here", None, rule.why, help_)
            )
    if findings:
        raise SnnccError.of(findings)


def leave_out_in_vain(command: Command, ctx: click.Context) -> None:
    """Options of the project that would have no effect in this call are not given to it."""
    params = {param.name: param for param in command.params}
    there = dict(ctx.default_map or {})
    for rule in command.rules:
        for name in rule.options:
            if name in there and not is_given(ctx, name) and not rule.holds(ctx.params):
                del there[name]
                ctx.default_map = there
                default = params[name].default
                plain = default if isinstance(default, str | int | float) else None
                ctx.params[name] = params[name].process_value(ctx, plain)


def is_given(ctx: click.Context, name: str) -> bool:
    """Whether the user gave a parameter, by the command line or by a variable."""
    source = ctx.get_parameter_source(name)
    return source in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)


def say_versions() -> None:
    """What runs, for a report of a fault; nothing is imported for it."""
    import platform
    from importlib import metadata

    from snncc import __version__

    told = [f"snncc {__version__}", f"Python {platform.python_version()}"]
    for name in ("numpy", "numba", "torch"):
        try:
            told.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            told.append(f"no {name}")
    say(", ".join(told), err=True)


def say_limit(limit: int | None, there_are: int) -> None:
    """Says on stderr when a limit that the user gave is above the number of images."""
    ctx = click.get_current_context(silent=True)
    if ctx is None or is_given(ctx, "limit"):
        say_fewer("--limit", limit, there_are)


def say_fewer(option: str, wanted: int | None, there_are: int) -> None:
    """Says on stderr when an option asks for more images than there are."""
    if wanted is not None and wanted > there_are:
        images = "there is 1 image" if there_are == 1 else f"there are {there_are:,} images"
        say(f"note: {option} {wanted:,}: {images}", err=True)
