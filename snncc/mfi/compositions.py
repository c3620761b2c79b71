"""Whether a convolution and another map without a neuron between them become one map.

The conditions are those of `snncc.passes.compose_maps`, asked of a traced or a spiking graph.
"""

import numpy as np

from snncc.ir import TIME, Array, Graph, Node, Op, Param
from snncc.ir import traced_ops as traced
from snncc.ir.arrays import count
from snncc.ir.composition import NotOneMap, composed_windows, require_few
from snncc.ir.projections import Contract, Convolve

Convolution = traced.Conv | Convolve


def windows_compose(graph: Graph, op: Op, node: Node) -> str:
    """Why a map after the map of a node is not one map, "" where it is.

    Args:
        graph: holds both.
        op: the map that reads the node's value.
        node: a map; one of the two is a convolution.
    """
    try:
        if isinstance(op, Convolution) and isinstance(node.op, Convolution):
            arrays = (graph.constants[op.weight.name], graph.constants[node.op.weight.name])
            source = graph[node.inputs[0]].type
            composed_windows(op, node.op, arrays, source, node.type)
        elif isinstance(op, Convolution):
            _behind_contraction(op, node.op)
        elif isinstance(node.op, Convolution):
            _before_contraction(graph, op, node, node.op)
    except NotOneMap as error:
        return str(error)
    return ""


def _roles(op: Op) -> tuple[tuple[str, ...], ...]:
    """Axes that a contraction reads, makes, has weights along, and adds up."""
    match op:
        case traced.Linear(into=into, out=out):
            return into, out, (), ()
        case Contract(into=into, out=out, shared=shared, summed=summed):
            return into, out, shared, summed
        case traced.Mean(axes=axes) | traced.Total(axes=axes):
            return (), (), (), tuple(n for n in axes if n != TIME)
        case _:
            return (), (), (), ()


def _behind_contraction(op: Convolution, inner: Op) -> None:
    into, out, shared, summed = _roles(inner)
    rest = set(shared) - {TIME}
    if summed or out not in ((op.channel,), ()) or len(into) != len(out):
        raise NotOneMap("the first makes more than the second's channels anew")
    if not rest <= {op.channel} - {*out}:
        raise NotOneMap(f"the first has weights of its own over {', '.join(shared)}")


def _before_contraction(graph: Graph, op: Op, node: Node, inner: Convolution) -> None:
    into, out, shared, summed = _roles(op)
    channel, places = inner.out_channel, {inner.out_height, inner.out_width}
    gone = {*into, *summed}
    if not places & {*gone, *out, *shared}:
        if summed or into not in ((channel,), ()) or len(out) != len(into):
            raise NotOneMap("the second reads more than the first's channels")
        return
    if not places <= gone or inner.weight.axes[:1] == (TIME,):
        raise NotOneMap("the second reads only a part of the places that the first makes")
    if not set(into) <= {channel, *places}:
        raise NotOneMap("the second also reads other axes")
    source = graph[node.inputs[0]].type
    weight: Array = np.ones(1)
    param = getattr(op, "weight", None)
    if isinstance(param, Param):
        weight = graph.constants[param.name]
    rows = count(weight.shape[: weight.ndim - len(into)]) if isinstance(param, Param) else 1
    depthwise = inner.groups == node.type.size(channel) == source.size(inner.channel)
    each = source.size(inner.channel)
    if channel not in gone and not (depthwise and inner.channel == channel):
        each *= node.type.size(channel)
    pixels = source.size(inner.height) * source.size(inner.width)
    kernel = graph.constants[inner.weight.name]
    require_few(rows * each * pixels, weight.size, kernel.size)
