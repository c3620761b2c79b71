"""The header, the source and the example of a program."""

import re
from dataclasses import dataclass
from math import prod

import snncc
from snncc.artifact import Program, program_digest
from snncc.backends.c99 import FORM
from snncc.backends.c99.delays import write_delays
from snncc.backends.c99.draft import EVENTS, FORMS, Draft
from snncc.backends.c99.inlining import at_every_step, inlined
from snncc.backends.c99.integers import bytes_of, working
from snncc.backends.c99.readout import ANSWER, answer_type
from snncc.backends.c99.storage import Arenas, arranged
from snncc.backends.c99.table import At
from snncc.backends.c99.writer import INDEX
from snncc.diagnostics import SnnccError, printable
from snncc.ir import Graph, Node
from snncc.ir.dialects.integer import IntegerReadout
from snncc.ir.dialects.projections import Frames

HEADER, SOURCE, EXAMPLE = "net.h", "net.c", "main.c"


@dataclass(frozen=True)
class Footprint:
    """What a program takes on a machine, without its code and its stack.

    Attributes:
        flash: bytes of constant tables.
        ram: bytes of static memory.
    """

    flash: int
    ram: int


class Source:
    """A program in C.

    Args:
        graph: integer dialect, verified.
        form: one of `FORMS`.
        record: whether neurons call `net_seen`.

    Raises:
        SnnccError: SNN040 for every op that C has no form for; SNN001 for another form.
    """

    def __init__(self, graph: Graph, form: str = EVENTS, record: bool = False) -> None:
        if form not in FORMS:
            raise SnnccError("SNN001", f"form {form}", help=f"one of: {', '.join(FORMS)}")
        FORM.require(graph)
        self.graph, self.form = graph, form
        self.draft = draft = Draft(graph, form, inlined(graph), record)
        for once in (True, False):
            for place, node in enumerate(graph.nodes):
                if at_every_step(node) != once:
                    draft.enter(place, once)
                    _write(At(draft, node))
        draft.finish()
        write_delays(draft)
        self.arenas: Arenas = arranged(draft.buffers)
        code = "\n".join(
            line for w in (draft.once, draft.each, draft.start, draft.end) for line in w.lines
        )
        used = set(re.findall(r"\b[ksp]\d+\b", code))
        used |= {table for table, (name, _) in draft.pointers.items() if name in used}
        self.tables = [table for table in draft.tables.values() if table.name in used]
        self.scalars = {number: name for number, name in draft.scalars.items() if name in used}

    @property
    def footprint(self) -> Footprint:
        """Bytes of tables and of static memory."""
        draft, answer = self.draft, self.graph[self.graph.output]
        scalars = sum(bytes_of(working(number)) for number in self.scalars)
        flash = scalars + sum(table.bytes for table in self.tables)
        indices = 8 * (len(draft.running) + len(draft.rings) + len(draft.pointers)) + 4
        total = bytes_of(answer_type(self.graph, answer)) * answer.type.neurons
        return Footprint(flash, self.arenas.bytes + total + indices)

    def header(self, program: Program) -> str:
        """What a caller includes."""
        graph = self.graph
        (entry,) = graph.select(Frames)
        answer = graph[graph.output]
        unit = answer.op.unit if isinstance(answer.op, IntegerReadout) else 1.0
        low, high = entry.type.domain or (0, 1)
        same = "the frame of every step" if entry.type.temporal else "read at the first step alone"
        return f"""\
/* A network for {graph.steps} steps, written by snncc {snncc.__version__} ({self.form}).
   Program sha256 {program_digest(program)}
   A frame is {_axes(entry)}, {low} to {high}; {same}.
   The answer is {_axes(answer)}; in real units it is {unit!r} times as much. */
#ifndef NET_H
#define NET_H

#include <stdint.h>

#define NET_STEPS {graph.steps}
#define NET_INPUTS {entry.type.neurons}
#define NET_FRAMES {graph.steps if entry.type.temporal else 1}
#define NET_OUTPUTS {answer.type.neurons}

typedef {entry.type.dtype}_t net_input;
typedef {answer_type(graph, answer)} net_output;

/* Forgets what was; the next step is the first. */
void net_begin(void);
/* One step; 0, and nothing is done, without net_begin or after NET_STEPS steps. */
int net_step(const net_input *frame);
/* The sum up to now: the answer after the last step. */
const net_output *net_answer(void);
/* All steps, from NET_FRAMES frames one after another. */
void net_run(const net_input *frames, net_output *answer);

#endif
"""

    def source(self) -> str:
        """The code and the tables."""
        draft, graph = self.draft, self.graph
        answer = graph[graph.output]
        memory = self.arenas.text(draft.buffers)
        tables = [table.text() for table in self.tables]
        scalars = [
            f"static const volatile {working(n)} {name} = {n};" for n, name in self.scalars.items()
        ]
        scalars += [
            f"static const {ctype} *const volatile {name} = {table};"
            for table, (name, ctype) in draft.pointers.items()
            if table in {each.name for each in self.tables}
        ]
        indices = [f"static {INDEX} {name};" for name in (*draft.running, *draft.rings)]
        onward = [f"    {name} += {step};" for name, step in draft.running.items()]
        onward += [
            f"    {name} = {name} == {size - step} ? 0 : {name} + {step};"
            for name, (step, size) in draft.rings.items()
        ]
        seen = f"void net_seen(int node, {INDEX} place, int64_t membrane, int spike);\n"
        parts = [
            f'#include "{HEADER}"\n\n#include <stddef.h>\n',
            RIGHT,
            HIDE,
            *([seen] if draft.record else []),
            *tables,
            *scalars,
            "",
            *memory,
            *indices,
            f"static net_output {ANSWER}[{answer.type.neurons}];",
            "static int net_time = NET_STEPS;",
            "",
            _function("static void net_once(const net_input *frame)", draft.once.lines),
            _function("static void net_each(const net_input *frame)", draft.each.lines),
            _begin(
                [*draft.start.lines, *(f"    {n} = 0;" for n in (*draft.running, *draft.rings))]
            ),
            _step([*draft.end.lines, *onward]),
            RUN.format(next="NET_INPUTS" if _frames(graph) else "0"),
        ]
        return "\n".join(parts)

    def files(self, program: Program) -> dict[str, str]:
        """Every file by its name."""
        return {HEADER: self.header(program), SOURCE: self.source(), EXAMPLE: MAIN}


