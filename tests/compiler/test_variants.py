"""Every variant of Mixer-SNN and every neuron: model, folded graph, both executors."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from snncc.compiler.driver import compile_checkpoint
from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import SnnccError
from snncc.frontends.mixer_snn.config import MixerConfig
from snncc.frontends.mixer_snn.model import MixerSNN
from snncc.frontends.mixer_snn.neuron import LIF, NeuronOptions
from snncc.frontends.mixer_snn.untrained import untrained_mixer
from snncc.frontends.torch_recorder import trace_model
from snncc.ir import Graph
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.mfi import Level, prove
from snncc.passes.pipeline import PassEvent, run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator
from snncc.semantics.spiking import run_spiking

PLAIN = MixerConfig(6, (1, 1), 3, 4, 16, 3, 5)
VARIANTS = {
    "patch cell": PLAIN,
    "strided": replace(PLAIN, patch_cell=False),
    "identity norm": replace(PLAIN, patch_cell=False, identity_norm=True),
    "temporal 4": replace(PLAIN, scale_steps=4),
    "temporal 6": replace(PLAIN, scale_steps=6),
    "learned tau": replace(PLAIN, learned_tau=True),
    "all at once": replace(PLAIN, identity_norm=True, scale_steps=5, learned_tau=True),
}
NEURONS = {
    "tau 1.5": NeuronOptions(tau=1.5),
    "tau 1.2": NeuronOptions(tau=1.2),
    "tau 4": NeuronOptions(tau=4.0),
    "tau 1.25 soft": NeuronOptions(tau=1.25, v_reset=None),
    "threshold": NeuronOptions(v_threshold=0.7),
    "soft": NeuronOptions(v_reset=None),
    "input does not decay": NeuronOptions(decay_input=False, v_threshold=1.5),
    "reset -0.5": NeuronOptions(v_reset=-0.5),
    "strict": NeuronOptions(compare="gt"),
    "strict tau 1.5": NeuronOptions(tau=1.5, compare="gt"),
}
NORMALIZE = ((0.5, 0.4, 0.3), (0.25, 0.2, 0.3))
SCALES = (1.0, -0.5, 0.75, 1.25, -1.0, 0.5)
"""Of temporal effective BN, by step: both signs."""


def images(config: MixerConfig, count: int = 6, seed: int = 1) -> np.ndarray:
    shape = (count, config.in_channels, config.image_size, config.image_size)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def normal(pixels: np.ndarray) -> torch.Tensor:
    mean, std = (torch.tensor(v, dtype=torch.float64).view(3, 1, 1) for v in NORMALIZE)
    return (torch.from_numpy(pixels).double() / 255.0 - mean) / std


def lively(config: MixerConfig, steps: int, neuron: NeuronOptions | None = None) -> MixerSNN:
    net = untrained_mixer(config, normal(images(config)), steps, 0.25, neuron=neuron)
    for index, (name, parameter) in enumerate(net.named_parameters()):
        if name.endswith(".scale"):
            parameter.data = torch.tensor(np.roll(SCALES[:steps], index), dtype=torch.float32)
        if name.endswith("lif.w") or name.endswith(".w"):
            parameter.data += 0.1 * (index % 7)
    return net.double()


def spikes_of(net: MixerSNN, pixels: np.ndarray, steps: int) -> tuple[dict, np.ndarray]:
    """Spikes by module path [T, B, ...] and the mean logits of the module itself."""
    found: dict[str, np.ndarray] = {}
    hooks = [
        module.register_forward_hook(
            lambda _m, _a, out, path=path: found.__setitem__(path, out.numpy())
        )
        for path, module in net.named_modules()
        if isinstance(module, LIF)
    ]
    x = normal(pixels)
    with torch.no_grad():
        logits = net(x.unsqueeze(0).repeat(steps, 1, 1, 1, 1)).mean(0).numpy()
    for hook in hooks:
        hook.remove()
    return found, logits


def check_every_spike(net: MixerSNN, config: MixerConfig, steps: int, options: CompileOptions):
    """After every pass each neuron of the module spikes as in the module; gives the last graph."""
    pixels = images(config, 3, 2)
    spikes, logits = spikes_of(net, pixels, steps)
    trace = trace_model(net, pixels.shape[1:], steps)
    assert trace.findings == ()

    def check(event: PassEvent) -> None:
        values = run_spiking(event.graph, pixels)
        for path, wanted in spikes.items():
            names = event.graph[path].type.names
            rest = [n for n in trace.graph[path].type.names if n != "t"]
            order = [1 + names.index("t"), 0, *(1 + names.index(n) for n in rest)]
            got = values[path].transpose(order).reshape(wanted.shape)
            assert np.array_equal(got, wanted), (event.name, path)
        error = np.abs(values[event.graph.output] - logits).max()
        assert error < 1e-9, event.name

    rates = [s.mean() for s in spikes.values()]
    assert np.mean(np.array(rates) > 0.02) > 0.8
    return run_passes(trace.graph, spiking_passes(options), check)


def check_executors(spiking: Graph, config: MixerConfig, bits: int) -> Graph:
    program = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, bits), bits)])
    pixels = images(config, 3, 3)
    slow, fast = interpret(program, pixels, ALL), Simulator(program).run(pixels, ALL)
    assert np.array_equal(slow.readout, fast.readout)
    for name in slow.spikes:
        assert np.array_equal(slow.spikes[name], fast.spikes[name]), name
        assert np.array_equal(slow.membranes[name], fast.membranes[name]), name
        op = program[name].op
        assert isinstance(op, IntegerPopulation)
        assert op.membrane[0] <= slow.membranes[name].min()
        assert slow.membranes[name].max() <= op.membrane[1]
    return program


@pytest.mark.parametrize("gain", ["shift-add", "unshared"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_spike_of_every_variant(variant: str, gain: str) -> None:
    config = VARIANTS[variant]
    for steps in (config.scale_steps,) if config.scale_steps else (4, 6):
        net = lively(config, steps)
        options = CompileOptions(normalize=NORMALIZE, gain=gain)
        spiking = check_every_spike(net, config, steps, options)
        program = check_executors(spiking, config, 8)
        level = prove(program).level
        if gain == "unshared" and not config.learned_tau:
            assert level is Level.STRICT
        else:
            assert level is Level.SHIFT_ADD


@pytest.mark.parametrize("decay", ["approximate", "by-step"])
@pytest.mark.parametrize("neuron", NEURONS)
def test_every_spike_with_every_neuron(neuron: str, decay: str) -> None:
    net = lively(PLAIN, 4, NEURONS[neuron])
    options = CompileOptions(normalize=NORMALIZE, decay=decay)
    spiking = check_every_spike(net, PLAIN, 4, options)
    check_executors(spiking, PLAIN, 12)


def test_equal_scales_are_a_batchnorm_like_any_other() -> None:
    config = VARIANTS["temporal 4"]
    net = untrained_mixer(config, normal(images(config)), 4, 0.25).double()
    for name, parameter in net.named_parameters():
        if name.endswith(".scale"):
            parameter.data.fill_(1.125)
    options = CompileOptions(normalize=NORMALIZE)
    spiking = check_every_spike(net, config, 4, options)
    assert not any(
        "t" in p.axes for n in spiking.nodes for p in [getattr(n.op, "scale", None)] if p
    )


def saved(tmp_path: Path, net: MixerSNN, synced: bool) -> Path:
    """A checkpoint with plain BatchNorm keys, or as SyncBatchNorm conversion leaves them."""
    state = {k: v.float() if v.is_floating_point() else v for k, v in net.state_dict().items()}
    norms = {k.rsplit(".", 1)[0] for k in state if k.endswith(".running_mean")}
    if synced:
        state = {
            f"{k.rsplit('.', 1)[0]}.0.{k.rsplit('.', 1)[1]}"
            if k.rsplit(".", 1)[0] in norms
            else k: v
            for k, v in state.items()
        }
    path = tmp_path / ("synced.safetensors" if synced else "plain.safetensors")
    save_file({k: v.contiguous() for k, v in state.items()}, path)
    return path


@pytest.mark.parametrize("variant", ["patch cell", "strided", "identity norm", "learned tau"])
def test_both_key_styles_give_the_same_program(variant: str, tmp_path: Path) -> None:
    config = VARIANTS[variant]
    net = lively(config, 4)
    options = CompileOptions(normalize=NORMALIZE, steps=4)
    programs = [
        compile_checkpoint(saved(tmp_path, net, synced), options).program
        for synced in (False, True)
    ]
    pixels = images(config, 4, 5)
    plain, synced = (Simulator(p.graph).run(pixels).readout for p in programs)
    assert np.array_equal(plain, synced)
    assert plain.any()


def test_time_steps_of_temporal_norms_are_the_checkpoints(tmp_path: Path) -> None:
    path = saved(tmp_path, lively(VARIANTS["temporal 6"], 6), False)
    assert compile_checkpoint(path, CompileOptions(normalize=NORMALIZE)).program.graph.steps == 6
    with pytest.raises(SnnccError, match="trained for 6") as caught:
        compile_checkpoint(path, CompileOptions(normalize=NORMALIZE, steps=4))
    assert caught.value.code == "SNN001"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"tua": "2"}, "no 'tua'"),
        ({"tau": "fast"}, "no tau"),
        ({"tau": "0.5"}, "below 1"),
        ({"v_threshold": "-1"}, "not above"),
        ({"compare": "eq"}, "no compare"),
    ],
)
def test_neurons_that_cannot_be_are_refused(given: dict, text: str, tmp_path: Path) -> None:
    path = saved(tmp_path, lively(PLAIN, 4), False)
    with pytest.raises(SnnccError, match=text) as caught:
        compile_checkpoint(path, CompileOptions(neuron=given))
    assert caught.value.code == "SNN001"


def test_given_neurons_are_those_of_the_program(tmp_path: Path) -> None:
    path = saved(tmp_path, lively(PLAIN, 4), False)
    given = {"tau": "1.5", "v_reset": "none", "compare": ">"}
    compiled = compile_checkpoint(path, CompileOptions(neuron=given, normalize=NORMALIZE))
    assert any("tau 1.5, V > 1, soft reset" in note for note in compiled.notes)
    for node in compiled.program.graph.select(IntegerPopulation):
        assert isinstance(node.op, IntegerPopulation)
        assert (node.op.reset, node.op.compare) == ("soft", "gt")
        values = np.arange(-3000, 3000)
        assert np.array_equal(node.op.rule.leak(values), -(-values // 3))
