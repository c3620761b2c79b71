"""Populations whose currents need 64 bits: which terms their sums have, and the tables of these.

A sum of 64 bits never leaves the unit of the population that takes it. What adds to it is a linear
system of a stored current: a pole of a state space, a gain, or the current itself.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.arrangement import Arrangement
from snncc.backends.cpu.plan.places import Place
from snncc.ir import TIME, Array, Graph, Kind, Node, Param
from snncc.ir.arrays import count, spread
from snncc.ir.dialects.integer import Gain, IntegerPopulation
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neurons import STATE
from snncc.ir.dialects.projections import Frames, Sum
from snncc.ir.digits import signed_digits

LONG = 1 << 62
INT32 = (1 << 31) - 1
MOST_POWER = 61


@dataclass(frozen=True)
class WideTerm:
    """What is added to a sum of 64 bits.

    Attributes:
        node: a pole, a gain, or a current of 32 bits as it is.
        source: the current that is read.
        shift: how far what it gives is shifted left.
    """

    node: str
    source: str
    shift: int


@dataclass(frozen=True)
class WideSum:
    """The current of a population, taken apart.

    Attributes:
        terms: in the order of the sums.
        inner: nodes that are computed within the population's unit and lie nowhere.
    """

    terms: tuple[WideTerm, ...]
    inner: tuple[str, ...]


@dataclass(frozen=True)
class Linear:
    """A linear system: see WIDEN; every coefficient with its axes.

    Attributes:
        states: 0, 1 or 3.
        p, q, c, d: coefficients; 0 where there is none.
        x: what is added before states are shifted right, of no state before what is given is.
        bias: what is added to the first state.
        gain, shift: of what is read, and of states.
    """

    states: int
    p: tuple[Array, tuple[str, ...]]
    q: tuple[Array, tuple[str, ...]]
    c: tuple[Array, tuple[str, ...]]
    d: tuple[Array, tuple[str, ...]]
    x: int
    bias: tuple[Array, tuple[str, ...]]
    gain: int
    shift: int


NONE: tuple[Array, tuple[str, ...]] = (np.zeros((), np.int64), ())
ONE: tuple[Array, tuple[str, ...]] = (np.ones((), np.int64), ())


def wide_sum(
    graph: Graph,
    node: Node,
    op: IntegerPopulation,
    is_wide: Callable[[Node], bool],
    apart: Collection[str] = (),
) -> WideSum | None:
    """The terms of what a population takes; None where they are of other kinds.

    One of them is a pole. What else needs 64 bits is rare, and the host's.

    Args:
        graph: the program.
        node: the population.
        op: of it.
        is_wide: whether a current needs more than 32 bits.
        apart: nodes that are known to be computed otherwise.
    """
    low, high = op.membrane
    if -INT32 <= low <= high <= INT32 or not node.type.temporal or node.name in apart:
        return None
    terms: list[WideTerm] = []
    inner: list[str] = []

    def add(name: str, shift: int) -> bool:
        """Whether a node has a form among these; its terms."""
        each = graph[name]
        alone = len(graph.readers[name]) == 1 and graph.readers[name][0].inputs.count(name) == 1
        here = alone and set(each.type.names) == set(node.type.names) and name not in apart
        if here and isinstance(each.op, Sum) and is_wide(each):
            inner.append(name)
            return all(add(source, shift + own) for source, own in each.op.terms(each.inputs))
        source = graph[each.inputs[0]] if len(each.inputs) == 1 else each
        narrow = source.type.kind is Kind.CURRENT and not is_wide(source)
        turns = here and narrow and isinstance(each.op, Gain | IntegerNeuron)
        if turns and linear_of(graph, each) is not None:
            terms.append(WideTerm(name, source.name, shift))
            inner.append(name)
            return shift <= MOST_POWER
        plain = each.type.kind is Kind.CURRENT and not isinstance(each.op, Frames)
        terms.append(WideTerm(name, name, shift))
        return plain and not is_wide(each) and shift <= MOST_POWER

    known = add(node.inputs[0], 0)
    poles = any(isinstance(graph[each.node].op, IntegerNeuron) for each in terms)
    return WideSum(tuple(terms), tuple(inner)) if known and poles else None


def wide_sums(
    graph: Graph, host: Mapping[str, str], is_wide: Callable[[Node], bool], apart: Collection[str]
) -> dict[str, WideSum]:
    """Of what the host would compute, the populations that take sums of 64 bits."""
    found: dict[str, WideSum] = {}
    for name in host:
        op = graph[name].op
        if isinstance(op, IntegerPopulation):
            made = wide_sum(graph, graph[name], op, is_wide, apart)
            if made is not None:
                found[name] = made
    return found


def linear_of(graph: Graph, node: Node) -> Linear | None:
    """A gain, a pole or a plain current as a linear system; None where it is none of 62 bits."""
    low, high = (graph[node.inputs[0]].type.range or (0, 0)) if node.inputs else (0, 0)
    reach = max(-low, high)
    if isinstance(node.op, Gain):
        op = node.op
        if TIME in op.mantissa.axes:
            return None
        mantissa = graph.constants[op.mantissa.name].astype(np.int64)
        made = Linear(
            0, NONE, NONE, (mantissa, op.mantissa.axes), NONE, (1 << op.shift) >> 1, NONE, 0,
            op.shift,
        )  # fmt: skip
        return made if _largest(mantissa) * reach + made.x < LONG else None
    if isinstance(node.op, IntegerNeuron):
        return _pole(graph, node.op, reach)
    return Linear(0, NONE, NONE, ONE, NONE, 0, NONE, 0, 0)


OTHERS = (
    *("threshold", "late", "keep", "amount", "takes", "start", "floor", "low", "swallow"),
    *("has_floor", "has_low", "step", "below", "read", "high", "has_high", "reset_shift"),
)
"""Fields of a neuron that a pole has not."""


def _pole(graph: Graph, op: IntegerNeuron, reach: int) -> Linear | None:
    n = len(op.shift)
    if any(getattr(op, name) not in (None, ()) for name in OTHERS):
        return None
    if op.compare != "ge" or op.most != 1 or n not in (1, 3):
        return None

    def of(param: Param | None, *at: int) -> tuple[Array, tuple[str, ...]]:
        if param is None:
            return NONE
        return graph.constants[param.name].astype(np.int64)[at], param.axes[len(at) :]

    main = n >> 1
    gain = of(op.gain, main)[0]
    factor = int(gain.flat[0])
    if (gain != factor).any() or factor < 1 or factor & (factor - 1):
        return None
    if op.bias is not None and op.bias.axes[0] != STATE:  # it differs from step to step
        return None
    carry = op.carry or (0,) * n
    p, c, bias = of(op.leak, main), of(op.form, main), of(op.bias, main)
    q, d = NONE, NONE
    if n == 3:
        q, d = of(op.reads, 2, 0), of(op.form, 2)
        if not _turns(op, carry, of, p, q):
            return None
    inside = [max(-low, high) for low, high in op.states_within]
    state = _largest(p[0]) * inside[main] + _largest(q[0]) * inside[-1]
    total = state + factor * reach + carry[main] + (_largest(bias[0]) << op.shift[main])
    given = _largest(c[0]) * inside[main] + _largest(d[0]) * inside[-1]
    if max(total, given) >= LONG:
        return None
    return Linear(n, p, q, c, d, carry[main], bias, factor.bit_length() - 1, op.shift[main])


def _turns(
    op: IntegerNeuron,
    carry: tuple[int, ...],
    of: Callable[..., tuple[Array, tuple[str, ...]]],
    p: tuple[Array, tuple[str, ...]],
    q: tuple[Array, tuple[str, ...]],
) -> bool:
    """Whether states 1 and 2 turn, 0 holds what 1 was, and 1 alone takes the current in."""
    if op.reads is None or op.shift[0] != 0 or carry[0] != 0:
        return False
    if op.shift[1] != op.shift[2] or carry[1] != carry[2]:
        return False
    zeros = [of(op.leak, 0), of(op.gain, 0), of(op.gain, 2), of(op.form, 0)]
    zeros += [of(op.reads, 0, 2), of(op.reads, 1, 0), of(op.reads, 2, 1)]
    if op.bias is not None:
        zeros += [of(op.bias, 0), of(op.bias, 2)]
    silent = not any(array.any() for array, _ in zeros)
    late, back = of(op.reads, 0, 1)[0], of(op.reads, 1, 2)[0]
    alike = np.array_equal(of(op.leak, 2)[0], p[0]) and np.array_equal(back, -q[0])
    return silent and alike and bool((late == 1).all())


def _largest(array: Array) -> int:
    return max(-int(array.min(initial=0)), int(array.max(initial=0)))


def equal_terms(values: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every number as equally many signed powers of two: (powers, signs), [terms, *axes].

    2^a is 2^(a+1) - 2^a where one more is needed. Signs are 0, or -1 for what is taken off.
    """
    planes = signed_digits(values)
    if not planes:
        none = np.zeros((0, *values.shape), np.int64)
        return none, none
    digits = np.stack(planes).astype(np.int64)
    have = (digits != 0).sum(axis=0)
    most = max(int(have.max()), 2 if (have == 0).any() else 1)
    order = np.argsort(digits == 0, axis=0, kind="stable")
    order = np.concatenate([order, np.zeros((2, *values.shape), np.int64)])[:most]
    signs = np.take_along_axis(digits, np.minimum(order, len(digits) - 1), axis=0)
    powers = np.where(np.arange(most).reshape(-1, *[1] * values.ndim) < have, order, 0)
    none = have == 0  # 1 - 1
    for at, sign in enumerate((1, -1)[:most]):
        signs[at] = np.where(none, sign, signs[at])
    have = np.where(none, 2, have)
    for at in range(1, most):
        short = have <= at
        powers[at] = np.where(short, powers[at - 1], powers[at])
        signs[at] = np.where(short, -signs[at - 1], signs[at])
        powers[at - 1] += short
    return powers, np.where(signs < 0, -1, 0)