RIGHT = """\
/* The floor of x by 2^k: C leaves open what a shift of a negative number is. */
#define NET_RIGHT(T, x, k) \\
    ((T)-1 >> 1 == (T)-1 ? (x) >> (k) : (x) < 0 ? ~(~(x) >> (k)) : (x) >> (k))
"""
HIDE = """\
/* The compiler does not know what x is here: it would compute indices by multiplications. */
#if defined(__GNUC__)
#define NET_HIDE(x) __asm__("" : "+r"(x))
#else
#define NET_HIDE(x)
#endif
"""
RUN = """\
const net_output *net_answer(void) {{
    return net_total;
}}

void net_run(const net_input *frames, net_output *answer) {{
    net_begin();
    while (net_step(frames)) {{
        frames += {next};
    }}
    for (int i = 0; i < NET_OUTPUTS; i++) {{
        answer[i] = net_total[i];
    }}
}}
"""
MAIN = """\
/* Reads images from standard input, one after another, and prints the answer of each. */
#include "net.h"

#include <inttypes.h>
#include <stdio.h>

#define NUMBERS (NET_FRAMES * NET_INPUTS)

int main(void) {
    static net_input frames[NUMBERS];
    static net_output answer[NET_OUTPUTS];
    while (fread(frames, 1, NUMBERS, stdin) == NUMBERS) {
        net_run(frames, answer);
        for (int i = 0; i < NET_OUTPUTS; i++) {
            printf("%" PRId64 "%c", (int64_t)answer[i], i + 1 < NET_OUTPUTS ? ' ' : '\\n');
        }
    }
    return 0;
}
"""


def _write(at: At) -> None:
    w, start = at.w, len(at.w.lines)
    w.line(f"/* {_comment(at.node.name)}: {at.node.op.mnemonic} */")
    with w.block():
        FORM(at, at.node)
    if len(w.lines) == start + 3:  # nothing is done for it here
        del w.lines[start:]


def _comment(name: str) -> str:
    return printable(name).replace("*/", "* /").replace("/*", "/ *").replace("??/", "?? /")


def _function(head: str, lines: list[str]) -> str:
    return "\n".join([f"{head} {{", "    (void)frame;", *lines, "}", ""])


def _begin(lines: list[str]) -> str:
    return "\n".join(["void net_begin(void) {", *lines, "    net_time = 0;", "}", ""])


def _step(lines: list[str]) -> str:
    head = """\
int net_step(const net_input *frame) {
    if (net_time == NET_STEPS) {
        return 0;
    }
    if (net_time == 0) {
        net_once(frame);
    }
    net_each(frame);"""
    return "\n".join([head, *lines, "    net_time++;", "    return 1;", "}", ""])


def _axes(node: Node) -> str:
    axes = [axis for axis in node.type.axes if axis.name != "t"]
    text = " x ".join(f"{_comment(axis.name)} {axis.size}" for axis in axes)
    return text or "one number"


def _frames(graph: Graph) -> bool:
    (entry,) = graph.select(Frames)
    return entry.type.temporal and prod(entry.type.shape) > 0
