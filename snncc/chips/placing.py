"""Places cores on the mesh so that spikes times hops are few: greedy, then exchanges.

Exchanges are those of threshold accepting: one that makes things worse by no more than a bound is
taken too, and the bound falls to 0. All numbers are whole and the seed is given, so that the same
program, chip, recording and seed give the same places on every machine.
"""

import random
from dataclasses import dataclass

import numpy as np

from snncc.chips.boards import CROSSING, Board
from snncc.chips.synapses import Ints
from snncc.chips.traffic import Load, load_of

RUNS = 3
"""Searches, each with its own seed."""
MOVES = 300
"""Exchanges that each of them tries for every core."""
SLACK = 50
"""Of searches whose costs are as near as one part in so many, the less loaded link decides."""


@dataclass(frozen=True, eq=False)
class Placement:
    """Cores with places.

    Attributes:
        slots: int64 [cores].
        load: of the mesh.
        in_order: what the load would be if core n were in slot n.
    """

    slots: Ints
    load: Load
    in_order: Load


def place(board: Board, volume: Ints, seed: int) -> Placement:
    """Gives every core a slot.

    Args:
        board: where slots are; at least as many as cores.
        volume: messages between cores, int64 [cores, cores].
        seed: of the exchanges.
    """
    both = volume + volume.T
    np.fill_diagonal(both, 0)
    first = np.arange(len(both), dtype=np.int64)
    in_order = load_of(board, first, volume)
    starts = [first, _greedy(board, both)]
    start = min(starts, key=lambda slots: _cost(load_of(board, slots, volume)))
    found = [start, *(_exchanged(board, both, start, seed * RUNS + run) for run in range(RUNS))]
    loads = [load_of(board, slots, volume) for slots in found]
    costs = [_cost(load) for load in loads]
    near = [at for at, cost in enumerate(costs) if (cost - min(costs)) * SLACK <= min(costs)]
    best = min(near, key=lambda at: (loads[at].worst_link, costs[at], at))
    return Placement(found[best], loads[best], in_order)


def _cost(load: Load) -> int:
    return load.hops + CROSSING * load.between_chips


def _greedy(board: Board, both: Ints) -> Ints:
    """The core that is most bound to those with a place gets the free one that costs least."""
    cores = len(both)
    slots = np.full(cores, -1, np.int64)
    free = np.ones(len(board.x), np.bool_)
    middle = np.abs(board.x - board.x.max() // 2) + np.abs(board.y - board.rows // 2)
    now, at = int(both.sum(axis=1).argmax()), int(middle.argmin())
    bound = np.zeros(cores, np.int64)
    for _ in range(cores):
        slots[now], free[at] = at, False
        bound = bound + both[now]
        left = np.flatnonzero(slots < 0)
        if len(left) == 0:
            break
        now = int(left[bound[left].argmax()])
        there = np.flatnonzero(slots >= 0)
        where = np.flatnonzero(free)
        cost = np.zeros(len(where), np.int64)
        for other in there[both[now, there] > 0]:
            cost += both[now, other] * _far(board, where, int(slots[other]))
        at = int(where[cost.argmin()])
    return slots


def _far(board: Board, slots: Ints, slot: int) -> Ints:
    """Hops between some slots and one."""
    across, along = board.apart[slots] - board.apart[slot], board.y[slots] - board.y[slot]
    far: Ints = np.abs(across) + np.abs(along)
    return far


def _exchanged(board: Board, both: Ints, start: Ints, seed: int) -> Ints:
    """The best placement that was met; a core goes to any slot, and who is there comes here."""
    rng, cores = random.Random(seed), len(both)  # noqa: S311  # no secret
    slots, best = start.copy(), start.copy()
    owner = np.full(len(board.x), -1, np.int64)
    owner[slots] = np.arange(cores)
    x, y = board.apart[slots], board.y[slots]
    total = sum(int((both[n] * _far(board, slots, int(slots[n]))).sum()) for n in range(cores)) // 2
    least, heat = total, total // (8 * cores)
    moves = MOVES * cores
    for move in range(moves):
        one, to = rng.randrange(cores), rng.randrange(len(board.x))
        two, at = int(owner[to]), int(slots[one])
        new = board.apart[to], board.y[to]
        if new == (x[one], y[one]):
            continue
        nearer = np.abs(x - new[0]) + np.abs(y - new[1]) - np.abs(x - x[one]) - np.abs(y - y[one])
        change = int(both[one] @ nearer)
        if two >= 0:  # the two stay as far apart as they are
            far = int(abs(x[one] - new[0]) + abs(y[one] - new[1]))
            change += int(2 * both[one, two] * far - both[two] @ nearer)
        if change > heat * (moves - move) // moves:
            continue
        slots[one], owner[to], owner[at] = to, one, two
        x[one], y[one] = new
        if two >= 0:
            slots[two], x[two], y[two] = at, board.apart[at], board.y[at]
        total += change
        if total < least:
            least, best = total, slots.copy()
    return best
