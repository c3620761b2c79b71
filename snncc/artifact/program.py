"""A program and its canonical JSON form."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from snncc.ir import DIALECTS, Array, Graph, Node
from snncc.ir.codec import (
    CodecError,
    decode_loc,
    decode_op,
    decode_type,
    encode_loc,
    encode_op,
    encode_type,
    shown,
)
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.projections import PIXELS, Frames

Json = Any
SCHEMAS = (1, 2, 3)
"""Forms of manifests that are read. The first is written wherever it can hold the program."""


@dataclass(frozen=True)
class Program:
    """An integer program and where it comes from.

    Attributes:
        graph: integer dialect, verified.
        provenance: facts in JSON form: network, options, folds.
    """

    graph: Graph
    provenance: Mapping[str, Json]


def canonical(value: Json) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def schema_of(graph: Graph) -> int:
    """The first form of manifests that has a word for everything in a program.

    Schema 3 has delays, so that a node may read one that comes after it; schema 2 has frames of any
    domain; in schema 1 there are only pixels.
    """
    if graph.select(Delay):
        return 3
    frames = [node.op for node in graph.select(Frames)]
    return 2 if any(op.word != PIXELS for op in frames) else 1


def to_manifest(program: Program) -> dict[str, Json]:
    graph = program.graph
    record = {
        "schema": schema_of(graph),
        "dialect": graph.dialect,
        "steps": graph.steps,
        "profile": graph.profile,
        "output": graph.output,
        "nodes": [
            {
                "name": node.name,
                "op": node.op.word,
                "fields": encode_op(node.op),
                "inputs": list(node.inputs),
                "type": encode_type(node.type),
                "locs": [encode_loc(loc) for loc in node.locs],
            }
            for node in graph.nodes
        ],
        "provenance": dict(program.provenance),
    }
    return _in_unicode(record)


def _in_unicode(record: dict[str, Json]) -> dict[str, Json]:
    """The record with "?" for what is no character: names of files can hold such bytes."""
    text = json.dumps(record, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return cast("dict[str, Json]", json.loads(text.encode("utf-8", "replace")))
    return record


def from_manifest(manifest: Json, constants: Mapping[str, Array]) -> Program:
    """The program of a manifest.

    Raises:
        CodecError: the manifest does not have the form of `to_manifest`.
    """
    record = cast("dict[str, Json]", manifest) if isinstance(manifest, dict) else {}
    if record.get("schema") not in SCHEMAS:
        found, known = record.get("schema"), ", ".join(map(str, SCHEMAS))
        raise CodecError(f"schema {shown(found)}, this version of snncc reads {known}")
    wanted = {"schema", "dialect", "steps", "profile", "output", "nodes", "provenance"}
    if set(record) != wanted:
        raise CodecError(f"fields {shown(sorted(set(record) ^ wanted))} are missing or unknown")
    dialect, steps = record["dialect"], record["steps"]
    if dialect != "integer" or type(steps) is not int or not isinstance(record["nodes"], list):
        raise CodecError(f"not an integer program: {shown(dialect)}")
    texts = (record["profile"], record["output"])
    if not all(isinstance(t, str) for t in texts) or not isinstance(record["provenance"], dict):
        raise CodecError("profile, output or provenance has the wrong form")
    nodes = tuple(_node(each, dialect) for each in cast("list[object]", record["nodes"]))
    graph = Graph(dialect, steps, nodes, texts[1], constants, texts[0])
    program = Program(graph, cast("dict[str, object]", record["provenance"]))
    if canonical(to_manifest(program)) != canonical(record):
        raise CodecError("its manifest is not written as snncc writes it")
    return program


def _node(given: object, dialect: str) -> Node:
    record: Json = given
    try:
        op = DIALECTS[dialect].named(record["op"])
        if op is None:
            raise CodecError(f"not an op: {shown(record['op'])}")
        name, inputs = record["name"], record["inputs"]
        if not isinstance(name, str) or not all(isinstance(i, str) for i in inputs):
            raise CodecError(f"not a node: {shown(name)}")
        return Node(
            name,
            decode_op(op, record["fields"]),
            tuple(inputs),
            decode_type(record["type"]),
            tuple(decode_loc(loc) for loc in record["locs"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise CodecError(f"not a node: {shown(record)}") from error


def digest(manifest: str, constants: Mapping[str, Array]) -> str:
    """sha256 over the canonical manifest and every constant's name, type, shape and bytes."""
    state = hashlib.sha256(manifest.encode())
    for name in sorted(constants):
        array = constants[name]
        state.update(canonical([name, array.dtype.str, list(array.shape)]).encode())
        state.update(array.tobytes())
    return state.hexdigest()


def program_digest(program: Program) -> str:
    """The sha256 that `save_program` writes into the file."""
    return digest(canonical(to_manifest(program)), program.graph.constants)


def computation_digest(program: Program) -> str:
    """The sha256 of nodes and constants alone: what a program computes, not where it comes from.

    Files that differ only in names of checkpoints, options, figures or lines of the model's source
    have the same.
    """
    nodes = tuple(replace(node, locs=()) for node in program.graph.nodes)
    return program_digest(Program(replace(program.graph, nodes=nodes), {}))
