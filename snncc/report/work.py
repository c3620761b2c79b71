"""Work by projection: what there is, what spikes cause of it, and where time goes."""

from dataclasses import dataclass

from snncc.execution import Images
from snncc.ir import Graph
from snncc.runtime.counts.operation_counts import OperationCounts
from snncc.runtime.counts.profiling import profile
from snncc.runtime.counts.synaptic_operations import count_operations
from snncc.runtime.simulator import Simulator


@dataclass(frozen=True)
class WorkFacts:
    """Synaptic operations of one projection, means an image.

    Attributes:
        name: of the projection.
        source: what it reads: "spike", "pixel" or "count".
        dense: every synapse at every step.
        effective: those that an event reaches and whose weight is not 0.
        by_host: whether the host computes it, with multiplications.
    """

    name: str
    source: str
    dense: float
    effective: float
    by_host: bool


@dataclass(frozen=True)
class TimeFacts:
    """Seconds of one unit of the simulator: a population with all that it reads."""

    name: str
    kind: str
    seconds: float
    why: str


def work_of(counts: OperationCounts) -> tuple[WorkFacts, ...]:
    """Every projection, in the program's order."""
    images = max(1, counts.images)
    return tuple(
        WorkFacts(p.name, p.source, p.dense / images, p.effective_acs / images, p.by_host)
        for p in counts.projections
    )


def count(graph: Graph, images: Images) -> tuple[WorkFacts, ...]:
    """Runs images and counts. Raises SnnccError as `count_operations` does."""
    return work_of(count_operations(graph, images))


def times_of(simulator: Simulator, image: Images) -> tuple[TimeFacts, ...]:
    """Times every unit on one image, on one thread."""
    units = profile(simulator, image).units
    return tuple(TimeFacts(u.name, u.kind, u.seconds, u.why) for u in units)
