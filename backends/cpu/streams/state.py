"""What a stream needs to go on: a value, a file, and checks of both."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from snncc.data.files import read_arrays, write_named
from snncc.diagnostics import SnnccError
from snncc.execution import Images, Ints, check_images
from snncc.ir import TIME, Array, Graph
from snncc.ir.arrays import narrow
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.encodings import frames_of
from snncc.ir.populations import kept_by, neuron_nodes

SCHEMA, FED_SCHEMA = 2, 3
"""1 had no delays. 3 is of a stream whose frames come one by one: who reads only 2 must not go on
with the frames that are not there yet."""
PROGRAM, DONE, IMAGE, READOUT, FORM = "program", "done", "image", "readout", "schema"
MEMBRANES, DELAYS = "membranes/", "delays/"


@dataclass(frozen=True)
class StreamState:
    """A program between two time steps of one image.

    Attributes:
        program: sha256 of the graph and its constants, as `Simulator.digest` gives it.
        done: how many steps are computed.
        image: uint8, [*axes of the image].
        membranes: by neurons, after the reset, integers [*axes of its type but time]; of those of
            several states [slot, *axes], every state and, where it acts late, the last spike.
        readout: sum of the current that is read out, over the steps done, without the offset.
        delays: by delay, the last values that it read, the newest last, integers [steps, *axes of
            one step].
        fed: frames come one by one, and the image has only those of the steps done.
    """

    program: str
    done: int
    image: Images
    membranes: Mapping[str, Ints]
    readout: Ints
    delays: Mapping[str, Ints] = field(default_factory=dict[str, Ints])
    fed: bool = False


def save_state(path: Path, state: StreamState) -> None:
    """Writes a state as .npz, not compressed; equal states give equal bytes.

    Raises:
        SnnccError: SNN002 when the file cannot be written.
    """
    arrays: dict[str, Array] = {
        FORM: np.array(FED_SCHEMA if state.fed else SCHEMA),
        PROGRAM: np.array(state.program),
        DONE: np.array(state.done),
        IMAGE: state.image,
        READOUT: state.readout,
    }
    arrays |= {MEMBRANES + name: narrow(values) for name, values in state.membranes.items()}
    arrays |= {DELAYS + name: narrow(values) for name, values in state.delays.items()}
    write_named(path, arrays, zipfile.ZIP_STORED)


def load_state(path: Path) -> StreamState:
    """Reads a state. Whether it fits a program is seen when it is resumed.

    Raises:
        SnnccError: SNN015 when the file cannot be read, SNN016 when it holds no state.
    """
    arrays = read_arrays(path)
    missing = [key for key in (FORM, PROGRAM, DONE, IMAGE, READOUT) if key not in arrays]
    if missing:
        raise _wrong(f"{path} is not the state of a stream", f"it has no array {missing[0]!r}")
    schema, program, done = arrays[FORM], arrays[PROGRAM], arrays[DONE]
    if schema.shape or not _whole(schema) or int(schema) not in (SCHEMA, FED_SCHEMA):
        raise _wrong(
            f"{path} is a state of another version",
            f"it is {_version(schema)}, this one reads {SCHEMA} and {FED_SCHEMA}",
        )
    if program.shape or program.dtype.kind != "U" or done.shape or not _whole(done):
        raise _wrong(f"{path} is not the state of a stream", "its program or step has no such form")
    membranes, delays = (
        {
            key.removeprefix(what): _ints(path, key, array)
            for key, array in arrays.items()
            if key.startswith(what)
        }
        for what in (MEMBRANES, DELAYS)
    )
    readout = _ints(path, READOUT, arrays[READOUT])
    fed = int(schema) == FED_SCHEMA
    return StreamState(str(program), int(done), arrays[IMAGE], membranes, readout, delays, fed)


def check_state(graph: Graph, digest: str, state: StreamState) -> None:
    """Sees to it that a program can have been in a state.

    Raises:
        SnnccError: SNN016 when it is of another program, or has a shape or a number that this
            program cannot reach.
    """
    if state.program != digest:
        raise _wrong(
            "the state is of another program",
            f"its sha256 begins with {state.program[:16] or 'nothing'}, not {digest[:16]}",
            "resume with the program that the stream was started with",
        )
    if not 0 <= state.done <= graph.steps:
        raise _wrong(f"the state is of step {state.done}", f"the program has {graph.steps} steps")
    check_images(graph, state.image[None])
    if state.fed and TIME not in frames_of(graph).axes:
        raise _wrong("the state waits for frames", "the program takes one image for all steps")
    populations = {node.name: node for node in neuron_nodes(graph)}
    if set(state.membranes) != set(populations):
        odd = sorted(set(state.membranes) ^ set(populations))
        raise _wrong("the state is not of this program's populations", f"first: {odd[0]}")
    for name, node in populations.items():
        what, values = f"membranes of {name}", state.membranes[name]
        within, shape = kept_by(node.op, graph.context), node.type.without(TIME).shape
        if isinstance(node.op, IntegerPopulation):
            _check(what, values, shape, within[0])
            continue
        if values.shape != (len(within), *shape):
            found = f"{list(values.shape)}, not {[len(within), *shape]}"
            raise _wrong(f"the state does not fit: {what}", found)
        for slot, interval in zip(values, within, strict=True):
            _check(what, slot, shape, interval)
    _check_delays(graph, state)
    source = graph[graph[graph.output].inputs[0]].type
    low, high = source.range or (0, 0)
    bounds = (low * state.done, high * state.done)
    _check("its readout", state.readout, graph[graph.output].type.shape, bounds)


def _check_delays(graph: Graph, state: StreamState) -> None:
    delays = {node.name: node for node in graph.select(Delay)}
    if set(state.delays) != set(delays):
        odd = sorted(set(state.delays) ^ set(delays))
        raise _wrong("the state is not of this program's delays", f"first: {odd[0]}")
    for name, node in delays.items():
        op = node.op
        if isinstance(op, Delay):
            shape = (op.steps, *op.shape)
            _check(f"the past of {name}", state.delays[name], shape, node.type.range or (0, 0))


def _version(schema: Array) -> str:
    return str(int(schema)) if not schema.shape and _whole(schema) else "of no known form"


def _check(what: str, values: Ints, shape: tuple[int, ...], bounds: tuple[int, int]) -> None:
    if values.shape != shape:
        raise _wrong(f"the state does not fit: {what}", f"{list(values.shape)}, not {list(shape)}")
    if values.size and not bounds[0] <= int(values.min()) <= int(values.max()) <= bounds[1]:
        reach = f"{values.min()}..{values.max()}, the program reaches {bounds[0]}..{bounds[1]}"
        raise _wrong(f"the state does not fit: {what}", reach)


def _whole(array: Array) -> bool:
    return bool(np.issubdtype(array.dtype, np.integer))


def _ints(path: Path, key: str, array: Array) -> Ints:
    if not _whole(array) or array.dtype == np.uint64:
        raise _wrong(f"{path} is not the state of a stream", f"{key} is {array.dtype}")
    return array.astype(np.int64)


def _wrong(message: str, why: str, help: str = "save it again with `save_state`") -> SnnccError:
    return SnnccError("SNN016", message, why=why, help=help)
