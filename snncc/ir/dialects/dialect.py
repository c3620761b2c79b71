"""The three dialects, each a table of legal ops."""

from collections.abc import Mapping
from dataclasses import dataclass

from snncc.ir.dialects import (
    delays,
    gates,
    integer_neurons,
    moves,
    pointwise,
    products,
    projections,
    sums,
    thresholds,
    windows,
)
from snncc.ir.dialects import integer as integer_ops
from snncc.ir.dialects import neurons as neuron_ops
from snncc.ir.dialects import spiking as spiking_ops
from snncc.ir.dialects import traced as traced_ops
from snncc.ir.op import Op


@dataclass(frozen=True)
class Dialect:
    """A named table of legal ops.

    Attributes:
        name: as in `Graph.dialect`.
        ops: op classes by mnemonic; anything else is illegal.
        integer: whether every constant must be integer.
    """

    name: str
    ops: Mapping[str, type[Op]]
    integer: bool = False

    def has(self, op: Op) -> bool:
        """Whether an op is one of the table."""
        return self.ops.get(op.mnemonic) is type(op)

    @property
    def words(self) -> frozenset[str]:
        """The words of texts and files for ops: `named` has a class for each of them."""
        known = projections.Frames.mnemonic in self.ops
        return frozenset(self.ops) | frozenset((projections.PIXELS,) if known else ())

    def named(self, word: str) -> type[Op] | None:
        """The op class of a word of texts and files, or None."""
        frames = projections.Frames.mnemonic
        return self.ops.get(frames if word == projections.PIXELS else word)


def _dialect(name: str, *ops: type[Op], integer: bool = False) -> Dialect:
    return Dialect(name, {op.mnemonic: op for op in ops}, integer)


TRACED = _dialect(
    "traced",
    traced_ops.Input,
    traced_ops.Linear,
    traced_ops.Conv,
    traced_ops.BatchNorm,
    traced_ops.Lif,
    neuron_ops.TracedNeuron,
    traced_ops.Add,
    traced_ops.Scale,
    traced_ops.TracedConcat,
    windows.Largest,
    moves.Take,
    gates.Gate,
    delays.Delay,
    products.Product,
    thresholds.MultiThreshold,
    pointwise.Pointwise,
    traced_ops.Rearrange,
    traced_ops.Repeat,
    traced_ops.Mean,
    traced_ops.Total,
    traced_ops.Foreign,
)

SPIKING = _dialect(
    "spiking",
    projections.Frames,
    projections.Contract,
    projections.Convolve,
    projections.Concat,
    projections.Sum,
    sums.SumAlong,
    windows.Largest,
    moves.Take,
    gates.Gate,
    delays.Delay,
    products.Product,
    thresholds.MultiThreshold,
    spiking_ops.Affine,
    spiking_ops.Population,
    neuron_ops.Neuron,
    spiking_ops.Readout,
    spiking_ops.Opaque,
)

INTEGER = _dialect(
    "integer",
    projections.Frames,
    projections.Contract,
    projections.Convolve,
    projections.Concat,
    projections.Sum,
    sums.SumAlong,
    windows.Largest,
    moves.Take,
    gates.Gate,
    delays.Delay,
    products.Product,
    thresholds.MultiThreshold,
    integer_ops.Gain,
    integer_ops.IntegerPopulation,
    integer_neurons.IntegerNeuron,
    integer_ops.IntegerReadout,
    integer=True,
)

DIALECTS: Mapping[str, Dialect] = {d.name: d for d in (TRACED, SPIKING, INTEGER)}
