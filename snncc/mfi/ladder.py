"""The ladder: how much arithmetic inference needs."""

from enum import IntEnum


class Level(IntEnum):
    """Levels from the least arithmetic to a real multiplication; the worst op decides.

    STRICT: select, add, subtract, compare, shift by a constant; one side of a synapse is a bit.
    SHIFT_ADD: also integer times compile-time constant, as shifted additions.
    BIT_SERIAL: also integer times integer, by selecting and adding over bits.
    NONE: a real multiplication, division, exponential or root remains.
    """

    STRICT = 0
    SHIFT_ADD = 1
    BIT_SERIAL = 2
    NONE = 3

    @property
    def label(self) -> str:
        return self.name.lower().replace("_", "-")

    @classmethod
    def parse(cls, label: str) -> "Level":
        return cls[label.upper().replace("-", "_")]
