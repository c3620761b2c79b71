"""What is wrong with single nodes: unknown types, missing fields, numbers that cannot be."""

import math
from collections.abc import Iterator

import numpy as np

from snncc.diagnostics import Finding
from snncc.frontends.nir.node_types import (
    NODE_TYPES,
    NOT_NEGATIVE,
    PADDINGS,
    POSITIVE,
    WHOLE,
    NodeType,
)
from snncc.frontends.nir.records import FROM_WRITER, INVALID, NirGraph, NirNode

LARGEST = 1e30
"""Of any real number: products of a few of them stay finite."""
LARGEST_GEOMETRY = 1 << 12
MOST_ELEMENTS = 1 << 26
LEAST = {"stride": 1, "kernel_size": 1, "dilation": 1, "groups": 1, "shape": 1, "input_shape": 1}
"""Of whole numbers; others are at least 0, dimensions of a Flatten of any sign."""
MOST_DIMENSIONS = 8


def node_findings(graph: NirGraph) -> Iterator[Finding]:
    """Everything that is wrong with nodes by themselves, those of subgraphs too."""
    for node in graph.nodes:
        if node.graph is not None:
            yield from node_findings(node.graph)
            continue
        kind = NODE_TYPES.get(node.kind)
        if kind is None:
            known = ", ".join(NODE_TYPES)
            told = f"node {node.name!r} is a {node.kind!r}, which NIR does not have"
            yield node.finding(INVALID, told, help=f"node types are {known} and NIRGraph")
        else:
            yield from _of_fields(node, kind)


def _of_fields(node: NirNode, kind: NodeType) -> Iterator[Finding]:
    missing = [name for name in kind.fields if name not in node.fields]
    beyond = [name for name in node.fields if name not in kind.known]
    if missing:
        yield _wrong(node, f"has no {_listed(missing)}", f"a {node.kind} has {_listed(kind.known)}")
    if beyond:
        told = f"has {_listed(beyond)}, which a {node.kind} does not"
        yield _wrong(node, told, "what it stands for is not known, so it cannot be left out")
    found = [each for name in node.fields if name in kind.known for each in _of_field(node, name)]
    yield from found
    if not (missing or beyond or found):
        yield from _of_shapes(node, kind)


def _of_field(node: NirNode, name: str) -> Iterator[Finding]:
    rule, value = NODE_TYPES[node.kind].known[name], node.fields[name]
    if isinstance(value, str):
        if name != "padding" or value not in PADDINGS:
            yield _wrong(node, f"has the text {value!r} as its {name}", "numbers belong there")
        return
    if value.size == 0 or value.ndim > MOST_DIMENSIONS:
        yield _wrong(node, f"has a {name} of shape {list(value.shape)}", "it needs numbers")
        return
    if rule == WHOLE:
        yield from _of_whole_numbers(node, name)
        return
    real = value.astype(np.float64)
    for wrong, told in (
        (~np.isfinite(real), "not finite"),
        (np.abs(np.where(np.isfinite(real), real, 0.0)) > LARGEST, f"beyond {LARGEST:g}"),
        ((real <= 0.0) & (rule == POSITIVE), "not above 0, as a time constant is"),
        ((real < 0.0) & (rule == NOT_NEGATIVE), "below 0"),
    ):
        if wrong.any():
            first = tuple(int(i) for i in np.argwhere(wrong)[0])
            count = f"{int(wrong.sum()):,} of {real.size:,} numbers"
            why = f"{count}, the first is {real[first]:g} at {list(first)}"
            yield _wrong(node, f"has a {name} that is {told}", why)


