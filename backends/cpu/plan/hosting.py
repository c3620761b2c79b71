"""Which nodes the host computes: what compiled units have no form for, with the reason.

Compiled units have registers of 32 bits and lanes that never change places. A node that needs more
is computed by the interpreter, in the plan's memory, between compiled units; so is every node of a
loop. Other projections of spikes, images and counts from 0 on
are never among them: they are split until they fit (`narrow_projections`, `listing`),
and read a copy of their source in other lanes where the lanes do not suit them.
"""

from snncc.backends.cpu.plan.products import rows_of_product
from snncc.ir import Array, Graph, Kind, Node
from snncc.ir.cycles import components
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.op import Op
from snncc.ir.populations import membrane_of

INT32 = (1 << 31) - 1
MOST_SHIFT = 31
"""Of a register of 32 bits; what a machine does with more differs."""
COMPILED = (
    Frames, Contract, Convolve, Concat, Sum, Gain, Product, IntegerPopulation, IntegerReadout,
)  # fmt: skip


def hosted(graph: Graph) -> dict[str, str]:
    """The nodes that the host computes, each with the reason in words."""
    found = {
        node.name: "it is part of a loop through delays, which runs step by step"
        for part in components(graph)
        if part.cyclic
        for node in part.nodes
    }
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
    return found


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
    return ""


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
    (low, high), (factor, shift) = op.membrane, op.decay
    reach = max(-low, high) * max(factor, 1) + op.decay_offset
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
