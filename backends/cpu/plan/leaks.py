"""The leak of a population in lowest terms: the same for every membrane, in narrower registers.

floor((2^j p V + c) / 2^k) = floor((p V + floor(c / 2^j)) / 2^(k - j)): what j takes away is below
the last bit that counts. Registers of chips want a fixed k, as Lava's 4096; halves of 24 bits then
would need 35 bits before their shift.
"""

from snncc.ir.dialects.integer import IntegerPopulation


def leak_of(op: IntegerPopulation) -> tuple[int, int, int]:
    """Numerator, shift and what is added before the shift, with as small a shift as there is."""
    factor, shift = op.decay
    even = min((factor & -factor).bit_length() - 1, shift) if factor else shift
    return factor >> even, shift - even, op.decay_offset >> even
