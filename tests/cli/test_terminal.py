"""Text of files on a terminal: whatever a name holds, it is shown and not obeyed."""

import ast
import json
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from random_networks import random_images, random_network
from torch import nn

from snncc.artifact import Program
from snncc.artifact.files import save_program
from snncc.cli.main import run
from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import Finding, SnnccError, printable
from snncc.ir import Graph, Loc, Param
from snncc.ir.graph import params_of
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers

FORGED = "error[SNN999]: forged"
HOSTILE = f"\n{FORGED}\x1b[2J\r\x07\x9b31m\u202e\u2028\ud800 "
"""A line of its own, a cleared screen, a bell, reversed text, what no terminal can encode."""
SAFE = HOSTILE.replace("\ud800", "")
"""The same for keys of files that are UTF-8."""
ODD = " error(SNN999): forged → é"
"""What the name of a node may be: printable, without square brackets."""


def hostile(graph: Graph) -> Graph:
    """The same program under names that a terminal would obey."""

    def told(name: str) -> str:
        return name + HOSTILE

    def named(name: str) -> str:
        return name + ODD

    nodes = []
    for node in graph.nodes:
        changed = {
            key: replace(param, name=named(param.name))
            for key in node.op.__dataclass_fields__
            if isinstance(param := getattr(node.op, key), Param)
        }
        loc = Loc(told("path"), told("model.py"), 3, told("call"), told("x = 1"))
        inputs = tuple(map(named, node.inputs))
        op = replace(node.op, **changed)
        nodes.append(replace(node, name=named(node.name), op=op, inputs=inputs, locs=(loc,)))
        assert len(changed) == len(params_of(node.op))
    constants = {named(key): array for key, array in graph.constants.items()}
    output = named(graph.output)
    return replace(graph, nodes=tuple(nodes), output=output, constants=constants)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program, a plain one, images under usual and hostile keys."""
    folder = tmp_path_factory.mktemp("hostile")
    spiking = run_passes(random_network(3), spiking_passes(CompileOptions()))
    graph = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, 8), 8)])
    report = {
        "network": f"net{HOSTILE}",
        "checkpoint": f"net.pth{HOSTILE}",
        "variant": HOSTILE,
        "preprocess": HOSTILE,
        "layer_bits": {f"layer{HOSTILE}": 4},
        "folds": [{"site": HOSTILE, "pass": f"fold{HOSTILE}", "fired": True, "text": HOSTILE}],
    }
    save_program(folder / "p.snncc", Program(hostile(graph), report))
    save_program(folder / "plain.snncc", Program(graph, {}))
    nodes = tuple(replace(n, name=n.name + HOSTILE * (n.name == "readout")) for n in graph.nodes)
    forged = replace(graph, nodes=nodes, output=f"readout{HOSTILE}")
    save_program(folder / "forged.snncc", Program(forged, {}))
    images = random_images(random_network(3), 0, 4)
    np.savez(folder / "d.npz", images=images, **{f"key{SAFE}": images.astype(np.float32)})
    np.savez(folder / "bad.npz", **{f"key{SAFE}": images[:, :1], "b": images})
    (folder / "bad.snncc").write_bytes((folder / "p.snncc").read_bytes()[:-3])
    return folder


COMMANDS = {
    "verify": "verify p.snncc",
    "explained": "verify p.snncc --explain",
    "level": "verify p.snncc --level strict",
    "widths": "verify p.snncc --widths",
    "dynamic": "verify p.snncc --run d.npz:images --limit 2",
    "inspect": "inspect p.snncc",
    "text": "inspect p.snncc --text",
    "unknown node": "inspect p.snncc --node %",
    "count": "count p.snncc d.npz:images",
    "run": "run p.snncc d.npz:images -o out.npz",
    "interpreter": "run p.snncc d.npz:images -o out.npz --executor interpreter",
    "compare": "compare p.snncc plain.snncc --data d.npz:images",
    "export": "export p.snncc --to lava -o bundle",
    "no such key": "run p.snncc d.npz:nothing -o out.npz",
    "several keys": "run p.snncc bad.npz -o out.npz",
    "cut off": "verify bad.snncc",
    "forged name": "verify forged.snncc",
}


def shown(text: str) -> None:
    """Nothing but characters to be seen and ends of lines; nobody else's line."""
    assert [c for c in text if not c.isprintable() and c != "\n"] == []
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in text if c != "\n")
    assert not any(line.startswith(FORGED) for line in text.split("\n"))


