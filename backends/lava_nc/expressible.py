"""What of a program has no process: all of it is said at once."""

from snncc.backends.lava_nc import registers
from snncc.diagnostics import Finding, SnnccError
from snncc.ir import TIME, Graph, Node
from snncc.ir.integer_ops import IntegerReadout
from snncc.ir.projections import Concat, Contract, Convolve, Pixels

PROFILES = ("exact", registers.PROFILE)


def check_expressible(graph: Graph) -> None:
    """Says what cannot run step by step.

    Raises:
        SnnccError: SNN040, for everything in the program that has no process.
    """
    if graph.profile not in PROFILES:
        raise SnnccError(
            "SNN040",
            f"the Lava backend takes programs of the profile {' or '.join(PROFILES)}, "
            f"not {graph.profile!r}",
        )
    findings = [
        Finding(
            "SNN040",
            f"{node.name} has no Lava process",
            node.locs[0] if node.locs else None,
            why,
            "run the program with `snncc run`, which has every step at hand",
        )
        for node in graph.nodes
        if (why := _obstacle(graph, node))
    ]
    if findings:
        raise SnnccError.of(findings)


def _obstacle(graph: Graph, node: Node) -> str:
    """Why one node cannot be a process; "" if it can."""
    op = node.op
    if isinstance(op, Pixels) and len(graph.select(Pixels)) > 1:
        return "a bundle takes one image a sample"
    pixels = any(isinstance(graph[name].op, Pixels) for name in node.inputs)
    if pixels and not isinstance(op, Contract | Convolve):
        return "only projections take an image's bit planes"
    if isinstance(op, Contract) and TIME in (*op.into, *op.out, *op.summed):
        return "it sums over steps, and a process sees one step at a time"
    if isinstance(op, Convolve) and TIME in (op.channel, op.height, op.width):
        return "it sums over steps, and a process sees one step at a time"
    if isinstance(op, Concat) and TIME in (*op.along, op.out):
        return "it puts steps side by side, and a process sees one step at a time"
    if node.name == graph.output and not isinstance(op, IntegerReadout):
        return "a program ends in a readout"
    return ""
