"""What a program's file must be before anything of it is read; needs neither NumPy nor the IR."""

from pathlib import Path

from snncc.artifact.kinds import CHECKPOINT, EMPTY, IMAGE, JSON, NUMPY, kind_of
from snncc.artifact.reading import require_readable
from snncc.diagnostics import SnnccError

GIVE = "give a file that `snncc compile` wrote"
OTHERS = {
    CHECKPOINT: "compile it first: snncc compile {path} -o NAME.snncc",
    NUMPY: "the program comes first, the data second",
    IMAGE: "the program comes first, the data second",
    JSON: "a certificate goes with `snncc verify PROGRAM --check`; give the program",
    EMPTY: "copy the file again from where it came",
}
"""What a file may be instead, and what to do then."""


def require_program_file(path: Path) -> None:
    """Refuses what can be no program, by whether it opens and by its first bytes.

    Raises:
        SnnccError: SNN015 when it cannot be opened, SNN017 when it is something else.
    """
    require_readable(path, GIVE)
    kind = kind_of(path)
    if kind in OTHERS:
        told = "the file is empty" if kind == EMPTY else f"it is {kind}, not a program"
        raise damaged(path, told, OTHERS[kind].format(path=path))


def damaged(
    path: Path,
    reason: str,
    help: str = "compile it again, or copy the file again from where it came",
) -> SnnccError:
    """SNN017: there is a file, and it is no program."""
    return SnnccError("SNN017", f"{path} is not a readable program", why=reason, help=help)
