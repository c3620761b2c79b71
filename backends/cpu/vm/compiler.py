"""Numba makes the units' machine code; whoever only runs it does not import this."""

import gc
import sys
from pathlib import Path
from typing import Any

import numba as nb
from numba.core import config as numba_config

from snncc.backends.cpu.vm import kernels as unit_kernels
from snncc.backends.cpu.vm.machine_code import ARGUMENTS, MachineCode
from snncc.backends.cpu.vm.shipped_code import text_of, write
from snncc.backends.cpu.vm.sums import compiled

types: Any = nb.types
config: Any = numba_config
SIGNATURE = (types.int64,) * ARGUMENTS
SYSTEM = {"sched_yield", "memcpy", "memmove", "memset"}
"""What the code may call: every process has it."""

run_units: Any = compiled(unit_kernels.run_units)


def compile_units() -> MachineCode:
    """Makes the code, which is the same for every program.

    Raises:
        RuntimeError: the code needs something of Numba.
    """
    made = _compiled()
    return MachineCode(made.fndesc.llvm_func_name, made.library._get_compiled_object())


def llvm_text() -> str:
    """The code for any processor, for `shipped_code`."""
    made = _compiled()
    return text_of(made.fndesc.llvm_func_name, str(made.library._final_module))


def _compiled() -> Any:
    """Numba's result.

    The kernels say themselves what is in vector registers, so LLVM's first level of optimisation
    gives code as fast as the third, sooner.
    """
    level, collects = config.OPT, gc.isenabled()
    config.OPT = 1 if level == 3 else level
    gc.disable()  # a tenth of the time: a compiler makes many objects and few are garbage
    try:
        run_units.compile(SIGNATURE)
    finally:
        config.OPT = level
        if collects:
            gc.enable()
    (made,) = run_units.overloads.values()
    needed = {each.name for each in made.library._final_module.functions if each.is_declaration}
    if extra := {name for name in needed - SYSTEM if not name.startswith("llvm.")}:
        raise RuntimeError(f"the units' machine code calls {sorted(extra)}")
    return made


if __name__ == "__main__":
    write(Path(sys.argv[1]), llvm_text())
