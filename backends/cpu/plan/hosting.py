"""Which nodes the host computes: what compiled units have no form for, with the reason.

Compiled units have registers of 32 bits and lanes that never change places. A node that needs more
is computed by the interpreter, in the plan's memory, between compiled units; so is every node of a
loop that holds such a node. Other projections of spikes, images and counts from 0 on are never
among them: they are split until they fit (`narrow_projections`, `listing`), and read a copy of
their source in other lanes where the lanes do not suit them.
"""

from collections.abc import Mapping
from types import MappingProxyType

from snncc.backends.cpu.plan import state_neurons
from snncc.backends.cpu.plan.leaks import leak_of
from snncc.backends.cpu.plan.products import rows_of_product
from snncc.backends.cpu.plan.wide_sums import WideSum, wide_sum, wide_sums
from snncc.ir import Array, Graph, Kind, Node
from snncc.ir.cycles import components
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.op import Op
from snncc.ir.populations import membrane_of

INT32 = (1 << 31) - 1
MOST_SHIFT = 31
"""Of a register of 32 bits; what a machine does with more differs."""
COMPILED = (
    *(Frames, Contract, Convolve, Concat, Sum, Gain, Product),
    *(IntegerPopulation, IntegerNeuron, IntegerReadout, Delay, Gate),
)


