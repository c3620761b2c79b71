"""snncc: a deployment compiler for spiking neural networks.

    import snncc

    program = snncc.compile("net.pth", normalize=(0.3, 0.35), calibrate=images)
    result = program.run(images)
    result.predictions, result.spikes["layer"].values
    program.verify(level="shift-add").holds
    program.save("net.snncc")
    program = snncc.load("net.snncc")

Every name of `__all__` is loaded when it is first used: `import snncc` needs neither torch nor
Numba. docs/python.md says what is stable.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snncc.api.compiling import compile
    from snncc.api.programs import Program, load
    from snncc.api.results import Recorded, Result
    from snncc.api.verdicts import Verdict
    from snncc.diagnostics import Finding, SnnccError

__version__ = "0.1.0"
__all__ = [
    "Finding",
    "Program",
    "Recorded",
    "Result",
    "SnnccError",
    "Verdict",
    "__version__",
    "compile",
    "load",
]
_HOMES = {
    "Finding": "snncc.diagnostics",
    "Program": "snncc.api.programs",
    "Recorded": "snncc.api.results",
    "Result": "snncc.api.results",
    "SnnccError": "snncc.diagnostics",
    "Verdict": "snncc.api.verdicts",
    "compile": "snncc.api.compiling",
    "load": "snncc.api.programs",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'snncc' has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
