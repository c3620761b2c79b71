"""Everything that a report tells, as plain numbers and texts."""

from dataclasses import asdict, dataclass
from typing import Any

from snncc.report.activity import Watched
from snncc.report.answers import AnswerFacts
from snncc.report.cores import CoreFacts
from snncc.report.difference import DifferenceFacts
from snncc.report.network import NodeFacts
from snncc.report.origin import Beside
from snncc.report.raster import Raster
from snncc.report.verdict import VerdictFacts
from snncc.report.weights import WeightFacts
from snncc.report.widths import WidthFacts
from snncc.report.work import TimeFacts, WorkFacts


@dataclass(frozen=True)
class Identity:
    """Which program this is.

    Attributes:
        network: its kind.
        checkpoint: name of the file that it was compiled from.
        digest: sha256 of what it computes.
        profile: of its semantics.
        steps: T.
        populations, neurons: how many.
        integers: constants that it holds.
        weight_bits: that weights were rounded to, in words.
    """

    network: str
    checkpoint: str
    digest: str
    profile: str
    steps: int
    populations: int
    neurons: int
    integers: int
    weight_bits: str


@dataclass(frozen=True)
class Thumbnail:
    """An image as a PNG in base64, with its number."""

    image: int
    png: str


@dataclass(frozen=True)
class Facts:
    """A report.

    Attributes:
        identity: which program.
        verdict: whether it needs a multiplication.
        nodes: of the program.
        rates: by population, over all images; empty without images.
        float_images: on which images the real-valued network was judged when it was compiled.
        beside: what was found then, by population.
        images: that were run.
        detail: of these, how many were looked at neuron by neuron.
        watched: what populations did on those.
        rasters: of some populations.
        weights: of every projection.
        widths: of every number; empty where nobody can say.
        register: bits of a register to hold the widths against.
        work, times: of projections, of units.
        answers: None without images, or where answers are no classes.
        thumbnails: of the images on which program and original differ.
        difference: None without another execution.
        not_judged: what nobody can say, and why.
        cores: of a chip, where a mapping is given.
    """

    identity: Identity
    verdict: VerdictFacts
    nodes: tuple[NodeFacts, ...]
    rates: tuple[tuple[str, float], ...]
    float_images: str
    beside: tuple[tuple[str, Beside], ...]
    images: int
    detail: int
    watched: tuple[Watched, ...]
    rasters: tuple[Raster, ...]
    weights: tuple[WeightFacts, ...]
    widths: tuple[WidthFacts, ...]
    register: int
    work: tuple[WorkFacts, ...]
    times: tuple[TimeFacts, ...]
    answers: AnswerFacts | None
    thumbnails: tuple[Thumbnail, ...]
    difference: DifferenceFacts | None
    not_judged: tuple[str, ...]
    cores: CoreFacts | None = None

    def record(self) -> dict[str, Any]:
        """In JSON form, without pictures of images."""
        found = asdict(self)
        del found["thumbnails"]
        return found
