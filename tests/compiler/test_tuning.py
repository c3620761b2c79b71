"""Few bits: units of maps that only scale, ends of grids by calibration, units that are learned."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from snncc.compiler.given import NOTHING
from snncc.compiler.tuning import tune as tuning
from snncc.compiler.tuning.network import answers
from snncc.compiler.weight_rounding import (
    Rounding,
    answers_of,
    kept_and_held,
)
from snncc.diagnostics import SnnccError
from snncc.ir import Graph, GraphBuilder, verify
from snncc.ir.dialects.projections import Contract, Convolve, Frames, Sum
from snncc.ir.dialects.spiking import Affine, Population, Readout
from snncc.passes.named import Named
from snncc.quantize.calibration import Rounded, every, round_plainly, shaped
from snncc.quantize.units import choose_units, rows_of
from snncc.semantics.spiking import run_spiking
from snncc.targets.registry import profile_named

STEPS = 3
IMAGES = np.random.default_rng(3).integers(0, 256, (60, 2, 5, 5)).astype(np.uint8)


def network(seed: int = 0) -> Graph:
    """A convolution, a residual branch that only scales, and a head; reals that no grid holds."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder("spiking", STEPS)

    def real(name: str, axes: str, *shape: int, size: float = 1.0) -> object:
        return b.constant(name, rng.normal(0.0, size, shape), tuple(axes))

    image = b.add(Frames(("c", "y", "x"), (2, 5, 5)), name="image")
    kernel = real("kernel", "ocpq", 4, 2, 3, 3, size=0.02)
    window = Convolve(kernel, "c", "y", "x", "f", "i", "j", stride=(2, 2), padding=(1, 1))
    current = b.add(window, [image], name="conv")
    level = b.constant("level", np.array(1.0))
    first = b.add(Population(level, real("shift", "f", 4)), [current], name="first")
    mixed = b.add(Contract(real("mix", "ff", 4, 4), into=("f",), out=("f",)), [first], name="mix")
    scaled = b.add(Contract(real("own", "f", 4), shared=("f",)), [first], name="own")
    both = b.add(Sum(), [mixed, scaled], name="both")
    both = b.add(Affine(b.constant("gain", np.array(0.75))), [both], name="gain")
    second = b.add(Population(level, None, None, 0.75, "soft"), [both], name="second")
    head = Contract(real("head", "kfij", 5, 4, 3, 3), into=("f", "i", "j"), out=("k",))
    last = b.add(head, [second], name="head")
    graph = b.finish(b.add(Readout(real("offset", "k", 5)), [last], name="answer"))
    verify(graph)
    return graph


def rounding(graph: Graph, images: np.ndarray | None) -> Rounding:
    return Rounding(graph, profile_named("exact"), images, NOTHING)


@pytest.mark.parametrize("bits", [2, 8])
def test_a_map_that_only_scales_is_exact_at_any_width(bits: int) -> None:
    b = GraphBuilder("spiking", STEPS)
    weights = np.random.default_rng(1).normal(size=(7, 1))
    image = b.add(Frames(("c",), (7,)), name="image")
    weight = b.constant("own", weights[:, 0], ("c",))
    own = b.add(Contract(weight, shared=("c",)), [image], name="own")
    fired = b.add(Population(b.constant("level", np.array(1.0))), [own], name="fired")
    head = b.constant("head", np.ones((1, 7)), ("k", "c"))
    last = b.add(Contract(head, into=("c",), out=("k",)), [fired], name="head")
    graph = b.finish(b.add(Readout(), [last], name="answer"))
    rounded = round_plainly(graph, bits)
    assert np.array_equal(shaped(graph, graph["own"], rows_of(graph, graph["own"])), weights[:, 0])
    grid = rounded.units.grid("own").over(("c",))
    np.testing.assert_allclose(rounded.integers["own"] * grid, weights[:, 0], rtol=2**-23)


