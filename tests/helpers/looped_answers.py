"""Networks of loops over time, compiled and held against torch: integers give its answers."""

import numpy as np
import torch
from exact_models import RAW
from loop_networks import FEATURES, STEPS, Body, Looped
from spikingjelly.activation_based import functional

from snncc.compiler.folding import spiking_passes
from snncc.diagnostics import Finding, SnnccError
from snncc.frontends.torch_recorder import Trace, trace_model
from snncc.frontends.torch_recorder.precision import in_double
from snncc.ir.dialects.traced import Lif
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator


def compiled_equal(body: Body, mode: str = "s") -> Trace:
    """Compiles a network that takes sequences; both executors answer as torch does: equal.

    Args:
        body: of the network.
        mode: of its neuron modules, "s" for one step a call or "m" for all.
    """
    net = Looped(body)
    functional.set_step_mode(net, mode)
    trace = trace_model(net, (FEATURES,), STEPS)
    assert trace.findings == (), "\n".join(map(str, trace.findings))
    spiking = run_passes(trace.graph, spiking_passes(RAW))
    program = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, 8), 8)])
    images = np.random.default_rng(2).integers(0, 4, (64, FEATURES)).astype(np.uint8)
    slow, fast = interpret(program, images, ALL), Simulator(program).run(images, ALL)
    assert np.array_equal(slow.readout, fast.readout)
    x = torch.from_numpy(images.astype(np.float64))
    with in_double(), torch.no_grad():
        answer = net(x[None].repeat(STEPS, 1, 1)).numpy()
    wanted = answer.mean(0) if answer.ndim == 3 else answer
    assert np.ptp(wanted, axis=0).any(), "a silent network proves nothing"
    np.testing.assert_allclose(slow.logits, wanted, rtol=0, atol=1e-9)
    for node in trace.graph.select(Lif):
        assert 0.02 < slow.spikes[node.name].mean() < 0.98, node.name
    return trace


def findings_of(body: Body) -> tuple[Finding, ...]:
    """What is said of a network that is refused: why, and what to do."""
    try:
        findings = trace_model(Looped(body), (FEATURES,), STEPS, "sequence").findings
    except SnnccError as error:
        findings = error.findings
    assert findings
    for finding in findings:
        assert finding.why, finding
        assert finding.help, finding
    return findings
