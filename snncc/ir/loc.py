"""Where a node comes from in the user's model."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Loc:
    """One place in the user's model.

    Attributes:
        module_path: dotted path of the module, "" for the root.
        file: the user's source file as it was recorded, "" when unknown.
        line: line in that file, 0 when unknown.
        call: what was called there, e.g. "BatchNorm1d(64)" or "torch.add".
        source: text of that line, "" when unknown.
        columns: of the call in that text, from and to; equal when unknown. No file keeps them.
    """

    module_path: str = ""
    file: str = ""
    line: int = 0
    call: str = ""
    source: str = ""
    columns: tuple[int, int] = field(default=(0, 0), compare=False)

    def __str__(self) -> str:
        where = self.module_path or "<root>"
        return f"{where} ({self.file}:{self.line})" if self.file else where


def fuse(*groups: tuple[Loc, ...]) -> tuple[Loc, ...]:
    """Joins the places of several nodes, in order, each once."""
    return tuple(dict.fromkeys(loc for group in groups for loc in group))
