"""What an object file defines and needs, read from its table of symbols (ELF, 64 bits)."""

import struct

FUNCTION, LOCAL, TABLE = 2, 0, 2
FOREIGN = (b"\xcf\xfa\xed\xfe", b"\x64\x86")
"""How object files of macOS and of Windows begin."""
SYSTEM = frozenset({"sched_yield", "memcpy", "memmove", "memset", "_GLOBAL_OFFSET_TABLE_"})
"""What kept code may need: every process has it."""


def why_unusable(code: bytes, symbol: str) -> str:
    """Why a function of an object file cannot be called; "" when it can, as far as this can tell.

    Object files of other formats than Linux's are not looked into.
    """
    if code[:4] in FOREIGN or code[:2] in FOREIGN:
        return ""
    if code[:4] != b"\x7fELF":
        return "it is no object file"
    try:
        defined, needed = _symbols(code)
    except (struct.error, ValueError, IndexError, OverflowError):
        return "its table of symbols cannot be read"
    if symbol not in defined:
        return f"it has no function {symbol}"
    unknown = sorted(needed - SYSTEM)
    return f"it needs {', '.join(unknown)}" if unknown else ""


def _symbols(code: bytes) -> tuple[set[str], set[str]]:
    """Names of global functions that the file has, and of what it expects elsewhere."""
    (start,) = struct.unpack_from("<Q", code, 0x28)
    size, count = struct.unpack_from("<HH", code, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", code, start + size * i) for i in range(count)]
    defined: set[str] = set()
    needed: set[str] = set()
    for _, kind, _, _, place, length, link, *_ in sections:
        if kind != TABLE:
            continue
        names = code[sections[link][4] : sections[link][4] + sections[link][5]]
        for entry in struct.iter_unpack("<IBBHQQ", code[place : place + length]):
            name = names[entry[0] : names.index(b"\0", entry[0])].decode()
            if entry[3] == 0 and name:
                needed.add(name)
            elif entry[1] & 15 == FUNCTION and entry[1] >> 4 != LOCAL:
                defined.add(name)
    return defined, needed