def _of_whole_numbers(node: NirNode, name: str) -> Iterator[Finding]:
    value = node.numbers(name)
    if value.ndim > 1 or value.size > MOST_DIMENSIONS or value.dtype.kind == "b":
        yield _wrong(node, f"has a {name} of shape {list(value.shape)}", "a few numbers are needed")
        return
    real = value.reshape(-1).astype(np.float64)
    if not (np.isfinite(real).all() and (real == np.rint(real)).all()):
        yield _wrong(node, f"has a {name} of {real.tolist()}", "whole numbers are needed")
        return
    sizes = name in ("shape", "input_shape", "input_type")
    most = MOST_ELEMENTS if sizes or name == "groups" else LARGEST_GEOMETRY
    least = -most if name.endswith("_dim") else LEAST.get(name, 0)
    total = math.prod(int(each) for each in real) if sizes else 0
    if real.min() < least or real.max() > most or total > MOST_ELEMENTS:
        why = f"numbers from {least} to {most} are possible"
        yield _wrong(node, f"has a {name} of {[int(n) for n in real]}", why)


def _of_shapes(node: NirNode, kind: NodeType) -> Iterator[Finding]:
    """Whether fields fit each other."""
    match node.kind:
        case "Affine" | "Linear":
            weight = node.numbers("weight").shape
            if len(weight) < 2:
                yield _wrong(node, f"has a weight of shape {list(weight)}", "it is [out, in]")
            elif node.kind == "Affine" and node.numbers("bias").shape != weight[:-1]:
                bias = list(node.numbers("bias").shape)
                why = f"its weight is {list(weight)}, so it must be {list(weight[:-1])}"
                yield _wrong(node, f"has a bias of shape {bias}", why)
        case "Conv1d" | "Conv2d":
            yield from _of_convolution(node, 1 if node.kind == "Conv1d" else 2)
        case "SumPool2d" | "AvgPool2d":
            yield from _of_lengths(node, 2, "kernel_size", "stride", "padding")
        case _:
            yield from _by_neuron(node, kind)


def _of_convolution(node: NirNode, rank: int) -> Iterator[Finding]:
    weight, bias = node.numbers("weight").shape, node.numbers("bias").shape
    if len(weight) != 2 + rank:
        yield _wrong(node, f"has a weight of shape {list(weight)}", f"it has {2 + rank} axes")
        return
    if max(weight[2:]) > LARGEST_GEOMETRY:
        yield _wrong(node, f"has a kernel of {list(weight[2:])}", f"at most {LARGEST_GEOMETRY}")
    groups = node.whole("groups")
    if len(groups) != 1 or weight[0] % groups[0]:
        yield _wrong(
            node, f"has {list(groups)} groups for {weight[0]} channels", "they divide them"
        )
    if bias != weight[:1]:
        yield _wrong(node, f"has a bias of shape {list(bias)}", f"it must be {list(weight[:1])}")
    yield from _of_lengths(node, rank, "stride", "dilation")
    if node.text("padding") == "same" and set(node.whole("stride")) != {1}:
        yield _wrong(node, "has padding 'same' and a stride", "'same' is defined for stride 1")
    if not isinstance(node.fields["padding"], str):
        yield from _of_lengths(node, rank, "padding")


def _of_lengths(node: NirNode, rank: int, *names: str) -> Iterator[Finding]:
    for name in names:
        if len(node.whole(name)) not in (1, rank):
            told = f"has a {name} of {list(node.whole(name))}"
            yield _wrong(node, told, f"one number, or {rank}, belong there")


def _by_neuron(node: NirNode, kind: NodeType) -> Iterator[Finding]:
    """All parameters of neurons have one shape; one number alone is that of every neuron."""
    shapes = {name: node.numbers(name).shape for name in kind.by_neuron if name in node.fields}
    large = {shape for shape in shapes.values() if math.prod(shape) != 1}
    if len(large) > 1:
        told = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        yield _wrong(node, "has parameters of several shapes", told)


def _wrong(node: NirNode, told: str, why: str) -> Finding:
    return node.finding(INVALID, f"{node.title} {told}", why, FROM_WRITER)


def _listed(names: object) -> str:
    return ", ".join(map(str, names)) if isinstance(names, list | dict) else str(names)
