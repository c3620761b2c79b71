"""Numbers of a layer that a chip must hold, whatever core they are on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from snncc.chips.checking.impulses import ENDS, LEAVES, responses, shape_of
from snncc.ir import Graph, Node, Param
from snncc.ir.dialects.integer import IntegerPopulation

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Layer:
    """What a file says of a layer, and what of its neurons counts.

    Attributes:
        name: of it.
        image: "", "bias" or "planes".
        delay_bits: of each synapse.
        exponents: by source.
        signs: one a neuron.
        thresholds: one a neuron.
    """

    name: str
    image: str
    delay_bits: int
    exponents: Mapping[str, int]
    signs: Ints
    thresholds: Ints


def layer_faults(
    graph: Graph, node: Node, facts: Mapping[str, Any], given: object
) -> tuple[Layer | None, list[str]]:
    """A layer as a file has it, and what is wrong with it."""
    name = node.name
    if not isinstance(given, dict):
        return None, [f"{name}: image, delay_bits and exponents are its keys"]
    said = cast("dict[str, Any]", given)
    if set(said) != {"image", "delay_bits", "exponents"} or not isinstance(said["exponents"], dict):
        return None, [f"{name}: image, delay_bits and exponents are its keys"]
    exponents = cast("dict[str, Any]", said["exponents"])
    faults: list[str] = []
    span = facts.get("synapse.exponents")
    for source, exponent in exponents.items():
        if not isinstance(exponent, int) or isinstance(exponent, bool) or not 0 <= exponent < 62:
            faults.append(f"{name}: no exponent of {source[:60]}: {str(exponent)[:40]}")
        elif span is not None and not span[0] <= exponent <= span[1]:
            faults.append(f"{name}: the chip has no exponent {exponent}")
    reads, depths = _reads(graph, node), _depths(graph)
    faults += [f"{name}: {s[:60]} does not reach it" for s in exponents if s not in reads]
    images = [source for source in reads if graph[source].op.mnemonic == "frames"]
    if said["image"] not in (("bias", "planes") if images else ("",)):
        faults.append(f"{name}: an image enters as bias or planes, and only where one does")
    if said["image"] == "bias" and set(images) & set(exponents):
        faults.append(f"{name}: an image that enters as a bias has no exponent")
    waits = [depths[name] - depths[s] - 1 for s in reads if s not in images]
    longest = max(waits, default=0)
    limit = facts.get("neuron.delay_steps")
    if limit is not None and longest > limit:
        faults.append(f"{name}: spikes wait {longest} steps, the chip has {limit}")
    bits = longest.bit_length() if facts.get("synapse.delay_bits_stored") else 0
    if type(said["delay_bits"]) is not int or said["delay_bits"] != bits:
        faults.append(f"{name}: delays take {bits} bits, the file says {said['delay_bits']!s:.20}")
    faults += _neuron_faults(graph, node, facts)
    if said["image"] == "bias":
        faults += _bias_faults(graph, node, facts)
    if faults:
        return None, faults
    op, ones = node.op, np.ones(node.type.neurons, np.int64)
    signs, thresholds = ones, 0 * ones
    if isinstance(op, IntegerPopulation):
        signs = ones if op.polarity is None else _over(graph, node, op.polarity)
        thresholds = _over(graph, node, op.threshold)
    return Layer(name, said["image"], bits, exponents, signs, thresholds), []


def _reads(graph: Graph, node: Node) -> set[str]:
    """The populations and images behind a layer, without a neuron between."""
    behind = set(node.inputs)
    for each in reversed(graph.nodes):
        if each.name in behind and each.op.mnemonic not in LEAVES:
            behind = (behind - {each.name}) | set(each.inputs)
    return behind


def _depths(graph: Graph) -> dict[str, int]:
    """For each layer how many populations a spike crosses before it, at most."""
    crossed: dict[str, int] = {}
    depths: dict[str, int] = {}
    for node in graph.nodes:
        most = max((crossed[name] for name in node.inputs), default=0)
        end = node.op.mnemonic in ENDS
        crossed[node.name] = most + 1 if end else most
        if end:
            depths[node.name] = most
    return depths


def _over(graph: Graph, node: Node, param: Param) -> Ints:
    """A constant as one number a neuron. Raises ValueError for one that differs by step."""
    if "t" in param.axes:
        raise ValueError(f"{node.name}: a constant differs from step to step")
    array = graph.constants[param.name].astype(np.int64)
    sizes = shape_of(node)
    order = [param.axes.index(n) for n in sizes if n in param.axes]
    shape = [size if n in param.axes else 1 for n, size in sizes.items()]
    return np.broadcast_to(array.transpose(order).reshape(shape), [*sizes.values()]).ravel()


def _holds(bits: object, low: int, high: int) -> bool:
    return not isinstance(bits, int) or -(1 << (bits - 1)) <= low <= high < 1 << (bits - 1)


def _neuron_faults(graph: Graph, node: Node, facts: Mapping[str, Any]) -> list[str]:
    op, faults = node.op, list[str]()
    low, high = node.type.range or (0, 0)
    if isinstance(op, IntegerPopulation):
        low, high = op.membrane
        values = graph.constants[op.threshold.name].astype(np.int64)
        if not _holds(facts.get("neuron.threshold_bits"), int(values.min()), int(values.max())):
            faults.append(f"{node.name}: a threshold has too many bits")
        step = facts.get("neuron.threshold_step") or 1
        if (values % step).any():
            faults.append(f"{node.name}: a threshold is no multiple of {step}")
        resets = facts.get("neuron.resets")
        if resets and op.reset not in resets and op.decay[0] != 0:
            faults.append(f"{node.name}: the chip has no {op.reset} reset")
    if not _holds(facts.get("neuron.state_bits"), low, high):
        faults.append(f"{node.name}: a membrane has too many bits")
    return faults


def _bias_faults(graph: Graph, node: Node, facts: Mapping[str, Any]) -> list[str]:
    """An image as a bias: the interval of the current that it is, and of the bias beside it."""
    op = node.op
    if not isinstance(op, IntegerPopulation):
        return [f"{node.name}: a readout has no bias"]
    signs = _over(graph, node, op.polarity) if op.polarity else np.ones(node.type.neurons, np.int64)
    bias = _over(graph, node, op.bias) if op.bias else 0 * signs
    bias = bias + signs * (_over(graph, node, op.offset) if op.offset else 0 * signs)
    low, high = bias.copy(), bias.copy()
    for source in [graph[s] for s in _reads(graph, node) if graph[s].op.mnemonic == "frames"]:
        least, most = source.type.domain or (0, 0)
        for _, target, weights in responses(graph, source):
            if target == node.name:
                ends = np.stack([weights * signs * least, weights * signs * most])
                low, high = low + ends.min(axis=0).sum(axis=0), high + ends.max(axis=0).sum(axis=0)
    if not _holds(facts.get("neuron.bias_bits"), int(low.min()), int(high.max())):
        return [f"{node.name}: an image makes a bias of too many bits"]
    return []
