"""The user's own line behind a recorded call."""

import inspect
import linecache
from pathlib import Path

_LIBRARIES = ("torch", "einops", "spikingjelly")
_HERE = str(Path(__file__).resolve().parent)


def user_line() -> tuple[str, int, str]:
    """File (its last two parts: no machine's folders), line and text of the user's frame."""
    frame = inspect.currentframe()
    while frame is not None:
        name = frame.f_code.co_filename
        if not _is_library(name, str(frame.f_globals.get("__name__", ""))):
            text = linecache.getline(name, frame.f_lineno).strip()
            return "/".join(Path(name).parts[-2:]), frame.f_lineno, text
        frame = frame.f_back
    return "", 0, ""


def _is_library(file: str, module: str) -> bool:
    top = module.split(".")[0]
    return (
        top in _LIBRARIES
        or file.startswith("<")
        or str(Path(file).resolve()).startswith(_HERE)
        or module.startswith("snncc.frontends.torch_recorder")
        or module.startswith("contextlib")
    )
