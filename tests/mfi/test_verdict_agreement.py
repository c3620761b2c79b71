"""What `snncc verify --model` promises, `snncc compile` does: on models that may not compile."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from random_models import RandomModel, random_model
from spikingjelly.activation_based import functional, layer, neuron
from torch import nn

from snncc.cli.main import run
from snncc.compiler.driver import Compiled, compile_module
from snncc.compiler.folding import convert_and_fold, spiking_passes
from snncc.compiler.model_verdict import judge_model
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import Finding, SnnccError
from snncc.frontends.frontend import Source, Traced
from snncc.ir import Graph, GraphBuilder, TooWide, TypeRuleError, VerifyError, verify
from snncc.ir.dialects import traced as ops
from snncc.ir.dialects.dialect import DIALECTS
from snncc.ir.dialects.projections import Contract, Frames
from snncc.ir.dialects.selections import row_sums
from snncc.ir.dialects.spiking import Opaque, Readout
from snncc.mfi import Level, prove
from snncc.passes.pipeline import run_passes
from snncc.passes.report_foreign_ops import foreign_findings
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers

SEEDS = 400


def compiled(graph: Graph) -> Compiled | tuple[Finding, ...]:
    """What the compiler's driver makes of a model that traces to this graph."""
    trace = Traced(graph, foreign_findings(graph))
    source = Source("random", lambda *_: trace, lambda: 0, input_shape=(2, 4, 4), steps=graph.steps)
    try:
        return compile_module(source, CompileOptions())
    except SnnccError as error:
        return error.findings


@pytest.mark.parametrize("start", range(0, SEEDS, 50))
def test_a_random_model_is_judged_as_it_compiles(start: int) -> None:
    for seed in range(start, start + 50):
        graph = random_model(seed)
        judged = judge_model(graph, foreign_findings(graph))
        result = compiled(graph)
        if not isinstance(result, Compiled):
            assert judged.refusals == result, seed
            places = {op.loc for op in judged.verdict.above(Level.STRICT)}
            for finding in result:
                assert finding.code in ("SNN020", "SNN021", "SNN030", "SNN031"), seed
                assert finding.code < "SNN030" or finding.loc in places, (seed, finding)
            continue
        assert judged.refusals == (), seed
        program = above_strict(result.program.graph)
        before = {op.name for op in judged.verdict.above(Level.STRICT)}
        if before != program:  # the luck of 8 bits: a gain that is a shift is none at others
            program |= {n for bits in (3, 5, 7) for n in above_strict(lowered(graph, bits))}
        assert before == program, seed
        assert judged.verdict.level >= prove(result.program.graph).level, seed


OPTIONS = (
    CompileOptions(),
    CompileOptions(profile="loihi-lava"),
    CompileOptions(gain="unshared", decay="by-step"),
    CompileOptions(encoding="host"),
)


def test_every_option_refuses_the_same() -> None:
    """No pass of a profile stumbles over what another has refused."""
    count = 0
    for seed in range(1, 160, 2):
        graph = random_model(seed)
        findings = foreign_findings(graph)
        told = [convert_and_fold(graph, findings, o, lambda _: None)[1] for o in OPTIONS]
        assert all(each == told[0] for each in told), seed
        count += bool(told[0])
    assert count > 40


def lowered(graph: Graph, bits: int) -> Graph:
    spiking = run_passes(graph, spiking_passes(CompileOptions()))
    return run_passes(spiking, [LowerToIntegers(round_plainly(spiking, bits), bits)])


def above_strict(program: Graph) -> set[str]:
    return {op.name for op in prove(program).above(Level.STRICT)}


