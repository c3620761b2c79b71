"""A spiking state space model, read and held against the module."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from snncc.diagnostics import Finding, SnnccError
from snncc.frontends.frontend import FRAMES, Traced
from snncc.frontends.raised import reason_of
from snncc.frontends.state_spaces.structure import read_network
from snncc.frontends.state_spaces.traced_graph import GATE_STEPS, staircase_levels, traced_graph
from snncc.frontends.torch_recorder.copying import copied
from snncc.ir import Graph, LimitError, verify
from snncc.ir.dialects.traced import Lif
from snncc.semantics.traced import walk_traced

FRESH = 915
NEAR = 1e-9
SAMPLES = 3


def trace_state_spaces(model: nn.Module, shape: tuple[int, ...], steps: int, layout: str) -> Traced:
    """The graph of a model that takes all steps of a sample at once, [B, T, input].

    Args:
        model: see `is_spiking_state_space`; it is not changed.
        shape: of one sample, T first.
        steps: T.
        layout: "auto": the model says how it takes its input.

    Raises:
        SnnccError: a part of the model is not known, or the graph does not do what it does; SNN028
            where the model raises.
    """
    _check_call(model, shape, steps, layout)
    shape = (steps, *shape) if layout == FRAMES else shape
    model = copied(model).double().eval()
    with torch.no_grad():
        try:
            network = read_network(model, steps)
        except SnnccError:
            raise
        except (Exception, SystemExit) as error:  # the user's code may raise anything
            raise _raised(error) from error
        graph = traced_graph(network, steps)
        try:
            verify(graph)
        except LimitError as error:
            raise SnnccError.of([Finding("SNN070", text) for text in error.problems]) from error
        _replayed(model, graph, shape)
    notes: tuple[str, ...] = ()
    if any(block.gate == "glu" for block in network.blocks):
        most = 1.0 / (2 * GATE_STEPS)
        notes = (
            f"the sigmoid of every GLU is a staircase of {GATE_STEPS} steps, off by at most "
            f"{most:g}; the graph was compared with the model on that staircase",
        )
    return Traced(graph, (), notes)


def _check_call(model: Any, shape: tuple[int, ...], steps: int, layout: str) -> None:
    width = model.encoder.in_features
    if layout not in ("auto", FRAMES):
        raise SnnccError(
            "SNN001",
            f"--layout {layout} does not go with a state space model",
            why="it takes a frame for every step, [B, T, input]",
            help="leave --layout out",
        )
    if shape != ((width,) if layout == FRAMES else (steps, width)):
        raise SnnccError(
            "SNN001",
            f"samples of shape {list(shape)}, with {steps} steps",
            why=f"this model takes a frame of {width} numbers for every step",
            help=f"give --input-shape {width}"
            if layout == FRAMES
            else f"give --input-shape T,{width} and --steps T with the same T",
        )


class _Staircase(TorchFunctionMode):
    """Puts the staircase in place of every sigmoid."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in (torch.sigmoid, torch.Tensor.sigmoid, nn.functional.sigmoid):
            steps = sum((args[0] >= level).double() for level in staircase_levels())
            return steps / GATE_STEPS
        return func(*args, **(kwargs or {}))


def _replayed(model: Any, graph: Graph, shape: tuple[int, ...]) -> None:
    """Compares spikes and answers on fresh samples of three sizes.

    Raises:
        SnnccError: SNN027, they differ.
    """
    sizes = np.array([0.5, 1.0, 2.0]).reshape(SAMPLES, 1, 1)
    frames = np.random.default_rng(FRESH).standard_normal((SAMPLES, *shape)) * sizes
    spikes: dict[str, Any] = {}
    hooks = [
        module.register_forward_hook(lambda _m, _i, out, path=path: spikes.update({path: out}))
        for path, module in model.named_modules()
        if path == "last" or path.endswith(".neuron")
    ]
    try:
        with _Staircase():
            answers = model(torch.from_numpy(frames)).numpy()
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise _raised(error) from error
    finally:
        for hook in hooks:
            hook.remove()
    _compare(graph, frames, {path: out.numpy() for path, out in spikes.items()}, answers)


def _raised(error: BaseException) -> SnnccError:
    return SnnccError(
        "SNN028",
        f"a part of the model raises {type(error).__name__}",
        why=reason_of(error),
        help="layers and neurons take [B, T, channel] for any T, the model [B, T, input]",
    )


def _compare(graph: Graph, frames: Any, spikes: Mapping[str, Any], answers: Any) -> None:
    for node, value in walk_traced(graph, frames):
        theirs = spikes.get(node.module_path) if isinstance(node.op, Lif) else None
        if theirs is not None and not np.array_equal(theirs, value):
            raise SnnccError(
                "SNN027",
                "the graph does not spike as the model does",
                node.loc,
                "the model does more than its parts say",
                "report this with the model",
            )
        if node.name == graph.output:
            size = max(1.0, float(np.abs(answers).max(initial=0.0)))
            if answers.shape == value.shape and (np.abs(answers - value) <= NEAR * size).all():
                return
            raise SnnccError(
                "SNN027",
                "the graph does not answer as the model does",
                node.loc,
                "the model does more than encode, pass its blocks and decode the mean over time",
                "report this with the model",
            )
