"""A C source under construction for one program: its code, its tables, its memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from snncc.backends.c99.integers import bounds_of, holding, kept_in, working
from snncc.backends.c99.nests import axes_of, strides_of
from snncc.backends.c99.storage import FOREVER, Buffer, Table
from snncc.backends.c99.terms import Leaf, Term, array_term, number_term
from snncc.backends.c99.writer import Writer
from snncc.ir import TIME, Array, Graph, Node, Param

EVENTS, DENSE = "events", "dense"
FORMS = (EVENTS, DENSE)


@dataclass(frozen=True)
class Kept:
    """A value in memory.

    Attributes:
        leaf: the array.
        buffer: it is, where it shares its memory with others.
        once: whether it is written before the first step and no more.
    """

    leaf: Leaf
    buffer: Buffer | None
    once: bool


class Draft:
    """What the functions of ops write into.

    Args:
        graph: integer dialect, verified.
        form: `EVENTS`, active inputs are listed and their weights added, or `DENSE`, all weights
            are masked and added, in a time that no data change.
        inlined: nodes that are written where they are read, and have no buffer.
        record: whether neurons call `net_seen` with every membrane and spike.

    Attributes:
        w: the body of the function that is being written, one of the next four.
        once: of what is the same at every step.
        each: of a step.
        start: what is done before the first step.
        end: what is done after every step.
        terms: of inlined nodes, what writes them.
        tables: constants, by what they are made of.
        scalars: names of constants that the compiler must not know, by number.
        pointers: to tables of such constants, by the table, with the type of its elements.
        buffers: in RAM.
        running: indices that last from step to step, with what each step adds to them.
        rings: likewise, with how many elements they run through.
    """

    def __init__(
        self, graph: Graph, form: str, inlined: frozenset[str], record: bool = False
    ) -> None:
        self.graph, self.events = graph, form == EVENTS
        self.inlined, self.record = inlined, record
        self.once, self.each, self.start, self.end = Writer(), Writer(), Writer(), Writer()
        self.w = self.once
        self.terms: dict[str, Callable[[], Term]] = {}
        self.tables: dict[object, Table] = {}
        self.scalars: dict[int, str] = {}
        self.pointers: dict[str, tuple[str, str]] = {}
        self.buffers: list[Buffer] = []
        self.running: dict[str, int] = {}
        self.rings: dict[str, tuple[int, int]] = {}
        self._kept: dict[str, Kept] = {}
        self._at, self._once = 0, True

    # Where we are.

    def enter(self, place: int, once: bool) -> None:
        """The node that is written next, and whether that is done once or at every step."""
        self._at, self._once = place + (0 if once else len(self.graph.nodes)), once
        self.w = self.once if once else self.each

    def finish(self) -> None:
        """After all nodes: what is read now is read at the end of a step."""
        self._at, self._once = 2 * len(self.graph.nodes), False
        self.w = self.end

    # Memory.

    def buffer(self, ctype: str, size: int, lasting: bool = False) -> Buffer:
        """A new array; one that lasts keeps its elements from step to step."""
        born, last = (0, FOREVER) if lasting else (self._at, self._at)
        made = Buffer(f"b{len(self.buffers)}", ctype, size, born, last)
        self.buffers.append(made)
        return made

    def keep(self, node: Node, lasting: bool = False) -> Leaf:
        """The buffer of a node's value, to be written."""
        made = self.buffer(kept_in(node.type), node.type.neurons, lasting)
        return self.hold(node, Leaf(made.name, strides_of(axes_of(node.type))), made)

    def hold(self, node: Node, leaf: Leaf, buffer: Buffer | None = None) -> Leaf:
        """A node's value lies there."""
        self._kept[node.name] = Kept(leaf, buffer, self._once)
        return leaf

    def read(self, name: str) -> Leaf:
        """Where a node's value lies, which is read here."""
        kept = self._kept[name]
        if kept.buffer is not None:
            last = FOREVER if kept.once and not self._once else self._at
            kept.buffer.last = max(kept.buffer.last, last)
        return kept.leaf

    def term(self, name: str) -> Term:
        """The element of a node's value: of its buffer, or as it is computed."""
        if name in self.terms:
            return self.terms[name]()
        kind, leaf = self.graph[name].type, self.read(name)
        bounds = bounds_of(kind)
        return array_term(leaf, bounds)

    # Constants.

    def table(self, key: object, ctype: str, size: int, make: Callable[[], Array]) -> str:
        """The name of a table in flash; equal keys are one table."""
        if key not in self.tables:
            self.tables[key] = Table(f"k{len(self.tables)}", ctype, size, make)
        return self.tables[key].name

    def constant(
        self,
        param: Param | None,
        usual: int = 0,
        within: tuple[int, int] | None = None,
        lead: Sequence[int] = (),
    ) -> Term:
        """A constant over some axes of what it belongs to.

        Args:
            param: None where it is the usual number.
            usual: that number.
            within: an interval into which numbers outside are moved.
            lead: places along its first axes, which the result then lacks.
        """
        if param is None:
            return number_term(usual)
        array = self.graph.constants[param.name][tuple(lead)]
        axes = param.axes[len(lead) :]
        if within is not None:
            array = np.clip(array.astype(np.int64), *within)
        low, high = int(array.min()), int(array.max())
        if low == high:
            return number_term(low)
        name = self.table((param, within, *lead), holding(low, high), array.size, lambda: array)
        stride, strides = 1, dict[str, int]()
        for axis, size in zip(reversed(axes), reversed(array.shape), strict=True):
            strides[axis] = stride
            stride *= size
        offset = self.at_step(strides.pop(TIME)) if TIME in strides else ""
        return array_term(Leaf(name, strides, offset), (low, high))

    def factor(self, param: Param | None, usual: int = 0, lead: Sequence[int] = ()) -> Term:
        """A constant that something is multiplied by, where it stands now.

        Its table is read through a pointer that the compiler cannot know: where it unrolls a loop
        to the end, it knows the elements of a table as well as single numbers.
        """
        found = self.constant(param, usual, lead=lead)
        if not found.leaves:
            return found
        (leaf,) = found.leaves
        ctype = next(table.ctype for table in self.tables.values() if table.name == leaf.base)
        self.pointers[leaf.base] = f"p{leaf.base[1:]}", ctype
        pointer = self.w.let(f"{ctype} *", self.pointers[leaf.base][0], "q")
        return array_term(replace(leaf, base=pointer), found.bounds)

    def at_step(self, stride: int) -> str:
        """An index that goes on by so many elements at every step."""
        name = f"net_step_{stride}"
        self.running[name] = stride
        return name

    def ring(self, step: int, size: int) -> str:
        """An index that goes on by so many elements at every step, and starts again."""
        name = f"net_ring_{step}_{size}"
        self.rings[name] = step, size
        return name

    def secret(self, number: int) -> str:
        """A variable with a number that the compiler cannot know, made here.

        What it knows it makes a product of: x * 7 out of (x << 3) - x.
        """
        name = self.scalars.setdefault(number, f"s{len(self.scalars)}")
        return self.w.let(working(number), name, "m")
