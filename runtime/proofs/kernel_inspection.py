"""Proof that the simulator's machine code multiplies no data: its kernels' LLVM IR is read.

Independent of the static verdict and of the interpreter: what is looked at is the optimised code
that the machine code is made from, for exactly the argument types that programs use.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numba as nb

from snncc.backends.cpu.vm import compiler as unit_compiler
from snncc.backends.cpu.vm.shipped_code import shipped_text
from snncc.runtime.proofs.llvm_products import Offence, walk

Dispatcher = Any  # numba's; it comes without types


@dataclass(frozen=True)
class KernelProof:
    """What was found in one kernel for one set of argument types.

    Attributes:
        kernel: its name.
        signature: its argument types.
        instructions: how many were looked at.
        addresses: multiplications and divisions whose results are addresses, bounds or sizes.
        offences: everything else that computes more than integers may here; empty is the proof.
    """

    kernel: str
    signature: str
    instructions: int
    addresses: int
    offences: tuple[Offence, ...]

    @property
    def holds(self) -> bool:
        return not self.offences


def inspect_kernels() -> tuple[KernelProof, ...]:
    """Inspects the compiled units' kernel, which is the same for every program.

    As Numba makes it here, and as the package ships it. What the host computes between compiled
    units is the interpreter's own code, which the dynamic proof covers.
    """
    proofs = [inspect_kernel(unit_compiler.run_units, unit_compiler.SIGNATURE)]
    if text := shipped_text():
        proofs.append(_proof("run_units", "as the package ships it", text))
    return tuple(proofs)


def _text(signature: tuple[Any, ...]) -> str:
    return ", ".join(str(kind).removeprefix("readonly ") for kind in signature)


def inspect_kernel(function: Dispatcher, signature: tuple[Any, ...]) -> KernelProof:
    """Compiles a kernel anew, with its own options, and walks over its code.

    Code from numba's cache comes without its IR, so it cannot be what is read.

    Raises:
        RuntimeError: the code writes nothing: it is not the kernel.
    """
    options = {k: v for k, v in function.targetoptions.items() if k != "nopython"}  # njit says it
    return _compiled_and_inspected(function.py_func, tuple(signature), tuple(options.items()))


@cache
def _compiled_and_inspected(
    function: Callable[..., Any], signature: tuple[Any, ...], options: tuple[tuple[str, Any], ...]
) -> KernelProof:
    """Once a process: the code of a function for some types is always the same."""
    fresh: Dispatcher = nb.njit(**dict(options))(function)
    fresh.compile(signature)
    name = str(function.__name__)
    return _proof(name, _text(signature), fresh.inspect_llvm(fresh.signatures[0]))


def _proof(name: str, signature: str, code: str) -> KernelProof:
    found = walk(code)
    if found.stores == 0:
        raise RuntimeError(f"the code of {name} writes nothing; there is nothing to prove")
    return KernelProof(name, signature, found.instructions, found.addresses, found.offences)
