"""Whether compilers left a program free of multiplications: reads what they made of it.

A source without `*` proves nothing: compilers make products of shifts and additions, and of the
indices of loops. What is read is the listing of an object, `objdump -d` or `llvm-objdump -d`, of
x86, Arm or RISC-V, and where a processor has no multiplier what the object calls, `nm -u`.
"""

import re

_INSTRUCTION = re.compile(r"\s*[0-9a-f]+:\s+(?:[0-9a-f]{2,8} +)+\t([a-z][\w.]*?)(?:\.[nw])?(?!\S)")
"""An address, the bytes, and after a tab the name."""
_PRODUCTS = (
    r"i?mul[a-z]*|i?div[a-z]*|rem[uw]*",  # x86, RISC-V, Arm
    r"v?p(?:mul|madd|dp|clmul)\w*",  # x86, several at a time
    r"m(?:la|ls|add|sub|neg)s?|[su]?m(?:ul|la|ls|mul|lal|lsl|ull)[a-z]*\d?|[su]div|[su]?dot",  # Arm
    r"[us]m(?:add|sub|neg)[lh]|sqr?d?mul\w*|v?q?r?d?mul[hl]?\w*|vml[as]\w*",
)
_FLOATS = (
    r"v?(?:add|sub|mul|div|sqrt|rcp|rsqrt|min|max|round|dp|hadd|hsub|addsub|u?comi)(?:ss|sd|ps|pd)",
    r"v?cvt\w+|vfn?m(?:add|sub)\w+",
    r"f(?!ence)[a-z][\w.]*",  # x87, RISC-V, Arm
    r"v(?:add|sub|mul|div|cvt|sqrt|abs|neg|fm[as])\.f\d+",
)
FORBIDDEN = re.compile("|".join((*_PRODUCTS, *_FLOATS)))
_HELPERS = re.compile(
    r"_*(?:aeabi_)?(?:[ui]?l?(?:mul|div|mod)\w*|udivmod\w*|(?:add|sub|mul|div|fix|float|cmp|ext|trunc)"
    r"(?:uns)?[sdt][fi]\w*|[fd](?:add|sub|mul|div|2)\w*)"
)


def instructions(listing: str) -> list[str]:
    """Names of all instructions of a listing, in order."""
    found = (_INSTRUCTION.match(line) for line in listing.splitlines())
    return [match[1] for match in found if match]


def offences(listing: str) -> list[str]:
    """The lines of a listing that multiply, divide, or compute with floating point."""
    found: list[str] = []
    for line in listing.splitlines():
        match = _INSTRUCTION.match(line)
        if match and FORBIDDEN.fullmatch(match[1]):
            found.append(line.strip())
    return found


def helpers(symbols: str) -> list[str]:
    """The routines of a compiler's library that stand for such instructions.

    Args:
        symbols: what `nm -u` says.
    """
    names = [line.split()[-1] for line in symbols.splitlines() if line.strip()]
    return [name for name in names if _HELPERS.fullmatch(name)]
