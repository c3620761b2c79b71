"""Runs the commands that pages show and puts what they print now beneath them.

    python docs/tools/page_outputs.py docs/compare.md docs/operation_counts.md docs/loihi.md

Lines of a page that differ from what is printed in numbers alone are replaced; one that no command
prints any more is told, and is for a person to mend. Run from a folder in which the pages' files
are, or will be made by their commands; `tests/docs/test_docs_commands.py` holds that no line is
left over.
"""

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Shown:
    """A command of a page, and what stands below it.

    Attributes:
        words: of the command, without `$ snncc`.
        lines: numbers of lines of the page with what it prints.
    """

    words: list[str] = field(default_factory=list[str])
    lines: list[int] = field(default_factory=list[int])


def blocks_of(page: list[str]) -> list[Shown]:
    """Every `$ snncc` command of a page, in order."""
    found, fenced, number = [Shown()], False, 0
    while number < len(page):
        line = page[number]
        text = line.strip()
        fenced ^= text.startswith("```")
        if text.startswith(("```", "$")) or not (fenced or line.startswith("    ")):
            found.append(Shown())
        if text.startswith("$ snncc "):
            while text.endswith("\\"):
                number += 1
                text = text[:-1] + page[number].strip()
            found[-1].words.extend(shlex.split(text)[2:])
        elif not text.startswith("```"):
            found[-1].lines.append(number)
        number += 1
    return [shown for shown in found if shown.words]


def commands_of(page: str) -> list[tuple[list[str], list[str]]]:
    """Words of each `$ snncc` command and the lines shown below it, in order."""
    lines = page.splitlines()
    return [(shown.words, [lines[n] for n in shown.lines]) for shown in blocks_of(lines)]


def masked(line: str) -> str:
    """A line without what differs from one version, or one machine, to the next: its numbers."""
    text = re.sub(r"\b[0-9a-f]{16}…", "#", line)
    text = re.sub(r"[-+]?[\d,.]*\d(e-?\d+)?", "#", text.strip())
    return re.sub(r"\s+", " ", text)


def refreshed(page: str, printed: list[list[str]]) -> tuple[str, list[str]]:
    """The page with what its commands print, and its lines that none of them prints.

    Args:
        page: its text.
        printed: lines for each of its commands, in order.
    """
    lines = page.splitlines()
    lost: list[str] = []
    for shown, got in zip(blocks_of(lines), printed, strict=True):
        left = [*got]
        for number in shown.lines:
            line = lines[number]
            if line.strip() in ("", "..."):
                continue
            fresh = next((each for each in left if masked(each) == masked(line)), None)
            if fresh is None:
                lost.append(line)
                continue
            left = left[left.index(fresh) + 1 :]
            indent = line[: len(line) - len(line.lstrip())] if line.startswith("    ") else ""
            own = fresh.lstrip() if indent and not fresh.startswith("    ") else fresh
            lines[number] = f"{indent}{own}" if indent else fresh
    return "\n".join(lines) + "\n", lost


def main(names: list[str]) -> int:
    """Refreshes pages; gives 1 where a line is printed no more."""
    wrong = 0
    for name in names:
        file = ROOT / name
        page = file.read_text()
        printed: list[list[str]] = []
        for words, _ in commands_of(page):
            done = subprocess.run(  # noqa: S603 (the pages' own commands)
                [sys.executable, "-m", "snncc", *words], capture_output=True, text=True, check=False
            )
            printed.append((done.stdout + done.stderr).splitlines())
        text, lost = refreshed(page, printed)
        file.write_text(text)
        for line in lost:
            sys.stderr.write(f"{name}: printed no more: {line.strip()}\n")
        wrong |= bool(lost)
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
