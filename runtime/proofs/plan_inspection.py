"""The simulator's plans of a program, each checked by a second piece of code."""

from dataclasses import dataclass

from snncc.backends.cpu.checking import PlanFault, check_plan
from snncc.backends.cpu.dense.choice import projections_of_spikes
from snncc.backends.cpu.plan.encoding import plan_units
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.ir import Graph
from snncc.ir.populations import population_nodes
from snncc.machine.memory import require_memory
from snncc.runtime.interpreter import VALUE

SHADOW = 20
"""Bytes that the checker keeps for every byte of working memory, about."""


@dataclass(frozen=True)
class PlanProof:
    """What was found in one plan.

    Attributes:
        plan: what it is for.
        units, sums: how many units it has, and how many sums with a format of their own.
        products: how many units are matrix products.
        host: how many units the host computes, copies of spikes included.
        faults: what is wrong; empty is the proof.
    """

    plan: str
    units: int
    sums: int
    products: int
    host: int
    faults: tuple[PlanFault, ...]

    @property
    def holds(self) -> bool:
        return not self.faults


def inspect_plans(graph: Graph) -> tuple[PlanProof, ...]:
    """Checks every kind of plan that the simulator makes: widths, taps, weights and lifetimes.

    Raises:
        SnnccError: SNN004 when the check does not fit into memory; SNN040 for ops that nothing
            can run, and when there is no plan.
    """
    VALUE.require(graph)
    every = frozenset(node.name for node in population_nodes(graph))
    dense = projections_of_spikes(graph)
    plans = {
        "a batch": plan_units(graph, graph.steps),
        "a batch, recorded": plan_units(graph, graph.steps, every),
        "a stream": plan_units(graph, 1, every, stateful=True),
        "matrix products": plan_units(graph, graph.steps, dense=dense),
    }
    require_memory("plans", 1, SHADOW * max(plan.memory for plan in plans.values()))
    return tuple(_proof(graph, name, plan) for name, plan in plans.items())


def _proof(graph: Graph, name: str, plan: UnitPlan) -> PlanProof:
    sums = len(plan.parts) + len(plan.gains) + len(plan.accesses) + len(plan.neurons)
    sums += len(plan.states_of) + len(plan.several) + len(plan.linears) + len(plan.masks)
    host = len(plan.host) + len(plan.relays) + len(plan.loops)
    faults = check_plan(graph, plan)
    return PlanProof(name, len(plan.units), sums, len(plan.dense), host, faults)
