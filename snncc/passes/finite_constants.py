"""Constants of a real-numbered graph that cannot be computed with, or look untrained."""

from collections.abc import Iterator

import numpy as np

from snncc.diagnostics import Finding, SnnccError
from snncc.ir import DIALECTS, Graph, Node, params_of
from snncc.ir.dialects.traced import BatchNorm, Lif
from snncc.passes.named import Named

SLOW_TAU = 4096.0
"""Beyond this a decay of 1 - 1/tau is at most a last step of 12 bits away from 1."""


def check_finite(graph: Graph) -> None:
    """Raises SnnccError (SNN034) naming every place where a constant is NaN or infinite.

    Numbers of a checkpoint are finite when they are loaded; what is computed from them may
    overflow, and a factory may bring anything.
    """
    found = non_finite(graph)
    if found:
        raise SnnccError.of(found)


def non_finite(graph: Graph) -> tuple[Finding, ...]:
    """SNN034 for every place of a real-numbered graph where a constant is NaN or infinite."""
    return tuple(_non_finite(graph))


def _non_finite(graph: Graph) -> Iterator[Finding]:
    if DIALECTS[graph.dialect].integer:
        return
    for node in graph.nodes:
        for param in params_of(node.op):
            array = graph.constants.get(param.name)
            if array is not None and not np.isfinite(array).all():
                yield _finding(
                    node,
                    f"constant {param.name} is NaN or infinite",
                    "it is so in the model, or overflows when it is computed from finite numbers",
                    "look at this module's parameters and buffers; retrain, or correct them",
                )


def unusable_norms(graph: Graph) -> tuple[Finding, ...]:
    """SNN034 for every BatchNorm that divides by zero or by the root of a negative number."""
    found: list[Finding] = []
    for node in graph.select(BatchNorm):
        variance = _variance(graph, node)
        if variance is None or not np.isfinite(variance).all():
            continue  # reported as a constant
        eps = node.op.eps if isinstance(node.op, BatchNorm) else 0.0
        bad = int((variance + eps <= 0.0).sum())
        if bad:
            found.append(
                _finding(
                    node,
                    f"running_var of a BatchNorm is {variance.min():g} with eps {eps:g}",
                    f"{bad} of {variance.size} channels would be divided by zero, or by the root "
                    "of a negative number",
                    "a variance is never negative: the checkpoint is damaged or was averaged or "
                    "pruned wrongly; estimate running_var again on training data",
                )
            )
    return tuple(found)


def doubtful_constants(graph: Graph) -> tuple[str, ...]:
    """Notes about constants of a traced graph that a trained network does not have."""
    notes: list[str] = []
    for node in graph.select(BatchNorm):
        variance = _variance(graph, node)
        if variance is None:
            continue
        low, zero = int((variance < 0.0).sum()), int((variance == 0.0).sum())
        if low:
            notes.append(
                f"{node.name}: running_var is negative in {low} of {variance.size} channels"
            )
        if zero:
            notes.append(
                f"{node.name}: running_var is 0 in {zero} of {variance.size} channels, which no "
                "image has changed; they are scaled by 1/sqrt(eps)"
            )
    for node in graph.select(Lif):
        if isinstance(node.op, Lif) and node.op.tau is not None and node.op.tau > SLOW_TAU:
            slow = "; an input counts 1/tau, so they hardly ever fire" * node.op.decay_input
            lost = ", and in the 12 bits of Loihi not at all" * (node.op.tau > 2 * SLOW_TAU)
            told = f"tau {node.op.tau:g}, so its membranes hardly decay"
            notes.append(f"{node.name}: {told}{lost}{slow}")
    return tuple(notes)


def _variance(
    graph: Graph, node: Node
) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None":
    op = node.op
    return Named.read(graph, op.var, 1.0).array if isinstance(op, BatchNorm) else None


def _finding(node: Node, message: str, why: str, help_: str) -> Finding:
    loc = node.loc
    named = message if loc is not None else f"{node.name}: {message}"
    return Finding("SNN034", named, loc, why, help_)
