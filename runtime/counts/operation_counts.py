"""Operation counts: what was counted, totals, and a labelled estimate of energy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ProjectionCounts:
    """Synaptic operations of one projection, over all images and steps.

    Attributes:
        source: "spike", "pixel" or "count".
        synapses: connections that exist, at one step.
        dense: NeuroBench's Dense.
        events: spikes that arrived; for pixels and counts, bits that are set.
        accumulates: synapses that events reached, zero weights included: what is executed.
        effective_acs: those with a nonzero weight.
        effective_macs: pixels and counts that are not 0 times synapses with a nonzero weight: what
            the layer would cost with a multiplier. For spikes 0.
        by_host: computed outside the program ("host" encoding).
    """

    name: str
    module_path: str
    source: str
    synapses: int
    dense: int
    events: int
    accumulates: int
    effective_acs: int
    effective_macs: int
    by_host: bool = False


@dataclass(frozen=True)
class PopulationCounts:
    """What the neurons of one population did, over all images and steps.

    Attributes:
        neurons: how many.
        spikes: how many.
        updates: neurons * steps * images: this program updates each at each step.
        membrane_updates: NeuroBench's: those that changed a membrane.
    """

    name: str
    module_path: str
    neurons: int
    spikes: int
    updates: int
    membrane_updates: int

    @property
    def rate(self) -> float:
        """Spikes of a neuron at a step."""
        return self.spikes / max(1, self.updates)


@dataclass(frozen=True)
class OperationCounts:
    """Counts over all images; divide by `images` for NeuroBench's figures.

    Attributes:
        gain_adds: additions of the shift-add gains: for each element and step one fewer than its
            constant has signed digits. They are no synaptic operations and no hidden ones either.
        footprint: bytes of the program's constants.
        connection_sparsity: share of stored weights that are 0.
        product_adds: additions of products, of sums along axes and of staircases, at most: every
            place that is added but the first, whatever spikes select; every threshold but one.
    """

    images: int
    steps: int
    projections: tuple[ProjectionCounts, ...]
    populations: tuple[PopulationCounts, ...]
    gain_adds: int
    footprint: int
    connection_sparsity: float
    product_adds: int = 0

    def total(self, what: str, source: str = "") -> int:
        """Sum of one attribute over all projections, or over those with one source."""
        return sum(getattr(p, what) for p in self.projections if source in ("", p.source))

    def neurons_total(self, what: str) -> int:
        """Sum of one attribute over all populations."""
        return sum(getattr(p, what) for p in self.populations)

    @property
    def activation_sparsity(self) -> float:
        return 1.0 - self.neurons_total("spikes") / max(1, self.neurons_total("updates"))


ENERGY_LABEL = (
    "ESTIMATE, not a measurement: arithmetic at 45 nm, 0.9 V (M. Horowitz, ISSCC 2014) times "
    "operation counts; memory, neuron updates, control and communication are not in it"
)
PICOJOULES = {"float32": (4.6, 0.9), "int8": (0.23, 0.03)}
"""(multiply-accumulate, accumulate): 3.7 + 0.9 and 0.9; 0.2 + 0.03 and 0.03."""


@dataclass(frozen=True)
class EnergyEstimate:
    """Microjoules an image, by the convention of the field. Never show it without its label.

    Attributes:
        label: what it is and is not, with the source.
        arithmetic: "float32" (the usual convention) or "int8"; this program adds integers that
            are wider than 8 bits, so its own adders lie between the two.
        mac_pj: of one multiply-accumulate.
        ac_pj: of one accumulate.
        program: this program: an accumulate for each effective AC and each addition of a gain, of a
            product or of a sum along axes.
        first_layer_as_macs: the usual way to count: pixels as MACs, spikes as ACs.
        dense_macs: every synapse at every step a MAC, as a network without spikes would.
    """

    label: str
    arithmetic: str
    mac_pj: float
    ac_pj: float
    program: float
    first_layer_as_macs: float
    dense_macs: float


def estimate_energy(counts: OperationCounts) -> tuple[EnergyEstimate, ...]:
    """The estimates for 32-bit floats and for 8-bit integers."""
    images = max(1, counts.images)
    acs, gains = counts.total("effective_acs"), counts.gain_adds + counts.product_adds
    spikes, macs = counts.total("effective_acs", "spike"), counts.total("effective_macs")
    host = sum(p.effective_macs for p in counts.projections if p.by_host)
    return tuple(
        EnergyEstimate(
            ENERGY_LABEL,
            arithmetic,
            mac,
            ac,
            ((acs + gains) * ac + host * mac) * 1e-6 / images,
            (macs * mac + (spikes + gains) * ac) * 1e-6 / images,
            counts.total("dense") * mac * 1e-6 / images,
        )
        for arithmetic, (mac, ac) in PICOJOULES.items()
    )
