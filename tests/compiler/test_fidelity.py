"""What rounding costs is measured right; bits by layer; the search for the fewest."""

from dataclasses import replace

import numpy as np
import pytest
from random_networks import random_images, random_network

from snncc.compiler.bit_widths import bits_by_layer, search_bits
from snncc.compiler.driver import compile_checkpoint
from snncc.compiler.fidelity import NEAR, measure_fidelity
from snncc.compiler.folding import spiking_passes
from snncc.compiler.given import Given
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import SnnccError
from snncc.ir import Graph
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.ir.dialects.spiking import Population
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly, round_with_images
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import ALL, interpret
from snncc.semantics.spiking import membranes, run_spiking, spread_constant

RAW = CompileOptions(normalize=((0.0,), (1.0 / 255.0,)))


def folded(seed: int) -> tuple[Graph, np.ndarray]:
    graph = random_network(seed)
    return run_passes(graph, spiking_passes(RAW)), random_images(graph, seed, 7)


def lowered(spiking: Graph, bits: int) -> Graph:
    return run_passes(spiking, [LowerToIntegers(round_plainly(spiking, bits), bits)])


@pytest.mark.parametrize("seed", range(12))
def test_figures_are_those_counted_by_hand(seed: int) -> None:
    spiking, images = folded(seed)
    program = lowered(spiking, 3)
    found = measure_fidelity(spiking, program, images)
    values, execution = run_spiking(spiking, images), interpret(program, images, ALL)
    assert found.images == 7
    real, integer = values[spiking.output], execution.logits
    assert found.agreement == (real.argmax(1) == integer.argmax(1)).mean()
    assert found.logits_rms == pytest.approx(np.sqrt(((real - integer) ** 2).mean()))
    differing = sites = 0
    for part in found.populations:
        node = spiking[part.name]
        wrong = values[part.name] != execution.spikes[part.name]
        assert part.flips == wrong.mean()
        assert part.rate == values[part.name].mean()
        assert isinstance(node.op, Population)
        names = spiking[node.inputs[0]].type.names
        _, levels = membranes(spiking, node.op, values[node.inputs[0]], names)
        limit = spread_constant(spiking, node.op.threshold, ("t", *(n for n in names if n != "t")))
        assert part.near == (np.abs(levels - limit) <= NEAR * np.abs(limit)).mean()
        differing, sites = differing + int(wrong.sum()), sites + wrong.size
    assert found.flips == differing / sites


def test_a_coarse_program_flips_many_more_spikes_than_a_fine_one() -> None:
    """A fine one still flips some: these networks have ties by construction."""
    few = [measure_fidelity(*_pair(seed, 2)).flips for seed in range(12)]
    many = [measure_fidelity(*_pair(seed, 16)).flips for seed in range(12)]
    assert np.mean(few) > 0.03
    assert np.mean(many) < np.mean(few) / 6


def _pair(seed: int, bits: int) -> tuple[Graph, Graph, np.ndarray]:
    spiking, images = folded(seed)
    return spiking, lowered(spiking, bits), images


def test_layers_keep_to_their_own_bits() -> None:
    checked = 0
    for seed in range(20):
        spiking, images = folded(seed)
        names = [node.name for node in spiking.select(Contract, Convolve)]
        rng = np.random.default_rng(seed)
        bits = {name: int(rng.integers(2, 11)) for name in names}
        calibrated = seed % 2 == 0
        rounded = (
            round_with_images(spiking, bits, images) if calibrated else round_plainly(spiking, bits)
        )
        program = run_passes(spiking, [LowerToIntegers(rounded, max(bits.values()))])
        for name in names:
            op = program[name].op
            assert isinstance(op, Contract | Convolve)
            weight = program.constants[op.weight.name].astype(np.int64)
            assert np.abs(weight).max(initial=0) <= 2 ** (bits[name] - 1) - 1, name
            checked += 1
        fast = measure_fidelity(spiking, program, images)
        slow = interpret(program, images, ALL)
        assert fast.images == len(slow.logits)
    assert checked > 60


def test_more_bits_for_one_layer_bring_it_nearer() -> None:
    spiking, images = folded(4)
    names = [node.name for node in spiking.select(Contract, Convolve)]
    coarse = dict.fromkeys(names, 3)
    errors = []
    for bits in (coarse, dict.fromkeys(names, 12)):
        rounded = round_plainly(spiking, bits)
        program = run_passes(spiking, [LowerToIntegers(rounded, max(bits.values()))])
        errors.append(measure_fidelity(spiking, program, images).logits_rms)
    assert errors[1] < errors[0]


def test_patterns_choose_layers_and_unknown_ones_are_refused() -> None:
    spiking, _ = folded(3)
    names = [node.name for node in spiking.select(Contract, Convolve)]
    bits = bits_by_layer(spiking, 8, [("*", 6), (names[0], 4)])
    assert bits == {**dict.fromkeys(names, 6), names[0]: 4}
    with pytest.raises(SnnccError, match="no map with weights") as caught:
        bits_by_layer(spiking, 8, [("nothing.*", 6)])
    assert caught.value.code == "SNN001"


def test_the_search_finds_the_fewest_bits_of_a_known_answer() -> None:
    """An agreement that depends on the bits in a known way has a known answer."""
    spiking, _ = folded(5)
    sizes = {
        n.name: spiking.constants[n.op.weight.name].size  # type: ignore[attr-defined]
        for n in spiking.select(Contract, Convolve)
    }
    by_size = sorted(sizes, key=lambda name: (-sizes[name], name))
    for fewest, many in ((2, 0), (5, 0), (5, 1), (9, len(sizes) - 1), (16, 1)):
        wanted = {name: fewest - (i < many) for i, name in enumerate(by_size)}

        def agreement_of(bits, wanted=wanted) -> float:  # type: ignore[no-untyped-def]
            return 1.0 if all(bits[name] >= wanted[name] for name in wanted) else 0.5

        bits, trials = search_bits(spiking, 0.9, agreement_of)
        assert bits == wanted
        assert len(trials) <= 12
    with pytest.raises(SnnccError, match="no width"):
        search_bits(spiking, 0.9, lambda _bits: 0.5)


def test_a_compiled_program_tells_its_fidelity(shared) -> None:  # type: ignore[no-untyped-def]
    data = np.load(shared / "data/mnist_32x32.npz")
    compiled = compile_checkpoint(
        shared / "data/mixer_spe_mnist.pth",
        replace(RAW, normalize=((0.1307,), (0.3081,)), layer_bits=(("token_mix.*", 6),)),
        Given(data["x_cal"][:200], data["x_test"][:100]),
    )
    found = compiled.report["fidelity"]
    assert found["by"] == "evaluation"
    assert found["images"] == 100
    assert found["agreement"] >= 0.95
    assert len(found["populations"]) == len(compiled.program.graph.select(IntegerPopulation))
    assert set(compiled.report["layer_bits"].values()) == {6, 8}
