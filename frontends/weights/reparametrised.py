"""Weights that are computed from other tensors: pruning and weight normalisation, made plain."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.utils import remove_spectral_norm, remove_weight_norm
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from snncc.diagnostics import Finding, SnnccError
from snncc.frontends.weights.names import base_of

State = dict[str, torch.Tensor]
PARAMETRISED = ".parametrizations."


def plain_weights(
    state: State, fits: Callable[[str], bool], name: str
) -> tuple[State, tuple[str, ...]]:
    """A state_dict with the weights that the network has, computed as torch does.

    weight = weight_orig * weight_mask (torch.nn.utils.prune);
    weight = weight_g * weight_v / norm(weight_v) (torch.nn.utils.weight_norm).

    Args:
        state: tensors by name.
        fits: whether the network has a tensor of this name.
        name: of the file, for messages.

    Returns:
        The tensors, and what was computed, in words.

    Raises:
        SnnccError: SNN012 when parts do not go together, or do not say how they make the weight.
    """
    plain, notes, findings = dict(state), list[str](), list[Finding]()
    parametrised: set[str] = set()
    for key in state:
        base = _base(key, fits)
        if base is None or base in state:
            continue
        if PARAMETRISED in key:
            if base not in parametrised:
                findings.append(_refused(name, base, "parametrisations", _PARAMETRISED))
            parametrised.add(base)
            continue
        parts = {end: state.get(base + end) for end in ("_orig", "_mask", "_g", "_v", "_u")}
        match parts:
            case {"_orig": torch.Tensor(), "_u": torch.Tensor()}:
                if key.endswith("_orig"):
                    findings.append(_refused(name, base, "spectral normalisation", _SPECTRAL))
            case {"_orig": torch.Tensor() as own, "_mask": torch.Tensor() as mask}:
                if key.endswith("_orig"):
                    if own.shape != mask.shape:
                        findings.append(_refused(name, base, "pruning", _PRUNE))
                        continue
                    del plain[f"{base}_orig"], plain[f"{base}_mask"]
                    plain[base] = mask.to(own.dtype) * own
                    notes.append(f"{base}: pruned, {base}_orig * {base}_mask")
            case {"_g": torch.Tensor() as gain, "_v": torch.Tensor() as direction}:
                if key.endswith("_g"):
                    axis = _axis(gain, direction)
                    if axis is None:
                        findings.append(_refused(name, base, "weight normalisation", _NORM))
                        continue
                    del plain[f"{base}_g"], plain[f"{base}_v"]
                    plain[base] = _normalised(gain, direction, axis)
                    notes.append(f"{base}: weight normalisation, from {base}_g and {base}_v")
            case _:
                pass
    if findings:
        raise SnnccError.of(findings)
    return plain, tuple(notes)


_PRUNE = "prune.remove(module, 'weight') before saving (torch.nn.utils.prune)"
_NORM = "torch.nn.utils.remove_weight_norm(module) before saving"
_SPECTRAL = "torch.nn.utils.remove_spectral_norm(module) before saving"
_PARAMETRISED = (
    "torch.nn.utils.parametrize.remove_parametrizations(module, 'weight') before saving, or give a "
    "factory that registers the same parametrisation"
)


def _refused(name: str, base: str, what: str, help_: str) -> Finding:
    return Finding(
        "SNN012",
        f"{name}: {base} is computed from other tensors ({what})",
        why="what they hold does not say the weight that the network has",
        help=help_,
    )


def _base(key: str, fits: Callable[[str], bool]) -> str | None:
    """The weight of the network that a tensor is part of, or None where the network has both."""
    if fits(key):
        return None
    before, found, after = key.partition(PARAMETRISED)
    if found:
        base = f"{before}.{after.partition('.')[0]}"
        return base if fits(base) else None
    own = base_of(key)
    return own if own is not None and fits(own) else None


def _axis(gain: torch.Tensor, direction: torch.Tensor) -> int | None:
    """The axis that gains run along, -1 for one gain for all, None where they do not fit."""
    if not (direction.is_floating_point() and gain.is_floating_point()):
        return None
    if gain.dim() == 0:
        return -1
    if gain.dim() != direction.dim():
        return None
    pairs = enumerate(zip(gain.shape, direction.shape, strict=True))
    axis = max((i for i, (g, v) in pairs if g == v), key=lambda i: gain.shape[i], default=None)
    if axis is None or any(n != 1 for i, n in enumerate(gain.shape) if i != axis):
        return None
    return axis


def _normalised(gain: torch.Tensor, direction: torch.Tensor, axis: int) -> torch.Tensor:
    if gain.dtype in (torch.float16, torch.bfloat16):
        gain, direction = gain.float(), direction.float()
    weight: torch.Tensor = torch._weight_norm(direction, gain, axis)
    return weight


Hook = BasePruningMethod | WeightNorm | SpectralNorm


def copy_plain(model: nn.Module) -> nn.Module:
    """A deep copy in float64 whose pruned and normalised weights are plain parameters.

    Their weights are made by a hook before every call and cannot be copied as they stand; the copy
    gets placeholders, and then the weight that the hook would make.
    """
    memo: dict[int, Any] = {}
    for module in model.modules():
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, Hook):
                stale = vars(module).get(_made_by(hook))
                if isinstance(stale, torch.Tensor):
                    memo[id(stale)] = stale.detach().clone()
    copied = copy.deepcopy(model, memo).double()
    for module in copied.modules():
        for hook in list(module._forward_pre_hooks.values()):
            if isinstance(hook, BasePruningMethod):
                hook.remove(module)
                for key, own in list(module._forward_pre_hooks.items()):
                    if own is hook:
                        del module._forward_pre_hooks[key]
            elif isinstance(hook, WeightNorm):
                remove_weight_norm(module, hook.name)
            elif isinstance(hook, SpectralNorm):
                remove_spectral_norm(module, hook.name)
    return copied


def _made_by(hook: Hook) -> str:
    return str(hook._tensor_name if isinstance(hook, BasePruningMethod) else hook.name)
