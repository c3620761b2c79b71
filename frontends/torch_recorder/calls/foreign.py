"""Dimensions of what no handler lowers, as far as they are known for sure.

A verdict wants axes and time steps of such a value too; the compiler refuses it whatever they are.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_flatten

from snncc.frontends.torch_recorder.axis_solver import Dim
from snncc.frontends.torch_recorder.calls.call import Call
from snncc.frontends.torch_recorder.steps import Value

PRODUCTS = frozenset(
    (
        *("matmul", "rmatmul", "mm", "bmm", "mv", "dot", "einsum"),
        *("addmm", "baddbmm", "bilinear", "linear"),
    )
)
"""Functions whose elements are sums of products."""
POSITIONS = frozenset(("getitem", "index_select", "gather", "take"))
"""Functions whose constant tensors say where, not what."""
Shaped = tuple[tuple[Dim, ...], int]
"""Dimensions of the result, and how many products are added up for one element of it."""


def shaped(call: Call, name: str, sources: tuple[Value, ...], batch_atom: int) -> Shaped:
    """Dimensions of a foreign result; unknown ones are new axes.

    Args:
        call: what was recorded.
        name: of the function.
        sources: the data operands.
        batch_atom: with the time axis it is kept where it stands.
    """
    rule = RULES.get(name)
    found = None if rule is None else rule(call, sources)
    if found is not None:
        dims, terms = found
        return _checked(call, dims), terms
    terms = 0 if name in PRODUCTS else 1
    for source in sources:
        if _lengths(call, source.dims) == tuple(call.out.shape):
            return source.dims, terms
    marks = {call.time_atom, batch_atom}
    known = [d if marks & set(call.solver.roots(d)) else None for d in sources[0].dims]
    rest: list[Dim | None] = [None] * max(0, len(call.out.shape) - len(known))
    return _checked(call, [*known, *rest][: len(call.out.shape)]), terms


def note_of(call: Call, name: str) -> str:
    """What a verdict has to know besides the function's name, in words."""
    fill = call.arg(1 if name == "full_like" else 2, "fill_value")
    if name in ("full_like", "new_full") and isinstance(fill, int | float):
        return f"filled with {float(fill)}"
    return ""


def has_constants(call: Call, name: str) -> bool:
    """Whether numbers of the model, not only of the input, end up in the result."""
    if name in POSITIONS:
        return False
    leaves = tree_flatten((call.args, call.kwargs))[0]
    tensors = [a for a in leaves if isinstance(a, torch.Tensor)]
    filled = name == "pad" and bool(call.arg(3, "value", 0))
    return filled or any(call.value_of(tensor) is None for tensor in tensors)


def is_complex(call: Call) -> bool:
    """Whether complex numbers are among what a function reads or gives."""
    tensors = [a for a in tree_flatten((call.args, call.kwargs))[0] if isinstance(a, torch.Tensor)]
    return any(tensor.is_complex() for tensor in (*tensors, call.out))


def _checked(call: Call, dims: list[Dim | None]) -> tuple[Dim, ...]:
    """Known dimensions where their lengths fit, each axis once; a new axis elsewhere."""
    used: set[int] = set()
    result: list[Dim] = []
    for dim, size in zip(dims, call.out.shape, strict=True):
        roots = () if dim is None else call.solver.roots(dim)
        fits = dim is not None and call.solver.length(roots) == size and not used & set(roots)
        if fits and roots:
            result.append(roots)
            used |= set(roots)
        else:
            result.append((call.solver.atom("x", int(size)),) if size != 1 else ())
    return tuple(result)


def _lengths(call: Call, dims: tuple[Dim, ...]) -> tuple[int, ...]:
    return tuple(call.solver.length(call.solver.roots(d)) for d in dims)


Rule = Callable[[Call, tuple[Value, ...]], tuple[list[Dim | None], int] | None]


def _matmul(call: Call, sources: tuple[Value, ...]) -> tuple[list[Dim | None], int] | None:
    """A product of two values: rows of the left one, columns of the right one."""
    left, right = call.arg(0, "input"), call.arg(1, "other", call.kwargs.get("mat2"))
    x, y = call.value_of(left), call.value_of(right)
    if x is None or y is None or min(left.dim(), right.dim()) < 2:
        return None
    lead = max((x, y), key=lambda v: len(v.dims)).dims[:-2]
    return [*lead, x.dims[-2], y.dims[-1]], int(left.shape[-1])


