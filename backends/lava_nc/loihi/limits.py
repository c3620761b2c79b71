"""Whether Lava's stock processes hold a program: every limit, all violations at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from snncc.backends.lava_nc import registers
from snncc.diagnostics import Finding, SnnccError
from snncc.ir import INTEGER, TIME, Graph, Kind, Node, Op, Param
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.windows import Largest
from snncc.meaning import Meaning

CODE = "SNN036"


def check_limits(graph: Graph) -> None:
    """Passes an integer program that stock Dense, Sparse and LIF can be.

    Raises:
        SnnccError: SNN036, with a finding for each limit that a layer breaks; SNN040 for ops that
            are no form of a current.
    """
    found = loihi_findings(graph)
    if found:
        raise SnnccError.of(found)


def loihi_findings(graph: Graph) -> tuple[Finding, ...]:
    """What keeps a program from being stock Lava processes, in the order of the program."""
    found: list[Finding] = []
    for node in graph.nodes:
        if isinstance(node.op, IntegerPopulation):
            checks = (*_neuron(node.op), *_registers(graph, node, node.op))
            found += [_finding(node, *each) for each in checks]
            found += _currents(graph, node.inputs[0], -registers.CURRENT_SHIFT)
        elif isinstance(node.op, IntegerReadout):
            found += _currents(graph, node.inputs[0], 0)
        elif isinstance(node.op, IntegerNeuron):
            why = "LIF has one membrane and one current, and resets to 0 at once"
            fits = "a neuron of one state with a hard reset"
            found.append(_finding(node, "neurons of several states or with late resets", why, fits))
        elif isinstance(node.op, Largest):
            why = "stock processes add currents up and compare them with thresholds only"
            found.append(_finding(node, "the largest of a window", why, "average pooling"))
        elif isinstance(node.op, Gate):
            why = "a stock process takes no spikes beside its current"
            found.append(_finding(node, "spikes that gate others", why, "a sum or a concat"))
        elif isinstance(node.op, Delay):
            why = "stock processes hold no spikes or currents back for later steps"
            found.append(_finding(node, "a delay", why, "a network without delays and loops"))
        elif isinstance(node.op, Product) or _adds_counts(node):
            why = "stock processes send spikes, and no counts"
            found.append(_finding(node, "a sum of what spikes select", why, "neurons in its place"))
        elif isinstance(node.op, MultiThreshold):
            why = "a stock process has one threshold and sends spikes, no counts"
            found.append(_finding(node, "a count of passed thresholds", why, "a spiking neuron"))
        elif isinstance(node.op, SumAlong):
            why = "a stock process adds up what reaches one neuron, and currents reach their own"
            found.append(_finding(node, "a sum along an axis", why, "neurons before the sum"))
        elif isinstance(node.op, Take):
            why = "stock processes move no elements along an axis"
            fits = "weights that choose the parts"
            found.append(_finding(node, "elements that change places", why, fits))
    return tuple(dict.fromkeys(found))


def _adds_counts(node: Node) -> bool:
    return isinstance(node.op, Sum) and node.type.kind is Kind.COUNT


Said = tuple[str, str, str]
"""What is wrong, why, and what would fit."""


def _finding(node: Node, message: str, why: str, fits: str) -> Finding:
    loc = node.loc
    return Finding(CODE, f"{node.name}: {message}", loc, why, fits)


def _neuron(op: IntegerPopulation) -> Iterator[Said]:
    """The rule of the neuron."""
    if op.reset != "hard":
        yield "a soft reset", "LIF resets to 0", "train with v_reset=0"
    if op.compare != "gt" or op.rounding is not Rounding.TO_ZERO or op.decay_offset:
        why = "LIF fires above its threshold and rounds its leak toward zero"
        yield "another comparison or rounding", why, "compile with --profile loihi-lava"
    if op.polarity is not None or op.offset is not None:
        why = "LIF adds every current as it is"
        yield "signs or offsets of its own for neurons", why, "compile with --profile loihi-lava"
    factor, shift = op.decay
    if shift > registers.DECAY_BITS or not 1 <= factor << (registers.DECAY_BITS - shift) <= 4096:
        kept = factor / 2.0**shift
        near = min(4096, max(1, round(kept * 4096)))
        why = "v keeps (4096 - dv) / 4096 of itself, dv in 0..4095"
        yield f"a decay of {kept:.6g}", why, f"{near}/4096 fits: dv = {4096 - near}"


def _registers(graph: Graph, node: Node, op: IntegerPopulation) -> Iterator[Said]:
    """Threshold, bias, current, membrane."""
    threshold = graph.constants[op.threshold.name].astype(np.int64)
    low, high = int(threshold.min()), int(threshold.max())
    if low != high:
        why = "LIF has one threshold for all of its neurons and steps"
        yield f"thresholds {low:,}..{high:,}", why, "a hard reset and thresholds above 0 fold away"
    unit, most = 1 << registers.CURRENT_SHIFT, registers.LARGEST_THRESHOLD
    if any(value % unit or not 0 <= value // unit <= most for value in (low, high)):
        near = min(most, max(0, round(high / unit)))
        why = "a threshold is vth << 6, vth of 17 bits"
        yield f"threshold {high:,}", why, f"{near * unit:,} = {near:,} << 6 fits"
    if op.bias is not None:
        yield from _bias(graph, op.bias)
    low, high = graph[node.inputs[0]].type.range or (0, 0)
    reach, room = max(-low, high), registers.LARGEST_CURRENT << registers.CURRENT_SHIFT
    if reach > room:
        why = f"LIF's current has 24 bits: {-room:,}..{room:,}"
        yield f"its current can reach {low:,}..{high:,}", why, _fewer(reach, room)
    low, high = op.membrane
    reach, room = max(-low, high), registers.LARGEST_STATE
    if reach > room:
        why = f"LIF's membrane has 24 bits: {-room:,}..{room:,}"
        yield f"its membrane can reach {low:,}..{high:,}", why, _fewer(reach, room)


def _fewer(reach: int, room: int) -> str:
    bits = (reach // max(1, room)).bit_length()
    return f"weights of {bits} bits fewer fit (--layer-bits)"


def _bias(graph: Graph, param: Param) -> Iterator[Said]:
    if TIME in param.axes:
        yield "a bias for every step", "LIF's bias is the same at every step", "train without it"
    bias = graph.constants[param.name].astype(np.int64)
    fits = registers.on_bias_grid(bias)
    low, high = registers.BIAS_MANTISSA
    wide = (fits >> registers.LARGEST_BIAS_EXPONENT < low) | (
        fits >> registers.LARGEST_BIAS_EXPONENT > high
    )
    wrong = np.flatnonzero((fits != bias) | wide)
    if len(wrong) == 0:
        return
    worst = wrong[np.abs(bias.reshape(-1)[wrong]).argmax()]
    value = int(bias.reshape(-1)[worst])
    exponent = int(registers.bias_exponent(bias).reshape(-1)[worst])
    mantissa = min(high, max(low, int(registers.round_half_up(np.array(value), exponent))))
    bits = (value if value >= 0 else ~value).bit_length() + 1
    why = f"a bias is mantissa << exponent: 13 bits, 0..7; {len(wrong)} of {bias.size} are not"
    near = f"{mantissa << exponent:,} = {mantissa:,} << {exponent} fits"
    yield f"bias {value:,} needs {bits} bits", why, near


@dataclass(frozen=True)
class Behind:
    """What stands between a population and spikes; `shift` is a synapse's weight_exp so far."""

    graph: Graph
    node: Node
    shift: int

    def of(self, name: str, more: int = 0) -> list[Finding]:
        """What is wrong with an input, shifted further."""
        return _currents(self.graph, name, self.shift + more)


