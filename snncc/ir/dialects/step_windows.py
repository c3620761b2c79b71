"""Which of the T steps a readout sums, and the largest value of all steps so far."""

import numpy as np

from snncc.ir.dialects.neurons import State
from snncc.ir.op import Array, Context, Op, require

LOWEST = -(2.0**60)
"""What stands before the first step of a running maximum: less than any current of a network."""
RUNNING_MAXIMUM_FORM = {1: 1.0}


def require_window(window: tuple[int, ...], steps: int) -> None:
    """Raises TypeRuleError unless it is () or holds the first step and the one behind the last."""
    if window:
        plain = len(window) == 2 and all(type(end) is int for end in window)
        require(plain and 0 <= window[0] < window[1] <= steps, f"{window} are no steps of {steps}")


def steps_in(window: tuple[int, ...], steps: int) -> int:
    """How many steps a window has."""
    return window[1] - window[0] if window else steps


def mask_of(window: tuple[int, ...], steps: int) -> Array:
    """1 at the steps of a window, 0 at the others."""
    mask = np.zeros(steps, np.int64)
    mask[slice(*window) if window else slice(None)] = 1
    return mask


def running_maximum(start: float = LOWEST) -> tuple[State, State]:
    """States of a neuron that never fires and whose second state is m[t] = max(m[t-1], x[t]).

    u_0[t] = max(m[t-1] - x[t], 0) and u_1[t] = u_0[t] + x[t].
    """
    return (
        State(leak=0.0, gain=-1.0, reads={1: 1.0}, floor=0.0),
        State(leak=0.0, gain=1.0, reads={0: 1.0}, start=start),
    )


def starts_lowest(op: Op, context: Context) -> bool:
    """Whether a neuron is a running maximum in whose place anything below its current may stand."""
    start = getattr(op, "start", None)
    return start is not None and bool((context.array(start) <= LOWEST).any())
