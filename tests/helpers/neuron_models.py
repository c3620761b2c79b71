"""Neurons as libraries have them, by the names of their states: what `Neuron` has to say.

Dyadic leaks; thresholds and amounts are whole numbers of the current's unit.
"""

from dataclasses import dataclass
from typing import Any

from snncc.ir.dialects.neurons import Fire, State

LEVEL = 40


@dataclass(frozen=True)
class Model:
    """A neuron of some library.

    Attributes:
        states, form, fire: as `neuron` takes them.
        exact: the rule by which integers have it exactly, "E1" (no fraction bits) or "E3".
        strict: whether no coefficient needs more than a shift.
        read: what is given of membranes, or None.
    """

    states: tuple[State, ...]
    form: dict[int, float]
    fire: Fire | None
    exact: str
    strict: bool = True
    read: dict[int, float] | None = None

    @property
    def gives_current(self) -> bool:
        return self.fire is None or self.read is not None


def one(fire: Fire | None, exact: str = "E1", **fields: Any) -> Model:
    """A neuron of one state that takes in the current as it is."""
    state = State(**{"gain": 1.0, **fields})
    return Model((state,), {0: 1.0}, fire, exact, state.leak in (0.0, 0.25, 0.5, 1.0))


AT_LEAST, ABOVE = Fire(LEVEL, "ge"), Fire(LEVEL, "gt")
SYNAPSE = State(leak=0.5, gain=1.0)
MODELS = {
    "leaky, late subtract": one(ABOVE, leak=0.5, late=LEVEL),
    "leaky, late subtract, no leak": one(ABOVE, leak=1.0, late=LEVEL),
    "leaky, subtract at once": one(ABOVE, leak=0.5, amount=LEVEL),
    "leaky, late zero": one(ABOVE, leak=0.5, keep=0.0),
    "rleaky, zero: the input after a spike is lost": one(ABOVE, leak=0.5, swallow=True),
    "lapicque": one(Fire(LEVEL / 2, "gt"), leak=0.5, gain=0.5, late=LEVEL / 2),
    "leaky, never fires": one(None, exact="E3", leak=0.5),
    "klif": one(Fire(2 * LEVEL), leak=0.5, floor=0.0, keep=0.0),
    "lif of sinabs": one(AT_LEAST, leak=0.5, amount=LEVEL, low=-LEVEL / 2),
    "iaf of sinabs": one(AT_LEAST, leak=1.0, amount=LEVEL, low=-LEVEL / 2),
    "leak 3/4": one(AT_LEAST, exact="E3", leak=0.75, keep=0.0),
    "starts high": one(AT_LEAST, leak=0.5, keep=0.0, start=LEVEL - 2.0, amount=-8.0),
    "synaptic": Model(
        (SYNAPSE, State(leak=0.5, reads={0: 1.0}, late=LEVEL)), {1: 1.0}, ABOVE, "E3"
    ),
    "cuba": Model((SYNAPSE, State(leak=0.5, reads={0: 1.0}, keep=0.0)), {1: 1.0}, AT_LEAST, "E3"),
    "alpha, zero": Model(
        (
            State(leak=0.5, gain=1.0, swallow=True),
            State(leak=0.25, gain=-1.0, swallow=True),
        ),
        {0: 1.0, 1: 1.0},
        Fire(8.0, "gt"),
        "E3",
    ),
    "norse lif": Model((SYNAPSE, State(leak=0.5, reads={0: 0.5}, keep=0.0)), {1: 1.0}, ABOVE, "E3"),
    "norse lsnn": Model(
        (
            State(leak=0.5, reads={1: 0.5}, keep=0.0),
            State(leak=0.5, gain=1.0),
            State(leak=0.75, bias=LEVEL / 4, amount=-8.0, start=LEVEL),
        ),
        {0: 1.0, 2: -1.0},
        Fire(0.0, "gt"),
        "E3",
        strict=False,
    ),
    "alif of sinabs": Model(
        (
            State(leak=0.5, late=-8.0),
            State(leak=0.5, gain=1.0, amount=LEVEL, takes={0: 1.0}),
        ),
        {0: -1.0, 1: 1.0},
        AT_LEAST,
        "E3",
    ),
    "norse li": Model((SYNAPSE, State(leak=0.5, reads={0: 0.5})), {1: 1.0}, None, "E3"),
}
