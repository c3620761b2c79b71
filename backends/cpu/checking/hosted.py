"""Units that the host computes: what they are fed, what they are, where their values go.

The host computes the program's own node by its own meaning, so that what it gives is the program's
value as soon as it is that node and is fed that node's inputs. Where a projection was cut into
digits the host adds up currents that the program does not name; their sum must be the program's.
"""

import numpy as np

from snncc.backends.cpu.checking.exact import INT16, INT32, INT64, Ints, within
from snncc.backends.cpu.checking.meaning import PROBES, Meaning, Value
from snncc.backends.cpu.checking.neurons import arranged, check_membranes, require_equal
from snncc.backends.cpu.checking.products import Span
from snncc.backends.cpu.checking.shadow import Numbers, Shadow
from snncc.backends.cpu.checking.stored import addresses, loaded
from snncc.backends.cpu.checking.wrong import require
from snncc.backends.cpu.plan.host import HostUnit, Relay
from snncc.backends.cpu.plan.places import Form, Place
from snncc.ir import TIME, Graph, Node, params_of
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.projections import Frames, Sum

HELD = {2: INT16, 4: INT32, 8: INT64}


def computed_by_host(
    graph: Graph, unit: HostUnit, meaning: Meaning, shadow: Shadow, span: Span
) -> None:
    """Checks a host unit and writes what it gives."""
    require(unit.node.name in graph.by_name, "it computes a node that the program has not")
    node = graph[unit.node.name]
    require(unit.node.type == node.type, "it computes a value of another type")
    require(len(unit.reads) == len(unit.node.inputs), "it is not fed what it reads")
    fed = [
        fed_by(graph, name, place, meaning, shadow, span)
        for name, place in zip(unit.node.inputs, unit.reads, strict=True)
    ]
    meant = meaning.values[node.name]
    if unit.node.op == node.op and unit.node.inputs == node.inputs:
        for param in params_of(node.op):
            own, wanted = unit.program.constants[param.name], graph.constants[param.name]
            require(np.array_equal(own, wanted), f"{param.name} is not the program's")
    else:
        require_equal(_added(unit, fed), meant, span.first, "the sum of digits")
    for read, name in zip(unit.program.nodes, dict.fromkeys(unit.node.inputs), strict=False):
        require(read.name == name, "it is fed inputs in another order")
    if isinstance(node.op, IntegerPopulation):
        size = min((p.size for p in (unit.record, unit.state) if p is not None), default=8)
        require(size in (4, 8), f"membranes of {size} bytes")
        check_membranes(graph, node, meaning.values[node.inputs[0]], HELD[size], INT64[1])
    if isinstance(node.op, IntegerNeuron):
        check_recorded(node, unit.record)
    written(unit.writes, node, meant, shadow, span)


def check_recorded(node: Node, record: Place | None) -> None:
    """Whether recorded membranes of neurons of several states fit into what they are kept in."""
    if record is None or not isinstance(node.op, IntegerNeuron):
        return
    require(record.size in HELD, f"membranes of {record.size} bytes")
    low, high = (np.array([end]) for end in node.op.membrane)
    within(low, high, HELD[record.size], f"a membrane of {node.name}")


def states_size(graph: Graph, name: str, op: IntegerNeuron, place: Place) -> int:
    """Bytes of the states of neurons between calls; each must have a place of its own."""
    sizes = [len(op.shift) + (op.late is not None or bool(op.swallow))]
    sizes += [axis.size for axis in graph[name].type.axes if axis.name != TIME]
    require(place.form is Form.INTEGERS and place.size == 8, f"states of {name} are of other bytes")
    require([axis.size for axis in place.type.axes] == sizes, f"states of {name} are not as many")
    wanted = [8 * int(np.prod(sizes[at + 1 :])) for at in range(len(sizes))]
    found = [place.strides[axis.name] for axis in place.type.axes]
    require(found == wanted, f"states of {name} lie over each other")
    return 8 * int(np.prod(sizes))


def copied(relay: Relay, shadow: Shadow, span: Span) -> None:
    """Reads spikes or counts as they lie, whosever they are, and writes them in other lanes."""
    source = relay.reads.type
    require(source == relay.writes.type, "a copy is of another type")
    found = _found(relay.reads, shadow, span, "what is copied")
    value = Value(found.probe, found.low, found.high)
    if relay.writes.form is Form.BITS:
        _put(relay.writes, value, shadow, Span(0, span.count))
    else:
        _store(relay.writes, value, shadow, Span(0, span.count))


def _found(place: Place, shadow: Shadow, span: Span, what: str) -> Numbers:
    """What lies in a place of bits or of integers."""
    if place.form is not Form.BITS:
        return loaded(place, shadow, span, what)
    probe = _bits(place, shadow, span)
    zero = np.zeros_like(probe)
    return Numbers(probe, zero, zero + ((1 << place.planes) - 1))


