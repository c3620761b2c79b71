"""The units' code as the package brings it, in LLVM's language.

LLVM makes machine code of it in about half a second.
`make kernels` writes it with Numba, which needs 5 s; a test makes it again and compares. It is not
used when it is of other sources or LLVM cannot read it: then Numba compiles.
"""

import gzip
import platform
import re
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

from llvmlite import binding

from snncc.backends.cpu.vm.machine_code import MachineCode, host_features, numba_settings, sources

llvm: Any = binding  # it comes without types
FILE = Path(__file__).with_name("units.ll.gz")
HEADER = "; snncc: the simulator's compiled units"
NEWER = re.compile(
    r"\bnocreateundeforpoison |, target_mem\d: \w+|^.*@llvm\.lifetime\..*\n", re.MULTILINE
)
"""Hints that LLVM 20, the oldest that we allow, cannot read or reads otherwise."""
LEVEL = 3
"""Of LLVM's code generator; what comes before it is done in the file."""


def text_of(symbol: str, module: str) -> str:
    """The file's text: a header, and LLVM's language, which older releases can read too."""
    readable = NEWER.sub("", module)
    return f"{HEADER}\n; sources {sources()}\n; {compiler()}\n; symbol {symbol}\n{readable}"


def compiler() -> str:
    """What writes the text; others may write it otherwise."""
    python = ".".join(platform.python_version_tuple()[:2])
    return f"Python {python}, numba {version('numba')}, llvmlite {version('llvmlite')}"


def write(path: Path, text: str) -> None:
    """Packs it, the same text to the same bytes."""
    with path.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(text.encode())


def shipped_text(path: Path = FILE) -> str | None:
    """What is in the package; None when it is of other sources than these, or nobody can tell."""
    read = sources()
    if read is None:
        return None
    try:
        text = gzip.decompress(path.read_bytes()).decode()
    except (OSError, EOFError, ValueError, zlib.error):
        return None
    return text if text.startswith(f"{HEADER}\n; sources {read}\n") else None


def shipped(path: Path = FILE) -> MachineCode | None:
    """Machine code for this processor, from the package's text.

    None when that is of other sources, for another system, or newer than this LLVM, and where the
    user told Numba how to compile.
    """
    text = None if numba_settings() else shipped_text(path)
    if text is None:
        return None
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    try:
        module = llvm.parse_assembly(text)
        module.verify()
    except RuntimeError:
        return None
    if module.triple != llvm.get_process_triple():
        return None
    machine = llvm.Target.from_triple(module.triple).create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=host_features(), opt=LEVEL
    )
    symbol = text.split("\n", 4)[3].removeprefix("; symbol ")
    return MachineCode(symbol, machine.emit_object(module))
