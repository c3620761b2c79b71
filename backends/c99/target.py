"""The target `c`, put together for the registry; nothing but the registry imports it."""

import hashlib
import json
from functools import partial
from pathlib import Path

import snncc
from snncc.artifact import Program, program_digest
from snncc.backends.bundle_folder import MANIFEST, check_free, place_files
from snncc.backends.c99.draft import FORMS
from snncc.backends.c99.source import HEADER, SOURCE, Source
from snncc.targets.registry import PROFILES
from snncc.targets.target import Exported, Target

NAME = "c"


def c() -> Target:
    """Portable C99, for compilers of any machine."""
    by_form = {form: partial(_export, form) for form in FORMS}
    return Target(
        NAME,
        "C",
        "Portable C99 in static memory, without multiplications: programs of every profile.",
        profiles=tuple(PROFILES),
        export=by_form[FORMS[0]],
        forms=by_form,
    )


def _export(form: str, program: Program, folder: Path, force: bool) -> Exported:
    """Writes the folder: header, source, example, manifest.

    Raises:
        SnnccError: SNN040 for what C has no form for; SNN002 when the folder cannot be taken.
    """
    check_free(folder, force)
    source, sha = Source(program.graph, form), program_digest(program)
    content = {name: text.encode() for name, text in source.files(program).items()}
    size = source.footprint
    manifest = {
        "schema": 1,
        "program": sha,
        "snncc": snncc.__version__,
        "form": form,
        "flash": size.flash,
        "ram": size.ram,
        "files": {n: hashlib.sha256(content[n]).hexdigest() for n in sorted(content)},
    }
    content[MANIFEST] = (json.dumps(manifest, indent=2) + "\n").encode()
    place_files(folder, content)
    return Exported(
        {"form": form, "files": sorted(content), "flash": size.flash, "ram": size.ram},
        (
            ("form", form),
            ("files", f"{HEADER}, {SOURCE}, an example"),
            ("flash", f"{size.flash:,} bytes of tables, and the code"),
            ("RAM", f"{size.ram:,} bytes, and the stack"),
        ),
    )
