"""Loops over time in Python: rolled up and right, or refused for what they are."""

import re
from typing import Any

import loop_networks as nets
import numpy as np
import pytest
import torch
from exact_models import RAW
from loop_networks import FEATURES, FRAMES, NEURONS, SEQUENCES, STEPS, Body, Looped
from spikingjelly.activation_based import functional

from snncc.compiler.folding import spiking_passes
from snncc.diagnostics import Finding, SnnccError
from snncc.frontends.torch_recorder import Trace, trace_model
from snncc.frontends.torch_recorder.loops import trace as loops
from snncc.frontends.torch_recorder.precision import in_double
from snncc.ir.dialects.traced import Lif
from snncc.ir.text import print_graph
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator

SHAPE = (FEATURES,)


def same_answers(body: Body) -> Trace:
    """Compiles a network and holds the answers of its integers against torch: equal."""
    net = Looped(body)
    trace = trace_model(net, SHAPE, STEPS)
    assert trace.findings == (), "\n".join(map(str, trace.findings))
    spiking = run_passes(trace.graph, spiking_passes(RAW))
    program = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, 8), 8)])
    images = np.random.default_rng(2).integers(0, 4, (64, *SHAPE)).astype(np.uint8)
    slow, fast = interpret(program, images, ALL), Simulator(program).run(images, ALL)
    assert np.array_equal(slow.readout, fast.readout)
    x = torch.from_numpy(images.astype(np.float64))
    x = x if body in FRAMES else x[None].repeat(STEPS, 1, 1)
    with in_double(), torch.no_grad():
        wanted = net(x).numpy()
    wanted = wanted.mean(0) if wanted.ndim == 3 else wanted
    np.testing.assert_allclose(slow.logits, wanted, rtol=0, atol=1e-9)
    for node in trace.graph.select(Lif):
        assert 0.02 < slow.spikes[node.name].mean() < 0.98, node.name
    return trace


@pytest.mark.parametrize("body", [*FRAMES, *SEQUENCES, *NEURONS], ids=lambda body: body.__name__)
def test_a_loop_compiles_and_every_answer_is_the_models(body: Body) -> None:
    trace = same_answers(body)
    fixed = any("with 6 steps only" in note for note in trace.notes)
    assert fixed == (body is nets.length_in_code)
    inside = any("is called once for an image" in note for note in trace.notes)
    assert inside == (body in nets.FRAMES)


def test_a_loop_over_frames_is_the_graph_of_the_multi_step_model() -> None:
    def at_once(self: Looped, x: torch.Tensor) -> Any:
        return self.net(x).mean(0)

    def one_by_one(self: Looped, x: torch.Tensor) -> Any:
        return torch.stack([self.net(frame) for frame in x]).mean(0)

    whole, looped = Looped(at_once), Looped(one_by_one)
    functional.set_step_mode(whole, "m")
    graphs = [trace_model(net, SHAPE, STEPS).graph for net in (whole, looped)]
    texts = [re.sub(" at <.*>", "", print_graph(graph)) for graph in graphs]
    assert texts[0] == texts[1]


def found(body: Body, steps: int = STEPS) -> tuple[Finding, ...]:
    try:
        findings = trace_model(Looped(body), SHAPE, steps, "sequence").findings
    except SnnccError as error:
        findings = error.findings
    assert findings
    for finding in findings:
        assert finding.why, finding
        assert finding.help, finding
    return findings


REFUSED: tuple[tuple[Body, str, str], ...] = (
    (nets.own_weights, "SNN120", "weights or constants of its own for every step"),
    (nets.leak_of_its_own, "SNN120", "constant of its own for every step"),
    (nets.reversed_time, "SNN120", "constant of its own for every step"),
    (nets.cut_late, "SNN120", "from step 3 on only"),
    (nets.odd_steps, "SNN120", "weights or constants of its own for every step"),
    (nets.every_second, "SNN120", "steps of a loop over time differ"),
    (nets.squared, "SNN121", "two values that depend on the input are multiplied"),
    (nets.start_of_the_input, "SNN121", "starts from a value that depends on the input"),
    (nets.twice_at_first, "SNN121", "starts from a value that depends on the input"),
    (nets.alternating, "SNN121", "not in their order"),
    (nets.numbered, "SNN121", "number of the step is computed with"),
    (nets.some_rows, "SNN121", "rows of a tensor"),
    (nets.next_rows, "SNN121", "not its own"),
    (nets.one_row, "SNN121", "not its own"),
    (nets.first_features, "SNN121", "that no comparison chooses"),
    (nets.all_steps_each_step, "SNN121", "every step reads a value of all steps"),
)


