"""How many bits the lowering gives to gains and to what lies below a weight, as the docs say."""

import numpy as np
import pytest
from folded import lower

from snncc.ir.dialects.integer import Gain, IntegerPopulation
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers


@pytest.mark.parametrize(
    ("weight_bits", "gain_bits", "fraction_bits"),
    [(2, 8, 14), (4, 8, 12), (5, 9, 11), (8, 12, 8), (11, 15, 5), (12, 16, 4), (16, 20, 4)],
)
def test_bits_follow_from_those_of_the_weights(
    weight_bits: int, gain_bits: int, fraction_bits: int
) -> None:
    spiking = lower(0).spiking
    lowering = LowerToIntegers(round_plainly(spiking, weight_bits), weight_bits)
    assert (lowering.gain_bits, lowering.fraction_bits) == (gain_bits, fraction_bits)


@pytest.mark.parametrize(("weight_bits", "gain_bits"), [(4, 8), (8, 12)])
def test_a_gain_uses_all_of_its_bits_and_no_more(weight_bits: int, gain_bits: int) -> None:
    """The largest mantissa of a gain; rounding may carry it to the next power of two."""
    seen = 0
    for seed in range(40):
        program = lower(seed, weight_bits).program
        for node in program.select(Gain):
            assert isinstance(node.op, Gain)
            largest = int(np.abs(program.constants[node.op.mantissa.name].astype(np.int64)).max())
            if largest and node.op.shift:
                assert 1 << (gain_bits - 1) <= largest <= 1 << gain_bits, (seed, node.name)
                seen += 1
    assert seen >= 4


def test_thresholds_have_the_fraction_below_the_weights() -> None:
    """A population's current is at least so fine: the last weight of 8 bits weighs 2^8 there."""
    program = lower(0).program
    for node in program.select(IntegerPopulation):
        assert isinstance(node.op, IntegerPopulation)
        threshold = program.constants[node.op.threshold.name]
        assert int(np.abs(threshold.astype(np.int64)).max()) >= 1 << 8
