"""The fold proof counts right: against every reachable current, in rationals, neuron by neuron."""

import json
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import product, repeat
from math import lcm
from operator import ne
from pathlib import Path

import numpy as np
import pytest
from certificates import certificate_of, file_of
from folded import Lowered, lower, lower_graph
from test_variants import NEURONS, PLAIN, VARIANTS, lively

from snncc.checker import check
from snncc.cli.main import run
from snncc.frontends.torch_recorder import trace_model
from snncc.ir import Graph, GraphBuilder, Param
from snncc.ir.dialects import traced as ops
from snncc.ir.dialects.integer import IntegerPopulation
from snncc.ir.dialects.neuron_rule import NeuronRule, Rounding
from snncc.ir.dialects.spiking import Population
from snncc.mfi.folds.proof import Scales, _counted, _exponents, fold_summary
from snncc.mfi.folds.roundings import prove_roundings
from snncc.mfi.folds.sites import Counted, FoldSite, PopulationFold, divides
from snncc.mfi.folds.switching import RELATIVE_TIE, Line, first_firing, trains_differ
from snncc.passes.measure_decays_by_step import is_exact_in_integers
from snncc.passes.named import Named
from snncc.quantize.decays import division
from snncc.quantize.whole_levels import whole_level

TIED = Fraction(RELATIVE_TIE)


def along(first: int, step: int, count: int) -> Iterable[int]:
    """First, first + step, ...: so many."""
    return range(first, first + step * count, step) if step else repeat(first, count)


def brute_force(source: Lowered, name: str) -> list[int]:
    """For each decision at how many reachable currents the two decide differently.

    Every current is tried. Rationals are integers over the common denominator of all constants.
    """
    program, scales = source.program, source.scales
    node = program[name]
    counted = _counted(program, node.inputs[0], scales, _exponents(program, scales))
    site = PopulationFold(source.before, program, node, counted)
    low, high = site.range
    found = []
    for at in np.ndindex(site.shape):
        constants = (site.a[at], site.unit[at], site.offset[at], site.level[at])
        a, u, d, k = (Fraction(float(c)) for c in constants)
        blur = TIED * (abs(k) + abs(d)) if a else Fraction(0)  # so near to 0 an excess is 0
        rise, start = a * u * counted.grid, a * u * low + d - k
        whole = lcm(rise.denominator, start.denominator, blur.denominator)
        count = len(range(low, high + 1, counted.grid))
        excesses = along(int(start * whole), int(rise * whole), count)
        sign, threshold = int(site.polarity[at]), int(site.threshold[at])
        lowest = sign * (low + int(site.own[at])) + int(site.bias[at])
        levels = along(lowest, sign * counted.grid, count)
        if site.op.compare == "ge":
            fires = map((-int(blur * whole)).__le__, excesses), map(threshold.__le__, levels)
        else:
            fires = map(int(blur * whole).__lt__, excesses), map(threshold.__lt__, levels)
        found.append(sum(map(ne, *fires)))
    return found


@pytest.mark.parametrize("seed", range(36))
def test_counts_are_those_of_every_reachable_current(seed: int) -> None:
    gain, decay = ("shift-add", "unshared")[seed % 3 == 1], ("approximate", "by-step")[seed % 2]
    source = lower(seed, 4, gain, decay)
    for site in source.prove():
        low, high = source.program[source.program[site.name].inputs[0]].type.range or (0, 0)
        if site.neurons * (high - low) > 300_000 or site.zero:
            continue
        differ = brute_force(source, site.name)
        assert site.neurons == len(differ) == site.identical + site.shifted
        assert site.identical == differ.count(0)
        assert site.distance == max(differ)


