"""The target `cpu`: this process, with the simulator or the interpreter."""

from snncc.targets.registry import PROFILES
from snncc.targets.target import Target


def cpu() -> Target:
    """Programs of every profile run here, with the same bits."""
    return Target(
        "cpu",
        "the CPU",
        "The event simulator and the interpreter: programs of every profile, with the same bits.",
        profiles=tuple(PROFILES),
        here=True,
    )
