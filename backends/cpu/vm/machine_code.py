"""Machine code of the units, from one process to the next: loaded by LLVM alone.

Numba's own cache brings code back with all of Numba, which takes 0.4 s. This code needs nothing of
Numba any more: it takes and gives addresses, raises nothing and calls nothing but the system.
"""

import hashlib
import os
import platform
from collections.abc import Callable
from ctypes import CFUNCTYPE, addressof, c_int32, c_int64
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from llvmlite import binding

from snncc.backends.cpu import fields
from snncc.backends.cpu.vm.object_symbols import why_unusable
from snncc.machine.trust import read_trusted
from snncc.machine.user_cache import cache_folder, keep

llvm: Any = binding  # it comes without types
SOURCES = (
    *("compiler", "kernels", "delays", "neurons", "state_neurons", "sums", "vectors"),
    "wide_sums",
)
SETTINGS = tuple(
    f"NUMBA_{name}"
    for name in ("CPU_NAME", "CPU_FEATURES", "ENABLE_AVX", "LOOP_VECTORIZE", "OPT", "SLP_VECTORIZE")
)
ARGUMENTS = 13
"""Of `kernels.run_units`. With 18, CPython 3.11 would keep a call's tuple of 20."""
MAKERS = ("units.ll.gz", "shipped_code.py", "machine_code.py")
"""Files beside this one that decide on the code besides its sources."""
DIGEST = 32
"""Bytes of the sha256 before the code."""


@dataclass(frozen=True)
class MachineCode:
    """An object file.

    Attributes:
        symbol: its function.
        code: the file.
    """

    symbol: str
    code: bytes

    def to_bytes(self) -> bytes:
        content = self.symbol.encode() + b"\0" + self.code
        return hashlib.sha256(content).digest() + content

    @staticmethod
    def from_bytes(data: bytes) -> "MachineCode | None":
        """None for bytes that `to_bytes` did not make."""
        if hashlib.sha256(data[DIGEST:]).digest() != data[:DIGEST]:
            return None
        symbol, _, code = data[DIGEST:].partition(b"\0")
        return MachineCode(symbol.decode(), code)


class Executable:
    """Machine code in memory; it stays there as long as this does.

    Args:
        machine_code: what Numba made for a function of `ARGUMENTS` int64 that returns nothing.

    Raises:
        ValueError: it has no such function, or needs others that are nowhere.
        RuntimeError: LLVM cannot read it.
    """

    def __init__(self, machine_code: MachineCode) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine()
        if reason := why_unusable(machine_code.code, machine_code.symbol):
            raise ValueError(reason)
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(machine_code.code))
        self._engine.finalize_object()
        address: int = self._engine.get_function_address(machine_code.symbol)
        if address == 0:
            raise ValueError(f"it has no function {machine_code.symbol}")
        # Numba's convention: addresses for the result and for an exception, then the arguments.
        kind = CFUNCTYPE(c_int32, *[c_int64] * (2 + ARGUMENTS))
        self._function: Callable[..., int] = kind(address)
        self._room = (c_int64(), c_int64())
        self._places = (addressof(self._room[0]), addressof(self._room[1]))

    def __call__(self, *arguments: int) -> None:
        """Runs the function, without Python's lock.

        Raises:
            RuntimeError: the code says that it failed, which none of ours does.
        """
        status = self._function(*self._places, *arguments)
        if status != 0:
            raise RuntimeError(f"the machine code ended with status {status}")


def code_file() -> Path | None:
    """Where the code is kept that this version needs on this machine; None: it cannot be."""
    folder, needed = cache_folder(), needed_code()
    return None if folder is None or needed is None else folder / f"units-{needed}.o"


def load(path: Path) -> MachineCode | None:
    """What `save` wrote; None where there is nothing, something else, or others may write."""
    content = read_trusted(path)
    try:
        return None if content is None else MachineCode.from_bytes(content)
    except ValueError:
        return None


def save(path: Path, machine_code: MachineCode) -> bool:
    """Keeps it for the next process; says whether it could."""
    return keep(path, machine_code.to_bytes())


def needed_code() -> str | None:
    """A digest of all that the code depends on: our sources, what is shipped, compiler, processor.

    None where the package came without its sources: nothing tells one code from another.
    """
    read = sources()
    if read is None:
        return None
    processor = (llvm.get_default_triple(), llvm.get_host_cpu_name(), host_features())
    compiler = (version("numba"), version("llvmlite"), platform.python_version(), numba_settings())
    facts = (read, makers(), processor, compiler)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def sources() -> str | None:
    """A digest of the modules that Numba reads; None where only their byte code is installed."""
    found = hashlib.sha256()
    folder = Path(__file__).parent
    try:
        for path in [Path(fields.__file__), *(folder / f"{name}.py" for name in SOURCES)]:
            found.update(path.read_bytes())
    except FileNotFoundError:
        return None
    return found.hexdigest()


def makers() -> list[str]:
    """A digest of each of `MAKERS`; one that is missing counts as empty."""
    paths = [Path(__file__).with_name(name) for name in MAKERS]
    contents = [path.read_bytes() if path.exists() else b"" for path in paths]
    return [hashlib.sha256(content).hexdigest() for content in contents]


def numba_settings() -> list[tuple[str, str]]:
    """The user's settings that change the code."""
    return [(name, os.environ[name]) for name in SETTINGS if name in os.environ]


def host_features() -> str:
    """What this processor can, in LLVM's words."""
    features: str = llvm.get_host_cpu_features().flatten()
    return features