def one_norm(
    gamma: list[float],
    beta: list[float],
    bits: int = 8,
    tau: float = 2.0,
    decay: str = "approximate",
    channel_bias: tuple[float, float] = (0.0, 0.0),
) -> Lowered:
    """A norm over tokens behind a map over channels: it can only fold into thresholds."""
    tokens = len(gamma)
    b = GraphBuilder("traced", 4)
    image = b.add(ops.Input(("t", "n", "f"), (4, tokens, 3)), name="input")
    weight = b.constant("w", np.array([[0.5, -1.0, 0.25], [0.75, 0.5, -0.5]]), ("k", "f"))
    added = b.constant("a", np.array(channel_bias), ("k",))
    current = b.add(ops.Linear(weight, ("f",), ("k",), added), [b.add(ops.Lif(), [image])])
    zero, one = (b.constant(s, np.full(tokens, v), ("n",)) for s, v in (("z", 0.0), ("o", 1.0)))
    g, d = (b.constant(s, np.array(v), ("n",)) for s, v in (("g", gamma), ("d", beta)))
    norm = b.add(ops.BatchNorm(zero, one, g, d, 0.0), [current])
    fire = b.add(ops.Lif(tau=tau), [norm], name="fire")
    head = b.constant("h", np.array([[1.0, -1.0]]), ("c", "k"))
    mean = b.add(ops.Mean(("n",)), [fire])
    traced = b.finish(b.add(ops.Linear(head, ("k",), ("c",)), [mean]))
    return lower_graph(traced, bits, decay=decay)


def fire_of(source: Lowered, program: Graph | None = None) -> FoldSite:
    (site,) = (s for s in source.prove(program) if s.name == "fire")
    return site


def test_signs_zeros_and_ties_are_counted() -> None:
    site = fire_of(one_norm([1.0, -0.5, 0.0, 0.3, -1e-3], [0.0, 0.1, 0.7, 0.2, 0.0]))
    assert site.folded
    assert (site.neurons, site.negative, site.zero, site.dropped) == (10, 4, 2, 0)
    assert site.wrong == 0
    assert site.leak
    # gamma 1, beta 0: the threshold 2 is 254 weight steps of 1/127, but for float64.
    assert site.ties >= 2
    # 0.7 and 0.1 would be sevenths: weights, threshold and bias would lie on one grid.
    assert fire_of(one_norm([0.7310585786], [0.1])).ties == 0


def test_a_gain_next_to_zero_is_counted_as_dropped() -> None:
    site = fire_of(one_norm([1.0, 1e-20, -1e-25], [0.1, 0.7, -3.0]))
    assert (site.dropped, site.negative, site.zero, site.wrong) == (4, 2, 0, 0)


def test_a_current_is_dropped_at_all_steps_or_at_none() -> None:
    """Thresholds that grow from step to step may be out of reach at the last ones only."""
    dropped = 0
    for gamma in np.geomspace(1e-8, 1e-6, 24):
        source = one_norm([1.0, float(gamma)], [0.1, 0.7], tau=3.0, decay="by-step")
        op = source.program["fire"].op
        assert isinstance(op, IntegerPopulation)
        assert op.polarity is None or "t" not in op.polarity.axes
        site = fire_of(source)
        assert site.wrong == 0
        assert site.dropped % source.program.steps == 0
        dropped += site.dropped > 0
    assert 0 < dropped < 24


def test_rounded_biases_are_counted_with_their_distance() -> None:
    """A bias has 8 bits below a weight: it moves a switching point where those decide."""
    source = one_norm([3.7, 9.1], [0.123, -0.2])
    site = fire_of(source)
    assert site.exact == 0
    assert site.identical + site.shifted == 4
    op = source.program["fire"].op
    assert isinstance(op, IntegerPopulation)
    assert op.bias is not None
    coarse = source.program.constants[op.bias.name].astype(np.int64) + 3 * 256
    constants = {**source.program.constants, op.bias.name: coarse}
    moved = fire_of(source, replace(source.program, constants=constants))
    assert moved.shifted == 4
    assert 1 <= moved.distance <= 3 * 256
    assert moved.wrong == 4


@pytest.mark.parametrize("decay", ["approximate", "by-step"])
@pytest.mark.parametrize("tau", [2.0, 3.0])
def test_a_bias_in_two_parts_is_compared_as_one(tau: float, decay: str) -> None:
    gamma, beta = [1.0, -0.7, 1.9, 0.4], [0.1, 0.3, -0.5, 0.2]
    source = one_norm(gamma, beta, 4, tau, decay, channel_bias=(0.83, -0.37))
    op = source.program["fire"].op
    assert isinstance(op, IntegerPopulation)
    assert (op.offset is not None) == (decay == "approximate" or tau == 2.0)
    site = fire_of(source)
    differ = brute_force(source, "fire")
    assert (site.wrong, site.identical, site.distance) == (0, differ.count(0), max(differ))


