"""No number leaves its interval; where a bound is called attained, running reaches exactly it."""

import math
from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from certificates import RARE
from programs import lowered_from_unit_pixels as lowered
from random_networks import random_images, random_network

from snncc.cli.main import run
from snncc.compiler.driver import compile_checkpoint
from snncc.compiler.options import CompileOptions
from snncc.ir import TIME, Graph, GraphBuilder, Node, VerifyError, verify
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.neuron_rule import NeuronRule, Rounding
from snncc.ir.dialects.projections import Contract, Convolve, Frames, Sum
from snncc.mfi.widths.bounds import before_shift_of, bounds_of, membrane_of
from snncc.mfi.widths.drives import Moment, drive
from snncc.mfi.widths.proof import BEFORE_SHIFT, Width, prove_widths
from snncc.mfi.widths.witnesses import Witness, membrane_witness, sum_witness
from snncc.runtime import ALL, interpret
from snncc.runtime.proofs.witness import reach


def reached(graph: Graph, witness: Witness) -> int:
    before = witness.what == BEFORE_SHIFT
    return reach(graph, witness.node, witness.element, witness.inputs, before)[witness.upper]


def check(graph: Graph, width: Width) -> tuple[bool, bool]:
    """Which ends are attained; none may be passed."""
    assert width.holds
    assert width.bits[1] <= width.bits[0]
    low, high = reached(graph, width.low), reached(graph, width.high)
    assert width.proved[0] <= low
    assert high <= width.proved[1]
    return low == width.proved[0], high == width.proved[1]


def by_step(graph: Graph, node: Node) -> bool:
    """Whether a population's constants or the bounds of its current differ from step to step."""
    op = node.op
    assert isinstance(op, IntegerPopulation)
    params = (op.threshold, op.bias, op.polarity, op.offset)
    low, _ = bounds_of(graph)[node.inputs[0]]
    return len(low) > 1 or any(p is not None and TIME in p.axes for p in params)


@pytest.mark.parametrize("start", range(0, 60, 10))
def test_bounds_that_must_be_attained_are(start: int) -> None:
    """Selections, gains of them, and membranes of currents that change with time: always.

    Except for membranes whose constants differ from step to step: there a level below the threshold
    that only one step's spikes reach can be out of reach at the step before.
    """
    kinds: set[str] = set()
    changing = missed = 0
    for seed in range(start, start + 10):
        graph = lowered(seed, decay=("approximate", "by-step")[seed % 2])
        for width in prove_widths(graph):
            attained = check(graph, width)
            node = graph[width.node]
            current = graph[node.inputs[0]]
            selection = isinstance(node.op, Contract | Convolve)
            scaled = isinstance(node.op, Gain) and isinstance(current.op, Contract | Convolve)
            membrane = width.what == "membrane" and current.type.temporal
            if membrane and by_step(graph, node):
                changing, missed = changing + 2, missed + attained.count(False)
            elif selection or scaled or membrane:
                assert attained == (True, True), (seed, width.node, width.what)
                kinds.add(width.what)
    assert {"current", "membrane"} <= kinds
    assert missed <= changing // 10


def test_every_output_of_a_selection_reaches_both_ends() -> None:
    """Not only the widest element: each has bits for exactly its own bounds, at some step."""
    count = 0
    for seed in range(12):
        graph = lowered(seed)
        bounds = bounds_of(graph)
        for node in graph.select(Contract, Convolve, Gain):
            if isinstance(node.op, Gain) and not isinstance(
                graph[node.inputs[0]].op, Contract | Convolve
            ):
                continue
            for upper in (False, True):
                every = bounds[node.name][upper]
                for element in np.ndindex(every.shape[1:]):
                    steps = every[(slice(None), *element)]
                    step = int(steps.argmax() if upper else steps.argmin())
                    bound = int(steps[step])
                    at = (step, *element)
                    witness = sum_witness(graph, node, "current", at, upper, bound)
                    assert reached(graph, witness) == bound
                    count += 1
    assert count > 1000


def test_no_image_leaves_the_bounds_of_any_neuron() -> None:
    for seed in range(40):
        graph = lowered(seed, decay=("approximate", "by-step")[seed % 2])
        bounds = bounds_of(graph)
        images = random_images(random_network(seed), seed, 8)
        images[0], images[1] = 0, 255
        done = interpret(graph, images, ALL)
        low, high = bounds[graph.output]
        assert (done.readout >= low).all()
        assert (done.readout <= high).all()
        for node in graph.select(IntegerPopulation):
            assert isinstance(node.op, IntegerPopulation)
            low, high = membrane_of(graph, node, node.op, bounds[node.inputs[0]])
            levels = np.moveaxis(done.membranes[node.name], 1 + node.type.names.index(TIME), 1)
            assert (levels >= low).all()
            assert (levels <= high).all()


