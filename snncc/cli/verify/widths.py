"""`snncc verify --widths`: every interval, and whether running its witness reaches it."""

from collections.abc import Iterator
from typing import Any

from snncc.cli.output import print_table, say
from snncc.ir import Graph
from snncc.mfi.widths.proof import BEFORE_SHIFT, Width, prove_widths
from snncc.mfi.widths.states import state_of
from snncc.runtime.proofs.witness import reach


def widths_record(graph: Graph) -> dict[str, Any]:
    """In JSON form; `reached` is what the interpreter measured on the witnesses."""
    numbers = list(_numbers(graph))
    return {"holds": all(number["holds"] for number in numbers), "numbers": numbers}


def _numbers(graph: Graph) -> Iterator[dict[str, Any]]:
    for width in prove_widths(graph):
        reached = [_reached(graph, width, upper) for upper in (False, True)]
        yield {
            "name": width.node,
            "module": width.module_path,
            "what": width.what,
            "declared": list(width.declared),
            "bits": width.bits[0],
            "holds": width.holds,
            "proved": list(width.proved),
            "proved_bits": width.bits[1],
            "reached": reached,
            "attained": [r == p for r, p in zip(reached, width.proved, strict=True)],
            "witness": "currents" if _of_neurons(width) else "pixels or spikes",
        }


def _of_neurons(width: Width) -> bool:
    return width.what == "membrane" or state_of(width.what) is not None


def _reached(graph: Graph, width: Width, upper: bool) -> int:
    witness = width.high if upper else width.low
    before = width.what == BEFORE_SHIFT
    state = state_of(width.what)
    ends = reach(graph, witness.node, witness.element, witness.inputs, before, state)
    return ends[upper]


def print_widths(found: dict[str, Any]) -> None:
    numbers = found["numbers"]
    rows = [
        (
            number["name"],
            number["what"],
            number["bits"],
            "{}..{}".format(*number["declared"]) + ("" if number["holds"] else " TOO NARROW"),
            *(_end(number, i) for i in (0, 1)),
        )
        for number in numbers
    ]
    print_table(rows, ("name", "what", "bits", "declared", "least", "largest"), left=2)
    attained = sum(sum(number["attained"]) for number in numbers)
    say(
        f"  {attained} of {2 * len(numbers)} bounds are attained: running their witness reaches "
        "exactly that number. (>= and <=: bound, not shown to be attained)"
    )


def _end(number: dict[str, Any], upper: int) -> str:
    bound = number["proved"][upper]
    if number["attained"][upper]:
        return str(bound)
    return f"{'<=' if upper else '>='} {bound} ({number['reached'][upper]} reached)"
