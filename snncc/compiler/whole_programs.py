"""Models that are integer programs already: nothing is folded, rounded or calibrated."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from snncc import __version__
from snncc.artifact import Program
from snncc.compiler.given import Given
from snncc.compiler.options import DEFAULT_WEIGHT_BITS, CompileOptions
from snncc.diagnostics import Finding, SnnccError
from snncc.frontends.frontend import Source, Traced
from snncc.ir import Graph
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.mfi.folds.proof import fold_summary
from snncc.mfi.folds.roundings import rounding_summary
from snncc.targets.registry import profile_named

NEAREST = "pixels and spikes enter as the integers that they are"


def whole_program(
    source: Source, trace: Traced, options: CompileOptions, given: Given, shape: tuple[int, ...]
) -> Program:
    """The program of a source whose integers are used exactly as they are.

    Raises:
        SnnccError: SNN001 for options that would change an integer or that compare with a network
            in real numbers, and what the profile's limits say.
    """
    own, usual = trace.graph.profile, CompileOptions.profile
    profile = profile_named(own if options.profile == usual else options.profile)
    if found := tuple(_needless(options, given)):
        raise SnnccError.of(found)
    graph = replace(trace.graph, profile=profile.name)
    if beyond := profile.limits(graph):
        raise SnnccError.of(beyond)
    report: dict[str, Any] = {
        "snncc": __version__,
        "network": source.network,
        **source.facts,
        "input_shape": list(shape),
        "steps": graph.steps,
        "normalize": {"mean": [0.0], "std": [1.0]},
        "preprocess": None,
        "gain": profile.gain_for(options),
        "encoding": options.encoding,
        "profile": profile.name,
        "parameters": source.parameters(),
        "traced_nodes": 0,
        "nodes": len(graph.nodes),
        "folds": [],
        "fired": {},
        "weight_bits": _bits(graph),
        "layer_bits": {},
        "fold_proof": fold_summary(()),
        "rounding": rounding_summary(()),
    }
    return Program(graph, report)


def _needless(options: CompileOptions, given: Given) -> Iterable[Finding]:
    """Options that a program of integers has no use for."""
    usual = CompileOptions()
    for name, is_given, why in (
        ("--normalize", options.normalize is not None, NEAREST),
        ("--preprocess", options.preprocess is not None, NEAREST),
        ("--frames", options.frames is not None, "it says itself what enters it"),
        ("--layer-bits", bool(options.layer_bits), "its weights are integers already"),
        ("--agreement", options.agreement is not None, "its weights are integers already"),
        (
            "--weight-bits",
            options.weight_bits not in (None, DEFAULT_WEIGHT_BITS),
            "its weights are integers already",
        ),
        ("--gain", options.gain is not None, "it has no BatchNorm"),
        ("--decay", options.decay != usual.decay, "its leaks are integers already"),
        ("--encoding", options.encoding != usual.encoding, "it multiplies nowhere"),
        ("--calibrate", given.calibration is not None, "nothing is rounded"),
        ("--evaluate", given.evaluation is not None, "there is no other network to compare with"),
        ("--labels", given.labels is not None, "there is no other network to compare with"),
    ):
        if is_given:
            told = f"{name} does not go with a file of integers"
            yield Finding("SNN001", told, None, why, f"leave {name} out")


def _bits(graph: Graph) -> int:
    """Of the widest weight, its sign included."""
    maps = [n.op for n in graph.nodes if isinstance(n.op, Contract | Convolve)]
    ends = [
        int(end)
        for op in maps
        for end in (
            np.min(graph.constants[op.weight.name]),
            np.max(graph.constants[op.weight.name]),
        )
    ]
    return max((n if n >= 0 else ~n).bit_length() + 1 for n in (0, *ends))
