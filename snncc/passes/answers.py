"""What may be the answer of a program."""

from snncc.diagnostics import Finding
from snncc.ir import TIME, Node, ValueType


def several_axes(answer: ValueType, node: Node) -> Finding | None:
    """SNN110 for an answer with several axes, as a segmentation or a sequence has."""
    long = [axis for axis in answer.axes if axis.name != TIME and axis.size > 1]
    if len(long) < 2:
        return None
    sizes = ", ".join(str(axis) for axis in long)
    return Finding(
        "SNN110",
        f"the model answers with several axes: {sizes}",
        node.loc,
        why="a program answers with one number for each class, and the largest is its "
        "prediction; which of these axes holds the classes is not known",
        help="end the model in a mean over the other axes, or in a linear layer",
    )
