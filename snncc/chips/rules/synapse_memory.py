"""Cores with a memory for synapses: what no cut mends, then the cut itself."""

from collections.abc import Sequence

from snncc.chips.cutting import LIMITS, MOST_BOXES, Cut
from snncc.chips.facts import Chip
from snncc.chips.needs import Needs, is_image
from snncc.chips.packing import MESSAGES, Partition, partition
from snncc.chips.rules.neurons import fewer_bits
from snncc.chips.storing import PLANES, Memory, Stored, memory_of, stored
from snncc.chips.unrolling import Unrolled
from snncc.chips.verdicts import PROGRAM, Judge

RESOURCES = {
    "neurons": "neurons on a core",
    "in_axons": "lists of synapses on a core",
    "out_axons": "targets that a core sends to",
    "synapse_bits": "synapse memory of a core, bits",
    "thresholds": "distinct thresholds on a core",
    "formats": "formats of synapses on a core",
    "pieces": "pieces of a layer",
}


def judge_synapse_memory(judge: Judge, unrolled: Unrolled, needs: Sequence[Needs]) -> None:
    """Compares a program with cores that hold the synapses of their neurons."""
    chip, memory = judge.chip, memory_of(judge.chip)
    _totals(judge, needs)
    _ends(judge, unrolled, needs)
    for each in needs:
        _weights(judge, each)
    if memory is None:
        judge.unknown(PROGRAM, "weight bits", "synapse.weight_bits")
        return
    if any(layer.parts is None for layer in unrolled.layers):
        _ask(judge, counted=False)
        return
    layers = stored_layers(chip, unrolled, needs, memory)
    for layer, need in zip(layers, needs, strict=True):
        _lists(judge, layer, need)
    _ask(judge, counted=True)
    if chip.whole("core.neurons") is None or chip.whole("chip.cores") == 1:
        return
    found = partition(unrolled.graph, layers, chip, memory, MESSAGES)
    _partition(judge, found)
    _destinations(judge, found.cut, memory)


def stored_layers(
    chip: Chip, unrolled: Unrolled, needs: Sequence[Needs], memory: Memory
) -> list[Stored]:
    """All layers as cores hold them. Every layer has `parts`."""
    pairs = zip(unrolled.layers, needs, strict=True)
    return [stored(chip, unrolled, layer, each, memory) for layer, each in pairs]


def _totals(judge: Judge, needs: Sequence[Needs]) -> None:
    neurons = sum(each.neurons for each in needs)
    per, cores = judge.chip.whole("core.neurons"), judge.chip.whole("chip.cores")
    room = (per or 0) * (cores or 0)
    if room and neurons > room:
        change = f"{-(-neurons // room)} chips, or narrower layers"
        judge.broken(PROGRAM, "neurons", neurons, room, change, "core.neurons")
        judge.lean("chip.cores")
    elif judge.chip.whole("chip.neurons") is not None:
        judge.at_most(PROGRAM, "neurons", neurons, "chip.neurons", "several chips")
    if judge.chip.whole("chip.synapses") is not None:
        each = [n.connections.synapses if n.connections else None for n in needs]
        known = [n for n in each if n is not None]
        total = sum(known) if len(known) == len(each) else None
        judge.at_most(PROGRAM, "synapses", total, "chip.synapses", "several chips, or pruning")


def _ends(judge: Judge, unrolled: Unrolled, needs: Sequence[Needs]) -> None:
    """What enters and leaves, where a chip counts that."""
    chip, graph = judge.chip, unrolled.graph
    if chip.whole("core.inputs") is not None:
        entering = [node for node in graph.nodes if is_image(graph, node.name)]
        for node in entering:
            change = "none: an input that small"
            judge.at_most(node.name, "inputs", node.type.neurons, "core.inputs", change)
    if chip.whole("core.outputs") is not None:
        for each in needs:
            if each.rule is None:
                judge.at_most(each.name, "outputs", each.neurons, "core.outputs", "fewer classes")
    if chip.whole("core.hidden") is not None:
        hidden = sum(each.neurons for each in needs if each.rule is not None)
        judge.at_most(PROGRAM, "hidden neurons", hidden, "core.hidden", "narrower layers")


def _weights(judge: Judge, needs: Needs) -> None:
    chip, found = judge.chip, needs.connections
    limit = chip.whole("synapse.weight_bits")
    if found is None or limit is None:
        return
    if found.weight_bits > limit:
        several = chip.flag("synapse.several")
        if several is None:
            judge.unknown(needs.name, "weights as sums of synapses", "synapse.several")
        elif several:
            judge.lean("synapse.several")
        else:
            change = fewer_bits(found.weight_bits - limit, needs)
            judge.at_most(
                needs.name, "weight bits", found.weight_bits, "synapse.weight_bits", change
            )
    judge.lean("synapse.weight_bits")
    types = chip.whole("synapse.axon_types")
    if types is None or found.weight_bits == 0:
        return
    change = f"weights of {types} bits (--layer-bits): a bit of the weight a type"
    judge.at_most(needs.name, "bits by axon types", found.weight_bits, "synapse.axon_types", change)
    axons = chip.whole("core.in_axons")
    if axons is not None:
        each = min(found.weight_bits, types)
        change = f"a fan-in of {axons // each} at most: {each} axons a source"
        need = found.fan_in * each
        judge.at_most(needs.name, "axons of one neuron", need, "core.in_axons", change)


