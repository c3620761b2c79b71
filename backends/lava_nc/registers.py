"""The numbers that Lava's stock processes keep: bits of registers in lava-nc 0.10.0.

Read in and measured on lava.proc.{lif,dense,sparse}; docs/loihi.md has the measurements.
"""

import numpy as np
from numpy.typing import NDArray

PROFILE = "loihi-lava"
CURRENT_SHIFT = 6
"""LIF shifts what arrives left by so much; thresholds likewise."""
LARGEST_CURRENT = (1 << 17) - 1
"""Of either sign, before the shift: u has 24 bits and wraps at -2^23."""
LARGEST_STATE = (1 << 23) - 1
"""Of either sign: v is clipped there."""
LARGEST_THRESHOLD = (1 << 17) - 1
DECAY_BITS = 12
"""v keeps (4096 - dv) / 4096 of itself, dv in 0..4095."""
WEIGHTS = (-128, 127)
"""With the sign mode MIXED a synapse keeps the even numbers -256..254: an int8, times 2."""
BIAS_MANTISSA = (-4096, 4095)
LARGEST_BIAS_EXPONENT = 7
LARGEST_BIAS = BIAS_MANTISSA[1] << LARGEST_BIAS_EXPONENT


def bias_exponent(bias: NDArray[np.int64]) -> NDArray[np.int64]:
    """The least exponent in 0..7 with which a bias, rounded to 2^exponent, fits 13 bits.

    7 where none is large enough.
    """
    found = np.full(bias.shape, LARGEST_BIAS_EXPONENT, np.int64)
    for exponent in range(LARGEST_BIAS_EXPONENT, -1, -1):
        mantissa = round_half_up(bias, exponent)
        fits = (mantissa >= BIAS_MANTISSA[0]) & (mantissa <= BIAS_MANTISSA[1])
        found = np.where(fits, exponent, found)
    return found


def round_half_up(value: NDArray[np.int64], exponent: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """The nearest multiple of 2^exponent, in units of 2^exponent."""
    power = np.asarray(exponent, np.int64)
    half = (np.ones_like(power) << power) >> 1
    return np.asarray((value + half) >> power, np.int64)


def has_bias_exponent(bias: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where a power is large enough: from -524,352 to 524,223, since what is rounded must fit."""
    mantissa = round_half_up(bias, LARGEST_BIAS_EXPONENT)
    return np.asarray((mantissa >= BIAS_MANTISSA[0]) & (mantissa <= BIAS_MANTISSA[1]), np.bool_)


def on_bias_grid(bias: NDArray[np.int64]) -> NDArray[np.int64]:
    """Every bias as the nearest mantissa * 2^exponent; unchanged where none is large enough."""
    exponent = bias_exponent(bias)
    return np.where(has_bias_exponent(bias), round_half_up(bias, exponent) << exponent, bias)


def bias_spacing(bias: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of what a bias is stored as a multiple: 2^exponent; 1 where no power is large enough.

    Such a bias stays itself, and the limits name it.
    """
    spacing = np.int64(1) << bias_exponent(bias)
    return np.where(has_bias_exponent(bias), spacing, np.int64(1))
