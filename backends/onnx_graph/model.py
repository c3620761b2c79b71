"""The whole graph of a program."""

import json
from collections.abc import Collection
from typing import Any

import numpy as np

import snncc
from snncc.artifact import Program, program_digest
from snncc.backends.onnx_graph import FORM
from snncc.backends.onnx_graph.draft import (
    BATCH_LENGTH,
    FORMS,
    SCAN,
    STEP_INPUT,
    STEPS_INPUT,
    Draft,
    next_name,
    state_name,
)
from snncc.backends.onnx_graph.inputs import IMAGES
from snncc.backends.onnx_graph.library import library
from snncc.backends.onnx_graph.table import At
from snncc.backends.onnx_graph.value import BATCH, LEADING, Value
from snncc.diagnostics import SnnccError
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout

OPSET, IR_VERSION = 17, 8
READOUT, LOGITS = "readout", "logits"
PRODUCER = "snncc"


def onnx_model(program: Program, form: str = SCAN, record: Collection[str] = ()) -> Any:
    """The model, of onnx_ir; equal programs give equal ones.

    Args:
        program: integer dialect, verified.
        form: `scan`, all steps in one run, or `step`, one step a run.
        record: populations whose spikes and membranes are outputs too.

    Raises:
        SnnccError: SNN040 for every op that ONNX has no form for; SNN050 without onnx_ir; SNN001
            for another form.
    """
    if form not in FORMS:
        raise SnnccError("SNN001", f"form {form}", help=f"one of: {', '.join(FORMS)}")
    graph = program.graph
    FORM.require(graph)
    draft, values = Draft(graph, form), dict[str, Value]()
    for node in graph.nodes:
        values[node.name] = FORM(At(draft, node, [values[n] for n in node.inputs]), node)
    answer = graph[graph.output]
    draft.leaves(values[answer.name], READOUT, answer.type)
    if draft.logits is not None:
        draft.leaves(draft.logits, LOGITS, answer.type)
    for name in (node.name for node in graph.nodes if node.name in record):
        draft.leaves(values[name], spikes_name(name), graph[name].type)
        draft.leaves(draft.membranes[name], membranes_name(name), graph[name].type)
    return draft.w.model(
        PRODUCER,
        OPSET,
        IR_VERSION,
        producer_name=PRODUCER,
        producer_version=snncc.__version__,
        metadata_props=_metadata(program, draft, form, record),
    )


def spikes_name(population: str) -> str:
    """The output that holds spikes, uint8."""
    return f"{population}[spikes]"


def membranes_name(population: str) -> str:
    """The output that holds membranes at the comparison, before the reset."""
    return f"{population}[membranes]"


def _metadata(program: Program, draft: Draft, form: str, record: Collection[str]) -> dict[str, str]:
    """What a reader needs to know of inputs and outputs; axes by name."""
    graph = program.graph
    entry = next(node for node in graph.nodes if not node.inputs)
    answer = graph[graph.output]
    inputs = {IMAGES: [BATCH, *draft.names(entry.type)]}
    outputs = {READOUT: [BATCH, *answer.type.names], LOGITS: [BATCH, *answer.type.names]}
    for state in draft.states:
        axes = [BATCH, *(axis for axis in state.axes if axis != LEADING)]
        inputs[state_name(state.name)] = outputs[next_name(state.name)] = axes
    for name in (node.name for node in graph.nodes if node.name in record):
        axes = [BATCH, *draft.names(graph[name].type)]
        outputs[spikes_name(name)] = outputs[membranes_name(name)] = axes
    given = [value.name for value in draft.w.inputs]
    inputs |= {name: [] for name in (STEPS_INPUT, STEP_INPUT) if name in given}
    populations = [n.name for n in graph.nodes if isinstance(n.op, IntegerPopulation)]
    unit = answer.op.unit if isinstance(answer.op, IntegerReadout) else 1.0
    facts: dict[str, Any] = {
        "program": program_digest(program),
        "version": snncc.__version__,
        "profile": graph.profile,
        "form": form,
        "steps": str(graph.steps),
        "proved_steps": str(draft.proved.steps),
        "unit": repr(unit),
        "populations": populations,
        "inputs": inputs,
        "outputs": outputs,
    }
    return {
        f"snncc.{key}": fact if isinstance(fact, str) else json.dumps(fact, sort_keys=True)
        for key, fact in facts.items()
    }


def start_inputs(model: Any, images: int) -> dict[str, Any]:
    """What enters beside images in a run from the start: states of zeros, the program's T.

    Args:
        model: of `onnx_model`.
        images: in the batch.
    """
    steps = int(model.metadata_props["snncc.steps"])
    known = {STEPS_INPUT: np.array([steps], np.int64), STEP_INPUT: np.array(0, np.int64)}
    found: dict[str, Any] = {}
    for value in model.graph.inputs[1:]:
        sizes = [images if str(size) == BATCH_LENGTH else size for size in value.shape]
        zeros = np.zeros([int(size) for size in sizes], value.type.dtype.numpy())
        found[value.name] = known.get(value.name, zeros)
    return found


def serialised(model: Any) -> bytes:
    """The bytes of a file without external data; equal models give equal ones."""
    content: bytes = (
        library("onnx_ir").serde.serialize_model(model).SerializeToString(deterministic=True)
    )
    return content
