"""Puts a file's tensors into a network, and says exactly what does not go together."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from snncc.diagnostics import Finding, SnnccError
from snncc.frontends.raised import reason_of
from snncc.frontends.weights.names import shared_levels
from snncc.frontends.weights.network_part import network_part
from snncc.frontends.weights.reparametrised import plain_weights

COUNTER = "num_batches_tracked"
"""How often a BatchNorm was trained; it takes no part in inference, and old files lack it."""
SHAPELESS = (UninitializedParameter, UninitializedBuffer)
OTHER = "the file belongs to another network, or to another configuration of this one"


def load_weights(model: nn.Module, state: Mapping[str, torch.Tensor], name: str) -> tuple[str, ...]:
    """Loads a state_dict: every tensor that takes part in inference must be there, and no other.

    Prefixes of wrappers are taken off where the network does not want them; pruned and normalised
    weights are made plain; what is tied in the network may stand in the file once.

    Args:
        model: gets the weights.
        state: tensors by name.
        name: of the file, for messages.

    Returns:
        What was changed on the way, as notes.

    Raises:
        SnnccError: SNN012 with every missing, unexpected and wrongly shaped tensor, and every one
            of another kind of number; SNN090 where it is not clear which tensors are the
            network's; SNN034 where a value overflows the network's own type.
    """
    own = model.state_dict()
    given, told = network_part(state, own.__contains__, name)
    given, computed = plain_weights(given, own.__contains__, name)
    notes = [*told]
    notes += [f"weights computed: {_some(computed)}"] * bool(computed)
    given, findings = _completed(model, own, given, name)
    findings += _differences(own, given, name)
    if findings:
        raise SnnccError.of(findings)
    try:
        model.load_state_dict(given, strict=True)
    except (Exception, SystemExit) as error:  # a module may load its state by code of its own
        raise SnnccError(
            "SNN012", f"{name}: the network does not take it", why=reason_of(error)
        ) from error
    _check_overflow(model, name)
    return tuple(notes)


def _completed(
    model: nn.Module, own: Mapping[str, Any], given: dict[str, torch.Tensor], name: str
) -> tuple[dict[str, torch.Tensor], list[Finding]]:
    """With what a file may leave out: counters of BatchNorms, and tied weights but one."""
    full, findings = dict(given), list[Finding]()
    for group in _tied(model):
        there = [key for key in group if key in given]
        for key in group:
            if there and key in own:
                full.setdefault(key, given[there[0]])
        for key in there[1:]:
            if not _same(given[key], given[there[0]]):
                findings.append(
                    Finding(
                        "SNN012",
                        f"{name}: tensors {there[0]} and {key} differ",
                        why="in the network they are one and the same (tied weights)",
                        help="give a factory that does not tie them, or the checkpoint of one that "
                        "does",
                    )
                )
    for key, value in own.items():
        if key.rpartition(".")[2] == COUNTER:
            full.setdefault(key, value)
    return full, findings


def _tied(model: nn.Module) -> list[list[str]]:
    """Names of the same parameter or buffer, where there are several."""
    groups: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for names in (
        model.named_parameters(remove_duplicate=False),
        model.named_buffers(remove_duplicate=False),
    ):
        for key, tensor in names:
            if isinstance(tensor, SHAPELESS) or not tensor.numel():
                continue
            place = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)
            groups[place if tensor.data_ptr() else (id(tensor),)].append(key)
    return [names for names in groups.values() if len(names) > 1]


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and bool(torch.equal(a, b))


def _differences(
    own: Mapping[str, Any], given: Mapping[str, torch.Tensor], name: str
) -> list[Finding]:
    """Every tensor of either side that the other lacks or has otherwise."""
    findings: list[Finding] = []
    missing = [key for key in own if key not in given]
    surplus = [key for key in given if key not in own]
    wrong = {k: text for k in own if k in given and (text := _unlike(own[k], given[k]))}
    match = len(own) - len(missing) - len(wrong)
    share = f"{match} of the network's {len(own)} tensors match"
    hint = _hint(own, given) if missing and surplus else OTHER
    for key in missing:
        findings.append(Finding("SNN012", f"{name}: tensor {key} is missing", None, share, hint))
    for key, text in wrong.items():
        findings.append(Finding("SNN012", f"{name}: tensor {key} {text}", None, share, hint))
    for key in surplus:
        findings.append(
            Finding("SNN012", f"{name}: tensor {key} is not part of the network", None, share, hint)
        )
    return findings


def _unlike(own: Any, given: torch.Tensor) -> str:
    """How a tensor differs from what the network has; "" where it fits."""
    if not isinstance(own, torch.Tensor):
        return "is no tensor in the network"
    if isinstance(own, SHAPELESS):
        return "has no shape in the network yet: call the model once in the factory"
    if given.shape != own.shape:
        return f"has shape {list(given.shape)}, the network has {list(own.shape)}"
    kinds = f"holds {_kind(given)}, the network has {_kind(own)}"
    if own.is_floating_point() != given.is_floating_point() and not _whole(own, given):
        return f"{kinds}; convert it where it was saved, if these are the trained values"
    return ""


def _whole(own: torch.Tensor, given: torch.Tensor) -> bool:
    """Whether the network wants an integer and the file holds one, as a floating-point number."""
    wanted = not own.is_floating_point() and given.is_floating_point()
    return wanted and bool((given == given.round()).all())


def _kind(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _hint(own: Mapping[str, Any], given: Mapping[str, torch.Tensor]) -> str:
    """What to do, with the prefix in which the names differ where that is all."""
    for side, other, who in ((own, given, "the network"), (given, own, "the file")):
        shared = shared_levels(side)
        for levels in range(1, len(shared) + 1):
            prefix = "".join(f"{level}." for level in shared[:levels])
            if all(key.removeprefix(prefix) in other for key in side):
                return f"every name in {who} has the prefix {prefix}, which the other side lacks"
    return OTHER


def _check_overflow(model: nn.Module, name: str) -> None:
    """Raises SnnccError (SNN034) where a finite value became infinite in a narrower type."""
    bad = [
        key
        for key, tensor in model.state_dict().items()
        if isinstance(tensor, torch.Tensor)
        and tensor.is_floating_point()
        and not bool(torch.isfinite(tensor).all())
    ]
    if bad:
        raise SnnccError.of(
            Finding(
                "SNN034",
                f"{name}: tensor {key} overflows the network's {_kind(model.state_dict()[key])}",
                help="make the network of a wider type in the factory, e.g. model.double()",
            )
            for key in bad
        )


def _some(texts: tuple[str, ...]) -> str:
    rest = f", and {len(texts) - 3} more" if len(texts) > 3 else ""
    return "; ".join(texts[:3]) + rest
