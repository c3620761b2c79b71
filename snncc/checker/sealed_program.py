"""Reads a program file: 8 bytes length of the header, the header in JSON, the constants' bytes."""

import hashlib
import json
import re

from snncc.checker.packed_constants import inflated
from snncc.checker.program_file import (
    DEEPEST_JSON,
    LONGEST_HEADER,
    Array,
    Json,
    canonical,
    height,
    no_duplicates,
    read_constants,
    require,
)


def read_program(content: bytes) -> tuple[Json, dict[str, Array], str]:
    """Manifest, constants and sha256 of a program file."""
    length = int.from_bytes(content[:8], "little")
    require(length <= min(LONGEST_HEADER, len(content) - 8), "the header does not fit the file")
    head = content[8 : 8 + length].decode()
    header = json.loads(head, object_pairs_hook=no_duplicates)
    compact = json.dumps(header, separators=(",", ":"), ensure_ascii=False)
    padded = compact.encode().ljust(-(-len(compact.encode()) // 8) * 8)
    require(
        head.encode() == padded and next(iter(header)) == "__metadata__", "unknown form of header"
    )
    metadata = header.pop("__metadata__")
    require(set(metadata) == {"snncc"}, "the header holds other metadata")
    sealed = json.loads(metadata["snncc"], object_pairs_hook=no_duplicates)
    sealed_keys = set(sealed) - {"packed"}
    require(sealed_keys == {"manifest", "sha256"}, "the metadata is no sealed manifest")
    require(height(sealed, DEEPEST_JSON) <= DEEPEST_JSON, "the manifest is nested too deep")
    require(canonical(sealed) == metadata["snncc"], "the manifest is not in canonical form")
    text = json.dumps(sealed, ensure_ascii=False)
    require(not re.search("[\ud800-\udfff]", text), "half of a surrogate pair is no text")
    stored = read_constants(header, content[8 + length :])
    constants = inflated(stored, sealed.get("packed"))
    state = hashlib.sha256(canonical(sealed["manifest"]).encode())
    for name, array in sorted(constants.items()):
        state.update(canonical([name, array.dtype.str, list(array.shape)]).encode())
        state.update(array.tobytes())
    require(state.hexdigest() == sealed["sha256"], "the program does not match its own sha256")
    return sealed["manifest"], constants, state.hexdigest()
