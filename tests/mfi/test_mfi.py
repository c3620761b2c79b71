"""The verdict: every op by its table, and nothing else passes."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from programs import lowered_from_unit_pixels as lowered
from random_networks import random_network

from snncc.compiler.folding import spiking_passes
from snncc.compiler.model_verdict import judge_model
from snncc.compiler.options import CompileOptions
from snncc.ir import Context, Graph, Op, ValueType
from snncc.ir.dialects.integer import Gain, IntegerPopulation
from snncc.ir.digits import signed_digits
from snncc.mfi import Level, Verdict, prove
from snncc.mfi.prover import bits
from snncc.mfi.rules import digits_of
from snncc.passes.pipeline import run_passes


def test_levels_are_ordered_and_have_names() -> None:
    assert Level.STRICT < Level.SHIFT_ADD < Level.BIT_SERIAL < Level.NONE
    assert [level.label for level in Level] == ["strict", "shift-add", "bit-serial", "none"]
    assert all(Level.parse(level.label) is level for level in Level)


def test_legal_programs_are_never_rejected() -> None:
    levels = {prove(lowered(seed)).level for seed in range(60)}
    assert levels == {Level.STRICT, Level.SHIFT_ADD}


def test_only_gains_and_odd_leaks_are_above_strict() -> None:
    for seed in range(30):
        graph = lowered(seed)
        for op in prove(graph).above(Level.STRICT):
            node = graph[op.name]
            leak = isinstance(node.op, IntegerPopulation) and node.op.decay[0] > 1
            assert isinstance(node.op, Gain) or leak
            assert op.need.adders >= 1
            assert op.need.help


@dataclass(frozen=True)
class Multiply(Op):
    """What must not pass."""

    mnemonic: ClassVar[str] = "multiply"

    def infer(self, inputs: tuple[ValueType, ...], context: Context) -> ValueType:
        return inputs[0]


def test_a_planted_multiplication_is_found() -> None:
    graph = lowered(3)
    for node in graph.nodes:
        planted = replace(node, op=Multiply())
        nodes = tuple(planted if n is node else n for n in graph.nodes)
        verdict = prove(replace(graph, nodes=nodes))
        assert verdict.level is Level.NONE
        assert [op.name for op in verdict.above(Level.BIT_SERIAL)] == [node.name]


@pytest.mark.parametrize("dialect", ["traced", "spiking"])
def test_an_op_of_no_table_is_found_in_every_dialect(dialect: str) -> None:
    graph = random_network(3)
    if dialect == "spiking":
        graph = run_passes(graph, spiking_passes(CompileOptions()))
    assert judged(graph).level < Level.NONE
    for node in graph.nodes[1:]:
        nodes = tuple(replace(node, op=Multiply()) if n is node else n for n in graph.nodes)
        found = [op.name for op in judged(replace(graph, nodes=nodes)).above(Level.BIT_SERIAL)]
        assert node.name in found


def judged(graph: Graph) -> Verdict:
    return judge_model(graph).verdict if graph.dialect == "traced" else prove(graph)


def test_a_traced_graph_is_not_judged_without_the_passes() -> None:
    with pytest.raises(ValueError, match="judge_model"):
        prove(random_network(3))


def test_digits_are_the_fewest_and_add_up() -> None:
    values = np.arange(-5000, 5000)
    digits = signed_digits(values)
    assert np.array_equal(sum(d.astype(np.int64) << k for k, d in enumerate(digits)), values)
    nonzero = np.stack([d != 0 for d in digits])
    assert not (nonzero[1:] & nonzero[:-1]).any()
    assert np.array_equal(nonzero.sum(axis=0), digits_of(values))


@pytest.mark.parametrize(
    ("interval", "wanted"),
    [((0, 0), 1), ((-1, 0), 1), ((-128, 127), 8), ((0, 128), 9), ((-129, 0), 9)],
)
def test_bits_hold_the_interval_and_no_more(interval: tuple[int, int], wanted: int) -> None:
    assert bits(interval) == wanted
