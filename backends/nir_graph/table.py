"""What an op is in NIR: linear maps, convolutions, IF and LIF, delays, sums by edges."""

import numpy as np

from snncc.backends.nir_graph.draft import At, Fields, Value
from snncc.ir import INTEGER, TIME
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.moves import Take
from snncc.ir.dialects.products import Product
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.ir.dialects.sums import SumAlong
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.ir.dialects.windows import Largest
from snncc.meaning import Meaning

FORM: Meaning[At, Value] = Meaning("NIR", INTEGER)
FORM.refuses(
    *(Gain, IntegerNeuron, Gate, Product, Take, Concat, Largest, SumAlong, MultiThreshold),
    why="NIR has maps, windows that add up, delays and neurons of one form alone",
    help="run the program with `snncc run`, or export it to another target",
)


@FORM.of(Frames)
def entering(at: At, op: Frames) -> Value:
    axes = tuple(name for name in op.axes if name != TIME)
    if len(axes) > 3:
        raise at.refused("it has more than three axes", "images of NIR have at most three")
    shape = np.array([dict(zip(op.axes, op.shape, strict=True))[name] for name in axes])
    return Value((at.draft.put(at.node.name, "Input", {"shape": shape}, ()),), axes)


@FORM.of(Contract)
def linear(at: At, op: Contract) -> Value:
    """A map over all axes of its source, or a factor for each element."""
    source = at.source()
    if TIME in op.weight.axes:
        raise at.refused("weights differ from step to step", "NIR has numbers for all steps")
    if not (op.into or op.out or op.summed):
        made = at.draft.put(
            at.node.name, "Scale", {"scale": at.over(op.weight, source.axes)}, source.nodes
        )
        at.keep("weight", made, "scale")
        return Value((made,), source.axes)
    if op.shared or op.summed or len(op.out) != 1 or {*op.into} != {*source.axes}:
        carried = sorted({*source.axes} - {*op.into})
        told = f"it is one map for every place of {', '.join((*carried, *op.shared)) or 'its sum'}"
        raise at.refused(told, "a Linear of NIR reads whole values, and gives one axis")
    reads = source.nodes
    sizes = tuple(at.draft.graph[at.node.inputs[0]].type.size(name) for name in source.axes)
    if len(source.axes) > 1:
        flat: Fields = {"start_dim": np.array(0), "end_dim": np.array(len(source.axes) - 1)}
        flat["input_type"] = np.array(sizes)
        reads = (at.draft.put(f"{at.node.name}.flat", "Flatten", flat, reads),)
    array = at.draft.graph.constants[op.weight.name].astype(np.float64)
    order = [0, *(1 + op.into.index(name) for name in source.axes)]
    weight = array.transpose(order).reshape(len(array), -1)
    made = at.draft.put(at.node.name, "Linear", {"weight": weight}, reads)
    at.keep("weight", made, "weight")
    return Value((made,), op.out, ((made, 1.0),))


@FORM.of(Convolve)
def convolution(at: At, op: Convolve) -> Value:
    source = at.source()
    read = (op.channel, op.height, op.width)
    if source.axes != read or op.banks:
        told = f"it reads {list(read)} of {list(source.axes)}"
        raise at.refused(
            told, "a Conv2d of NIR reads channels, rows and columns, alike at all steps"
        )
    kind = at.draft.graph[at.node.inputs[0]].type
    weight = at.draft.graph.constants[op.weight.name].astype(np.float64)
    fields: Fields = {
        "input_shape": np.array([kind.size(op.height), kind.size(op.width)]),
        "weight": weight,
        "stride": np.array(op.stride),
        "padding": np.array(op.padding),
        "dilation": np.array(op.dilation),
        "groups": np.array(op.groups),
        "bias": np.zeros(len(weight)),
    }
    made = at.draft.put(at.node.name, "Conv2d", fields, source.nodes)
    at.keep("weight", made, "weight")
    return Value((made,), (op.out_channel, op.out_height, op.out_width), ((made, 1.0),))


