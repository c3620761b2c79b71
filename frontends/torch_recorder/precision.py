"""The model runs in float64 while it is recorded, whatever its own code asks for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode, resolve_name


class WideCasts(TorchFunctionMode):
    """A cast to float32, as in `(v > threshold).float()`, becomes a cast to float64."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = (resolve_name(func) or "").split(".")[-1]
        if name == "float":
            return args[0].double()
        if name in ("to", "type"):
            args = tuple(map(_wide, args))
            kwargs = {key: _wide(value) for key, value in (kwargs or {}).items()}
        return func(*args, **(kwargs or {}))


def _wide(argument: Any) -> Any:
    return torch.float64 if argument is torch.float32 else argument


@contextmanager
def in_double() -> Iterator[None]:
    """New tensors of the model are float64 as its parameters are, and so are its casts."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with WideCasts():
            yield
    finally:
        torch.set_default_dtype(before)
