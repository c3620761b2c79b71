"""Populations as rows of tables: constants, leak, where spikes and membranes go."""

from collections.abc import Callable

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.arrangement import Arrangement
from snncc.backends.cpu.plan.leaks import leak_of
from snncc.backends.cpu.plan.places import Population
from snncc.backends.cpu.plan.tables import exactly
from snncc.ir import TIME, Array, Graph, Param
from snncc.ir.arrays import count, spread
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.digits import signed_digits


class Populations:
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

    def write(
        self,
        op: IntegerPopulation,
        arrangement: Arrangement,
        own: Population,
        numbers: tuple[int, int],
        size: int,
    ) -> int:
        """The row of a population.

        Args:
            op: of it.
            arrangement: of its unit.
            own: where spikes and membranes go.
            numbers: of its first constant, and of the unit.
            size: bytes of membranes and constants.
        """
        params = ((op.threshold, 0), (op.bias, 0), (op.offset, 0), (op.polarity, 1))
        tables = [self._param(arrangement, *param, size) for param in params]
        for table in tables:
            self._add("constants", *table)
        polarity = None if op.polarity is None else self.graph.constants[op.polarity.name]
        polar = polarity is not None and bool((polarity != 1).any())
        factor, shift, carry = leak_of(op)
        digits = np.array([int(d) for d in signed_digits(np.array(factor))], np.int8)
        toward_zero = op.rounding is Rounding.TO_ZERO
        usual = factor == 1 and carry == 0 and not toward_zero
        usual = usual and op.compare == "ge" and op.reset == "hard"
        padded = arrangement.padded
        return self._add(
            "neurons", numbers[0], polar, any(t[2] for t in tables), any(t[1] for t in tables),
            shift, self._keep("digits", digits), len(digits), carry, op.reset == "soft",
            op.compare == "gt", toward_zero, usual,
            own.spikes.at, own.spikes.step, own.spikes.row,
            -1 if own.record is None else own.record.at,
            size * padded * arrangement.row_count, size * padded,
            -1 if own.state is None else own.state.at, size * padded,
            numbers[1],
        )  # fmt: skip

    def _param(
        self, arrangement: Arrangement, param: Param | None, default: int, size: int
    ) -> list[int]:
        """Address and strides of a population's constant."""
        kind = np.dtype(f"i{size}")
        if param is None:
            return [self._keep(f"constant{size}", np.array([default], kind)), 0, 0, 0]
        lane = arrangement.lane or "_"
        array = self.graph.constants[param.name].astype(np.int64)
        full = spread(array, param.axes, (TIME, *arrangement.rows, lane))
        by_step, by_lane = full.shape[0] > 1, full.shape[-1] > 1
        by_row = count(full.shape[1:-1]) > 1
        shape = (full.shape[0], *(arrangement.sizes if by_row else full.shape[1:-1]))
        whole = np.broadcast_to(full, (*shape, full.shape[-1])).reshape(full.shape[0], -1,
                                                                        full.shape[-1])  # fmt: skip
        if by_lane:
            pad = -whole.shape[-1] % f.GROUP
            whole = np.pad(whole, ((0, 0), (0, 0), (0, pad)))
        stored = exactly(whole, np.int64 if size == 8 else np.int32, param.name)
        row = size * whole.shape[-1]
        step = row * whole.shape[1]
        address = self._keep(f"constant{size}", stored)
        return [address, step if by_step else 0, row if by_row else 0, int(by_lane)]
