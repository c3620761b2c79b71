"""Which of the mappings in a checkpoint holds the weights, when there may be several."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from snncc.diagnostics import SnnccError
from snncc.frontends.weights.pickles import Made
from snncc.frontends.weights.tensors import is_tensor

EMA, PLAIN = "ema", "plain"
MOST_LEVELS = 3
MOST_SETS = 64
SHOWN = 12
_AVERAGED = re.compile(r"(^|[_.])(ema|swa|avg|average|averaged|shadow)(?=$|[_.\d])")
_NO_WEIGHTS = re.compile(r"^(optim|opt$|opt_|sched|lr_|scaler|amp|loss_scaler|rng|criterion)")
"""Keys of a training run's other state; it may hold tensors by name, too."""


@dataclass(frozen=True)
class WeightSet:
    """One state_dict of a file.

    Attributes:
        key: where it stands, with dots between levels; "" when the file is nothing else.
        tensors: records or tensors, by name.
        beside: keys beside the tensors that hold something else.
    """

    key: str
    tensors: Mapping[str, Any]
    beside: tuple[str, ...] = ()

    @property
    def averaged(self) -> bool:
        """Whether its name says that it is a moving average of the weights."""
        return is_average(self.key)


def is_average(key: str) -> bool:
    """Whether a name says that what it stands for is a moving average."""
    return _AVERAGED.search(key.lower()) is not None


def choose_weights(content: object, wanted: str | None, name: str) -> tuple[WeightSet, list[str]]:
    """The one state_dict that is meant, and notes about the choice.

    Args:
        content: what the file holds.
        wanted: "ema", "plain", a key of the file, or None to take the plain weights.
        name: of the file, for messages.

    Raises:
        SnnccError: SNN010 when there is none, SNN090 when it is not clear which one is meant.
    """
    sets = list(_sets_of(content))
    if not sets:
        arrays = _arrays_of(content)
        if arrays:
            raise SnnccError(
                "SNN010",
                f"{name} holds NumPy arrays and no tensors",
                why=f"they are under {shown(arrays)}; a state_dict maps names to tensors",
                help="save {key: torch.from_numpy(array) for key, array in arrays.items()} with "
                "torch.save, or as .safetensors",
            )
        raise SnnccError(
            "SNN010",
            f"{name} holds no state_dict",
            why=f"no mapping from names to tensors was found in it; there are {_keys_of(content)}",
            help="save the state_dict of the network, as .safetensors or with torch.save",
        )
    if wanted is not None:
        return _wanted(sets, wanted, name), []
    plain = [s for s in sets if not s.averaged]
    taken = plain or sets
    if len(taken) > 1:
        raise SnnccError(
            "SNN090",
            f"{name} holds {len(sets)} sets of weights",
            why=f"they are under {_listed(sets)}, and nothing says which one is meant",
            help=f"give --weights with one of these keys, e.g. --weights {taken[0].key or PLAIN}",
        )
    (chosen,) = taken
    notes: list[str] = []
    averages = [s for s in sets if s is not chosen]
    if averages:
        notes.append(
            f"the file holds two kinds of weights: those under {chosen.key or 'its first level'} "
            f"are compiled, not the average under {_listed(averages)} (--weights ema)"
        )
    elif chosen.averaged:
        notes.append(f"the weights are a moving average ({chosen.key}), the only ones in the file")
    if chosen.beside:
        notes.append(f"beside the weights, not used: {shown(chosen.beside)}")
    return chosen, notes


def _wanted(sets: list[WeightSet], wanted: str, name: str) -> WeightSet:
    """The set that --weights names: by its key, else by what kind it is."""
    named = [s for s in sets if s.key == wanted]
    kinds = {EMA: [s for s in sets if s.averaged], PLAIN: [s for s in sets if not s.averaged]}
    found = named or kinds.get(wanted, []) or _under(sets, wanted)
    if len(found) == 1:
        return found[0]
    if found:
        raise SnnccError(
            "SNN090",
            f"--weights {wanted}, but {name} holds {len(found)} such sets",
            why=f"they are under {_listed(found)}",
            help="give --weights with one of these keys",
        )
    where = _listed(sets) if sets[0].key or len(sets) > 1 else "its first level, and no others"
    raise SnnccError(
        "SNN090",
        f"--weights {wanted}, but {name} holds no such weights",
        why=f"its weights are under {where}",
        help="give one of these keys, or leave --weights out",
    )


