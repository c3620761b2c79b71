"""Schema 1 of chip descriptions: every field, what its value may be, and for which family."""

from collections.abc import Mapping
from dataclasses import dataclass

SCHEMA = 1
SYNAPSES, LAYERS, TABLES = "synapse-memory", "layer-cores", "memory-tables"
FAMILIES: Mapping[str, str] = {
    SYNAPSES: "cores with a memory of their own for the synapses of their neurons",
    LAYERS: "cores that hold one convolution each",
    TABLES: "processors with memory, whose neurons and synapses are tables",
}
ALL = (SYNAPSES, LAYERS, TABLES)
LARGEST = 1 << 50
MOST_VALUES = 1 << 12
MEMORY: Mapping[str, int] = {"bit": 1, "byte": 8, "KiB": 8 << 10, "MiB": 8 << 20, "GiB": 8 << 30}
ENERGY: Mapping[str, int] = {"pJ": 1, "nJ": 1000}
TIME: Mapping[str, int] = {"ns": 1, "us": 1000}


@dataclass(frozen=True)
class Field:
    """One thing that a description may say.

    Attributes:
        about: what it is, in words.
        kind: "whole", "wholes", "span" (least and most), "words", "flag" or "amount" (a number
            above 0, with a range where sources differ).
        families: whose descriptions may say it.
        least: the smallest whole number that it can be.
        words: those that there are.
        units: what a value can be given in, with its size in the base unit; none for a count.
    """

    about: str
    kind: str = "whole"
    families: tuple[str, ...] = ALL
    least: int = 1
    words: tuple[str, ...] = ()
    units: Mapping[str, int] | None = None


def _energy(about: str) -> Field:
    return Field(about, "amount", units=ENERGY)


def _time(about: str) -> Field:
    return Field(about, "amount", (SYNAPSES,), units=TIME)


_CORES = (SYNAPSES,)
FIELDS: Mapping[str, Field] = {
    "chip.cores": Field("cores of a chip that neurons can be on"),
    "chip.in_turn": Field("layers of one step run one after another: no spike waits", "flag"),
    "chip.mesh": Field("columns and rows of tiles", "wholes", (SYNAPSES, TABLES)),
    "chip.cores_per_tile": Field("cores at one place of the mesh", "whole", (SYNAPSES, TABLES)),
    "chip.neurons": Field("neurons of a whole chip"),
    "chip.synapses": Field("synapses of a whole chip", "whole", (SYNAPSES, TABLES)),
    "chip.memory": Field("memory outside of the cores", "whole", (TABLES,), units=MEMORY),
    "chip.router_entries": Field("entries of the router's table", "whole", (TABLES,)),
    "chip.lookup_tables": Field("lookup tables of an FPGA", "whole", (TABLES,)),
    "core.neurons": Field("neurons on a core", "whole", (SYNAPSES, TABLES)),
    "core.in_axons": Field(
        "lists of synapses on a core: one a source that reaches it", families=_CORES
    ),
    "core.out_axons": Field("targets that all neurons of a core send to", families=_CORES),
    "core.synapse_memory": Field("memory for synapses on a core", families=_CORES, units=MEMORY),
    "core.thresholds": Field("distinct thresholds on a core", families=_CORES),
    "core.synapse_formats": Field("distinct formats of synapses on a core", families=_CORES),
    "core.inputs": Field("channels that enter from outside", families=_CORES),
    "core.outputs": Field("neurons that can be read outside", families=_CORES),
    "core.hidden": Field("neurons between inputs and outputs", families=_CORES),
    "core.memory": Field("memory of a core for all of it", "whole", (TABLES,), units=MEMORY),
    "core.weight_memory": Field("memory of a core for weights", "whole", (TABLES,), units=MEMORY),
    "core.neuron_words": Field("neurons that each core holds", "wholes", (LAYERS,)),
    "core.kernel_words": Field("weights that each core holds", "wholes", (LAYERS,)),
    "core.bias_words": Field("biases that each core holds", "wholes", (LAYERS,)),
    "layer.kernel": Field("longest side of a square kernel", "whole", (LAYERS,)),
    "layer.strides": Field("strides that there are", "wholes", (LAYERS,)),
    "layer.destinations": Field("layers that one layer can send to", "whole", (LAYERS,)),
    "synapse.weight_bits": Field("bits of a weight, sign included"),
    "synapse.several": Field("several synapses for one pair of neurons", "flag", _CORES),
    "synapse.exponents": Field(
        "least and most shift of a list of weights, in steps of the membrane", "span", _CORES
    ),
    "synapse.index_bits": Field("bits of a synapse's target", families=_CORES, least=0),
    "synapse.delay_bits_stored": Field("delays cost bits of each synapse", "flag", _CORES),
    "synapse.group": Field("synapses behind one header", families=_CORES),
    "synapse.group_header": Field("memory of a header", families=_CORES, least=0, units=MEMORY),
    "synapse.word": Field("memory is taken in words of", families=_CORES, units=MEMORY),
    "synapse.axon_types": Field(
        "types of axons, by which a neuron picks a weight", families=_CORES
    ),
    "synapse.destinations": Field("axons that one neuron sends to", families=_CORES),
    "neuron.temporal": Field("neurons keep a membrane from step to step", "flag"),
    "neuron.state_bits": Field("bits of a membrane, sign included"),
    "neuron.current_bits": Field("bits of what arrives in a step, sign included"),
    "neuron.threshold_bits": Field("bits of a threshold, sign included"),
    "neuron.threshold_step": Field("thresholds are multiples of it"),
    "neuron.thresholds": Field("distinct thresholds of a layer", "whole", (LAYERS,)),
    "neuron.bias_bits": Field("bits of a bias before its exponent, sign included", least=0),
    "neuron.bias_exponents": Field("least and most shift of a bias", "span"),
    "neuron.resets": Field("resets that there are", "words", words=("hard", "soft")),
    "neuron.leaks": Field(
        "leaks that there are",
        "words",
        words=("none", "constant", "shift", "multiply-toward-zero", "any"),
    ),
    "neuron.decay_bits": Field("a leak keeps p / 2^bits of a membrane"),
    "neuron.delay_steps": Field("steps that a spike can wait", least=0),
    "neuron.by_step": Field("constants of neurons differ from step to step", "flag"),
    "spikes.graded": Field("spikes carry numbers", "flag"),
    "energy.synapse": _energy("of one synaptic event"),
    "energy.update": _energy("of one neuron in one step"),
    "energy.spike": _energy("of one spike of a neuron"),
    "energy.message": _energy("of one message that leaves a core"),
    "energy.hop_vertical": _energy("of one message over one link, up or down"),
    "energy.hop_horizontal": _energy("of one message over one link, left or right"),
    "time.synapse": _time("of one synaptic event on its core"),
    "time.update": _time("of one neuron in one step"),
    "time.spike": _time("of one spike, beside the update"),
    "time.message": _time("of one message that leaves a core"),
    "time.step": _time("until all cores go on to the next step"),
}


def named(key: str) -> list[str]:
    """The fields that a key means: its full name, or the last part of one."""
    return [key] if key in FIELDS else [name for name in FIELDS if name.split(".")[1] == key]
