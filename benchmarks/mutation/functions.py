"""Which function a change is in, and that function's new code in a process that has imported it."""

import ast
import gc
import os
from dataclasses import dataclass
from functools import cache
from types import CodeType, FunctionType

from mutation.mutants import Mutant

FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
Position = tuple[int, int]
OPTIMIZED = 0x1
"""The flag that code of a function has and code of a class does not."""


@dataclass(frozen=True)
class Place:
    """The function around a change.

    Attributes:
        name: its qualified name, as code objects have it.
        outer: the number, in its file, of the function around it that no other is around.
    """

    name: str
    outer: int


def place_of(mutant: Mutant, source: str) -> Place | None:
    """None for what runs while the module is imported."""
    return _place(ast.parse(source), _position(mutant, source))


def _position(mutant: Mutant, source: str) -> Position:
    before = source.encode()[: mutant.span[0]]
    return before.count(b"\n") + 1, len(before) - before.rfind(b"\n") - 1


def _place(tree: ast.Module, at: Position) -> Place | None:
    for number, (node, prefix) in enumerate(_outermost(tree.body, "")):
        if _in_body(node, at):
            return Place(_innermost(node, prefix + node.name, at), number)
    return None


def _in_body(node: FUNCTION, at: Position) -> bool:
    last = node.body[-1]
    first = (node.body[0].lineno, node.body[0].col_offset)
    return first <= at < (last.end_lineno or 0, last.end_col_offset or 0)


def _innermost(node: FUNCTION, name: str, at: Position) -> str:
    for inner, prefix in _outermost(node.body, f"{name}.<locals>."):
        if _in_body(inner, at):
            return _innermost(inner, prefix + inner.name, at)
    return name


def _outermost(body: list[ast.stmt], prefix: str) -> list[tuple[FUNCTION, str]]:
    """Functions that stand in no other, with what is before their name."""
    found = list[tuple[FUNCTION, str]]()
    for node in body:
        if isinstance(node, FUNCTION):
            found.append((node, prefix))
            continue
        inner = f"{prefix}{node.name}." if isinstance(node, ast.ClassDef) else prefix
        for field in ("body", "orelse", "finalbody"):
            found += _outermost(getattr(node, field, []), inner)
        for other in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
            found += _outermost(other.body, inner)
    return found


def codes_in(code: CodeType) -> list[CodeType]:
    """The code of functions that stand in no other, in the order of the file."""
    found = list[CodeType]()
    for each in code.co_consts:
        if isinstance(each, CodeType) and not each.co_name.startswith("<"):
            found += [each] if each.co_flags & OPTIMIZED else codes_in(each)
    return sorted(found, key=lambda each: each.co_firstlineno)


@cache
def real_path(path: str) -> str:
    """Packages of the checkout are links: without them."""
    return os.path.realpath(path)


class LiveFunctions:
    """The functions of a process by their file and line, found once and changed in forks."""

    def __init__(self, root: str) -> None:
        self.found: dict[tuple[str, int], list[FunctionType]] = {}
        for each in gc.get_objects():
            if type(each) is FunctionType:  # isinstance asks objects that warn
                code = each.__code__
                path = real_path(code.co_filename)
                if path.startswith(root):
                    self.found.setdefault((path, code.co_firstlineno), []).append(each)

    def change(self, path: str, before: str, after: str, outer: int) -> bool:
        """Gives a function the code of another source; says whether it is there."""
        old, new = (codes_in(compile(text, path, "exec"))[outer] for text in (before, after))
        functions = self.found.get((real_path(path), old.co_firstlineno), [])
        functions = [each for each in functions if each.__code__.co_name == old.co_name]
        for each in functions:
            if each.__code__.co_freevars != new.co_freevars:
                return False
            each.__code__ = new
        return bool(functions)
