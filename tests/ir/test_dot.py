"""Drawings of graphs: every node and every arrow, whatever names hold."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from programs import lowered
from random_networks import random_network

from snncc.artifact import Program, save_program
from snncc.cli.main import run
from snncc.ir import Graph
from snncc.ir.dot import dot_text

NODE = re.compile(r'^  (n\d+) \[shape=\w+, label="((?:[^"\\]|\\.)*)"(, style=bold)?\]$')
ARROW = re.compile(r"^  (n\d+) -> (n\d+)$")


def read(text: str) -> tuple[dict[str, tuple[str, ...]], list[tuple[str, str]], list[str]]:
    """Labels by number, arrows, and the bold numbers of a drawing; nothing else may stand in it."""
    first, title, font, *lines, last = text.splitlines()
    assert (first, last) == ("digraph {", "}")
    assert title.startswith('  graph [label="')
    assert font.startswith("  node [")
    labels, arrows, bold = {}, [], []
    for line in lines:
        if (node := NODE.match(line)) is not None:
            parts = re.split(r"(?<!\\)\\n", node[2].replace("\\\\", "\0"))
            labels[node[1]] = tuple(p.replace('\\"', '"').replace("\0", "\\") for p in parts)
            bold += [node[1]] if node[3] else []
        else:
            arrow = ARROW.match(line)
            assert arrow is not None, line
            arrows.append((arrow[1], arrow[2]))
    return labels, arrows, bold


def check(graph: Graph) -> None:
    labels, arrows, bold = read(dot_text(graph))
    assert [label[0] for label in labels.values()] == [node.name for node in graph.nodes]
    assert [label[1] for label in labels.values()] == [node.op.word for node in graph.nodes]
    assert [label[2] for label in labels.values()] == [str(node.type) for node in graph.nodes]
    named = [(labels[a][0], labels[b][0]) for a, b in arrows]
    assert named == [(source, node.name) for node in graph.nodes for source in node.inputs]
    assert [labels[number][0] for number in bold] == [graph.output]


@pytest.mark.parametrize("seed", range(5))
def test_every_node_and_every_arrow_is_drawn(seed: int) -> None:
    check(random_network(seed))
    check(lowered(seed))


def test_names_are_shown_as_they_are() -> None:
    graph = lowered(0)
    old, new = graph.nodes[1].name, 'a "b" \\n {c} | <d>'
    nodes = tuple(
        replace(
            node,
            name=new if node.name == old else node.name,
            inputs=tuple(new if name == old else name for name in node.inputs),
        )
        for node in graph.nodes
    )
    check(replace(graph, nodes=nodes))


def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = lowered(1)
    save_program(tmp_path / "p.snncc", Program(graph, {}))
    assert run(["inspect", str(tmp_path / "p.snncc"), "--dot"]) == 0
    assert capsys.readouterr().out == dot_text(graph)
