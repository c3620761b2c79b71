"""The PyTorch frontend: records one real run of a module as a graph with named axes.

Both names are loaded when they are first used: what a model is, is asked without torch.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snncc.frontends.torch_recorder.trace import Trace, trace_model

__all__ = ["Trace", "trace_model"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.trace"), name)
    globals()[name] = value
    return value