CURRENT: Meaning[Behind, list[Finding]] = Meaning("stock Lava's limits", INTEGER)


def _currents(graph: Graph, name: str, shift: int) -> list[Finding]:
    return CURRENT(Behind(graph, graph[name], shift), graph[name])


@CURRENT.of(Sum)
def added(at: Behind, op: Sum) -> list[Finding]:
    return [each for name, more in op.terms(at.node.inputs) for each in at.of(name, more)]


@CURRENT.of(Concat)
def side_by_side(at: Behind, op: Concat) -> list[Finding]:
    return [each for name in at.node.inputs for each in at.of(name)]


@CURRENT.each(Largest, Take, Gate, Delay, Product, IntegerNeuron, SumAlong, MultiThreshold)
def elsewhere(at: Behind, op: Op) -> list[Finding]:
    """What has no process is told of where it stands (`loihi_findings`), whoever reads it."""
    return []


@CURRENT.of(Contract)
def contract(at: Behind, op: Contract) -> list[Finding]:
    return _synapses(at, op.weight)


@CURRENT.of(Convolve)
def convolve(at: Behind, op: Convolve) -> list[Finding]:
    return _synapses(at, op.weight)


@CURRENT.each(Gain, Frames, IntegerPopulation, IntegerReadout)
def no_synapses(at: Behind, op: Op) -> list[Finding]:
    why = "synapses add weights: nothing scales what has been added up"
    said = f"a {op.mnemonic}", why, "weights of their own for every token or step"
    return [_finding(at.node, *said)]


def _synapses(at: Behind, weight: Param) -> list[Finding]:
    found = [_finding(at.node, *said) for said in _weights(at.graph, weight)]
    if at.shift < 0:
        why = "LIF shifts every current left by 6, Dense only an even number of weights right"
        said = f"a weight exponent of {at.shift}", why, "compile with --profile loihi-lava"
        found.append(_finding(at.node, *said))
    return found


def _weights(graph: Graph, weight: Param) -> Iterator[Said]:
    array = graph.constants[weight.name]
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    if low < registers.WEIGHTS[0] or high > registers.WEIGHTS[1]:
        why = "a synapse holds 8 bits"
        bits = (max(-low - 1, high) >> 7).bit_length()
        yield f"weights {low:,}..{high:,}", why, f"{bits} bits fewer fit"
    if TIME in weight.axes:
        why = "a synapse has one weight for all steps"
        yield (
            "weights that differ from step to step",
            why,
            "train with a norm without scales by step",
        )
