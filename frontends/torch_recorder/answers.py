"""Which part of what a model returns is its answer."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import nn

from snncc.diagnostics import SnnccError
from snncc.ir.loc import Loc

CHOSEN = (
    "the model returns a tuple of {}; its first element is taken for the answer, as in (spikes, "
    "membranes) and (output, state); --answer chooses another one"
)


def answer_of(returned: Any) -> Any:
    """The first element of a tuple that starts with a tensor; anything else as it is."""
    return returned[0] if is_tuple_of_answers(returned) else returned


def is_tuple_of_answers(returned: Any) -> bool:
    """Whether a model returns its answer and something beside it."""
    return isinstance(returned, tuple) and len(returned) > 1 and torch.is_tensor(returned[0])


def answering(model: nn.Module, answer: str) -> None:
    """Makes a copy of a model return one part of what it returns: a key, or a number of a tuple."""

    def chosen(module: nn.Module, _args: Any, returned: Any) -> Any:
        parts = _parts(returned)
        if answer in parts:
            return parts[answer]
        known = ", ".join(parts) or "none: it returns one tensor, or something else"
        raise SnnccError(
            "SNN001",
            f"--answer {answer}, and the model returns no such part",
            Loc(call=f"{type(module).__name__}()"),
            f"its parts are {known}",
            "give the key of a dict, or the number of an element of a tuple, from 0 on",
        )

    model.register_forward_hook(chosen)


def _parts(returned: Any) -> dict[str, Any]:
    """What a model returns, by the words that name its parts."""
    if isinstance(returned, Mapping):
        return {str(key): value for key, value in returned.items()}
    if isinstance(returned, tuple | list):
        items = [*cast("list[Any]", returned)]
        names = getattr(cast("Any", returned), "_fields", ())
        numbered = {str(at): item for at, item in enumerate(items)}
        return numbered | dict(zip(names, items, strict=False))
    return {}
