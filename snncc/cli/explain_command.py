"""`snncc explain`."""

import re
from difflib import get_close_matches
from importlib.resources import files
from typing import Any

import click

from snncc.cli.command import Command
from snncc.cli.manner import styled
from snncc.cli.output import print_json, print_table, say
from snncc.cli.path_types import Base
from snncc.diagnostics import CODES, SnnccError

PAGE = "diagnostics.md"
"""What every code means: docs/diagnostics.md, which the package ships."""
EXITS = {
    1: "the answer is no",
    2: "usage",
    3: "unreadable or damaged file",
    4: "the model has something unsupported",
    5: "an optional dependency is missing",
    6: "a backend failed or took too long",
}


class CodeName(Base):
    """A code of `CODES`, in any spelling that leaves no doubt: SNN020, snn020, 20."""

    name = "text"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The code as the registry has it; the text as it came where there is none."""
        digits = re.fullmatch(r"(?:snn)?0*(\d{1,3})", str(value).strip().lower())
        return f"SNN{int(digits[1]):03d}" if digits else str(value)

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> Any:
        """The codes that begin so, with their titles."""
        from click.shell_completion import CompletionItem

        return [
            CompletionItem(code, help=entry.title)
            for code, entry in CODES.items()
            if code.startswith(incomplete.upper())
        ]


@click.command("explain", cls=Command)
@click.argument("code", type=CodeName(), required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(code: str | None, as_json: bool) -> None:
    """Say what the code of an error means, why there is one, and what to do.

    CODE is as errors print it: SNN020, or 20. Without one, all are listed.
    """
    if code is None:
        if as_json:
            codes = {name: _record(name) for name in CODES}
            print_json({"schema": 1, "codes": codes})
            return
        rows = [(name, entry.exit_code, entry.title) for name, entry in CODES.items()]
        print_table(rows, ("code", "exit", "title"), left=3)
        return
    if code not in CODES:
        close = get_close_matches(code, CODES, 3)
        raise SnnccError(
            "SNN005",
            f"there is no code {code}",
            help=f"perhaps {', '.join(close)}" if close else "`snncc explain` lists all codes",
        )
    if as_json:
        print_json({"schema": 1, "code": code, **_record(code)})
        return
    entry = CODES[code]

    say(styled(f"{code}: {entry.title}", "head"))
    say(f"exit code {entry.exit_code}: {EXITS[entry.exit_code]}")
    say()
    for line in shown(section(code)):
        say(line)


def _record(code: str) -> dict[str, Any]:
    entry = CODES[code]
    return {"title": entry.title, "exit_code": entry.exit_code, "text": section(code)}


def section(code: str) -> str:
    """What the page says of a code, in Markdown, without the heading."""
    page = (files("snncc.diagnostics") / PAGE).read_text(encoding="utf-8")
    for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        if f"`{code}`" in heading:
            return text.strip()
    return ""


def shown(markdown: str) -> list[str]:
    """Markdown as lines for a terminal: paragraphs as they are, links and quotes without marks."""
    lines: list[str] = []
    fenced = False
    for line in markdown.split("\n"):
        if line.startswith("```"):
            fenced = not fenced
        elif fenced:
            lines.append(f"    {line}")
        else:
            text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", line)
            lines.append(text.replace("**", ""))
    return lines
