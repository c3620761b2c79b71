"""What a general neuron computes in real numbers, step by step; see `Neuron`."""

from dataclasses import dataclass

import numpy as np

from snncc.ir import TIME, Graph, Param
from snncc.ir.arrays import at_step, over_steps
from snncc.ir.arrays import spread as spread_over
from snncc.ir.dialects.neurons import READ, STATE, Neuron
from snncc.semantics.arrays import Real


@dataclass(frozen=True)
class Coefficients:
    """The constants of a neuron, [state, *axes of one step]; what they lack has length 1.

    Attributes:
        reads, takes: [state, state that is read, *axes].
        bias: [t or 1, state, *axes].
        threshold: [t or 1, *axes]; None where the neuron never fires.
        below: likewise; None where no spike is negative.
        step: from one threshold to the next.
        read: what it gives of its membranes; None where it gives something else.
        floor, low: -inf where a state has none; high: inf.
    """

    leak: Real
    gain: Real
    form: Real
    bias: Real
    reads: Real
    late: Real
    keep: Real
    amount: Real
    takes: Real
    start: Real
    floor: Real
    low: Real
    threshold: Real | None
    below: Real | None
    step: Real
    read: Real | None
    high: Real


def coefficients(graph: Graph, op: Neuron, rest: tuple[str, ...]) -> Coefficients:
    """The constants of a neuron whose axes of one step are `rest`."""
    n = op.states(graph.context)

    def over(param: Param | None, lead: tuple[str, ...], usual: float) -> Real:
        target = (*lead, *rest)
        if param is None:
            return np.full(
                [*(n if a in (STATE, READ) else 1 for a in lead), *[1] * len(rest)], usual
            )
        return spread_over(np.asarray(graph.constants[param.name], np.float64), param.axes, target)

    def ends(param: Param | None, flags: tuple[bool, ...], none: float = -np.inf) -> Real:
        have = np.array(flags or (False,) * n).reshape(-1, *[1] * len(rest))
        return np.where(have, over(param, (STATE,), 0.0), none)

    row, square = (STATE,), (STATE, READ)
    return Coefficients(
        leak=over(op.leak, row, 0.0),
        gain=over(op.gain, row, 0.0),
        form=over(op.form, row, 0.0),
        bias=over(op.bias, (TIME, STATE), 0.0),
        reads=over(op.reads, square, 0.0),
        late=over(op.late, row, 0.0),
        keep=over(op.keep, row, 1.0),
        amount=over(op.amount, row, 0.0),
        takes=over(op.takes, square, 0.0),
        start=over(op.start, row, 0.0),
        floor=ends(op.floor, op.has_floor),
        low=ends(op.low, op.has_low),
        threshold=None if op.threshold is None else over(op.threshold, (TIME,), 0.0),
        below=None if op.below is None else over(op.below, (TIME,), 0.0),
        step=over(op.step, (), 1.0),
        read=None if op.read is None else over(op.read, row, 0.0),
        high=ends(op.high, op.has_high, np.inf),
    )


def run_neuron(
    graph: Graph, op: Neuron, current: Real, names: tuple[str, ...], given: Real | None = None
) -> tuple[Real, Real]:
    """Spikes S and forms F, both [batch, t, *axes without time]; S is 0 where it never fires.

    Where membranes are read, what is read of them stands in the place of forms.

    Args:
        graph: holds the constants.
        op: the neuron.
        current: [batch, *names].
        names: axes of the current.
        given: spikes after which states are reset, [batch, t, *axes], in place of its own.
    """
    rest = tuple(n for n in names if n != TIME)
    c = coefficients(graph, op, rest)
    swallow = op.swallow or (False,) * len(c.leak)
    x = over_steps(current, names, graph.steps)
    shape = (x.shape[0], *x.shape[2:])
    v = [np.broadcast_to(start, shape) for start in c.start]
    before = np.zeros(shape)
    spikes, forms = np.zeros(x.shape), np.empty(x.shape)
    for t in range(graph.steps):
        u: list[Real] = []
        for i in range(len(v)):
            level = c.leak[i] * v[i] + c.gain[i] * x[:, t] + at_step(c.bias, t)[i]
            for j in range(len(v)):
                if j != i and c.reads[i, j].any():
                    level = level + c.reads[i, j] * (u[j] if j < i else v[j])
            level = level - c.late[i] * before
            level = np.where(before != 0, 0.0, level) if swallow[i] else level
            u.append(np.minimum(np.maximum(level, c.floor[i]), c.high[i]))
        form = _sum([c.form[i] * each for i, each in enumerate(u)])
        forms[:, t] = form
        if c.threshold is None:
            v = [np.maximum(each, c.low[i]) for i, each in enumerate(u)]
            continue
        below = None if c.below is None else at_step(c.below, t)
        spikes[:, t] = spikes_of(op, form, at_step(c.threshold, t), c.step, below)
        before = spikes[:, t] if given is None else given[:, t]
        v = [_after(c, i, u, before) for i in range(len(u))]
        if c.read is not None:
            forms[:, t] = _sum([c.read[i] * each for i, each in enumerate(v)])
    return spikes, forms


def spikes_of(op: Neuron, form: Real, threshold: Real, step: Real, below: Real | None) -> Real:
    """How many spikes a step has."""
    if op.most == 1:
        odd = form >= threshold if op.compare == "ge" else form > threshold
        found: Real = odd.astype(np.float64)
    else:
        stairs = (form - threshold) / step + 1.0  # the j-th threshold is reached at j
        reached = np.ceil(stairs) - 1.0 if op.compare == "gt" else np.floor(stairs)
        if op.compare == "even":
            reached = reached - ((reached == stairs) & (reached % 2 == 1))
        found = np.clip(reached, 0.0, op.most or np.inf)
    if below is not None:
        found = found - (form < below if op.compare == "gt" else form <= below)
    return found


def _after(c: Coefficients, i: int, u: list[Real], spike: Real) -> Real:
    """State i after the step."""
    taken = c.amount[i] * spike + _sum([c.takes[i, j] * each for j, each in enumerate(u)])
    after: Real = np.maximum(np.where(spike != 0, c.keep[i] * u[i] - taken, u[i]), c.low[i])
    return after


def _sum(parts: list[Real]) -> Real:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def value(
    graph: Graph, op: Neuron, x: Real, names: tuple[str, ...], result: tuple[str, ...]
) -> Real:
    """What the op gives, in the axes of its type."""
    spikes, forms = run_neuron(graph, op, x, names)
    return np.moveaxis(spikes if op.fires else forms, 1, 1 + result.index(TIME))
