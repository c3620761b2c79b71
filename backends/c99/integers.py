"""Which integer types of C hold what."""

from snncc.ir import Kind, ValueType

Interval = tuple[int, int]
BITS = {"int8_t": 8, "int16_t": 16, "int32_t": 32, "int64_t": 64}
UNSIGNED = {"uint8_t": 8, "uint16_t": 16, "uint32_t": 32, "uint64_t": 64}
WORKING = ("int32_t", "int64_t")
"""What is computed in; no narrower one, since a doubling of those becomes a multiplication."""
SPIKES = "uint8_t"


def bytes_of(ctype: str) -> int:
    """How many bytes an element takes."""
    return (BITS | UNSIGNED)[ctype] // 8


def holding(low: int, high: int) -> str:
    """The narrowest signed type that holds an interval."""
    return next(c for c, bits in BITS.items() if -1 << (bits - 1) <= low and high < 1 << (bits - 1))


def unsigned(most: int) -> str:
    """The narrowest unsigned type that holds 0 to `most`."""
    return next(ctype for ctype, bits in UNSIGNED.items() if most < 1 << bits)


def working(*numbers: int) -> str:
    """The narrower of 32 and 64 bits that holds every number and its negative."""
    most = max((abs(number) for number in numbers), default=0)
    return WORKING[0] if most < 1 << 31 else WORKING[1]


def wider(*ctypes: str) -> str:
    """The wider of working types."""
    return WORKING[1] if WORKING[1] in ctypes else WORKING[0]


def bounds_of(kind: ValueType) -> Interval:
    """The interval of every element of a value of a program."""
    return kind.domain or kind.range or (0, 0)


def kept_in(kind: ValueType) -> str:
    """The type of a buffer of a value: spikes have 8 bits, all else 16 at least.

    Compilers copy a byte into all bytes of a word by a multiplication.
    """
    if kind.kind is Kind.SPIKE:
        return SPIKES
    low, high = bounds_of(kind)
    return holding(min(low, -256), max(high, 255))