def fed_by(
    graph: Graph, name: str, place: Place, meaning: Meaning, shadow: Shadow, span: Span
) -> Numbers:
    """What an input reads; it must be the program's value of that name, where it has one."""
    what = f"what it reads as {name}"
    kind = graph[name].type if name in graph.by_name else place.type
    require(place.type == kind, f"{what} is of another type")
    if place.form is Form.IMAGE:
        require(isinstance(graph[name].op, Frames), f"{what} is no image")
        value = meaning.values[name]
        return Numbers(value.probe, value.low, value.high)
    found = _found(place, shadow, span, what)
    if name in graph.by_name:
        require_equal(found, meaning.values[name], span.first if kind.temporal else 0, what)
    return found


def _added(unit: HostUnit, fed: list[Numbers]) -> Numbers:
    """The sum of digits, each shifted; every digit has the axes of the whole."""
    op = unit.node.op
    if not isinstance(op, Sum):
        require(False, "it computes another op than the program's")
        raise TypeError(op.mnemonic)
    require(len(op.shifts) == len(fed), "a digit has no shift")
    for place in unit.reads:
        require(place.type.names == unit.node.type.names, "a digit has other axes")
    probe, low, high = (
        sum((part << shift for part, shift in zip(parts, op.shifts, strict=True)),
            np.zeros_like(parts[0]))
        for parts in zip(*((each.probe, each.low, each.high) for each in fed), strict=True)
    )  # fmt: skip
    return Numbers(probe, low, high)


def written(place: Place, node: Node, meant: Value, shadow: Shadow, span: Span) -> None:
    require(place.type == node.type, "its value goes where another type is expected")
    if place.form is Form.BITS:
        _put(place, meant, shadow, span)
        return
    _store(place, meant, shadow, span)


def _store(place: Place, meant: Value, shadow: Shadow, span: Span) -> None:
    """Writes integers of these steps."""
    require(place.form is Form.INTEGERS and place.size in HELD, "its value goes nowhere")
    within(meant.low, meant.high, HELD[place.size], "what the host gives")
    at = addresses(place, span)
    steps = np.arange(len(at)) + (span.first if place.type.temporal else 0)
    parts = [
        np.broadcast_to(a[np.minimum(steps, len(a) - 1)], at.shape)
        for a in (meant.probe, meant.low, meant.high)
    ]
    shadow.store(at, place.size, Numbers(*parts))


def _bits(place: Place, shadow: Shadow, span: Span) -> Ints:
    """Probes of spikes or of counts, [steps, *axes without time]."""
    require(place.planes >= 1, "counts have no plane")
    planes = [_plane(place, shadow, span, plane) << plane for plane in range(place.planes)]
    return np.asarray(sum(planes), np.int64)


def _plane(place: Place, shadow: Shadow, span: Span, plane: int) -> Ints:
    """Probes of one plane."""
    lay, steps = place.arrangement, span.count if place.type.temporal else 1
    require(lay.lanes <= 64 * lay.words, "rows of spikes are shorter than what is read of them")
    found: list[Ints] = []
    for step in range(steps):
        start = place.at + plane * place.plane + step * place.step
        rows = start + np.arange(lay.row_count) * place.row
        words = rows[:, None] + 8 * np.arange(lay.words)
        bits = shadow.bits(words, (step, lay.row_count * lay.words))
        found.append(bits.reshape(lay.row_count, 64 * lay.words)[:, : lay.lanes])
    lanes = [lay.lanes] if lay.lane else []
    grid = np.stack(found).reshape(steps, *lay.sizes, *lanes)
    have = [TIME, *lay.rows, *([lay.lane] if lay.lane else [])]
    names = [TIME, *(name for name in place.type.names if name != TIME)]
    return grid.transpose([have.index(name) for name in names])


def _put(place: Place, value: Value, shadow: Shadow, span: Span) -> None:
    """Writes spikes or counts of these steps as rows of bits."""
    lay = place.arrangement
    names = (TIME, *(name for name in place.type.names if name != TIME))
    require(set(names) == {TIME, *lay.rows, lay.lane} - {""}, "spikes lie along other axes")
    probe = arranged(value.probe, names, lay)
    if place.type.temporal:
        probe = probe[np.minimum(span.first + np.arange(span.count), len(probe) - 1)]
    wanted = 8 * lay.words * lay.row_count if place.type.temporal else 0
    require(place.step == wanted, "steps of spikes do not follow each other")
    most, count = int(value.high.max(initial=0)), place.planes
    require(int(value.low.min(initial=0)) >= 0, "planes of bits have no sign")
    require(most >> count == 0, f"{count} planes of bits hold no {most}")
    for plane, each in enumerate(_planes_of(probe, count)):
        padded = np.zeros((*probe.shape[:2], 64 * lay.words), np.int64)
        padded[..., : lay.lanes] = each
        share = 1 if plane else most - (1 << count) + 2
        shadow.put_bits(place.at + plane * place.plane, padded.reshape(-1, 64), lay.lanes, share)


def _planes_of(probe: Ints, count: int) -> list[Ints]:
    """Probes of planes that add up to the probe of a count, each shifted by its number."""
    random = np.random.default_rng(list(np.ascontiguousarray(probe[:1, :1]).tobytes()))
    upper = [random.integers(1, PROBES, probe.shape, np.int64) for _ in range(1, count)]
    rest = probe - sum(each << (1 + number) for number, each in enumerate(upper))
    return [np.asarray(rest, np.int64), *upper]