class Head(nn.Module):
    """A fully convolutional classifier: its head is a convolution, then a global average."""

    def __init__(self) -> None:
        super().__init__()
        self.first = layer.Conv2d(1, 4, 3, padding=1)
        self.fire = neuron.LIFNode()
        self.last = layer.Conv2d(4, 3, 3, padding=1)
        self.pool = layer.AdaptiveAvgPool2d(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pool(self.last(self.fire(self.first(x)))).flatten(2).mean(0)


class Factors(nn.Module):
    """A current times a factor for each channel, added to the current itself and to another."""

    def __init__(self, factor: list[complex]) -> None:
        super().__init__()
        self.first, self.one, self.two = nn.Linear(16, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.fire = nn.ModuleList(neuron.IFNode() for _ in range(2))
        self.out = nn.Linear(8, 4)
        self.register_buffer("factor", torch.tensor(factor))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spikes = self.fire[0](self.first(x.flatten(2)))
        current = self.one(spikes)
        product = self.factor * current
        if product.is_complex():
            product = torch.view_as_real(product).sum(-1)
        return self.out(self.fire[1](current + self.two(spikes) + product)).mean(0)


POWERS = [1.0, 2.0, 4.0, 0.0, 0.5, 0.25, -1.0, -2.0]
MODELS = {
    "head": Head,
    "powers": lambda: Factors(POWERS),
    "others": lambda: Factors([*POWERS[:-1], 3.0]),
    "complex": lambda: Factors([complex(p, 0.3) for p in POWERS]),
    "complex_powers": lambda: Factors([complex(p, 0.0) for p in POWERS]),
}


def make(name: str) -> nn.Module:
    torch.manual_seed(0)
    net = MODELS[name]()
    functional.set_step_mode(net, "m")
    return net.eval()


Told = dict[str, Any]


def both(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[int, Told, int, Told]:
    """Exit codes and JSON of `verify --model` and of `compile`; the program's verdict if any."""
    options = ["--model", "test_verdict_agreement:make", "--arg", f"name={name}"]
    options += ["--input-shape", "1,4,4", "--json"]
    before = run(["verify", *options])
    judged = json.loads(capsys.readouterr().out)
    after = run(["compile", *options, "-o", str(folder / "p.snncc")])
    told = json.loads(capsys.readouterr().out)
    if after == 0:
        assert run(["verify", str(folder / "p.snncc"), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
    return before, judged, after, told


def test_a_convolutional_head_is_refused_by_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both say the same of it, whether or not a pooling composes with a convolution."""
    _, judged, code, told = both("head", tmp_path, capsys)
    if code == 0:
        assert judged["refusals"] == []
        assert judged["level"] == told["level"]
        return
    shared = ("code", "message", "module", "file", "line", "why", "help")
    assert [{k: f[k] for k in shared} for f in judged["refusals"]] == [
        {k: f[k] for k in shared} for f in told["errors"]
    ]
    assert [f["module"] for f in judged["refusals"]] == ["pool"]
    assert judged["level"] != "strict"
    arguments = ["--model", "test_verdict_agreement:make", "--arg", "name=head"]
    assert run(["verify", *arguments, "--input-shape", "1,4,4", "--level", "strict"]) == 1
    text = capsys.readouterr().out
    assert "snncc compile refuses this model as yet: 1 finding (SNN030)" in text
    assert "refused[SNN030]: pool: a linear map reads real-valued currents" in text


@pytest.mark.parametrize(("name", "level"), [("powers", "strict"), ("others", "shift-add")])
def test_factors_by_channel_are_judged_as_they_compile(
    name: str, level: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, judged, after, told = both(name, tmp_path, capsys)
    assert (before, after) == (0, 0)
    assert judged["refusals"] == []
    assert judged["level"] == told["level"] == level
    (factor,) = (op for op in judged["ops"] if op["op"] == "scale")
    assert factor["level"] == level
    if level == "strict":
        assert factor["arithmetic"] == ["shift", "add"]
        assert factor["rewrite"] == "shift instead of multiply"


@pytest.mark.parametrize("name", ["complex", "complex_powers"])
def test_complex_numbers_are_not_judged(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, judged, after, told = both(name, tmp_path, capsys)
    assert (before, after) == (1, 4)
    assert judged["level"] == "none"
    assert judged["not_judged"] == ["mul", "view_as_real"]
    for op in judged["ops"]:
        if op["name"] in judged["not_judged"]:
            assert op["reason"].startswith("not judged: ")
            assert "complex numbers" in op["reason"]
    assert [f["module"] for f in judged["refusals"]] == [f["module"] for f in told["errors"]]
    assert all("complex" in f["why"] for f in judged["refusals"])
    options = ["--model", "test_verdict_agreement:make", "--arg", f"name={name}"]
    assert run(["verify", *options, "--input-shape", "1,4,4"]) == 1
    text = capsys.readouterr().out
    assert text.startswith("not shown to be multiplication-free: level none")
    assert "not judged: 2 operations" in text


def test_a_power_of_two_between_currents_is_a_shift_in_the_program_too() -> None:
    """Neurons of their own behind the factor: it ties the units of both sides to each other."""
    b = RandomModel(0)
    x = b.lif(b.conv(b.image("input")))
    current = b.channels(x)
    factor = ops.Scale(b.param("s", np.array(2.0)))
    scaled = b.put(factor, current)
    answer = b.put(ops.Add(), b.lif(current), b.lif(b.put(ops.Add(), scaled, b.channels(x))))
    graph = b.answer(answer)
    found = next(op for op in judge_model(graph).verdict.ops if op.name == scaled)
    assert found.need.level is Level.STRICT
    spiking = run_passes(graph, spiking_passes(CompileOptions()))
    program = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, 8), 8)])
    found = next(op for op in prove(program).ops if op.name == scaled)
    assert (found.op, found.need.level) == ("gain", Level.STRICT)


def test_an_opaque_op_keeps_out_of_programs() -> None:
    """A model that is refused has one; no program does, and the integer dialect has no such op."""
    graph = next(g for g in map(random_model, range(99)) if g.select(ops.Foreign))
    refused: list[Finding] = []
    spiking = run_passes(graph, spiking_passes(CompileOptions()), None, refused)
    assert refused
    names = {node.name for node in spiking.select(Opaque)}
    assert names >= {node.name for node in graph.select(ops.Foreign)}
    assert "opaque" not in DIALECTS["integer"].ops
    with pytest.raises(SnnccError, match="SNN040"):
        run_passes(spiking, [LowerToIntegers(round_plainly(spiking, 8), 8)])
    with pytest.raises(VerifyError, match="opaque is not an op of the integer dialect"):
        verify(replace(spiking, dialect="integer"))
    with pytest.raises(SnnccError):
        run_passes(graph, spiking_passes(CompileOptions()))


def test_a_number_too_large_for_integers_is_told_before_compiling() -> None:
    """What only lowering finds (SNN033) is a refusal of the verdict too."""
    b = RandomModel(0)
    x = b.put(ops.Lif(v_threshold=1e-12), b.conv(b.image("input")))
    offset = b.put(ops.Scale(None, b.param("o", np.array(1e30))), b.channels(x))
    graph = b.answer(b.channels(b.lif(offset)))
    assert [f.code for f in judge_model(graph).refusals] == ["SNN033"]


def test_only_what_is_too_wide_is_told_as_that() -> None:
    """Weights that select with a current are no matter of bits: SNN033 would mislead."""
    b = GraphBuilder("spiking", 2)
    x = b.add(Frames(("f",), (2,)), name="image")
    for name in ("one", "two"):
        weight = b.constant(f"{name}.w", np.array([[1.0, -0.3], [0.4, 0.9]]), ("f", "f"))
        x = b.add(Contract(weight, ("f",), ("f",)), [x], name=name)
    spiking = b.finish(b.add(Readout(), [x], name="readout"))
    with pytest.raises(TypeRuleError, match="select with spikes or counts") as caught:
        run_passes(spiking, [LowerToIntegers(round_plainly(spiking, 8), 8)])
    assert not isinstance(caught.value, TooWide)
    with pytest.raises(TooWide, match="62 bits"):
        row_sums(np.full((1, 4), 1 << 61))


def test_a_second_image_is_refused_by_both() -> None:
    b = RandomModel(0)
    both = (b.lif(b.channels(b.image(name))) for name in ("input", "second"))
    graph = b.answer(b.channels(b.put(ops.TracedConcat(("c", "c"), "c"), *both)))
    refusals = judge_model(graph).refusals
    assert [(f.code, f.message) for f in refusals] == [
        ("SNN021", "a second image enters: a program has one")
    ]
    assert compiled(graph) == refusals
