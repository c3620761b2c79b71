"""C's neurons: leak, add, compare, reset; see `IntegerPopulation`."""

from snncc.backends.c99.integers import holding, wider, working
from snncc.backends.c99.nests import axes_of, nest, strides_of
from snncc.backends.c99.products import right, times
from snncc.backends.c99.table import FORM, At
from snncc.backends.c99.terms import Indices, Leaf, Term, array_term, dealt, number_term, strides_in
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.neuron_rule import Rounding


@FORM.of(IntegerPopulation)
def population(at: At, op: IntegerPopulation) -> None:
    """The membrane lasts from step to step in the narrowest type that holds its interval."""
    node, w, draft = at.node, at.w, at.draft
    axes, (low, high) = axes_of(node.type), op.membrane
    polarity = draft.constant(op.polarity, usual=1)
    deaf = polarity.literal == 0
    x = number_term(0) if deaf else at.sources[0]
    offset = draft.constant(None if deaf else op.offset)
    # Beyond what a membrane reaches a threshold decides nothing, and nothing is reset to it.
    least = low - 1 if op.reset == "hard" else -(1 << 62)
    threshold = draft.constant(op.threshold, within=(least, high + 1))
    bias = draft.constant(op.bias)
    memory = draft.buffer(holding(low, high), node.type.neurons, lasting=True)
    state = Leaf(memory.name, strides_of(axes))
    with draft.start.loop(node.type.neurons, {}) as i:
        draft.start.line(f"{memory.name}[{i}] = 0;")
    before = array_term(state, (low, high))
    kept = leak(at, op, before)
    spikes = draft.keep(node)
    far = max(abs(e) for e in x.bounds) + max(abs(e) for e in offset.bounds)
    far += max(abs(e) for e in bias.bounds) + max(-low, high)
    numbers = [far, *threshold.bounds, low - threshold.bounds[1], high - threshold.bounds[0]]
    ctype = wider(kept.ctype, x.ctype, working(*numbers))
    terms = (x, threshold, bias, offset, polarity, kept)
    with nest(w, axes, [*strides_in(*terms), state.strides, spikes.strides]) as indices:
        ix, it, ib, io, ip, ik, (iv, iz) = dealt(indices, *terms)
        drive = x.cast(ctype, ix)
        if offset.literal != 0:
            drive = f"({drive} + {offset.cast(ctype, io)})"
        if op.polarity is not None:
            drive = signed(at, polarity, polarity.cast(ctype, ip), ctype, drive)
        level = f"{kept.cast(ctype, ik)} + {drive}"
        if bias.literal != 0:
            level += f" + {bias.cast(ctype, ib)}"
        z = w.let(ctype, level, "z")
        limit = w.let(ctype, threshold.cast(ctype, it), "h")
        fires = w.let(ctype, f"{z} {'>=' if op.compare == 'ge' else '>'} {limit}", "f")
        after = f"{z} & ({fires} - 1)" if op.reset == "hard" else f"{z} - ({limit} & -{fires})"
        w.line(f"{state.at(iv)} = ({memory.ctype})({after});")
        w.line(f"{spikes.at(iz)} = (uint8_t){fires};")
        seen(at, iz, z, fires)


def seen(at: At, index: str, level: str, fires: str) -> None:
    """Tells of a neuron, where somebody looks on."""
    if at.draft.record:
        number = at.graph.nodes.index(at.node)
        at.w.line(f"net_seen({number}, {index}, {level}, (int){fires});")


def leak(at: At, op: IntegerPopulation, v: Term) -> Term:
    """What remains of a membrane after a step."""
    (factor, shift), carry = op.decay, op.decay_offset
    low, high = op.membrane
    if factor == 0:
        return Term(v.ctype, (0, 0), (), lambda _: "0", 0)
    if op.rounding is Rounding.UP:
        carry = (1 << shift) - 1 - carry
    mirrored = op.rounding is Rounding.TO_ZERO
    reach = max(-low, high) * factor + carry
    w, ctype, signs = at.w, working(reach, low, high), list[str]()

    def size(indices: Indices) -> str:
        """V, or how far it is from 0."""
        text = v.cast(ctype, indices)
        if not mirrored:
            return text
        value = w.let(ctype, text)
        signs.append(w.let(ctype, f"-({ctype})({value} < 0)", "s"))
        return f"(({value} ^ {signs[-1]}) - {signs[-1]})"

    ends = (0, max(-low, high)) if mirrored else (min(0, low), max(0, high))
    product = times(at.draft, Term(ctype, ends, v.leaves, size), number_term(factor))

    def write(indices: Indices) -> str:
        text = product.cast(ctype, indices)
        text = right(w, ctype, f"{text} + {carry}" if carry else text, shift)
        if not mirrored:
            return text
        kept = w.let(ctype, text)
        return f"(({kept} ^ {signs[-1]}) - {signs[-1]})"

    return Term(ctype, (min(0, low), max(0, high)), v.leaves, write)


def signed(at: At, polarity: Term, sign: str, ctype: str, drive: str) -> str:
    """What enters, with the sign of the neuron."""
    if polarity.literal is not None:
        return {1: drive, -1: f"-({drive})", 0: "0"}[polarity.literal]
    x, p = at.w.let(ctype, drive), at.w.let(ctype, sign, "p")
    return f"(({x} & -({ctype})({p} > 0)) - ({x} & -({ctype})({p} < 0)))"