def _lists(judge: Judge, layer: Stored, needs: Needs) -> None:
    """How a layer is stored: what is worth telling, and what a list cannot have."""
    chip, name = judge.chip, layer.layer.name
    pairs, more = layer.wide
    if pairs:
        judge.note(f"{name}: {pairs:,} wide weights as exact sums, {more:,} synapses more")
    if layer.image == PLANES:
        synapses = sum(int(each.parts.sum()) for each in layer.lists if each.plane is not None)
        judge.note(f"{name}: the image enters as bits that spike, {synapses:,} synapses")
    elif layer.image:
        judge.note(f"{name}: the image enters as a bias of each neuron")
    found = needs.connections
    if found is not None and needs.rule is not None and "neuron.current_bits" in chip.facts:
        bits = found.current_bits_with_image if layer.image == PLANES else found.current_bits
        change = fewer_bits(bits - (chip.whole("neuron.current_bits") or 0), needs)
        judge.at_most(name, "bits of a current", bits, "neuron.current_bits", change)
    span = chip.wholes("synapse.exponents")
    exponents = sorted(exponent for exponent, _ in layer.formats)
    if not exponents:
        return
    if not span:
        judge.unknown(name, "shifts of weights", "synapse.exponents")
    elif exponents[0] < span[0] or exponents[-1] > span[1]:
        needed = f"{exponents[0]}..{exponents[-1]}"
        limit = f"{span[0]}..{span[1]}"
        change = "grids of weights that lie nearer to each other"
        judge.broken(name, "shifts of weights", needed, limit, change, "synapse.exponents")
    else:
        judge.lean("synapse.exponents")
    if needs.delay and chip.flag("synapse.delay_bits_stored") is None:
        judge.unknown(name, "memory of delays", "synapse.delay_bits_stored")


def _ask(judge: Judge, counted: bool) -> None:
    """Limits that every cut must know; one that a chip does not have is told as unknown."""
    chip = judge.chip
    single = chip.whole("chip.cores") == 1
    for name, key in LIMITS.items():
        optional = name in ("thresholds", "formats", "out_axons") or (single and name != "neurons")
        said = key in chip.facts
        if chip.whole(key) is None and (said or not optional):
            judge.unknown(PROGRAM, RESOURCES[name], key)
        elif not counted and name in ("in_axons", "synapse_bits") and said:
            judge.uncounted(PROGRAM, RESOURCES[name])
    if chip.whole("synapse.index_bits") is None and "synapse.index_bits" in chip.facts:
        judge.unknown(PROGRAM, "memory of a synapse", "synapse.index_bits")


def _partition(judge: Judge, found: Partition) -> None:
    judge.lean(*LIMITS.values())
    for each in found.cut.uncut:
        for name, need in each.short.items():
            key = LIMITS.get(name, "core.neurons")
            limit = judge.chip.whole(key) or 0
            if name == "pieces":
                limit = MOST_BOXES
            change = _split(name)
            judge.broken(each.layer, RESOURCES[name], need, limit, change, key)
    if found.cut.uncut:
        return
    judge.cores, there = len(found.cores), judge.chip.whole("chip.cores")
    if there is None:
        judge.unknown(PROGRAM, "cores", "chip.cores")
    else:
        chips = -(-len(found.cores) // there)
        judge.at_most(PROGRAM, "cores", len(found.cores), "chip.cores", f"{chips} chips")


def _split(name: str) -> str:
    changes = {
        "in_axons": "a narrower layer before it, or pruning: one neuron alone has more sources",
        "synapse_bits": "fewer or narrower weights: one neuron alone takes more",
        "thresholds": "compile with --profile loihi-lava: one threshold a layer",
        "formats": "weights on fewer grids",
        "out_axons": "fewer layers that read it, or narrower ones",
    }
    return changes.get(name, "narrower layers")


def _destinations(judge: Judge, cut: Cut, memory: Memory) -> None:
    """Where a neuron can only send to so many axons."""
    limit = judge.chip.whole("synapse.destinations")
    if limit is None or cut.uncut:
        return
    for name, sends in cut.sends.items():
        most = int(sends.max(initial=0))
        change = f"{-(-most // limit)} copies of each neuron that sends to that many"
        judge.at_most(name, "axons that a neuron sends to", most, "synapse.destinations", change)
