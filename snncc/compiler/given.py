"""What a compilation is given beside the model and its options."""

from collections.abc import Callable
from dataclasses import dataclass

from snncc.compiler.data_checks import Labels
from snncc.compiler.inputs import Images
from snncc.events.kept_framing import KeptFraming
from snncc.passes.pipeline import Observer

STAGES = ("trace", "folds", "calibration", "rounding", "fidelity", "proof")
"""Of a compilation, in order; calibration and fidelity are of images only."""


def _unheard(stage: str) -> None:
    """Nobody is told of a stage."""


@dataclass(frozen=True)
class Given:
    """Images to look at, and who is told how far it is.

    Attributes:
        calibration: images for rounding; None to round to nearest.
        evaluation: likewise, to judge the program by; None for some of the calibration images.
        labels: of the evaluation images, or else the calibration images: the report then has the
            accuracy of the network and of the program.
        framing: how frames among them were made; None where nobody says.
        called: what messages call the two: where they come from.
        observe: called after every pass.
        progress: called during calibration with nodes done and their total.
        stage: called with a name of `STAGES` as it begins.
    """

    calibration: Images | None = None
    evaluation: Images | None = None
    labels: Labels | None = None
    framing: KeptFraming | None = None
    called: tuple[str, str] = ("", "")
    observe: Observer | None = None
    progress: Callable[[int, int], None] | None = None
    stage: Callable[[str], None] = _unheard


NOTHING = Given()