def hosted(graph: Graph, known: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """The nodes that the host computes, each with the reason in words.

    Args:
        graph: the program.
        known: nodes of which something else shows that units do not suit them, and what.
    """
    found = dict(known)
    for node in graph.nodes:
        if node.name in found or isinstance(node.op, Frames | IntegerReadout):
            continue
        if isinstance(node.op, Contract | Convolve):
            source = graph[node.inputs[0]]
            if shift_of(graph, node) is None and has_no_planes(source):
                found[node.name] = f"it reads {source.name}, counts below 0 or of many bits"
            continue
        reason = _reason_against(graph, node)
        wide = [name for name in node.inputs if is_wide(graph[name])]
        if not reason and wide:  # compiled units cannot load more than 32 bits
            reason = f"it reads {wide[0]}, whose numbers need more than 32 bits"
        if reason:
            found[node.name] = reason
    for name, whole in wide_sums(graph, found, is_wide, {*known, *_in_loops(graph)}).items():
        found = {key: why for key, why in found.items() if key not in (name, *whole.inner)}
    return found | _looped(graph, found)


def of_wide_sums(graph: Graph, host: Mapping[str, str]) -> dict[str, WideSum]:
    """The populations that take sums of 64 bits, as `hosted` has left them to compiled units."""
    found: dict[str, WideSum] = {}
    for node in graph.select(IntegerPopulation):
        op = node.op
        if node.name not in host and isinstance(op, IntegerPopulation):
            wide = is_wide(graph[node.inputs[0]]) or bool(_against_neurons(graph, op))
            made = wide_sum(graph, node, op, is_wide, host) if wide else None
            if made is not None:
                found[node.name] = made
    return found


def _in_loops(graph: Graph) -> set[str]:
    return {node.name for part in components(graph) if part.cyclic for node in part.nodes}


def _looped(graph: Graph, found: Mapping[str, str]) -> dict[str, str]:
    """The nodes of loops that have one which the host computes: it computes all of them."""
    whole: dict[str, str] = {}
    for part in components(graph):
        reasons = [
            f"{node.name}: {reason}"
            for node in part.nodes
            if (reason := found.get(node.name) or _against_stepping(graph, node))
        ]
        if part.cyclic and reasons:
            why = f"it is part of a loop through delays, which runs step by step ({reasons[0]})"
            whole |= {node.name: why for node in part.nodes}
    return whole


def _against_stepping(graph: Graph, node: Node) -> str:
    """Why a node that is compiled elsewhere is not compiled within a loop; "" where it is."""
    if isinstance(node.op, Product):
        return "it selects from rows, which are written for all steps at once"
    if not isinstance(node.op, Contract | Convolve):
        return ""
    source = graph[node.inputs[0]]
    if source.type.kind is Kind.COUNT and not isinstance(source.op, Frames):
        return f"it reads {source.name}, counts"
    # There is no room for the digits of its weights.
    return "its sums need more than 32 bits" if needs_digits(graph, node, node.op) else ""


def needs_digits(graph: Graph, node: Node, op: Contract | Convolve) -> bool:
    """Whether a projection is compiled digit by digit of its weights."""
    return is_wide(node) or _largest(graph.constants[op.weight.name]) > INT32


def has_no_planes(source: Node) -> bool:
    """Whether what a projection reads is a count of the program's that has no planes in memory."""
    if source.type.kind is not Kind.COUNT or isinstance(source.op, Frames):
        return False
    low, _ = source.type.range or (-1, 0)
    return low < 0 or is_wide(source)


def shift_of(graph: Graph, node: Node) -> int | None:
    """By how many places a projection only shifts a count of 32 bits; None where it does more."""
    op, source = node.op, graph[node.inputs[0]]
    if not isinstance(op, Contract) or isinstance(source.op, Frames):
        return None
    if source.type.kind is not Kind.COUNT or is_wide(source) or is_wide(node):
        return None
    weight = graph.constants[op.weight.name]
    if op.into or op.out or op.summed or op.shared or weight.size != 1:
        return None
    factor = int(weight.reshape(()))
    shift = factor.bit_length() - 1
    return shift if factor == 1 << max(0, shift) and shift <= MOST_SHIFT else None


def read_by_planes(graph: Graph, node: Node) -> bool:
    """Whether a projection selects weights with a count, plane by plane."""
    return isinstance(node.op, Contract | Convolve) and shift_of(graph, node) is None


def is_wide(node: Node) -> bool:
    """Whether a current needs more than 32 bits.

    A register adds and shifts left modulo 2^32, so what passes through it on the way does not
    matter: only what it holds in the end, when it is stored, scaled or taken by neurons. These are
    currents, whose declared ranges hold every sum of their contributions, and counts.
    """
    if node.type.kind not in (Kind.CURRENT, Kind.COUNT):
        return False
    return node.type.range is None or _beyond(node.type.range)


def membrane_bytes(node: Node) -> int:
    """Bytes of a membrane of a population, which its declared interval fits."""
    membrane = membrane_of(node.op)
    if membrane is None:
        raise TypeError(node.op.mnemonic)
    return 8 if _beyond(membrane) else 4


def _beyond(interval: tuple[int, int]) -> bool:
    return not -INT32 <= interval[0] <= interval[1] <= INT32


def _reason_against(graph: Graph, node: Node) -> str:
    op: Op = node.op
    if not isinstance(op, COMPILED):
        return f"compiled units have no {op.mnemonic}"
    if isinstance(op, Product) and rows_of_product(graph, node) is None:
        return "its spikes select no rows: all its axes are theirs, or it is inverted"
    if isinstance(op, Gate):
        return _against_gate(graph, node)
    if isinstance(op, Concat) and node.type.kind is not Kind.CURRENT:
        return f"it puts {node.type.kind.value}s side by side"
    if node.type.kind is Kind.COUNT and not isinstance(op, Product):
        return "it adds up to a count"
    if is_wide(node):
        return "its numbers need more than 32 bits"
    if isinstance(op, Sum) and max(op.shifts, default=0) > MOST_SHIFT:
        return f"it shifts by more than {MOST_SHIFT}"
    if isinstance(op, Gain):
        return _against_gain(graph, node, op)
    if isinstance(op, IntegerPopulation):
        return _against_neurons(graph, op)
    if isinstance(op, IntegerNeuron):
        return state_neurons.reason_against(graph, node, op)
    if isinstance(op, Delay):
        return _against_delay(graph, node)
    return ""


def _against_gate(graph: Graph, node: Node) -> str:
    """Masks are compiled: of stored spikes, which let currents of the same axes pass."""
    gate, x = (graph[name] for name in node.inputs)
    if node.type.kind is not Kind.CURRENT:
        return f"it lets {node.type.kind.value}s pass"
    if isinstance(gate.op, Frames):
        return "its gate is what enters"
    if any(set(each.type.names) != set(node.type.names) for each in (gate, x)):
        return "its sources have other axes than it"
    return "its numbers need more than 32 bits" if is_wide(node) else ""


def _against_delay(graph: Graph, node: Node) -> str:
    """Copies of steps are compiled: of bits, or of stored currents that lie alike."""
    source = graph[node.inputs[0]]
    if isinstance(source.op, Frames):
        return "it delays what enters"
    if node.type.kind is Kind.CURRENT and bytes_for(source) != bytes_for(node):
        return "what it reads is stored in other bytes"
    return ""


def bytes_for(node: Node) -> int:
    """Bytes of an element of a stored current, from its proved range."""
    if is_wide(node):
        return 8
    low, high = node.type.range or (-INT32, INT32)
    return 2 if low >= -(1 << 15) and high < 1 << 15 else 4


def _against_gain(graph: Graph, node: Node, op: Gain) -> str:
    low, high = graph[node.inputs[0]].type.range or (0, 0)
    mantissa = graph.constants[op.mantissa.name]
    largest = _largest(mantissa)
    if max(-low, high) * largest + (1 << op.shift) > INT32:
        return "it needs more than 32 bits before its shift"
    if largest > INT32:
        return "its mantissas need more than 32 bits"
    return ""


def _against_neurons(graph: Graph, op: IntegerPopulation) -> str:
    (low, high), (factor, shift, carry) = op.membrane, leak_of(op)
    reach = max(-low, high) * max(factor, 1) + carry
    if reach > INT32 or shift > MOST_SHIFT:
        return "its membranes need more than 32 bits"
    for param in (op.threshold, op.bias, op.offset):
        if param is not None and _largest(graph.constants[param.name]) > INT32:
            return f"{param.name} needs more than 32 bits"
    return ""


def _largest(array: Array) -> int:
    """The largest magnitude in a constant."""
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    return max(-low, high)