@FORM.of(Sum)
def added(at: At, op: Sum) -> Value:
    """Several edges to one node; shifts are factors."""
    parts: list[Value] = []
    for number, (_, shift) in enumerate(op.terms(at.node.inputs)):
        value = at.source(number)
        if {*value.axes} != {name for name in at.node.type.names if name != TIME}:
            raise at.refused("its sources lie over different axes", "NIR adds up equal shapes")
        if shift:
            scale = np.full(at.sizes(value.axes), 2.0**shift)
            made = at.draft.put(f"{at.node.name}.{number}", "Scale", {"scale": scale}, value.nodes)
            maps = tuple((name, factor * 2.0**shift) for name, factor in value.maps)
            value = Value((made,), value.axes, maps)
        parts.append(value)
    axes = parts[0].axes
    if any(part.axes != axes for part in parts):
        raise at.refused("axes of its sources stand in different orders", "NIR has no transpose")
    nodes = tuple(name for part in parts for name in part.nodes)
    if len({*nodes}) != len(nodes):
        raise at.refused("it adds up a value twice", "an edge of NIR stands once")
    return Value(nodes, axes, tuple(each for part in parts for each in part.maps))


@FORM.of(IntegerPopulation)
def neurons(at: At, op: IntegerPopulation) -> Value:
    """IF or LIF by Euler steps with dt 1: V' = (1 - 1/tau) V + X, spike where V' > v_threshold.

    V >= K is V > the largest float64 below K.
    """
    source = at.source()
    if op.reset != "hard":
        raise at.refused("its reset subtracts the threshold", "neurons of NIR reset to v_reset")
    if op.polarity is not None or op.offset is not None:
        raise at.refused("signs or offsets of its own for neurons", "NIR adds currents as they are")
    if op.bias is not None:
        _bias(at, op, source)
    level = at.over(op.threshold, source.axes)
    level = np.nextafter(level, -np.inf) if op.compare == "ge" else level
    every = np.ones_like(level)
    fields: Fields = {"r": every, "v_threshold": level, "v_reset": 0.0 * every}
    factor, shift = op.decay
    kind = "IF"
    if factor != 1 << shift:
        tau = 1.0 / (1.0 - factor / 2.0**shift)
        kind, fields = (
            "LIF",
            {**fields, "tau": tau * every, "r": tau * every, "v_leak": 0.0 * every},
        )
    made = at.draft.put(at.node.name, kind, fields, source.nodes)
    at.keep("threshold", made, "v_threshold")
    return Value((made,), source.axes)


def _bias(at: At, op: IntegerPopulation, source: Value) -> None:
    """Adds a bias to the first map that leads into a population alone."""
    param = op.bias
    if param is None:
        return
    at.over(param, source.axes)
    names = [*at.node.inputs]
    while names:
        name = names.pop()
        if len(at.draft.graph.readers[name]) > 1:
            raise at.refused("its bias", f"{name} leads to other neurons too")
        if isinstance(at.draft.graph[name].op, Sum):
            names += at.draft.graph[name].inputs
    if not source.maps or {*param.axes} - {source.axes[0]}:
        raise at.refused("its bias", "a bias of NIR is that of a map, by channel")
    name, factor = source.maps[0]
    node = at.draft.nodes[name]
    channels = len(node.fields["weight"])
    array = at.draft.graph.constants[param.name].astype(np.float64)
    node.kind = "Affine" if node.kind == "Linear" else node.kind
    node.fields["bias"] = np.broadcast_to(array / factor, (channels,)).copy()
    at.keep("bias", name, "bias", factor)


@FORM.of(Delay)
def delayed(at: At, op: Delay) -> Value:
    source = at.source()
    if op.start is not None:
        raise at.refused("it starts with other numbers than 0", "a Delay of NIR has none")
    waits = np.full(at.sizes(source.axes), float(op.steps))
    return Value(
        (at.draft.put(at.node.name, "Delay", {"delay": waits}, source.nodes),), source.axes
    )


@FORM.of(IntegerReadout)
def answer(at: At, op: IntegerReadout) -> Value:
    """What is added up over the steps, as it is at each."""
    source = at.source()
    shape = np.array(at.sizes(source.axes))
    made = at.draft.put(at.node.name, "Output", {"shape": shape}, source.nodes)
    return Value((made,), source.axes)
