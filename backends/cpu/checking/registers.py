"""The ops of a unit on its registers, in whole numbers, with bounds."""

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.checking.decoding import Block, Row
from snncc.backends.cpu.checking.exact import INT16, INT32, LONG, Ints, within
from snncc.backends.cpu.checking.shadow import Numbers, Shadow
from snncc.backends.cpu.checking.wrong import Wrong, require


class Registers:
    """Registers of one unit, [steps, rows, lanes] each.

    Args:
        name: of the unit.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._held: dict[int, Numbers] = {}
        self._wide: Numbers | None = None
        self.terms = 0

    def __getitem__(self, number: int) -> Numbers:
        require(number in self._held, "it reads a register that holds nothing")
        return self._held[number]

    @property
    def wide(self) -> Numbers:
        """The sum of 64 bits in two of them."""
        if self._wide is None:
            raise Wrong("it reads a sum of 64 bits where none lies")
        return self._wide

    def widen(self, op: Row, value: Numbers, shift: int) -> None:
        """The sum of 64 bits (+)= value << shift."""
        require(op[f.O_DST] == f.WIDE_SUM, "a sum of 64 bits lies elsewhere")
        parts = [value.probe << shift, value.low << shift, value.high << shift]
        if op[f.O_ADD] != 0:
            before = self.wide
            have = (before.probe, before.low, before.high)
            parts = [a + b for a, b in zip(parts, have, strict=True)]
        within(parts[1], parts[2], (-LONG, LONG), "a sum of 64 bits")
        self._wide, self.terms = Numbers(*parts), self.terms + 1
        for number in (f.WIDE_SUM, f.WIDE_SUM + 1):
            self._held.pop(number, None)

    def _narrow(self, number: int) -> None:
        """A register is overwritten."""
        if number in (f.WIDE_SUM, f.WIDE_SUM + 1):
            self._wide = None

    def put(self, op: Row, value: Numbers) -> None:
        """The register (+)= value << shift.

        Registers add and shift modulo 2^32. Each of them is refused here as soon as its interval
        leaves 32 bits, so nothing wraps at all once an op is done.
        """
        number, shift = op[f.O_DST], op[f.O_SHIFT]
        require(0 <= number < f.REGISTERS, f"there is no register {number}")
        require(0 <= shift < 32, f"it shifts by {shift}, a register has 32 bits")
        parts = [value.probe << shift, value.low << shift, value.high << shift]
        if op[f.O_ADD] != 0:
            before = self[number]
            have = (before.probe, before.low, before.high)
            parts = [a + b for a, b in zip(parts, have, strict=True)]
        within(parts[1], parts[2], INT32, f"register {number}")
        self._narrow(number)
        self._held[number] = Numbers(*parts)

    def replace(self, number: int, value: Numbers) -> None:
        """Puts what an op made of the register itself."""
        within(value.low, value.high, INT32, f"register {number}")
        self._narrow(number)
        self._held[number] = value


def places(access: Row, block: Block, steps: int, rows: int, lanes: int) -> Ints:
    """Addresses of a stored current, [steps, rows, lanes]."""
    offsets = block.take(access[f.A_ROWS], rows, 4, "a table of rows")
    step = np.arange(steps)[:, None, None] * access[f.A_STEP]
    lane = np.arange(lanes) * access[f.A_LANE]
    return access[f.A_PLACE] + step + offsets[:, None] + lane


def load(access: Row, block: Block, shadow: Shadow, shape: tuple[int, int, int]) -> Numbers:
    """What LOAD reads."""
    require(access[f.A_BYTES] in (2, 4), f"a current of {access[f.A_BYTES]} bytes an element")
    return shadow.load(places(access, block, *shape), access[f.A_BYTES])


def store(access: Row, block: Block, shadow: Shadow, value: Numbers) -> None:
    """What STORE writes: numbers that their format holds."""
    size, shape = access[f.A_BYTES], value.probe.shape
    require(size in (2, 4), f"a current of {size} bytes an element")
    within(value.low, value.high, INT16 if size == 2 else INT32, "the stored current")
    shadow.store(places(access, block, *shape), size, spread(value, shape))


def spread(value: Numbers, shape: tuple[int, ...]) -> Numbers:
    """The same with every array of this shape."""
    return Numbers(*(np.broadcast_to(a, shape) for a in (value.probe, value.low, value.high)))


def scaled(gain: Row, block: Block, value: Numbers, first_step: int) -> Numbers:
    """What SCALE makes of a register: (mantissa * x + 2^(shift-1)) >> shift."""
    steps, rows, lanes = value.probe.shape
    size, low, high, shift = (gain[c] for c in (f.G_BYTES, f.G_LOW, f.G_HIGH, f.G_SHIFT))
    require(size in (2, 4) and 0 <= shift < 32, "a gain's format is none")
    require(0 <= low <= high <= 31 and high <= 8 * size - 1, "a gain's bits are out of range")
    offsets = block.take(gain[f.G_ROWS], rows, 4, "a table of rows")
    probes: list[Ints] = []
    ends: list[tuple[Ints, Ints]] = []
    half = (1 << shift) >> 1
    for s in range(steps):
        start = gain[f.G_TABLE] + (first_step + s) * gain[f.G_STEP]
        table = {int(o): block.take(start + int(o), lanes, size, "mantissas")
                 for o in np.unique(offsets)}  # fmt: skip
        mantissa = np.stack([table[int(o)] for o in offsets])
        fits = (mantissa >= -(1 << high)) & (mantissa < 1 << high)
        require(fits.all(), "a mantissa has bits above those that the kernel adds up")
        require(not (mantissa & ((1 << low) - 1)).any(), "a mantissa has bits below those")
        at = [a[min(s, len(a) - 1)] for a in (value.probe, value.low, value.high)]
        before = [mantissa * x for x in at]
        least, most = np.minimum(before[1], before[2]), np.maximum(before[1], before[2])
        within(least, most + half, INT32, "a gain before its shift")
        probes.append((before[0] + half) >> shift)
        ends.append(((least + half) >> shift, (most + half) >> shift))
    return Numbers(np.stack(probes), np.stack([a for a, _ in ends]), np.stack([b for _, b in ends]))
