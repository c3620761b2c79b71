"""Targets, profiles and frontends are asked, never compared with; a new one is a registry line."""

import ast
import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from random_networks import random_images, random_network
from test_architecture import modules

import snncc
from snncc.artifact import Program
from snncc.backends.lava_nc import environment
from snncc.cli.main import run
from snncc.diagnostics import Finding, SnnccError
from snncc.execution import Execute
from snncc.frontends.frontend import ModelSpec, Source, Traced
from snncc.frontends.registry import FRONTENDS, frontend_for
from snncc.ir import Graph
from snncc.ir.text import print_graph
from snncc.runtime import interpret
from snncc.targets import PROFILES, TARGETS, Entry, profile_named, target_named
from snncc.targets.exact import exact
from snncc.targets.profile import Choices, Profile
from snncc.targets.registry import exporter, that_export, that_run
from snncc.targets.target import Advance, Exported, Machine, Target

SEED = 3


class ToyFrontend:
    """Reads files whose name ends in .toy and whose text is the seed of a random network."""

    def recognises(self, spec: ModelSpec) -> bool:
        return spec.checkpoint is not None and spec.checkpoint.suffix == ".toy"

    def check(self, spec: ModelSpec) -> None:
        pass

    def read(self, spec: ModelSpec) -> Source:
        assert spec.checkpoint is not None
        graph = random_network(int(spec.checkpoint.read_text()))
        shape = random_images(graph, 0, 1).shape[1:]
        return Source(
            "toy",
            lambda *_: Traced(graph),
            lambda: 17,
            facts={"made_of": spec.checkpoint.name},
            input_shape=shape,
            steps=graph.steps,
        )


MOST_POPULATIONS = 40


def toy_profile() -> Profile:
    """Exact integers of at most 4 bits, for at most so many populations."""

    def check(choices: Choices) -> None:
        if max(choices.given_bits, default=0) > 4:
            raise SnnccError("SNN001", "the toy has 4 bits", help="give fewer")

    def limits(graph: Graph) -> tuple[Finding, ...]:
        count = sum(node.op.mnemonic == "integer_population" for node in graph.nodes)
        text = f"{count} populations, the toy has {MOST_POPULATIONS}"
        return () if count <= MOST_POPULATIONS else (Finding("SNN033", text),)

    return replace(
        exact(),
        name="toy",
        gain="unshared",
        most_bits=4,
        check=check,
        passes=lambda choices: exact().passes(replace_gain(choices)),
        limits=limits,
    )


def replace_gain(choices: Choices) -> Choices:
    return replace(choices, gain="unshared")  # type: ignore[type-var]


WRONG: list[str] = []
"""Populations whose first spike the toy gets wrong."""


