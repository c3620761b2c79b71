"""What the numbers of a checkpoint are: made dense and plain, and doubted where they look wrong."""

from collections.abc import Mapping
from typing import Any

import torch

from snncc.frontends.weights.pickles import Made
from snncc.frontends.weights.tensors import BadTensor

PLAIN = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def dense_values(tensor: torch.Tensor) -> torch.Tensor:
    """The same values, as a dense tensor of a type that can be computed with.

    Raises:
        BadTensor: complex numbers, or a packed type whose values are not read.
    """
    if tensor.dtype.is_complex:
        raise BadTensor("it holds complex numbers, which no synapse has")
    if tensor.layout != torch.strided:
        raise BadTensor(f"layout {tensor.layout} is not read")
    if not tensor.is_floating_point() or tensor.dtype in PLAIN:
        return tensor.detach()
    try:
        return tensor.detach().to(torch.float32)  # float8, exactly
    except (RuntimeError, NotImplementedError) as error:
        raise BadTensor(f"numbers of type {tensor.dtype} are not read") from error


def converted(records: Mapping[str, Any]) -> tuple[str, ...]:
    """A note where the file holds other numbers than those that are compiled."""
    quantised = [n for n, r in records.items() if isinstance(r, Made) and "qtensor" in r.name]
    if not quantised:
        return ()
    more = f" and {len(quantised) - 1} more" if len(quantised) > 1 else ""
    return (
        f"quantised tensors ({quantised[0]}{more}): the values that they stand for are compiled, "
        "rounded to float32",
    )


def doubts(state: Mapping[str, torch.Tensor]) -> tuple[str, ...]:
    """Notes about values that a trained network does not have."""
    weights = {n: t for n, t in state.items() if t.is_floating_point() and t.numel() > 1}
    notes: list[str] = []
    maps = {n: t for n, t in weights.items() if t.dim() > 1}
    silent = [n for n, t in maps.items() if not bool(t.any())]
    if silent and len(silent) == len(maps):
        notes.append("every weight is 0: the answer is the same for every image; is it trained?")
    elif len(weights) > 1 and all(bool((t == t.round()).all()) for t in weights.values()):
        notes.append(
            "every value is a whole number, as after a cast to integers: was it trained like that?"
        )
    elif silent:
        notes.append(f"all weights are 0 in {_listed(silent)}")
    return tuple(notes)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