@pytest.mark.parametrize(
    ("body", "code", "words"), REFUSED, ids=lambda case: getattr(case, "__name__", str(case))
)
def test_what_rolls_up_and_has_no_form_is_one_finding(body: Body, code: str, words: str) -> None:
    (finding,) = found(body)
    assert finding.code == code
    assert words in f"{finding.message} {finding.why}"
    assert finding.loc is not None
    assert finding.loc.file.endswith("loop_networks.py")
    assert finding.loc.source


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (nets.in_numpy, "SNN022"),
        (nets.early_exit, "SNN022"),
        (nets.random_input, "SNN023"),
        (nets.of_two_images, "SNN028"),
        (nets.kept, "SNN120"),
        (nets.twice_a_step, "SNN026"),
    ],
)
def test_what_no_loop_explains_keeps_its_finding(body: Body, code: str) -> None:
    assert code in {finding.code for finding in found(body)}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (nets.through_a_view, "under another name"),
        (nets.through_data, "under another name"),
        (nets.padded, ""),
        (nets.counted, "a run with one step more does something else"),
        (nets.reset_each_step, "neuron module is changed between the steps"),
        (nets.membrane_changed, "neuron module is changed between the steps"),
        (nets.threshold_of_its_own, "neuron module is changed between the steps"),
        (nets.weights_written, "weights or constants of its own"),
        (nets.constants_written, "weights or constants of its own"),
    ],
)
def test_loops_that_hide_a_change_are_not_rolled_up(
    body: Body, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their form alone: the graph is not held against the model here."""
    monkeypatch.setattr(loops, "replay", lambda *_: ())
    findings = found(body)
    assert words in " ".join(f"{f.message} {f.why}" for f in findings)
    others = (nets.through_a_view, nets.through_data, nets.padded)
    assert len(findings) == 1 or body in others


@pytest.mark.parametrize("steps", [3, 4, 9])
def test_a_step_that_differs_late_is_seen_when_it_is_there(steps: int) -> None:
    """A ReLU from step 3 on: three steps are a loop; the fourth differs."""
    if steps == 3:
        findings = trace_model(Looped(nets.cut_late), SHAPE, 2, "sequence").findings
        assert findings == ()
    else:
        assert [f.code for f in found(nets.cut_late, steps)] == ["SNN120"]


def test_steps_that_differ_are_shown_with_both_lines() -> None:
    def two_lines(self: Looped, x: torch.Tensor) -> Any:
        out = []
        for t in range(len(x)):
            current = self.first(x[t])
            if t == 0:
                current = self.each[0](x[t])
            out.append(self.net[1](current))
        return torch.stack(out)

    (finding,) = found(two_lines)
    assert "out.append(self.net[1](current))" in str(finding)
    assert finding.code == "SNN120"


def test_a_loop_over_layers_with_one_set_of_weights_is_no_loop_over_time() -> None:
    """As deep as there are steps, and nothing in it fires."""

    def body(self: Looped, x: torch.Tensor) -> Any:
        x = self.first(x)
        for _ in range(STEPS):
            x = x + 0.125 * self.deep[0](x)
        return self.net[2:](self.net[1](torch.nn.functional.layer_norm(x, (nets.HIDDEN,))))

    trace = trace_model(Looped(body), SHAPE, STEPS)
    assert [finding.code for finding in trace.findings] == ["SNN020"]


def test_silent_neurons_are_named() -> None:
    def silent(self: Looped, x: torch.Tensor) -> Any:
        membrane, out = nets.zeros(x), []
        for frame in x:
            membrane = 0.5 * membrane + 0.0 * self.first(frame)
            spike = nets.Fire.apply(membrane)
            membrane = membrane * (1 - spike)
            out.append(self.net[3](self.second(spike)))
        return torch.stack(out)

    notes = trace_model(Looped(silent), SHAPE, STEPS, "sequence").notes
    assert any("lif never fired" in note or "lif, " in note for note in notes), notes


def test_a_width_that_is_the_number_of_steps_is_not_changed_with_it() -> None:
    """Both are 8; a run of one step more must not be a run of one neuron more."""

    def body(self: Looped, x: torch.Tensor) -> Any:
        membrane, out = torch.zeros(x.size(0), self.width), 0
        for _ in range(self.steps):
            membrane = 0.5 * membrane + self.first(x)
            spike = nets.Fire.apply(membrane)
            membrane = membrane * (1 - spike)
            out = out + self.net[3](self.second(spike))
        return out / self.steps

    net = Looped(body)
    net.width = net.steps = nets.HIDDEN  # type: ignore[assignment]
    trace = trace_model(net, SHAPE, nets.HIDDEN)
    assert trace.findings == ()
    assert not any("steps only" in note for note in trace.notes)
