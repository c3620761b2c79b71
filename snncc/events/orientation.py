"""Turning and mirroring: formats and data sets differ in where (0, 0) is, and what ON is."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from snncc.events.errors import wrong_option
from snncc.events.record import Events, Sensor

Move = Callable[[Events], Events]


def _swap(events: Events) -> Events:
    turned = Sensor(events.sensor.height, events.sensor.width)
    return replace(events, x=events.y, y=events.x, sensor=turned)


def _flip_x(events: Events) -> Events:
    return replace(events, x=events.sensor.width - 1 - events.x)


def _flip_y(events: Events) -> Events:
    return replace(events, y=events.sensor.height - 1 - events.y)


def _flip_polarity(events: Events) -> Events:
    if events.polarities == 1:
        message = f"{events.source}: flip-polarity has no effect"
        raise wrong_option(message, "its events have no polarity", "leave it out")
    return replace(events, polarity=events.polarities - 1 - events.polarity)


MOVES: Mapping[str, Move] = {
    "swap": _swap,
    "flip-x": _flip_x,
    "flip-y": _flip_y,
    "flip-polarity": _flip_polarity,
}
"""x with y; x from the other side; y from the other side; ON with OFF."""


def check_moves(moves: tuple[str, ...]) -> None:
    """Raises SnnccError (SNN001) for a move that there is not."""
    for name in moves:
        if name not in MOVES:
            why = f"moves are {', '.join(MOVES)}"
            raise wrong_option(f"{name!r} turns no events", why, "give moves by name, in order")


def orient(events: Events, moves: tuple[str, ...]) -> Events:
    """Events after these moves, one after the other.

    Raises:
        SnnccError: SNN001 for the polarity of events that have none.
    """
    for name in moves:
        events = MOVES[name](events)
    return events