def _einsum(call: Call, sources: tuple[Value, ...]) -> tuple[list[Dim | None], int] | None:
    """Every letter is a dimension; those that vanish are added up."""
    equation, operands = call.arg(0, "equation"), call.args[1:]
    if not isinstance(equation, str) or "->" not in equation or "." in equation:
        return None
    given = operands[0] if len(operands) == 1 and not _is_tensor(operands[0]) else operands
    before, after = equation.replace(" ", "").split("->")
    dims: dict[str, Dim | None] = {}
    sizes: dict[str, int] = {}
    for letters, operand in zip(before.split(","), given, strict=True):
        value = call.value_of(operand)
        for at, letter in enumerate(letters):
            sizes[letter] = int(operand.shape[at])
            if value is not None:
                dims.setdefault(letter, value.dims[at])
    terms = 1
    for letter, size in sizes.items():
        terms *= 1 if letter in after else size
    return [dims.get(letter) for letter in after], terms


def _pool(call: Call, sources: tuple[Value, ...]) -> tuple[list[Dim | None], int] | None:
    """Channels stay, windows become new axes."""
    known = sources[0].dims
    spatial = 2 if len(known) > 3 else 1
    return [*known[:-spatial], *([None] * spatial)], 1


def _product(call: Call, sources: tuple[Value, ...]) -> tuple[list[Dim | None], int] | None:
    """Elementwise: the longer of two broadcast dimensions."""
    rank = len(call.out.shape)
    rows: list[list[Dim]] = [[*(() for _ in range(rank - len(s.dims))), *s.dims] for s in sources]
    dims: list[Dim | None] = []
    for at in range(rank):
        fitting = [r[at] for r in rows if _lengths(call, (r[at],)) == (call.out.shape[at],)]
        dims.append(fitting[0] if fitting else None)
    return dims, 1


def _cut(call: Call, sources: tuple[Value, ...]) -> tuple[list[Dim | None], int] | None:
    """Pieces along one dimension."""
    at = int(call.arg(2, "dim", 0)) % len(sources[0].dims)
    return [None if i == at else d for i, d in enumerate(sources[0].dims)], 1


def _dropped(call: Call, sources: tuple[Value, ...]) -> tuple[list[Dim | None], int] | None:
    """One element along one dimension."""
    at = int(call.arg(1, "dim", 0)) % len(sources[0].dims)
    return [d for i, d in enumerate(sources[0].dims) if i != at], 1


def _stacked(call: Call, sources: tuple[Value, ...]) -> tuple[list[Dim | None], int] | None:
    """Side by side along a new dimension."""
    known: list[Dim | None] = [*sources[0].dims]
    at = int(call.arg(1, "dim", 0)) % (len(known) + 1)
    return [*known[:at], None, *known[at:]], 1


def _indexed(call: Call, sources: tuple[Value, ...]) -> tuple[list[Dim | None], int] | None:
    """Python's brackets: numbers drop a dimension, slices keep it."""
    given = call.args[1]
    parts: list[Any] = list(given) if isinstance(given, tuple) else [given]
    if not all(p is None or p is Ellipsis or isinstance(p, int | slice) for p in parts):
        return None
    consumed = sum(isinstance(p, int | slice) for p in parts)
    missing = len(sources[0].dims) - consumed
    where = next((i for i, p in enumerate(parts) if p is Ellipsis), None)
    fill: list[Any] = [slice(None)] * missing
    parts = [*parts, *fill] if where is None else [*parts[:where], *fill, *parts[where + 1 :]]
    dims: list[Dim | None] = []
    left = iter(sources[0].dims)
    for part in parts:
        if part is None:
            dims.append(())
        elif isinstance(part, int):
            next(left)
        else:
            dims.append(next(left))
    return dims, 1


def _is_tensor(thing: Any) -> bool:
    return isinstance(thing, torch.Tensor)


_GROUPS: dict[Rule, str] = {
    _matmul: "matmul rmatmul mm bmm",
    _einsum: "einsum",
    _pool: "max_pool1d max_pool2d avg_pool1d avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d",
    _product: "mul imul rmul multiply add iadd radd sub isub rsub subtract maximum minimum where "
    "logical_and logical_or and or xor ge gt le lt eq ne",
    _cut: "chunk split tensor_split",
    _dropped: "unbind select",
    _stacked: "stack",
    _indexed: "getitem",
}
RULES: dict[str, Rule] = {name: rule for rule, names in _GROUPS.items() for name in names.split()}
