"""The text form: readable, and exact."""

from dataclasses import replace

import numpy as np
import pytest
from random_networks import random_network

from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.ir import Axis, Graph, Loc, Node, ValueType
from snncc.ir.text import ParseError, parse_graph, print_graph, same_graph
from snncc.passes.pipeline import PassEvent, run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers


def graphs(seed: int) -> list[Graph]:
    """One network in all dialects, after every pass."""
    found = [random_network(seed)]

    def keep(event: PassEvent) -> None:
        found.append(event.graph)

    spiking = run_passes(found[0], spiking_passes(CompileOptions()), keep)
    run_passes(spiking, [LowerToIntegers(round_plainly(spiking, 8), 8)], keep)
    return found


@pytest.mark.parametrize("seed", range(40))
def test_the_text_form_parses_back(seed: int) -> None:
    for graph in graphs(seed):
        text = print_graph(graph)
        again = parse_graph(text, graph.constants)
        assert same_graph(again, graph)
        assert print_graph(again) == text


def test_odd_names_places_and_numbers_survive() -> None:
    graph = random_network(1)
    odd = Loc('a "b" , c} ]', "fi le.py", 3, "Conv(1, (2))", 'x = y["ü"]  # \\ }')
    nodes = tuple(replace(node, locs=(odd, Loc())) for node in graph.nodes)
    strange = replace(graph, nodes=nodes)
    assert same_graph(parse_graph(print_graph(strange), strange.constants), strange)


def test_it_is_readable() -> None:
    text = print_graph(graphs(2)[-1])
    lines = text.split("\n")
    assert lines[0].startswith("integer graph (steps ")
    assert lines[1].startswith("  %image = pixels() {axes = [pc, ph, pw]")
    assert any("= contract(%" in line or "= convolve(%" in line for line in lines)
    assert any(line.startswith("@") and "int8[" in line for line in lines)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t.replace("integer graph", "unheard graph", 1), "expected"),
        (lambda t: t.replace(" = pixels(", " = pixel_art(", 1), "not an op"),
        (lambda t: t.replace("encoding", "encodings", 1) if "encoding" in t else t[:40], ""),
        (lambda t: t.replace(" : ", " ; ", 1), "expected"),
        (lambda t: t.split("\n  return")[0], "return"),
    ],
)
def test_a_wrong_text_names_its_line(change: object, reason: str) -> None:
    graph = graphs(2)[-1]
    with pytest.raises(ParseError) as caught:
        parse_graph(change(print_graph(graph)), graph.constants)  # type: ignore[operator]
    assert reason in str(caught.value)
    assert caught.value.line >= 1


def test_graphs_differ_by_any_part() -> None:
    graph = graphs(3)[-1]
    name = next(iter(graph.constants))
    wide = {**graph.constants, name: graph.constants[name].astype(np.int64) + 0}
    narrow_type = ValueType(graph.nodes[0].type.kind, (Axis("z", 1),))
    first = graph.nodes[0]
    renamed = Node(first.name, first.op, first.inputs, narrow_type, first.locs)
    for other in (
        replace(graph, steps=graph.steps + 1),
        replace(graph, profile="other"),
        replace(graph, nodes=(renamed, *graph.nodes[1:])),
    ):
        assert not same_graph(graph, other)
    assert same_graph(graph, replace(graph, constants=wide)) == (
        graph.constants[name].dtype == np.int64
    )
