"""How the synapses of a layer lie in the memories of cores: lists, formats, wide weights as sums.

A list belongs to one neuron that sends, or to one bit of one element of an image. All of its
weights are multiples of 2^exponent; one that needs more bits than a synapse has is the sum of
several synapses of the same pair, which is exact.
"""

from dataclasses import dataclass

import numpy as np

from snncc.chips.facts import Chip
from snncc.chips.needs import Needs, is_image, signs_of, waits_of, zeros_of
from snncc.chips.synapses import Ints, Synapses
from snncc.chips.unrolling import Layer, Unrolled
from snncc.ir.op import WIDEST

BIAS, PLANES, OUTSIDE = "bias", "planes", ""
"""How an image reaches a layer: as a bias a neuron, as bits that spike, or not at all."""
MOST_PARTS = 1 << 30
"""Synapses of one pair: more than any memory, and sums of them still are 64-bit numbers."""
SynapseFormat = tuple[int, int]
"""The exponent of a list's weights, and the bits of a synapse's delay."""


@dataclass(frozen=True)
class Memory:
    """What a core spends on the list of one source.

    Attributes:
        weight_bits: of a synapse, sign included.
        other_bits: of a synapse beside its weight and delay.
        group: synapses behind one header.
        header: bits of a header.
        word: bits; memory is taken in whole ones.
    """

    weight_bits: int
    other_bits: int
    group: int
    header: int
    word: int

    @property
    def largest(self) -> int:
        """The largest weight of either sign."""
        return (1 << (self.weight_bits - 1)) - 1

    def bits(self, synapses: Ints, delay_bits: int) -> Ints:
        """Memory of lists with so many synapses each."""
        each = self.weight_bits + self.other_bits + delay_bits
        full, rest = synapses // self.group, synapses % self.group
        whole = self._words(np.full(1, self.group * each + self.header, np.int64))
        return full * whole + np.where(rest > 0, self._words(rest * each + self.header), 0)

    def _words(self, bits: Ints) -> Ints:
        return -(-bits // self.word) * self.word


@dataclass(frozen=True, eq=False)
class Lists:
    """All lists of one population, or of one bit of all elements of an image, for one layer.

    Attributes:
        source: its name.
        plane: the bit of the image; None for a population.
        targets: int64 [n], neuron of the layer, for each pair.
        sources: int64 [n], what sends.
        parts: int64 [n], synapses that the pair takes.
        width: elements that send.
        exponent: of the zeros that all weights end in, those that are not stored.
    """

    source: str
    plane: int | None
    targets: Ints
    sources: Ints
    parts: Ints
    width: int
    exponent: int


@dataclass(frozen=True)
class Stored:
    """A layer as cores hold it.

    Attributes:
        layer: of the program.
        image: `BIAS`, `PLANES` or `OUTSIDE`.
        lists: of all sources.
        delay_bits: of each of its synapses.
    """

    layer: Layer
    image: str
    lists: tuple[Lists, ...]
    delay_bits: int

    @property
    def formats(self) -> frozenset[SynapseFormat]:
        """Distinct formats of its synapses."""
        return frozenset((each.exponent, self.delay_bits) for each in self.lists if len(each.parts))

    @property
    def wide(self) -> tuple[int, int]:
        """Pairs that take several synapses, and synapses that this costs."""
        wide = [each.parts[each.parts > 1] for each in self.lists]
        return sum(map(len, wide)), sum(int(each.sum()) - len(each) for each in wide)


def memory_of(chip: Chip) -> Memory | None:
    """What is known of a chip's lists; None where it does not say how wide a weight is."""
    bits = chip.whole("synapse.weight_bits")
    if bits is None or bits < 2:
        return None
    return Memory(
        bits,
        chip.whole("synapse.index_bits") or 0,
        chip.whole("synapse.group") or 1 << 40,
        chip.whole("synapse.group_header") or 0,
        chip.whole("synapse.word") or 1,
    )


def image_enters(chip: Chip, unrolled: Unrolled, layer: Layer, needs: Needs) -> str:
    """How an image reaches a layer: a bias where one holds all that it can add."""
    images = [name for name in layer.reads if is_image(unrolled.graph, name)]
    if not images:
        return OUTSIDE
    if needs.rule is None:
        return PLANES  # an answer has no bias
    same = not any(unrolled.graph[name].type.temporal for name in images)
    room, found = chip.whole("neuron.bias_bits"), needs.connections
    holds = same and found is not None and needs.bias is not None and room is not None
    if holds and found is not None and room is not None and found.image_bits <= room:
        return BIAS
    return PLANES


def stored(chip: Chip, unrolled: Unrolled, layer: Layer, needs: Needs, memory: Memory) -> Stored:
    """The lists of a layer. The layer has `parts`."""
    graph, sign = unrolled.graph, signs_of(unrolled.graph, layer.node)
    image = image_enters(chip, unrolled, layer, needs)
    waits = waits_of(unrolled, layer)
    wait = max(waits.values(), default=0) if chip.flag("synapse.delay_bits_stored") else 0
    span = chip.wholes("synapse.exponents")
    most = span[-1] if span else WIDEST
    lists: list[Lists] = []
    for name, part in (layer.parts or {}).items():
        weights = part if sign is None else part.signed(sign)
        if not is_image(graph, name):
            lists.append(_lists(name, None, weights, memory, most))
        elif image == PLANES:
            bits = [bit for bit, _ in graph[name].type.planes]
            lists += [_lists(name, bit, weights, memory, most) for bit in bits]
    return Stored(layer, image, tuple(lists), wait.bit_length())


def _lists(name: str, plane: int | None, part: Synapses, memory: Memory, most: int) -> Lists:
    """The lists of one source, with the largest exponent that weights and chip allow.

    Of two bits of an image the upper one has weights twice as large and not a format of its own.
    What is above the largest exponent of the chip is in the weights as well.
    """
    zeros, bit = zeros_of(part.weights) or 0, plane or 0
    exponent = min(zeros + bit - (bit & 1), most)
    size = (np.abs(part.weights) >> zeros) << (zeros + bit - exponent)
    each = np.minimum(-(-size // memory.largest), MOST_PARTS)
    return Lists(name, plane, part.targets, part.sources, each, part.shape[1], exponent)
