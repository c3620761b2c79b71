"""A profile: what the integers of a program have to be, and how a network becomes them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from snncc.diagnostics import Finding
from snncc.ir import Graph
from snncc.mfi.folds.sites import Storage
from snncc.passes.pipeline import Pass
from snncc.quantize.calibration import Rounded
from snncc.quantize.units import Chooser


class Choices(Protocol):
    """What profiles ask about the user's options; `CompileOptions` is one.

    Attributes:
        gain: "shift-add", "unshared" or None: of a BatchNorm that cannot be folded.
        decay: "approximate" or "by-step".
        given_bits: every number of bits that the user names for weights.
    """

    @property
    def gain(self) -> str | None: ...
    @property
    def decay(self) -> str: ...
    @property
    def given_bits(self) -> Sequence[int]: ...


class LoweringPass(Pass, Protocol):
    """From the spiking dialect to integers.

    Attributes:
        rounded: the integers and their units.
        fraction_bits: of what gains give, below its unit.
        exact: likewise of what loses nothing, by name.
    """

    @property
    def rounded(self) -> Rounded: ...
    @property
    def fraction_bits(self) -> int: ...
    @property
    def exact(self) -> Mapping[str, int]: ...


@dataclass(frozen=True)
class Profile:
    """How a network becomes a program of one kind.

    Attributes:
        name: of `--profile`.
        summary: half a sentence for `--help`.
        gain: what becomes of a BatchNorm that cannot be folded where the user does not say.
        most_bits: that a weight may have.
        check: raises SnnccError (SNN001) for choices that the profile has no form for.
        passes: those between BatchNorm folded into weights and rounding, in order.
        choose_units: in which real units currents are counted.
        lower: the pass that writes integers, for rounded weights of so many bits at most.
        limits: what of a program breaks the profile's limits; none where it fits.
        storage: how constants of neurons are stored, for the fold proof; None: as they are.
        counts: whether what a synapse reads may be a count; otherwise it is one bit.
    """

    name: str
    summary: str
    gain: str
    most_bits: int
    check: Callable[[Choices], None]
    passes: Callable[[Choices], tuple[Pass, ...]]
    choose_units: Chooser
    lower: Callable[[Rounded, int], LoweringPass]
    limits: Callable[[Graph], tuple[Finding, ...]]
    storage: Storage | None = None
    counts: bool = True

    def gain_for(self, choices: Choices) -> str:
        """What becomes of a BatchNorm that cannot be folded: "shift-add" or "unshared"."""
        return choices.gain or self.gain
