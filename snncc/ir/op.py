"""What every op of every dialect is: a frozen record with one type rule and one check."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from snncc.ir.types import ValueType

Array = NDArray[Any]


class TypeRuleError(ValueError):
    """An op does not fit its inputs; the verifier adds the node's name and place."""


class TooWide(TypeRuleError):
    """A number needs more than `WIDEST` bits: fewer bits of weights or fewer steps may do."""


@dataclass(frozen=True, slots=True)
class Param:
    """A constant array over named axes; axes that it lacks are broadcast.

    Attributes:
        name: key in the graph's constants.
        axes: names of the array's axes, in order.
    """

    name: str
    axes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"@{self.name}[{', '.join(self.axes)}]"


@dataclass(frozen=True, slots=True)
class Context:
    """What a type rule may look at besides its inputs: T and the constants."""

    steps: int
    constants: Mapping[str, Array]

    def array(self, param: Param) -> Array:
        """The array of a constant. Raises TypeRuleError when it is missing or has another rank."""
        if param.name not in self.constants:
            raise TypeRuleError(f"constant @{param.name} is missing")
        array = self.constants[param.name]
        if array.ndim != len(param.axes):
            raise TypeRuleError(
                f"constant @{param.name} has {array.ndim} axes, the op names {len(param.axes)}"
            )
        return array


@dataclass(frozen=True)
class Op:
    """Base of all ops.

    Subclasses are frozen dataclasses whose fields are JSON-like values (str, int, float, bool,
    None, Param, an enum of strings, tuples of these): that alone gives the text form and the
    artefact's form, but for the words that `stored_words` keeps as they were.
    """

    mnemonic: ClassVar[str]
    looks_back: ClassVar[bool] = False
    """Whether it reads what was at earlier steps only, so that its source may come after it."""

    @property
    def breaks_loops(self) -> bool:
        """Whether what it gives is bounded whatever it reads, as spikes are.

        Every loop leads through one that does.
        """
        return False

    @property
    def word(self) -> str:
        """The op in texts and files: one word for each op and its fields."""
        return self.mnemonic

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        """Type of the result. Raises TypeRuleError when the inputs do not fit."""
        raise NotImplementedError(self.mnemonic)

    def verify(self, inputs: tuple[ValueType, ...], context: Context) -> None:
        """Checks what `infer` need not look at. Raises TypeRuleError."""


WIDEST = 62
"""No integer of a program may need more bits: executors hold sums in 64-bit registers."""


def require(condition: bool, message: str) -> None:
    """Raises TypeRuleError(message) unless the condition holds."""
    if not condition:
        raise TypeRuleError(message)


def require_room(condition: bool, message: str) -> None:
    """Raises TooWide(message) unless the condition holds: `WIDEST` bits are enough."""
    if not condition:
        raise TooWide(message)


def require_narrow(what: object, *ends: int) -> None:
    """Raises TooWide where a number of an interval needs more than `WIDEST` bits."""
    widest = max([(n if n >= 0 else ~n).bit_length() + 1 for n in ends])
    if widest > WIDEST:  # `what` is a text when it is needed, which takes longer than to compare
        raise TooWide(f"{what} can need {widest} bits, more than {WIDEST}")


def require_axes(param: Param, target: ValueType, context: Context) -> Array:
    """The array of a constant that lies over some of a value's axes, each of the same length."""
    array = context.array(param)
    require(len(set(param.axes)) == len(param.axes), f"{param} names an axis twice")
    sizes = {axis.name: axis.size for axis in target.axes}
    for name, size in zip(param.axes, array.shape, strict=True):
        if name not in sizes:
            raise TypeRuleError(f"{param} lies over axis {name!r}, which {target} lacks")
        if size != sizes[name]:
            raise TypeRuleError(
                f"{param} has {size} elements on axis {name!r}, the value has {sizes[name]}"
            )
    return array


def is_integer(array: Array) -> bool:
    return bool(np.issubdtype(array.dtype, np.integer))
