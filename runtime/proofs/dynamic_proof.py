"""The dynamic proof: the interpreter runs a program on arrays that refuse to multiply."""

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from typing import cast

import numpy as np

from snncc.execution import Execution, Images, check_images, readout_of, recorded_names
from snncc.ir import Array, Graph
from snncc.runtime.interpreter import run_nodes
from snncc.runtime.proofs.refusing_arrays import RefusingArray, Tally


@dataclass(frozen=True)
class Counts:
    """Operations on data that were executed.

    Attributes:
        adds: additions, those inside sums included.
        subtracts: subtractions and negations.
        shifts: shifts by a constant other than 0.
        compares: comparisons.
        selects: elements chosen, by a condition or by the place of a spike.
        logic: and, or, not on bits.
    """

    adds: int = 0
    subtracts: int = 0
    shifts: int = 0
    compares: int = 0
    selects: int = 0
    logic: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, n) + getattr(other, n) for n in KINDS))


KINDS = tuple(field.name for field in fields(Counts))


@dataclass(frozen=True)
class LayerCounts:
    """What one node executed, over all images."""

    name: str
    module_path: str
    op: str
    counts: Counts


@dataclass(frozen=True)
class DynamicProof:
    """A run without a multiplication.

    Attributes:
        execution: what came out: the bits of `interpret`.
        layers: every node, in order.
    """

    execution: Execution
    layers: tuple[LayerCounts, ...]

    @property
    def total(self) -> Counts:
        return sum((layer.counts for layer in self.layers), Counts())


def prove_by_running(
    graph: Graph, images: Images, record: Collection[str] | None = None
) -> DynamicProof:
    """Runs a program on refusing arrays and counts what it does.

    The counts are the interpreter's: a gain tries every power of two that one of its constants
    has, a sum starts from 0. An implementation needs as many or fewer.

    Args:
        graph: integer dialect.
        images: uint8, [batch, *axes of the image].
        record: populations whose spikes and membranes are kept, as for `interpret`.

    Raises:
        ArithmeticRefused: the run asked for anything but select, add, subtract, compare, logic
            and shifts by constants on integers.
        SnnccError: SNN016 when the images are not what the program takes.
    """
    images = check_images(graph, images)
    wanted = recorded_names(graph, record)
    tally = Tally()
    constants = {name: _armed(array, tally, True) for name, array in graph.constants.items()}
    values, membranes, counts = run_nodes(
        replace(graph, constants=constants),
        cast("Images", _armed(images, tally)),
        wanted,
        lambda node: tally.enter(node.name),
    )
    readout = _released(values[graph.output])
    execution = Execution(
        readout,
        readout.astype(np.float64) * readout_of(graph).unit,
        {name: _released(values[name]) for name in sorted(wanted)},
        {name: _released(levels) for name, levels in membranes.items()},
        counts,
    )
    layers = tuple(
        LayerCounts(
            node.name,
            node.module_path,
            node.op.word,
            Counts(**tally.counts[node.name]),
        )
        for node in graph.nodes
    )
    return DynamicProof(execution, layers)


def _armed(array: Array, tally: Tally, constant: bool = False) -> Array:
    """As far as the interpreter can tell, an array."""
    return cast("Array", RefusingArray(array, tally, constant))


def _released(array: Array) -> Array:
    """The plain array.

    Raises:
        TypeError: it is plain already: part of the run was not on refusing arrays.
    """
    held: object = array
    if not isinstance(held, RefusingArray):
        raise TypeError("a value got out of the refusing arrays")
    return held.release()
