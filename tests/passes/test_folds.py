"""The algebra in exact rationals: thresholds and the floor shift decide as real numbers do."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from random_networks import random_network

from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.diagnostics import SnnccError
from snncc.ir import Graph, GraphBuilder, Loc
from snncc.ir.dialects import traced as ops
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames
from snncc.ir.dialects.spiking import Affine, Population
from snncc.passes.convert_modules_into_populations import ConvertModulesIntoPopulations
from snncc.passes.fold_batchnorm_into_thresholds import FoldBatchnormIntoThresholds
from snncc.passes.fold_batchnorm_into_weights import FoldBatchnormIntoWeights
from snncc.passes.pipeline import PassEvent, run_passes
from snncc.passes.push_projections_to_spikes import PushProjectionsToSpikes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import ALL, interpret
from snncc.semantics.spiking import run_spiking
from snncc.semantics.traced import run_traced


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("compare", ["ge", "gt"])
@pytest.mark.parametrize("shift", [0, 1, 2, 3])
def test_the_floor_shift_loses_no_spike(shift: int, compare: str, reset: str) -> None:
    """floor(floor(a)/m) = floor(a/m): integers spike as rationals; "gt" with the ceiling."""
    rng = np.random.default_rng(shift)
    for _ in range(300):
        threshold = int(rng.integers(-5, 40))
        currents = [int(c) for c in rng.integers(-30, 40, 8)]
        real, whole = Fraction(0), 0
        for x in currents:
            real = real / 2**shift + x
            whole = (whole >> shift if compare == "ge" else -(-whole >> shift)) + x
            spikes = [v >= threshold if compare == "ge" else v > threshold for v in (real, whole)]
            assert spikes[0] == spikes[1]
            if spikes[0]:
                real = real - threshold if reset == "soft" else Fraction(0)
                whole = whole - threshold if reset == "soft" else 0


def test_threshold_folds_decide_as_the_batchnorm_over_the_whole_range() -> None:
    """Every neuron of 60 folded norms, every reachable accumulator: a*I + d >= K iff folded."""
    checked = 0
    for seed in range(60):
        stages: dict[str, Graph] = {}

        def keep(event: PassEvent, stages: dict[str, Graph] = stages) -> None:
            stages[event.name] = event.graph

        run_passes(random_network(seed), spiking_passes(CompileOptions()), keep)
        before = stages["move_offsets_into_populations"]
        after = stages["fold_batchnorm_into_thresholds"]
        for node in before.select(Population):
            source = before[node.inputs[0]]
            if not isinstance(source.op, Affine) or source.op.scale is None:
                continue
            assert isinstance(node.op, Population)
            folded = after[node.name].op
            assert isinstance(folded, Population)
            if "t" in source.op.scale.axes:  # its unit would change while it leaks
                assert folded == node.op
                assert after[node.name].inputs == node.inputs
                continue
            names = node.type.names
            shape = tuple(node.type.size(n) for n in names)

            def full(graph: Graph, param: object, default: float, names=names, shape=shape):
                if param is None:
                    return np.full(shape, default)
                array = graph.constants[param.name]  # type: ignore[attr-defined]
                index = [param.axes.index(n) for n in names if n in param.axes]  # type: ignore[attr-defined]
                view = [array.shape[param.axes.index(n)] if n in param.axes else 1 for n in names]  # type: ignore[attr-defined]
                return np.broadcast_to(array.transpose(index).reshape(view), shape)

            parts = zip(
                full(before, source.op.scale, 1.0).flat,
                full(before, node.op.threshold, 0.0).flat,
                full(before, node.op.bias, 0.0).flat,
                full(after, folded.threshold, 0.0).flat,
                full(after, folded.bias, 0.0).flat,
                full(after, folded.polarity, 1.0).flat,
                strict=True,
            )
            for a, k, d, k2, d2, sign in list(parts)[:6]:
                for accumulator in range(-40, 41):
                    x = Fraction(accumulator, 4)
                    y = Fraction(a) * x + Fraction(d)
                    z = int(sign) * x + Fraction(d2)
                    assert (y >= Fraction(k)) == (z >= Fraction(k2))
                    assert (y > Fraction(k)) == (z > Fraction(k2))
                    checked += 1
    assert checked > 10_000


def square(axes_of_norm: tuple[str, ...], meets_another: bool) -> Graph:
    """Token count, channels and hidden units are all 4; the norm's axis alone decides."""
    rng = np.random.default_rng(0)
    b = GraphBuilder("traced", 3)
    image = b.add(ops.Input(("t", "c", "h", "w"), (3, 4, 2, 2)), name="input")
    first = b.add(
        ops.Linear(b.constant("w0", rng.normal(size=(4, 4)), ("c", "c")), ("c",), ("c",)), [image]
    )
    spikes = b.add(ops.Lif(v_threshold=0.2), [first], name="first")
    rows = b.add(ops.Rearrange(("t", "h", "w", "c")), [spikes])
    weight = b.constant("w1", rng.normal(size=(4, 4)), ("c", "c"))
    mixed = b.add(ops.Linear(weight, ("c",), ("c",)), [rows], (Loc("mix"),), "mix")
    shape = [{"h": 2, "w": 2, "c": 4}[a] for a in axes_of_norm]
    norm = ops.BatchNorm(
        b.constant("mean", rng.normal(size=shape), axes_of_norm),
        b.constant("var", rng.random(shape) + 0.5, axes_of_norm),
        b.constant("gamma", rng.normal(size=shape), axes_of_norm),
        b.constant("beta", rng.random(shape), axes_of_norm),
        1e-5,
    )
    current = b.add(norm, [mixed], (Loc("norm"),), "norm")
    if meets_another:
        back = b.add(ops.Rearrange(("t", "c", "h", "w")), [current])
        current = b.add(ops.Add(), [first, back])
    last = b.add(ops.Lif(), [current], name="last")
    head = b.constant("w2", rng.normal(size=(2, 4)), ("k", "c"))
    mean = b.add(ops.Mean(("h", "w")), [last])
    return b.finish(b.add(ops.Linear(head, ("c",), ("k",)), [mean]))


