"""Rules that the traced and the spiking dialect share: maps, factors, sums, neurons.

The numbers there are real. A level says what is left once the network is compiled, which the passes
have shown (`Outcome`); `rewrite` says what they do for that.
"""

import numpy as np

from snncc.ir import TIME, Array, Graph, Node, Op
from snncc.ir.arrays import count
from snncc.ir.dialects import traced
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.ir.dialects.spiking import Population
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.windows import Largest
from snncc.mfi.ladder import Level
from snncc.mfi.models.constants import (
    ASSUMED_WEIGHT_BITS,
    GAIN_BITS,
    adders_of,
    powers_of_two,
)
from snncc.mfi.models.domains import BIT, Domain, Values, current, integers, real, with_zeros
from snncc.mfi.models.structure import (
    MAPS,
    NEURONS,
    SUMS,
    Judged,
    Read,
    Structure,
    display_name,
    factor_of,
    offset_of,
)
from snncc.mfi.outcome import Outcome
from snncc.mfi.rules import Need, digits_of

SPIKE_BEFORE = "put a spiking neuron before it"


def moved(at: Judged, op: Op) -> Need:
    return Need(Level.STRICT, (), reason="no arithmetic")


def register(at: Judged, op: Op) -> Need:
    return Need(Level.STRICT, (), reason="a register: it holds what was")


def delayed(at: Read, op: Delay) -> Domain:
    """What it reads, and what stands before the first step."""
    source = at.inputs[0]
    if op.start is None:
        return with_zeros(source)
    if source.binary:
        return source
    start = at.graph.constants[op.start.name]
    ends = min(source.low, float(start.min())), max(source.high, float(start.max()))
    return real(*ends) if source.values is Values.REAL else current(*ends)


def projection(at: Judged, op: Op) -> Need:
    """A linear map or a convolution with constant weights."""
    structure, node = at.structure, at.node
    source = structure.domains[node.inputs[0]]
    if source.values is Values.REAL:
        origin = structure.activation(node.inputs[0])
        return Need(
            Level.NONE,
            ("multiply", "add"),
            reason=f"weights meet real activations, which {origin.name} "
            f"({display_name(origin)}) made",
            help=SPIKE_BEFORE + ", or quantise the activations to a few bits: each bit plane "
            "selects weights",
        )
    if node.name in structure.outcome.refused:
        return _of_numbers(structure, node, source)
    if source.binary:
        return Need(Level.STRICT, ("select", "add"), reason="a spike selects the weights to add")
    if source.selects:
        return Need(
            Level.STRICT,
            ("select", "add", "subtract"),
            reason="-1, 0 or 1 selects the weights to subtract, to leave or to add",
        )
    if source.values is Values.FRAME:
        return Need(
            Level.STRICT,
            ("select", "add", "shift"),
            reason="8-bit pixels: each bit selects weights; the eight sums are shifted and added",
            rewrite="bit planes; the normalisation folds into these weights",
        )
    return _of_numbers(structure, node, source)


def _of_numbers(structure: Structure, node: Node, source: Domain) -> Need:
    """A map of counts, integers or currents: reads spikes after a rewrite, or multiplies."""
    reason = structure.outcome.currents.get(node.name)
    if reason is None:
        path = structure.outcome.through.get(node.name, ())
        counts = _reads_counts(structure, node)
        what = "counts, each bit of which selects weights," if counts else "spikes"
        return Need(
            Level.STRICT,
            ("select", "add", "shift") if counts else ("select", "add"),
            reason=f"reads {source}, but {what} once it is pushed through "
            f"{_some(path) or 'what stands before it'}",
            rewrite=_rewrite(structure, path),
        )
    weights = _weight(structure, node)
    shifts = powers_of_two(weights) and node.name not in structure.outcome.refused
    return Need(
        Level.STRICT if shifts else Level.SHIFT_ADD,
        ("shift", "add"),
        adders=0 if shifts else adders_of(weights, ASSUMED_WEIGHT_BITS),
        reason=f"constant weights meet {source}: {reason}"
        + ("; every weight is a power of two" if shifts else ""),
        help=""
        if shifts
        else f"compose the maps into one that reads spikes (strict, more "
        f"synapses), or {SPIKE_BEFORE}",
    )


def _reads_counts(structure: Structure, node: Node) -> bool:
    """Whether what a map reads is made of products that are summed, without a neuron between."""
    pending, seen = [*node.inputs], set[str]()
    while pending:
        source = structure.graph[pending.pop()]
        if isinstance(source.op, Product):
            return True
        if source.name not in seen and not isinstance(source.op, NEURONS):
            pending += source.inputs
        seen.add(source.name)
    return False


