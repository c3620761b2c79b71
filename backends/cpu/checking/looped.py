"""Loops that the host computes: the program's own nodes, whole loops, fed what the program says.

Each node is computed by its own meaning, step by step, so that what a loop gives is the program's
as soon as its nodes are the program's, none of them reads anything but the loop and what is fed,
and each is known when it is read. The values of a program on probes do not depend on the order of
its steps.
"""

import numpy as np

from snncc.backends.cpu.checking.exact import INT32, INT64
from snncc.backends.cpu.checking.hosted import check_recorded, fed_by, written
from snncc.backends.cpu.checking.meaning import Meaning
from snncc.backends.cpu.checking.neurons import check_membranes
from snncc.backends.cpu.checking.products import Span
from snncc.backends.cpu.checking.shadow import Shadow
from snncc.backends.cpu.checking.wrong import require
from snncc.backends.cpu.plan.host import LoopUnit, Member
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.ir import Graph, params_of
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.populations import is_population


def computed_in_loop(
    graph: Graph, unit: LoopUnit, plan: UnitPlan, meaning: Meaning, shadow: Shadow, span: Span
) -> list[str]:
    """Checks a loop and writes what it gives; the names of its populations."""
    done: set[str] = set()
    own = {member.node.name for member in unit.members}
    require(len(own) == len(unit.members), "a loop computes a node twice")
    for name, place in unit.reads.items():
        require(name not in own, "a loop is fed what it computes")
        fed_by(graph, name, place, meaning, shadow, span)
    for member in unit.members:
        _check_node(graph, unit, member)
        for name in member.node.inputs:
            looked = isinstance(member.node.op, Delay) and name in own
            known = looked or name in done or name in unit.reads
            require(known, f"{member.node.name} reads {name} before it is computed")
        done.add(member.node.name)
    fired = [m.node.name for m in unit.members if is_population(m.node.op)]
    for member in unit.members:
        if member.node.name in fired:
            _check_population(graph, member, plan, meaning)
        if member.writes is not None:
            node = graph[member.node.name]
            written(member.writes, node, meaning.values[node.name], shadow, span)
    return fired


def _check_node(graph: Graph, unit: LoopUnit, member: Member) -> None:
    name = member.node.name
    require(name in graph.by_name, "it computes a node that the program has not")
    node = graph[name]
    same = (member.node.op, member.node.inputs, member.node.type)
    require(same == (node.op, node.inputs, node.type), f"{name} is not the program's")
    require(name in unit.program.by_name, f"{name} is not in the loop's program")
    for each in (name, *node.inputs):
        found = unit.program.by_name.get(each)
        right = found is not None and found.type == graph[each].type
        require(right, f"{each} has another type in the loop's program")
    held = unit.program[name]
    require((held.op, held.inputs) == (node.op, node.inputs), f"{name} is not the program's")
    require(unit.program.steps == graph.steps, "the loop's program has other steps")
    for param in params_of(node.op):
        mine = unit.program.constants.get(param.name)
        right = mine is not None and np.array_equal(mine, graph.constants[param.name])
        require(right, f"{param.name} is not the program's")


def _check_population(graph: Graph, member: Member, plan: UnitPlan, meaning: Meaning) -> None:
    node = graph[member.node.name]
    kept = plan.populations.get(node.name)
    if kept is None:
        require(False, "what fires is no population")
        return
    where = (member.writes, member.record, member.state, member.unit)
    right = where == (kept.spikes, kept.record, kept.state, kept.unit)
    require(right, "spikes or membranes are not written, or counted, where they are read")
    if isinstance(node.op, IntegerNeuron):
        check_recorded(node, member.record)
        return
    size = min((p.size for p in (member.record, member.state) if p is not None), default=8)
    require(size in (4, 8), f"membranes of {size} bytes")
    held = INT32 if size == 4 else INT64
    check_membranes(graph, node, meaning.values[node.inputs[0]], held, INT64[1])
