"""What FIRE does with a register: constants and rules of a population, bounds of its membranes."""

import numpy as np
from numpy.typing import NDArray

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.arrangement import Arrangement
from snncc.backends.cpu.checking.decoding import Block, Row
from snncc.backends.cpu.checking.exact import INT32, LONG, Ints, largest, within
from snncc.backends.cpu.checking.meaning import Value, names_of, over
from snncc.backends.cpu.checking.shadow import Numbers
from snncc.backends.cpu.checking.wrong import require
from snncc.ir import TIME, Graph, Node, Param
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.neuron_rule import Rounding


def arranged(array: Ints, names: tuple[str, ...], arrangement: Arrangement) -> Ints:
    """[t or 1, *axes] as [t or 1, rows, lanes], every length 1 that an axis lacks spread out."""
    order = (TIME, *arrangement.rows, *([arrangement.lane] if arrangement.lane else []))
    moved = array.transpose([names.index(n) for n in order])
    sizes = (len(array), *arrangement.sizes, *([arrangement.lanes] if arrangement.lane else []))
    full = np.broadcast_to(moved, sizes)
    return full.reshape(len(array), arrangement.row_count, arrangement.lanes)


def require_same(found: Numbers, meant: Value, names: tuple[str, ...], arrangement: Arrangement,
                 first_step: int, what: str) -> None:  # fmt: skip
    """Compares what a plan computes with what the program means.

    Args:
        found: [steps, rows, lanes].
        meant: of the program, at all its steps.
        names: axes of it.
        arrangement: of the plan's rows and lanes.
        first_step: of the program, at which `found` begins.
        what: is compared.
    """
    arrays = (arranged(a, names, arrangement) for a in (meant.probe, meant.low, meant.high))
    require_equal(found, Value(*arrays), first_step, what)


def require_equal(found: Numbers, meant: Value, first_step: int, what: str) -> None:
    """The same where both have the same axes, the first of them the steps."""
    steps = len(found.probe)
    for number, own in enumerate((found.probe, found.low, found.high)):
        wanted = (meant.probe, meant.low, meant.high)[number]
        at = np.minimum(np.arange(first_step, first_step + steps), len(wanted) - 1)
        have = np.broadcast_to(own, found.probe.shape)
        if number == 0:
            wrong = int((have != wanted[at]).sum())
            require(wrong == 0, f"{what} is another sum than the program's, in {wrong} elements")
        else:
            holds = have <= wanted[at] if number == 1 else have >= wanted[at]
            require(holds.all(), f"{what} is bounded by less than the program's")


def check_constants(graph: Graph, node: Node, neuron: Row, constants: list[Row], block: Block,
                    arrangement: Arrangement, size: int = 4) -> tuple[int, int]:  # fmt: skip
    """Threshold, bias, offset, polarity and the rules of a population, as the kernel reads them.

    Returns what the kernel multiplies a membrane by, and what it adds to that before it shifts.
    """
    op = node.op
    if not isinstance(op, IntegerPopulation):
        raise TypeError(op.mnemonic)
    first = neuron[f.N_CONSTANTS]
    require(0 <= first <= len(constants) - 4, f"there are no constants {first}")
    params = ((op.threshold, 0), (op.bias, 0), (op.offset, 0), (op.polarity, 1))
    rows, lanes = arrangement.row_count, arrangement.lanes
    tables = constants[first : first + 4]
    for what, table, (param, default) in zip(
        ("threshold", "bias", "offset", "polarity"), tables, params, strict=True
    ):
        wanted = _wanted(graph, node, param, default, arrangement)
        same_always = table[f.C_STEP] == 0 and len(wanted) == 1
        for step in range(1 if same_always else graph.steps):
            found = block.constant(table, step, rows, lanes, size)
            same = bool((np.broadcast_to(found, (rows, lanes)) == wanted[step % len(wanted)]).all())
            require(same, f"the {what} of step {step} is not the program's")
    polarity = _wanted(graph, node, op.polarity, 1, arrangement)
    require(neuron[f.N_POLAR] != 0 or (polarity == 1).all(), "a polarity is left out")
    by_row = any(table[f.C_ROW] != 0 for table in tables)
    by_step = any(table[f.C_STEP] != 0 for table in tables)
    require(neuron[f.N_BY_ROW] != 0 or not by_row, "constants of one row are used for all")
    require(neuron[f.N_BY_STEP] != 0 or not by_step, "constants of one step are used for all")
    return _check_rules(op, neuron, block, 8 * size)


def _wanted(graph: Graph, node: Node, param: Param | None, default: int,
            arrangement: Arrangement) -> Ints:  # fmt: skip
    names = names_of(node)
    if param is None:
        return arranged(np.full([1] * len(names), default, np.int64), names, arrangement)
    return arranged(over(graph, param, names), names, arrangement)


