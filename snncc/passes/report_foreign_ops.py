"""What a model does that no pass can lower, each with its reason and what to do."""

from collections.abc import Mapping

from snncc.diagnostics import Finding
from snncc.ir import Graph
from snncc.ir.traced_ops import Foreign

_NORM = (
    "SNN020",
    "{} needs a division by data",
    "mean and variance depend on the input, so no constant threshold can absorb them",
    "train with BatchNorm, which folds",
)
_SPIKES = "put a spiking neuron in its place"
KNOWN: Mapping[str, tuple[str, str, str, str]] = {
    **{n: _NORM for n in ("layer_norm", "group_norm", "instance_norm", "rms_norm")},
    "batch_norm": (
        "SNN025",
        "statistics are missing: {} divides by the mean and variance of the data",
        "a BatchNorm without running statistics",
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
    "matmul": (
        "SNN021",
        "{} multiplies data by data",
        "both factors depend on the input",
        "spiking attention is not supported yet",
    ),
    "mul": (
        "SNN021",
        "{} multiplies data by data",
        "both factors depend on the input",
        "where both are spikes this is a logical AND, which is not supported yet",
    ),
    "max_pool2d": (
        "SNN021",
        "{} is not supported yet",
        "a maximum of spikes is a logical OR, which the integer dialect does not hold yet",
        "use a strided convolution",
    ),
}


def foreign_findings(graph: Graph) -> tuple[Finding, ...]:
    """One finding for every `Foreign` node, in order."""
    found: list[Finding] = []
    for node in graph.select(Foreign):
        if not isinstance(node.op, Foreign):
            continue
        function, _, reason = node.op.function.partition(": ")
        default = (
            "SNN021",
            "{} has no form as populations and projections",
            reason or "the compiler does not know this function",
            "write it with linear maps, convolutions, BatchNorm, adds and spiking neurons",
        )
        code, message, why, help_ = KNOWN.get(function, default)
        loc = node.locs[0] if node.locs else None
        what = loc.call.split("(")[0] if loc is not None and loc.call else function
        found.append(Finding(code, message.format(what), loc, reason or why, help_))
    return tuple(dict.fromkeys(found))