@pytest.mark.parametrize("name", RARE)
def test_rare_forms_stay_within_their_bounds(name: str) -> None:
    """And selections attain theirs, with weights of their own for every step too."""
    graph = RARE[name]()
    for width in prove_widths(graph):
        attained = check(graph, width)
        if isinstance(graph[width.node].op, Contract | Convolve):
            assert attained == (True, True), width.node
    images = np.random.default_rng(2).integers(0, 256, (64, *graph["image"].type.shape))
    done = interpret(graph, images.astype(np.uint8), ALL)
    for node in graph.select(IntegerPopulation):
        assert isinstance(node.op, IntegerPopulation)
        low, high = node.op.membrane
        assert low <= done.membranes[node.name].min()
        assert done.membranes[node.name].max() <= high


@pytest.mark.parametrize("seed", range(500))
def test_drives_are_the_best_of_all_sequences(seed: int) -> None:
    """Against every sequence of currents: none leads farther."""
    rng = np.random.default_rng(seed)
    steps, varies, alike = int(rng.integers(1, 5)), bool(rng.integers(2)), bool(rng.integers(2))
    shift = int(rng.integers(0, 4))
    decay = int(rng.integers(0, (1 << shift) + 1)), shift
    carry, hard, at_least = int(rng.integers(0, 1 << shift)), *map(bool, rng.integers(0, 2, 2))
    rounding = Rounding.DOWN if at_least else Rounding.UP
    rounding = Rounding.TO_ZERO if seed % 3 == 0 else rounding
    rule = NeuronRule(decay, carry, rounding, hard, at_least)
    fixed: tuple[int, int] | None = None
    moments: list[Moment] = []
    for _ in range(steps):
        low = int(rng.integers(-6, 3))
        current = (low, low + int(rng.integers(0, 5)))
        if not varies:
            fixed = current = fixed or current
        constants = (int(rng.integers(-3, 8)), int(rng.integers(-3, 4)), int(rng.integers(-1, 2)))
        moments.append(moments[0] if moments and alike else Moment(*constants, current))

    def leak(v: int) -> int:
        """In rationals: what the rule computes by shifts."""
        kept, added = Fraction(decay[0] * v, 1 << shift), Fraction(carry, 1 << shift)
        if rounding is Rounding.UP or (rounding is Rounding.TO_ZERO and v < 0):
            return math.ceil(kept - added)
        return math.floor(kept + added)

    def levels(currents: tuple[int, ...]) -> list[int]:
        v, found = 0, []
        for moment, x in zip(moments, currents, strict=True):
            z = leak(v) + moment.polarity * x + moment.bias
            found.append(z)
            fires = z >= moment.threshold if rule.at_least else z > moment.threshold
            v = z if not fires else 0 if rule.hard else z - moment.threshold
        return found

    choices = [range(m.current[0], m.current[1] + 1) for m in moments]
    every = product(*choices) if varies else ((x,) * steps for x in choices[0])
    runs = [levels(currents) for currents in every]
    for upper, best in ((True, max), (False, min)):
        currents = drive(rule, moments, upper, varies)
        assert all(x in choice for x, choice in zip(currents, choices, strict=True))
        wanted = best(best(found) for found in runs)
        got = best(levels(currents))
        assert best(0, got) == best(0, wanted)  # a membrane at rest is 0
        if varies:
            assert got == wanted


def membrane(**given: object) -> tuple[Graph, str]:
    b = GraphBuilder("integer", 4, "exact")
    image = b.add(Frames(("f",), (2,)), name="image")
    first = b.add(
        Contract(b.constant("w", np.array([[3, -2]]), ("k", "f")), ("f",), ("k",)), [image]
    )
    threshold = b.constant("t", np.array([100]), ("k",))
    op = IntegerPopulation(threshold)
    op = replace(op, membrane=op.membrane_range(b[first].type, b.context))
    spikes = b.add(op, [first])
    current = b.add(
        Contract(b.constant("v", np.array([[5]]), ("j", "k")), ("k",), ("j",)), [spikes]
    )
    op = IntegerPopulation(b.constant("t2", np.array([7]), ("j",)), **given)  # type: ignore[arg-type]
    op = replace(op, membrane=op.membrane_range(b[current].type, b.context))
    fire = b.add(op, [current], name="fire")
    one = b.constant("one", np.array([[1]]), ("o", "j"))
    answer = b.add(Contract(one, ("j",), ("o",)), [fire])
    return b.finish(b.add(IntegerReadout(), [answer])), "fire"


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("compare", ["ge", "gt"])
def test_membranes_reach_the_level_below_the_threshold_and_then_one_more_current(
    reset: str, compare: str
) -> None:
    rounding = Rounding.exact_for(compare)
    graph, name = membrane(decay=(1, 0), reset=reset, compare=compare, rounding=rounding)
    (width,) = (w for w in prove_widths(graph) if w.node == name)
    assert check(graph, width) == (True, True)
    below = 6 if compare == "ge" else 7
    assert width.proved == (0, below + 5)


