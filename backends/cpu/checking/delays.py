"""Delays that compiled units compute: copies of steps, from and to where the program's values lie.

A copy is right when both values lie alike, step by step, and each is where the plan says. Within a
loop what is read is written after it is read, at the step before: it is looked at when the loop is
complete.
"""

import numpy as np

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.checking.decoding import Block, Row, row, rows_of
from snncc.backends.cpu.checking.hosted import HELD, fed_by, written
from snncc.backends.cpu.checking.meaning import Meaning, names_of, over
from snncc.backends.cpu.checking.neurons import arranged
from snncc.backends.cpu.checking.products import Span
from snncc.backends.cpu.checking.shadow import Shadow
from snncc.backends.cpu.checking.stored import addresses
from snncc.backends.cpu.checking.wrong import Wrong, require
from snncc.backends.cpu.plan.places import Form, Place
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.ir import TIME, Graph, Node
from snncc.ir.dialects.delays import Delay


class Delays:
    """The delays of a plan, call by call.

    Args:
        graph: the program.
        plan: of it.
        meaning: of it.
    """

    def __init__(self, graph: Graph, plan: UnitPlan, meaning: Meaning) -> None:
        self.graph, self.plan, self.meaning = graph, plan, meaning
        self.rows = rows_of(plan.delays, f.D_SIZE, "delays")
        self.begin()

    def begin(self) -> None:
        """Another call begins."""
        self.given: dict[int, str] = {}
        self.pending: list[str] = []

    def hold(
        self, name: str, number: int, block: Block, shadow: Shadow, span: Span, looped: bool
    ) -> None:
        """Checks what a delay gives, and writes it.

        Args:
            name: of the unit.
            number: of the delay's row.
            block: the plan's constants.
            shadow: of the working memory.
            span: steps of this call.
            looped: whether what it reads may come after it.
        """
        node = self.graph.by_name.get(name)
        if node is None or not isinstance(node.op, Delay):
            raise Wrong("what gives earlier steps is no delay")
        delay, size = row(self.rows, number, "delay"), self._alike(node)
        target, source = self.plan.values[name], self.plan.values[node.inputs[0]]
        past = self.plan.pasts.get(name)
        wanted = {
            f.D_STEPS: (node.op.steps, "it reads another step than the program's"),
            f.D_BYTES: (size, "a step has other bytes"),
            f.D_SOURCE: (source.at, "it reads from another place"),
            f.D_SOURCE_STEP: (source.step, "it reads from another place"),
            f.D_TARGET: (target.at, "it writes to another place"),
            f.D_TARGET_STEP: (target.step, "it writes to another place"),
            f.D_PAST: (-1 if past is None else past.at, "it keeps its past in another place"),
        }
        for column, (value, what) in wanted.items():
            require(delay[column] == value, what)
        require(past is not None or span.first == 0, "it has no past and does not begin")
        if past is not None:
            alike = _lies(past, node.op.steps) == _lies(target, node.op.steps, size)
            require(alike, "what it keeps lies otherwise than what it reads")
        self._check_start(node, node.op, delay, block, target)
        if looped:
            self.pending.append(name)
        else:
            self._read(node, shadow, span)
        written(target, node, self.meaning.values[name], shadow, span)
        require(number not in self.given, "a delay is computed twice")
        self.given[number] = name

    def end_loop(self, shadow: Shadow, span: Span) -> None:
        """What the delays of a loop read must be there, and left alone by the rest of it."""
        for name in self.pending:
            self._read(self.graph[name], shadow, span)
        self.pending = []

    def keep(self, number: int, shadow: Shadow, span: Span) -> str:
        """Checks that what is kept is what the delay read; the delay's name."""
        name = self.given.get(number, "")
        require(name != "", "it keeps what no delay has given, or keeps it twice")
        self._read(self.graph[name], shadow, span)
        self.given[number] = ""
        return name

    def _read(self, node: Node, shadow: Shadow, span: Span) -> None:
        name = node.inputs[0]
        fed_by(self.graph, name, self.plan.values[name], self.meaning, shadow, span)

    def _alike(self, node: Node) -> int:
        """Bytes of a step; refuses values that do not lie alike."""
        name = node.inputs[0]
        known = node.name in self.plan.values and name in self.plan.values
        require(known, "what it reads or gives lies nowhere")
        own, read = self.plan.values[node.name], self.plan.values[name]
        require(own.form is read.form and own.size == read.size, "it copies into another form")
        if own.form is Form.BITS:
            require(own.arrangement == read.arrangement, "it copies into other lanes")
            return 8 * own.arrangement.words * own.arrangement.row_count
        mine, theirs = addresses(own, Span(0, 1)) - own.at, addresses(read, Span(0, 1)) - read.at
        order = [names_of(self.graph[name]).index(axis) for axis in names_of(node)]
        require(np.array_equal(mine, theirs.transpose(order)), "it copies into other lanes")
        size = own.size * mine.size
        whole = np.array_equal(np.sort(mine, axis=None), np.arange(0, size, own.size))
        require(whole, "a step of what it copies has gaps")
        return size

    def _check_start(self, node: Node, op: Delay, delay: Row, block: Block, target: Place) -> None:
        """What stands before the first step is the program's."""
        names = names_of(node)
        meant = np.zeros([1] * len(names), np.int64)
        if op.start is not None:
            meant = over(self.graph, op.start, names)
        if target.form is Form.BITS:
            lay = target.arrangement
            data = block.take(delay[f.D_START], delay[f.D_BYTES], 1, "a delay's start")
            rows = data.astype(np.uint8).reshape(lay.row_count, 8 * lay.words)
            bits = np.unpackbits(rows, axis=1, bitorder="little").astype(np.int64)
            wanted = np.zeros_like(bits)
            wanted[:, : lay.lanes] = arranged(meant, names, lay)[0]
            require(np.array_equal(bits, wanted), "it starts from other bits")
            return
        places = addresses(target, Span(0, 1))[0] - target.at
        found = block.take(delay[f.D_START], places.size, target.size, "a delay's start")
        same = found[places // target.size] == np.broadcast_to(meant[0], places.shape)
        require(same.all(), "it starts from other numbers")


def check_past(graph: Graph, name: str, place: Place) -> None:
    """Whether what a delay keeps has room for every value that it reads, of all its steps."""
    op, kind = graph[name].op, graph[name].type
    if isinstance(op, Delay):
        wanted = (TIME, *op.axes), (op.steps, *op.shape)
        require((place.type.names, place.type.shape) == wanted, f"{name} keeps another past")
    require(isinstance(op, Delay) and place.form is not Form.IMAGE, f"{name} keeps no past")
    if place.form is Form.BITS:
        lay = place.arrangement
        require(place.step == 8 * lay.words * lay.row_count, f"{name} keeps steps with gaps")
        return
    low, high = kind.range or (0, 0)
    require(place.size in HELD, f"{name} keeps {place.size} bytes an element")
    least, most = HELD[place.size]
    require(least <= low and high <= most, f"{name} keeps less than its values need")
    own = np.sort(addresses(place, Span(0, place.type.size(TIME))) - place.at, axis=None)
    apart = np.array_equal(own, np.arange(0, past_size(place), place.size))
    require(apart, f"elements that {name} keeps lie in one another")


def past_size(place: Place) -> int:
    """Bytes of what a delay keeps."""
    steps = place.type.size(TIME)
    if place.form is Form.BITS:
        return steps * 8 * place.arrangement.words * place.arrangement.row_count
    return place.size * int(np.prod(place.type.shape))


def _lies(place: Place, steps: int, step: int = -1) -> tuple[object, ...]:
    """How steps of a value lie from its own beginning; `step` is how many bytes each then has."""
    if place.form is Form.BITS:
        return place.form, place.arrangement, place.step if step < 0 else step, steps
    strides = {**place.strides, TIME: place.step if step < 0 else step}
    long = {axis.name: strides[axis.name] for axis in place.type.axes if axis.size > 1}
    return place.form, place.size, steps, {**long, TIME: strides[TIME]}
