"""Floor shifts of signed integers, which ONNX has not: BitShift is unsigned, Div truncates.

With a multiple of 2^s added first that makes the number at least 0, truncating is the floor:
(a + M) / 2^s - M / 2^s. Where the sum would not fit, (a - Mod(a, 2^s)) / 2^s, since Mod has the
sign of the divisor; it is slower.
"""

from dataclasses import dataclass

from snncc.backends.onnx_graph.integers import INT32, INT64, MOST_32, MOST_64
from snncc.backends.onnx_graph.value import Dtype, Value
from snncc.backends.onnx_graph.writer import Writer


@dataclass(frozen=True)
class FloorShift:
    """How numbers of a proved interval are shifted.

    Attributes:
        shift: s, at least 0.
        dtype: in which everything on the way fits.
        lift: M, which is added first; None where Mod is used.
    """

    shift: int
    dtype: Dtype
    lift: int | None

    @property
    def left(self) -> int:
        """What is too much in `before_left`: M / 2^s."""
        return 0 if self.lift is None else self.lift >> self.shift

    def before_left(self, w: Writer, value: Value, added: int = 0) -> Value:
        """(value + added) >> s, and `left` more.

        Args:
            w: the writer.
            value: of `dtype`.
            added: before the shift.
        """
        first = added if self.lift is None else added + self.lift
        value = w.apply("Add", value, first) if first else value
        if not self.shift:
            return value
        if self.lift is None:
            value = w.apply("Sub", value, w.apply("Mod", value, 1 << self.shift))
        return w.apply("Div", value, 1 << self.shift)


def floor_shift(low: int, high: int, shift: int, *others: int) -> FloorShift:
    """The shift of numbers of an interval.

    Args:
        low: the least number before the shift.
        high: the largest.
        shift: of how many bits.
        others: numbers that the same type must hold.
    """
    lift = -(-max(0, -low) >> shift) << shift if shift else 0
    for dtype, most in ((INT32, MOST_32), (INT64, MOST_64)):
        if max(-low, high, 1 << shift, *(abs(n) for n in others), 0) > most:
            continue
        if high + lift <= most:
            return FloorShift(shift, dtype, lift)
        if low - (1 << shift) >= -most:
            return FloorShift(shift, dtype, None)
    raise OverflowError(f"{low}..{high} >> {shift}")
