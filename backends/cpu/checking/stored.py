"""Values that are read and written as a whole, by the address that the plan states for them."""

import numpy as np

from snncc.backends.cpu.checking.exact import Ints
from snncc.backends.cpu.checking.products import Span
from snncc.backends.cpu.checking.shadow import Numbers, Shadow
from snncc.backends.cpu.checking.wrong import require
from snncc.backends.cpu.plan.places import Place
from snncc.ir import TIME


def loaded(place: Place, shadow: Shadow, span: Span, what: str) -> Numbers:
    """Integers that lie in the working memory, [steps, *axes without time]."""
    require(place.size in (2, 4, 8), f"{what} has {place.size} bytes an element")
    return shadow.load(addresses(place, span), place.size)


def addresses(place: Place, span: Span) -> Ints:
    """Of every element, [steps, *axes without time]."""
    steps = span.count if place.type.temporal else 1
    names = (TIME, *(name for name in place.type.names if name != TIME))
    sizes = (steps, *(place.type.size(name) for name in names[1:]))
    found: Ints = np.full([1] * len(names), place.at, np.int64)
    for axis, (name, size) in enumerate(zip(names, sizes, strict=True)):
        shape = [1] * len(names)
        shape[axis] = size
        found = found + (np.arange(size) * place.strides.get(name, 0)).reshape(shape)
    return found