class WideSums:
    """Writes the tables.

    Args:
        graph: the program.
        keep: puts an array among a plan's constants; gives its address.
        add: adds a row to a table; gives its number.
    """

    def __init__(
        self, graph: Graph, keep: Callable[[str, Array], int], add: Callable[..., int]
    ) -> None:
        self.graph, self._keep, self._add = graph, keep, add

    def write(self, name: str, shift: int, lay: Arrangement, state: Place | None) -> int:
        """The row of a term.

        Args:
            name: its node.
            shift: of what it gives.
            lay: of the population.
            state: of what is kept, or None.
        """
        node = self.graph[name]
        made = linear_of(self.graph, node)
        if made is None:
            raise TypeError(node.op.mnemonic)
        (p, lack_p), (q, lack_q), (c, lack_c), (d, lack_d) = (
            self._coefficient(values, axes, lay)
            for values, axes in (made.p, made.q, made.c, made.d)
        )
        bias = self._over(*made.bias, lay) << made.shift
        at_x = made.x + lack_p - lack_q + bias
        given = lack_c + lack_d + (made.x if made.states == 0 else 0)
        constants = [self._constant(each) for each in (at_x, made.x + lack_p + lack_q, given)]
        kept = (-1, 0, 0)
        if state is not None and made.states:
            kept = state.at, state.strides[STATE], 8 * lay.padded
        return self._add(
            "linears", made.states, *p, *q, *c, *d, *constants, made.gain, made.shift, shift, *kept
        )

    def _over(self, values: Array, axes: tuple[str, ...], lay: Arrangement) -> Array:
        """[rows or 1, lanes or 1]."""
        full = spread(values, axes, (*lay.rows, lay.lane or "_"))
        if count(full.shape[:-1]) > 1:
            full = np.broadcast_to(full, (*lay.sizes, full.shape[-1]))
        return full.reshape(-1, full.shape[-1])

    def _coefficient(
        self, values: Array, axes: tuple[str, ...], lay: Arrangement
    ) -> tuple[tuple[int, int, int], Array]:
        """Address, terms and stride of rows; and what the complements lack, [rows, lanes]."""
        full = self._over(values, axes, lay)
        powers, signs = equal_terms(full)
        lack = np.where(signs < 0, np.int64(1) << powers, 0).sum(axis=0)
        if not len(powers):
            return (0, 0, 0), lack
        rows = full.shape[0]
        table = np.zeros((rows, lay.padded >> 3, len(powers), 2, f.OCTET), np.int8)
        for part, own in enumerate((powers, signs)):
            padded = np.zeros((len(powers), rows, lay.padded), np.int64)
            padded[..., : lay.lanes] = own
            split = padded.reshape(len(powers), rows, -1, f.OCTET)
            table[:, :, :, part] = split.transpose(1, 2, 0, 3)
        stride = table.nbytes // rows if rows > 1 else 0
        return (self._keep("systems", table), len(powers), stride), lack

    def _constant(self, values: Array) -> int:
        """Of 64 bits, [rows or 1, lanes or 1]."""
        rows, lanes = values.shape
        if lanes > 1:
            values = np.pad(values, ((0, 0), (0, -lanes % f.GROUP)))
        stored = np.ascontiguousarray(values, np.int64)
        row = stored.nbytes // rows
        return self._add(
            "constants", self._keep("long", stored), 0, row if rows > 1 else 0, int(lanes > 1)
        )
