"""What spikes of a recording do on cores: synaptic events, messages, hops, load of links.

A message is one spike on its way to one piece: two pieces of one core that read the same neuron are
two. Messages go along their row first and then along the column; what stays on a tile crosses no
link. Everything is a whole number over all images and steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snncc.chips.boards import Board
from snncc.chips.grids import axes_of
from snncc.chips.packing import Core
from snncc.chips.storing import Stored
from snncc.chips.synapses import Ints
from snncc.ir import Graph


@dataclass(frozen=True, eq=False)
class Messages:
    """Messages of one population, by pair of cores.

    Attributes:
        senders: int64 [n], number of the core in the mapping.
        receivers: int64 [n].
        counts: int64 [n].
    """

    senders: Ints
    receivers: Ints
    counts: Ints


@dataclass(frozen=True)
class Traffic:
    """What a recording does on a partition, wherever its cores lie.

    Attributes:
        cores: how many.
        messages: by population that sends.
        events: synaptic events, int64 [cores], by layer that receives; those of an image are not
            among them.
        spikes: int64 [cores], by population.
        neurons: int64 [cores], by layer.
    """

    cores: int
    messages: Mapping[str, Messages]
    events: Mapping[str, Ints]
    spikes: Mapping[str, Ints]
    neurons: Mapping[str, Ints]

    @property
    def volume(self) -> Ints:
        """Messages between cores, int64 [senders, receivers]."""
        total = np.zeros((self.cores, self.cores), np.int64)
        for each in self.messages.values():
            np.add.at(total, (each.senders, each.receivers), each.counts)
        return total


def traffic_of(
    graph: Graph, layers: Sequence[Stored], cores: Sequence[Core], spikes: Mapping[str, Ints]
) -> Traffic:
    """Sends the spikes of a recording over a partition.

    Args:
        graph: the program.
        layers: of it, as cores hold them.
        cores: of the partition.
        spikes: of each neuron, int64 [neurons], by population.
    """
    pieces, core_of = _homes(graph, layers, cores)
    homes = {name: core_of[each] for name, each in pieces.items()}
    sent: dict[str, list[Messages]] = {name: [] for name in spikes}
    events: dict[str, Ints] = {}
    for layer in layers:
        name, total = layer.layer.name, np.zeros(len(cores), np.int64)
        for lists in layer.lists:
            fired = spikes.get(lists.source)
            if fired is None:
                continue  # an image: its bits come from outside
            at = homes[name][lists.targets]
            done = np.bincount(at, lists.parts * fired[lists.sources], len(cores))
            total += done.astype(np.int64)
            reached = np.unique(pieces[name][lists.targets] * lists.width + lists.sources)
            piece, source = reached // lists.width, reached % lists.width
            pair = homes[lists.source][source] * len(cores) + core_of[piece]
            sent[lists.source].append(_gathered(pair, fired[source], len(cores)))
        events[name] = total
    messages = {name: _together(each, len(cores)) for name, each in sent.items()}
    counts = {name: _by_core(homes[name], each, len(cores)) for name, each in spikes.items()}
    neurons = {n: _by_core(at, np.ones_like(at), len(cores)) for n, at in homes.items()}
    return Traffic(len(cores), messages, events, counts, neurons)


def _homes(
    graph: Graph, layers: Sequence[Stored], cores: Sequence[Core]
) -> tuple[dict[str, Ints], Ints]:
    """The piece of every neuron by layer, and the core of every piece."""
    found = {each.layer.name: np.zeros(each.layer.node.type.neurons, np.int64) for each in layers}
    core_of: list[int] = []
    for number, core in enumerate(cores):
        for piece in core.pieces:
            view = found[piece.layer].reshape([*axes_of(graph[piece.layer]).values()])
            view[tuple(slice(*ends) for ends in piece.box)] = len(core_of)
            core_of.append(number)
    return found, np.asarray(core_of, np.int64)


def _by_core(home: Ints, counts: Ints, cores: int) -> Ints:
    return np.bincount(home, counts, cores).astype(np.int64)


def _gathered(pair: Ints, counts: Ints, cores: int) -> Messages:
    """Each pair of cores once, those without a message left out."""
    kept = counts > 0
    pairs, at = np.unique(pair[kept], return_inverse=True)
    total = np.bincount(at.reshape(-1), counts[kept], len(pairs)).astype(np.int64)
    return Messages(pairs // cores, pairs % cores, total)


def _together(each: Sequence[Messages], cores: int) -> Messages:
    none = [np.zeros(0, np.int64)]
    pair = np.concatenate([*none, *(m.senders * cores + m.receivers for m in each)])
    return _gathered(pair, np.concatenate([*none, *(m.counts for m in each)]), cores)


@dataclass(frozen=True)
class Load:
    """What messages do to a mesh.

    Attributes:
        messages: all, those that stay on a core among them.
        horizontal: links of rows that they cross, all together.
        vertical: links of columns.
        between_chips: how often one goes from a chip to the next.
        worst_link: most messages over one link in one direction.
    """

    messages: int
    horizontal: int
    vertical: int
    between_chips: int
    worst_link: int

    @property
    def hops(self) -> int:
        """Spikes times hops."""
        return self.horizontal + self.vertical


def load_of(board: Board, slots: Ints, volume: Ints) -> Load:
    """The load of a placement.

    Args:
        board: places of slots.
        slots: int64 [cores].
        volume: messages, int64 [cores, cores].
    """
    one, two = np.nonzero(volume)
    counts = volume[one, two]
    x, y = board.x[slots], board.y[slots]
    across, along = np.abs(x[one] - x[two]), np.abs(y[one] - y[two])
    chips = np.abs(x[one] // board.columns - x[two] // board.columns)
    width = int(board.x.max()) + 1
    rows = _most(y[one] * width + x[one], y[one] * width + x[two], counts)
    columns = _most(x[two] * board.rows + y[one], x[two] * board.rows + y[two], counts)
    return Load(
        int(counts.sum()),
        int((counts * across).sum()),
        int((counts * along).sum()),
        int((counts * chips).sum()),
        max(rows, columns),
    )


def _most(start: Ints, stop: Ints, counts: Ints) -> int:
    """Most messages over one link, when places are numbered along lines and none leaves its line.

    A message that goes from place 2 to place 5 adds to the links behind 2, 3 and 4.
    """
    places = int(max(start.max(initial=0), stop.max(initial=0))) + 2
    most = 0
    for first, last in ((start, stop), (stop, start)):  # one direction, then the other
        there = first < last
        change = np.bincount(first[there], counts[there], places)
        change = change - np.bincount(last[there], counts[there], places)
        most = max(most, int(np.cumsum(change).max(initial=0)))
    return most
