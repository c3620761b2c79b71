"""What `snncc verify` does with certificates."""

import hashlib
import json
from pathlib import Path
from typing import Any, cast

from snncc.artifact import Program, program_digest
from snncc.artifact.kinds import JSON, kind_of
from snncc.artifact.program import canonical
from snncc.artifact.program_file import require_program_file
from snncc.artifact.reading import bytes_of
from snncc.artifact.writing import write_atomically
from snncc.checker import Rejected, check
from snncc.cli.output import print_json, say
from snncc.diagnostics import SnnccError
from snncc.mfi.certificate import certify

KEYS = {"schema", "program", "file", "level", "nodes"}
"""What every certificate has."""


def certificate_record(path: Path, program: Path, loaded: Program) -> dict[str, Any]:
    """Writes the certificate of a program that was loaded from a file.

    Returns:
        What `snncc verify` says about it.

    Raises:
        SnnccError: SNN002 when the certificate cannot be written, SNN035 when the program
            multiplies, SNN015 when its file is gone.
    """
    file = hashlib.sha256(_read(program)).hexdigest()
    try:
        record = certify(loaded.graph, program_digest(loaded), file)
    except ValueError as error:
        raise SnnccError("SNN035", f"no certificate for {program}", why=str(error)) from error
    content = (canonical(record) + "\n").encode()
    write_atomically(path, lambda handle: handle.write(content))
    return {"holds": True, "file": str(path), "bytes": len(content)}


def print_certificate(record: dict[str, Any]) -> None:
    say(
        f"  certificate {record['file']}  {record['bytes']:,} bytes; snncc verify --check checks it"
    )


def check_certificate(certificate: Path, program: Path, as_json: bool) -> int:
    """Lets the checker decide: exit code 0 when it accepts, 1 when it rejects.

    Raises:
        SnnccError: SNN015 for a file that cannot be read, SNN017 where the program is something
            else.
    """
    require_program_file(program)
    content = _read(certificate)
    reason = _no_certificate(certificate, content)
    if not reason:
        try:
            check(_read(program), content)
        except Rejected as rejected:
            reason = str(rejected)
    if as_json:
        print_json({"schema": 1, "accepted": not reason, "reason": reason})
    else:
        say(f"rejected: {reason}" if reason else "accepted: the certificate holds")
    return 1 if reason else 0


def _no_certificate(path: Path, content: bytes) -> str:
    """Why a file cannot be a certificate of anything; "" when it has the form of one."""
    kind = kind_of(path)
    if kind != JSON:
        return f"{path} is {kind or 'no JSON file'}, not a certificate"
    try:
        given: Any = json.loads(content)
    except (ValueError, RecursionError):
        return f"{path} is damaged: it is no JSON"
    keys = {*cast("dict[str, object]", given)} if isinstance(given, dict) else set[str]()
    if missing := sorted(KEYS - keys):
        return f"{path} is not a certificate: it has no {', '.join(missing)}"
    return ""


def _read(path: Path) -> bytes:
    return bytes_of(path, "give a program and what `snncc verify --certificate` wrote for it")