@pytest.mark.parametrize("name", COMMANDS)
def test_names_of_a_program_are_shown_and_not_obeyed(
    name: str, files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(files)
    assert run(COMMANDS[name].split()) != 70
    told = capsys.readouterr()
    shown(told.out)
    shown(told.err)
    assert told.out + told.err


def test_a_node_is_shown_whole(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(files)
    assert run(["inspect", "p.snncc", "--node", f"readout{ODD}"]) == 0
    text = capsys.readouterr().out
    shown(text)
    assert r"\n" + FORGED + r"\x1b[2J\r\x07\x9b31m\u202e\u2028" in text


def test_a_node_of_a_forged_name_is_in_no_program(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(files)
    assert run(["verify", "forged.snncc"]) == 3
    error = capsys.readouterr().err
    shown(error)
    assert "cannot be a name" in error


def test_json_keeps_the_names_as_they_are(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(files)
    assert run(["verify", "p.snncc", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["ops"][-1]["name"] == f"readout{ODD}"
    assert record["ops"][-1]["source"] == f"x = 1{HOSTILE}".replace("\ud800", "?")


class Hostile(nn.Module):
    """A module path and a call that hold orders for a terminal."""

    def __init__(self) -> None:
        super().__init__()
        self.add_module(f"layer{HOSTILE}", nn.LayerNorm((2, 4, 4)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return next(self.children())(x).flatten(1)

    def extra_repr(self) -> str:
        return HOSTILE


def make() -> nn.Module:
    return Hostile()


@pytest.mark.parametrize("option", [[], ["--explain"]])
def test_paths_of_a_model_are_shown_and_not_obeyed(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", "test_terminal:make", "--input-shape", "2,4,4"]
    assert run(["verify", *arguments, *option]) == 1
    told = capsys.readouterr()
    shown(told.out + told.err)
    assert "layer_norm" in told.out
    assert run(["compile", *arguments, "-o", "never.snncc"]) == 4
    told = capsys.readouterr()
    shown(told.out + told.err)
    assert "error[SNN020]" in told.err


def test_a_finding_is_as_many_lines_as_it_has_parts() -> None:
    loc = Loc(HOSTILE, HOSTILE, 1, HOSTILE, HOSTILE)
    finding = Finding("SNN021", HOSTILE, loc, HOSTILE, HOSTILE, (HOSTILE, "said"))
    shown(str(finding))
    assert len(str(finding).split("\n")) == 7
    error = SnnccError("SNN053", "it failed", why="it said last:", details=(HOSTILE,))
    shown(str(error))
    assert str(error).split("\n")[2].startswith("       \\n")


def test_what_can_be_seen_stays_as_it_is() -> None:
    text = "stem.0 (C:\\model.py:3)  µ → 数 é"
    assert printable(text) == text
    assert printable("a\tb\n") == r"a\tb\n"
    assert printable("\x9b\u200b\ud800\U000e0001") == r"\x9b\u200b\ud800\U000e0001"


def test_one_place_writes_to_the_terminal(root: Path) -> None:
    """Everything else in the command line calls `say`, or gives JSON."""
    writers = {}
    for file in (root / "snncc/cli").rglob("*.py"):
        calls = [
            ast.unparse(n.func)
            for n in ast.walk(ast.parse(file.read_text()))
            if isinstance(n, ast.Call)
        ]
        found = {call for call in calls if call in ("click.echo", "click.secho", "print")}
        if found:
            writers[file.name] = found
    assert writers == {"output.py": {"click.echo"}, "main.py": {"click.echo"}}
