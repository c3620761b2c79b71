"""When a layer hears the layer before it: what a .net file leaves open."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """How a file is run.

    Attributes:
        name: of `--convention`.
        about: one line for users.
        late: steps after which a layer reads the spikes of the one before it.
        at_synapses: whether a layer's own delays act on what reaches it, and not on its spikes.
    """

    name: str
    about: str
    late: int
    at_synapses: bool


_ALL = (
    Timing(
        "lava-netx",
        "NetX runs the file in Lava, without resets: each layer hears the one before it a step "
        "later",
        late=1,
        at_synapses=True,
    ),
    Timing(
        "lava-slayer",
        "slayer runs the file as it was trained, and NetX with resets every T steps: layers hear "
        "each other in the same step",
        late=0,
        at_synapses=False,
    ),
)
TIMINGS: Mapping[str, Timing] = {each.name: each for each in _ALL}
"""By the name that users give."""
