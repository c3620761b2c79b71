"""The user's own line behind a recorded call."""

import inspect
import linecache
import sysconfig
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from snncc.ir.loc import Loc

_LIBRARIES = ("torch", "einops", "numpy", "spikingjelly", "snntorch", "norse", "sinabs", "snncc")
"""Packages whose lines are not the user's, wherever they are installed."""
_INSTALLED = tuple(
    str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "purelib", "platlib")
)
_HERE = str(Path(__file__).resolve().parent)
Line = tuple[str, int, str]
"""File (its last two parts: no machine's folders), line and text; ("", 0, "") for none."""


def user_line(outermost: CodeType) -> Line:
    """The innermost line of the user's own code.

    Args:
        outermost: where the search ends: what called the model is no part of it.
    """
    frame = _user_frame(outermost)
    return ("", 0, "") if frame is None else _line(frame.f_code.co_filename, frame.f_lineno)


def user_place(outermost: CodeType, path: str, call: str) -> Loc:
    """That line and the columns of the call in it, for a call in the module of this path."""
    frame = _user_frame(outermost)
    if frame is None:
        return Loc(path, call=call)
    file, line, source = _line(frame.f_code.co_filename, frame.f_lineno)
    return Loc(path, file, line, call, source, _columns(frame))


def _user_frame(outermost: CodeType) -> FrameType | None:
    frame = inspect.currentframe()
    while frame is not None and frame.f_code is not outermost:
        name = frame.f_code.co_filename
        if not _is_library(name, str(frame.f_globals.get("__name__", ""))):
            return frame
        frame = frame.f_back
    return None


def _columns(frame: FrameType) -> tuple[int, int]:
    """Of the instruction that a frame is at, in characters of the line without its indentation."""
    positions = next(islice(frame.f_code.co_positions(), frame.f_lasti // 2, None))
    first, last, start, end = positions
    if first != frame.f_lineno or first is None or start is None or end is None:
        return 0, 0
    line = linecache.getline(frame.f_code.co_filename, first)
    before, indent = _characters(line, start), len(line) - len(line.lstrip())
    after = _characters(line, end) if last == first else len(line.rstrip())
    return max(before - indent, 0), max(after - indent, 0)


def _characters(line: str, count: int) -> int:
    """Characters in so many bytes of a line: Python counts the latter."""
    return len(line.encode()[:count].decode(errors="ignore"))


def definition_of(thing: Any) -> Line:
    """The line where the class of an object defines `forward`, if that is the user's code."""
    forward = inspect.getattr_static(type(thing), "forward", None)  # a scripted class makes its own
    code = getattr(inspect.unwrap(forward), "__code__", None) if callable(forward) else None
    if code is None or _is_library(code.co_filename, type(thing).__module__):
        return "", 0, ""
    return _line(code.co_filename, code.co_firstlineno)


def _line(file: str, line: int) -> Line:
    return "/".join(Path(file).parts[-2:]), line, linecache.getline(file, line).strip()


def _is_library(file: str, module: str) -> bool:
    if module.split(".")[0] in _LIBRARIES or file.startswith("<"):
        return True
    path = Path(file).resolve()
    return str(path).startswith(_HERE) or any(path.is_relative_to(root) for root in _INSTALLED)
