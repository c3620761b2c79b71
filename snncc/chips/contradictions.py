"""Facts of one chip that cannot be true together."""

import math
from collections.abc import Iterator

from snncc.chips.facts import Chip
from snncc.chips.fields import LAYERS


def contradictions(chip: Chip) -> list[str]:
    """What of a chip contradicts itself, one sentence each."""
    return [*_places(chip), *_widths(chip), *_layer_cores(chip)]


def _places(chip: Chip) -> Iterator[str]:
    cores, mesh = chip.whole("chip.cores"), chip.wholes("chip.mesh")
    tile = chip.whole("chip.cores_per_tile")
    if mesh and len(mesh) != 2:
        yield "chip.mesh: two numbers, columns and rows"
    elif cores and mesh and tile and math.prod(mesh) * tile < cores:
        there = math.prod(mesh) * tile
        yield f"chip.cores: {cores} cores, and the mesh has places for {there}"
    each, every = chip.whole("core.neurons"), chip.whole("chip.neurons")
    if each and every and each > every:
        yield f"core.neurons: {each} on a core, and {every} on the whole chip"
    hidden, outputs = chip.whole("core.hidden"), chip.whole("core.outputs")
    if each and hidden and outputs and hidden + outputs > each:
        yield f"core.hidden: {hidden} and {outputs} outputs are more than {each} neurons"


def _widths(chip: Chip) -> Iterator[str]:
    state = chip.whole("neuron.state_bits")
    for name in ("neuron.threshold_bits", "synapse.weight_bits"):
        bits = chip.whole(name)
        if bits and state and bits > state:
            yield f"{name}: {bits} bits, and a membrane has {state}"
    for name in ("neuron.state_bits", "neuron.threshold_bits", "synapse.weight_bits"):
        bits = chip.whole(name)
        if bits and bits > 64:
            yield f"{name}: {bits} bits, more than 64"
    if chip.whole("synapse.group_header") and not chip.whole("synapse.group"):
        yield "synapse.group_header: a header, and no number of synapses behind it"


def _layer_cores(chip: Chip) -> Iterator[str]:
    if chip.family != LAYERS:
        return
    cores = chip.whole("chip.cores")
    for name in ("core.neuron_words", "core.kernel_words", "core.bias_words"):
        words = chip.wholes(name)
        if cores and words and len(words) != cores:
            yield f"{name}: {len(words)} numbers for {cores} cores"
