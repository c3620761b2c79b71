"""The `.snncc` file: safetensors with a canonical manifest and a sha256 over all of it.

Both stand under one metadata key: safetensors writes several keys in an order that changes from run
to run, and equal programs must give equal bytes.

No pickle, no zip. The hash is not decoration: without it a fifth of damaged safetensors files load
as other numbers.
"""

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import numpy as np
import safetensors
from safetensors import SafetensorError
from safetensors.numpy import save

from snncc.artifact.packing import FEWEST, MOST, pack, packed_bits, packed_bytes, unpack
from snncc.artifact.program import (
    Program,
    canonical,
    digest,
    from_manifest,
    to_manifest,
)
from snncc.artifact.program_file import GIVE, damaged, require_program_file
from snncc.artifact.reading import bytes_of
from snncc.artifact.writing import write_atomically
from snncc.diagnostics import SnnccError
from snncc.ir import Array, LimitError, VerifyError, verify
from snncc.ir.codec import CodecError, shown

_deserialize: Any = getattr(safetensors, "deserialize")  # noqa: B009  # it is not typed
METADATA, METADATA_KEY = "__metadata__", "snncc"
LARGEST_HEADER = 1 << 26
LARGEST_CONSTANTS = 1 << 31
"""Bytes, those that are packed as they are in memory."""
LARGEST_FILE = LARGEST_CONSTANTS + LARGEST_HEADER + 8
DEEPEST_JSON = 32
"""Of the manifest: what is recorded about a program's origin may be nested, in reason."""
ENTRY = {"dtype", "shape", "data_offsets"}
SEALED, PACKED = {"manifest", "sha256"}, "packed"
DTYPES = {"U8": np.uint8, "I8": np.int8, "I16": np.int16, "I32": np.int32, "I64": np.int64}


def save_program(path: Path, program: Program) -> str:
    """Writes a program atomically; equal programs give equal bytes.

    Returns:
        The sha256 over manifest and constants.

    Raises:
        SnnccError: SNN002 when the file cannot be written.
    """
    manifest = canonical(to_manifest(program))
    arrays = {n: a.copy(order="C") for n, a in sorted(program.graph.constants.items())}
    sha = digest(manifest, arrays)
    sealed = {"manifest": to_manifest(program), "sha256": sha}
    bits = packed_bits(arrays)
    if bits:
        sealed[PACKED] = {name: [bits[name], list(arrays[name].shape)] for name in bits}
        arrays |= {name: pack(arrays[name], bits[name]) for name in bits}
    content = save(arrays, metadata={METADATA_KEY: canonical(sealed)})
    write_atomically(path, lambda file: file.write(content))
    return sha


def load_program(path: Path) -> Program:
    """Reads and verifies a program.

    Raises:
        SnnccError: SNN015 when there is no such file, SNN017 when it is damaged, foreign, of
            another version, or holds an illegal program; SNN070 when the program is larger than
            the stated limits.
    """
    require_program_file(path)
    program = _parse(path, _content(path))  # the bytes go before the program is verified
    try:
        verify(program.graph)
    except LimitError as error:
        raise SnnccError(
            "SNN070",
            f"{path} holds a program beyond the stated limits",
            why=error.problems[0],
            help="docs/program_rules.md lists the limits",
        ) from error
    except VerifyError as error:
        raise damaged(path, f"its program is not legal: {error.problems[0]}") from error
    return program


def _content(path: Path) -> bytes:
    with suppress(OSError):  # reading it says what is wrong
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise damaged(path, f"it is {size} bytes long")
    return bytes_of(path, GIVE)


def _parse(path: Path, content: bytes) -> Program:
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > LARGEST_HEADER or 8 + length > len(content):
        raise damaged(path, "it is not a .snncc file, or it is cut off")
    try:
        head = content[8 : 8 + length].decode()
        header = json.loads(head, object_pairs_hook=_no_duplicates)
        if head != _as_written(header):
            raise CodecError("its header is not written as snncc writes it")
        text = _sealed_text(header)
        sealed = json.loads(text, object_pairs_hook=_no_duplicates)
        if not _is_shallow(sealed, DEEPEST_JSON):
            raise CodecError(f"its manifest is nested deeper than {DEEPEST_JSON}")
        json.dumps(sealed, ensure_ascii=False).encode()  # half of a surrogate pair is no text
        if canonical(sealed) != text or set(sealed) - {PACKED} != SEALED:
            raise CodecError("its manifest is not canonical")
        found = _arrays(content)
        stored = {name: found[name] for name in header if name != METADATA}
        arrays = _inflated(stored, sealed[PACKED]) if PACKED in sealed else _unpacked(stored)
        if digest(canonical(sealed["manifest"]), arrays) != sealed["sha256"]:
            raise CodecError("its content does not match its sha256")
        return from_manifest(sealed["manifest"], arrays)
    except (CodecError, SafetensorError) as error:
        raise damaged(path, str(error)) from error
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise damaged(path, "it is not a .snncc file") from error


