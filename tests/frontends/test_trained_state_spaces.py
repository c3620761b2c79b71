"""Trained spiking state spaces: what their programs answer, and how wide their states are."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch

from snncc.compiler.folding import convert_and_fold
from snncc.compiler.options import CompileOptions
from snncc.frontends.torch_modules import source_of
from snncc.ir import Graph, verify
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.mfi import Level, prove
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import interpret

STEPS = 64
SIXTEENTHS = ((0.0,), (16.0 / 255.0,))


def program_of(shared: Path, name: str, bits: int, **options: str) -> Graph:
    """Weights rounded to nearest, without any image."""
    folder = shared / "data" / "hybrid"
    spec = importlib.util.spec_from_file_location("trained_ssm", folder / "spiking_ssm_digits.py")
    module: Any = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    model = module.make_model(**options)
    model.load_state_dict(torch.load(folder / f"{name}.pth", weights_only=True))
    taken = CompileOptions(input_shape=(STEPS, 1), steps=STEPS, normalize=SIXTEENTHS)
    traced = source_of(model.eval(), name).trace((STEPS, 1), STEPS, "auto")
    spiking, refused = convert_and_fold(traced.graph, traced.findings, taken, lambda _: None)
    assert not refused
    program = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, bits), bits)])
    verify(program)
    return program


def test_a_register_of_taps_is_strict_and_answers_as_trained(shared: Path) -> None:
    """All 500 test images: 95.8 % right, and 95.80 % before. Here every third."""
    name = "spiking_ssm_taps_digits"
    program = program_of(shared, name, 10, gate="spike", poles="taps", head="spikes")
    assert prove(program).level is Level.STRICT
    golden = np.load(shared / "data" / "hybrid" / f"{name}_golden.npz")
    x = golden["x_test"][::3].reshape(-1, STEPS, 1)
    found = interpret(program, x).logits.argmax(axis=1)
    assert np.mean(found == golden["logits_test"][::3].argmax(axis=1)) >= 0.98
    assert np.mean(found == golden["y_test"][::3]) >= 0.95


def test_published_blocks_need_shifted_additions_and_narrow_states(shared: Path) -> None:
    """Complex poles, GLU, a readout of the stream: discs within 2 bits of what can be reached."""
    name = "spiking_ssm_digits"
    program = program_of(shared, name, 12)
    assert prove(program).level is Level.SHIFT_ADD
    poles = [node for node in program.nodes if isinstance(node.op, IntegerNeuron)]
    assert len(poles) == 16
    for node in poles:
        op: Any = node.op
        leak, reads = (program.constants[p.name].astype(float) for p in (op.leak, op.reads))
        a = (leak[1] + 1j * reads[2, 0]) * 2.0 ** -op.shift[1]
        response = np.abs((a ** np.arange(STEPS)[:, None]).real).sum(axis=0)
        gain = int(program.constants[op.gain.name][1].max()) >> op.shift[1]
        bias = int(np.abs(program.constants[op.bias.name]).max()) if op.bias else 0
        drive = gain * max(map(abs, program[node.inputs[0]].type.range or (0, 0))) + bias
        most = max(map(abs, op.states_within[1]))
        assert np.log2(most) - np.log2(drive * response.max()) <= 2.0
    golden = np.load(shared / "data" / "hybrid" / f"{name}_golden.npz")
    x = golden["x_test"][:12].reshape(-1, STEPS, 1)
    found = interpret(program, x).logits.argmax(axis=1)
    assert np.mean(found == golden["logits_test"][:12].argmax(axis=1)) >= 11 / 12
