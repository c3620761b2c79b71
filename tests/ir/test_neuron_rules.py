"""One form of a neuron in each domain of trust, all alike; and files say what they always said."""

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from certificates import hand_made

from snncc.backends.cpu.checking.neurons import _leaked
from snncc.backends.lava_nc.bundle.arithmetic import Leak
from snncc.checker.neurons import law_of
from snncc.ir import Graph, Param, TypeRuleError, verify
from snncc.ir.codec import CodecError, decode_op, encode_op
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.neuron_rule import NeuronRule, Rounding
from snncc.ir.text import parse_graph, print_graph
from snncc.runtime import ALL, interpret
from snncc.runtime.interpreter.neurons import _leak

LEVELS = np.arange(-700, 701)
DECAYS = [((1, 1), 0), ((1, 3), 0), ((3, 2), 1), ((11, 5), 31), ((0, 0), 0), ((1, 0), 0)]
KINDS = [("ge", Rounding.DOWN), ("gt", Rounding.UP), *((c, Rounding.TO_ZERO) for c in ("ge", "gt"))]


def by_hand(op: IntegerPopulation) -> list[int]:
    """In rationals, as the op's page says it."""
    found: list[int] = []
    for v in map(int, LEVELS):
        kept = Fraction(op.decay[0] * v, 1 << op.decay[1])
        carry = Fraction(op.decay_offset, 1 << op.decay[1])
        up = op.rounding is Rounding.UP or (op.rounding is Rounding.TO_ZERO and v < 0)
        found.append(math.ceil(kept - carry) if up else math.floor(kept + carry))
    return found


@pytest.mark.parametrize(("compare", "rounding"), KINDS)
@pytest.mark.parametrize(("decay", "carry"), DECAYS)
def test_every_form_of_the_leak_is_the_same(
    compare: str, rounding: Rounding, decay: tuple[int, int], carry: int
) -> None:
    op = IntegerPopulation(
        Param("k"), decay=decay, decay_offset=carry, compare=compare, rounding=rounding
    )
    fields = {"decay": [*decay], "decay_offset": carry, "reset": "hard", "compare": compare}
    fields["rounding"] = encode_op(op).get("rounding", "floor")
    forms: dict[str, Callable[[Any], Any]] = {
        "types and proofs": op.rule.leak,
        "interpreter": _leak(op),
        "checker": law_of(fields).leak,
        "checker of plans": lambda v: _leaked(op, v),
        "Lava bundle": Leak(*decay, carry, rounding.value),
    }
    wanted = by_hand(op)
    for name, leak in forms.items():
        assert leak(LEVELS).tolist() == wanted, name
    assert [op.rule.leak_of(v) for v in map(int, LEVELS)] == wanted
    assert type(op.rule.leak_of(-(2**90) - 1)) is int


@pytest.mark.parametrize("hard", [True, False])
@pytest.mark.parametrize("at_least", [True, False])
def test_what_fires_lies_above_the_last_silent_level(hard: bool, at_least: bool) -> None:
    rule = NeuronRule((1, 1), 0, Rounding.DOWN, hard, at_least)
    levels, threshold = np.array([4, 5, 6]), np.array(5)
    assert rule.fires(levels, threshold).tolist() == [False, at_least, True]
    assert (rule.fires(levels, threshold) == (levels > rule.last_silent(threshold))).all()
    assert rule.after_spike(levels, threshold).tolist() == ([0, 0, 0] if hard else [-1, 0, 1])


@pytest.mark.parametrize(
    ("compare", "rounding", "said"),
    [
        ("ge", Rounding.DOWN, {}),
        ("gt", Rounding.UP, {"compare": "gt"}),
        ("ge", Rounding.TO_ZERO, {"rounding": "zero"}),
        ("gt", Rounding.TO_ZERO, {"compare": "gt", "rounding": "zero"}),
    ],
)
def test_files_say_what_they_always_said(
    compare: str, rounding: Rounding, said: dict[str, str]
) -> None:
    op = IntegerPopulation(Param("k"), compare=compare, rounding=rounding)
    fields = encode_op(op)
    assert fields == {"threshold": {"@": "k", "axes": []}, **said}
    assert decode_op(IntegerPopulation, fields) == op
    if rounding is not Rounding.TO_ZERO:
        assert decode_op(IntegerPopulation, {**fields, "rounding": "floor"}) == op


@pytest.mark.parametrize("word", ["ceil", "up", "down", None, 1, ["floor"]])
def test_another_word_is_refused(word: object) -> None:
    fields = {**encode_op(IntegerPopulation(Param("k"))), "rounding": word}
    with pytest.raises(CodecError, match="'rounding'"):
        decode_op(IntegerPopulation, fields)


@pytest.mark.parametrize(("compare", "rounding"), [("ge", Rounding.UP), ("gt", Rounding.DOWN)])
def test_a_rounding_that_decides_otherwise_is_no_program(compare: str, rounding: Rounding) -> None:
    """floor(x) > K does not say whether x > K."""
    graph = hand_made(compare=compare, rounding=Rounding.exact_for(compare))
    (node,) = graph.select(IntegerPopulation)
    wrong = replace(node.op, rounding=rounding)
    source = graph[node.inputs[0]].type
    with pytest.raises(TypeRuleError, match=rf"rounded {rounding.value} says nothing about"):
        wrong.infer((source,), graph.context)
    with pytest.raises(CodecError, match=f"is '{rounding.value}', which no program has"):
        decode_op(IntegerPopulation, encode_op(wrong))


def older(graph: Graph) -> Graph:
    """What a text of before, which says "floor" whatever the comparison, is read as."""
    text = print_graph(graph)
    assert "rounding" not in text
    return parse_graph(
        text.replace('compare = "gt"', 'compare = "gt", rounding = "floor"'), graph.constants
    )


@pytest.mark.parametrize("compare", ["ge", "gt"])
def test_a_program_of_before_runs_the_same_bits(compare: str) -> None:
    graph = hand_made(compare=compare)
    again = older(graph)
    verify(again)
    (node,) = again.select(IntegerPopulation)
    assert node.op.rounding is Rounding.exact_for(compare)
    images = np.random.default_rng(3).integers(0, 256, (8, *graph["image"].type.shape))
    one, two = (interpret(each, images.astype(np.uint8), ALL) for each in (graph, again))
    assert np.array_equal(one.readout, two.readout)
    for name in one.membranes:
        assert np.array_equal(one.membranes[name], two.membranes[name])
