"""What running a program gives, and what it takes."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from snncc.data.image_arrays import require_domain
from snncc.diagnostics import SnnccError
from snncc.ir import Graph
from snncc.ir.dialects.integer import IntegerReadout
from snncc.ir.dialects.projections import Frames
from snncc.ir.populations import count_nodes, population_nodes

Ints = NDArray[np.int64]
Images = NDArray[np.uint8]
"""Or int8, where numbers of the program's domain are below 0."""
ALL: Collection[str] = ("*",)
"""Record every population."""


@dataclass(frozen=True)
class Execution:
    """Results for a batch.

    Attributes:
        readout: [batch, *axes of the output], integers.
        logits: readout in real units, float64.
        spikes: 0 or 1 by population, [batch, *axes of its type]; only what was recorded.
        membranes: Z of each recorded population at the comparison, before the reset; same shape.
        spike_counts: spikes of every population, over the whole batch.
        counts: what recorded neurons that fire several times a step, and staircases, give: whole
            numbers, [batch, *axes of the type].
    """

    readout: Ints
    logits: NDArray[np.float64]
    spikes: Mapping[str, NDArray[np.uint8]]
    membranes: Mapping[str, Ints]
    spike_counts: Mapping[str, int]
    counts: Mapping[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])


Execute = Callable[[Images, Collection[str]], Execution]


def check_images(graph: Graph, images: NDArray[np.generic]) -> Images:
    """The images, when they are what the program takes: uint8, or int8 of a domain below 0.

    Raises:
        SnnccError: SNN016 saying what is expected and what came, or naming the first element that
            the domain does not hold. Nothing is cut off.
    """
    for node in graph.select(Frames):
        op, dtype = node.op, np.dtype(node.type.dtype)
        if not isinstance(op, Frames):
            continue
        wanted = f"{dtype} [n, {', '.join(map(str, op.shape))}] ({', '.join(op.axes)})"
        if images.dtype != dtype or images.shape[1:] != op.shape:
            raise SnnccError(
                "SNN016",
                f"the program takes images {wanted}, not {images.dtype} {list(images.shape)}",
                help="give 8-bit images as they are stored; normalisation is part of the program",
            )
        require_domain(images, op.axes, op.domain)
    return cast("Images", images)


def readout_of(graph: Graph) -> IntegerReadout:
    """The op that answers. Raises SnnccError (SNN017) when the program has none."""
    op = graph[graph.output].op
    if not isinstance(op, IntegerReadout):
        raise SnnccError("SNN017", f"the program answers with a {op.mnemonic}, not a readout")
    return op


def counts_among(graph: Graph, names: Collection[str]) -> frozenset[str]:
    """Those of the recorded that give counts, and no spikes."""
    return frozenset(node.name for node in count_nodes(graph) if node.name in names)


def recorded_names(graph: Graph, record: Collection[str] | None) -> frozenset[str]:
    """Names of the populations, and of the counts, to record.

    Raises:
        SnnccError: SNN001 for a name that none has.
    """
    names = [node.name for node in (*population_nodes(graph), *count_nodes(graph))]
    if record is None:
        return frozenset()
    if record is ALL:
        return frozenset(names)
    unknown = sorted(set(record) - set(names))
    if unknown:
        close = get_close_matches(unknown[0], names, 3) or [n for n in names if unknown[0] in n][:3]
        raise SnnccError(
            "SNN001",
            f"no population is called {unknown[0]!r}",
            help=f"perhaps {', '.join(close)}" if close else "`snncc inspect PROGRAM` lists them",
        )
    return frozenset(record)
