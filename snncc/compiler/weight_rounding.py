"""How the weights of one compilation become integers: by images where there are some."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from snncc.compiler.fidelity import some_images
from snncc.compiler.given import Given
from snncc.compiler.options import untuned
from snncc.ir import Graph
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import Rounded, round_plainly, round_with_images
from snncc.quantize.units import LOWEST_SHARE, Bits, Units
from snncc.runtime.simulator import Simulator
from snncc.semantics.arrays import Real
from snncc.semantics.spiking import run_spiking
from snncc.targets.profile import Profile

FEW_BITS = 3
"""With so few bits grids that end far below the largest weight are tried too."""
HELD = 5
"""One image in so many is held back from rounding where bits are searched, or weights tuned."""
AT_ONCE = 16
"""Images whose values in real numbers are held at once."""


@dataclass
class Rounding:
    """Rounds one network for given bits.

    Attributes:
        graph: spiking dialect, folded.
        profile: chooses units and lowers.
        used: images that rounding looks at; None to round to nearest.
        given: who is told how far it is.
        notes: sentences for the user, of the last call.
    """

    graph: Graph
    profile: Profile
    used: NDArray[np.uint8] | None
    given: Given
    notes: list[str] = field(default_factory=list[str])

    def __call__(self, bits: Bits, tuned_by: NDArray[np.uint8] | None = None) -> Rounded:
        """Integers of every map, with these bits.

        Args:
            bits: of every map's weights.
            tuned_by: images that rounding does not see, by which units are tuned; None not to.

        Raises:
            SnnccError: SNN001 or SNN040 where units cannot be tuned.
        """
        self.notes = []
        rounded = self._rounded(bits)
        return rounded if tuned_by is None else self._tuned(rounded, bits, tuned_by)

    def _rounded(self, bits: Bits) -> Rounded:
        if self.used is None:
            return round_plainly(self.graph, bits, self.profile.choose_units)
        self.given.stage("calibration")
        usual = self._with_images(bits, self.used)
        if min(bits.values()) > FEW_BITS:
            return usual
        wide = self._with_images(bits, self.used, LOWEST_SHARE)
        judged = some_images(self.graph, self.used)
        if judged is None:
            return usual
        wanted = answers_of(self.graph, judged)
        lost = [self.divergence(each, bits, judged, wanted) for each in (usual, wide)]
        chosen = lost[1] < lost[0]
        self.notes.append(
            f"grids that end from {LOWEST_SHARE:g} of the largest weight on "
            f"{'are taken' if chosen else 'are not taken'}: with them the answers diverge by "
            f"{lost[1]:.4f}, with the usual ones by {lost[0]:.4f} (calibration images)"
        )
        return wide if chosen else usual

    def _tuned(self, start: Rounded, bits: Bits, held: NDArray[np.uint8]) -> Rounded:
        """With units that are learned; the start, where the program is no better on held images."""
        from snncc.compiler.tuning.tune import tune  # here: it imports torch

        if self.used is None or type(start.units) is not Units:
            raise untuned("units of this profile are chosen to fit registers")
        found = tune(self.graph, start, self.used, held, progress=self.given.progress)
        wanted = answers_of(self.graph, held)
        lost = [self.divergence(each, bits, held, wanted) for each in (start, found.rounded)]
        better = lost[1] < lost[0]
        self.notes.append(
            f"tuning {'is kept' if better else 'changes nothing'}: after {found.best} of "
            f"{found.steps} steps answers diverge by {lost[1]:.4f}, before it by {lost[0]:.4f}, on "
            f"{len(held)} images that it did not learn from"
        )
        return found.rounded if better else start

    def _with_images(self, bits: Bits, images: NDArray[np.uint8], *least: float) -> Rounded:
        choose, progress = self.profile.choose_units, self.given.progress
        return round_with_images(self.graph, bits, images, progress, choose, *least)

    def divergence(
        self, rounded: Rounded, bits: Bits, images: NDArray[np.uint8], wanted: Real
    ) -> float:
        """How far a program's answers are from the network's: see `divergence_of`."""
        program = run_passes(self.graph, [self.profile.lower(rounded, max(bits.values()))])
        return divergence_of(wanted, Simulator(program).run(images).logits)


def answers_of(graph: Graph, images: NDArray[np.uint8]) -> Real:
    """What the network in real numbers answers, [images, ...]."""
    parts = range(0, len(images), AT_ONCE)
    found = [run_spiking(graph, images[start : start + AT_ONCE])[graph.output] for start in parts]
    return np.concatenate(found)


def divergence_of(wanted: Real, got: Real) -> float:
    """The mean over images of sum p log(p / q), p and q the softmax of wanted and of own answers.

    It is 0 where they are equal, and finer than a share of equal predictions.
    """
    own, other = (_log_softmax(each.reshape(len(each), -1)) for each in (wanted, got))
    return float((np.exp(own) * (own - other)).sum(axis=1).mean())


def _log_softmax(logits: Real) -> Real:
    away = logits - logits.max(axis=1, keepdims=True)
    found: Real = away - np.log(np.exp(away).sum(axis=1, keepdims=True))
    return found


def kept_and_held(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of so many images rounding sees, and which judge it: every `HELD`th."""
    places = np.arange(count)
    judges = places % HELD == HELD - 1
    return places[~judges], places[judges]
