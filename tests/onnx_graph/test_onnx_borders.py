"""ONNX graphs at the borders of types: every kind of neuron, 32 bits, digits, shifts."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from onnx_runs import Graphs, in_scan, in_steps, in_two_parts, same_as_interpreted

from snncc.backends.onnx_graph.integers import INT32, INT64, MOST_32, planes
from snncc.backends.onnx_graph.shifts import floor_shift
from snncc.ir import TIME, Graph, GraphBuilder, verify
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.projections import Contract, Convolve, Frames, Sum

BATCH = 3
DECAYS = [((1, 0), 0), ((0, 0), 0), ((1, 2), 0), ((43691, 17), 4711), ((3, 2), 1)]


def kinds_in(graph: Graph) -> Counter[str]:
    """Operators of the graph, those in bodies of scans too."""
    nodes = Graphs(graph, "scan").model.graph.all_nodes()
    return Counter(node.op_type for node in nodes)


def neurons(
    b: GraphBuilder, current: str, threshold: np.ndarray, axes: tuple[str, ...], **fields: object
) -> str:
    """A population whose membrane interval is what the current can do."""
    op = IntegerPopulation(b.constant("v", threshold, axes), **fields)  # type: ignore[arg-type]
    interval = op.membrane_range(b[current].type, b.context)
    return b.add(replace(op, membrane=interval), [current])


def answered(b: GraphBuilder, spikes: str, weight: np.ndarray) -> Graph:
    last = b.constant("last", weight, ("k", "n"))
    head = b.add(Contract(last, ("n",), ("k",)), [spikes])
    offset = b.constant("offset", np.arange(len(weight)), ("k",))
    graph = b.finish(b.add(IntegerReadout(offset=offset, unit=0.1), [head]))
    verify(graph)
    return graph


@pytest.mark.parametrize("compare", ["ge", "gt"])
@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("decay", DECAYS, ids=str)
def test_every_kind_of_neuron(compare: str, reset: str, decay: tuple) -> None:
    """Full-range pixels, weights of every width, thresholds and offsets by step, both roundings."""
    rng = np.random.default_rng(5)
    cases = [(7, None), (19, None), (11, Rounding.TO_ZERO)]
    for width, rounding in cases:
        b = GraphBuilder("integer", 4, "exact")
        image = b.add(Frames(("p",), (33,)), name="image")
        reach = 1 << width
        w = b.constant("w", rng.integers(-reach, reach, (9, 33)), ("n", "p"))
        current = b.add(Contract(w, ("p",), ("n",)), [image])
        high = b[current].type.range[1]
        spikes = neurons(
            b,
            current,
            rng.integers(-high // 64, high // 8, (4, 9)),
            (TIME, "n"),
            bias=b.constant("b", rng.integers(-high // 16, high // 16, (4, 9)), (TIME, "n")),
            polarity=b.constant("s", rng.choice([-1, 1], 9).astype(np.int8), ("n",)),
            offset=b.constant("o", rng.integers(-999, 999, 9), ("n",)),
            decay=decay[0],
            decay_offset=decay[1],
            reset=reset,
            compare=compare,
            rounding=rounding or Rounding.exact_for(compare),
        )
        graph = answered(b, spikes, rng.integers(-reach, reach, (5, 9)))
        images = rng.integers(0, 256, (BATCH, 33)).astype(np.uint8)
        count = same_as_interpreted(graph, images, in_scan(graph, images), width)
        assert 0 < count < BATCH * 4 * 9, "every neuron fires, or none"
        if width == 11:
            same_as_interpreted(graph, images, in_steps(graph, images), width)


@pytest.mark.parametrize("steps", [1, 64])
def test_one_step_and_many(steps: int) -> None:
    rng = np.random.default_rng(steps)
    b = GraphBuilder("integer", steps, "exact")
    image = b.add(Frames((TIME, "p"), (steps, 5), domain=(-8, 7)), name="image")
    w = b.constant("w", rng.integers(-128, 128, (6, 5)), ("n", "p"))
    current = b.add(Contract(w, ("p",), ("n",)), [image])
    spikes = neurons(b, current, np.array([40, 90, 300, 700, 1500, -50]), ("n",), decay=(3, 2))
    graph = answered(b, spikes, rng.integers(-9, 9, (3, 6)))
    images = rng.integers(-8, 8, (BATCH, steps, 5)).astype(np.int8)
    assert same_as_interpreted(graph, images, in_scan(graph, images)) > 0
    same_as_interpreted(graph, images, in_steps(graph, images))
    if steps > 1:
        same_as_interpreted(graph, images, in_two_parts(graph, images, steps // 3))


@pytest.mark.parametrize("beyond", [0, 1])
@pytest.mark.parametrize("sign", [-1, 1])
def test_currents_at_the_border_of_32_bits(sign: int, beyond: int) -> None:
    """255 times weights that add up to 2^31 - 1, or to one more; pixels all white."""
    total = (1 << 31) - 1 + beyond + (sign < 0)
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("p",), (3,)), name="image")
    rest = total % 255
    first = (total - rest) // 255 - (1 << 22)
    row = sign * np.array([[first, 1 << 22, 0]])
    w = b.constant("w", row, ("n", "p"))
    current = b.add(Contract(w, ("p",), ("n",)), [image])
    more = b.constant("m", np.array([[0, 0, sign]]), ("n", "p"))
    bits = b.add(Contract(more, ("p",), ("n",)), [image])
    summed = b.add(Sum((0, 0)), [current, bits])
    spikes = neurons(b, summed, np.array([total - 300]), ("n",), reset="soft", decay=(1, 0))
    graph = answered(b, spikes, np.array([[3], [-4]]))
    images = np.array([[255, 255, rest], [255, 255, 255], [0, 1, 2], [255, 255, 0]], np.uint8)
    same_as_interpreted(graph, images, in_scan(graph, images))
    same_as_interpreted(graph, images, in_steps(graph, images))


def test_int64_membranes_that_fall_back_toward_zero() -> None:
    """2^31 and more, whose lower 32 bits are negative: onnxruntime's Sign sees those alone."""
    b = GraphBuilder("integer", 3, "exact")
    image = b.add(Frames(("p",), (1,)), name="image")
    rows = np.array([[11_000_000], [-11_000_000], [30_000_000], [-30_000_000]])
    current = b.add(Contract(b.constant("w", rows, ("n", "p")), ("p",), ("n",)), [image])
    rule = {"rounding": Rounding.TO_ZERO, "reset": "soft"}
    spikes = neurons(b, current, np.array(1 << 33), (), **rule)
    graph = answered(b, spikes, np.array([[1, 2, 3, 4]]))
    images = np.arange(256, dtype=np.uint8)[:, None]
    same_as_interpreted(graph, images, in_scan(graph, images))