def _as_written(header: Any) -> str:
    """The header's one form: constants in the order of their bytes, without spaces, padded to 8."""
    entries = [(name, header[name]) for name in header if name != METADATA]
    entries.sort(key=lambda item: item[1]["data_offsets"])
    record = {METADATA: header[METADATA], **dict(entries)}
    text = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
    return text + " " * (-len(text.encode()) % 8)


def _sealed_text(header: Any) -> str:
    """The only metadata; constants have their type, shape and place and nothing else."""
    metadata = header[METADATA]
    if set(metadata) != {METADATA_KEY}:
        raise CodecError("its header holds metadata that no program has")
    if any(set(header[name]) != ENTRY for name in header if name != METADATA):
        raise CodecError("its header says more of a constant than type, shape and place")
    return str(metadata[METADATA_KEY])


def _is_shallow(value: Any, depth: int) -> bool:
    """Whether lists and objects stand in each other no deeper than this."""
    level = [value]
    for _ in range(depth):
        level = [inner for each in level for inner in _inside(each)]
    return not any(isinstance(each, dict | list) for each in level)


def _inside(value: Any) -> list[Any]:
    """What stands in a list or an object; nothing stands in other values."""
    if isinstance(value, dict):
        return [*cast("dict[str, Any]", value).values()]
    return [*cast("list[object]", value)] if isinstance(value, list) else []


def _arrays(content: bytes) -> dict[str, Array]:
    """Every constant; safetensors gives them in an order that differs from run to run."""
    found: dict[str, Array] = {}
    records: list[tuple[str, dict[str, Any]]] = _deserialize(content)
    for name, fields in records:
        if fields["dtype"] not in DTYPES:
            raise CodecError(f"constant {shown(name)} is {shown(fields['dtype'])}, not an integer")
        array = np.frombuffer(fields["data"], DTYPES[fields["dtype"]]).reshape(fields["shape"])
        array.setflags(write=False)
        found[name] = array
    return found


def _unpacked(stored: dict[str, Array]) -> dict[str, Array]:
    """The constants of a file that packs none of them."""
    if any(array.dtype == np.uint8 for array in stored.values()):
        raise CodecError("a constant is packed, and the file does not say how")
    return stored


def _inflated(stored: dict[str, Array], packed: Any) -> dict[str, Array]:
    """The constants as they are in memory; raises CodecError for what no program packs so."""
    bits = {name: entry[0] for name, entry in packed.items()}
    sizes = {name: _elements(entry[1]) for name, entry in packed.items()}
    bare = {name for name, array in stored.items() if array.dtype == np.uint8}
    if bare != set(packed) or any(
        type(n) is not int or not FEWEST <= n <= MOST for n in bits.values()
    ):
        raise CodecError("what is packed is not what its manifest says")
    total = sum(sizes.values()) + sum(stored[n].nbytes for n in stored if n not in packed)
    if total > LARGEST_CONSTANTS:
        raise CodecError(f"its constants are {total} bytes")
    found = dict(stored)
    for name, (width, shape) in packed.items():
        content = stored[name]
        if content.shape != (packed_bytes(sizes[name], width),):
            raise CodecError(f"constant {shown(name)} has another size than its shape")
        used = sizes[name] * width % 8
        if used and int(content[-1]) >> used:
            raise CodecError(f"constant {shown(name)} has bits behind its integers")
        array = unpack(content, width, sizes[name]).reshape(shape)
        array.setflags(write=False)
        found[name] = array
    if packed_bits(found) != bits:
        raise CodecError("its constants are not packed as snncc packs them")
    return found


def _elements(shape: Any) -> int:
    """How many integers; raises CodecError for what is no shape."""
    sizes = _inside(shape)
    if not isinstance(shape, list) or any(type(n) is not int or not n > 0 for n in sizes):
        raise CodecError("a packed constant has no shape")
    return math.prod(sizes)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found