def test_what_is_learned_from_is_the_network() -> None:
    for seed in range(3):
        graph = network(seed)
        wanted = run_spiking(graph, IMAGES)
        constants = {n: torch.from_numpy(np.array(a)) for n, a in graph.constants.items()}
        found, spikes = answers(graph, torch.from_numpy(IMAGES.astype(np.float64)), constants)
        np.testing.assert_allclose(found.numpy(), wanted["answer"], rtol=1e-9, atol=1e-9)
        for name, fired in spikes.items():
            assert 0.02 < fired.mean() < 0.98
            assert np.array_equal(fired.numpy(), wanted[name])


def test_tuning_keeps_integers_and_brings_answers_nearer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "STEPS", 30)
    graph, bits = network(), every(network(), 2)
    kept, held = kept_and_held(len(IMAGES))
    assert sorted([*kept, *held]) == [*range(len(IMAGES))]
    assert len(held) == len(IMAGES) // 5
    make = rounding(graph, IMAGES[kept])
    start = make(bits)
    tuned = make(bits, IMAGES[held])
    assert "tuning is kept" in make.notes[-1]
    wanted = answers_of(graph, IMAGES[held])
    lost = [make.divergence(each, bits, IMAGES[held], wanted) for each in (start, tuned)]
    assert lost[1] < lost[0]
    assert all(np.array_equal(start.integers[name], tuned.integers[name]) for name in bits)
    again = make(bits, IMAGES[held])
    for name, unit in tuned.units.unit.items():
        assert np.array_equal(unit.array, again.units.unit[name].array)
    assert np.array_equal(tuned.units.unit["mix"].array, tuned.units.unit["own"].array)


def test_the_start_is_kept_where_tuning_is_no_better(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, bits = network(), every(network(), 2)

    def worse(graph: Graph, start: Rounded, *_: object, **__: object) -> tuning.Tuned:
        unit = {n: own * Named.scalar(1e-3) for n, own in start.units.unit.items()}
        return tuning.Tuned(replace(start, units=replace(start.units, unit=unit)), 1, 1)

    monkeypatch.setattr(tuning, "tune", worse)
    make = rounding(graph, IMAGES[:40])
    kept = make(bits, IMAGES[40:])
    assert "tuning changes nothing" in make.notes[-1]
    assert kept.units.unit["mix"].array.max() > 1e-3 * np.abs(graph.constants["mix"]).max()


@pytest.mark.parametrize("seed", range(4))
def test_low_ends_of_grids_are_taken_where_answers_are_nearer(seed: int) -> None:
    graph = network(seed)
    bits = every(graph, 2)
    make = rounding(graph, IMAGES)
    found = make(bits)
    wanted = answers_of(graph, IMAGES)
    both = [make._with_images(bits, IMAGES, *least) for least in ((), (0.3,))]
    lost = [make.divergence(each, bits, IMAGES, wanted) for each in both]
    assert lost[0] != lost[1]
    assert make.divergence(found, bits, IMAGES, wanted) == min(lost)
    assert ("are taken" in make.notes[0]) == (lost[1] < lost[0])
    make(every(graph, 4))
    assert make.notes == []


def test_units_of_a_profile_that_fits_registers_are_not_tuned() -> None:
    loihi = replace(rounding(network(), IMAGES[:40]), profile=profile_named("loihi-lava"))
    loihi._rounded = lambda bits: replace_units(bits)  # type: ignore[method-assign]
    with pytest.raises(SnnccError) as caught:
        loihi(every(network(), 2), IMAGES[40:])
    assert caught.value.code == "SNN001"


def replace_units(bits: object) -> Rounded:
    """Rounded weights whose units are of a class of their own."""
    plain = round_plainly(network(), 2, choose_units)
    own = type("Fitted", (type(plain.units),), {})
    return Rounded(own(plain.units.unit, plain.units.exponent), plain.integers)