@pytest.mark.parametrize(
    ("axes", "meets", "into_weights", "gains"),
    [
        (("c",), False, True, 0),
        (("c",), True, True, 0),
        (("h", "w"), False, False, 0),
        (("h", "w"), True, False, 1),
    ],
)
def test_the_axis_decides_not_the_length(
    axes: tuple[str, ...], meets: bool, into_weights: bool, gains: int
) -> None:
    graph = square(axes, meets)
    images = np.random.default_rng(1).integers(0, 256, (5, 4, 2, 2)).astype(np.uint8)
    notes = []
    spiking = run_passes(
        graph,
        spiking_passes(CompileOptions()),
        lambda e: notes.extend((e.name, n) for n in e.notes),
    )
    wanted = run_traced(graph, np.repeat(images[:, None] / 255.0, 3, axis=1))
    values = run_spiking(spiking, images)
    np.testing.assert_allclose(
        values[spiking.output], wanted[graph.output].mean(axis=1), rtol=0, atol=1e-9
    )
    mine = [n for rule, n in notes if rule == "fold_batchnorm_into_weights" and n.site == "norm"]
    assert [n.fired for n in mine] == [into_weights]
    if not into_weights:
        assert "runs over h, w" in mine[0].text
    assert len(spiking.select(Affine)) == gains
    if gains:
        reasons = [
            n.text for rule, n in notes if rule == "fold_batchnorm_into_thresholds" and not n.fired
        ]
        assert any("meets others in a sum" in text for text in reasons)


