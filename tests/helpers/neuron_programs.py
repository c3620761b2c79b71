"""Networks of one layer of general neurons, real and compiled to integers."""

from typing import Any

import numpy as np
from neuron_models import Model
from neuron_reference import reference

from snncc.ir import Graph, GraphBuilder, verify
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neurons import neuron
from snncc.ir.dialects.projections import Contract, Frames
from snncc.ir.dialects.spiking import Readout
from snncc.passes.fold_scales_into_neurons import FoldScalesIntoNeurons
from snncc.passes.move_offsets_into_populations import MoveOffsetsIntoPopulations
from snncc.passes.named import Named
from snncc.passes.pipeline import Note, run_passes
from snncc.quantize.calibration import Rounded
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.quantize.units import Units

LEAST, MOST = -40, 59
"""Of the frames of numbers that are the neurons' currents."""


def spiking(model: Model, steps: int, wide: int) -> Graph:
    """Every neuron takes its own number of a frame as its current; the answer is their sums."""
    b = GraphBuilder("spiking", steps)
    frame = b.add(Frames(("t", "f"), (steps, wide), domain=(LEAST, MOST)), name="frame")
    one = b.constant("one", np.array(1.0))
    current = b.add(Contract(one), [frame], name="current")
    op = neuron(b, "n", model.states, model.form, model.fire, traced=False, read=model.read)
    fired = b.add(op, [current], name="n")
    last = fired if model.gives_current else b.add(Contract(one), [fired], name="last")
    graph = b.finish(b.add(Readout(), [last], name="readout"))
    verify(graph)
    return graph


def compiled(graph: Graph, weight_bits: int = 8) -> tuple[Graph, list[Note]]:
    """The integer program of a network whose weights are whole: units are 1."""
    found: list[Note] = []
    passes = (MoveOffsetsIntoPopulations(), FoldScalesIntoNeurons())
    graph = run_passes(graph, passes)
    maps = graph.select(Contract)
    units = Units({n.name: Named.scalar(1.0) for n in graph.nodes}, {n.name: 0 for n in maps})
    integers = {n.name: np.asarray(graph.constants["one"], np.int64) for n in maps}
    result = LowerToIntegers(Rounded(units, integers), weight_bits).run(graph)
    found += result.notes
    verify(result.graph)
    return result.graph, found


def op_of(graph: Graph) -> IntegerNeuron:
    op = graph["n"].op
    assert isinstance(op, IntegerNeuron)
    return op


def frames(seed: int, images: int, steps: int, wide: int) -> np.ndarray:
    """Numbers that make neurons fire, a quarter of them such that many levels are ties."""
    rng = np.random.default_rng(seed)
    x = rng.integers(LEAST, MOST + 1, (images, steps, wide))
    x[..., : wide // 4] = rng.integers(-4, 8, (images, steps, wide // 4)) * 8
    return x.astype(np.int8)


def wanted(model: Model, frames: np.ndarray, every: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Spikes and forms of the reference for every so-many-th neuron: [images, t, neurons]."""
    picked: Any = frames[..., ::every].astype(np.float64)
    images, wide = len(picked), picked.shape[-1]
    spikes, forms = np.zeros(picked.shape, np.int64), np.zeros(picked.shape)
    for image in range(images):
        for i in range(wide):
            xs = picked[image, :, i].tolist()
            spikes[image, :, i], forms[image, :, i] = reference(
                model.states, model.form, model.fire, xs
            )
    return spikes, forms
