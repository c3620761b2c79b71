"""What a model writes into tensors that exist already."""

from collections.abc import Callable
from typing import Any

import torch

from snncc.diagnostics import Finding
from snncc.ir import Loc

_HELP = (
    "make new tensors: y = x + 1 for x.add_(1), torch.stack(list) for out[t] = y, torch.where or a "
    "product with a constant mask for x[...] = 0"
)
_WHY = "what was recorded of the tensor before does not show what is written into it"


class Writes:
    """Writes in place: parts of tensors at once, whole tensors as the cause of another failure.

    A call such as `x.add_(y)` is recorded as any other, and is right unless another view of x is
    read afterwards; the replay finds that, and these are then the reason.

    Attributes:
        causes: one finding for every write that may explain a trace that fails its replay.
    """

    def __init__(self) -> None:
        self.causes: list[Finding] = []

    def note(
        self,
        raw: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        out: Any,
        place: Callable[[str], Loc],
        find: Callable[[str, str, str, str, str], None],
    ) -> None:
        """Looks at one call that reads or writes data.

        Args:
            raw: the function's name, with underscores.
            args: what it took.
            kwargs: likewise, by name.
            out: what it gave.
            place: makes the place of a finding.
            find: takes down a finding.
        """
        if raw in ("__setitem__", "data", "set_") and out is None:
            what = "a tensor's data" if raw != "__setitem__" else "a part of a tensor"
            find("SNN021", f"{what} is overwritten in place", raw, _WHY, _HELP)
            return
        first = args[0] if args else None
        inplace = isinstance(out, torch.Tensor) and (out is first or kwargs.get("out") is out)
        if inplace and (raw.endswith("_") or "out" in kwargs) and raw not in ("requires_grad_",):
            finding = Finding(
                "SNN021", "a tensor is overwritten in place", place(f"torch.{raw}"), _WHY, _HELP
            )
            if finding not in self.causes:
                self.causes.append(finding)
