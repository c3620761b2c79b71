"""A trained hybrid of ReLU and LIF layers with three branches, on 500 digits of its test set."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import snncc
from snncc.artifact import Program, program_digest, save_program
from snncc.artifact.program import canonical
from snncc.checker import check
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.mfi.certificate import certify
from snncc.runtime import ALL, interpret
from snncc.runtime.proofs.dynamic_proof import prove_by_running


@pytest.mark.parametrize(("bits", "least"), [(2, 0.992), (4, 0.994), (8, 0.998)])
def test_few_bits_of_activations_are_enough(
    bits: int, least: float, shared: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = shared / "data" / "hybrid"
    pytest.importorskip("sklearn")
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    net = __import__("factories").hybrid()
    golden = np.load(folder / "hybrid_digits_golden.npz")
    images, labels = golden["x_test"], golden["y_test"]
    program = snncc.compile(
        net,
        input_shape=(1, 8, 8),
        steps=4,
        normalize=(0.0, 16 / 255),
        calibrate=__import__("hybrid_digits").digits()[0][:256],
        activation_bits=bits,
    )
    assert program.verify().level == "strict"
    assert len(program.graph.select(MultiThreshold)) == 2
    assert (program.run(images).predictions == labels).mean() >= least
    graph, few = program.graph, images[:4]
    run = interpret(graph, few, ALL)
    assert np.array_equal(program.run(few).logits, run.logits)
    proof = prove_by_running(graph, few[:1], ALL)
    assert np.array_equal(proof.execution.readout, run.readout[:1])
    path = tmp_path / "p.snncc"
    save_program(path, Program(graph, {}))
    content = path.read_bytes()
    digest = program_digest(Program(graph, {}))
    record = certify(graph, digest, hashlib.sha256(content).hexdigest())
    said = (canonical(record) + "\n").encode()
    assert check(content, said) == json.loads(said)
