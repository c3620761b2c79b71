"""Torch functions that only say where elements stand: reshapes, permutes, joins, repeats."""

from collections.abc import Sequence

import torch

from snncc.frontends.torch_recorder.axis_solver import AxisError, Dim
from snncc.frontends.torch_recorder.calls.call import Call, Plan, like
from snncc.frontends.torch_recorder.calls.moves import moved
from snncc.frontends.torch_recorder.calls.time_windows import SOME, SOME_HELP, window_of
from snncc.frontends.torch_recorder.steps import Naming
from snncc.ir import Op
from snncc.ir.dialects import traced as ops


def same(call: Call) -> Plan:
    x = call.source()
    return like(x, x.dims, None)


def cast(call: Call) -> Plan:
    """The same numbers in a type that holds them; spikes fit into every type."""
    x = call.source()
    if call.out.dtype not in (torch.float32, torch.float64) and not call.is_spike(x):
        raise AxisError(
            f"it rounds real numbers to {str(call.out.dtype).removeprefix('torch.')}",
            "leave values in float32 or float64",
        )
    return like(x, x.dims, None)


def reshape(call: Call) -> Plan:
    x = call.source()
    return like(x, call.solver.reshape(x.dims, tuple(call.out.shape)), None)


def flatten(call: Call) -> Plan:
    x = call.source()
    rank = len(x.dims)
    start = call.arg(1, "start_dim", 0) % rank
    end = call.arg(2, "end_dim", -1) % rank
    merged: Dim = tuple(a for d in x.dims[start : end + 1] for a in d)
    return like(x, (*x.dims[:start], merged, *x.dims[end + 1 :]), None)


def unflatten(call: Call) -> Plan:
    x = call.source()
    dim = call.arg(1, "dim") % len(x.dims)
    added = len(call.out.shape) - len(x.dims) + 1
    parts = call.solver.reshape([x.dims[dim]], tuple(call.out.shape[dim : dim + added]))
    return like(x, (*x.dims[:dim], *parts, *x.dims[dim + 1 :]), None)


def unsqueeze(call: Call) -> Plan:
    x = call.source()
    dim = call.arg(1, "dim") % (len(x.dims) + 1)
    return like(x, (*x.dims[:dim], (), *x.dims[dim:]), None)


def squeeze(call: Call) -> Plan:
    """A dropped dimension that is a genuine axis of length 1 moves to its neighbour."""
    x = call.source()
    shape = [call.solver.length(call.solver.roots(d)) for d in x.dims]
    wanted = call.arg(1, "dim")
    chosen = call.dim_list(wanted) if wanted is not None else tuple(range(len(shape)))
    dims: list[Dim] = []
    held: Dim = ()
    for i, d in enumerate(x.dims):
        if i in chosen and shape[i] == 1:
            if dims:
                dims[-1] = (*dims[-1], *d)
            else:
                held = (*held, *d)
        else:
            dims.append((*held, *d))
            held = ()
    return like(x, tuple(dims), None)


def _reorder(call: Call, order: Sequence[int]) -> Plan:
    x = call.source()
    dims = tuple(x.dims[i] for i in order)
    return like(x, dims, lambda n: ops.Rearrange(n.axes(*dims)))


def permute(call: Call) -> Plan:
    given = call.args[1:] if len(call.args) > 2 else (call.arg(1, "dims"),)
    order = given[0] if len(given) == 1 and not isinstance(given[0], int) else given
    return _reorder(call, [int(i) % call.rank() for i in order])


def transpose(call: Call) -> Plan:
    rank = call.rank()
    order = list(range(rank))
    i, j = call.arg(1, "dim0") % rank, call.arg(2, "dim1") % rank
    order[i], order[j] = j, i
    return _reorder(call, order)


def transpose_last(call: Call) -> Plan:
    rank = call.rank()
    return _reorder(call, [*range(rank - 2), rank - 1, rank - 2])


def movedim(call: Call) -> Plan:
    rank = call.rank()
    source = list(call.dim_list(call.arg(1, "source")))
    target = list(call.dim_list(call.arg(2, "destination")))
    rest = iter(i for i in range(rank) if i not in source)
    place = dict(zip(target, source, strict=True))
    return _reorder(call, [place[i] if i in place else next(rest) for i in range(rank)])


def repeat(call: Call) -> Plan:
    """Over time steps as `expand`; along an axis that the value has, as elements that are taken."""
    try:
        return expand(call)
    except AxisError:
        return moved(call)


def expand(call: Call) -> Plan:
    """Only a repetition over the time steps is known; any other repeats data in space."""
    x = call.source()
    lead = len(call.out.shape) - len(x.dims)
    dims: list[Dim] = [*(() for _ in range(lead)), *x.dims]
    grown = [
        i
        for i, d in enumerate(dims)
        if call.solver.length(call.solver.roots(d)) != call.out.shape[i]
    ]
    if not grown:
        return like(x, tuple(dims), None)
    at = grown[0]
    time = call.time_atom
    if len(grown) > 1 or dims[at] != () or call.out.shape[at] != call.solver.size(time):
        raise AxisError("only a repetition over the time steps can be followed")
    if any(time in call.solver.roots(d) for d in dims):
        raise AxisError("a value that has a time axis is repeated")
    dims[at] = (time,)
    if at == 0 or all(d == () for d in dims[:at]):
        return like(x, tuple(dims), lambda n: ops.Repeat())
    raise AxisError("time steps are repeated behind another dimension")


def concat(call: Call) -> Plan:
    tensors = call.arg(0, "tensors")
    values = [call.value_of(t) for t in tensors]
    sources = tuple(v for v in values if v is not None)
    if len(sources) != len(values):
        raise AxisError("a constant is concatenated with values")
    if window_of(call.solver, [dim for source in sources for dim in source.dims]) is not None:
        raise AxisError(SOME, SOME_HELP)
    rank = len(sources[0].dims)
    dim = (call.arg(1, "dim", call.kwargs.get("axis", 0)) or 0) % rank
    for other in sources[1:]:
        for i in range(rank):
            if i != dim:
                call.solver.unify(sources[0].dims[i], other.dims[i])
    mains = [_main_atom(call, s.dims[dim]) for s in sources]
    joined = call.solver.atom("c", int(call.out.shape[dim]))
    lead = call.solver.roots(sources[0].dims[dim])
    place = tuple(joined if atom == mains[0] else atom for atom in lead)
    dims = (*sources[0].dims[:dim], place, *sources[0].dims[dim + 1 :])

    def build(n: Naming) -> Op:
        return ops.TracedConcat(tuple(n.single((m,)) for m in mains), n.single((joined,)))

    return sources, dims, build


def _main_atom(call: Call, dim: Dim) -> int:
    """The axis that a dimension stands for; axes of length 1 may have been merged into it."""
    roots = call.solver.roots(dim)
    long = [a for a in roots if call.solver.size(a) > 1] or list(roots[-1:])
    if len(long) != 1:
        raise AxisError("a dimension made of several axes is concatenated")
    return long[0]
