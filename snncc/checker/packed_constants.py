"""Constants that a program file holds in 2 to 7 bits an integer, back as bytes."""

import math

import numpy as np

from snncc.checker.program_file import Array, Json, is_list, is_record, natural, require, short

MOST_INFLATED_BYTES = 2**31


def inflated(constants: dict[str, Array], packed: Json) -> dict[str, Array]:
    """All constants as the program means them.

    Args:
        constants: as the file holds them, bytes for what is packed.
        packed: bits and shape by name; None in a file that packs nothing.
    """
    bare = {name for name, array in constants.items() if array.dtype.str == "|u1"}
    if packed is None:
        require(not bare, "a constant is no integer")
        return constants
    require(
        is_record(packed) and bare == set(packed) != set(), "what is packed is not what is told"
    )
    told = {name: read_entry(entry) for name, entry in packed.items()}
    size = sum(math.prod(shape) for _, shape in told.values())
    size += sum(array.nbytes for name, array in constants.items() if name not in told)
    require(size <= MOST_INFLATED_BYTES, "the constants are too large")
    found = dict(constants)
    for name, (bits, shape) in told.items():
        found[name] = widened(name, constants[name], bits, shape)
    saved = {name: found[name].nbytes - constants[name].nbytes for name in found}
    worth = {n for n, a in found.items() if a.dtype.str == "|i1" and gain(a) >= 64}
    require(worth == set(packed), "other constants are packed than a program packs")
    require(20 * sum(saved.values()) >= size, "packing saves too little")
    return found


def read_entry(entry: Json) -> tuple[int, list[int]]:
    require(is_list(entry) and len(entry) == 2, "a packed constant has bits and a shape")
    bits, shape = entry
    require(is_list(shape), "a shape is a list")
    return natural(bits, 2, 7), [natural(n, 1) for n in shape]


def widened(name: str, content: Array, bits: int, shape: list[int]) -> Array:
    """Integers of so many bits, one behind the other, lowest bit first: each as a byte."""
    elements = math.prod(shape)
    require(content.shape == (-(-elements * bits // 8),), f"{short(name)} has another size")
    every = np.unpackbits(content, bitorder="little")
    require(not every[elements * bits :].any(), f"{short(name)} has bits behind its integers")
    own = every[: elements * bits].reshape(elements, bits)
    sign = np.repeat(own[:, -1:], 8 - bits, axis=1)
    whole = np.packbits(np.concatenate([own, sign], axis=1), axis=1, bitorder="little")
    values = whole.view(np.int8).reshape(shape)
    require(width(values) == bits, f"{short(name)} needs other bits than it has")
    return values


def width(values: Array) -> int:
    """Bits that the integers need, sign included; at least 2."""
    lowest, highest = int(values.min(initial=0)), int(values.max(initial=0))
    return next(n for n in range(2, 9) if -(2 ** (n - 1)) <= lowest and highest < 2 ** (n - 1))


def gain(values: Array) -> int:
    """Bytes that packing would save; 0 for what needs all of its 8 bits."""
    return values.size - -(-values.size * width(values) // 8)
