"""Sums of the rows of weights that active inputs select: what every projection of C is.

An output position reads some inputs, each of which has a row of weights, one for every output that
lies there. With events the active inputs are listed first and their rows added; dense, all rows are
masked and added. Of counts, bit by bit from the highest: the sum is doubled in between.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from snncc.backends.c99.integers import BITS, unsigned, wider, working
from snncc.backends.c99.nests import Loop, merged
from snncc.backends.c99.table import At
from snncc.backends.c99.terms import Leaf
from snncc.backends.c99.writer import INDEX
from snncc.ir.types import BIT, ValueType

FEW = 4
"""Outputs for which a list is not worth its while."""


@dataclass(frozen=True)
class Step:
    """A loop over inputs or positions.

    Attributes:
        size: how often it runs.
        x, w, y: by how much it goes on in the source, the rows, the result.
        position: the name of a position in an image that goes along, with its step; "" for none.
        ahead: where that position starts, of a loop over outputs.
        apart: how far neighbouring positions lie apart in the source.
        limit: positions below it are inside the image, of a loop over inputs; 0 for all are.
    """

    size: int
    x: int = 0
    w: int = 0
    y: int = 0
    position: str = ""
    step: int = 0
    ahead: int = 0
    apart: int = 0
    limit: int = 0


@dataclass(frozen=True)
class Rows:
    """A projection.

    Attributes:
        source: what selects.
        kind: its type.
        outer: loops over output positions.
        inner: loops over the inputs of one.
        out: what lies at an output position: size and stride in the result, outermost first.
        weights: name of the table, whose rows begin at bytes or elements.
        bits: of a weight; below 8 several share a byte.
        row: elements of the table in a row.
        bank: the first element of the weights of this step; "" for none.
        most: the last offset of a row in what one output position reads.
    """

    source: Leaf
    kind: ValueType
    outer: Sequence[Step]
    inner: Sequence[Step]
    out: Sequence[Loop]
    weights: str
    bits: int
    row: int
    bank: str
    most: int

    @property
    def outputs(self) -> int:
        found = 1
        for loop in self.out:
            found *= loop.size
        return found


def joined(steps: Sequence[Step]) -> list[Step]:
    """As few loops as there can be; those with positions stay as they are."""
    found: list[Step] = []
    for step in steps:
        if step.position:
            found.append(step)
            continue
        last = found[-1] if found and not found[-1].position else None
        if step.size == 1:
            continue
        own = (step.x, step.w, step.y)
        if last and (last.x, last.w, last.y) == tuple(each * step.size for each in own):
            found[-1] = Step(last.size * step.size, *own)
        else:
            found.append(step)
    return found


def write_rows(at: At, rows: Rows, out: Leaf, ctype: str) -> None:
    """Writes a projection into its buffer.

    Args:
        at: the projection.
        rows: its loops.
        out: the buffer.
        ctype: of the buffer, which holds every sum of some of the weights.
    """
    w, draft = at.w, at.draft
    counts = rows.kind.domain != BIT
    inputs = 1
    for step in rows.inner:
        inputs *= step.size
    lines = merged(rows.out)
    straight = not counts and (not lines or (len(lines) == 1 and lines[0].strides == (1,)))
    summing = ctype if not counts else working(*(2 * end for end in at.node.type.range or (0, 0)))
    scratch = "" if straight or rows.outputs == 1 else draft.buffer(summing, rows.outputs).name
    events = draft.events and rows.outputs >= FEW and inputs > 1
    listed = ""
    if events:
        listed = draft.buffer(unsigned(max(255, rows.most)), inputs).name
    with ExitStack() as stack:
        places = _outer(at, stack, rows)
        if rows.outputs == 1:
            acc = w.fresh("y")
            w.line(f"{summing} {acc} = 0;")
        elif straight:
            acc = w.fresh("d")
            w.line(f"{ctype} *{acc} = {out.base} + {places.y};")
        else:
            acc = scratch
        if rows.outputs > 1:
            with w.loop(rows.outputs, {}) as o:
                w.line(f"{acc}[{o}] = 0;")
        _planes(at, rows, places, _Sum(acc, summing, listed))
        if rows.outputs == 1:
            w.line(f"{out.base}[{places.y}] = ({ctype}){acc};")
        elif not straight:
            _scattered(at, lines, acc, out, places.y, ctype)


@dataclass(frozen=True)
class _Places:
    """Variables that say where an output position reads and writes."""

    x: str
    w: str
    y: str
    positions: Mapping[str, str]


@dataclass(frozen=True)
class _Sum:
    """What is added up in, its type, and the list of active inputs; "" for none."""

    name: str
    ctype: str
    listed: str


def _outer(at: At, stack: ExitStack, rows: Rows) -> _Places:
    w = at.w
    x, weight, y = "0", rows.bank or "0", "0"
    positions: dict[str, str] = {}
    for step in joined(rows.outer):
        running: dict[str, tuple[str, int]] = {}
        if step.x or step.ahead:
            start = f"{x} + {step.ahead * step.apart}" if step.ahead else x
            running[x := w.fresh("x")] = start, step.x
        if step.w:
            running[moved := w.fresh("w")] = weight, step.w
            weight = moved
        if step.y:
            running[moved := w.fresh("y")] = y, step.y
            y = moved
        if step.position:
            running[moved := w.fresh("p")] = str(step.ahead), step.step
            positions[step.position] = moved
        stack.enter_context(w.loop(step.size, running))
    return _Places(x, weight, y, positions)


def _planes(at: At, rows: Rows, places: _Places, total: _Sum) -> None:
    """One plane of spikes; of counts the highest first, which counts negatively below 0."""
    w, planes = at.w, rows.kind.planes
    if rows.kind.domain == BIT:
        _plane(at, rows, places, total, "", False)
        return
    top = len(planes) - 1
    if planes[top][1]:
        _plane(at, rows, places, total, str(top), True)
        top -= 1
    if top < 0:
        return
    bit = w.fresh("bit")
    with w.block(f"for (int {bit} = {top}; {bit} >= 0; {bit}--)"):
        if rows.outputs == 1:
            w.line(f"{total.name} += {total.name};")
        else:
            with w.loop(rows.outputs, {}) as o:
                w.line(f"{total.name}[{o}] += {total.name}[{o}];")
        _plane(at, rows, places, total, bit, False)


def _plane(at: At, rows: Rows, places: _Places, total: _Sum, bit: str, negative: bool) -> None:
    w = at.w
    if not total.listed:
        with ExitStack() as stack:
            x, row = _inner(at, stack, rows, places)
            mask, wide = w.fresh("m"), wider(total.ctype)
            w.line(f"{wide} {mask} = -({wide}){_bit(rows, x, bit)};")
            w.line(f"NET_HIDE({mask});")  # bytes of it would be copied by a product
            _add(at, rows, total, row, mask, negative)
        return
    count = w.fresh("n")
    w.line(f"{INDEX} {count} = 0;")
    element = unsigned(max(255, rows.most))
    start = _Places(places.x, "0", places.y, places.positions)
    with ExitStack() as stack:
        x, row = _inner(at, stack, rows, start)
        w.line(f"{total.listed}[{count}] = ({element}){row};")
        w.line(f"{count} += {_bit(rows, x, bit)};")
    each = w.fresh("i")
    with w.block(f"for ({INDEX} {each} = 0; {each} < {count}; {each}++)"):
        row = " + ".join(p for p in (places.w, f"{total.listed}[{each}]") if p != "0")
        _add(at, rows, total, row, "", negative)


def _inner(at: At, stack: ExitStack, rows: Rows, places: _Places) -> tuple[str, str]:
    """Loops over the inputs of an output position: where each is, and its row."""
    w, x, weight = at.w, places.x, places.w
    for step in joined(rows.inner):
        running: dict[str, tuple[str, int]] = {}
        if step.x:
            running[moved := w.fresh("x")] = x, step.x
            x = moved
        if step.w:
            running[moved := w.fresh("w")] = weight, step.w
            weight = moved
        position = ""
        if step.limit:
            position = w.fresh("p")
            running[position] = places.positions[step.position], step.step
        stack.enter_context(w.loop(step.size, running))
        if position:
            w.line(f"if ({position} < 0 || {position} >= {step.limit}) continue;")
    return x, weight


def _bit(rows: Rows, x: str, bit: str) -> str:
    """0 or 1: a spike, or a bit of a count."""
    element = rows.source.at(x)
    if not bit:
        return element
    ctype = "u" + working(*(rows.kind.domain or BIT))
    return f"(({ctype}){element} >> {bit} & 1)"


def _add(at: At, rows: Rows, total: _Sum, row: str, mask: str, negative: bool) -> None:
    """Adds a row of weights, or takes it off; masked, where there is a mask."""
    w, sign = at.w, "-" if negative else "+"
    masked = f" & {mask}" if mask else ""
    if rows.outputs == 1:
        w.line(f"{total.name} {sign}= {rows.weights}[{row}]{masked};")
        return
    pointer = w.fresh("r")
    element = "uint8_t" if rows.bits < 8 else next(c for c, b in BITS.items() if b == rows.bits)
    w.line(f"const {element} *{pointer} = {rows.weights} + {row};")
    if rows.bits >= 8:
        with w.loop(rows.outputs, {}) as o:
            w.line(f"{total.name}[{o}] {sign}= {pointer}[{o}]{masked};")
        return
    share, half, low = 8 // rows.bits, 1 << (rows.bits - 1), (1 << rows.bits) - 1
    whole = -(-rows.outputs // share)
    full, rest = divmod(rows.outputs, whole)

    def each(size: int, first: str, shift: str) -> None:
        """Weights that lie in the same bits of their bytes."""
        with w.loop(size, {}) as o:
            text = f"(({pointer}[{o}] >> {shift} & {low}) ^ {half}) - {half}"
            w.line(f"{total.name}[{first} + {o}] {sign}= ({text}){masked};")

    first, shift = w.fresh("o"), w.fresh("s")
    with w.loop(full, {first: ("0", whole), shift: ("0", rows.bits)}):
        w.line(f"NET_HIDE({shift});")  # by other amounts side by side is a product to compilers
        each(whole, first, shift)
    if rest:
        each(rest, str(full * whole), str(full * rows.bits))


def _scattered(at: At, lines: Sequence[Loop], acc: str, out: Leaf, start: str, ctype: str) -> None:
    """Copies sums to where the result has them."""
    w = at.w
    with ExitStack() as stack:
        y, sizes = start, [loop.size for loop in lines]
        inner = 1
        blocks = list[int]()
        for size in reversed(sizes):
            blocks.insert(0, inner)
            inner *= size
        place = "0"
        for loop, block in zip(lines, blocks, strict=True):
            running = {(moved := w.fresh("y")): (y, loop.strides[0])}
            y = moved
            running[moved := w.fresh("o")] = (place, block)
            place = moved
            stack.enter_context(w.loop(loop.size, running))
        w.line(f"{out.base}[{y}] = ({ctype}){acc}[{place}];")
