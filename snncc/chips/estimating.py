"""Energy and time of an image on a chip: estimates from its description and a recording.

Every figure is events times what a source gives for one event, with the range that sources give.
What no source gives is named, and the sum is then one of the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snncc.chips.activity import Activity
from snncc.chips.boards import Board
from snncc.chips.facts import Chip
from snncc.chips.placing import Placement
from snncc.chips.storing import Stored
from snncc.chips.traffic import Traffic
from snncc.runtime.counts.operation_counts import PICOJOULES

LABEL = (
    "ESTIMATE, not a measurement: events that were counted in a simulation, times published "
    "figures for one event; what brings the image, static power and the host are not in it"
)
CONVENTION = (
    "ESTIMATE by the convention of papers: arithmetic alone at 45 nm, 0.9 V (M. Horowitz, "
    "ISSCC 2014), of no chip"
)
KINDS = ("synapse", "update", "spike", "message", "hop_horizontal", "hop_vertical")
LINKS = "links between chips"
IMAGE = "synaptic events of the image"
NOT_RECORDED = "the recording does not hold them"
Range = tuple[float, float, float]
"""Least, usual, most."""


@dataclass(frozen=True)
class LayerEstimate:
    """What a layer does for one image.

    Attributes:
        layer: its name.
        events: means over the images, by kind: synaptic events that it receives from populations,
            updates of its neurons, spikes, messages and hops of what it sends.
        picojoules: of these, of the kinds whose energy is known, together.
        image: whether bits of an image spike into it too, whose synaptic events are in neither.
    """

    layer: str
    events: Mapping[str, float]
    picojoules: Range
    image: bool


@dataclass(frozen=True)
class Estimate:
    """Energy and time of one image. Never show them without the label.

    Attributes:
        label: what they are and are not.
        steps: that every core makes: T, and one for each layer on the way to the answer.
        layers: one by one.
        picojoules: of all layers, of the kinds that are known.
        microseconds: of one image alone on the chip; None where a time is unknown, or how often
            something happens.
        energy_unknown: what has no known energy, or was not counted, with the reason.
        time_unknown: likewise of times.
        sources: of every fact that was used.
        accumulates: spikes of populations over all connections of theirs, an image, times the
            convention's accumulate: picojoules. A wide weight is one connection.
        multiplies: the same connections at each of T steps, times its multiply-accumulate:
            picojoules.
    """

    label: str
    steps: int
    layers: tuple[LayerEstimate, ...]
    picojoules: Range
    microseconds: Range | None
    energy_unknown: Mapping[str, str]
    time_unknown: Mapping[str, str]
    sources: Mapping[str, str]
    accumulates: float
    multiplies: float


@dataclass(frozen=True)
class Run:
    """A recording on a placed partition.

    Attributes:
        layers: of the program.
        traffic: of the recording.
        placement: of its cores.
        activity: the recording.
        steps: T.
        depth: layers on the way to the answer.
    """

    layers: tuple[Stored, ...]
    traffic: Traffic
    placement: Placement
    activity: Activity
    steps: int
    depth: int


def estimate(chip: Chip, board: Board, run: Run) -> Estimate:
    """The estimate of a chip, or of several side by side.

    Args:
        chip: one of them.
        board: places of their cores.
        run: what is estimated.
    """
    costs = {kind: chip.amount(f"energy.{kind}") for kind in KINDS}
    rows = tuple(_layer(board, run, each, costs) for each in run.layers)
    total = _sum([row.picojoules for row in rows])
    used = {kind for row in rows for kind in KINDS if row.events[kind] > 0}
    energies = {f"energy.{kind}" for kind in used}
    times = {f"time.{kind}" for kind in (*KINDS[:4], "step")}
    missing = {key: chip.fact(key).source for key in sorted(energies) if chip.amount(key) is None}
    if run.placement.load.between_chips:
        missing[LINKS] = "descriptions have no energy for them"
    late = {key: chip.fact(key).source for key in sorted(times) if chip.amount(key) is None}
    if any(row.image for row in rows):
        missing[IMAGE] = late[IMAGE] = NOT_RECORDED
    mac, ac = PICOJOULES["float32"]
    pairs, events = _connections(run)
    return Estimate(
        LABEL,
        run.steps + run.depth,
        rows,
        total,
        None if late else _time(chip, run),
        missing,
        late,
        {k: chip.fact(k).source for k in sorted(energies | times) if chip.amount(k) is not None},
        events / run.activity.images * ac,
        pairs * run.steps * mac,
    )


def _connections(run: Run) -> tuple[int, int]:
    """Connections whose events the recording holds, and these over all images."""
    lists = [each for layer in run.layers for each in layer.lists]
    held = [each for each in lists if each.source in run.activity.spikes]
    events = sum(int(run.activity.spikes[each.source][each.sources].sum()) for each in held)
    return sum(len(each.parts) for each in held), events


def _layer(
    board: Board, run: Run, stored: Stored, costs: Mapping[str, Range | None]
) -> LayerEstimate:
    name, held = stored.layer.name, run.activity.spikes
    image = any(len(each.parts) and each.source not in held for each in stored.lists)
    images, slots = run.activity.images, run.placement.slots
    messages = run.traffic.messages.get(name)
    sent, across, along = 0, 0, 0
    if messages is not None:
        one, two = slots[messages.senders], slots[messages.receivers]
        sent = int(messages.counts.sum())
        across = int((np.abs(board.x[one] - board.x[two]) * messages.counts).sum())
        along = int((np.abs(board.y[one] - board.y[two]) * messages.counts).sum())
    spikes = run.traffic.spikes.get(name)
    fired = 0 if spikes is None else int(spikes.sum())
    neurons = int(run.traffic.neurons[name].sum())
    over = (int(run.traffic.events[name].sum()), 0, fired, sent, across, along)
    events = {kind: count / images for kind, count in zip(KINDS, over, strict=True)}
    events["update"] = float(neurons * (run.steps + run.depth))
    known = [_times(cost, events[kind]) for kind, cost in costs.items() if cost is not None]
    return LayerEstimate(name, events, _sum(known), image)


def _time(chip: Chip, run: Run) -> Range:
    """Microseconds of an image: the core that has most to do works, and all others wait for it."""
    found: list[float] = []
    for at in range(3):
        each = {k: (chip.amount(f"time.{k}") or (0.0,) * 3)[at] for k in (*KINDS[:4], "step")}
        traffic, steps = run.traffic, run.steps + run.depth
        work = np.zeros(traffic.cores)
        for of, kind in ((traffic.events, "synapse"), (traffic.spikes, "spike")):
            for counts in of.values():
                work += counts * each[kind]
        for messages in traffic.messages.values():
            np.add.at(work, messages.senders, messages.counts * each["message"])
        work /= run.activity.images
        for neurons in traffic.neurons.values():
            work += neurons * (steps * each["update"])
        found.append((float(work.max()) + steps * each["step"]) / 1000)
    return found[0], found[1], found[2]


def _times(cost: Range, events: float) -> Range:
    return cost[0] * events, cost[1] * events, cost[2] * events


def _sum(each: list[Range]) -> Range:
    return sum(r[0] for r in each), sum(r[1] for r in each), sum(r[2] for r in each)
