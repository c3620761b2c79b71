"""C's windows: the largest of elements, by comparing and selecting."""

from contextlib import ExitStack

from snncc.backends.c99.integers import bounds_of, wider, working
from snncc.backends.c99.nests import axes_of
from snncc.backends.c99.table import FORM, At
from snncc.backends.c99.terms import dealt
from snncc.ir import Kind
from snncc.ir.dialects.windows import Largest


@FORM.of(Largest)
def largest(at: At, op: Largest) -> None:
    """Of all places of a window that lie inside the source; every window has one."""
    node, w, draft, kind = at.node, at.w, at.draft, at.inputs[0]
    (x,), out = at.sources, draft.keep(node)
    offset = draft.constant(op.offset)
    low, high = bounds_of(node.type)
    ctype = wider(x.ctype, working(low, high, *offset.bounds))
    read = [*x.leaves, *offset.leaves]
    window = dict(zip(op.out, range(len(op.axes)), strict=True))
    limits: dict[str, tuple[str, int]] = {}
    with ExitStack() as stack:
        at_ = ["0"] * len(read)
        out_at = "0"
        for axis in axes_of(node.type):
            place = window.get(axis.name)
            name = axis.name if place is None else op.axes[place]
            start, step = (0, 1) if place is None else (-op.padding[place], op.stride[place])
            running: dict[str, tuple[str, int]] = {}
            for i, leaf in enumerate(read):
                if stride := leaf.strides.get(name, 0):
                    running[variable := w.fresh("x")] = (
                        f"{at_[i]} + {start * stride}",
                        step * stride,
                    )
                    at_[i] = variable
            running[variable := w.fresh("o")] = (out_at, out.strides[axis.name])
            out_at = variable
            if place is not None:
                running[variable := w.fresh("p")] = (str(start), step)
                limits[name] = variable, kind.size(name)
            stack.enter_context(w.loop(axis.size, running))
        best = w.fresh("y")
        w.line(f"{ctype} {best} = {low};")
        with ExitStack() as inner:
            for place, name in enumerate(op.axes):
                variable, length = limits[name]
                step = op.dilation[place]
                running = {(position := w.fresh("p")): (variable, step)}
                for i, leaf in enumerate(read):
                    if stride := leaf.strides.get(name, 0):
                        running[moved := w.fresh("x")] = (at_[i], step * stride)
                        at_[i] = moved
                inner.enter_context(w.loop(op.kernel[place], running))
                w.line(f"if ({position} < 0 || {position} >= {length}) continue;")
            mine, more, _ = dealt(at_, x, offset)
            text = x.cast(ctype, mine)
            if op.offset is not None:
                text = f"{text} + {offset.cast(ctype, more)}"
            if node.type.kind is Kind.SPIKE:
                w.line(f"{best} |= {text};")
            else:
                value = w.let(ctype, text)
                w.line(f"if ({value} > {best}) {best} = {value};")
        w.line(f"{out.at(out_at)} = {best};")
