"""Programs that drive one number of another program to the ends of its proved interval.

The witness of a bound says which pixels and spikes, or for a membrane which currents, lead there.
No image of the program need give these spikes. So the part below the number is built again behind
sources that give exactly them: a neuron that always fires, and a weight for every step.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from generators.draws import narrowest
from snncc.ir import TIME, Array, Graph, GraphBuilder, Kind, Node, verify
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames
from snncc.mfi.widths.proof import Width, prove_widths
from snncc.mfi.widths.witnesses import Witness

ON = "always_on"


@dataclass(frozen=True)
class Driven:
    """A program and what it must come to.

    Attributes:
        graph: answers with the number, or with spikes of a population that reads it.
        images: uint8 [2, *axes of the image], the witness's pixels first.
        probe: population whose membranes are the number at every step.
        element: of the witness, over the axes of one step of the number.
        bound: the proved end.
        upper: which end it is; the lower one can be 0, as a membrane's that rests there.
    """

    graph: Graph
    images: np.ndarray
    probe: str
    element: dict[str, int]
    bound: int
    upper: bool

    def holds(self, found: int) -> bool:
        """Whether a number does not pass the end."""
        return found <= self.bound if self.upper else found >= self.bound


def saturated(graph: Graph, seed: int, most: int) -> Iterator[Driven]:
    """Both ends of some of a program's numbers.

    Args:
        graph: integer dialect, verified.
        seed: of the choice.
        most: how many numbers.
    """
    widths = [w for w in prove_widths(graph) if w.what != "readout" and w.high.inputs]
    rng = np.random.default_rng([seed, 9])
    for at in rng.permutation(len(widths))[:most]:
        for upper in (False, True):
            driven = drive(graph, widths[at], upper, stored=bool(rng.random() < 0.5))
            if driven is not None:
                yield driven


def drive(graph: Graph, width: Width, upper: bool, stored: bool) -> Driven | None:
    """The program of one end.

    Args:
        graph: integer dialect.
        width: which number.
        upper: which end.
        stored: whether the number is read out too, so that executors keep it in memory.
    """
    witness = width.high if upper else width.low
    b = GraphBuilder("integer", graph.steps, graph.profile)
    b.share(graph)
    pixels = [node for node in graph.nodes if isinstance(node.op, Frames)]
    made: dict[str, str] = {}
    for node in pixels:
        made[node.name] = b.add(node.op, (), (), node.name)
    on = _always_on(b, pixels[0])
    for name, value in witness.inputs.items():
        if graph[name].type.kind is not Kind.COUNT:
            made[name] = _given(b, graph[name], value, on)
    current = _copied(graph, b, witness.node, made)
    names = tuple(n for n in b[current].type.names if n != TIME)
    probe = current
    if b[current].type.kind is Kind.CURRENT:
        probe = _probe(b, current)
    answer = current if stored and probe != current else probe
    one = b.constant("one", np.array(1, np.int8))
    if answer == probe:
        answer = b.add(Contract(one, (), (), (), names[:-1]), [probe])
    driven = b.finish(b.add(IntegerReadout(), [answer]))
    verify(driven)
    element = dict(zip(_names(graph[witness.node]), witness.element, strict=True))
    found = probe if probe in driven.by_name else ""
    return Driven(driven, _images(pixels, witness), found, element, witness.bound, upper)


def _names(node: Node) -> list[str]:
    return [n for n in node.type.names if n != TIME]


def _images(pixels: list[Node], witness: Witness) -> np.ndarray:
    given = [witness.inputs[p.name][0] for p in pixels if p.name in witness.inputs]
    first = given[0] if given else np.full(pixels[0].type.shape, 255, np.uint8)
    return np.stack([first, np.zeros_like(first)]).astype(np.uint8)


def _always_on(b: GraphBuilder, image: Node) -> str:
    """A population of one neuron that spikes at every step."""
    axes = image.type.names
    weight = b.constant("silent", np.zeros((1, *image.type.shape), np.int8), (ON, *axes))
    current = b.add(Contract(weight, axes, (ON,)), [image.name])
    op = IntegerPopulation(b.constant("rest", np.zeros((), np.int8)), decay=(0, 0))
    return b.add(op, [current], name="on")


def _given(b: GraphBuilder, node: Node, value: Array, on: str) -> str:
    """A value that is just this, [1, *axes]: spikes, or a current."""
    names = node.type.names
    own = [n for n in names if n != TIME]
    steps = np.asarray(value[0], np.int64)
    steps = np.moveaxis(steps, names.index(TIME), 0) if TIME in names else steps[None]
    bank = np.broadcast_to(steps, (b.context.steps, *steps.shape[1:]))[..., None]
    weight = b.constant("given", narrowest(bank), (TIME, *own, ON))
    current = b.add(Contract(weight, (ON,), tuple(own), (TIME,)), [on])
    if node.type.kind is Kind.CURRENT:
        return current
    op = IntegerPopulation(b.constant("fires", np.ones((), np.int8)), decay=(0, 0))
    op = replace(op, membrane=op.membrane_range(b[current].type, b.context))
    return b.add(op, [current], name=node.name)


def _copied(graph: Graph, b: GraphBuilder, name: str, made: dict[str, str]) -> str:
    if name not in made:
        node = graph[name]
        sources = [_copied(graph, b, source, made) for source in node.inputs]
        op = node.op
        if isinstance(op, IntegerPopulation):
            low, high = op.membrane_range(b[sources[0]].type, b.context)
            op = replace(op, membrane=(min(low, op.membrane[0]), max(high, op.membrane[1])))
        made[name] = b.add(op, sources, node.locs, name)
    return made[name]


def _probe(b: GraphBuilder, current: str) -> str:
    """A population whose membranes are a current, step by step."""
    low, high = b[current].type.range or (0, 0)
    middle = b.constant("middle", narrowest(np.array((low + high) // 2)))
    return b.add(
        IntegerPopulation(middle, decay=(0, 0), membrane=(min(0, low), max(0, high))),
        [current],
        name="probe",
    )


def reached(driven: Driven, membranes: Mapping[str, Array]) -> int | None:
    """What the number comes to at the witness's element: the value that is farthest that way."""
    if driven.probe not in membranes:
        return None
    names = driven.graph[driven.probe].type.names
    levels = membranes[driven.probe][0]
    place = tuple(slice(None) if n == TIME else driven.element[n] for n in names)
    values = levels[place]
    return int(values.max() if driven.upper else values.min())
