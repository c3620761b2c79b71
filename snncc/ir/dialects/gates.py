"""Spikes that let others pass: AND, AND NOT, and masks of currents."""

from dataclasses import dataclass
from typing import ClassVar

from snncc.ir.dialects.projections import join_axes
from snncc.ir.op import Context, Op, require
from snncc.ir.types import Kind, ValueType


@dataclass(frozen=True)
class Gate(Op):
    """What a spike lets pass: of spikes their AND, of a count or a current the number or 0.

    y = x where the gate's spike is 1, else 0 (inverted: where it is 0)

    The gate is the first source, x the second. An axis that one of them lacks is broadcast.

    Attributes:
        inverted: whether the gate lets pass where it does not spike (IAND of SEW networks).
    """

    mnemonic: ClassVar[str] = "gate"
    inverted: bool = False

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        require(len(inputs) == 2, "a gate has two sources: the gate's spikes, and what passes")
        gate, x = inputs
        require(gate.kind is Kind.SPIKE, f"a gate is of spikes, not of {gate}")
        kinds = (Kind.SPIKE, Kind.COUNT, Kind.CURRENT, Kind.REAL)
        require(x.kind in kinds, f"spikes, counts or currents pass a gate, not {x}")
        bounds = None if x.range is None else (min(0, x.range[0]), max(0, x.range[1]))
        return ValueType(x.kind, join_axes(inputs), bounds)