def test_a_current_with_another_reader_keeps_its_weights() -> None:
    rng = np.random.default_rng(0)
    b = GraphBuilder("traced", 2)
    image = b.add(ops.Input(("t", "f"), (2, 4)), name="input")
    weight = b.constant("w", rng.normal(size=(3, 4)), ("k", "f"))
    current = b.add(ops.Linear(weight, ("f",), ("k",)), [image], name="map")
    one = b.constant("one", np.array([2.0, -1.0, 0.0]), ("k",))
    scaled = b.add(ops.Scale(one), [current], name="scaled")
    left = b.add(ops.Lif(v_threshold=0.1), [current], name="left")
    right = b.add(ops.Lif(v_threshold=0.1), [scaled], name="right")
    both = b.add(ops.TracedConcat(("k", "k"), "k2"), [left, right])
    head = b.constant("h", rng.normal(size=(2, 6)), ("o", "k2"))
    graph = b.finish(b.add(ops.Linear(head, ("k2",), ("o",)), [both]))
    notes = []
    spiking = run_passes(graph, spiking_passes(CompileOptions()), lambda e: notes.extend(e.notes))
    assert any(n.site == "scaled" and "another reader" in n.text for n in notes)
    images = rng.integers(0, 256, (6, 4)).astype(np.uint8)
    wanted = run_traced(graph, np.repeat(images[:, None] / 255.0, 2, axis=1))
    values = run_spiking(spiking, images)
    np.testing.assert_allclose(
        values[spiking.output], wanted[graph.output].mean(axis=1), rtol=0, atol=1e-9
    )
    assert len(spiking.select(Contract)) == 3  # the map is computed once for both


def test_the_border_of_a_padded_convolution_has_its_own_bias() -> None:
    rng = np.random.default_rng(3)
    b = GraphBuilder("traced", 2)
    image = b.add(ops.Input(("t", "c", "h", "w"), (2, 2, 4, 4)), name="input")
    weight = b.constant("w", rng.normal(size=(3, 2, 3, 3)), ("o", "i", "kh", "kw"))
    op = ops.Conv(weight, "c", "h", "w", "c1", "h1", "w1", padding=(1, 1))
    fire = b.add(ops.Lif(v_threshold=0.3), [b.add(op, [image])], name="fire")
    graph = b.finish(b.add(ops.Mean(("h1", "w1")), [fire]))
    options = CompileOptions(normalize=((0.4, 0.1), (0.2, 0.5)))
    images = rng.integers(0, 256, (4, 2, 4, 4)).astype(np.uint8)
    mean, std = np.array([0.4, 0.1])[:, None, None], np.array([0.2, 0.5])[:, None, None]
    normal = (images / 255.0 - mean) / std
    wanted = run_traced(graph, np.repeat(normal[:, None], 2, axis=1))
    spiking = run_passes(graph, spiking_passes(options))
    values = run_spiking(spiking, images)
    order = [0, 1, 4, 2, 3]
    assert np.array_equal(values["fire"].transpose(order), wanted["fire"])
    population = spiking["fire"].op
    assert isinstance(population, Population)
    assert population.bias is not None
    assert set(population.bias.axes) == {"c1", "h1", "w1"}


def refused(graph: Graph, **options: object) -> SnnccError:
    with pytest.raises(SnnccError) as caught:
        run_passes(graph, spiking_passes(CompileOptions(**options)))  # type: ignore[arg-type]
    return caught.value


def test_maps_of_real_currents_are_refused_by_name() -> None:
    rng = np.random.default_rng(0)
    b = GraphBuilder("traced", 2)
    image = b.add(ops.Input(("t", "c", "h", "w"), (2, 2, 4, 4)), name="input")

    def conv(source: str, stem: str, axes: tuple[str, str, str], out: tuple[str, str, str]) -> str:
        weight = b.constant(stem, rng.normal(size=(2, 2, 3, 3)), ("o", "i", "kh", "kw"))
        return b.add(ops.Conv(weight, *axes, *out, padding=(1, 1)), [source], (Loc(stem),), stem)

    first = conv(image, "one", ("c", "h", "w"), ("c1", "h1", "w1"))
    third = conv(first, "three", ("c1", "h1", "w1"), ("c3", "h3", "w3"))
    graph = b.finish(b.add(ops.Mean(("h3", "w3")), [b.add(ops.Lif(), [third])]))
    error = refused(graph)
    assert error.code == "SNN030"
    assert error.findings[0].loc == Loc("three")


