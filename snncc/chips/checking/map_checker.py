"""Checks a mapping against a program and the facts of a chip: everything that is wrong."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from snncc.chips.checking.impulses import LEAVES, layers_of, responses
from snncc.chips.checking.mesh import Pairs, Seen, placement_faults
from snncc.chips.checking.ranges import Layer, layer_faults
from snncc.chips.checking.structure import (
    FIELDS,
    LOADS,
    Described,
    Placed,
    chips_faults,
    form_faults,
)
from snncc.ir import Graph, Node

Ints = NDArray[np.int64]
Facts = Mapping[str, Any]


def check_map(
    graph: Graph, program: str, chip: Described, record: object, seen: Seen | None = None
) -> list[str]:
    """What is wrong with a mapping; nothing where it is right.

    Args:
        graph: the program.
        program: its digest.
        chip: that it must be for.
        record: the mapping, as JSON gives it.
        seen: the spikes that its cores were placed by; None where it is not at hand, and a mapping
            with places is then refused.
    """
    facts, faults = chip.facts, form_faults(record, program, chip)
    if faults:
        return faults
    given = cast("Mapping[str, Any]", record)
    chips = given.get("chips", 1)
    there = facts.get("chip.cores")
    placed = Placed(graph, given["cores"], None if there is None else there * chips)
    try:
        layers, wrong = _layers(graph, facts, given["layers"])
        if placed.faults or wrong:
            return [*placed.faults, *wrong]
        faults += chips_faults(given, there)
        by_pair = None if given.get("placement") is None else Pairs(seen, len(given["cores"]))
        loads, messages = _loads(graph, facts, placed, layers, by_pair)
    except ValueError as error:
        return [str(error)]
    if given["messages"] != messages:
        faults.append(f"messages are {messages}, the file says {given['messages']}")
    for number, core in enumerate(given["cores"]):
        for name in LOADS:
            value, said = int(loads[name][number]), core["load"][name]
            if value != said:
                faults.append(f"core {number}: {name} is {value}, the file says {said}")
            limit = facts.get(FIELDS[name])
            if limit is not None and value > limit:
                faults.append(f"core {number}: {name} is {value}, above {limit}")
    if by_pair is not None and not faults:
        slots = [core["slot"] for core in given["cores"]]
        faults = placement_faults(facts, chips, slots, by_pair.counts, seen, given["placement"])
    return faults


def _layers(graph: Graph, facts: Facts, given: object) -> tuple[dict[str, Layer], list[str]]:
    wanted = [node.name for node in layers_of(graph)]
    if not isinstance(given, dict) or set(cast("dict[str, Any]", given)) != set(wanted):
        return {}, ["layers: not those of the program"]
    found: dict[str, Layer] = {}
    faults: list[str] = []
    for name in wanted:
        layer, wrong = layer_faults(graph, graph[name], facts, cast("dict[str, Any]", given)[name])
        faults += wrong
        if layer is not None:
            found[name] = layer
    return found, faults


def _loads(
    graph: Graph,
    facts: Facts,
    placed: Placed,
    layers: Mapping[str, Layer],
    by_pair: Pairs | None,
) -> tuple[dict[str, Ints], int]:
    """What every core takes, from nothing but the program and where its neurons are."""
    count = 1 + max(placed.core_of)
    core_of = np.asarray(placed.core_of, np.int64)
    load = {name: np.zeros(count, np.int64) for name in LOADS}
    kinds: list[set[int]] = [set() for _ in range(count)]
    formats: list[set[tuple[int, int]]] = [set() for _ in range(count)]
    own: dict[str, set[tuple[int, int]]] = {name: set() for name in layers}
    messages = 0
    reach_of = {name: np.zeros((2, len(home)), np.int64) for name, home in placed.homes.items()}
    for name, home in placed.homes.items():
        cores = core_of[home]
        load["neurons"] += np.bincount(cores, minlength=count)
        for core, value in zip(cores, layers[name].thresholds, strict=True):
            kinds[int(core)].add(int(value))
    for source in [node for node in graph.nodes if node.op.mnemonic in LEAVES]:
        for start, target, weights in responses(graph, source):
            held = _held(source, layers[target], weights, facts, own[target])
            if held:
                ends = np.asarray(source.type.domain or (0, 1), np.int64)[:, None, None] * weights
                reach_of[target][0] += ends.min(axis=0).sum(axis=0)
                reach_of[target][1] += ends.max(axis=0).sum(axis=0)
            pieces, first, order = _pieces_of(placed.homes[target])
            for each in held:
                sums = np.add.reduceat(each[:, order], first, axis=1)
                reach = sums > 0
                np.add.at(load["in_axons"], core_of[pieces], reach.sum(axis=0))
                bits = _bits(sums, facts, layers[target].delay_bits).sum(axis=0)
                np.add.at(load["synapse_bits"], core_of[pieces], bits)
                if source.op.mnemonic == "integer_population":
                    sent = reach.sum(axis=1)
                    senders = core_of[placed.homes[source.name][start : start + len(sent)]]
                    np.add.at(load["out_axons"], senders, sent)
                    messages += int(sent.sum())
                    if by_pair is not None:
                        by_pair.add(source.name, start, senders, core_of[pieces], reach)
    _require_currents(graph, facts, reach_of)
    for name, home in placed.homes.items():
        for core in np.unique(core_of[home]).tolist():
            formats[core] |= own[name]
    load["thresholds"] = np.asarray([len(each) for each in kinds], np.int64)
    load["formats"] = np.asarray([len(each) for each in formats], np.int64)
    return load, messages


def _require_currents(graph: Graph, facts: Facts, reach: Mapping[str, Ints]) -> None:
    """Raises ValueError for a layer whose current has more bits than the chip's."""
    bits = facts.get("neuron.current_bits")
    for name, (low, high) in reach.items():
        if bits is None or graph[name].op.mnemonic != "integer_population":
            continue
        most = max(-int(low.min()) - 1, int(high.max()))
        if most.bit_length() >= bits:
            raise ValueError(f"{name}: what arrives in a step has too many bits")


