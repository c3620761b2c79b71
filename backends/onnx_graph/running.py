"""A program's ONNX graph in onnxruntime, in this process."""

import threading
import time
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from typing import Any

import numpy as np

from snncc.artifact import Program
from snncc.backends.onnx_graph.inputs import IMAGES
from snncc.backends.onnx_graph.library import library
from snncc.backends.onnx_graph.model import (
    LOGITS,
    READOUT,
    membranes_name,
    onnx_model,
    serialised,
    spikes_name,
    start_inputs,
)
from snncc.diagnostics import SnnccError
from snncc.execution import Execute, Execution, Images, check_images, recorded_names
from snncc.ir.arrays import count
from snncc.ir.dialects.integer import IntegerPopulation

ELEMENTS = 1 << 24
"""Of all values of a program, for the images that run at once."""
PROVIDERS = ("CPUExecutionProvider",)


def session_of(content: bytes, threads: int = 1) -> Any:
    """A session of onnxruntime on the CPU.

    Args:
        content: of a model's file.
        threads: of each operator.

    Raises:
        SnnccError: SNN050 without onnxruntime, SNN053 when it refuses the model.
    """
    runtime = library("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(content, options, providers=[*PROVIDERS])
    except Exception as error:  # its exceptions share no class of their own
        raise _failed(error) from error


@contextmanager
def onnx_executor(
    program: Program, seconds: float, advance: Callable[[int], None]
) -> Generator[Execute]:
    """What runs images in onnxruntime.

    Args:
        program: to run.
        seconds: that all runs may take, from now on.
        advance: called with how many images are done.

    Raises:
        SnnccError: SNN040 for what ONNX has no form for; SNN050, SNN053; when called, SNN054 when
            the seconds are over.
    """
    graph, ends = program.graph, time.monotonic() + seconds
    names = [node.name for node in graph.select(IntegerPopulation)]
    model = onnx_model(program, record=names)
    session = session_of(serialised(model))
    each = sum(count(node.type.with_time(graph.steps).shape) for node in graph.nodes)
    most = max(1, ELEMENTS // each)
    done = 0

    def run(images: Images, kept: Collection[str]) -> Execution:
        nonlocal done
        parts = list[Execution]()
        wanted = recorded_names(graph, kept) & {*names}
        for start in range(0, max(1, len(images)), most):
            part = images[start : start + most]
            parts.append(_executed(session, model, names, part, wanted, ends))
            done += len(part)
            advance(done)
        return _together(parts)

    def execute(images: Images, kept: Collection[str]) -> Execution:
        return run(check_images(graph, images), kept)

    yield execute


def _executed(
    session: Any,
    model: Any,
    names: Collection[str],
    images: Images,
    kept: Collection[str],
    ends: float,
) -> Execution:
    outputs = [READOUT, LOGITS, *map(spikes_name, names), *map(membranes_name, sorted(kept))]
    found = _run(session, outputs, {IMAGES: images, **start_inputs(model, len(images))}, ends)
    by_name = dict(zip(outputs, found, strict=True))
    spikes = {name: by_name[spikes_name(name)] for name in names}
    membranes = {name: by_name[membranes_name(name)].astype(np.int64) for name in kept}
    return Execution(
        by_name[READOUT],
        by_name[LOGITS],
        {name: spikes[name] for name in kept},
        membranes,
        {name: int(np.count_nonzero(spikes[name])) for name in names},
    )


def _run(session: Any, outputs: list[str], feed: dict[str, Any], ends: float) -> list[Any]:
    """One run, stopped when the time is over."""
    options = library("onnxruntime").RunOptions()
    left = ends - time.monotonic()

    def stop() -> None:
        options.terminate = True

    timer = threading.Timer(min(max(left, 0.0), threading.TIMEOUT_MAX), stop)
    timer.daemon = True
    if left <= 0:
        raise _too_long()
    timer.start()
    try:
        found: list[Any] = session.run(outputs, feed, options)
    except Exception as error:  # its exceptions share no class of their own
        raise (_too_long() if options.terminate else _failed(error)) from error
    finally:
        timer.cancel()
    return found


def _together(parts: list[Execution]) -> Execution:
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    return Execution(
        np.concatenate([part.readout for part in parts]),
        np.concatenate([part.logits for part in parts]),
        {name: np.concatenate([part.spikes[name] for part in parts]) for name in first.spikes},
        {n: np.concatenate([part.membranes[n] for part in parts]) for n in first.membranes},
        {n: sum(part.spike_counts[n] for part in parts) for n in first.spike_counts},
    )


def _too_long() -> SnnccError:
    return SnnccError(
        "SNN054",
        "onnxruntime took too long",
        why="the seconds of --timeout are over",
        help="give more with --timeout, or fewer images with --limit",
    )


def _failed(error: Exception) -> SnnccError:
    lines = tuple(str(error).strip().splitlines()[:8])
    return SnnccError(
        "SNN053",
        "onnxruntime failed",
        why="it says what is below",
        help="`snncc doctor` shows the versions of onnx and onnxruntime",
        details=lines,
    )
