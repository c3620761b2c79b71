"""Spikes that somebody else recorded, brought into the axes of a program, or refused."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from snncc.diagnostics import SnnccError
from snncc.ir import TIME, Array, ValueType
from snncc.ir.arrays import count
from snncc.runtime.recording import BATCH, Recording

FORM = "give --axes 'NAME=t,batch,c,(h w)': every axis in the array's order"


@dataclass(frozen=True)
class AxisOrder:
    """What a user says about the axes of recorded arrays.

    Attributes:
        pattern: of populations' names, as in a shell.
        groups: names of each axis; several where one axis of the array holds several.
    """

    pattern: str
    groups: tuple[tuple[str, ...], ...]


def parse_order(text: str) -> AxisOrder:
    """An order from "PATTERN=c,(h w)", or "c,(h w)" for every population.

    Raises:
        SnnccError: SNN001 when it has another form.
    """
    pattern, equals, order = text.rpartition("=")
    parts = [part.strip() for part in order.split(",")]
    if not all(re.fullmatch(r"\w+|\(\s*\w+(\s+\w+)*\s*\)", part) for part in parts):
        raise SnnccError("SNN001", f"{text!r} is no order of axes", help=FORM)
    groups = tuple(tuple(part.strip("()").split()) for part in parts)
    return AxisOrder(pattern if equals else "*", groups)


def stated(order: AxisOrder, name: str, array: Array, kind: ValueType) -> Array:
    """A recorded array as [batch, t, ...] of the program, by what the user says.

    An axis is named as in the program, or without the number at its end where only one fits.
    Without `t` and `batch` the array leads with them; axes of length 1 may be left out.

    Raises:
        SnnccError: SNN016 when the array is not of these axes.
    """
    groups = [tuple(_axis(n, name, kind) for n in group) for group in order.groups]
    named = [n for group in groups for n in group]
    for lead in (BATCH, TIME):
        if lead not in named:
            groups.insert(0, (lead,))
    known = {axis.name: axis.size for axis in kind.axes}
    flat = [n for group in groups for n in group]
    rest = [n for n in known if n not in flat]
    places = [i for i, group in enumerate(groups) if group == (BATCH,)]
    known[BATCH] = array.shape[places[0]] if places and places[0] < array.ndim else -1
    sizes = tuple(count(tuple(known[n] for n in group)) for group in groups)
    if len(set(flat)) != len(flat) or sizes != array.shape or any(known[n] != 1 for n in rest):
        said = ",".join(" ".join(group) for group in groups)
        raise _refused(name, array, kind, f"it is not of the axes {said}")
    return _moved(array, [*flat, *rest], known, kind)


def inferred(name: str, array: Array, kind: ValueType) -> Array:
    """An array [T, batch, ...] as [batch, t, ...] of the program, where lengths leave one way.

    Raises:
        SnnccError: SNN016 when no order of the program's axes fits, or several do.
    """
    if array.ndim < 2 or array.shape[0] != kind.size(TIME):
        raise _refused(name, array, kind, f"it does not lead with {kind.size(TIME)} time steps")
    axes = [axis for axis in kind.axes if axis.name != TIME and axis.size > 1]
    ends = set(itertools.accumulate(array.shape[2:], lambda a, b: a * b, initial=1))
    fitting = [
        order
        for order in itertools.permutations(axes)
        if ends <= set(itertools.accumulate((a.size for a in order), lambda a, b: a * b, initial=1))
        and count(tuple(a.size for a in order)) == count(array.shape[2:])
    ]
    if len(fitting) != 1:
        ways = " or ".join(",".join(a.name for a in order) for order in fitting[:3])
        raise _refused(name, array, kind, f"its axes could be {ways}" if ways else "no order fits")
    rest = [a for a in kind.axes if a.name != TIME and a.size == 1]
    known = {a.name: a.size for a in kind.axes} | {BATCH: array.shape[1]}
    return _moved(array, [TIME, BATCH, *(a.name for a in (*fitting[0], *rest))], known, kind)


def arranged(
    name: str, array: Array, axes: tuple[str, ...], kind: ValueType, orders: Sequence[AxisOrder]
) -> Array:
    """A recorded array as [batch, t, ...], the other axes in the program's order.

    Args:
        name: of the population.
        array: what was recorded.
        axes: what the recording says its axes are; () when it says nothing.
        kind: type of the population's spikes in the program.
        orders: what the user says; the first whose pattern fits counts.

    Raises:
        SnnccError: SNN016 when the axes do not fit, or nothing says which they are.
    """
    if axes:
        known = {axis.name: axis.size for axis in kind.axes}
        known[BATCH] = array.shape[axes.index(BATCH)]
        if set(axes) != set(known) or tuple(known[n] for n in axes) != array.shape:
            raise _refused(name, array, kind, f"it is recorded over {', '.join(axes)}")
        return _moved(array, list(axes), known, kind)
    for order in orders:
        if fnmatchcase(name, order.pattern):
            return stated(order, name, array, kind)
    return inferred(name, array, kind)


def require_use(
    orders: Sequence[AxisOrder], texts: Sequence[str], recordings: Sequence[Recording]
) -> None:
    """Refuses orders that say nothing about any recorded array.

    Raises:
        SnnccError: SNN001 for the first of them.
    """
    nameless = {n for each in recordings for n in each.spikes if not each.axes.get(n)}
    fitting = [{n for n in nameless if fnmatchcase(n, order.pattern)} for order in orders]
    for place, names in enumerate(fitting):
        if not names - set().union(*fitting[:place]):
            why = "the recordings name the axes of every population"
            if names:
                why = "an --axes before it says all that it says"
            elif nameless:
                why = f"no population without named axes is called {orders[place].pattern!r}"
            raise SnnccError(
                "SNN001",
                f"--axes {texts[place]!r} has no effect here",
                why=why,
                help="leave it out",
            )


def _axis(said: str, name: str, kind: ValueType) -> str:
    if said == BATCH or said in kind.names:
        return said
    close = [n for n in kind.names if n.rstrip("0123456789") == said]
    if len(close) != 1:
        axes = ", ".join(map(str, kind.axes))
        raise SnnccError("SNN016", f"{name} has no one axis {said!r}", why=f"it has {axes}")
    return close[0]


def _moved(array: Array, flat: list[str], sizes: dict[str, int], kind: ValueType) -> Array:
    target = [BATCH, TIME, *(n for n in kind.names if n != TIME)]
    return array.reshape([sizes[n] for n in flat]).transpose([flat.index(n) for n in target])


def _refused(name: str, array: Array, kind: ValueType, why: str) -> SnnccError:
    axes = ", ".join(map(str, kind.axes))
    message = f"spikes of {name} are {list(array.shape)}, the program's are over {axes}"
    return SnnccError("SNN016", message, why=why, help=FORM)
