"""The simulator beside the interpreter on a few images: equal bits, or no answer at all.

The interpreter is what a program means. Formats, layouts and compiled code of the simulator are
checked in other ways too; this one needs to know nothing about them.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from snncc.artifact import Program, program_digest
from snncc.diagnostics import SnnccError
from snncc.execution import ALL, Execution, Images
from snncc.ir import Graph
from snncc.ir.arrays import count
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.ir.images import ImageSource
from snncc.runtime.compare.comparison import Divergence, Side, compare
from snncc.runtime.executors import as_executor, executor_of
from snncc.runtime.recording import Recording, run_recorded
from snncc.runtime.simulator import Simulator

FEWEST, MOST = 2, 8
ADDITIONS_UNASKED = 1 << 31
"""Additions that the interpreter may have to do for a check that nobody asked for: some seconds."""
ADDITIONS_LEFT_OUT = 1 << 34
"""With more than so many, for `FEWEST` images, the check is left to who asks for it."""


@dataclass(frozen=True)
class CrossCheck:
    """What was compared and found equal.

    Attributes:
        images: how many.
        spikes: (image, step, neuron): as many spikes, and as many membranes.
    """

    images: int
    spikes: int


def cross_check(
    graph: Graph, images: Images, simulator: Simulator, record: Collection[str] | None = None
) -> CrossCheck:
    """Runs both executors and compares all spikes, membranes and answers.

    The simulator runs twice: as it will for the user, and with every population recorded, which is
    another plan.

    Args:
        graph: integer dialect.
        images: uint8, [batch, *axes of the image].
        simulator: of the program, with the kernels to be checked.
        record: populations that the user's run records.

    Raises:
        SnnccError: SNN060 with the first population, step and neuron that differ.
    """
    plain = simulator.run(images, record)
    digest = program_digest(Program(graph, {}))
    meant, expected = run_recorded(graph, images, executor_of(graph, "interpreter"), ALL, digest)
    _, found = run_recorded(graph, images, as_executor(simulator), ALL, digest)
    as_run = _with_plain(found, plain)
    for recording in (found, as_run):
        first = compare(Side("A", expected, graph), Side("B", recording, graph)).first
        if first is not None:
            raise _differ(first)
    for name, spikes in meant.spike_counts.items():
        if plain.spike_counts[name] != spikes:
            raise _error(f"{name} spikes {plain.spike_counts[name]} times, not {spikes}")
    return CrossCheck(len(images), sum(array.size for array in expected.spikes.values()))


def _with_plain(recording: Recording, plain: Execution) -> Recording:
    """A recording with what the user's own run gives, as far as that goes."""
    spikes = {**recording.spikes, **plain.spikes}
    membranes = {**recording.membranes, **plain.membranes}
    return replace(recording, spikes=spikes, membranes=membranes, readout=plain.readout)


def _differ(first: Divergence) -> SnnccError:
    neuron = ", ".join(f"{axis} {place}" for axis, place in first.neuron.items())
    where = f"image {first.image}, " + ("" if first.step is None else f"step {first.step}, ")
    where += f"neuron {neuron or 'the only one'}"
    sides = [
        f"{what} has {_state(state.spike, state.level, first.what)}"
        for what, state in (("the interpreter", first.a), ("the simulator", first.b))
    ]
    return _error(f"{first.layer}, {where}: {', '.join(sides)}")


def _state(spike: int, level: int | None, what: str) -> str:
    value = "?" if level is None else f"{level:,}"
    return value if what == "readout" else f"spike {spike} at membrane {value}"


def _error(where: str) -> SnnccError:
    return SnnccError(
        "SNN060",
        f"simulator and interpreter differ: {where}",
        why="the interpreter is what the program means, so the simulator is wrong here; nothing "
        "is written",
        help="this is a bug of snncc, please report it with the program; `snncc run --executor "
        "interpreter` gives right answers, slowly",
    )


def few_enough(graph: Graph, images: int) -> int:
    """How many images a check that nobody asked for may take; 0: the program is too large."""
    each = max(1, additions(graph))
    if FEWEST * each > ADDITIONS_LEFT_OUT:
        return 0
    return min(images, MOST, max(FEWEST, ADDITIONS_UNASKED // each))


def additions(graph: Graph) -> int:
    """Additions of one image when every input is active."""
    total = 0
    for node in graph.select(Contract, Convolve):
        op, source = node.op, graph[node.inputs[0]].type
        if isinstance(op, Contract):
            shape = graph.constants[op.weight.name].shape[len(op.shared) + len(op.out) :]
            again = count(tuple(source.size(name) for name in op.summed))
            inputs = count(shape) * again
        elif isinstance(op, Convolve):
            inputs = count(graph.constants[op.weight.name].shape[-3:])
        else:
            continue
        steps = graph.steps if node.type.temporal else 1
        total += node.type.neurons * inputs * steps * len(source.planes)
    for node in graph.select(Product):
        gate, op = graph[node.inputs[0]].type, node.op
        if isinstance(op, Product):
            places = count(tuple(gate.size(name) for name in op.summed))
            total += node.type.neurons * places * (graph.steps if node.type.temporal else 1)
    return total


def check_compiled(graph: Graph, images: ImageSource) -> CrossCheck | None:
    """The check at the end of a compilation with images; None where the program is too large.

    Raises:
        SnnccError: SNN060.
    """
    chosen = few_enough(graph, len(images))
    if chosen == 0:
        return None
    return cross_check(graph, np.ascontiguousarray(images[:chosen]), Simulator(graph))
