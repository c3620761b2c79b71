"""Profile `loihi-lava`: what it keeps, what it rounds, and that every register is wide enough."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from certificates import certificate_of, file_of
from compiled_mixers import CompiledMixers
from loihi_networks import SCALE, lowered, spiking, that_fit
from random_networks import random_images, random_network
from test_executors import dense

from snncc.backends.lava_nc import registers
from snncc.backends.lava_nc.loihi.limits import loihi_findings
from snncc.backends.lava_nc.loihi.lowering import LowerToLoihi
from snncc.backends.lava_nc.loihi.units import LoihiUnits, choose_loihi_units
from snncc.backends.lava_nc.target import STORAGE
from snncc.checker.certificate import check
from snncc.compiler.driver import compile_checkpoint, scales_of
from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import SnnccError
from snncc.ir import Graph, GraphBuilder
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.projections import Contract, Frames, Sum
from snncc.ir.dialects.spiking import Population, Readout
from snncc.mfi import prove
from snncc.mfi.folds.proof import prove_folds
from snncc.mfi.folds.sites import Counted, PopulationFold, nearest_on_grid
from snncc.mfi.widths.proof import prove_widths
from snncc.passes.fold_thresholds_into_weights import FoldThresholdsIntoWeights
from snncc.passes.pipeline import run_passes
from snncc.passes.replicate_currents import ReplicateCurrents
from snncc.quantize.calibration import round_plainly
from snncc.runtime import ALL, interpret
from snncc.runtime.simulator import Simulator
from snncc.semantics.spiking import run_spiking


@pytest.mark.parametrize("seed", range(60))
def test_copies_and_unshared_weights_keep_every_spike(seed: int) -> None:
    """Against the network with shared currents and BatchNorms that still scale them."""
    passes = spiking_passes(CompileOptions(normalize=SCALE))
    shared = run_passes(random_network(seed), passes[:4])
    images = random_images(random_network(seed), seed, 4)
    wanted, found = run_spiking(shared, images), run_spiking(spiking(seed), images)
    for node in shared.select(Population):
        assert np.array_equal(wanted[node.name], found[node.name]), node.name
    np.testing.assert_allclose(found[spiking(seed).output], wanted[shared.output], atol=1e-9)


def test_no_two_populations_share_a_current() -> None:
    for seed in range(20):
        graph = spiking(seed)
        for node in graph.nodes:
            if node.type.kind == "current":
                assert graph.sole_reader(node.name) is not None, (seed, node.name)


def test_maps_that_read_the_same_spikes_alike_become_one() -> None:
    b = GraphBuilder("spiking", 2)
    image = b.add(Frames(("c",), (3,)), name="image")
    w = b.constant("w", np.arange(6.0).reshape(2, 3), ("k", "c"))
    first = b.add(Contract(w, ("c",), ("k",)), [image], name="first")
    second = b.add(Contract(w, ("c",), ("k",)), [image], name="second")
    inner = b.add(Sum(), [first, second])
    both = b.add(Sum(), [inner, first])
    one = b.constant("one", np.array(1.0))
    fired = b.add(Population(one), [both], name="fired")
    v = b.constant("v", np.ones((1, 2)), ("o", "k"))
    answer = b.add(Contract(v, ("k",), ("o",)), [fired])
    graph = b.finish(b.add(Readout(), [answer]))
    found = run_passes(graph, [ReplicateCurrents()])
    (node,) = [n for n in found.select(Contract) if n.inputs == ("image",)]
    assert np.array_equal(found.constants[node.op.weight.name], 3 * np.arange(6.0).reshape(2, 3))
    images = np.array([[1, 2, 3], [0, 0, 1]], np.uint8)
    assert np.array_equal(
        run_spiking(found, images)[found.output], run_spiking(graph, images)[graph.output]
    )


def thresholds(values: list[float], **options: object) -> Graph:
    b = GraphBuilder("spiking", 3)
    image = b.add(Frames(("c",), (3,)), name="image")
    w = b.constant("w", np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]]), ("k", "c"))
    current = b.add(Contract(w, ("c",), ("k",)), [image], name="current")
    threshold = b.constant("threshold", np.array(values), ("k",))
    bias = b.constant("bias", np.array([2.0, -3.0]), ("k",))
    fired = b.add(Population(threshold, bias, **options), [current], name="fired")  # type: ignore[arg-type]
    v = b.constant("v", np.ones((1, 2)), ("o", "k"))
    answer = b.add(Contract(v, ("k",), ("o",)), [fired])
    return b.finish(b.add(Readout(), [answer]))


def test_thresholds_become_one() -> None:
    graph = thresholds([8.0, 2.0])
    found = run_passes(graph, [FoldThresholdsIntoWeights()])
    assert found.constants[found["fired"].op.threshold.name] == 8.0  # type: ignore[attr-defined]
    images = np.random.default_rng(0).integers(0, 6, (50, 3)).astype(np.uint8)
    wanted, got = run_spiking(graph, images), run_spiking(found, images)
    assert 0.1 < wanted["fired"].mean() < 0.9
    assert np.array_equal(got["fired"], wanted["fired"])


@pytest.mark.parametrize(
    ("values", "options"), [([8.0, -2.0], {}), ([8.0, 2.0], {"reset": "soft"}), ([0.0, 1.0], {})]
)
def test_thresholds_that_cannot_become_one_stay(
    values: list[float], options: dict[str, object]
) -> None:
    graph = thresholds(values, **options)
    result = FoldThresholdsIntoWeights().run(graph)
    assert result.graph["fired"].op == graph["fired"].op
    assert [note.fired for note in result.notes] == [False]


@pytest.mark.parametrize("encoding", ["bit-planes", "host"])
def test_executors_agree_and_registers_hold(encoding: str) -> None:
    differing = total = 0
    for seed, graph, images in that_fit(0, 40, 5, encoding):
        wanted = dense(graph, images)
        done = interpret(graph, images, ALL)
        fast = Simulator(graph).run(images, ALL)
        for found in (done, fast):
            assert np.array_equal(found.readout, wanted[graph.output]), seed
            for name in found.spikes:
                assert np.array_equal(found.spikes[name], wanted[name]), (seed, name)
                assert np.array_equal(found.membranes[name], wanted[f"{name}/z"]), (seed, name)
        for width in prove_widths(graph):
            assert width.holds, (seed, width.node)
            if width.what == "membrane":
                assert max(map(abs, width.proved)) <= registers.LARGEST_STATE
        real = run_spiking(spiking(seed, encoding), images)
        for name in done.spikes:
            differing += int((done.spikes[name] != real[name]).sum())
            total += done.spikes[name].size
    assert 0 < differing < 0.05 * total  # rounding is there, and small


def test_only_a_leak_of_three_quarters_is_above_strict(tmp_path: Path) -> None:
    levels: set[str] = set()
    for _, graph, _ in that_fit(0, 25, 1):
        decays = {node.op.decay for node in graph.select(IntegerPopulation)}  # type: ignore[attr-defined]
        assert decays <= {(1024, 12), (2048, 12), (3072, 12), (4096, 12)}
        wanted = "shift-add" if (3072, 12) in decays else "strict"
        assert prove(graph).level.label == wanted
        program = file_of(graph, tmp_path)
        assert check(program, certificate_of(graph, program))["level"] == wanted
        levels.add(wanted)
    assert levels == {"strict", "shift-add"}


def test_thresholds_are_met_exactly() -> None:
    """vth << 6 in units of the membrane is one step below the real threshold: > decides as >=."""
    seen = 0
    for seed in range(60):
        real = spiking(seed)
        rounded = round_plainly(real, 8, choose_loihi_units)
        assert isinstance(rounded.units, LoihiUnits)
        lowering = LowerToLoihi(rounded)
        program = run_passes(real, [lowering])
        for site in prove_folds(real, program, scales_of(lowering, STORAGE)):
            op = real[site.name].op
            threshold = program.constants[program[site.name].op.threshold.name]  # type: ignore[attr-defined]
            if op.reset == "hard" and threshold.min() > 0:  # type: ignore[attr-defined]
                assert site.wrong == 0, (seed, site)
                assert site.ties == site.neurons, (seed, site)
                assert not (threshold % 64).any()
                seen += site.neurons
    assert seen > 2000


def test_biases_lie_on_the_grid_and_no_finer_grid_would_do() -> None:
    values = np.concatenate([np.arange(-9000, 9000), np.arange(-530_000, 530_000, 37)])
    fits = registers.on_bias_grid(values)
    exponent = registers.bias_exponent(values)
    mantissa = fits >> exponent
    held = (mantissa >= -4096) & (mantissa <= 4095) & (mantissa << exponent == fits)
    assert np.array_equal(held, (values >= -524_352) & (values <= 524_223))
    assert (np.abs(fits - values)[held] <= (1 << exponent[held]) // 2).all()
    finer = exponent[held] - 1
    some = finer >= 0
    there = registers.round_half_up(values[held][some], finer[some])
    assert ((there < -4096) | (there > 4095)).all()


# Biases at which the least power of two changes, or that land on one that a smaller one holds.
BORDERS = [0, 1, 4094, 4095, 4096, 4097, 8189, 8190, 8191, 8192, 16_383, 262_080, 524_160, 524_223]
SIGNED = [sign * bias for bias in (*BORDERS, 4098, 8193, 8194, 8195) for sign in (1, -1)]


@pytest.mark.parametrize("bias", SIGNED)
def test_a_stored_bias_is_the_right_one_and_its_neighbours_are_not(bias: int) -> None:
    """Whatever real number it is of, and whatever power the stored number would fit itself."""
    real = bias + np.array([-0.49, -0.3, 0.0, 0.3, 0.49])
    stored = registers.on_bias_grid(np.full(real.shape, bias))
    assert nearest_on_grid(stored, real, STORAGE).all()
    grid = 1 << int(registers.bias_exponent(np.array(bias)))
    for away in {1, grid // 2, grid, 2 * grid} - {0}:
        assert not nearest_on_grid(stored + away, real, STORAGE).any(), away
        assert not nearest_on_grid(stored - away, real, STORAGE).any(), away


def test_a_bias_that_no_power_holds_is_judged_as_it_is() -> None:
    stored, real = np.array([600_000, 600_001, -700_001]), np.array([6e5, 6e5, -700_000.6])
    assert nearest_on_grid(stored, real, STORAGE).tolist() == [True, False, True]
    assert not nearest_on_grid(np.array([600_064]), np.array([6e5]), STORAGE).any()


@pytest.mark.parametrize(
    "bias", [524_161, 524_200, 524_223, -524_161, -524_200, -524_289, -524_351]
)
def test_a_bias_that_rounding_brings_within_reach_may_not_stay_as_it_is(bias: int) -> None:
    """Farther out than the largest number of the grid, and still next to one of its numbers."""
    real = bias + np.array([-0.3, 0.0, 0.3])
    whole = np.full(real.shape, bias)
    stored = registers.on_bias_grid(whole)
    assert set(stored.tolist()) <= {524_160, -524_160, -524_288}
    assert nearest_on_grid(stored, real, STORAGE).all()
    assert not nearest_on_grid(whole, real, STORAGE).any()


@pytest.mark.parametrize("bias", [524_224, 524_225, -524_353])
def test_the_first_biases_out_of_reach_stay_as_they_are(bias: int) -> None:
    whole = np.array([bias])
    assert nearest_on_grid(whole, whole.astype(np.float64), STORAGE).all()
    for near in (whole // 128 * 128, whole // 128 * 128 + 128):
        assert not nearest_on_grid(near, whole.astype(np.float64), STORAGE).any()


IN_STEPS = Counted((), np.ones(()), 1, STORAGE)
"""A current whose real unit is 1."""


def biased(biases: list[float]) -> Graph:
    """The network that `broken` is the program of, with biases of its own."""
    b = GraphBuilder("spiking", 4)
    image = b.add(Frames(("c",), (2,)), name="image")
    weight = b.constant("w", np.full((3, 2), 100.0), ("k", "c"))
    current = b.add(Contract(weight, ("c",), ("k",)), [image], name="map")
    level, bias = b.constant("t", np.array(6401.0)), b.constant("b", np.array(biases), ("k",))
    fired = b.add(Population(level, bias, decay=0.5), [current], name="fire")
    head = b.constant("h", np.ones((1, 3)), ("o", "k"))
    return b.finish(b.add(Readout(), [b.add(Contract(head, ("k",), ("o",)), [fired])]))


@pytest.mark.parametrize(
    ("stored", "wrong"),
    [
        ([-4096, 4096, -8192], 0),
        ([-4095, 4095, -8190], 3),
        ([-4097, 4097, -8194], 3),
        ([-4098, 4098, -8196], 3),
        ([-4096, 4094, -8192], 1),
        ([-4096, 4096, -8188], 1),
    ],
)
def test_a_site_judges_by_the_real_bias(stored: list[int], wrong: int) -> None:
    """Two of the right biases fit a finer grid than the integers that they are rounded from."""
    program = broken(bias=np.array(stored))
    site = PopulationFold(
        biased([-4097.2, 4096.4, -8194.0]), program, program["fire"], IN_STEPS
    ).prove()
    assert (site.wrong, site.neurons) == (wrong, 3)


def test_every_bias_that_is_one_step_off_is_found() -> None:
    found = 0
    for seed in range(25):
        real = spiking(seed)
        lowering = LowerToLoihi(round_plainly(real, 8, choose_loihi_units))
        program, scales = run_passes(real, [lowering]), scales_of(lowering, STORAGE)
        before = [site.wrong for site in prove_folds(real, program, scales)]
        for at, node in enumerate(program.select(IntegerPopulation)):
            bias = node.op.bias  # type: ignore[attr-defined]
            if bias is None:
                continue
            array = program.constants[bias.name].astype(np.int64)
            grid = 1 << registers.bias_exponent(array)
            for step in (grid, -grid):
                other = {**program.constants, bias.name: array + step}
                sites = prove_folds(real, replace(program, constants=other), scales)
                after = [site.wrong for site in sites]
                assert after[at] == sites[at].neurons, (seed, node.name)
                assert after[:at] + after[at + 1 :] == before[:at] + before[at + 1 :]
                found += array.size
    assert found > 500


@pytest.mark.parametrize("normalize", [None, ((0.3,), (0.35,))])
def test_the_digits_have_no_wrong_decision(root: Path, normalize: Any) -> None:
    """Without a normalisation a bias of -4097 becomes -4096, which would fit a finer grid."""
    options = CompileOptions(normalize=normalize, profile="loihi-lava")
    proof = compile_checkpoint(root / "examples/digits_mixer.pth", options).report["fold_proof"]
    assert proof["plain"]["neurons"] > 15_000
    assert proof["plain"]["wrong"] == proof["folds"]["wrong"] == 0


def broken(**change: object) -> Graph:
    """A program of one population that breaks what it is told to break."""
    given: dict[str, object] = {"weight": 100, "threshold": 6400, "bias": 64, "shift": 6, **change}
    b = GraphBuilder("integer", 4, registers.PROFILE)
    image = b.add(Frames(("c",), (2,)), name="image")
    weight = b.constant("w", np.full((3, 2), given["weight"]), ("k", "c"))
    current = b.add(Contract(weight, ("c",), ("k",)), [image], name="map")
    total = b.add(Sum((int(str(given["shift"])),)), [current], name="sum")
    fields = {k: v for k, v in given.items() if k in ("reset", "compare", "decay", "rounding")}
    op = IntegerPopulation(
        b.constant("t", np.asarray(given["threshold"]), ("k",) * np.ndim(given["threshold"])),
        b.constant("b", np.full(3, given["bias"]), ("k",)),
        **{"decay": (2048, 12), "compare": "gt", "rounding": Rounding.TO_ZERO, **fields},  # type: ignore[arg-type]
    )
    op = replace(op, membrane=op.membrane_range(b[total].type, b.context))
    fired = b.add(op, [total], name="fire")
    head = b.constant("h", np.ones((1, 3), np.int8), ("o", "k"))
    return b.finish(b.add(IntegerReadout(), [b.add(Contract(head, ("k",), ("o",)), [fired])]))


@pytest.mark.parametrize(
    ("change", "says", "fits"),
    [
        ({"bias": 9231}, "bias 9,231 needs 15 bits", "9,232 = 2,308 << 2 fits"),
        ({"bias": 600_000}, "bias 600,000 needs 21 bits", "524,160 = 4,095 << 7 fits"),
        ({"threshold": 6401}, "threshold 6,401", "6,400 = 100 << 6 fits"),
        ({"threshold": 64 << 17}, "threshold 8,388,608", "8,388,544 = 131,071 << 6 fits"),
        ({"threshold": [64, 64, 128]}, "thresholds 64..128", "fold away"),
        ({"weight": 128}, "weights 0..128", "1 bits fewer fit"),
        ({"weight": -300}, "weights -300..0", "2 bits fewer fit"),
        ({"shift": 5}, "a weight exponent of -1", "--profile loihi-lava"),
        ({"shift": 8}, "its current can reach 0..13,056,000", "1 bits fewer fit"),
        ({"shift": 8, "weight": -100}, "its membrane can reach", "2 bits fewer fit"),
        ({"reset": "soft"}, "a soft reset", "v_reset=0"),
        ({"decay": (0, 0)}, "a decay of 0", "1/4096 fits: dv = 4095"),
        ({"decay": (1, 13)}, "a decay of 0.00012207", "1/4096 fits: dv = 4095"),
        ({"rounding": Rounding.UP}, "another comparison or rounding", "--profile loihi-lava"),
    ],
)
def test_every_limit_is_named_with_what_fits(
    change: dict[str, object], says: str, fits: str
) -> None:
    assert loihi_findings(broken()) == ()
    found = loihi_findings(broken(**change))
    assert [f for f in found if says in f.message and fits in f.help], found


def test_all_limits_are_named_at_once() -> None:
    found = loihi_findings(broken(bias=9231, weight=300, threshold=6401, reset="soft"))
    assert {f.code for f in found} == {"SNN036"}
    assert {f.message.split(":")[0] for f in found} == {"fire", "map"}
    said = {finding.message.split(": ")[1].split(" ")[0] for finding in found}
    assert said == {"a", "bias", "threshold", "weights", "its"}


def test_what_the_profile_excludes_is_said_before_any_work() -> None:
    for options in (
        CompileOptions(profile="loihi-lava", weight_bits=9),
        CompileOptions(profile="loihi-lava", layer_bits=(("x", 12),)),
        CompileOptions(profile="loihi-lava", decay="by-step"),
    ):
        with pytest.raises(SnnccError) as caught:
            compile_checkpoint(None, options)
        assert caught.value.code == "SNN001"


def test_random_networks_reach_every_kind_of_limit_that_the_profile_leaves() -> None:
    """What compiling cannot help stays visible: soft resets and constants by step."""
    seen = {
        finding.message.split(": ")[1]
        for seed in range(60)
        for finding in loihi_findings(lowered(seed))
        if "reach" not in finding.message
    }
    assert seen == {
        "a soft reset",
        "a bias for every step",
        "weights that differ from step to step",
    }


@pytest.mark.parametrize("calibrated", [True, False])
def test_the_trained_network(shared: Path, mixer: CompiledMixers, calibrated: bool) -> None:
    parts = ("mnist_32x32.npz", "mixer_spe_mnist_golden.npz")
    data = {k: a for part in parts for k, a in np.load(shared / "data" / part).items()}
    compiled = mixer(images=256 if calibrated else 0, profile="loihi-lava")
    program = compiled.graph
    assert prove(program).level.label == "strict"
    assert compiled.provenance["fold_proof"]["plain"]["wrong"] == 0
    found = Simulator(program).run(data["x_test"]).readout.argmax(axis=1)
    original = (data["logits"].argmax(axis=1) == data["y_test"]).mean()
    accuracy = (found == data["y_test"]).mean()
    assert accuracy > original - (0.01 if calibrated else 0.03), accuracy
    few = data["x_test"][:8]
    slow, fast = interpret(program, few, ALL), Simulator(program).run(few, ALL)
    assert np.array_equal(slow.readout, fast.readout)
    for name in slow.spikes:
        assert np.array_equal(slow.spikes[name], fast.spikes[name]), name
        assert np.array_equal(slow.membranes[name], fast.membranes[name]), name
