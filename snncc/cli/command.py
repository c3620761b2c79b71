"""A command of snncc: what it is given is checked as a whole before it does anything."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from snncc.cli.output import say
from snncc.cli.path_types import PathType
from snncc.cli.places import check_order, check_places, option_of

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

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command.

        Raises:
            SnnccError: SNN001 for every option that would have no effect, SNN002 for outputs that
                are inputs; what the types of its paths refuse.
        """
        refuse_options_in_vain(self, ctx)
        check_order(ctx.params)
        check_places(self, ctx.params)
        for param in self.params:
            value = ctx.params.get(param.name or "")
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


def is_given(ctx: click.Context, name: str) -> bool:
    """Whether the user gave a parameter, by the command line or by a variable."""
    source = ctx.get_parameter_source(name)
    return source in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)


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