def _pieces_of(home: Ints) -> tuple[Ints, Ints, Ints]:
    """The pieces of a layer, where each begins when its neurons are sorted, and that order."""
    order = np.argsort(home, kind="stable")
    pieces, first = np.unique(home[order], return_index=True)
    return pieces, first, order


def _held(
    source: Node, layer: Layer, weights: Ints, facts: Facts, formats: set[tuple[int, int]]
) -> list[Ints]:
    """Synapses that each pair takes, once for a population and once for each bit of an image.

    Raises:
        ValueError: the file's exponent loses a bit of a weight.
    """
    signed = weights * layer.signs
    image = source.op.mnemonic == "frames"
    if image and layer.image != "planes":
        return []
    exponent = layer.exponents.get(source.name)
    if exponent is None:
        if signed.any():
            raise ValueError(f"{layer.name}: no exponent for {source.name}")
        return []
    if (signed & ((1 << exponent) - 1)).any():
        raise ValueError(f"{layer.name}: weights from {source.name} are no multiples of its power")
    most = (1 << (facts["synapse.weight_bits"] - 1)) - 1
    size = np.abs(signed) >> exponent
    found: list[Ints] = []
    span = facts.get("synapse.exponents")
    for bit in [bit for bit, _ in source.type.planes] if image else [0]:
        power = exponent + bit - bit % 2
        power = power if span is None else min(power, span[1])
        if signed.any():
            formats.add((power, layer.delay_bits))
        scaled = size * 2 ** (exponent + bit - power)
        wide = int(scaled.max(initial=0)) > most
        found.append((scaled + most - 1) // most if wide else (scaled > 0).astype(np.int64))
    return found


def _bits(synapses: Ints, facts: Facts, delay_bits: int) -> Ints:
    """Memory of lists with so many synapses: groups with a header each, in whole words."""
    each = facts["synapse.weight_bits"] + (facts.get("synapse.index_bits") or 0) + delay_bits
    group = facts.get("synapse.group") or 1 << 40
    header, word = facts.get("synapse.group_header") or 0, facts.get("synapse.word") or 1
    total = np.zeros_like(synapses)
    left = synapses
    while (left > 0).any():
        now = np.minimum(left, group)
        words = (now * each + header + word - 1) // word * word
        total = total + np.where(now > 0, words, 0)
        left = left - now
    return total