def _check_rules(op: IntegerPopulation, neuron: Row, block: Block, bits: int) -> tuple[int, int]:
    """Returns what a register multiplies a membrane by, and what it adds to that."""
    factor, shift = op.decay
    digits = block.take(neuron[f.N_DIGITS], neuron[f.N_POWERS], 1, "digits of a leak")
    found = sum(int(digit) << power for power, digit in enumerate(digits))
    require(set(digits.tolist()) <= {-1, 0, 1} and len(digits) <= bits, "a leak's digits are none")
    kept = int(neuron[f.N_SHIFT])
    require(0 <= kept < bits, f"a leak shifts by {kept}, a register has {bits} bits")
    less = shift - kept  # bits that are 0 in every product may be left out
    require(less >= 0 and found << less == factor, "the leak is not the program's")
    offset = op.decay_offset >> less
    require(neuron[f.N_LEAK_OFFSET] == offset, "the leak's offset is not the program's")
    flags = (
        (f.N_SOFT, op.reset == "soft", "reset"),
        (f.N_STRICT, op.compare == "gt", "comparison"),
        (f.N_TOWARD_ZERO, op.rounding is Rounding.TO_ZERO, "rounding"),
    )
    for column, wanted, what in flags:
        require((neuron[column] != 0) == wanted, f"the {what} is not the program's")
    plain = found == 1 and offset == 0 and op.rounding is Rounding.DOWN
    plain = plain and op.compare == "ge" and op.reset == "hard"
    require(neuron[f.N_USUAL] == 0 or plain, "a neuron is taken for the usual one")
    return found, offset


def check_membranes(graph: Graph, node: Node, current: Value, held: tuple[int, int] = INT32,
                    leaked: int = INT32[1], leak: tuple[int, int] | None = None
                    ) -> None:  # fmt: skip
    """Sees to it that its bits hold all that a membrane becomes, within any of the T steps.

    Args:
        graph: the program.
        node: the population.
        current: what it takes.
        held: what a membrane's format holds.
        leaked: what holds a membrane times the leak's numerator.
        leak: that numerator and what is added to the product; None for the program's.

    Levels, membranes after the reset, what the leak shifts right. Currents, bias and offset are
    added modulo 2^32 on the way to a level; the level is what must fit.
    """
    op = node.op
    if not isinstance(op, IntegerPopulation):
        raise TypeError(op.mnemonic)
    names = names_of(node)
    one = np.ones([1] * len(names), np.int64)
    threshold, bias, offset, sign = (
        one * default if param is None else over(graph, param, names)
        for param, default in ((op.threshold, 0), (op.bias, 0), (op.offset, 0), (op.polarity, 1))
    )
    source = names_of(graph[node.inputs[0]])
    order = [source.index(n) for n in names]
    x_low, x_high = current.low.transpose(order), current.high.transpose(order)
    factor, carry = leak or (op.decay[0], op.decay_offset)
    v_low: Ints = np.zeros((), np.int64)
    v_high: Ints = np.zeros((), np.int64)
    for t in range(graph.steps):
        k, b, o, s, least, most = (
            a[min(t, len(a) - 1)] for a in (threshold, bias, offset, sign, x_low, x_high)
        )
        added = largest(o) + largest(b) + max(largest(least), largest(most)) + largest(k)
        reach = added + max(largest(v_low), largest(v_high))
        require(reach < LONG << 1, "a membrane and what is added to it reach more than 64 bits")
        for v in (v_low, v_high):
            reach = largest(v) * factor + carry
            require(reach <= leaked, f"a leak reaches {reach}, more than 32 bits hold")
        ends = s * (least + o) + b, s * (most + o) + b
        z_low = _leaked(op, v_low) + np.minimum(*ends)
        z_high = _leaked(op, v_high) + np.maximum(*ends)
        within(z_low, z_high, held, f"a membrane of {node.name}")
        last = k - 1 if op.compare == "ge" else k  # the highest level without a spike
        quiet, fires = z_low <= last, z_high > last
        after_low: Ints = _chosen(fires, np.maximum(z_low, last + 1) - k, z_low)
        after_high: Ints = _chosen(fires, z_high - k, z_low)
        if op.reset == "hard":
            after_low = after_high = _chosen(fires, np.zeros_like(z_low), z_low)
        v_low = _chosen(quiet, np.minimum(z_low, after_low), after_low)
        v_high = _chosen(quiet, np.maximum(np.minimum(z_high, last), after_high), after_high)
        within(v_low, v_high, held, f"a membrane of {node.name} after its reset")


def _chosen(flags: NDArray[np.bool_], yes: Ints, no: Ints) -> Ints:
    chosen: Ints = np.where(flags, yes, no)
    return chosen


def _leaked(op: IntegerPopulation, v: Ints) -> Ints:
    """What remains after a step; it grows with v, so it takes ends of an interval to ends."""
    (factor, shift), c = op.decay, op.decay_offset
    match op.rounding:
        case Rounding.DOWN:
            return (factor * v + c) >> shift
        case Rounding.UP:
            return -((c - factor * v) >> shift)
        case Rounding.TO_ZERO:
            size = (factor * np.abs(v) + c) >> shift
            return np.where(v < 0, -size, size)
