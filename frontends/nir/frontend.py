"""The frontend of NIR files: recognised by their ending, read without torch."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from snncc.diagnostics import SnnccError
from snncc.frontends.frontend import FRAMES, ModelSpec, Source, Traced
from snncc.frontends.nir.conventions import CONVENTIONS, Convention
from snncc.frontends.nir.hdf5_file import read_file
from snncc.frontends.nir.network import Network, network_of
from snncc.frontends.nir.own_programs import CONVENTION as OWN
from snncc.frontends.nir.own_programs import own_program
from snncc.frontends.nir.records import OPEN
from snncc.frontends.nir.time_step import TimeStep, time_step_of
from snncc.frontends.nir.traced_graph import input_shape_of, notes_of, traced_graph
from snncc.ir import Graph
from snncc.ir.dialects.projections import Frames
from snncc.passes.give_each_step_a_frame import give_each_step_a_frame

SUFFIX = ".nir"
NAME = "nir"
MOST_VALUES = 1 << 28
"""Of one image over all time steps."""


class NirFrontend:
    """Reads files of the Neuromorphic Intermediate Representation."""

    def recognises(self, spec: ModelSpec) -> bool:
        """True for names that end in .nir, where no factory is named."""
        path = spec.checkpoint
        named = path is not None and path.suffix.lower() == SUFFIX
        return named and not spec.is_live and spec.model is None

    def check(self, spec: ModelSpec) -> None:
        """Raises SnnccError (SNN001) for options of other models."""
        _check(spec)

    def read(self, spec: ModelSpec) -> Source:
        """Reads a file by a convention.

        Raises:
            SnnccError: SNN050 without h5py, SNN001 for options of checkpoints, SNN150 and SNN151
                for what is wrong with the file, SNN152 for what only the user knows.
        """
        self.check(spec)
        path = spec.checkpoint or Path()
        file = read_file(path)
        network = network_of(file)
        if spec.convention == OWN:
            return _own(network, own_program(file, path.name), spec, path.name)
        convention = convention_named(spec.convention, path.name)
        step = time_step_of(network, convention, spec.dt, path.name)
        shape = input_shape_of(network)
        first = traced_graph(network, convention, step.seconds, 1)  # for what it has to say
        notes = (*notes_of(network), _told(convention, step))
        taken = (*notes[:-1], *first.notes)

        def trace(given: tuple[int, ...], steps: int, layout: str) -> Traced:
            _check_call(given, shape, steps, layout)
            traced = traced_graph(network, convention, step.seconds, steps)
            if layout != FRAMES:
                return traced
            return replace(traced, graph=give_each_step_a_frame(traced.graph))

        def parameters() -> int:
            return sum(_size(network, name) for name in ("weight", "bias"))

        facts = {"checkpoint": path.name, "nir": _facts(network, convention, step, taken)}
        return Source(NAME, trace, parameters, facts, shape, notes=notes)


def _own(network: Network, graph: Graph, spec: ModelSpec, name: str) -> Source:
    """A program that snncc exported, taken back as it is."""
    if spec.dt not in (None, 1.0):
        told = f"--dt {spec.dt:g} with --convention {OWN}"
        raise SnnccError(OPEN, told, why="its time step is 1", help="leave --dt out")
    (entering,) = (node.op for node in graph.select(Frames))
    shape = entering.shape if isinstance(entering, Frames) else ()

    def trace(given: tuple[int, ...], steps: int, layout: str) -> Traced:
        _check_call(given, shape, 1, layout)
        if steps != graph.steps:
            why = "its integers are proved for these steps"
            told = f"--steps {steps}, and the program in {name} has {graph.steps}"
            raise SnnccError("SNN001", told, why=why, help="leave --steps out")
        return Traced(graph)

    def parameters() -> int:
        return sum(_size(network, each) for each in ("weight", "bias"))

    facts = {"checkpoint": name, "nir_program": {"version": network.version}}
    notes = (f"--convention {OWN}: the program that was exported, its integers as they are",)
    return Source(NAME, trace, parameters, facts, shape, graph.steps, notes, whole=True)


def convention_named(name: str | None, source: str) -> Convention:
    """A convention by its name.

    Raises:
        SnnccError: SNN152 without a name, SNN001 for one that there is not.
    """
    if name is not None and name in CONVENTIONS:
        return CONVENTIONS[name]
    names = ", ".join(CONVENTIONS)
    if name is not None:
        raise SnnccError("SNN001", f"there is no convention {name!r}", help=f"there are {names}")
    raise SnnccError(
        OPEN,
        f"which spikes {source} gives is not said: --convention is missing",
        why="a NIR file holds no reset, no comparison, no order within a step and no time step; "
        "frameworks differ in them, and their spikes differ",
        help=f"give --convention with the framework that wrote or ran it: {names}",
        details=tuple(f"{each.name:13} {each.about}" for each in CONVENTIONS.values()),
    )


def _told(convention: Convention, step: TimeStep) -> str:
    dt = "no dt" if step.seconds is None else f"dt {step.seconds:g} s"
    return (
        f"--convention {convention.name} ({convention.about}); {dt}: {step.source}; the answer is "
        "the mean over the steps of what the Output gives"
    )


def _facts(
    network: Network, convention: Convention, step: TimeStep, repairs: tuple[str, ...]
) -> Mapping[str, Any]:
    return {
        "version": network.version,
        "convention": convention.name,
        "about": convention.about,
        "dt": step.seconds,
        "dt_is": step.source,
        "answer": "mean over steps of the Output",
        "repaired": list(repairs),
        **convention.facts,
    }


def _size(network: Network, name: str) -> int:
    return sum(np.asarray(n.fields[name]).size for n in network.nodes if name in n.fields)


def _check(spec: ModelSpec) -> None:
    """Raises SnnccError (SNN001) for an option that belongs to checkpoints of tensors."""
    for option, value, why in (
        ("--arg", spec.arguments, "only a factory of your own takes arguments"),
        ("--neuron", spec.neuron, "the file holds its neurons' parameters"),
        ("--weights", spec.weights, "there is one set of weights in it"),
        ("--answer", spec.answer, "it has one Output"),
    ):
        if value:
            help_ = f"leave {option} out"
            raise SnnccError(
                "SNN001", f"{option} does not go with a .nir file", why=why, help=help_
            )


def _check_call(given: tuple[int, ...], shape: tuple[int, ...], steps: int, layout: str) -> None:
    if given != shape:
        told = ",".join(map(str, given))
        raise SnnccError(
            "SNN001",
            f"--input-shape {told}, but the file's Input is {','.join(map(str, shape))}",
            why="a file of NIR says what it takes",
            help="leave --input-shape out",
        )
    if layout not in ("auto", FRAMES):
        raise SnnccError(
            "SNN001",
            f"--layout {layout} does not go with a .nir file",
            why="it says how a module takes its input, and a file is no module",
            help="leave --layout out",
        )
    if math.prod(shape) * steps > MOST_VALUES:
        why = f"at most {MOST_VALUES:,} values of an image over all steps are taken"
        raise SnnccError("SNN001", f"{steps:,} steps of images {list(shape)}", why=why)
