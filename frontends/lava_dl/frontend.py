"""The frontend of .net files: recognised by their ending, read without torch."""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from snncc.diagnostics import Finding, SnnccError
from snncc.frontends.frontend import ModelSpec, Source, Traced
from snncc.frontends.lava_dl.conventions import TIMINGS, Timing
from snncc.frontends.lava_dl.layer_checks import layer_findings
from snncc.frontends.lava_dl.net_file import read_file
from snncc.frontends.lava_dl.program import program_of
from snncc.frontends.lava_dl.records import OPEN, Layer, NetFile

SUFFIX = ".net"
NAME = "lava-dl"
MOST_VALUES = 1 << 28
"""Of one input over all time steps."""


class LavaDlFrontend:
    """Reads networks that lava-dl exported."""

    def recognises(self, spec: ModelSpec) -> bool:
        """True for names that end in .net, where no factory is named."""
        path = spec.checkpoint
        named = path is not None and path.suffix.lower() == SUFFIX
        return named and not spec.is_live and spec.model is None

    def check(self, spec: ModelSpec) -> None:
        """Raises SnnccError (SNN001) for options of other models."""
        _check(spec)

    def read(self, spec: ModelSpec) -> Source:
        """Reads a file.

        Raises:
            SnnccError: SNN050 without h5py, SNN001 for options of other models, SNN150 and SNN151
                for what is wrong with the file, SNN152 without a convention, SNN153 for layers
                without a form.
        """
        self.check(spec)
        path = spec.checkpoint or Path()
        net = read_file(path)
        found = [each for layer in net.layers for each in layer_findings(layer)]
        if found:
            raise SnnccError.of(found)
        timing = _timing(spec.convention, path.name)
        shape = _input_shape(net)
        facts = {"checkpoint": path.name, "lava_dl": _facts(net, timing)}

        def trace(given: tuple[int, ...], steps: int, layout: str) -> Traced:
            _check_call(given, shape, steps, layout)
            made = program_of(net, timing, given, steps)
            return Traced(made.graph, notes=(f"the answer is {made.answer}",))

        def parameters() -> int:
            return sum(
                np.asarray(layer.fields[name]).size
                for layer in net.layers
                for name in ("weight", "weight_rec", "bias")
                if name in layer.fields
            )

        notes = (*net.notes, *_told(net, timing))
        return Source(NAME, trace, parameters, facts, shape, net.steps, notes, whole=True)


def _timing(name: str | None, source: str) -> Timing:
    """A convention by its name.

    Raises:
        SnnccError: SNN152 without a name, SNN001 for one that is of other files.
    """
    if name is not None and name in TIMINGS:
        return TIMINGS[name]
    names = ", ".join(TIMINGS)
    if name is not None:
        told = f"--convention {name} does not go with a .net file"
        raise SnnccError("SNN001", told, help=f"there are {names}")
    raise SnnccError(
        OPEN,
        f"when layers of {source} hear each other is not said: --convention is missing",
        why="slayer runs all layers in one step, NetX each a step later, and their spikes differ",
        help=f"give --convention with what ran it: {names}",
        details=tuple(f"{each.name:13} {each.about}" for each in TIMINGS.values()),
    )


def _input_shape(net: NetFile) -> tuple[int, ...] | None:
    """What enters at one step, where the file says it."""
    first = net.layers[0]
    if first.kind == "input":
        return first.lengths("shape")
    if first.kind in ("dense", "dense_rec"):
        weight = first.numbers("weight")
        rows = prod(first.lengths("shape")) if weight.ndim == 1 else len(weight)
        return (max(1, weight.size // max(1, rows)),)
    return None


def _takes_image(first: Layer) -> bool:
    return first.kind == "input" and first.neuron is not None


def _told(net: NetFile, timing: Timing) -> tuple[str, ...]:
    first = net.layers[0]
    entering = "input enters as spikes, 0 or 1, an array [steps, ...] for each sample"
    if _takes_image(first):
        scale, shift = (
            _number(first, name, usual) for name, usual in (("weight", 64), ("bias", 0))
        )
        entering = (
            f"an image enters as the bias of the input neurons, 0..255: the file's own transform "
            f"is pixel * {scale:g} + {shift:g}, rounded"
        )
    return f"--convention {timing.name} ({timing.about})", entering


def _number(layer: Layer, name: str, usual: float) -> float:
    return float(layer.numbers(name).reshape(-1)[0]) if name in layer.fields else usual


def _facts(net: NetFile, timing: Timing) -> Mapping[str, Any]:
    first = net.layers[0]
    return {
        "convention": timing.name,
        "about": timing.about,
        "layers": [layer.kind for layer in net.layers],
        "input": "image" if _takes_image(first) else "spikes",
        "left_out": list(net.notes),
    }


def _check(spec: ModelSpec) -> None:
    """Raises SnnccError (SNN001) for an option that belongs to other models."""
    for option, value, why in (
        ("--arg", spec.arguments, "only a factory of your own takes arguments"),
        ("--neuron", spec.neuron, "the file holds its neurons' parameters"),
        ("--weights", spec.weights, "there is one set of weights in it"),
        ("--dt", spec.dt, "its steps are those of the chip"),
    ):
        if value:
            raise SnnccError(
                "SNN001",
                f"{option} does not go with a .net file",
                why=why,
                help=f"leave {option} out",
            )


def _check_call(
    given: tuple[int, ...], shape: tuple[int, ...] | None, steps: int, layout: str
) -> None:
    found: list[Finding] = []
    if shape is not None and given != shape:
        told = f"--input-shape {list(given)}, and the file takes {list(shape)}"
        found.append(Finding("SNN001", told, help="leave --input-shape out"))
    if layout != "auto":
        told = f"--layout {layout} does not go with a .net file"
        found.append(Finding("SNN001", told, help="leave --layout out"))
    if prod(given) * steps > MOST_VALUES:
        why = f"at most {MOST_VALUES:,} values over all steps are taken"
        found.append(Finding("SNN001", f"{steps:,} steps of input {list(given)}", why=why))
    if found:
        raise SnnccError.of(found)