def _under(sets: list[WeightSet], wanted: str) -> list[WeightSet]:
    """The tensors of a set that stand under a prefix, or under the one of an average."""
    found: list[WeightSet] = []
    for each in sets:
        firsts = dict.fromkeys(name.partition(".")[0] for name in each.tensors)
        averages = [first for first in firsts if is_average(first)]
        for prefix in averages if wanted == EMA else [wanted]:
            inner = {
                name.removeprefix(f"{prefix}."): tensor
                for name, tensor in each.tensors.items()
                if name.startswith(f"{prefix}.")
            }
            if inner:
                found.append(WeightSet(prefix, inner))
    return found


def _sets_of(content: object) -> Iterator[WeightSet]:
    """Every mapping from names to tensors, from the outside in."""
    if not isinstance(content, dict):
        return
    top: dict[object, object] = dict(content)  # pyright: ignore[reportUnknownArgumentType]
    found = list(_below(top, "", MOST_LEVELS, {id(top), id(content)}))
    tensors, beside = _split(top)
    if tensors and (not found or len(tensors) > len(beside)):
        yield WeightSet("", tensors, beside)
    yield from found[:MOST_SETS]


def _below(
    mapping: Mapping[object, object], path: str, levels: int, visited: set[int]
) -> Iterator[WeightSet]:
    """Sets in the values of a mapping; what stands there twice is visited once."""
    for key, value in mapping.items():
        if not isinstance(key, str) or not isinstance(value, dict) or _NO_WEIGHTS.match(key):
            continue
        if id(value) in visited:  # pyright: ignore[reportUnknownArgumentType]
            continue
        visited.add(id(value))  # pyright: ignore[reportUnknownArgumentType]
        inner: dict[object, object] = dict(value)  # pyright: ignore[reportUnknownArgumentType]
        here = f"{path}.{key}" if path else key
        tensors, beside = _split(inner)
        deeper = list(_below(inner, here, levels - 1, visited)) if levels > 1 else []
        if tensors and (not deeper or len(tensors) > len(beside)):
            yield WeightSet(here, tensors, beside)
        else:
            yield from deeper


def _split(mapping: Mapping[object, object]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Its tensors, and the keys of everything else."""
    tensors = {k: v for k, v in mapping.items() if isinstance(k, str) and _holds_numbers(v)}
    return tensors, tuple(str(k) for k in mapping if k not in tensors)


def _holds_numbers(value: object) -> bool:
    return is_tensor(value) or isinstance(value, torch.Tensor)


def _arrays_of(content: object, path: str = "", levels: int = MOST_LEVELS) -> tuple[str, ...]:
    """Where NumPy arrays stand in mappings, by the dotted keys that lead to them."""
    if not isinstance(content, dict) or not levels:
        return ()
    found: list[str] = []
    for key, value in dict[object, object](content).items():  # pyright: ignore[reportUnknownArgumentType]
        here = f"{path}.{key}" if path else str(key)
        if isinstance(value, Made) and value.name.rpartition(".")[0].startswith("numpy"):
            found += [here] * value.name.endswith(("._reconstruct", "._frombuffer"))
        else:
            found += _arrays_of(value, here, levels - 1)
    return tuple(found)


def _keys_of(content: object) -> str:
    """What the file's first level holds, in words."""
    if isinstance(content, Made):
        return f"one {content.name}"
    if not isinstance(content, dict):
        return f"one {type(content).__name__}"
    keys = [str(key) for key in dict[object, object](content)]
    return f"the keys {shown(tuple(keys))}" if keys else "no keys"


def _listed(sets: list[WeightSet]) -> str:
    return shown(tuple(s.key or "the first level" for s in sets))


def shown(keys: tuple[str, ...]) -> str:
    """The first keys, in a form that a terminal shows as text."""
    text = ", ".join(key[:80].encode("unicode_escape").decode() for key in keys[:SHOWN])
    return f"{text} and {len(keys) - SHOWN} more" if len(keys) > SHOWN else text