def test_many_inputs_are_split_into_smaller_digits() -> None:
    """70,000 pixels times -128: sums of digits of 8 bits need more than 32 bits, of 4 not."""
    count = 70_000
    rows = np.full((2, count), -128)
    rows[1, ::2] = 127
    found = planes(rows, 255)
    assert found is not None
    assert found.bits == 4
    b = GraphBuilder("integer", 1, "exact")
    image = b.add(Frames(("p",), (count,)), name="image")
    current = b.add(Contract(b.constant("w", rows, ("n", "p")), ("p",), ("n",)), [image])
    graph = answered(b, neurons(b, current, np.array(-(1 << 20)), ()), np.array([[1, -1]]))
    images = np.full((2, count), 255, np.uint8)
    images[1] = np.random.default_rng(0).integers(0, 256, count)
    same_as_interpreted(graph, images, in_scan(graph, images))


@pytest.mark.parametrize("most", [1, 127, 255])
def test_planes_add_up_to_the_weights(most: int) -> None:
    rng = np.random.default_rng(most)
    for width in (1, 7, 8, 9, 15, 16, 17, 31, 40):
        rows = rng.integers(-(1 << width), 1 << width, (5, 12))
        rows[0, :2] = -(1 << width), (1 << width) - 1
        found = planes(rows, most)
        assert found is not None
        total = sum(d << (p * found.bits) for p, d in enumerate(found.digits))
        assert np.array_equal(total, rows)
        half = 1 << (found.bits - 1)
        assert all(d.min() >= -half and d.max() < half for d in found.digits)
        assert all(np.abs(d).sum(-1).max() * most <= MOST_32 for d in found.digits)
        assert np.abs(rows).sum(-1).max() * most <= found.reach


def test_too_many_inputs_have_no_planes() -> None:
    assert planes(np.full((1, 5_000_000), 127, np.int64), 255) is None