def test_a_normalisation_of_the_wrong_length_is_refused() -> None:
    error = refused(square(("c",), False), normalize=((0.1, 0.2), (1.0,)))
    assert error.code == "SNN001"
    assert "4 channels" in str(error)


def test_pixels_of_random_networks_reach_every_pass() -> None:
    """The passes that the others' tests name exist under those names."""
    names = [p.name for p in spiking_passes(CompileOptions(gain="unshared"))]
    assert names == [
        ConvertModulesIntoPopulations.name,
        PushProjectionsToSpikes.name,
        FoldBatchnormIntoWeights.name,
        "move_offsets_into_populations",
        FoldBatchnormIntoThresholds.name,
        "fold_scales_into_neurons",
        "unshare_weights_under_gains",
    ]


def test_unshared_weights_are_strict() -> None:
    from snncc.mfi import Level, prove

    graph = square(("h", "w"), True)
    for gain, level in (("shift-add", Level.SHIFT_ADD), ("unshared", Level.STRICT)):
        spiking = run_passes(graph, spiking_passes(CompileOptions(gain=gain)))
        program = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, 8), 8)])
        assert prove(program).level is level


def test_a_neuron_behind_the_mean_over_time_is_refused() -> None:
    b = GraphBuilder("traced", 2)
    image = b.add(ops.Input(("t", "f"), (2, 4)), name="input")
    fire = b.add(ops.Lif(), [image])
    again = b.add(ops.Lif(), [b.add(ops.Mean(("t",)), [fire])], (Loc("again"),), "again")
    error = refused(b.finish(again))
    assert error.code == "SNN031"
    assert error.findings[0].loc == Loc("again")


def test_a_number_beyond_every_integer_is_refused() -> None:
    b = GraphBuilder("traced", 2)
    image = b.add(ops.Input(("t", "f"), (2, 1)), name="input")
    head = b.constant("w", np.array([[1e-30], [1.0]]), ("k", "f"))
    offset = b.constant("b", np.array([0.0, 1e60]), ("k",))
    fire = b.add(ops.Lif(), [image])
    graph = b.finish(b.add(ops.Linear(head, ("f",), ("k",), offset), [fire]))
    spiking = run_passes(graph, spiking_passes(CompileOptions()))
    with pytest.raises(SnnccError) as caught:
        run_passes(spiking, [LowerToIntegers(round_plainly(spiking, 8), 8)])
    assert caught.value.code == "SNN033"


def test_a_gain_next_to_zero_is_dropped_with_a_note() -> None:
    """Weight decay leaves gammas of 1e-20; the neuron then follows its bias alone."""
    rng = np.random.default_rng(5)
    b = GraphBuilder("traced", 4)
    image = b.add(ops.Input(("t", "n", "f"), (4, 3, 4)), name="input")
    weight = b.constant("w", rng.normal(size=(4, 4)), ("k", "f"))
    current = b.add(ops.Linear(weight, ("f",), ("k",)), [image])
    gamma = b.constant("gamma", np.array([1.0, 1e-20, -1e-25]), ("n",))
    beta = b.constant("beta", np.array([0.1, 0.7, -3.0]), ("n",))
    zero, one = b.constant("zero", np.zeros(3), ("n",)), b.constant("one", np.ones(3), ("n",))
    norm = b.add(ops.BatchNorm(zero, one, gamma, beta, 0.0), [current])
    fire = b.add(ops.Lif(v_threshold=0.5), [norm], name="fire")
    head = b.constant("h", rng.normal(size=(2, 4)), ("o", "k"))
    mean = b.add(ops.Mean(("n",)), [fire])
    graph = b.finish(b.add(ops.Linear(head, ("k",), ("o",)), [mean]))
    notes = []
    spiking = run_passes(graph, spiking_passes(CompileOptions()))
    program = run_passes(
        spiking, [LowerToIntegers(round_plainly(spiking, 12), 12)], lambda e: notes.extend(e.notes)
    )
    assert any("input is dropped" in note.text for note in notes)
    images = rng.integers(0, 256, (6, 3, 4)).astype(np.uint8)
    wanted = run_spiking(spiking, images)["fire"]
    got = interpret(program, images, ALL).spikes["fire"]
    assert np.array_equal(got[:, :, 1:], wanted[:, :, 1:])
    assert wanted[:, :, 1].any()
    assert not wanted[:, :, 1].all()


