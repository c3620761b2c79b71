"""Works out the one certificate that holds for a program, and compares."""

import hashlib
import json

from snncc.checker.delays import check_delays
from snncc.checker.form import bounded, check_defaults, check_manifest, check_record, check_whole
from snncc.checker.program_file import (
    Array,
    Json,
    Rejected,
    canonical,
    no_duplicates,
    require,
    short,
)
from snncc.checker.rules import OPS
from snncc.checker.sealed_program import read_program
from snncc.checker.values import LEVELS, NodeRecord, Value


def judge(record: Json, values: dict[str, Value], constants: dict[str, Array], steps: int) -> Json:
    """What the certificate must say about one node; its value joins `values`."""
    name, kind = record["name"], record["op"]
    check_record(record)
    require(name not in values, "the name stands twice")
    require(kind in OPS, f"{kind} is no op of an integer program")
    rule, required, others = OPS[kind]
    check_defaults(record["fields"], others)
    fields = {**others, **record["fields"]}
    require(set(fields) == {*required.split(), *others}, "fields are missing or unknown")
    read: list[str] = []  # a delay's source may not be judged yet
    if kind != "delay":
        read += record["inputs"]
    missing = [source for source in read if source not in values]
    require(not missing, f"it reads {short(missing)} before it exists")
    sources = [values[source] for source in read]
    value, said = rule(NodeRecord(fields, sources, constants, steps))
    value = bounded(record, value, sources)
    interval = list(value.interval)
    found = {"kind": value.kind, "axes": [list(a) for a in value.axes], "range": interval}
    same = canonical(record["type"]) == canonical(found)
    require(same, f"declared {short(record['type'])}, found {short(found)}")
    values[name] = value
    return {"name": name, "op": kind, "range": interval, **said}


def expected(content: bytes) -> Json:
    """The one certificate that holds for a program file, worked out from the file alone."""
    manifest, constants, sha = read_program(content)
    check_manifest(manifest, constants)
    values: dict[str, Value] = {}
    nodes: list[Json] = []
    for record in manifest["nodes"]:
        try:
            nodes.append(judge(record, values, constants, manifest["steps"]))
        except Rejected as reason:
            raise Rejected(f"{short(record['name'])}: {reason}") from None
    check_delays(manifest["nodes"], values)
    check_whole(manifest, values, constants)
    output = manifest["output"]
    (fields,) = (r["fields"] for r in manifest["nodes"] if r["name"] == output)
    (image,) = (value.encoding for value in values.values() if value.encoding)
    return {
        "schema": 1,
        "program": sha,
        "file": hashlib.sha256(content).hexdigest(),
        "profile": manifest["profile"],
        "steps": manifest["steps"],
        "level": max((node["level"] for node in nodes), key=LEVELS.index),
        "input": image,
        "output": {"node": output, "unit": fields.get("unit", 1.0)},
        "nodes": nodes,
    }


def check(program: bytes, certificate: bytes) -> Json:
    """The certificate, when it holds for the program file.

    Raises:
        Rejected: it does not, or one of the two cannot be read.
    """
    try:
        wanted, given = expected(program), json.loads(certificate, object_pairs_hook=no_duplicates)
        require(given["program"] == wanted["program"], "it is the certificate of another program")
        for mine, theirs in zip(wanted["nodes"], given["nodes"], strict=True):
            wrong = [key for key in mine if mine[key] != theirs[key]]
            require(not wrong, f"{mine['name']}: the certificate is wrong about {wrong}")
        wrong = [key for key in wanted if wanted[key] != given[key]]
        require(not wrong, f"the certificate is wrong about {wrong}")
        same = (canonical(wanted) + "\n").encode() == certificate
        require(same, "the certificate is not in canonical form")
    except Rejected:
        raise
    except Exception as error:  # whatever cannot be read is no proof
        raise Rejected(f"unreadable: {type(error).__name__}: {error}") from error
    return wanted
