"""What a part of a unit is: one projection's sum, or a share of it."""

from dataclasses import dataclass

from snncc.ir import Array


@dataclass(frozen=True)
class Part:
    """One projection's sum, or a share of it, for every row of a unit.

    Attributes:
        kind: EVENTS, PLANE, MASKED or MASKED_LANES.
        source: name of the value that selects.
        taps: int32 [rows, taps, 2]: source row (for PLANE the pixel) and weight row; -1 is none.
        weights: [steps or 1, weight rows, lanes], MASKED: [steps or 1, weights, 1].
        first_word, words: which 64-bit words of a source row; of PLANE, 1 when the weight rows of
            the taps follow each other.
        plane: which bit of a pixel, or plane of counts.
        wide: whether sums need more than 16 bits, or weights more than 8.
        reach: no partial sum is larger, of either sign.
        inputs: how many weight rows a tap selects from.
        made: the value whose rows in the working memory are the weights; "" for constants.
    """

    kind: int
    source: str
    taps: Array
    weights: Array
    words: int
    first_word: int = 0
    plane: int = 0
    wide: bool = False
    reach: int = 0
    inputs: int = 1
    made: str = ""
