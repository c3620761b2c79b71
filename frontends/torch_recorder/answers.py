"""Which part of what a model returns is its answer."""

from typing import Any

import torch

CHOSEN = (
    "the model returns a tuple of {}; its first element is taken for the answer, as in (spikes, "
    "membranes) and (output, state)"
)


def answer_of(returned: Any) -> Any:
    """The first element of a tuple that starts with a tensor; anything else as it is."""
    return returned[0] if is_tuple_of_answers(returned) else returned


def is_tuple_of_answers(returned: Any) -> bool:
    """Whether a model returns its answer and something beside it."""
    return isinstance(returned, tuple) and len(returned) > 1 and torch.is_tensor(returned[0])
