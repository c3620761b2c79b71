"""Verdicts on models before compiling: known networks, planted changes, the command."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from random_networks import random_network
from verdict_zoo import SHAPE, STEPS, ZOO, Hand, make, mixer
from zoo import Refused, lively

from snncc.cli.main import run
from snncc.compiler.folding import spiking_passes
from snncc.compiler.model_verdict import judge_model
from snncc.compiler.options import CompileOptions
from snncc.frontends.torch_recorder import Trace, trace_model
from snncc.ir import Graph, Node, ValueType, verify
from snncc.ir.dialects.integer import Gain, IntegerPopulation
from snncc.ir.dialects.traced import Foreign, Lif
from snncc.mfi import Level, Policy, Values, Verdict, domains_of, prove
from snncc.mfi.models.domains import BIT
from snncc.mfi.rules import digits_of
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers

STRICT, SHIFT_ADD, BIT_SERIAL, NONE = Level


def traced(net: torch.nn.Module) -> Trace:
    return trace_model(net, SHAPE, STEPS)


def judged(graph: Graph) -> Verdict:
    return judge_model(graph).verdict


def verdict_on(name: str) -> Verdict:
    trace = traced(make(name))
    return judge_model(trace.graph, trace.findings).verdict


def sites(verdict: Verdict, level: Level) -> set[tuple[str, str]]:
    return {(op.module_path, op.op) for op in verdict.ops if op.need.level is level}


def rewrites(verdict: Verdict) -> str:
    return "\n".join(f"{op.name}: {op.need.rewrite}" for op in verdict.ops)


# What the field builds.

EXPECTED: dict[str, tuple[Level, set[tuple[str, str]]]] = {
    "sew_add": (STRICT, set()),
    "sew_and": (STRICT, set()),
    "sew_iand": (STRICT, set()),
    "membrane_shortcut": (STRICT, set()),
    "shared_current": (SHIFT_ADD, {("norm", "batchnorm")}),
    "max_pool": (STRICT, set()),
    "average_pool": (STRICT, set()),
    "spiking_attention": (STRICT, set()),
    "softmax_attention": (NONE, {("", "softmax"), ("", "matmul")}),
    "layer_norm": (NONE, {("middle", "layer_norm"), ("second.0", "conv")}),
    "gelu": (NONE, {("middle", "gelu"), ("second.0", "conv")}),
    "relu": (NONE, {("second.0", "conv")}),
    "ann_mixer": (
        NONE,
        {
            *(("norm1", "layer_norm"), ("norm2", "layer_norm"), ("head", "linear")),
            *((f"{part}.1", "gelu") for part in ("tokens", "channels")),
            *((f"{part}.{i}", "linear") for part in ("tokens", "channels") for i in (0, 2)),
        },
    ),
    "hand_written": (STRICT, set()),
    "hand_written_two": (STRICT, set()),
    "leaks": (SHIFT_ADD, {("net.1", "lif"), ("net.3", "lif")}),
    "mask": (STRICT, set()),
    "count_product": (BIT_SERIAL, {("", "mul")}),
    "real_product": (NONE, {("", "mul")}),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_known_networks_have_their_level_and_name_its_ops(name: str) -> None:
    level, wanted = EXPECTED[name]
    verdict = verdict_on(name)
    assert verdict.level is level
    assert sites(verdict, level) == (wanted or sites(verdict, level))
    for op in verdict.above(STRICT):
        assert op.need.reason
        assert op.need.help
        assert op.loc is not None
        assert op.loc.file == "helpers/verdict_zoo.py"
        assert op.loc.line > 0
        assert (op.need.adders > 0) is (op.need.level in (SHIFT_ADD, BIT_SERIAL))
    assert verdict.encoding_level is STRICT


def test_every_network_of_the_zoo_is_expected() -> None:
    assert set(EXPECTED) == set(ZOO)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "sew_add",
            "next.0.0.conv2d: the sum of spikes stays a count, whose planes select its weights",
        ),
        ("sew_and", "mul: AND instead of multiply"),
        ("sew_iand", "mul: ANDN instead of multiply"),
        ("max_pool", "pool.max_pool2d: OR instead of maximum"),
        ("spiking_attention", "matmul: AND and popcount instead of multiply"),
        ("spiking_attention", "matmul_2: select and accumulate instead of multiply"),
        ("spiking_attention", "attend: fold the factor 0.125 into the threshold: 8 in units"),
        ("mask", "mul: select instead of multiply"),
    ],
)
def test_a_level_that_needs_a_rewrite_names_it(name: str, wanted: str) -> None:
    assert wanted in rewrites(verdict_on(name))


def test_counts_are_followed_to_their_readers() -> None:
    domains = {op.name: str(op.domain) for op in verdict_on("sew_add").ops}
    assert domains["add"] == "count 0..2"
    domains = {op.name: str(op.domain) for op in verdict_on("spiking_attention").ops}
    tokens, width = 25, 4
    assert domains["matmul"] == f"count 0..{tokens}"
    assert domains["matmul_2"] == f"count 0..{tokens * width}"
    assert domains["mul"] == f"count 0..{tokens * width} x 0.125"
    domains = {op.name: str(op.domain) for op in verdict_on("average_pool").ops}
    assert domains["pool.avg_pool2d"] == "count 0..4 x 0.25"


def test_only_the_answer_of_the_negative_control_is_real() -> None:
    assert verdict_on("ann_mixer").readout_level is NONE
    assert "real activations" in verdict_on("ann_mixer").readout
    assert verdict_on("gelu").readout_level is STRICT


# Mixer-SNN, every variant.


@pytest.mark.parametrize("variant", ["patch_cell", "strided", "identity_norm"])
def test_mixer_needs_shift_add_at_the_second_token_norms_only(variant: str) -> None:
    verdict = judged(traced(mixer(variant)).graph)
    assert verdict.level is SHIFT_ADD
    wanted = {(f"channel_mix.{i}.1.net.4", "batchnorm") for i in range(2)}
    assert sites(verdict, SHIFT_ADD) == wanted
    for op in verdict.above(STRICT):
        assert "--gain unshared" in op.need.help
        assert "meets others" in op.need.reason


def test_a_norm_with_a_factor_for_every_step_needs_shift_add() -> None:
    verdict = judged(traced(mixer("temporal_norm")).graph)
    assert verdict.level is SHIFT_ADD
    scales = [op for op in verdict.above(STRICT) if op.op == "scale"]
    norms = {path for path, module in mixer("temporal_norm").named_modules() if has_scale(module)}
    assert len(norms) == 17
    assert {op.module_path for op in scales} == norms - {"batch_norm"}  # on spikes: in the head
    assert all("weight bank for every time step" in op.need.help for op in scales)


def has_scale(module: object) -> bool:
    return hasattr(module, "scale")


def test_the_layer_norm_variant_is_none_at_every_layer_norm() -> None:
    verdict = judged(traced(mixer("layer_norm")).graph)
    wanted = {(f"channel_mix.{i}.1.net.{n}", "layer_norm") for i in range(2) for n in (1, 4)}
    assert sites(verdict, NONE) == wanted


def test_the_trained_checkpoint_before_compiling(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", str(root / "examples/digits_mixer.pth"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    above = [op["module"] for op in record["ops"] if op["level"] != "strict"]
    assert above == ["channel_mix.0.1.net.4", "channel_mix.1.1.net.4"]


# The prediction is what compiling really gives.


def compiled(graph: Graph, bits: int = 8) -> tuple[Graph, Graph]:
    spiking = run_passes(graph, spiking_passes(CompileOptions()))
    return spiking, run_passes(spiking, [LowerToIntegers(round_plainly(spiking, bits), bits)])


def shift_adds(graph: Graph) -> set[str]:
    """Gains and leaks of an integer program that are no shifts."""
    gains = {
        node.name
        for node in graph.select(Gain)
        if isinstance(node.op, Gain) and digits_of(graph.constants[node.op.mantissa.name]).max() > 1
    }
    leaks = {
        node.name
        for node in graph.select(IntegerPopulation)
        if isinstance(node.op, IntegerPopulation) and node.op.decay[0] > 1
    }
    return gains | leaks


def test_random_models_are_judged_as_they_compile() -> None:
    """The weights are dyadic, so that a gain can be a shift by the luck of 8 bits, not of 3."""
    seen = set[Level]()
    for seed in range(120):
        graph = random_network(seed)
        spiking, integer = compiled(graph)
        before = judged(graph)
        lucky = shift_adds(integer)
        coarse = shift_adds(compiled(graph, 3)[1])
        assert {op.name for op in before.above(STRICT)} == lucky | coarse, seed
        left = {op.name for op in prove(spiking).above(STRICT)}
        assert {op.name for op in before.above(STRICT)} <= left
        assert prove(integer).level <= before.level
        seen.add(before.level)
    assert seen == {STRICT, SHIFT_ADD}


def test_mixers_and_shared_currents_are_judged_as_they_compile() -> None:
    nets = [mixer(variant) for variant in ("patch_cell", "strided", "identity_norm")]
    for net in (*nets, make("shared_current"), make("leaks"), make("sew_add")):
        graph = traced(net).graph
        _, integer = compiled(graph)
        assert {op.name for op in judged(graph).above(STRICT)} == shift_adds(integer)


# Planted changes.


def plant(graph: Graph, name: str) -> Graph:
    """The same graph with a value multiplied by itself before anybody reads it."""
    target = graph[name]
    op = Foreign("mul: planted", target.type.names, target.type.shape)
    kind = op.infer((target.type, target.type), graph.context)
    extra = Node("planted", op, (name, name), kind, target.locs)
    nodes: list[Node] = []
    for node in graph.nodes:
        inputs = tuple("planted" if i == name else i for i in node.inputs)
        again = replace(node, inputs=inputs)
        types = tuple(kind if i == "planted" else graph[i].type for i in inputs)
        nodes.append(replace(again, type=_retyped(node, types, graph)))
        if node is target:
            nodes.append(extra)
    planted = replace(graph, nodes=tuple(nodes))
    verify(planted)
    return planted


def _retyped(node: Node, types: tuple[ValueType, ...], graph: Graph) -> ValueType:
    return node.op.infer(types, graph.context)


def test_a_planted_product_of_currents_is_none_at_that_node() -> None:
    count = 0
    for seed in range(60):
        graph = random_network(seed)
        domains = domains_of(graph)
        rng = np.random.default_rng(seed)
        behind = {n.inputs[0] for n in graph.select(Lif)}
        chosen = [n.name for n in graph.nodes if n.name in behind]
        name = str(rng.choice(chosen))
        if domains[name].values is not Values.CURRENT:
            continue
        verdict = judged(plant(graph, name))
        assert verdict.level is NONE
        assert verdict.above(BIT_SERIAL)[0].name == "planted"
        count += 1
    assert count > 40


def test_a_planted_product_of_spikes_is_logic() -> None:
    graph = random_network(5)
    spikes = graph.select(Lif)[0].name
    verdict = judged(plant(graph, spikes))
    assert verdict.level < NONE
    planted = next(op for op in verdict.ops if op.name == "planted")
    assert planted.need.level is STRICT
    assert planted.need.arithmetic == ("logic",)
    assert planted.domain == BIT


# What one run does not show.


def test_a_model_whose_control_flow_reads_data_is_none() -> None:
    trace = trace_model(lively(Refused()), (2, 8, 8), STEPS)
    verdict = judge_model(trace.graph, trace.findings).verdict
    unseen = [op for op in verdict.ops if op.need.arithmetic == ("unknown",)]
    assert {op.op for op in unseen} == {"__bool__", "rand"}
    assert all(op.need.level is NONE for op in unseen)
    assert {op.op for op in verdict.above(BIT_SERIAL)} >= {"layer_norm", "softmax"}


def test_a_hand_written_neuron_is_followed_through_the_steps() -> None:
    """Leak 1/4, reset by (1 - s), comparisons: shifts, selections and bits, never a product."""
    torch.manual_seed(0)
    graph = traced(make("hand_written_two")).graph
    domains = domains_of(graph)
    bits = [n for n in graph.select(Foreign) if domains[n.name] == BIT]
    assert len(bits) >= 2 * STEPS
    assert isinstance(ZOO["hand_written_two"](), Hand)


def test_a_hand_written_neuron_that_is_a_population_is_one_node() -> None:
    torch.manual_seed(0)
    trace = traced(make("hand_written"))
    assert trace.findings == ()
    assert len([*trace.graph.select(Lif)]) == 2


# The command.


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    base = ["verify", "--model", "verdict_zoo:make", "--input-shape", "3,16,16"]
    code = run([*base, *arguments])
    return code, capsys.readouterr().out


def test_the_command_judges_models(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = told(capsys, "--arg", "name=gelu")
    assert code == 1
    assert text.startswith("NOT multiplication-free: level none")
    assert "none: middle (gelu)\n   |  helpers/verdict_zoo.py:" in text
    assert "= help: put a spiking neuron in its place" in text
    assert "input   8-bit pixels into stem.0.0; as bit planes" in text
    assert "output  currents, summed; from" in text
    assert "snncc compile refuses this model as yet" in text
    code, text = told(capsys, "--arg", "name=sew_iand", "--level", "strict")
    assert code == 0
    assert "by      ANDN instead of multiply" in text
    code, _ = told(capsys, "--arg", "name=average_pool", "--level", "strict")
    assert code == 0
    code, _ = told(capsys, "--arg", "name=shared_current", "--level", "strict")
    assert code == 1
    code, _ = told(capsys, "--arg", "name=shared_current")
    assert code == 0
    code, _ = told(capsys, "--arg", "name=count_product", "--level", "bit-serial")
    assert code == 0


def test_the_prose_names_every_finding(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = told(capsys, "--arg", "name=softmax_attention", "--explain")
    assert code == 1
    words = " ".join(text.split())
    assert "A spiking network sends bits" in words
    assert "How the image enters (strict)" in words
    assert "How the answer leaves (strict)" in words
    assert words.count("To lower it:") == 3
    assert "softmax needs exponentials and a division by data" in words


def test_the_normalisation_moves_the_first_ranges(capsys: pytest.CaptureFixture[str]) -> None:
    def first(*arguments: str) -> str:
        _, text = told(capsys, "--arg", "name=sew_add", "--json", *arguments)
        return next(op["domain"] for op in json.loads(text)["ops"] if op["op"] == "conv")

    low, high = map(float, first().removeprefix("current ").split(".."))
    wide, far = map(float, first("--normalize", "0,0.5").removeprefix("current ").split(".."))
    assert (wide, far) == pytest.approx((2 * low, 2 * high), rel=1e-4)


def test_options_that_do_not_fit_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify"]) == 2
    assert run(["verify", "x.snncc", "--steps", "3"]) == 2
    assert "--model" in capsys.readouterr().err
    code, _ = told(capsys, "--arg", "name=gelu", "--normalize", "0,0")
    assert code == 2


def test_a_policy_counts_the_host_unless_allowed() -> None:
    graph = judged(random_network(3))
    host = replace(graph, encoding_level=NONE)
    assert Policy(SHIFT_ADD).judge(graph).holds
    refused = Policy(SHIFT_ADD).judge(host)
    assert not refused.holds
    assert refused.level is NONE
    assert refused.host_refused
    allowed = Policy(SHIFT_ADD, frozenset(["encoding=host"])).judge(host)
    assert allowed.holds
    assert allowed.level is graph.level


def test_every_key_of_the_json_is_documented(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, text = told(capsys, "--arg", "name=gelu", "--json")
    record = json.loads(text)
    docs = (root / "docs/verify.md").read_text()
    keys = [*record, *record["ops"][0], *record["refusals"][0], "program", "sha256"]
    assert [key for key in keys if f"`{key}`" not in docs] == []
    assert record["schema"] == 1
    assert record["holds"] is False