def test_an_odd_leak_is_said_to_be_inexact() -> None:
    """2/3 is close in 12 bits, the floor of 3/4 loses; 1/3 is a division; by step none is left."""
    assert fire_of(one_norm([1.0], [0.1])).leak
    assert not fire_of(one_norm([1.0], [0.1], tau=4.0)).leak
    assert fire_of(one_norm([1.0], [0.1], tau=1.0)).leak
    assert not fire_of(one_norm([1.0], [0.1], tau=3.0)).leak
    assert fire_of(one_norm([1.0], [0.1], tau=1.5)).leak
    assert fire_of(one_norm([1.0], [0.1], tau=3.0, decay="by-step")).leak


@pytest.mark.parametrize(("decay", "carry"), [((1, 1), 0), ((0, 0), 1)])
def test_a_leak_that_forgets_all_is_no_other(decay: tuple[int, int], carry: int) -> None:
    """tau = 1 leaves nothing of a membrane, nor does it add a carry."""
    source = one_norm([1.0], [0.1], tau=1.0)
    node = source.program["fire"]
    assert isinstance(node.op, IntegerPopulation)
    planted = replace(node, op=replace(node.op, decay=decay, decay_offset=carry))
    nodes = tuple(planted if n.name == "fire" else n for n in source.program.nodes)
    assert not fire_of(source, replace(source.program, nodes=nodes)).leak


