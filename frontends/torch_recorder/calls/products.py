"""Matrix products of two values: a spike selects what the other adds up."""

from collections.abc import Sequence

from snncc.frontends.torch_recorder.axis_solver import AxisError, Dim
from snncc.frontends.torch_recorder.calls.call import Call, Plan, like
from snncc.frontends.torch_recorder.steps import Build, Naming, Value
from snncc.ir import Op
from snncc.ir.dialects import traced as ops
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.products import Product

BOTH_NUMBERS = AxisError(
    "it adds up products of two values of which neither is spikes",
    "let one of the two be spikes: then the product is a selection",
)


def matrices(call: Call, x: Value, y: Value) -> Plan:
    """Gives x @ y: over the last dimension of x and the one before the last of y."""
    if min(len(x.dims), len(y.dims)) < 2:
        raise AxisError("it is a product with a vector", "unsqueeze it: a matrix of one column")
    rank = max(len(x.dims), len(y.dims)) - 2
    letters = [f"lead{i}" for i in range(rank)]
    left = [*letters[rank - len(x.dims) + 2 :], "row", "sum"]
    right = [*letters[rank - len(y.dims) + 2 :], "sum", "column"]
    return contracted(call, x, left, y, right, [*letters, "row", "column"])


def contracted(
    call: Call,
    x: Value,
    left: Sequence[str],
    y: Value,
    right: Sequence[str],
    after: Sequence[str],
) -> Plan:
    """The sum of products over all letters that the result has not, as an einsum says it.

    Args:
        call: the call.
        x: a value that depends on the input.
        left: a letter for each of its dimensions.
        y: another one.
        right: its letters.
        after: those of the result.
    """
    gate, inverted = _gate_of(call, x, y)
    summed = [n for n in left if n in right and n not in after]
    alone = [n for n in (*left, *right) if n not in after and n not in summed]
    if alone or len({*left}) < len(left) or len({*right}) < len(right) or len(summed) == 0:
        raise AxisError(
            "it is no sum of products over dimensions of both values",
            "sum a value over its own dimensions before the product",
        )
    dims = _joined(call, (x, left), (y, right), after)
    sources = [(x, left), (y, right)] if gate is x else [(y, right), (x, left)]
    named = [
        _renamed(call, inverted if v is gate and inverted else v, names, dims)
        for v, names in sources
    ]
    call.twins.apart([*dims.values()])
    if not any(call.solver.roots(dims[n]) for n in summed) and _one_holds(call, named):
        off = inverted is not None
        return (named[0], named[1]), tuple(dims[n] for n in after), lambda n: Gate(off)
    first, second = (names for _, names in sources)
    order = [*(n for n in first if n not in summed), *(n for n in second if n not in first)]

    def build(n: Naming) -> Op:
        return Product(n.axes(*(dims[each] for each in summed)), inverted is not None)

    plan: Plan = ((named[0], named[1]), tuple(dims[n] for n in order), build)
    if order == [*after]:
        return plan
    made, call.suffix = call.step(plan), ".order"
    result = tuple(dims[n] for n in after)
    return like(made, result, lambda n: ops.Rearrange(n.axes(*result)))


def _one_holds(call: Call, values: Sequence[Value]) -> bool:
    """Whether one of two values has all axes of the other."""
    first, second = ({r for d in v.dims for r in call.solver.roots(d)} for v in values)
    return first <= second or second <= first


def _gate_of(call: Call, x: Value, y: Value) -> tuple[Value, Value | None]:
    """Which of the two are the spikes, or 1 - s of spikes s, with these s."""
    for value in (x, y):
        spikes = call.complement_of(value)
        if spikes is not None:
            return value, spikes
    for value in (x, y):
        if call.is_spike(value):
            return value, None
    raise BOTH_NUMBERS


def _joined(
    call: Call, x: tuple[Value, Sequence[str]], y: tuple[Value, Sequence[str]], after: Sequence[str]
) -> dict[str, Dim]:
    """For every letter its dimension: those of both that stay are one, all others get new names."""
    left = dict(zip(x[1], x[0].dims, strict=True))
    right = dict(zip(y[1], y[0].dims, strict=True))
    dims: dict[str, Dim] = {}
    for letter in dict.fromkeys((*x[1], *y[1])):
        a, b = left.get(letter, ()), right.get(letter, ())
        if letter in left and letter in right and letter in after:
            if a and b:
                call.solver.unify(a, b)
            dims[letter] = a or b
            continue
        _refuse_steps(call, (a, b))
        if letter in left and letter in right:
            lengths = {call.solver.length(call.solver.roots(d)) for d in (a, b)}
            if len(lengths) > 1:
                raise AxisError("it adds up along dimensions of different lengths")
        dims[letter] = call.twins.twin(a or b)
        if a and b:
            call.twins.pair(b, dims[letter])
    return dims


def _renamed(call: Call, value: Value, letters: Sequence[str], dims: dict[str, Dim]) -> Value:
    """The value with the product's names of its axes."""
    own = [
        (before, dims[letter])
        for before, letter in zip(value.dims, letters, strict=True)
        if before is not dims[letter] and before
    ]
    result = tuple(dims[n] if d else () for d, n in zip(value.dims, letters, strict=True))
    return call.step(like(value, result, _take(own, result)), ".axes")


def _take(own: Sequence[tuple[Dim, Dim]], result: tuple[Dim, ...]) -> Build:
    def build(n: Naming) -> Op:
        pairs = [
            (a, b, size)
            for before, after in own
            for a, b, size in zip(n.axes(before), n.axes(after), n.shape(before), strict=True)
            if a != b
        ]
        if not pairs:
            return ops.Rearrange(n.axes(*result))
        axes, out = tuple(a for a, _, _ in pairs), tuple(b for _, b, _ in pairs)
        return Take(axes, out, tuple((0, 1, size) for _, _, size in pairs))

    return build


def _refuse_steps(call: Call, dims: Sequence[Dim]) -> None:
    """Refuses products that mix time steps or images."""
    for dim in dims:
        roots = set(call.solver.roots(dim))
        if call.time_atom in roots:
            raise AxisError("it mixes time steps", "a program treats all steps alike")
        if call.batch_atom in roots:
            raise AxisError("it mixes the images of a batch", "treat all images alike")
