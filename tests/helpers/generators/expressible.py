"""Which programs compiled units can express, said without asking them.

Written from what units are (rows of lanes, 32-bit registers), not from the planner: a program that
this calls expressible and in which the host computes something is one that the units should take.
"""

from snncc.ir import TIME, Graph, Kind, Node
from snncc.ir.dialects.integer import Gain, IntegerPopulation
from snncc.ir.dialects.projections import Concat, Contract

INT32 = (1 << 31) - 1


def why_not(graph: Graph) -> str:
    """What a program has that units have not; "" where they can express it."""
    for node in graph.nodes:
        low, high = node.type.range or (0, 0)
        if node.type.kind is Kind.CURRENT and max(-low, high) > INT32:
            return "a current of more than 32 bits"
        match node.op:
            case Concat() if node.type.kind is not Kind.CURRENT:
                return "spikes side by side"
            case Gain(shift=shift) if _before(graph, node) + (1 << shift) > INT32:
                return "a gain of more than 32 bits before its shift"
            case IntegerPopulation() if _wide(graph, node.op):
                return "a membrane or a constant of more than 32 bits"
            case _:
                pass
    return ""


def _before(graph: Graph, node: Node) -> int:
    """How large a gain's product can become."""
    op = node.op
    if not isinstance(op, Gain):
        raise TypeError(op.mnemonic)
    low, high = graph[node.inputs[0]].type.range or (0, 0)
    mantissa = graph.constants[op.mantissa.name]
    return max(-low, high) * max(-int(mantissa.min(initial=0)), int(mantissa.max(initial=0)))


def _wide(graph: Graph, op: IntegerPopulation) -> bool:
    low, high = op.membrane
    (factor, shift), carry = op.decay, op.decay_offset
    while shift and factor % 2 == 0:  # units multiply by no power of two
        factor, shift, carry = factor // 2, shift - 1, carry // 2
    params = (op.threshold, op.bias, op.offset)
    arrays = [graph.constants[p.name] for p in params if p is not None]
    constants = [abs(int(end)) for a in arrays for end in (a.min(initial=0), a.max(initial=0))]
    leak = max(-low, high) * max(1, factor) + carry
    return max(leak, *constants) > INT32 or shift > 31


def features(graph: Graph) -> set[str]:
    """What a program has of the things that generators used to miss."""
    found = {f"{graph.steps} steps"} if graph.steps in (1, 64) else set()
    for node in graph.nodes:
        names, range_ = node.type.names, node.type.range or (0, 0)
        match node.op:
            case Contract(summed=summed) if summed:
                places = 1
                for name in summed:
                    places *= graph[node.inputs[0]].type.size(name)
                found.add("a hundred equal taps" if places >= 100 else "equal taps")
            case Concat(out=out) if node.type.kind is Kind.CURRENT:
                place = [n for n in names if n != TIME].index(out)
                found.add(f"side by side, axis {min(place, 2)}")
            case IntegerPopulation():
                found |= {f"{a.size} wide" for a in node.type.axes if a.size in (17, 33, 65)}
            case op if getattr(op, "groups", 1) > 1:
                found.add("groups dilated" if op.dilation != (1, 1) else "groups")  # type: ignore[attr-defined]
            case _:
                pass
        if node.type.kind is Kind.CURRENT:
            for bits in (15, 31):
                for end in (range_[1], -range_[0] - 1):
                    if abs(end - (1 << bits)) <= 2:
                        found.add(f"a current at {bits} bits")
    return found
