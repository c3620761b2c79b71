"""A shadow of the working memory: for every two bytes, what was written there last, and by whom.

Reading through it finds lifetimes that overlap: what is read must be what was written for it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncc.backends.cpu.checking.exact import Ints
from snncc.backends.cpu.checking.wrong import Wrong, require

SHORT, LONG_HEAD, LONG_TAIL, WIDE_HEAD, WIDE_TAIL, BITS, KEPT = range(7)
KINDS = 7
HEADS = {2: SHORT, 4: LONG_HEAD, 8: WIDE_HEAD}
"""What marks the first two bytes of an element of so many; what comes after a head, the rest."""


@dataclass(frozen=True)
class Numbers:
    """Numbers of a register or a stored current, [steps, rows, lanes] each.

    Attributes:
        probe: what probes give.
        low, high: interval.
    """

    probe: Ints
    low: Ints
    high: Ints


@dataclass(frozen=True)
class Spikes:
    """Spikes, or one plane of counts, in the working memory.

    Attributes:
        place: of the first word.
        words: probes in place of bits, [steps * rows * words of a row, 64].
        lanes: bits in use of every row.
        share: how often the lowest plane counts in intervals, so that all planes together count as
            often as the counts are large: less than planes of as many bits could.
    """

    place: int
    words: Ints
    lanes: int
    share: int = 1


class Shadow:
    """The working memory of one image.

    Args:
        size: bytes.
    """

    def __init__(self, size: int) -> None:
        granules = -(-size // 2)
        self.size = size
        self._mark = np.full(granules, -1, np.int64)
        self._probe = np.zeros(granules, np.int64)
        self._ends = np.zeros((2, granules), np.int64)
        self._writes = 0
        self._read = np.zeros(granules, np.bool_)
        self._looped: NDArray[np.bool_] | None = None
        self._bits: dict[int, Spikes] = {}

    def next_unit(self) -> None:
        """Another unit begins: what it reads its other rows must not overwrite."""
        self._read[:] = False

    def enter_loop(self) -> None:
        """Units begin that run again at every step: each leaves alone what the others touch."""
        self._looped = np.zeros_like(self._read)

    def leave_loop(self) -> None:
        """Other units come."""
        self._looped = None

    def _touch(self, places: NDArray[np.int64]) -> None:
        """Something is read."""
        self._read[places] = True
        if self._looped is not None:
            self._looped[places] = True

    def _places(self, addresses: Ints, size: int, what: str) -> Ints:
        inside = addresses.size == 0 or (
            int(addresses.min()) >= 0 and int(addresses.max()) + size <= self.size
        )
        require(inside, f"{what} lies outside the working memory")
        require(not (addresses & 1).any(), f"{what} lies at an odd address")
        return addresses >> 1

    def _write(self, places: NDArray[np.int64], mark: int, what: str) -> None:
        require(not self._read[places].any(), f"{what} overwrites what the same unit reads")
        if self._looped is not None:
            alone = not self._looped[places].any()
            require(alone, f"{what} overwrites what its loop needs at other steps")
            self._looped[places] = True
        self._mark[places] = mark

    def store(self, addresses: Ints, size: int, value: Numbers) -> None:
        """Writes elements of 2, 4 or 8 bytes, all shapes alike."""
        places = self._places(addresses, size, "a stored current")
        require(len(np.unique(places)) == places.size, "two elements are stored in one place")
        base = self._serial()
        for tail in range(1, size // 2):
            self._write(places + tail, base + HEADS[size] + 1, "a stored current")
        self._write(places, base + HEADS[size], "a stored current")
        self._probe[places] = value.probe
        self._ends[0][places], self._ends[1][places] = value.low, value.high

    def load(self, addresses: Ints, size: int) -> Numbers:
        """Reads elements of 2, 4 or 8 bytes."""
        places = self._places(addresses, size, "a current that is read")
        marks = self._mark[places]
        whole = (marks >= 0) & (marks % KINDS == HEADS[size])
        for tail in range(1, size // 2):
            whole &= self._mark[places + tail] == marks + 1
        require(whole.all(), "it reads a current where none of this size lies (any more)")
        for each in range(size // 2):
            self._touch(places + each)
        return Numbers(self._probe[places], self._ends[0][places], self._ends[1][places])

    def put_bits(self, place: int, words: Ints, lanes: int, share: int = 1) -> None:
        """Writes rows of spikes, int64 [words, 64]: a probe in place of every bit of `lanes`."""
        places = self._region(place, 8 * len(words), "spikes")
        base = self._serial()
        self._write(places, base + BITS, "spikes")
        self._bits[base + BITS] = Spikes(place, words, lanes, share)

    def bits(self, addresses: Ints, steps: tuple[int, int]) -> Ints:
        """Reads words of spikes: [..., 64] probes.

        Args:
            addresses: of words of 64 bits.
            steps: which step they must be of, and how many words a step has.
        """
        places = self._places(addresses, 8, "spikes that are read")
        found = self._mark[places]
        if found.size == 0:
            return np.zeros((*addresses.shape, 64), np.int64)
        mark = int(found.flat[0])
        alike = all(bool((self._mark[places + i] == mark).all()) for i in range(4))
        if not alike or mark not in self._bits:
            raise Wrong("it reads spikes where those of no population lie (any more)")
        start, words = self._bits[mark].place, self._bits[mark].words
        number = (addresses - start) >> 3
        require(not ((addresses - start) & 7).any(), "it reads spikes between two words")
        for i in range(4):
            self._touch(places + i)
        # What is the same at all steps has no stride: its probes are compared at each of them.
        right = steps[1] == 0 or bool((number // steps[1] == steps[0]).all())
        require(right, "it reads spikes of another step")
        found_words: Ints = words[number]
        return found_words

    def lanes(self, address: int, row: int) -> int:
        """How many lanes the words from an address to the end of its row hold.

        Bits above them are never set.
        """
        found = self._spikes_at(address)
        require(row == 8 * -(-found.lanes // 64), "rows of spikes are not as long as it reads them")
        return found.lanes - 8 * ((address - found.place) % row)

    def share(self, address: int) -> int:
        """How often what lies there counts in intervals."""
        return self._spikes_at(address).share

    def _spikes_at(self, address: int) -> Spikes:
        (place,) = self._places(np.array([address]), 8, "spikes that are read")
        found = self._bits.get(int(self._mark[place]))
        if found is None:
            raise Wrong("it reads spikes where those of no population lie (any more)")
        return found

    def keep(self, place: int, size: int, again: int | None, what: str) -> int:
        """Takes a region that nobody else may write; `again` is what an earlier call gave."""
        places = self._region(place, size, what)
        if again is not None:
            require((self._mark[places] == again).all(), f"{what} are overwritten")
            return again
        base = self._serial()
        self._write(places, base + KEPT, what)
        return base + KEPT

    def require_bits(self, place: int, size: int, what: str) -> None:
        """Sees to it that a region still holds the spikes of one population, all of them."""
        marks = self._mark[self._region(place, size, what)]
        alike = bool((marks == marks[0]).all()) and int(marks[0]) in self._bits
        require(alike and self._bits[int(marks[0])].place == place, f"{what} are overwritten")

    def _region(self, place: int, size: int, what: str) -> Ints:
        inside = place >= 0 and place + size <= self.size and place % 2 == 0
        require(inside, f"{what} lie outside the working memory")
        return np.arange(place >> 1, (place + size + 1) >> 1)

    def _serial(self) -> int:
        self._writes += 1
        return self._writes * KINDS