def toy_target() -> Target:
    @contextmanager
    def executor(program: Program, seconds: float, advance: Advance) -> Generator[Execute]:
        assert seconds == 7.0

        def execute(images: np.ndarray, record: object) -> object:
            done = interpret(program.graph, images, record)  # type: ignore[arg-type]
            for name in WRONG:
                done.spikes[name].flat[0] ^= 1
            advance(len(images))
            return done

        yield execute  # type: ignore[misc]

    def export(program: Program, folder: Path, force: bool) -> Exported:
        folder.mkdir(exist_ok=force)
        (folder / "toy.txt").write_text(f"{program.graph.steps}\n")
        return Exported({"files": 1}, [("files", 1)])

    def machine(python: Path | None) -> Machine:
        return Machine("a shelf", "toy 1.0", {"toy": "1.0"}, executor)

    return Target("toy", "the toy", "Stands on a shelf.", ("toy",), machine=machine, export=export)


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The registries with one more line each; the path of a model that the toy frontend reads."""
    monkeypatch.setitem(FRONTENDS, "toy", ToyFrontend)
    monkeypatch.setitem(PROFILES, "toy", toy_profile)
    monkeypatch.setitem(TARGETS, "toy", Entry(toy_target, runs=True, exports=True))
    monkeypatch.setattr(sys.modules[__name__], "WRONG", [])
    (tmp_path / "net.toy").write_text(str(SEED))
    monkeypatch.chdir(tmp_path)
    return Path("net.toy")


def data() -> np.ndarray:
    return random_images(random_network(SEED), SEED, 6)


def test_a_toy_compiles_through_the_registries(toys: Path) -> None:
    program = snncc.compile(toys, profile="toy", weight_bits=4, calibrate=data())
    assert program.report["network"] == "toy"
    assert program.report["made_of"] == "net.toy"
    assert (program.report["parameters"], program.report["gain"]) == (17, "unshared")
    assert program.report["profile"] == "toy"
    assert program.graph.profile == "exact"
    usual = snncc.compile(toys, gain="unshared", weight_bits=4, calibrate=data())
    shared = snncc.compile(toys, weight_bits=4, calibrate=data())
    one, other, third = (print_graph(p.graph) for p in (program, usual, shared))
    assert one == other != third
    result, expected = program.run(data()), interpret(program.graph, data())
    assert np.array_equal(result.logits, expected.logits)


def test_what_a_toy_excludes_is_refused(toys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SnnccError, match="the toy has 4 bits"):
        snncc.compile(toys, profile="toy", weight_bits=5)
    monkeypatch.setattr(sys.modules[__name__], "MOST_POPULATIONS", 0)
    with pytest.raises(SnnccError, match="the toy has 0"):
        snncc.compile(toys, profile="toy", weight_bits=4)


def test_a_toy_is_offered_and_runs_and_is_compared(
    toys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez("d.npz", x=data())
    call = ["compile", "net.toy", "-o", "p.snncc", "--profile", "toy", "--weight-bits", "4"]
    assert run(call) == 0
    assert run(["export", "p.snncc", "--to", "toy", "-o", "made"]) == 0
    assert Path("made/toy.txt").read_text() == f"{random_network(SEED).steps}\n"
    assert "files" in capsys.readouterr().out
    snncc.load("p.snncc").export("toy", "made", force=True)
    call = ["run", "p.snncc", "d.npz:x", "--on", "toy", "--timeout", "7"]
    assert run(call) == 0
    out = capsys.readouterr().out
    assert "the toy    toy 1.0, " in out
    assert run([*call, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["executor"], record["toy"]["toy"]) == ("toy", "1.0")
    WRONG.append(snncc.load("p.snncc").populations[0])
    assert run(call) == 1
    assert "the toy (a shelf)" in capsys.readouterr().out
    for command, option in (
        ("run", "--on [cpu|lava|onnx|toy]"),
        ("export", "--to [lava|onnx|c|nir|toy]"),
    ):
        assert run([command, "--help"]) == 0
        assert option in capsys.readouterr().out
    assert run(["compile", "--help"]) == 0
    assert "--profile [exact|loihi-lava|toy]" in capsys.readouterr().out
    assert run(["targets"]) == 0
    assert "Stands on a shelf." in capsys.readouterr().out


def test_after_the_toys_are_gone_nothing_knows_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "toy" not in {*FRONTENDS, *PROFILES, *TARGETS}
    for call, says in (
        ("compile net.toy -o p.snncc --profile toy", "one of: exact, loihi-lava"),
        ("run p.snncc d.npz:x --on toy", "'toy' is not one of 'cpu', 'lava'"),
        ("export p.snncc --to toy -o made", "'toy' is not"),
    ):
        assert run(call.split()) == 2
        assert says in capsys.readouterr().err
    for ask, says in (
        (profile_named, "exact, loihi-lava"),
        (target_named, "cpu, lava"),
        (exporter, "lava"),
    ):
        with pytest.raises(SnnccError, match=f"one of: {says}"):
            ask("toy")
    with pytest.raises(SnnccError, match="--to cpu is not supported"):
        exporter("cpu")


def test_the_driver_needs_no_torch_where_a_frontend_needs_none(root: Path, tmp_path: Path) -> None:
    """And asking which frontend reads a model imports none of their libraries."""
    (tmp_path / "net.toy").write_text(str(SEED))
    script = f"""
import sys
sys.modules["torch"] = None
sys.path.insert(0, {str(root / "tests/helpers")!r})
from snncc.frontends.frontend import ModelSpec
from snncc.frontends.registry import FRONTENDS, frontend_for
from snncc.targets import registry
assert "snncc.backends.lava_nc" not in sys.modules
assert type(frontend_for(ModelSpec())).__name__ == "MixerFrontend"
assert type(frontend_for(ModelSpec(model="a:b"))).__name__ == "TorchFrontend"
assert type(frontend_for(ModelSpec(module=None))).__name__ == "TorchFrontend"
from random_networks import random_images, random_network
from snncc.frontends.frontend import Source, Traced
class Toy:
    def recognises(self, spec):
        return spec.checkpoint is not None
    def check(self, spec):
        pass
    def read(self, spec):
        graph = random_network({SEED})
        shape = random_images(graph, 0, 1).shape[1:]
        return Source("toy", lambda *_: Traced(graph), lambda: 0, input_shape=shape, steps=4)
FRONTENDS["toy"] = Toy
import snncc
program = snncc.compile("net.toy")
assert program.run(random_images(random_network({SEED}), 1, 2)).logits.shape[0] == 2
assert "snncc.backends.lava_nc" not in sys.modules
try:
    snncc.compile("random_networks:random_network")
