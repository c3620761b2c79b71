"""Tensors with named axes, [batch, *axes]."""

from collections.abc import Sequence

from torch import Tensor

from snncc.ir import TIME

Names = tuple[str, ...]


def ordered(x: Tensor, have: Sequence[str], want: Sequence[str]) -> Tensor:
    """The same axes in another order."""
    return x.permute(0, *(1 + have.index(name) for name in want))


def aligned(x: Tensor, have: Names, want: Names) -> Tensor:
    """Axes in the order of `want`, of length 1 where there is none of that name."""
    x = ordered(x, have, [name for name in want if name in have])
    for place, name in enumerate(want):
        if name not in have:
            x = x.unsqueeze(1 + place)
    return x


def timed(x: Tensor, names: Names, steps: int) -> tuple[Tensor, Names]:
    """With time in front of the other axes; what has none is the same at every step."""
    rest = tuple(name for name in names if name != TIME)
    if TIME in names:
        return ordered(x, names, (TIME, *rest)), (TIME, *rest)
    return x.unsqueeze(1).expand(-1, steps, *x.shape[1:]), (TIME, *rest)


def at_step(constant: Tensor, t: int) -> Tensor:
    """What a constant [t or 1, ...] is at one step."""
    return constant[t if len(constant) > 1 else 0]
