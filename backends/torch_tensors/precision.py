"""The settings by which torch multiplies float32 in fewer bits: set to none, and put back."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch

OWN = "fp32_precision"
"""A setting's name, since torch 2.9. One that is "none" answers with what is set above it."""


@contextmanager
def float32_whole() -> Generator[None]:
    """Within the block products of float32 are in float32; the caller's settings come back.

    They are in two places: for all products at once, and from torch 2.9 on for each library. torch
    refuses to say the first while the two contradict, so it is asked once the second are set.
    """
    before = [(each, _taken(each)) for each in _places()]
    for each, _ in before[2:]:
        setattr(each, OWN, "ieee")
    legacy = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(legacy)
        for each, value in before:
            setattr(each, OWN, value)


def _places() -> list[object]:
    """What holds a setting that products obey: two from above, and those of products themselves."""
    backends: Any = torch.backends  # types know no mkldnn.matmul
    if not hasattr(backends, OWN):
        return []
    return [backends, backends.cudnn, backends.cuda.matmul, backends.mkldnn.matmul]


def _taken(place: object) -> str:
    """Its own setting, which is none afterwards: those below do not answer with it."""
    value = str(getattr(place, OWN))
    setattr(place, OWN, "none")
    return value
