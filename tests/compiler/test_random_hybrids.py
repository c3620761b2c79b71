"""Random networks of neurons and quantised activations: the model, the passes, both executors."""

from collections import Counter

import numpy as np
import pytest
from random_hybrids import random_hybrid
from random_networks import random_images

from snncc.compiler.folding import recognised, spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.ir import Graph
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.pointwise import Pointwise
from snncc.ir.dialects.thresholds import MultiThreshold
from snncc.mfi import Level, prove
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator
from snncc.semantics.spiking import run_spiking
from snncc.semantics.traced import run_traced

RAW = CompileOptions(normalize=((0.0,), (1.0 / 255.0,)), gain="unshared")


def compiled(seed: int, found: Counter[str]) -> Graph:
    """Holds every pass against the model, and a program that rounds no weight too."""
    graph = random_hybrid(seed)
    images = random_images(graph, seed, 3)
    given = np.repeat(images.astype(np.float64)[:, None], graph.steps, axis=1)
    wanted = run_traced(graph, given)[graph.output]
    counted = recognised(graph, RAW)
    assert not counted.select(Pointwise), seed
    assert np.array_equal(run_traced(counted, given)[counted.output], wanted), seed
    answer = wanted.mean(axis=1) if graph[graph.output].type.temporal else wanted
    spiking = run_passes(counted, spiking_passes(RAW))
    real = run_spiking(spiking, images)[spiking.output]
    np.testing.assert_allclose(real, answer, rtol=0, atol=1e-9, err_msg=str(seed))
    rounded = round_plainly(spiking, 16)
    program = run_passes(spiking, [LowerToIntegers(rounded, 16)])
    run = interpret(program, images, ALL)
    if len(rounded.units.on_grid) == len(rounded.units.unit):
        np.testing.assert_allclose(run.logits, answer, rtol=0, atol=1e-9, err_msg=str(seed))
        found["exact"] += 1
    assert prove(program).level in (Level.STRICT, Level.SHIFT_ADD)
    for node in program.select(MultiThreshold):
        found["below 0"] += (node.type.range or (0, 0))[0] < 0
        found.update(reader.op.mnemonic for reader in program.readers[node.name])
    found["one step"] += program.steps == 1
    if seed % 4 == 0:
        simulated = Simulator(program).run(images, ALL)
        assert np.array_equal(simulated.readout, run.readout), seed
        for node in program.select(IntegerPopulation):
            levels = simulated.membranes[node.name]
            assert np.array_equal(levels, run.membranes[node.name]), seed
    return program


@pytest.mark.parametrize("first", range(0, 20, 10))
def test_passes_keep_the_model_and_executors_agree(first: int) -> None:
    found: Counter[str] = Counter()
    for seed in range(first, first + 10):
        compiled(seed, found)
    assert found["exact"] > 5, found
    kinds = ("below 0", "one step", "convolve", "contract", "largest")
    assert all(found[kind] for kind in kinds), found