@pytest.mark.parametrize("compare", ["ge", "gt"])
def test_a_division_is_exact_iff_it_is_on_every_level(compare: str) -> None:
    """Against all levels of the membrane, for right and wrong constants; it may doubt, not err."""
    rng = np.random.default_rng(4)
    exact = 0
    for _ in range(400):
        m, shift = int(rng.integers(2, 12)), int(rng.integers(4, 16))
        factor = min(1 << shift, -(-(1 << shift) // m) + int(rng.integers(-1, 2)))
        ends = int(-rng.integers(0, 200)), int(rng.integers(0, 200))
        decay = (factor, shift)
        carry = int(rng.integers(0, 1 << shift)) >> int(rng.integers(0, shift))
        op = IntegerPopulation(Param("t"), None, None, decay, "hard", compare, ends, carry)
        inexact = rng.random() < 0.3
        op = replace(op, rounding=Rounding.TO_ZERO if inexact else Rounding.exact_for(compare))
        levels = np.arange(ends[0], ends[1] + 1)
        wanted = levels // m if compare == "ge" else -(-levels // m)
        held = divides(m, 1.0 / m, op)
        assert (op.rule.leak(levels) == wanted).all() or not held
        exact += held
    assert exact > 30


def test_a_leak_that_is_no_division_is_found() -> None:
    source = one_norm([1.0], [0.1], tau=1.5)
    program = source.program
    node = program["fire"]
    assert isinstance(node.op, IntegerPopulation)
    assert node.op.decay_offset > 0
    for op in (
        replace(node.op, decay_offset=(1 << node.op.decay[1]) - 1),
        replace(node.op, decay=(node.op.decay[0] - 9, node.op.decay[1])),
        replace(node.op, compare="gt", rounding=Rounding.UP),
    ):
        nodes = tuple(replace(n, op=op) if n is node else n for n in program.nodes)
        assert not fire_of(source, replace(program, nodes=nodes)).leak


@pytest.mark.parametrize("beta", [0.9, 1.1, 1.5, 2.3])
def test_neurons_without_input_spike_alike_when_measured_by_step(beta: float) -> None:
    """Their own unit must be one for all steps, though thresholds grow."""
    source = one_norm([0.0, 1.0], [beta, 0.1], tau=3.0, decay="by-step")
    site = fire_of(source)
    assert (site.neurons, site.zero, site.wrong) == (16, 8, 0)
    assert site.distance < 200
    op = source.program["fire"].op
    assert isinstance(op, IntegerPopulation)
    assert op.threshold.axes[0] == "t"
    silent = PopulationFold(
        source.before, source.program, source.program["fire"], Counted((), np.ones(()), 1)
    )
    distance, _ = silent._distance(np.sign(silent.a).astype(np.int64))
    assert not distance[silent.a == 0.0].any()


@pytest.mark.parametrize("field", ["threshold", "bias", "polarity", "offset"])
def test_every_constant_that_is_one_off_is_found(field: str) -> None:
    """Each element of each field of each population, both ways; of every second one at once."""
    found = 0
    for seed in range(35):
        source = lower(seed, decay=("approximate", "by-step")[seed % 2])
        program = source.program
        assert all(site.wrong == 0 for site in source.prove())
        params = [(n.name, getattr(n.op, field)) for n in program.select(IntegerPopulation)]
        for some, at, change in product((params[::2], params[1::2]), range(6), (-1, 1)):
            constants, changed = dict(program.constants), []
            for name, param in some:
                if param is not None and at < constants[param.name].size:
                    other = constants[param.name].astype(np.int64)
                    other.reshape(-1)[at] += change
                    constants[param.name] = other
                    changed.append(name)
            if changed:
                sites = source.prove(replace(program, constants=constants))
                assert [s.name for s in sites if s.wrong] == changed
                found += len(changed)
    assert found > 40


def test_layers_of_fewer_bits_are_proved_in_their_own_grids() -> None:
    mixed = banks = 0
    for seed in range(16):
        source = lower(seed, gain="unshared", layers=(("*", 4), ("conv*", 6)))
        mixed += len(set(source.bits.values())) > 1
        banks += any(getattr(node.op, "banks", False) for node in source.program.nodes)
        assert all(site.wrong == 0 for site in source.prove())
        found = prove_roundings(source.spiking, source.program, source.scales, source.bits)
        assert all(r.nearest == r.weights for r in found)
    assert mixed > 3
    assert banks > 0


def test_a_weight_that_is_one_off_is_found() -> None:
    source = lower(3)
    for node in source.program.nodes:
        weight = getattr(node.op, "weight", None)
        if weight is None:
            continue
        array = source.program.constants[weight.name].astype(np.int64)
        array.reshape(-1)[0] += 1 if array.reshape(-1)[0] >= 0 else -1
        constants = {**source.program.constants, weight.name: array}
        program = replace(source.program, constants=constants)
        found = prove_roundings(source.spiking, program, source.scales, 8)
        missed = {r.name: r.weights - r.nearest for r in found if r.nearest < r.weights}
        clipped = {r.name for r in found if r.clipped}
        assert missed == {node.name: 1} or node.name in clipped


@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_neurons_without_input_are_compared_at_every_step(reset: str) -> None:
    """0.3 + 0.15 + ... < 0.6: a bias of 7/12 of the threshold fires at the third step only."""

    def trains(real, whole) -> bool:  # type: ignore[no-untyped-def]
        levels, offsets, (factor, shift, carry) = whole
        rule = NeuronRule((factor, shift), carry, Rounding.DOWN, reset == "hard", True)
        return trains_differ(real, (levels, offsets), rule)

    def differ(
        real: tuple[float, float, float], whole: tuple[int, int, tuple[int, int, int]], steps: int
    ) -> bool:
        (threshold, bias, decay), (level, offset, leak) = real, whole
        return trains(
            ((threshold,) * steps, (bias,) * steps, decay),
            ((level,) * steps, (offset,) * steps, leak),
        )

    real = (1.0, 7.0 / 12.0, 0.5)
    assert not differ(real, (1200, 700, (1, 1, 0)), 6)
    assert differ(real, (1200, 600, (1, 1, 0)), 6)
    assert not differ((1.0, 0.5, 0.5), (12, 6, (1, 1, 0)), 9)
    assert differ((1.0, 0.5, 1.0), (12, 5, (1, 0, 0)), 9)
    third = ((1.0,) * 2, (-0.75, 1.25), 1.0 / 3.0)
    factor, shift, carry = division(3, 2000) or (0, 0, 0)
    for c, wrong in ((carry, False), (0, True)):
        whole = ((1000,) * 2, (-750, 1250), (factor, shift, c))
        assert trains(third, whole) is wrong
    late = ((1.0, 1.0, 0.25), (0.25,) * 3, 0.0)
    assert not trains(late, ((4, 4, 1), (1,) * 3, (0, 0, 0)))
    assert trains(late, ((4, 1, 1), (1,) * 3, (0, 0, 0)))
    assert trains(late, ((4, 4, 1), (1, 4, 1), (0, 0, 0)))


def test_the_summary_adds_up() -> None:
    sites = [s for seed in range(10) for s in lower(seed).prove()]
    found = fold_summary(sites)
    for what, folded in (("folds", True), ("plain", False)):
        some = [s for s in sites if s.folded is folded]
        assert found[what]["populations"] == len(some) > 0
        assert found[what]["neurons"] == sum(s.neurons for s in some)
        assert found[what]["identical"] + found[what]["shifted"] == found[what]["neurons"]
        assert found[what]["distance"] == max(s.distance for s in some)
        assert found[what]["wrong"] == 0


def test_compile_reports_the_proof(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = str(root / "examples/digits_mixer.pth")
    assert run(["compile", checkpoint, "-o", str(tmp_path / "d.snncc"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["fold_proof"]["folds"]["populations"] > 0
    assert report["fold_proof"]["folds"]["wrong"] == report["fold_proof"]["plain"]["wrong"] == 0
    assert report["rounding"]["nearest"] == report["rounding"]["weights"]


def test_scales_that_do_not_belong_to_the_program_are_found() -> None:
    """The proof depends on the units: with other ones nothing fits."""
    source = lower(1)
    units = {n: (axes, array * 1.01) for n, (axes, array) in source.scales.unit.items()}
    other = Scales(units, source.scales.exponent, source.scales.gain_exponent)
    assert sum(s.wrong for s in replace(source, scales=other).prove()) > 0


def test_float64_cannot_push_a_tie_to_the_next_integer() -> None:
    """A level of 127 + 2^-46 is 127, for the lowering and for the proof; 127.001 is not."""
    near, far = 127.0 * (1 + 2.0**-50), 127.001
    for compare, rule, wanted in (("ge", np.ceil, [127, 127, 128]), ("gt", np.floor, [127] * 3)):
        levels = Named(("n",), np.array([near, 127.0 * (1 - 2.0**-50), far]))
        assert whole_level(levels, rule).array.tolist() == wanted
        ones = np.ones(3)
        firing = first_firing(Line(levels.array, 0.0 * ones, ones, ones), compare)
        assert (firing.first - (compare == "gt")).tolist() == wanted
        assert firing.tied.tolist() == [True, True, False]
        assert (firing.other == firing.first).all()
    blurred = np.array([1000.0 * (1 + 1.5 * RELATIVE_TIE), 1000.0 * (1 + 0.9 * RELATIVE_TIE)])
    firing = first_firing(Line(blurred, 0.0 * blurred, np.ones(2), np.ones(2)), "ge")
    assert firing.first.tolist() == [1001, 1000]
    assert firing.other.tolist() == [1000, 1001]


@pytest.mark.parametrize("decay", ["approximate", "by-step"])
@pytest.mark.parametrize("name", [*VARIANTS, *NEURONS])
def test_every_variant_and_neuron_of_the_mixer(name: str, decay: str, tmp_path: Path) -> None:
    """No integer is wrong, leaks are exact where they can be, and the checker agrees."""
    config = VARIANTS.get(name, PLAIN)
    steps = config.scale_steps or 4
    trace = trace_model(lively(config, steps, NEURONS.get(name)), (3, 16, 16), steps)
    source = lower_graph(trace.graph, decay=decay)
    sites = source.prove()
    assert sum(site.wrong for site in sites) == 0
    inexact = {site.name for site in sites if not site.leak}
    for node in source.before.select(Population):
        assert isinstance(node.op, Population)
        exact = decay == "by-step" or is_exact_in_integers(node.op.decay)
        assert (node.name in inexact) == (not exact), node.op.decay
    file = file_of(source.program, tmp_path)
    check(file, certificate_of(source.program, file))
