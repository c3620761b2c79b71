"""Works out the one certificate that holds for a program, and compares."""

import hashlib
import json

from snncc.checker.program_file import (
    Array,
    Json,
    Rejected,
    canonical,
    demand,
    once,
    read_program,
    whole,
)
from snncc.checker.rules import LEVELS, OPS
from snncc.checker.values import WIDEST, Site, Value, bits

MANIFEST = {"schema", "dialect", "steps", "profile", "output", "nodes", "provenance"}
RECORD = {"name", "op", "fields", "inputs", "type", "locs"}


def judge(record: Json, values: dict[str, Value], constants: dict[str, Array], steps: int) -> Json:
    """What the certificate must say about one node; its value joins `values`."""
    name, kind = record["name"], record["op"]
    demand(set(record) == RECORD and name not in values, f"unknown form of node {name}")
    demand(kind in OPS, f"{kind} is no op of an integer program")
    rule, required, others = OPS[kind]
    fields = {**others, **record["fields"]}
    demand(set(fields) == {*required.split(), *others}, "fields are missing or unknown")
    value, said = rule(Site(fields, [values[i] for i in record["inputs"]], constants, steps))
    interval = list(value.interval)
    demand(len(value.sizes) == len(value.axes), "an axis stands twice")
    demand(bits(value.interval) <= WIDEST, f"{interval} needs more than {WIDEST} bits")
    found = {"kind": value.kind, "axes": [list(a) for a in value.axes], "range": interval}
    demand(record["type"] == found, f"declared {record['type']}, found {found}")
    values[name] = value
    return {"name": name, "op": kind, "range": interval, **said}


def expected(content: bytes) -> Json:
    """The one certificate that holds for a program file, worked out from the file alone."""
    manifest, constants, sha = read_program(content)
    demand(set(manifest) == MANIFEST and manifest["schema"] == 1, "unknown form of program")
    form = f"{manifest['dialect']} {manifest['profile']}"
    demand(form in ("integer exact", "integer loihi-lava"), f"unknown dialect or profile {form}")
    values: dict[str, Value] = {}
    nodes: list[Json] = []
    for record in manifest["nodes"]:
        try:
            nodes.append(judge(record, values, constants, whole(manifest["steps"], 1)))
        except Rejected as reason:
            raise Rejected(f"{record['name']}: {reason}") from None
    output = manifest["output"]
    demand(values[output].kind == "readout", "the output is no readout")
    encodings = {value.encoding for value in values.values()} - {""}
    demand(len(encodings) <= 1, "images enter in two ways")
    (fields,) = (r["fields"] for r in manifest["nodes"] if r["name"] == output)
    return {
        "schema": 1,
        "program": sha,
        "file": hashlib.sha256(content).hexdigest(),
        "profile": manifest["profile"],
        "steps": manifest["steps"],
        "level": max((node["level"] for node in nodes), key=LEVELS.index),
        "input": encodings.pop() if encodings else "none",
        "output": {"node": output, "unit": fields.get("unit", 1.0)},
        "nodes": nodes,
    }


def check(program: bytes, certificate: bytes) -> Json:
    """The certificate, when it holds for the program file.

    Raises:
        Rejected: it does not, or one of the two cannot be read.
    """
    try:
        wanted, given = expected(program), json.loads(certificate, object_pairs_hook=once)
        for mine, theirs in zip(wanted["nodes"], given["nodes"], strict=True):
            wrong = [key for key in mine if mine[key] != theirs[key]]
            demand(not wrong, f"{mine['name']}: the certificate is wrong about {wrong}")
        wrong = [key for key in wanted if wanted[key] != given[key]]
        demand(not wrong, f"the certificate is wrong about {wrong}")
        same = (canonical(wanted) + "\n").encode() == certificate
        demand(same, "the certificate is not in canonical form")
    except Rejected:
        raise
    except Exception as error:  # whatever cannot be read is no proof
        raise Rejected(f"unreadable: {type(error).__name__}: {error}") from error
    return wanted