def averaged(at: Judged, op: Op) -> Need:
    """A sum or a mean over axes: a map whose weights are all one share."""
    structure, node = at.structure, at.node
    source = structure.domains[node.inputs[0]]
    if node.name in structure.outcome.refused:
        return _of_numbers(structure, node, source)
    share = 1.0 / terms_of(structure.graph, node)
    folds = isinstance(node.op, traced.Mean) and share != 1.0
    return Need(
        Level.STRICT,
        ("add",),
        reason=f"{source} is added up",
        rewrite=f"fold the share 1/{round(1 / share)} into what reads it" if folds else "",
    )


def terms_of(graph: Graph, node: Node) -> int:
    """How many elements a mean or a sum adds up for one of its own."""
    axes = node.op.axes if isinstance(node.op, traced.Mean | traced.Total) else ()
    return count(tuple(graph[node.inputs[0]].type.size(n) for n in axes))


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _rewrite(structure: Structure, path: tuple[str, ...]) -> str:
    known = structure.graph.by_name
    ops = [known[name].op for name in path if name in known]
    parts: list[str] = []
    if any(isinstance(op, SUMS) for op in ops):
        parts.append("the sum of spikes stays a count, whose planes select its weights")
    if any(isinstance(op, MAPS) for op in ops):
        parts.append("compose it with the map before it")
    return "; ".join(parts) or "fold the constants before it into its weights"


def _weight(structure: Structure, node: Node) -> Array:
    match node.op:
        case traced.Linear(weight=w) | traced.Conv(weight=w) | Contract(weight=w):
            return structure.graph.constants[w.name]
        case Convolve(weight=w):
            return structure.graph.constants[w.name]
        case traced.Mean():
            return np.full(1, 1.0 / terms_of(structure.graph, node))
        case _:
            return np.ones(1)


def factor(at: Judged, op: Op) -> Need:
    """A constant factor and offset: a BatchNorm, a scale, an affine."""
    structure, node = at.structure, at.node
    axes, values = factor_of(structure.graph, node)
    source = structure.domains[node.inputs[0]]
    plain = bool((values == 1.0).all())
    if plain:
        add = ("add",) if offset_of(structure.graph, node).any() else ()
        return Need(Level.STRICT, add, reason="a constant is added" if add else "no arithmetic")
    if structure.domains[node.name] == BIT == source:
        return Need(
            Level.STRICT, ("logic",), reason="1 - s of a spike", rewrite="NOT instead of subtract"
        )
    if source.selects and not (structure.outcome.whole and node.name in structure.outcome.left):
        return Need(
            Level.STRICT, ("select", "add"), reason="a scaled spike is a synapse of that weight"
        )
    return _constant_factor(structure, node, axes, values)


def _constant_factor(
    structure: Structure, node: Node, axes: tuple[str, ...], values: Array
) -> Need:
    """A number times a constant: folded into weights or thresholds, shifted, or multiplied."""
    over = f" over {', '.join(axes)}" if axes else ""
    outcome, source = structure.outcome, structure.domains[node.inputs[0]]
    stays = outcome.left.get(node.name)
    if stays is None:
        where = (
            "weights before it"
            if node.name in outcome.folded
            else ("thresholds or weights that read it")
        )
        rewrite = f"fold the factor into the {where}"
        return Need(Level.STRICT, ("add",), reason=f"a factor{over} folds", rewrite=rewrite)
    if source.values is Values.REAL and node.name not in outcome.shifts:
        return Need(
            Level.NONE,
            ("multiply", "add"),
            reason=f"a factor meets {source}: {stays}",
            help=SPIKE_BEFORE,
        )
    return left_factor(outcome, node.name, axes, values, f"stays on {source}: {stays}")


def left_factor(
    outcome: Outcome, name: str, axes: tuple[str, ...], values: Array, where: str
) -> Need:
    """A factor that no pass folds: a shift, or a few shifted additions."""
    over = f" over {', '.join(axes)}" if axes else ""
    if name in outcome.shifts:
        each = "every factor" if axes else "the factor"
        return Need(
            Level.STRICT,
            ("shift", "add"),
            reason=f"{each}{over} is a power of two or 0",
            rewrite="shift instead of multiply",
        )
    return Need(
        Level.SHIFT_ADD,
        ("shift", "add"),
        adders=max(adders_of(values, GAIN_BITS), 1),
        reason=f"a constant factor{over} {where}",
        help=_factor_help(axes, where, values),
    )


def _factor_help(axes: tuple[str, ...], where: str, values: Array) -> str:
    if TIME in axes:
        return "one weight bank for every time step (strict), or train with one scale for all steps"
    if not axes and not powers_of_two(values):
        return "a power of two makes it a shift where both sides are counted in one unit"
    unshared = "--gain unshared stores scaled weights of its own (strict)"
    if "runs over" not in where:
        return unshared
    return f"{unshared}; or train with BatchNorm over the output axis of the map before it"


