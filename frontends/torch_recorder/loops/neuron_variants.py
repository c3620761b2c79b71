"""Neurons of a layer whose constants differ: each kind is read by itself, and then all as one."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from snncc.frontends.torch_recorder.loops.forms import Form, leaves
from snncc.frontends.torch_recorder.loops.neuron_algebra import Cycle
from snncc.frontends.torch_recorder.loops.neuron_reading import Population, populations_of
from snncc.frontends.torch_recorder.loops.roll import Rolled
from snncc.frontends.torch_recorder.loops.states import States, Varied
from snncc.frontends.torch_recorder.loops.tape import Const
from snncc.frontends.torch_recorder.loops.timing import Place
from snncc.ir.dialects.neurons import Number, State

MOST_KINDS = 1024
"""So many different sets of constants may a layer's neurons have."""
_FIELDS = ("leak", "gain", "bias", "late", "floor", "keep", "amount", "low", "start", "high")


def with_examples(loop: Rolled) -> Rolled:
    """A loop in which constants that differ from neuron to neuron are those of the first."""
    first = {const: float(array.flat[0]) for const, array in loop.arrays.items()}
    return replace(loop, numbers={**first, **loop.numbers})


def varied_populations(
    loop: Rolled, cycle: Cycle, outputs: Collection[Place]
) -> tuple[Population, ...]:
    """The neurons that a cycle is, with constants that may differ from neuron to neuron.

    Args:
        loop: the loop as it is.
        cycle: of `with_examples(loop)`.
        outputs: calls of the cycle whose results are read elsewhere.

    Raises:
        NotRolled: they are no neurons of a program, or of too many kinds.
    """
    forms: list[Form] = [loop.body[place].form for place in cycle.values]
    forms += [form for (place, *_), form in loop.starts.items() if place in cycle.values]
    read = {leaf for form in forms for leaf in leaves(form) if isinstance(leaf, Const)}
    consts = [const for const in loop.arrays if const in read]
    if not consts:
        return populations_of(cycle, outputs)
    kinds, which = _kinds(cycle, [loop.arrays[const] for const in consts])
    found: list[tuple[Population, ...]] = []
    for values in kinds:
        numbers = {**loop.numbers, **dict(zip(consts, map(float, values), strict=True))}
        own = Cycle(replace(loop, numbers=numbers), cycle.places)
        found.append(populations_of(own, outputs, general=True))
    if len({len(each) for each in found}) > 1:
        raise cycle.refused(_UNLIKE)
    return tuple(_as_one(cycle, each, which) for each in zip(*found, strict=True))


_UNLIKE = "its neurons differ in more than numbers, such as a leak of 0"


def _kinds(
    cycle: Cycle, arrays: Sequence[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Different sets of constants, and which of them each neuron has."""
    rank = max(loop_rank(cycle, place) for place in cycle.values)
    spread = np.broadcast_arrays(*(_of_any_image(array, rank) for array in arrays))
    shape = spread[0].shape
    if len(shape) >= rank:
        if shape[0] != 1 or len(shape) > rank:
            raise cycle.refused("a constant in it differs from image to image")
        shape = shape[1:]
    table = np.stack([np.asarray(each, np.float64).reshape(-1) for each in spread], 1)
    kinds, which = np.unique(table, axis=0, return_inverse=True)
    if len(kinds) > MOST_KINDS:
        raise cycle.refused(
            f"its constants differ between neurons, in {len(kinds)} ways; at most {MOST_KINDS}"
        )
    return kinds, which.reshape(shape)


def _of_any_image(array: NDArray[np.float64], rank: int) -> NDArray[np.float64]:
    """A constant that has a row for every image, all of them alike, by its first row."""
    batched = array.ndim == rank and array.shape[0] > 1
    return array[:1] if batched and bool((array == array[:1]).all()) else array


def loop_rank(cycle: Cycle, place: Place) -> int:
    """How many dimensions a call's result has, the batch among them."""
    return cycle.loop.body[place].entry.outs[0].dim()


def _as_one(cycle: Cycle, kinds: Sequence[Population], which: NDArray[np.intp]) -> Population:
    ops = [kind.op for kind in kinds if isinstance(kind.op, States)]
    first = kinds[0]
    alike = all(
        (k.currents, k.bias, k.offset, k.spikes, k.membranes)
        == (first.currents, first.bias, first.offset, first.spikes, first.membranes)
        for k in kinds
    )
    if not alike or len(ops) < len(kinds) or len({_shape_of(op) for op in ops}) > 1:
        raise cycle.refused(_UNLIKE)
    return replace(first, op=Varied(tuple(ops), which))


def _shape_of(op: States) -> tuple[object, ...]:
    """All of a neuron but its numbers."""
    states = tuple((s.swallow, s.floor is None, s.low is None, s.high is None) for s in op.states)
    fire = op.fire
    return states, None if fire is None else (fire.compare, fire.most, fire.below is None)


def joined(varied: Varied, store: Callable[[str, NDArray[np.float64]], Number]) -> States:
    """One description, in which numbers that differ are constants over the neurons.

    Args:
        varied: the neurons.
        store: makes a constant of an array over the last dimensions, by a name of its own.
    """

    def over(name: str, values: Sequence[Number | None]) -> Number | None:
        if all(value == values[0] for value in values):
            return values[0]
        return store(name, np.array(values, np.float64)[varied.which])

    def certain(name: str, values: Sequence[Number]) -> Number:
        found = over(name, values)
        return 0.0 if found is None else found

    def table(name: str, rows: Sequence[Mapping[int, Number]]) -> dict[int, Number]:
        keys = sorted({key for row in rows for key in row})
        return {k: certain(f"{name}_{k}", [row.get(k, 0.0) for row in rows]) for k in keys}

    states: list[State] = []
    for i, each in enumerate(zip(*(kind.states for kind in varied.kinds), strict=True)):
        numbers = {f: over(f"{f}_{i}", [getattr(state, f) for state in each]) for f in _FIELDS}
        tables = {
            f: table(f"{f}_{i}", [getattr(state, f) for state in each]) for f in ("reads", "takes")
        }
        states.append(replace(each[0], **numbers, **tables))
    first = varied.kinds[0]
    fires = [kind.fire for kind in varied.kinds if kind.fire is not None]
    fire = None
    if first.fire is not None:
        fire = replace(
            first.fire,
            threshold=certain("level", [f.threshold for f in fires]),
            step=over("step", [f.step for f in fires]),
            below=over("below", [f.below for f in fires]),
        )
    form = table("form", [kind.form for kind in varied.kinds])
    read = None
    if first.read is not None:
        read = table("read", [kind.read or {} for kind in varied.kinds])
    return States(tuple(states), form, fire, read)