def opposed() -> Graph:
    """Two currents read the same spike with weights 5 and -3, and meet: 5..-3 is never reached."""
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("f",), (1,)), name="image")

    def map_of(source: str, weight: int, stem: str) -> str:
        array = b.constant(stem, np.array([[weight]]), ("f", "f"))
        return b.add(Contract(array, ("f",), ("f",)), [source])

    op = IntegerPopulation(b.constant("t", np.array([1]), ("f",)))
    first = map_of(image, 1, "w")
    spikes = b.add(replace(op, membrane=op.membrane_range(b[first].type, b.context)), [first])
    both = b.add(Sum((1, 0)), [map_of(spikes, 5, "a"), map_of(spikes, -3, "b")], name="both")
    return b.finish(b.add(IntegerReadout(), [both]))


def test_a_bound_that_no_spikes_reach_is_not_called_attained() -> None:
    graph = opposed()
    (width,) = (w for w in prove_widths(graph) if w.node == "both")
    assert width.proved == (-3, 10)
    assert check(graph, width) == (False, False)
    assert (reached(graph, width.low), reached(graph, width.high)) == (0, 7)


def test_the_best_spikes_of_a_sum_are_the_best_of_all() -> None:
    """Without gains below it, what the witness of a sum reaches is the true extreme."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        b = GraphBuilder("integer", 1, "exact")
        image = b.add(Frames(("f",), (4,)), name="image")
        parts = [
            b.add(
                Contract(b.constant("w", rng.integers(-9, 10, (1, 4)), ("k", "f")), ("f",), ("k",)),
                [image],
            )
            for _ in range(3)
        ]
        total = b.add(Sum((0, 2, 1)), parts, name="total")
        graph = b.finish(b.add(IntegerReadout(), [total]))
        images = np.array(list(product((0, 255), repeat=4)), np.uint8)
        answers = interpret(graph, images).readout
        (width,) = (w for w in prove_widths(graph) if w.node == "total")
        assert reached(graph, width.low) == answers.min()
        assert reached(graph, width.high) == answers.max()


def test_a_membrane_witness_for_every_neuron() -> None:
    graph = lowered(5)
    bounds = bounds_of(graph)
    count = 0
    for node in graph.select(IntegerPopulation):
        assert isinstance(node.op, IntegerPopulation)
        source = graph[node.inputs[0]]
        if not source.type.temporal:
            continue
        current = bounds[source.name]
        found = membrane_of(graph, node, node.op, current)
        for upper in (False, True):
            for element in np.ndindex(found[0].shape):
                bound = int(found[upper][element])
                witness = membrane_witness(graph, node, node.op, current, element, upper, bound)
                assert reached(graph, witness) == bound
                count += 1
    assert count > 50


def test_one_bit_too_few_is_found() -> None:
    """What reaches a bound shows that no narrower interval would do."""
    for seed in range(20):
        graph = lowered(seed)
        for node in graph.select(Contract, Convolve, IntegerPopulation):
            if isinstance(node.op, IntegerPopulation):
                low, high = node.op.membrane
                changed = replace(node, op=replace(node.op, membrane=(low, high - 1)))
            else:
                low, high = node.type.range or (0, 0)
                changed = replace(node, type=replace(node.type, range=(low, high - 1)))
            nodes = tuple(changed if n is node else n for n in graph.nodes)
            with pytest.raises(VerifyError):
                verify(replace(graph, nodes=nodes))


def test_gains_before_their_shift() -> None:
    seen = 0
    for seed in range(40):
        graph = lowered(seed)
        bounds = bounds_of(graph)
        for node in graph.select(Gain):
            assert isinstance(node.op, Gain)
            low, high = before_shift_of(graph, node, node.op, bounds[node.inputs[0]])
            assert ((low >> node.op.shift) == bounds[node.name][0]).all()
            assert ((high >> node.op.shift) == bounds[node.name][1]).all()
            seen += 1
    assert seen > 10


def test_the_trained_mixer(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = CompileOptions(normalize=((0.1307,), (0.3081,)))
    graph = compile_checkpoint(shared / "data/mixer_spe_mnist.pth", options).program.graph
    attained = [check(graph, width) for width in prove_widths(graph)]
    assert sum(map(sum, attained)) >= 0.8 * 2 * len(attained)
    for width in prove_widths(graph):
        if isinstance(graph[width.node].op, Contract | Convolve):
            assert check(graph, width) == (True, True)


def test_the_command_line_shows_widths(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "d.snncc"
    assert run(["compile", str(root / "examples/digits_mixer.pth"), "-o", str(out)]) == 0
    assert "switch at the same integer" in capsys.readouterr().out
    assert run(["verify", str(out), "--widths"]) == 0
    text = capsys.readouterr().out
    assert "bounds are attained" in text
    assert "before shift" in text
