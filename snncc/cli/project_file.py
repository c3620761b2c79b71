"""Options of a project: `snncc.toml` in the working folder.

    [compile]
    normalize = "0.3,0.35"
    calibrate = "train.npz:x"
    layer-bits = ["stem=8", "head=6"]

An option of the command line goes before one of the file. What runs code, and what is written or
replaced, is not taken from a file: a folder from somebody else has one too.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import click
from click.core import ParameterSource

from snncc.cli.output import say
from snncc.cli.path_types import InterpreterPath, ModelName, PathType
from snncc.cli.places import option_of
from snncc.diagnostics import Finding, SnnccError

FILE = Path("snncc.toml")
CODE = "SNN006"
ONLY_BY_HAND = frozenset({"arg", "force", "restart", "scheduler"})
"""Options beside those whose types say so: a scheduler's answers are pickles, which run code."""
MOST = 1 << 20
"""Bytes of the file."""


def defaults_for(command: click.Command, names: Mapping[str, str]) -> dict[str, Any]:
    """What the file of the working folder says for a command, by parameter name.

    Args:
        command: which.
        names: of all commands.

    Raises:
        SnnccError: SNN006 with everything in the file that is not valid, as far as the command is
            concerned.
    """
    if not FILE.is_file():
        return {}
    record = _read()
    findings = [_no_command(name, names) for name in record if name not in names]
    table = record.get(command.name or "", {})
    if not isinstance(table, dict):
        findings.append(_finding(f"{command.name} is no table", "", f"write [{command.name}]"))
        table = {}
    options = {_key(p): p for p in command.params if isinstance(p, click.Option)}
    found: dict[str, Any] = {}
    for key, value in cast("dict[str, Any]", table).items():
        place = f"[{command.name}] {key}"
        option = options.get(key)
        if option is None:
            close = get_close_matches(key, options, 2)
            help_ = f"perhaps {' or '.join(close)}" if close else f"see `snncc {command.name} -h`"
            findings.append(_finding(f"{place}: there is no such option", "", help_))
        elif by_hand(option):
            why = "it runs code, or something is written or replaced there"
            help_ = f"give --{key} on the command line"
            findings.append(_finding(f"{place} is not taken from a file", why, help_))
        else:
            text = _as_given(value, option)
            if text is None:
                findings.append(_finding(f"{place} is {value!r}", "", f"write {_form(option)}"))
            else:
                found[option.name or ""] = text
    if findings:
        raise SnnccError.of(findings)
    return found


def by_hand(option: click.Option) -> bool:
    """Whether an option is taken from the command line only."""
    kind = option.type
    if isinstance(kind, ModelName | InterpreterPath) or _key(option) in ONLY_BY_HAND:
        return True
    return isinstance(kind, PathType) and kind.writes


def say_defaults(command: click.Command, ctx: click.Context) -> None:
    """Says on stderr which options come from the file."""
    if not ctx.default_map:
        return
    told = [
        f"{option_of(param)} {_shown(ctx.default_map[param.name])}".rstrip()
        for param in command.params
        if param.name in ctx.default_map
        and ctx.get_parameter_source(param.name) == ParameterSource.DEFAULT_MAP
    ]
    if told:
        say(f"note: from {FILE}: {', '.join(told)}", err=True)


def _read() -> dict[str, Any]:
    import tomllib

    try:
        if FILE.stat().st_size > MOST:
            raise SnnccError(CODE, f"{FILE} cannot be read", why=f"it has more than {MOST:,} bytes")
        return tomllib.loads(FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SnnccError(
            CODE, f"{FILE} cannot be read", why=reason or "", help="mend it, or take it away"
        ) from error


def _no_command(name: str, names: Mapping[str, str]) -> Finding:
    close = get_close_matches(name, names, 1)
    help_ = f"perhaps [{close[0]}]" if close else f"there are {', '.join(names)}"
    return _finding(f"no command is called {name!r}", "", help_)


def _finding(message: str, why: str, help_: str) -> Finding:
    return Finding(CODE, f"{FILE}: {message}", None, why, help_)


def _key(option: click.Parameter) -> str:
    return option_of(option).removeprefix("--")


def _as_given(value: object, option: click.Option) -> Any:
    """A value as the command line would give it; None for one of a wrong kind."""
    if option.is_flag:
        return value if isinstance(value, bool) else None
    if option.multiple:
        each = [*cast("list[object]", value)] if isinstance(value, list) else [value]
        texts = [_text(one) for one in each]
        return None if None in texts else texts
    return _text(value)


def _text(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value)


def _form(option: click.Option) -> str:
    if option.is_flag:
        return "true or false"
    return "a text, a number or a list of them" if option.multiple else "a text or a number"


def _shown(value: Any) -> str:
    if value is True:
        return ""
    return " ".join(cast("list[str]", value)) if isinstance(value, list) else str(value)
