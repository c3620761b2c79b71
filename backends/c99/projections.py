"""C's projections: maps and convolutions as rows of weights."""

import math
from collections.abc import Sequence

import numpy as np

from snncc.backends.c99.draft import Draft
from snncc.backends.c99.integers import BITS, kept_in
from snncc.backends.c99.nests import Loop, axes_of
from snncc.backends.c99.rows import Rows, Step, write_rows
from snncc.backends.c99.storage import packed, packed_bits
from snncc.backends.c99.table import FORM, At
from snncc.ir import TIME, Array
from snncc.ir.dialects.projections import Contract, Convolve


@FORM.of(Contract)
def contract(at: At, op: Contract) -> None:
    """Rows lie [shared, into], with a weight for each of `out`."""
    node, draft, (kind,) = at.node, at.draft, at.inputs
    weight, lead = at.graph.constants[op.weight.name], len(op.shared)
    source, out = draft.read(node.inputs[0]), draft.keep(node)
    order = [*range(lead), *range(lead + len(op.out), weight.ndim)]
    order += range(lead, lead + len(op.out))
    outputs = math.prod(node.type.size(name) for name in op.out)
    table = _Table(draft, op.weight.name, weight.transpose(order), outputs)
    inputs = [kind.size(name) for name in op.into]
    blocks = [node.type.size(name) for name in op.shared]
    apart = _apart([*blocks, *inputs], table.row)
    banks = dict(zip(op.shared, apart, strict=False))
    gone = {*op.into, *op.summed}
    outer = [
        Step(a.size, source.strides[a.name], banks.get(a.name, 0), out.strides[a.name])
        for a in axes_of(kind)
        if a.name not in gone
    ]
    inner = [Step(kind.size(name), source.strides[name]) for name in op.summed]
    inner += [
        Step(size, source.strides[name], step)
        for name, size, step in zip(op.into, inputs, apart[lead:], strict=True)
    ]
    rows = Rows(
        source,
        kind,
        sorted(outer, key=lambda step: -step.y),
        inner,
        [Loop(node.type.size(name), (out.strides[name],)) for name in op.out],
        table.name,
        table.bits,
        table.row,
        draft.at_step(banks[TIME]) if TIME in op.shared else "",
        table.row * math.prod(inputs),
    )
    write_rows(at, rows, out, kept_in(node.type))


@FORM.of(Convolve)
def convolve(at: At, op: Convolve) -> None:
    """Rows lie [group, kernel height, kernel width, channel], with a weight for each output."""
    node, draft, (kind,) = at.node, at.draft, at.inputs
    weight = at.graph.constants[op.weight.name]
    source, out = draft.read(node.inputs[0]), draft.keep(node)
    outputs, channels, *kernel = weight.shape[-4:]
    each = outputs // op.groups
    split = weight.reshape(-1, op.groups, each, channels, *kernel).transpose(0, 1, 4, 5, 3, 2)
    table = _Table(draft, op.weight.name, split, each)
    bank, group, high, wide, tap = _apart(split.shape[:-1], table.row)
    x, y = source.strides, out.strides
    image = (op.height, op.width)
    carried = [a for a in axes_of(kind) if a.name not in (op.channel, *image)]
    outer = [Step(a.size, x[a.name], 0, y[a.name]) for a in carried]
    inner = list[Step]()
    for i, (name, made) in enumerate(zip(image, (op.out_height, op.out_width), strict=True)):
        pad, step, dilation = op.padding[i], op.stride[i], op.dilation[i]
        size = node.type.size(made)
        position = name if pad else ""
        outer.append(Step(size, x[name] * step, 0, y[made], position, step, -pad, x[name]))
        row = (high, wide)[i]
        limit = kind.size(name) if pad else 0
        inner.append(Step(kernel[i], x[name] * dilation, row, 0, position, dilation, limit=limit))
    outer.append(Step(op.groups, x[op.channel] * channels, group, y[op.out_channel] * each))
    inner.append(Step(channels, x[op.channel], tap))
    rows = Rows(
        source,
        kind,
        outer,
        inner,
        [Loop(each, (y[op.out_channel],))],
        table.name,
        table.bits,
        table.row,
        draft.at_step(bank) if op.banks else "",
        group,
    )
    write_rows(at, rows, out, kept_in(node.type))


class _Table:
    """Weights as rows of a table.

    Args:
        draft: the source under construction.
        param: name of the weight.
        rows: integers [..., inputs, *outputs].
        outputs: weights in a row.

    Attributes:
        name: of the table.
        bits: of a weight; below 8 several share a byte.
        row: elements of the table in a row.
    """

    def __init__(self, draft: Draft, param: str, rows: Array, outputs: int) -> None:
        bits = packed_bits(int(rows.min()), int(rows.max()))
        self.bits = bits = bits if outputs > 1 else max(8, bits)
        self.row = -(-outputs * bits // 8) if bits < 8 else outputs
        ctype = "uint8_t" if bits < 8 else next(c for c, b in BITS.items() if b == bits)

        def make() -> Array:
            flat: Array = rows.reshape(-1, outputs)
            return packed(flat.astype(np.int64), bits) if bits < 8 else flat

        key = (param, rows.shape, rows.strides, outputs)
        self.name = draft.table(key, ctype, rows.size // outputs * self.row, make)


def _apart(sizes: Sequence[int], row: int) -> list[int]:
    """How far apart neighbours lie in a table of rows, by axis."""
    return [row * math.prod(sizes[place + 1 :]) for place in range(len(sizes))]
