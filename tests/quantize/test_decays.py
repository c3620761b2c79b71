"""Decays in integers: exact divisions, what is approximate says so; biases apart by channel."""

import numpy as np
import pytest

from snncc.ir import GraphBuilder, Kind, Param, ValueType
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.passes.measure_decays_by_step import is_exact_in_integers
from snncc.passes.named import Named
from snncc.quantize.decays import division, is_near, with_decay
from snncc.quantize.leak_bits import leak_bits
from snncc.quantize.poles import TARGET, response_error
from snncc.quantize.whole_levels import separate


@pytest.mark.parametrize("m", range(3, 60))
def test_a_division_is_the_floor_for_every_membrane(m: int) -> None:
    for reach in (1, m - 1, m, 1000, 4097):
        found = division(m, reach)
        assert found is not None
        p, k, c = found
        v = np.arange(-reach, reach + 1)
        assert np.array_equal((p * v + c) >> k, v // m)


def test_a_division_holds_at_wide_membranes_and_is_refused_beyond_them() -> None:
    rng = np.random.default_rng(0)
    for m in (3, 5, 7, 10, 100, 641):
        reach = 2**25
        found = division(m, reach)
        assert found is not None
        p, k, c = found
        near = rng.integers(-reach // m, reach // m, 20_000) * m  # where floors change
        for v in (near - 1, near, near + 1, np.array([-reach, reach])):
            v = v[np.abs(v) <= reach]
            assert np.array_equal((p * v + c) >> k, v // m)
        assert p * reach + c < 2**61
    assert division(7, 2**40) is None


def test_one_more_or_less_would_be_wrong_somewhere() -> None:
    """The constants are not merely generous: without the offset some floor is wrong."""
    wrong = 0
    for m in range(3, 30):
        found = division(m, 1000)
        assert found is not None
        p, k, c = found
        v = np.arange(-1000, 1001)
        wrong += not np.array_equal((p * v) >> k, v // m)
        assert c > 0 or (p * m) == 1 << k
    assert wrong > 20


def test_which_decays_are_exact() -> None:
    exact = [0.0, 1.0, 0.5, 0.25, 1.0 - 1.0 / 1.5, 1.0 - 1.0 / 1.25, 1 / 7]
    assert all(is_exact_in_integers(decay) for decay in exact)
    assert not any(is_exact_in_integers(decay) for decay in (0.9, 0.75, 2 / 3, 0.3))


def test_biases_by_channel_and_by_token_come_apart() -> None:
    rng = np.random.default_rng(1)
    tokens, channels = rng.normal(size=(3, 4)), rng.normal(size=5)
    sign = rng.choice([-1.0, 0.0, 1.0], (3, 4))
    bias = Named(("h", "w", "c"), sign[:, :, None] * channels + tokens[:, :, None])
    polarity = Named(("h", "w"), sign)
    own, rest = separate(bias, polarity, "c")
    assert own.axes == ("c",)
    assert set(rest.axes) == {"h", "w"}
    again = polarity * own + rest
    np.testing.assert_allclose(again.over(bias.axes), bias.array, rtol=0, atol=1e-12)
    other = Named(bias.axes, bias.array + 1e-6 * rng.normal(size=bias.array.shape))
    assert separate(other, polarity, "c")[1] is other
    assert separate(bias, polarity, None)[1] is bias


@pytest.mark.parametrize("steps", [1, 40, 2000])
def test_leaks_near_1_stay_below_it_with_the_response_of_complex_poles(steps: int) -> None:
    for leak in (0.9999, 0.9995, -0.9999, 0.9, 0.99997):
        bits, told = leak_bits([Named.scalar(leak)], steps, range(12, 25))
        kept = np.rint(leak * 2.0**bits)
        assert abs(kept) < 2**bits
        near, real = (np.array([each + 0j]) for each in (kept * 2.0**-bits, leak))
        assert told == float(response_error(near, real, steps)[0]) <= TARGET
    assert leak_bits([Named.scalar(0.9)], steps, range(12, 25))[0] == 12


@pytest.mark.parametrize("decay", [0.9, 0.999, 0.9998, 0.9999, 0.99999, 1.0 - 2.0**-23, 1.0 - 1e-9])
def test_a_decay_below_1_is_not_1_in_silence(decay: float) -> None:
    current = ValueType(Kind.CURRENT, (), (-5, 5))
    op = IntegerPopulation(threshold=Param("threshold", ()))
    made, text = with_decay(op, decay, current, GraphBuilder("integer", 4).context)
    factor, bits = made.decay
    assert (factor == 1 << bits) == ("no longer forgets" in text) == (decay == 1.0 - 1e-9)
    assert (bits == 12) == (decay < 1.0 - 2.0**-13)
    assert is_near(made, decay) == (factor != decay * 2**bits)
