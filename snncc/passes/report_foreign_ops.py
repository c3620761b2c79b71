"""What a model does that no pass can lower, each with its reason and what to do."""

from collections.abc import Mapping

from snncc.diagnostics import Finding
from snncc.ir import Graph, Kind, Node
from snncc.ir.dialects.pointwise import Pointwise
from snncc.ir.dialects.traced import Foreign

_NORM = (
    "SNN020",
    "{} needs a division by data",
    "mean and variance depend on the input, so no constant threshold can absorb them",
    "train with BatchNorm, which folds",
)
_SPIKES = "put a spiking neuron in its place"
COMPARES = "compares data in code of the model's own"
KNOWN: Mapping[str, tuple[str, str, str, str]] = {
    **{n: _NORM for n in ("layer_norm", "group_norm", "instance_norm", "rms_norm")},
    "batch_norm": (
        "SNN025",
        "statistics are missing: {} has no running statistics",
        "without them it divides by those of the images at hand",
        "train with track_running_stats=True, and compile with the statistics that training left",
    ),
    "softmax": (
        "SNN021",
        "{} needs exponentials and a division by data",
        "no sum of selected weights gives it",
        "use spiking attention without softmax, or leave it to what reads the logits",
    ),
    "log_softmax": (
        "SNN021",
        "{} needs exponentials and logarithms",
        "no sum of selected weights gives it",
        "leave it out: the largest logit stays the largest",
    ),
    **{
        n: (
            "SNN021",
            "{} gives real numbers, not spikes",
            "what reads it would have to multiply",
            _SPIKES,
        )
        for n in ("relu", "gelu", "silu", "sigmoid", "tanh", "elu", "leaky_relu", "hardswish")
    },
    **{
        n: (
            "SNN021",
            f"{{}} {COMPARES}",
            "only neuron modules that are known make spikes of currents",
            "use IFNode, LIFNode or ParametricLIFNode of SpikingJelly",
        )
        for n in ("ge", "gt", "le", "lt", "greater", "greater_equal", "less", "heaviside", "sign")
    },
    **{
        n: (
            "SNN021",
            "{} is not supported yet",
            "it moves elements across several axes, or where data say",
            "move along one axis after the other, or choose the parts in the weights of the layer "
            "that reads them",
        )
        for n in ("gather", "take", "pixel_shuffle", "pixel_unshuffle", "unfold")
    },
    "stack": (
        "SNN021",
        "{} is not supported yet",
        "it makes an axis of several values; programs join values along an axis that they have",
        "use torch.cat along an axis; over time steps, give the model all steps at once "
        "(functional.set_step_mode(net, 'm'))",
    ),
}
_LARGEST = frozenset(
    (
        *("max_pool1d", "max_pool2d", "max_pool3d", "max", "amax", "maximum"),
        *("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"),
    )
)
_PRODUCTS = frozenset(("mul", "imul", "rmul", "multiply", "matmul", "rmatmul", "mm", "bmm"))
_LOGIC = frozenset(
    (
        *("eq", "ne", "abs", "absolute", "pow", "square", "minimum"),
        *("and", "or", "xor", "iand", "ior", "ixor", "rand", "ror", "rxor"),
        *("bitwise_and", "bitwise_or", "bitwise_xor"),
        *("logical_and", "logical_or", "logical_xor"),
    )
)
_USUAL = "write it with linear maps, convolutions, BatchNorm, adds and spiking neurons"
UNNAMED = "unnamed"
"""Function of what stands for a value whose axes have no names; the frontend reports it."""


def foreign_findings(
    graph: Graph, consequences: frozenset[str] | set[str] = frozenset()
) -> tuple[Finding, ...]:
    """One finding for every `Foreign` node, in order.

    Args:
        graph: in the traced dialect.
        consequences: nodes that are foreign only because of what they read.
    """
    found: list[Finding] = []
    for node in graph.select(Foreign):
        if not isinstance(node.op, Foreign) or node.op.function == UNNAMED:
            continue
        if node.name in consequences:
            continue
        function, _, reason = node.op.function.partition(": ")
        code, message, why, help_ = _told(graph, node, function, reason)
        loc = node.loc
        what = loc.call.split("(")[0] if loc is not None and loc.call else function
        found.append(
            Finding(code, message.format(what), loc, reason or why, node.op.help or help_ or _USUAL)
        )
    return tuple(dict.fromkeys(found))


def real_activation(node: Node, op: Pointwise) -> Finding:
    """Of what clips or rounds, and whose values are no counts."""
    loc = node.loc
    what = loc.call.split("(")[0] if loc is not None and loc.call else op.function
    help_ = (
        "give --activation-bits 4 and --calibrate: it becomes a count of thresholds passed, of so "
        "many bits; or put a spiking neuron in its place"
    )
    if not op.rounds:
        why = "what reads it would have to multiply"
        return Finding("SNN021", f"{what} gives real numbers, not spikes", loc, why, help_)
    why = "nothing bounds what is rounded, before or behind it, so that it is no count"
    help_ = "clamp the value before it is rounded, or the whole number behind"
    return Finding("SNN021", f"{what} rounds a real number", loc, why, help_)


def _told(graph: Graph, node: Node, function: str, reason: str) -> tuple[str, str, str, str]:
    """Code, message, why and help for one foreign node, by what it is applied to."""
    spikes = [graph[name].type.kind is Kind.SPIKE for name in node.inputs]
    if function in _LARGEST:
        return _largest(all(spikes))
    if function in _PRODUCTS and len(node.inputs) > 1:
        return _product(spikes)
    if function in _LOGIC and not reason:
        why = "the compiler knows this function of other operands: of two spikes, not of these"
        help_ = "give it two spikes, or one and the constant 0 or 1; put a neuron behind the rest"
        return "SNN021", "{} has no form as populations and projections", why, help_
    if function in KNOWN:
        return KNOWN[function]
    why = reason or "the compiler does not know this function"
    return "SNN021", "{} has no form as populations and projections", why, ""


def _largest(spikes: bool) -> tuple[str, str, str, str]:
    help_ = "use AvgPool2d or a strided convolution in its place"
    if spikes:
        help_ = "over places use MaxPool2d; of two values add the spikes before a neuron"
        why = "the larger of two spikes is their logical OR; programs hold that of windows alone"
        return "SNN021", "{} is not supported yet", why, help_
    why = "its values are currents, not spikes; a program adds currents and compares none of them"
    return "SNN021", "{} takes the largest of real numbers", why, help_


def _product(spikes: list[bool]) -> tuple[str, str, str, str]:
    message = "{} multiplies data by data"
    if all(spikes):
        why = "a product of spikes has another form than an elementwise one or one of matrices"
        return "SNN021", message, why, "write it with `*`, torch.matmul or torch.einsum"
    why = "both factors depend on the input"
    help_ = "join the two by an add or a concat, or make one factor a constant of the model"
    return "SNN021", message, why, help_
