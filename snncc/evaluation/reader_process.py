"""A process that reads: requests come through its stdin, images go out through its stdout.

It ends when its stdin does, so it outlives nobody who asks it, however that process ends.
"""

import json
import os
import sys
import time
from typing import Any, BinaryIO

import numpy as np

from snncc.diagnostics import SnnccError
from snncc.evaluation.failures import as_records
from snncc.evaluation.reading import checksum, read


def serve() -> None:
    """Answers requests until there are no more."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no image
    for line in sys.stdin.buffer:
        _answer(json.loads(line), answers)
        answers.flush()


def _answer(request: dict[str, Any], answers: BinaryIO) -> None:
    start = time.perf_counter()
    try:
        images = np.ascontiguousarray(read(request))
    except SnnccError as error:
        _put(answers, {"findings": as_records(error)})
        return
    told = {"shape": images.shape, "dtype": str(images.dtype), "sha256": checksum(images)}
    _put(answers, {**told, "seconds": time.perf_counter() - start})
    answers.write(images.data)


def _put(answers: BinaryIO, head: dict[str, Any]) -> None:
    answers.write(json.dumps(head).encode() + b"\n")
