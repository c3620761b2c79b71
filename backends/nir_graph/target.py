"""The target `nir`, put together for the registry; nothing but the registry imports it."""

from collections import Counter
from pathlib import Path

from snncc.artifact import Program
from snncc.backends.nir_graph.file import check_free, content_of, draft_of, library, write
from snncc.targets.registry import PROFILES
from snncc.targets.target import Exported, Target


def nir() -> Target:
    """Graphs of the Neuromorphic Intermediate Representation, in real numbers."""
    return Target(
        "nir",
        "NIR",
        "Graphs of NIR: maps, convolutions and neurons that reset to 0, in real numbers.",
        profiles=tuple(PROFILES),
        export=_export,
        export_needs=_require,
    )


def _require() -> None:
    """Raises SnnccError (SNN050) when what writes files is not installed."""
    library()


def _export(program: Program, path: Path, force: bool) -> Exported:
    check_free(path, force)
    draft = draft_of(program.graph)
    content = content_of(draft)
    write(path, content)
    kinds = dict(sorted(Counter(node.kind for node in draft.nodes.values()).items()))
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    return Exported(
        {"nodes": kinds, "edges": len(draft.edges), "bytes": len(content), "dt": 1.0},
        (
            ("graph", f"{told}; {len(draft.edges)} edges, {len(content):,} bytes"),
            ("steps", f"dt 1, T = {program.graph.steps}; integers as they are, pixels 0..255"),
            ("read back", "snncc compile FILE --convention snncc: the same program"),
        ),
    )
