"""Writes docs/reference/cli.md from the commands themselves: `python docs/tools/cli_reference.py`.

A test holds that the page is as this writes it.
"""

import inspect
import re
from pathlib import Path

import click

from snncc.cli.main import COMMANDS, cli
from snncc.cli.manner import shared_options
from snncc.cli.project_file import by_hand
from snncc.cli.registered import Registered

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/cli.md"


def option_row(option: click.Option) -> str:
    """One option as a row: how it is written, what it does, its default."""
    words = ", ".join(option.opts) + (f" {value_of(option)}" if not option.is_flag else "")
    text = [option.help or "", "*Required.*" if option.required else ""]
    if option.show_default and option.default is not None:
        text.append(f"Default: `{option.default}`.")
    if option.multiple:
        text.append("May be repeated.")
    if by_hand(option):
        text.append("Not taken from `snncc.toml`.")
    return f"| <code>{in_cell(words)}</code> | {in_cell(' '.join(filter(None, text)))} |"


def value_of(option: click.Option) -> str:
    """What stands for an option's value; without click's own words, which change."""
    kind = option.type
    if option.metavar is not None:
        return option.metavar
    if isinstance(kind, click.Choice | Registered):
        names = kind.names() if isinstance(kind, Registered) else kind.choices
        return f"[{'|'.join(map(str, names))}]"
    return kind.name.split()[0].upper()


def in_cell(text: str) -> str:
    """Text in a cell of a table, where a bar would end it."""
    return text.replace("|", "&#124;").replace("<", "&lt;")


def word_of(argument: click.Parameter) -> str:
    """An argument as a call has it."""
    word = argument.metavar or argument.human_readable_name
    word = f"{word}..." if argument.nargs == -1 else word
    return word if argument.required else f"[{word}]"


def section(name: str, command: click.Command) -> list[str]:
    """What a command is called with, does, and takes."""
    words = [word_of(param) for param in command.params if isinstance(param, click.Argument)]
    text = re.sub(r"\n(?!\n)", "\n", inspect.cleandoc(command.help or ""))
    lines = [
        f"## `snncc {name}`",
        "",
        "```",
        " ".join([f"snncc {name} [OPTIONS]", *words]),
        "```",
        "",
    ]
    lines += [text, ""]
    options = [param for param in command.params if isinstance(param, click.Option)]
    if options:
        rows = [option_row(option) for option in options]
        lines += ["| option | what |", "| --- | --- |", *rows, ""]
    return lines


def page() -> str:
    """The page."""
    context = click.Context(cli, info_name="snncc")
    shared = [p for p in shared_options() if isinstance(p, click.Option)]
    lines = [
        "# Commands",
        "",
        "`python docs/tools/cli_reference.py` writes this page from the commands themselves.",
        "[cli.md](../cli.md) says what they have in common.",
        "",
        inspect.cleandoc(cli.help or ""),
        "",
        "Every command takes, and so does `snncc` before the command's name:",
        "",
        "| option | what |",
        "| --- | --- |",
        *(option_row(option) for option in shared),
        "| `-h, --help` | Show the command's help and exit. |",
        "",
    ]
    for name in COMMANDS:
        command = cli.get_command(context, name)
        if command is not None:
            lines += section(name, command)
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page())