def summed(at: Judged, op: Op) -> Need:
    """An elementwise sum of values."""
    structure, node = at.structure, at.node
    result = structure.domains[node.name]
    if all(structure.domains[name].discrete for name in node.inputs):
        return Need(
            Level.STRICT,
            ("add",),
            reason=f"spikes are added: {result}",
            rewrite="keep the sources apart: what reads the sum adds its weights for each of them",
        )
    return Need(Level.STRICT, ("add",), reason="values are added")


def largest(at: Judged, op: Largest) -> Need:
    """The largest element of windows."""
    source = at.structure.domains[at.node.inputs[0]]
    if source.binary:
        return Need(
            Level.STRICT,
            ("logic",),
            reason="the largest of spikes is their OR",
            rewrite="OR instead of maximum",
        )
    return Need(Level.STRICT, ("compare", "select"), reason=f"the largest of {source} is kept")


def gate(at: Judged, op: Gate) -> Need:
    """Spikes that let spikes or a current pass."""
    passing = at.structure.domains[at.node.inputs[1]]
    if passing.binary:
        rewrite = "ANDN instead of multiply" if op.inverted else "AND instead of multiply"
        return Need(Level.STRICT, ("logic",), reason="a product of spikes", rewrite=rewrite)
    return Need(
        Level.STRICT,
        ("select",),
        reason=f"a spike selects {passing} or 0",
        rewrite="select instead of multiply",
    )


def product(at: Judged, op: Product) -> Need:
    """Spikes that select what is added up."""
    passing = at.structure.domains[at.node.inputs[1]]
    gate = at.structure.graph[at.node.inputs[0]].type
    places = count(tuple(gate.size(name) for name in op.summed))
    if passing.binary:
        logic = "ANDN" if op.inverted else "AND"
        return Need(
            Level.STRICT,
            ("logic", "add"),
            reason=f"a product of spikes, summed {places} at a time",
            rewrite=f"{logic} and popcount instead of multiply",
        )
    return Need(
        Level.STRICT,
        ("select", "add"),
        reason=f"a spike selects {passing}, summed {places} at a time",
        rewrite="select and accumulate instead of multiply",
    )


def staircase(at: Read, op: MultiThreshold) -> Domain:
    """A count from the lowest value to all thresholds passed."""
    return integers(op.lowest, op.lowest + op.levels(at.graph.context))


def thresholds(at: Judged, op: MultiThreshold) -> Need:
    """A current that is compared with thresholds."""
    found = at.structure.domains[at.node.name]
    return Need(
        Level.STRICT,
        ("compare", "add"),
        reason=f"thresholds that are passed are counted: {found}",
        rewrite="compare with integer thresholds instead of rounding",
    )


def lif(at: Judged, op: traced.Lif) -> Need:
    """Neurons as a library has them: the threshold in the form without input decay."""
    threshold = None if op.threshold is not None else op.v_threshold - op.rest
    if op.tau is None:
        return _neurons(at, 1.0, threshold)
    scaled = threshold if threshold is None or not op.decay_input else threshold * op.tau
    return _neurons(at, 1.0 - 1.0 / op.tau, scaled)


def population(at: Judged, op: Population) -> Need:
    """Neurons of the spiking dialect."""
    levels = at.structure.graph.constants[op.threshold.name]
    threshold = float(levels.flat[0]) if np.ptp(levels) == 0 else None
    return _neurons(at, op.decay, threshold)


def _neurons(at: Judged, decay: float, threshold: float | None) -> Need:
    """Leak, threshold and reset; the threshold where it is one number."""
    source = at.structure.domains[at.node.inputs[0]]
    rewrite = ""
    if source.discrete and source.step != 1 and threshold is not None:
        rewrite = (
            f"fold the factor {source.step:.6g} into the threshold: "
            f"{threshold / source.step:.6g} in units of the count"
        )
    basic = ("add", "compare", "select")
    if powers_of_two(np.array(decay)):
        arithmetic = basic if decay in (0.0, 1.0) else ("shift", *basic)
        reason = "no leak" if decay == 1.0 else "the leak is a shift"
        return Need(Level.STRICT, arithmetic, reason=reason, rewrite=rewrite)
    return Need(
        Level.SHIFT_ADD,
        ("shift", *basic),
        adders=int(digits_of(np.round(np.array([decay * 2**GAIN_BITS]))).max()) - 1,
        reason=f"the leak {decay:.6g} is no power of two",
        help="tau = 2 (or 1, 4/3, 8/7, ...) makes the leak a shift; or one weight bank for "
        "every time step",
        rewrite=rewrite,
    )
