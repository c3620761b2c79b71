"""ONNX graphs of programs in onnxruntime, in either form and in parts, beside the interpreter."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from snncc.artifact import Program
from snncc.ir import TIME, Graph, Node
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.runtime import ALL, interpret

HOW = "pip install onnx onnx-ir onnxruntime to run these tests"
for library in ("onnx", "onnx_ir", "onnxruntime"):
    pytest.importorskip(library, reason=HOW)

from snncc.backends.onnx_graph.model import (  # noqa: E402 (they need the libraries)
    membranes_name,
    onnx_model,
    serialised,
    spikes_name,
    start_inputs,
)
from snncc.backends.onnx_graph.running import session_of  # noqa: E402

States = dict[str, np.ndarray]


@dataclass(frozen=True)
class Run:
    """What a graph gave.

    Attributes:
        readout: integers.
        logits: in real units.
        spikes: by population, [batch, *axes of its type].
        membranes: likewise.
        states: after the run, by the names of the inputs that take them.
    """

    readout: np.ndarray
    logits: np.ndarray
    spikes: dict[str, np.ndarray]
    membranes: dict[str, np.ndarray]
    states: States


class Graphs:
    """The graph of a program in one form, in a session."""

    def __init__(self, graph: Graph, form: str) -> None:
        self.graph = graph
        self.names = [node.name for node in graph.select(IntegerPopulation)]
        self.model = onnx_model(Program(graph, {}), form, self.names)
        self.session: Any = session_of(serialised(self.model))
        self.inputs = [given.name for given in self.session.get_inputs()]
        self.outputs = [given.name for given in self.session.get_outputs()]

    @property
    def entry(self) -> Node:
        return next(node for node in self.graph.nodes if not node.inputs)

    def run(self, images: np.ndarray, states: States | None = None, **given: Any) -> Run:
        """One run, from zero states unless others are given."""
        before = start_inputs(self.model, len(images)) | (states or {})
        feed = {"images": np.ascontiguousarray(images), **before, **given}
        found = dict(zip(self.outputs, self.session.run(self.outputs, feed), strict=True))
        return Run(
            found["readout"],
            found["logits"],
            {name: found[spikes_name(name)] for name in self.names},
            {name: found[membranes_name(name)] for name in self.names},
            {n: found[n.replace("[state]", "[next]")] for n in before if n.endswith("[state]")},
        )

    def steps_of(self, images: np.ndarray, start: int, stop: int) -> np.ndarray:
        """The frames of some steps; images that are the same at every step as they are."""
        kind = self.entry.type
        if not kind.temporal:
            return images
        return images.take(range(start, stop), 1 + kind.names.index(TIME))


def in_scan(graph: Graph, images: np.ndarray) -> Run:
    return Graphs(graph, "scan").run(images)


def in_steps(graph: Graph, images: np.ndarray) -> Run:
    """One step after the other, states handed on."""
    graphs, states, parts = Graphs(graph, "step"), None, list[Run]()
    for t in range(graph.steps):
        frame = graphs.steps_of(images, t, t + 1)
        if graphs.entry.type.temporal:
            frame = frame.squeeze(1 + graphs.entry.type.names.index(TIME))
        given = {"step": np.array(t, np.int64)} if "step" in graphs.inputs else {}
        parts.append(graphs.run(frame, states, **given))
        states = parts[-1].states

    def stacked(values: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        places = {name: 1 + graph[name].type.names.index(TIME) for name in graphs.names}
        return {n: np.stack([v[n] for v in values], place) for n, place in places.items()}

    spikes, membranes = ([getattr(p, key) for p in parts] for key in ("spikes", "membranes"))
    last = parts[-1]
    return Run(last.readout, last.logits, stacked(spikes), stacked(membranes), last.states)


def in_two_parts(graph: Graph, images: np.ndarray, first: int) -> Run:
    """Some steps, then the others from the states that those left; T is the run's."""
    graphs = Graphs(graph, "scan")
    states, parts = None, list[Run]()
    for start, stop in ((0, first), (first, graph.steps)):
        given = {"steps": np.array([stop - start])} if "steps" in graphs.inputs else {}
        parts.append(graphs.run(graphs.steps_of(images, start, stop), states, **given))
        states = parts[-1].states

    def joined(values: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        places = {name: 1 + graph[name].type.names.index(TIME) for name in graphs.names}
        return {n: np.concatenate([v[n] for v in values], place) for n, place in places.items()}

    spikes, membranes = ([getattr(p, key) for p in parts] for key in ("spikes", "membranes"))
    last = parts[-1]
    return Run(last.readout, last.logits, joined(spikes), joined(membranes), last.states)


def same_as_interpreted(graph: Graph, images: np.ndarray, run: Run, what: object = "") -> int:
    """Holds answers, spikes and membranes against the interpreter; how many spikes there were."""
    wanted = interpret(graph, images, ALL)
    assert np.array_equal(wanted.readout, run.readout), what
    assert np.array_equal(wanted.logits, run.logits), what
    assert set(wanted.spikes) == set(run.spikes)
    for name, spikes in wanted.spikes.items():
        assert np.array_equal(spikes, run.spikes[name]), (what, name)
        assert np.array_equal(wanted.membranes[name], run.membranes[name]), (what, name)
    return sum(wanted.spike_counts.values())


def checked(content: bytes) -> Any:
    """The model, of which onnx's checker and its strict inference of shapes find no fault."""
    import onnx

    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    return model
