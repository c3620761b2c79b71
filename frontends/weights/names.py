"""Prefixes that wrappers leave in tensors' names, taken off where a network does not want them."""

from collections.abc import Callable, Mapping
from typing import Any

MOST_LEVELS = 8
WRAPPERS = frozenset(
    {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"}
)
"""Levels that DataParallel, torch.compile, FSDP and others put between a module and its owner."""
COUNTER = "n_averaged"
"""Of `torch.optim.swa_utils.AveragedModel`; beside its prefix it means nothing."""
DERIVED = ("_orig", "_mask", "_g", "_v")
"""Ends of the names that pruning and weight normalisation put in a weight's place."""


def base_of(name: str) -> str | None:
    """The weight that a pruned or normalised tensor belongs to, or None."""
    return next((name.removesuffix(end) for end in DERIVED if name.endswith(end)), None)


def without_wrappers(
    state: Mapping[str, Any], fits: Callable[[str], bool]
) -> tuple[dict[str, Any], str]:
    """The same tensors under the names that fit the network best.

    Tried are the names as they are, without the first levels that all of them share, and then also
    without the levels of wrappers anywhere. Of those that fit equally well the first is taken.

    Args:
        state: tensors by name.
        fits: whether the network has a tensor of this name.

    Returns:
        The tensors, and what was taken off, in words; "" for nothing.
    """

    def wanted(name: str) -> bool:
        base = base_of(name)
        return fits(name) or (base is not None and fits(base))

    best, best_count, what = dict(state), sum(map(wanted, state)), ""
    if best_count == len(state):
        return best, what
    inner = {k: v for k, v in state.items() if k != COUNTER or fits(COUNTER)}
    shared = shared_levels(inner)
    for anywhere in (False, True):
        for levels in range(len(shared) + 1):
            prefix = "".join(f"{level}." for level in shared[:levels])
            renamed = {_without(k, len(prefix), anywhere): v for k, v in inner.items()}
            count = sum(map(wanted, renamed))
            if len(renamed) == len(inner) and count > best_count:
                best, best_count = renamed, count
                parts = [f"the prefix {prefix}"] * bool(prefix) + ["levels of wrappers"] * anywhere
                what = " and ".join(parts) or f"the counter {COUNTER}"
    return best, what


def shared_levels(state: Mapping[str, Any]) -> list[str]:
    """The first levels that all names share; every name has at least one more."""
    split = [name.split(".", MOST_LEVELS) for name in state]
    if not split:
        return []
    first = split[0]
    count = min(map(len, split)) - 1
    for parts in split:
        while parts[:count] != first[:count]:
            count -= 1
    return first[:count]


def _without(name: str, length: int, anywhere: bool) -> str:
    rest = name[length:]
    if not anywhere:
        return rest
    return ".".join(level for level in rest.split(".") if level not in WRAPPERS)
