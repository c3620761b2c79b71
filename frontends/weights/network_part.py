"""The network's tensors in a state_dict that holds other modules' too, as Lightning saves it."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from snncc.diagnostics import SnnccError
from snncc.frontends.weights.names import base_of, shared_levels, without_wrappers
from snncc.frontends.weights.weight_sets import is_average, shown

_OF_TRAINING = re.compile(
    r"^(criterion|loss|metric|teacher|optim|scaler|(train|val|valid|test)_|.*_(loss|metrics?|teacher)$)"
)
"""Modules that take part in training alone, by the names that people give them."""


def network_part(
    state: Mapping[str, Any], fits: Callable[[str], bool], name: str
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The tensors of the network, under its own names.

    Args:
        state: tensors by name.
        fits: whether the network has a tensor of this name.
        name: of the file, for messages.

    Returns:
        The tensors, and what was done, as notes. Where no part fits the network as a whole, that is
        everything under the names that fit best.

    Raises:
        SnnccError: SNN090 when several parts fit, or beside the one that does there are tensors
            that may belong to the network too.
    """
    found, taken_off = without_wrappers(state, fits)
    notes = (f"names of tensors: {taken_off} taken off",) if taken_off else ()
    parts = {} if _all_fit(found, fits) else _parts_of(state)
    inner = {key: without_wrappers(part, fits) for key, part in parts.items()}
    fitting = {key: len(part) for key, (part, _) in inner.items() if _all_fit(part, fits)}
    if not fitting:
        return found, notes
    fitting = {key: size for key, size in fitting.items() if size == max(fitting.values())}
    plain = [key for key in fitting if not is_average(key)] or [*fitting]
    beside = [key for key in parts if key not in plain]
    if len(plain) > 1:
        raise SnnccError(
            "SNN090",
            f"{name} holds {len(plain)} sets of weights",
            why=f"the tensors under each of {shown(tuple(plain))} fit the network",
            help=f"give --weights with one of these prefixes, e.g. --weights {plain[0]}",
        )
    (chosen,) = plain
    doubtful = tuple(k for k in beside if not (is_average(k) or _of_training(k)))
    if doubtful:
        raise SnnccError(
            "SNN090",
            f"{name} holds more than the network",
            why=f"the tensors under {chosen} fit it, those under {shown(doubtful)} are not part of "
            "it, and nothing says that inference does without them",
            help=f"give --weights {chosen} to take these alone, or a factory of all that is needed",
        )
    own, taken_off = inner[chosen]
    also = f", with {taken_off} taken off" if taken_off else ""
    told = f"tensors under {chosen} are the network's{also}; left out: {shown(tuple(beside))}"
    averages = any(map(is_average, beside))
    return own, (told + (" (--weights ema takes the average)" if averages else ""),)


def _of_training(key: str) -> bool:
    return _OF_TRAINING.match(key.rpartition(".")[2].lower()) is not None


def _all_fit(names: Mapping[str, Any], fits: Callable[[str], bool]) -> bool:
    return all(fits(name) or fits(base_of(name) or name) for name in names)


def _parts_of(state: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The tensors by the first level in which their names differ, without it."""
    skipped = "".join(f"{level}." for level in shared_levels(state))
    parts: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for name, tensor in state.items():
        level, _, rest = name.removeprefix(skipped).partition(".")
        parts[skipped + level][rest] = tensor
    return {key: part for key, part in parts.items() if key}
