"""Arrays that refuse to multiply: on them the interpreter proves a program by running it.

What is refused is arithmetic on DATA: pixels, spikes, currents, membranes and the program's
constants. Positions are not data: `nonzero` gives plain index arrays, and arithmetic on those
(which row, which column) is bookkeeping, as are shapes and axes. A plain index array may say where
data is read or written; as an operand beside data it is refused, and data may not be an index.

Allowed are select, add, subtract, negate, compare, logic, shift by a constant, and moves. All else
is refused because it is not in these lists: multiply, matmul, dot, einsum, divide, power, sqrt,
exp, and whatever a later NumPy brings. So is every type but integers and booleans, also as a
result (uint64 + int64 is a float), and every cast that would change a value.

The class is a wrapper, not an ndarray: there is no view, no buffer and no conversion by which
plain data could get out, and each result is such an array again.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from snncc.ir import Array

UFUNCS: Mapping[str, str] = {
    "add": "adds",
    "subtract": "subtracts",
    "negative": "subtracts",
    "left_shift": "shifts",
    "right_shift": "shifts",
    **dict.fromkeys(
        ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"), "compares"
    ),
    **dict.fromkeys(
        ("bitwise_and", "bitwise_or", "bitwise_xor", "invert"),
        "logic",
    ),
    **dict.fromkeys(("logical_and", "logical_or", "logical_not", "logical_xor"), "logic"),
}
"""What is counted for each elementwise function; there are no others."""
MOVES = {
    *("stack", "concatenate", "moveaxis", "broadcast_to", "repeat", "pad", "zeros_like"),
    "empty_like",
}
KINDS = "biu"
"""Booleans, signed and unsigned integers."""


class ArithmeticRefused(Exception):
    """A program, or the interpreter, asked for more than the ladder's arithmetic.

    Attributes:
        node: where.
        what: what was asked for.
    """

    def __init__(self, node: str, what: str) -> None:
        super().__init__(f"{node}: {what}")
        self.node, self.what = node, what


class Tally:
    """Operations on data, by node and kind."""

    def __init__(self) -> None:
        self.node = ""
        self.counts: dict[str, Counter[str]] = {}

    def enter(self, node: str) -> None:
        self.node = node
        self.counts.setdefault(node, Counter())

    def count(self, kind: str, number: int) -> None:
        self.counts.setdefault(self.node, Counter())[kind] += number

    def refuse(self, what: str) -> ArithmeticRefused:
        return ArithmeticRefused(self.node, what)


class RefusingArray(NDArrayOperatorsMixin):
    """Integers that can be selected, added, compared, shifted and moved, and nothing else.

    Arithmetic among constants alone is done at compile time by any implementation: it is refused
    like all other, but not counted.

    Args:
        data: integers or booleans.
        tally: where operations are counted.
        constant: whether this belongs to the program, not to the data.
    """

    def __init__(self, data: Array, tally: Tally, constant: bool = False) -> None:
        if data.dtype.kind not in KINDS:
            raise tally.refuse(f"numbers of type {data.dtype}")
        self._data, self._tally, self._constant = data, tally, constant

    def release(self) -> Array:
        """The plain array: for the end of a proof, never inside a program."""
        return self._data

    # Bookkeeping: shapes and places, no arithmetic.

    @property
    def shape(self) -> tuple[int, ...]:
        return self._data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._data.dtype

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator["RefusingArray"]:
        return (self[i] for i in range(len(self)))

    def transpose(self, *axes: Any) -> "RefusingArray":
        return self._like(self._data.transpose(*axes))

    def reshape(self, *shape: Any) -> "RefusingArray":
        return self._like(self._data.reshape(*shape))

    def astype(self, dtype: Any) -> "RefusingArray":
        """The same values in another integer type.

        Raises:
            ArithmeticRefused: the type is no integer, or a value would change.
        """
        if np.dtype(dtype).kind not in KINDS:
            raise self._tally.refuse(f"a cast to {np.dtype(dtype)}")
        cast = self._data.astype(dtype)
        if not np.array_equal(cast, self._data):
            raise self._tally.refuse(f"a cast to {np.dtype(dtype)} that changes values")
        return self._like(cast)

    def any(self) -> bool:
        """Whether a constant has a nonzero element; data may select, not branch."""
        if not self._constant:
            raise self._tally.refuse("a branch on data")
        return bool(self._data.any())

    def __bool__(self) -> bool:
        if self._data.ndim:
            raise self._tally.refuse("the truth of an array")
        return self.any()

    def __getitem__(self, index: Any) -> "RefusingArray":
        """A view, or a selection: an index array, or a mask of data, picks elements."""
        place, gathers = self._place(index)
        found = self._data[place]
        if not gathers:
            return self._like(np.asarray(found))
        self._tally.count("selects", found.size)
        return RefusingArray(found, self._tally)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._data[self._place(index)[0]] = self._operand(value)
        self._constant = False

    def sum(self, axis: int) -> "RefusingArray":
        total: RefusingArray = np.add.reduce(self, axis=axis)
        return total

    def __array__(self, *_: object, **__: object) -> Array:
        raise self._tally.refuse("a plain array of data")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise self._tally.refuse(f"the method {name}")

    # Arithmetic.

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        kind, tally = UFUNCS.get(ufunc.__name__), self._tally
        if kind is None:
            raise tally.refuse(ufunc.__name__)
        if method == "__call__" and not options:
            operands = [self._operand(x) for x in inputs]
            if kind == "shifts" and not _constant(inputs[1]):
                raise tally.refuse(f"{ufunc.__name__} by data")
            result = np.asarray(ufunc(*operands))
            fixed = all(map(_constant, inputs))
            if not fixed and not _idle(kind, operands):
                tally.count(kind, result.size)
            return RefusingArray(result, tally, fixed)
        if method == "reduce" and kind == "adds" and set(options) == {"axis"}:
            return self._added(np.asarray(np.add.reduce(self._data, **options)))
        if method == "reduceat" and kind == "adds" and set(options) == {"axis"}:
            return self._added(np.add.reduceat(self._data, inputs[1], **options))
        raise tally.refuse(f"{ufunc.__name__}.{method} with {sorted(options)}")

    def _added(self, total: Array) -> "RefusingArray":
        """Each element of the total took one addition fewer than elements went into it."""
        if not self._constant:
            self._tally.count("adds", max(0, self._data.size - total.size))
        return RefusingArray(total, self._tally, self._constant)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: Any, options: Any
    ) -> Any:
        name, tally = function.__name__, self._tally
        seen: list[bool] = []
        plain = [self._plain(x, seen) for x in args]
        named = {key: self._plain(x, seen) for key, x in options.items()}
        if name == "nonzero":
            return function(*plain)
        if name == "count_nonzero":  # a measurement for the report, which no node reads
            return function(*plain, **named)
        if name == "where" and len(plain) == 3:
            result = np.asarray(function(*plain))
            tally.count("selects", 0 if all(seen) else result.size)
            return RefusingArray(result, tally, all(seen))
        if name == "pad" and (options or len(args) > 2):
            raise tally.refuse("a padding other than zeros")
        if name in MOVES:
            fresh = name in ("zeros_like", "empty_like")
            return RefusingArray(function(*plain, **named), tally, all(seen) and not fresh)
        raise tally.refuse(name)

    def _plain(self, value: Any, seen: list[bool]) -> Any:
        """An argument without wrappers; notes for each wrapper whether it is a constant."""
        if isinstance(value, RefusingArray):
            seen.append(value._constant)
            return value._data
        if isinstance(value, list | tuple):
            parts: list[Any] = [self._plain(x, seen) for x in value]  # pyright: ignore
            return parts if isinstance(value, list) else tuple(parts)
        if isinstance(value, type | str | np.dtype) or value is None:
            return value  # pyright: ignore
        return self._operand(value)

    def _operand(self, value: Any) -> Any:
        """An operand as NumPy takes it.

        Raises:
            ArithmeticRefused: a plain array beside data, or a number that is no integer.
        """
        if isinstance(value, RefusingArray):
            return value._data
        if isinstance(value, np.ndarray) and value.ndim:  # pyright: ignore
            raise self._tally.refuse("a plain array beside data")
        if np.asarray(value).dtype.kind not in KINDS:
            raise self._tally.refuse(f"the number {value!r}")
        return value

    def _place(self, index: Any) -> tuple[Any, bool]:
        """An index as NumPy takes it, and whether it picks element by element."""
        parts: list[Any] = list(index) if isinstance(index, tuple) else [index]  # pyright: ignore
        place: list[Any] = []
        gathers = False
        for part in parts:
            if isinstance(part, RefusingArray):
                if part.dtype.kind != "b":
                    raise self._tally.refuse("a look-up by data")
                part = part._data
            gathers = gathers or isinstance(part, np.ndarray)
            place.append(part)
        return (tuple(place) if isinstance(index, tuple) else place[0]), gathers

    def _like(self, data: Array) -> "RefusingArray":
        return RefusingArray(data, self._tally, self._constant)


def _idle(kind: str, operands: list[Any]) -> bool:
    """A shift by 0, or the number 0 as a term: a wire, not an operation."""
    if kind == "shifts":
        return not np.any(operands[1])
    return kind == "adds" and any(np.ndim(x) == 0 and x == 0 for x in operands)


def _constant(value: Any) -> bool:
    return not isinstance(value, RefusingArray) or value._constant