except snncc.SnnccError as error:
    print(error.findings[0].code)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "SNN050\n"), done.stderr


def test_frontends_have_all_that_is_asked_of_them() -> None:
    for name, make in FRONTENDS.items():
        asked = ("recognises", "check", "read")
        assert [part for part in asked if not callable(getattr(make(), part, None))] == [], name


def test_entries_say_what_the_targets_can() -> None:
    for name, entry in TARGETS.items():
        target = entry.make()
        assert target.name == name
        assert (entry.runs, entry.exports) == (target.runs, target.export is not None)
        assert entry.forms == tuple(target.forms)
        assert not target.forms or target.export is next(iter(target.forms.values()))
        assert set(target.profiles) <= set(PROFILES)
        assert not (target.here and target.machine)
    assert (that_run(), that_export()) == (("cpu", "lava", "onnx"), ("lava", "onnx", "c", "nir"))
    for name, make in PROFILES.items():
        assert make().name == name


def test_live_objects_and_names_go_to_their_frontends() -> None:
    """The general one takes what nobody recognises, and says what is wrong with it."""
    assert type(frontend_for(ModelSpec(model="mixer-snn"))).__name__ == "MixerFrontend"
    for given in (None, 5, "net"):
        with pytest.raises(SnnccError, match=f"model is a {type(given).__name__}"):
            frontend_for(ModelSpec(module=given)).read(ModelSpec(module=given))


NAMES = {"lava", "loihi-lava"}
MAY_NAME = {
    "snncc.targets.registry": "its line",
    "snncc.ir.program_rules": "what a program's file may say",
    "snncc.checker.form": "the checker's own copy of it",
}
"""Modules outside Lava's own that hold its name as a value, and why."""


def test_nobody_asks_whether_something_is_lava(root: Path) -> None:
    """They ask the profile or the target; only Lava's own package knows what it is."""
    own = "snncc.backends.lava_nc"
    naming, asking = set(), []
    for name, file in modules(root).items():
        if name.startswith(own):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and node.value in NAMES:
                naming.add(name)
            if isinstance(node, ast.Attribute | ast.Name):
                word = node.attr if isinstance(node, ast.Attribute) else node.id
                asking += [(name, word)] if "on_loihi" in word or "on_lava" in word else []
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                constants = [n for s in sides for n in ast.walk(s) if isinstance(n, ast.Constant)]
                asking += [(name, n.lineno) for n in constants if n.value in NAMES]
    assert asking == []
    assert naming - set(MAY_NAME) == {"snncc.cli.doctor_command"}, "a record's key, of its search"
    assert set(MAY_NAME) <= naming


def test_targets_says_why_lava_cannot_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = environment.Refused(Path("/no"), "test", "it is not")
    none = environment.Search(None, (refused,))
    monkeypatch.setattr(environment, "find_lava", lambda given: none)
    monkeypatch.setattr(environment, "find_python", lambda: Path("/python"))
    assert run(["targets", "--json"]) == 0
    targets = {each["name"]: each for each in json.loads(capsys.readouterr().out)["targets"]}
    assert set(targets) == set(TARGETS)
    assert targets["cpu"]["run"]["can"] is True
    assert targets["cpu"]["export"]["why"] == "it runs the program's own file"
    lava = targets["lava"]
    assert lava["profiles"] == ["exact", "loihi-lava"]
    assert lava["export"] == {"can": True, "how": "--to lava", "why": "", "details": [], "help": ""}
    assert (lava["run"]["can"], lava["run"]["why"]) == (False, "no Lava environment is found")
    assert lava["run"]["details"] == ["/no (test): it is not"]
    assert "snncc doctor --make-lava" in lava["run"]["help"]
    assert run(["targets"]) == 0
    out = capsys.readouterr().out
    assert "  run      no: no Lava environment is found" in out
    assert "             /no (test): it is not" in out
    found = environment.LavaEnvironment(Path("/there"), "test", "3.10.1", "0.10.0", "1.26")
    monkeypatch.setattr(environment, "find_lava", lambda given: environment.Search(found, ()))
    assert run(["targets"]) == 0
    assert "run      yes: --on lava, lava-nc 0.10.0, Python 3.10.1, /there" in (
        capsys.readouterr().out
    )


def test_targets_says_that_torch_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from snncc.cli import targets_command

    monkeypatch.setattr(targets_command, "find_spec", lambda name: None)
    assert run(["targets"]) == 0
    assert capsys.readouterr().out.count("compile  no: torch is not installed") == len(TARGETS)
