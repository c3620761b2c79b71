"""What a spiking state space model is made of, and whether a module is one.

No class is asked for by name: a module is taken for a state space layer, or for LIF neurons, by
what it answers to probes, and the whole graph is held against the module afterwards (`replay`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from snncc.diagnostics import Finding, SnnccError
from snncc.ir import Loc

Real = NDArray[np.float64]
MOST_TAPS = 128
"""Lags of a layer that forgets: a response that has not ended by then is one of poles."""
SAME = 1e-9
"""Relative to the largest number: both sides are float64 and differ by the order of additions."""
PROBE = 2017


@dataclass(frozen=True)
class StateSpace:
    """y = D u + sum over n of Re(C_n x_n), x_n' = A_n x_n + u; or a register of late inputs.

    Attributes:
        poles: A, [channel, n], complex or real; None where the layer only delays.
        c: [channel, n], of poles or of the inputs 1, 2, ... steps ago.
        d: [channel].
    """

    poles: NDArray[Any] | None
    c: NDArray[Any]
    d: Real

    def kernel(self, steps: int) -> Real:
        """What a unit at the first step gives, [steps, channel]."""
        found = np.zeros((steps, len(self.d)))
        if self.poles is None:
            found[1 : 1 + self.c.shape[1]] = self.c.T[: max(0, steps - 1)]
        else:
            powers = self.poles[None] ** np.arange(steps)[:, None, None]
            found += (self.c * powers).sum(axis=-1).real
        found[0] += self.d
        return found


@dataclass(frozen=True)
class Block:
    """One block: norm, state space, division by a threshold, LIF, a linear map, a gate.

    Attributes:
        path: of the block's module.
        scale, offset: of the norm, [channel].
        level: what the layer's result is divided by, [channel].
        decay: of the membrane.
        weight, bias: of the linear map on spikes, [2 channel, channel] and [2 channel].
        gate: "spike" or "glu".
    """

    path: str
    scale: Real
    offset: Real
    ssm: StateSpace
    level: Real
    decay: float
    weight: Real
    bias: Real
    gate: str


@dataclass(frozen=True)
class Network:
    """Encoder, blocks on a stream, last neurons or none, decoder of the mean over time."""

    encoder: tuple[Real, Real]
    blocks: tuple[Block, ...]
    last: float | None
    decoder: tuple[Real, Real]


def is_spiking_state_space(model: nn.Module) -> bool:
    """Whether a module has the parts of such a network; what they are is looked at later."""
    parts = (getattr(model, name, None) for name in ("encoder", "decoder"))
    blocks = getattr(model, "blocks", None)
    linear = all(isinstance(part, nn.Linear) for part in parts)
    if not linear or not isinstance(blocks, nn.ModuleList) or len(blocks) == 0:
        return False
    names = ("norm", "ssm", "neuron", "linear", "ln_vth", "gate")
    return all(all(hasattr(block, name) for name in names) for block in blocks)


def read_network(model: Any, steps: int) -> Network:
    """Reads a module of float64 in evaluation mode.

    Raises:
        SnnccError: with a finding for every part that is something else.
    """
    findings: list[Finding] = []
    blocks: list[Block] = []
    for i, block in enumerate(model.blocks):
        try:
            blocks.append(_block(block, f"blocks.{i}", steps))
        except SnnccError as error:
            findings += error.findings
    last = None
    try:
        if not isinstance(getattr(model, "last", nn.Identity()), nn.Identity):
            last = _decay(model.last, "last", model.encoder.out_features)
    except SnnccError as error:
        findings += error.findings
    if findings:
        raise SnnccError.of(findings)
    return Network(_linear(model.encoder), tuple(blocks), last, _linear(model.decoder))


def _block(block: Any, path: str, steps: int) -> Block:
    width = block.linear.in_features
    scale, offset = _norm(block.norm, f"{path}.norm", width)
    weight, bias = _linear(block.linear)
    if block.gate not in ("spike", "glu") or len(weight) != 2 * width:
        raise _refused(
            f"{path}.gate",
            f"a gate of kind {block.gate!r}",
            "known are 'spike' and 'glu', behind a linear map to twice the channels",
        )
    level = np.exp(_numpy(block.ln_vth))
    ssm = read_state_space(block.ssm, f"{path}.ssm", width, steps)
    decay = _decay(block.neuron, f"{path}.neuron", width)
    return Block(path, scale, offset, ssm, level, decay, weight, bias, block.gate)


def _norm(norm: nn.Module, path: str, width: int) -> tuple[Real, Real]:
    if isinstance(norm, nn.Identity):
        return np.ones(width), np.zeros(width)
    if isinstance(norm, nn.BatchNorm1d) and norm.running_mean is not None:
        var, mean = _numpy(norm.running_var), _numpy(norm.running_mean)
        weight = np.ones(width) if norm.weight is None else _numpy(norm.weight)
        scale: Real = weight / np.sqrt(var + norm.eps)
        bias = np.zeros(width) if norm.bias is None else _numpy(norm.bias)
        return scale, bias - scale * mean
    raise SnnccError(
        "SNN020",
        f"{type(norm).__name__} needs a division by data",
        Loc(path, call=str(norm)),
        why="mean and variance depend on the input, so no constant threshold can absorb them",
        help="train with BatchNorm, which folds",
    )


def read_state_space(ssm: Any, path: str, width: int, steps: int) -> StateSpace:
    """Finds poles that explain what a layer does, or the taps of a register that does it.

    Raises:
        SnnccError: SNN021, neither does: the layer is not causal, linear, a channel at a time, and
            of known poles.
    """
    length = max(steps, MOST_TAPS + 2)
    unit = torch.zeros(1, length, width, dtype=torch.float64)
    unit[0, 0] = 1.0
    response = _numpy(ssm(unit))[0]
    found = _of_poles(ssm, response)
    if found is None and not response[MOST_TAPS + 1 :].any():
        lags = 1 + int(np.flatnonzero(response.any(axis=1)).max(initial=0))
        found = StateSpace(None, response[1 : max(2, lags)].T, response[0])
    generator = torch.Generator().manual_seed(PROBE)
    u = torch.randn(1, steps, width, dtype=torch.float64, generator=generator)
    if found is None or not _near(_convolved(found, _numpy(u)[0]), _numpy(ssm(u))[0]):
        raise _refused(
            path,
            f"{type(ssm).__name__} is no state space in a form that is known",
            "its answers to a unit and to noise are not those of x' = A x + u, y = Re(C x) + D u "
            "with the A, C, D that constants() gives, and not those of a register of late inputs",
            "give the layer in step form, causal, with a method constants() -> (A, C, D); a "
            "bidirectional one reads steps that are still to come",
        )
    return found


def _of_poles(ssm: Any, response: Real) -> StateSpace | None:
    constants: Any = getattr(ssm, "constants", None)
    if not callable(constants):
        return None
    given = [_numpy(each) for each in constants()]
    if len(given) != 3 or given[0].shape != given[1].shape or given[0].ndim != 2:
        return None
    found = StateSpace(*given)
    inside = bool((np.abs(given[0]) < 1.0).all())
    return found if inside and _near(found.kernel(len(response)), response) else None


def _convolved(ssm: StateSpace, u: Real) -> Real:
    kernel, out = ssm.kernel(len(u)), np.zeros_like(u)
    for lag in range(len(u)):
        out[lag:] += kernel[lag] * u[: len(u) - lag]
    return out


def _decay(neuron: Any, path: str, width: int) -> float:
    """The decay of LIF neurons with threshold 1 and a hard reset, as probes show them.

    Raises:
        SnnccError: SNN026, they decide otherwise.
    """
    generator = torch.Generator().manual_seed(PROBE)
    x = 1.5 * torch.randn(2, 64, width, dtype=torch.float64, generator=generator)
    decay = float(getattr(neuron, "decay", -1.0))
    spikes = _numpy(neuron(x))
    if not 0.0 <= decay <= 1.0 or not np.array_equal(spikes, _lif(_numpy(x), decay)):
        raise SnnccError(
            "SNN026",
            f"{type(neuron).__name__} does not spike as LIF neurons do",
            Loc(path, call=f"{type(neuron).__name__}()"),
            why="v = decay v + x, a spike where v >= 1, then v = 0, gives other spikes on noise, "
            "or the module has no number `decay`",
            help="give the neuron that was trained for: a surrogate (SDN) stands for an LIF, "
            "and is not equal to it",
        )
    return decay


def _lif(x: Real, decay: float) -> Real:
    v, spikes = np.zeros_like(x[:, 0]), np.empty_like(x)
    for t in range(x.shape[1]):
        v = decay * v + x[:, t]
        spikes[:, t] = v >= 1.0
        v = np.where(v >= 1.0, 0.0, v)
    return spikes


def _linear(layer: nn.Linear) -> tuple[Real, Real]:
    bias = np.zeros(layer.out_features) if layer.bias is None else _numpy(layer.bias)
    return _numpy(layer.weight), bias


def _numpy(tensor: Any) -> NDArray[Any]:
    found: NDArray[Any] = tensor.detach().numpy()
    return found


def _near(one: Real, other: Real) -> bool:
    size = max(1.0, float(np.abs(other).max(initial=0.0)))
    return one.shape == other.shape and bool((np.abs(one - other) <= SAME * size).all())


def _refused(path: str, what: str, why: str, help: str = "") -> SnnccError:
    return SnnccError("SNN021", what, Loc(path), why=why, help=help)
