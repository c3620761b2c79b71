"""Pieces of Python text for the emitted network."""

import keyword
import re
from collections.abc import Mapping

from snncc.ir import Param

INDENT = " " * 4


def text(value: str) -> str:
    """A string in double quotes."""
    return '"' + value.encode("unicode_escape").decode().replace('"', '\\"') + '"'


def mapping(values: Mapping[str, int]) -> str:
    return "{" + ", ".join(f"{text(k)}: {v}" for k, v in values.items()) + "}"


def names(values: tuple[str, ...]) -> str:
    """A tuple of strings."""
    return f"({', '.join(map(text, values))}{',' if len(values) == 1 else ''})"


def constant(param: Param) -> str:
    """An array of the program over its axes."""
    return f"net.constant({', '.join(map(text, (param.name, *param.axes)))})"


def call(name: str, arguments: Mapping[str, str], depth: int = 0) -> str:
    """A call with one keyword argument a line; `depth` is the indentation of its first line."""
    inner = INDENT * (depth + 1)
    lines = [
        f"{inner}{key}={value.replace(chr(10), chr(10) + inner)},\n"
        for key, value in arguments.items()
    ]
    return f"{name}(\n{''.join(lines)}{INDENT * depth})"


def identifier(name: str, taken: set[str]) -> str:
    """A Python name for a module path that is not taken yet; it is taken now."""
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "v"
    if plain[0].isdigit():
        plain = f"n_{plain}"
    if keyword.iskeyword(plain):
        plain += "_"
    free, number = plain, 2
    while free in taken:
        free, number = f"{plain}_{number}", number + 1
    taken.add(free)
    return free