def test_what_is_added_up_before_a_map() -> None:
    """300 pixels share a weight: 76,500 is no byte, and is multiplied in 32 bits."""
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("p", "q"), (3, 300)), name="image")
    rows = np.array([[5, -7, 127], [-128, 1, 0]])
    op = Contract(b.constant("w", rows, ("n", "p")), ("p",), ("n",), (), ("q",))
    graph = answered(
        b,
        neurons(b, b.add(op, [image]), np.array([200_000, -50_000]), ("n",)),
        np.eye(2, dtype=int),
    )
    images = np.random.default_rng(1).integers(0, 256, (BATCH, 3, 300)).astype(np.uint8)
    images[0] = 255
    same_as_interpreted(graph, images, in_scan(graph, images))
    assert kinds_in(graph)["MatMul"] == 1


@pytest.mark.parametrize("banks", [False, True])
@pytest.mark.parametrize("timed", [False, True])
def test_convolutions_of_numbers_below_0(banks: bool, timed: bool) -> None:
    """What lies outside is 0 and not the zero point; banks are a scan over steps and weights."""
    rng = np.random.default_rng(3)
    b = GraphBuilder("integer", 3, "exact")
    axes, shape = ("y", "x", "c"), (4, 5, 4)
    if timed:
        axes, shape = ("y", TIME, "x", "c"), (4, 3, 5, 4)
    image = b.add(Frames(axes, shape, domain=(-128, 127)), name="image")
    weights = rng.integers(-300, 300, (3, 6, 2, 3, 2) if banks else (6, 2, 3, 2))
    names = (*((TIME,) if banks else ()), "o", "i", "kh", "kw")
    op = Convolve(
        b.constant("w", weights, names),
        *("c", "y", "x", "n", "h", "w"),
        stride=(1, 2),
        padding=(2, 1),
        dilation=(2, 1),
        groups=2,
    )
    current = b.add(op, [image])
    spikes = neurons(b, current, np.array([900, -50, 3, 10_000, 77, 0]), ("n",), decay=(7, 3))
    rows = b.constant("r", rng.integers(-9, 9, (2, 6)), ("k", "n"))
    head = b.add(Contract(rows, ("n",), ("k",), (), ("h", "w")), [spikes])
    graph = b.finish(b.add(IntegerReadout(), [head]))
    verify(graph)
    images = rng.integers(-128, 128, (BATCH, *shape)).astype(np.int8)
    images[0] = -128
    assert same_as_interpreted(graph, images, in_scan(graph, images)) > 0
    same_as_interpreted(graph, images, in_steps(graph, images))
    assert kinds_in(graph)["Scan"] == 1 + banks


def test_a_gain_whose_lift_does_not_fit_is_shifted_by_mod() -> None:
    """(x + M) / 2^30 would need more than 32 bits; x - Mod(x, 2^30) does not."""
    b = GraphBuilder("integer", 1, "exact")
    image = b.add(Frames(("p",), (2,)), name="image")
    w = b.constant("w", np.array([[4_000_000, -4_000_000], [4_000_000, 100]]), ("n", "p"))
    current = b.add(Contract(w, ("p",), ("n",)), [image])
    scaled = b.add(Gain(b.constant("m", np.array([1, -1]), ("n",)), 30), [current])
    graph = answered(b, neurons(b, scaled, np.array(0), ()), np.array([[1, 2]]))
    images = np.random.default_rng(2).integers(0, 256, (64, 2)).astype(np.uint8)
    images[:3] = [[255, 0], [0, 255], [255, 255]]
    same_as_interpreted(graph, images, in_scan(graph, images))
    assert kinds_in(graph)["Mod"] >= 1


@pytest.mark.parametrize(
    ("low", "high", "shift", "dtype", "lifted"),
    [
        (0, MOST_32, 5, INT32, True),
        (-1, MOST_32, 5, INT32, False),
        (-1, MOST_32 - 32, 5, INT32, True),
        (0, MOST_32 + 1, 5, INT64, True),
        (-5, 5, 31, INT64, True),
        (-(1 << 61), 1 << 61, 61, INT64, True),
        (-5, 5, 0, INT32, True),
    ],
)
def test_types_of_shifts(low: int, high: int, shift: int, dtype: object, lifted: bool) -> None:
    how = floor_shift(low, high, shift)
    assert (how.dtype, how.lift is not None) == (dtype, lifted)
    if how.lift:
        assert how.lift % (1 << shift) == 0
        assert 0 <= low + how.lift <= high + how.lift <= np.iinfo(how.dtype).max