def test_thresholds_are_rounded_so_that_integers_decide_alike() -> None:
    """With hard reset K becomes ceil(K / unit) for >=, floor for >: no other integer is right.

    The networks' own thresholds lie on the grid of their weights, where nothing is rounded.
    """
    seen = {"ge": 0, "gt": 0}
    for seed in range(40):
        spiking = run_passes(random_network(seed), spiking_passes(CompileOptions()))
        names = {node.op.threshold.name for node in spiking.select(Population)}  # type: ignore[attr-defined]
        off = {name: 1.0371 * spiking.constants[name] for name in names}
        spiking = replace(spiking, constants={**spiking.constants, **off})
        rounded = round_plainly(spiking, 8)
        program = run_passes(spiking, [LowerToIntegers(rounded, 8)])
        for node in spiking.select(Population):
            assert isinstance(node.op, Population)
            lowered = program[node.name].op
            assert isinstance(lowered, IntegerPopulation)
            unit = rounded.units.unit[node.inputs[0]]
            threshold = spiking.constants[node.op.threshold.name]
            if node.op.reset == "soft" or unit.axes or threshold.ndim or node.op.polarity:
                continue
            fraction = 2 ** max(8, rounded.units.exponent.get(node.inputs[0], 0))
            level = Fraction(float(threshold)) / Fraction(float(unit.array)) * fraction
            integer = int(program.constants[lowered.threshold.name])
            wanted = math.ceil(level) if node.op.compare == "ge" else math.floor(level)
            if abs(level - round(level)) < Fraction(1, 10**9):
                wanted = round(level)  # the unit is a float64: an integer but for its last bit
            assert integer == wanted, (seed, node.name)
            seen[node.op.compare] += level.denominator > 1
    assert min(seen.values()) > 0


def test_the_membranes_bound_is_attained() -> None:
    """An input that drives a neuron exactly to both ends of its proved interval."""
    b = GraphBuilder("integer", 4, "exact")
    image = b.add(Frames(("f",), (2,)), name="image")
    weight = b.constant("w", np.array([[3, -2]], np.int16), ("k", "f"))
    current = b.add(Contract(weight, ("f",), ("k",)), [image], name="current")
    threshold = b.constant("k", np.array([766], np.int16), ("k",))
    low, high = IntegerPopulation(threshold, decay=(1, 0)).membrane_range(
        b[current].type, b.context
    )
    op = IntegerPopulation(threshold, decay=(1, 0), membrane=(low, high))
    fire = b.add(op, [current], name="fire")
    one = b.constant("one", np.array([[1]], np.int8), ("o", "k"))
    graph = b.finish(b.add(IntegerReadout(), [b.add(Contract(one, ("k",), ("o",)), [fire])]))
    images = np.array([[255, 0], [0, 255]], np.uint8)
    levels = interpret(graph, images, ALL).membranes["fire"]
    assert (low, high) == (-4 * 510, 765 + 765)
    assert levels.min() == low
    assert levels.max() == high
