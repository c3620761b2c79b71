"""The last step of every trace: the graph must answer as the model does, on fresh input."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from snncc.diagnostics import SnnccError
from snncc.frontends.raised import reason_of
from snncc.frontends.torch_recorder.answers import answer_of
from snncc.frontends.torch_recorder.example import Takes
from snncc.frontends.torch_recorder.neurons.known import handler_for
from snncc.frontends.torch_recorder.neurons.state import Starts
from snncc.frontends.torch_recorder.ties import RELATIVE, Ties
from snncc.ir import TIME, Graph
from snncc.ir.dialects.neurons import TracedNeuron
from snncc.ir.dialects.traced import Lif
from snncc.semantics.arrays import Real
from snncc.semantics.traced import walk_traced


def replay(
    model: nn.Module,
    graph: Graph,
    input_shape: tuple[int, ...],
    sequence: Takes,
    seed: int,
    starts: Starts,
    samples: Real | None = None,
    fired: set[str] | None = None,
) -> tuple[str, ...]:
    """Runs both on fresh samples and compares spikes and outputs.

    Args:
        model: in float64.
        graph: in the traced dialect.
        input_shape: of one image or frame.
        sequence: what the model takes.
        seed: of the samples.
        starts: of the neuron modules.
        samples: [n, *image], or [n, T, *frame]; three drawn from a normal distribution if None.
        fired: gets the names of neurons that fired before the last step.

    Returns:
        A note where membranes met the threshold so exactly that torch decided by the last bits of
        its sums: behind such neurons the graph is compared on torch's spikes.

    Raises:
        SnnccError: SNN027 naming the first neuron, or the output, that differs; SNN034 where a
            value is not finite; SNN028 where the model raises.
    """
    images = samples
    if images is None:
        images = np.random.default_rng(seed).standard_normal(
            (3, *sequence.sample(input_shape, graph.steps))
        )
    repeated = sequence is Takes.SEQUENCE
    inputs = np.repeat(images[:, None], graph.steps, axis=1) if repeated else images
    recorded, outputs = _run_model(model, torch.from_numpy(images), graph, sequence, starts)
    last = graph[graph.output]
    answer = np.zeros(0)

    def currents() -> dict[str, Real]:
        return _run_model(model, torch.from_numpy(images), graph, sequence, starts, True)[0]

    ties = Ties(graph, recorded, currents)
    for node, value in walk_traced(graph, inputs, ties.decide):
        names = node.type.names
        if not np.isfinite(value).all():
            raise SnnccError(
                "SNN034",
                f"{node.name} gives NaN or infinity for a plain image",
                node.loc,
                "its constants are finite, but what it computes with them is too large",
                "look at this module's parameters and buffers; retrain, or correct them",
            )
        if fired is not None and isinstance(node.op, Lif | TracedNeuron):
            at = 1 + names.index(TIME) if TIME in names else 0
            early = np.moveaxis(value, at, 0)[: max(1, graph.steps - 1)]
            fired |= {node.name} if early.any() else set()
        if node is last:
            answer = np.moveaxis(value, 1 + names.index(TIME), 0) if TIME in names else value
    scale = max(1.0, float(np.abs(outputs).max(initial=0.0)))
    if answer.size != outputs.size or not np.allclose(
        answer.reshape(-1), outputs.reshape(-1), rtol=0.0, atol=RELATIVE * scale
    ):
        raise SnnccError(
            "SNN027",
            "the traced graph does not answer as the model does",
            last.loc,
            "something in the model depends on more than its input",
            "look for state that is kept between calls, or for constants computed from data",
        )
    return ties.notes()


def _run_model(
    model: nn.Module,
    images: torch.Tensor,
    graph: Graph,
    sequence: Takes,
    starts: Starts,
    inputs: bool = False,
) -> tuple[dict[str, NDArray[Any]], Real]:
    """Spikes by module path with time leading, and outputs, of the model itself.

    With `inputs` the currents that neurons read, in place of their spikes.
    """
    modules = {p: m for p, m in model.named_modules() if handler_for(m) is not None}
    paths = {node.locs[0].module_path for node in graph.select(Lif)} & {*modules}
    parts: dict[str, list[torch.Tensor]] = {path: [] for path in paths}

    def keep(path: str):  # type: ignore[no-untyped-def]  # a torch hook is untyped
        def own(_module: nn.Module, args: tuple[Any, ...], out: Any) -> None:
            if not inputs:
                parts[path].append(out != 0)
            elif args:
                parts[path].append(args[0].clone())

        return own

    hooks = [modules[path].register_forward_hook(keep(path)) for path in paths]
    starts.reset(model)
    try:
        with torch.no_grad():
            if sequence:
                answers = [answer_of(model(sequence.by_step(images, graph.steps)))]
            elif TIME in graph[graph.output].type.names and not _shows_time(model, images, graph):
                starts.reset(model)
                for found in parts.values():
                    found.clear()
                answers = [torch.stack([answer_of(model(images)) for _ in range(graph.steps)])]
            else:
                starts.reset(model)
                for found in parts.values():
                    found.clear()
                answers = [answer_of(model(images))]
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise SnnccError(
            "SNN028",
            f"the model raises {type(error).__name__} when it runs a second time",
            why=reason_of(error),
            help="look for state that is kept between calls",
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
        starts.reset(model)
    kept = {
        path: np.asarray((torch.stack(p) if len(p) > 1 else p[0]).numpy())
        for path, p in parts.items()
        if p
    }
    return kept, np.asarray(answers[0].numpy(), np.float64)


def _shows_time(model: nn.Module, images: torch.Tensor, graph: Graph) -> bool:
    """Whether one call of a model that takes a frame already answers for all steps."""
    shape = answer_of(model(images)).shape
    return bool(shape[0] == graph.steps and images.shape[0] != graph.steps)
