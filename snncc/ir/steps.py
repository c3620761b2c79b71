"""Some steps of a program as a program."""

from dataclasses import replace

from snncc.ir.graph import Graph, params_of
from snncc.ir.types import TIME, ValueType


def at_steps(program: Graph, first: int, last: int) -> Graph:
    """A program as if some of its steps were all: types and constants over time are cut."""
    if (first, last) == (0, program.steps):
        return program
    constants = dict(program.constants)
    for node in program.nodes:
        for param in params_of(node.op):
            if TIME in param.axes and param.name in constants:
                lead = (slice(None),) * param.axes.index(TIME)
                constants[param.name] = program.constants[param.name][(*lead, slice(first, last))]
    nodes = tuple(replace(node, type=_cut(node.type, last - first)) for node in program.nodes)
    return replace(program, steps=last - first, nodes=nodes, constants=constants)


def each_step(program: Graph, first: int, last: int) -> list[Graph]:
    """`at_steps` of every step by itself; one graph for all where no constant differs by step."""
    params = (param for node in program.nodes for param in params_of(node.op))
    if any(TIME in param.axes for param in params):
        return [at_steps(program, t, t + 1) for t in range(first, last)]
    return [at_steps(program, 0, 1)] * (last - first)


def _cut(kind: ValueType, steps: int) -> ValueType:
    axes = tuple(replace(a, size=steps) if a.name == TIME else a for a in kind.axes)
    return replace(kind, axes=axes)
