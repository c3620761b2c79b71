"""Where stored currents lie: which buffer, how many bytes an element takes, strides by axis."""

from dataclasses import dataclass

from snncc.backends.cpu.plan.hosting import bytes_for
from snncc.backends.cpu.plan.unit import Partition
from snncc.ir import TIME, Graph
from snncc.ir.dialects.projections import Concat


@dataclass(frozen=True)
class Layout:
    """A stored current in the buffer of its root: itself, or the concat that it is a slice of.

    Attributes:
        root: whose buffer it is.
        size: bytes of an element.
        start: bytes from the start of the buffer to the first element.
        strides: in bytes, by axis of the current, with time; 0 where the root does not vary.
    """

    root: str
    size: int
    start: int
    strides: dict[str, int]


def bytes_of(graph: Graph, root: str) -> int:
    """Bytes of an element of a stored current, from its proved range."""
    return bytes_for(graph[root])


def root_of(
    graph: Graph, units: Partition, name: str
) -> tuple[str, dict[str, str], dict[str, int]]:
    """The buffer that a stored current lies in: new names of axes, and first places."""
    renamed: dict[str, str] = {}
    first: dict[str, int] = {}
    while name in units.slices:
        concat, place = units.slices[name]
        node = graph[concat]
        op = node.op
        if not isinstance(op, Concat):
            raise TypeError(op.mnemonic)
        lengths = [graph[n].type.size(a) for n, a in zip(node.inputs, op.along, strict=True)]
        renamed = {old: op.out if new == op.along[place] else new
                   for old, new in renamed.items()}  # fmt: skip
        renamed.setdefault(op.along[place], op.out)
        first = {op.out if n == op.along[place] else n: at for n, at in first.items()}
        first[op.out] = first.get(op.out, 0) + sum(lengths[:place])
        name = concat
    return name, renamed, first


def layout_of(graph: Graph, units: Partition, name: str) -> Layout:
    """How a stored current lies in memory."""
    root, renamed, first = root_of(graph, units, name)
    arrangement, size = units.stored[root], bytes_of(graph, root)
    strides: dict[str, int] = {arrangement.lane: size}
    stride = size * arrangement.lanes
    for axis, length in reversed(list(zip(arrangement.rows, arrangement.sizes, strict=True))):
        strides[axis] = stride
        stride *= length
    own = units.stored[name]
    mine = {axis: strides[renamed.get(axis, axis)] for axis in (*own.rows, own.lane) if axis}
    mine[TIME] = stride if graph[root].type.temporal else 0
    return Layout(root, size, sum(at * strides[axis] for axis, at in first.items()), mine)
