"""C's neurons of several states; see `IntegerNeuron`.

A neuron's states are variables of one turn of a loop. Everything that a line reads is a `Term`
made before the loop, so that the loop knows all arrays that go along.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from snncc.backends.c99.integers import holding, working
from snncc.backends.c99.nests import axes_of, nest, strides_of
from snncc.backends.c99.neurons import seen
from snncc.backends.c99.products import right, times
from snncc.backends.c99.table import FORM, At
from snncc.backends.c99.terms import Indices, Leaf, Term, dealt
from snncc.diagnostics import SnnccError
from snncc.ir import Param
from snncc.ir.dialects.integer_neurons import IntegerNeuron, Interval


@dataclass
class _Terms:
    """Terms by number, and their indices once the loop runs."""

    at: At
    all: list[Term] = field(default_factory=list[Term])
    indices: list[Indices] = field(default_factory=list[Indices])

    def put(self, term: Term) -> int:
        """The number of a term."""
        self.all.append(term)
        return len(self.all) - 1

    def constant(self, param: Param | None, state: int, usual: int = 0) -> int:
        """The number of the constant of a state."""
        lead = () if param is None else (state,)
        return self.put(self.at.draft.constant(param, usual, lead=lead))

    def products(self, *pairs: tuple[Term, Param | None, tuple[int, ...], int]) -> list[int]:
        """Numbers of products of values with constants, without those that are 0 everywhere."""
        found: list[int] = []
        for value, param, lead, usual in pairs:
            factor = self.at.draft.factor(param, usual, lead if param else ())
            if factor.literal != 0:
                found.append(self.put(times(self.at.draft, value, factor)))
        return found

    def reach(self, *numbers: int) -> int:
        """The largest magnitude of the sum of some of these terms."""
        return sum(max(abs(end) for end in self.all[number].bounds) for number in numbers)

    def text(self, number: int, ctype: str) -> str:
        """The expression of a term in a working type."""
        return self.all[number].cast(ctype, self.indices[number])

    def sum(self, numbers: Sequence[int], ctype: str) -> str:
        """The expression of a sum."""
        return " + ".join(self.text(number, ctype) for number in numbers) or "0"


@FORM.of(IntegerNeuron)
def neurons(at: At, op: IntegerNeuron) -> None:
    if not op.ordinary:
        raise SnnccError(
            "SNN040",
            f"C has no form for {at.node.name}",
            at.node.loc,
            why="its spikes are counts, its states have upper ends, or it gives its membranes",
            help="run the program with `snncc run`",
        )
    node, w, draft = at.node, at.w, at.draft
    axes, n = axes_of(node.type), op.states(at.graph.context)
    terms = _Terms(at)
    (source,) = at.sources
    x_name, v, u = w.fresh("x"), [w.fresh("v") for _ in range(n)], [w.fresh("u") for _ in range(n)]
    x = _variable(x_name, source.bounds)
    before = [_variable(v[i], op.states_within[i]) for i in range(n)]
    levels = [_variable(u[i], op.states_within[i]) for i in range(n)]
    first = terms.put(source)
    sums = [
        terms.products(
            (before[i], op.leak, (i,), 0),
            (x, op.gain, (i,), 0),
            *((levels[j] if j < i else before[j], op.reads, (i, j), 0) for j in range(n) if j != i),
        )
        for i in range(n)
    ]
    kept = [
        terms.products((levels[i], op.keep, (i,), 1 << _of(op.reset_shift, i))) for i in range(n)
    ]
    taken = [
        terms.products(*((levels[j], op.takes, (i, j), 0) for j in range(n))) for i in range(n)
    ]
    form = terms.products(*((levels[i], op.form, (i,), 0) for i in range(n)))
    threshold = terms.put(draft.constant(op.threshold))
    bias, late, amount, floor, low = (
        [terms.constant(param, i) for i in range(n)]
        for param in (op.bias, op.late, op.amount, op.floor, op.low)
    )
    memory = [draft.buffer(holding(*ends), node.type.neurons, True) for ends in op.states_within]
    layout = strides_of(axes)
    states = [Leaf(each.name, layout) for each in memory]
    fired = Leaf(
        draft.buffer("uint8_t", node.type.neurons, True).name if op.remembers else "", layout
    )
    _start(at, op, states, fired)
    out = draft.keep(node)
    leaves = [leaf for term in terms.all for leaf in term.leaves]
    with nest(w, axes, [*(leaf.strides for leaf in leaves), out.strides]) as indices:
        *terms.indices, (here,) = dealt(indices, *terms.all)
        ctype = source.ctype
        w.line(f"const {ctype} {x_name} = {terms.text(first, ctype)};")
        w.line(f"(void){x_name};")
        for i in range(n):
            w.line(f"const {before[i].ctype} {v[i]} = {states[i].at(here)};")
            w.line(f"(void){v[i]};")
        spiked = w.let("int32_t", fired.at(here), "f") if op.remembers else ""
        for i in range(n):
            carry, shift = _of(op.carry, i), op.shift[i]
            more = (1 << shift) - 1 - carry if op.compare == "gt" else carry
            reach = terms.reach(*sums[i], bias[i], late[i]) + more
            wide = working(reach, *op.states_within[i])
            text = _rounded(at, wide, terms.sum(sums[i], wide), more, shift)
            if op.bias is not None:
                text += f" + {terms.text(bias[i], wide)}"
            if spiked and op.late is not None:
                text += f" - ({terms.text(late[i], wide)} & -({wide}){spiked})"
            if spiked and _of(op.swallow, i):
                text = f"({text}) & -({wide})({spiked} == 0)"
            level = w.let(wide, text)
            text = _at_least(terms, level, floor[i] if _of(op.has_floor, i) else None, wide)
            w.line(f"const {levels[i].ctype} {u[i]} = ({levels[i].ctype})({text});")
        wide = working(terms.reach(*form), *terms.all[threshold].bounds, *op.membrane)
        total = w.let(wide, terms.sum(form, wide), "z")
        fires = ""
        if op.fires:
            sign = ">" if op.compare == "gt" else ">="
            fires = w.let("int32_t", f"{total} {sign} {terms.text(threshold, wide)}", "f")
        for i in range(n):
            text = u[i]
            wide = working(
                terms.reach(*kept[i], *taken[i], amount[i], low[i]) + (1 << _of(op.reset_shift, i)),
                *op.states_within[i],
            )
            if fires:
                reset = terms.sum(kept[i], wide)
                for number in taken[i]:
                    reset += f" - {terms.text(number, wide)}"
                shift = _of(op.reset_shift, i)
                more = (1 << shift) - 1 if op.compare == "gt" else 0
                reset = _rounded(at, wide, reset, more, shift)
                if op.amount is not None:
                    reset += f" - {terms.text(amount[i], wide)}"
                text = f"{fires} ? {reset} : ({wide}){u[i]}"
            after = w.let(wide, text)
            text = _at_least(terms, after, low[i] if _of(op.has_low, i) else None, wide)
            w.line(f"{states[i].at(here)} = ({memory[i].ctype})({text});")
        if op.remembers:
            w.line(f"{fired.at(here)} = (uint8_t){fires};")
        w.line(f"{out.at(here)} = {f'(uint8_t){fires}' if fires else total};")
        seen(at, here, total, fires or "0")


def _start(at: At, op: IntegerNeuron, states: Sequence[Leaf], fired: Leaf) -> None:
    """States before the first step."""
    w, axes = at.draft.start, axes_of(at.node.type)
    for i, state in enumerate(states):
        start = at.draft.constant(op.start, lead=(i,) if op.start else ())
        with nest(w, axes, [*(leaf.strides for leaf in start.leaves), state.strides]) as indices:
            mine, (here,) = dealt(indices, start)
            w.line(f"{state.at(here)} = {start.write(mine)};")
    if op.remembers:
        with w.loop(at.node.type.neurons, {}) as place:
            w.line(f"{fired.at(place)} = 0;")


def _variable(name: str, bounds: Interval) -> Term:
    return Term(working(*bounds), bounds, (), lambda _: name)


def _rounded(at: At, ctype: str, text: str, more: int, shift: int) -> str:
    text = f"{text} + {more}" if more else text
    return right(at.w, ctype, text, shift) if shift else f"({text})"


def _at_least(terms: _Terms, value: str, low: int | None, ctype: str) -> str:
    if low is None:
        return value
    limit = terms.at.w.let(ctype, terms.text(low, ctype), "h")
    return f"{value} < {limit} ? {limit} : {value}"


def _of(values: Sequence[int], place: int) -> int:
    return values[place] if values else 0
