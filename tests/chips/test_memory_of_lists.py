"""What lists of synapses take, against numbers by hand and a count word by word."""

import math

import numpy as np
import pytest

from snncc.chips.reading import chip_named
from snncc.chips.storing import Memory, memory_of


def test_a_list_on_loihi_1_by_hand() -> None:
    """100 synapses of 8 + 10 bits: 64 and a header are 1,162 bits, 19 words; 36 are 658, 11."""
    memory = memory_of(chip_named("loihi1"))
    assert memory is not None
    assert memory.largest == 127
    lists = np.array([0, 1, 64, 100])
    assert memory.bits(lists, 0).tolist() == [0, 64, 19 * 64, (19 + 11) * 64]
    assert memory.bits(lists, 3).tolist() == [0, 64, 22 * 64, (22 + 12) * 64]


@pytest.mark.parametrize("seed", range(20))
def test_lists_take_whole_words_group_by_group(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight, other, delay, header = (int(n) for n in rng.integers(2, 12, 4))
    group, word = int(rng.integers(1, 9)), int(rng.integers(1, 40))
    memory = Memory(weight, other, group, header, word)
    lists = rng.integers(0, 40, 25)
    wanted: list[int] = []
    for count in lists.tolist():
        held = [min(group, count - start) for start in range(0, count, group)]
        bits = [n * (weight + other + delay) + header for n in held]
        wanted.append(sum(math.ceil(each / word) * word for each in bits))
    assert memory.bits(lists, delay).tolist() == wanted
