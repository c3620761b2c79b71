"""Calls that read nothing but what is fed back: at the first steps they compute with zeros.

The recorder sees no call there, since nothing in it depends on the input; its readers read a
constant. Where that constant is what the call gives for zeros, the first step is like all others.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch.utils._pytree import tree_map

from snncc.frontends.torch_recorder.loops.forms import Form, Inside, Past, leaves
from snncc.frontends.torch_recorder.loops.roll import Rolled
from snncc.frontends.torch_recorder.loops.tape import NEURON, Const, token_of
from snncc.frontends.torch_recorder.loops.timing import Place


def from_the_start(loop: Rolled) -> Rolled:
    """The loop in which such calls run from the first step on."""
    late = {place for place in loop.body if loop.first[place] > 0 and _is_fed(loop, place, set())}
    if not late:
        return loop
    results: dict[Place, list[torch.Tensor]] = {}
    for place in sorted(late, key=loop.order.__getitem__):
        _at_zero(loop, place, results)
    right = {
        place
        for place in late
        if all(
            key[0] != place or _is_same(form, results.get(place), key[1])
            for key, form in loop.starts.items()
        )
    }
    # A call is as it should be when it, and all that it is made of, gives the constants seen.
    whole = {place for place in right if _sources(loop, place, set()) & late <= right}
    first = {place: 0 if place in whole else step for place, step in loop.first.items()}
    starts = {key: form for key, form in loop.starts.items() if key[0] not in whole}
    return replace(loop, first=first, starts=starts)


def _is_fed(loop: Rolled, place: Place, seen: set[Place]) -> bool:
    """Whether a call of no state starts as late as what it is fed back comes."""
    if place in seen or loop.body[place].entry.name == NEURON:
        return False
    read = [x for x in leaves(loop.body[place].form) if isinstance(x, Inside | Past)]
    if not read:
        return False
    for leaf in read:
        if isinstance(leaf, Past):
            continue
        if leaf.delay or not _is_fed(loop, leaf.place, {*seen, place}):
            return False
    return True


def _sources(loop: Rolled, place: Place, seen: set[Place]) -> set[Place]:
    for leaf in leaves(loop.body[place].form):
        if isinstance(leaf, Inside) and leaf.place not in seen:
            seen.add(leaf.place)
            _sources(loop, leaf.place, seen)
    return seen


def _at_zero(loop: Rolled, place: Place, results: dict[Place, list[torch.Tensor]]) -> None:
    """What a call gives where everything that is fed back is 0."""
    call = loop.body[place]
    given: dict[int, torch.Tensor] = {}
    for tensor, form in _pairs((call.entry.args, call.entry.kwargs), call.form):
        if isinstance(form, Past):
            given[id(tensor)] = torch.zeros_like(tensor)
        elif isinstance(form, Inside):
            if form.place not in results:
                return
            given[id(tensor)] = results[form.place][form.out]
    args, kwargs = tree_map(
        lambda x: given.get(id(x), x) if isinstance(x, torch.Tensor) else x,
        (call.entry.args, call.entry.kwargs),
    )
    with torch.no_grad():
        found: Any = call.entry.function(*args, **kwargs)
    several = [*found] if isinstance(found, list | tuple) else [found]
    results[place] = [x for x in several if isinstance(x, torch.Tensor)]


def _is_same(form: Form, results: list[torch.Tensor] | None, out: int) -> bool:
    if results is None or out >= len(results) or not isinstance(form, Const):
        return False
    return bool(token_of(results[out]) == form)


def _pairs(thing: Any, form: Form) -> list[tuple[torch.Tensor, Form]]:
    """Tensors of a call beside their forms."""
    if isinstance(thing, torch.Tensor):
        return [(thing, form)]
    found: list[tuple[torch.Tensor, Form]] = []
    if isinstance(thing, list | tuple):
        for item, part in zip([*thing], form, strict=True):
            found += _pairs(item, part)
    elif isinstance(thing, Mapping):
        for (_key, item), part in zip(sorted(thing.items()), form, strict=True):
            found += _pairs(item, part[1])
    return found
