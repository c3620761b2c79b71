"""Borders of rounding and of domains that no network of the other tests meets."""

import numpy as np
import pytest

from snncc.ir import GraphBuilder, TypeRuleError
from snncc.ir.dialects.integer import IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames, Sum
from snncc.ir.dialects.spiking import Population, Readout
from snncc.mfi.models.domains import Domain, Values
from snncc.quantize.calibration import round_plainly
from snncc.quantize.rounding import BLOCK, Use, round_with_compensation


@pytest.mark.parametrize("columns", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 22])
def test_errors_reach_the_columns_of_every_later_block(columns: int) -> None:
    """Against the same rounding, column by column and without blocks."""
    rng = np.random.default_rng(columns)
    mixing = rng.normal(size=(columns, columns)) * (rng.random((columns, columns)) < 0.1)
    inputs = rng.random((400, columns)) @ (np.eye(columns) + mixing)
    use = Use.of(inputs.T @ inputs / len(inputs))
    rows, grid = rng.normal(size=(5, columns)), np.full((5, 1), 0.1)
    found, lost = round_with_compensation(rows, grid, 31.0, use)
    free, wanted, errors = rows[:, use.order].copy(), np.empty_like(rows), np.zeros(5)
    for k in range(columns):
        whole = np.clip(np.round(free[:, k] / 0.1), -31, 31)
        error = (free[:, k] - whole * 0.1) / use.factor[k, k]
        free[:, k + 1 :] -= error[:, None] * use.factor[k, k + 1 :]
        wanted[:, use.order[k]] = whole
        errors += error**2
    assert np.array_equal(found, wanted)
    np.testing.assert_allclose(lost, errors, rtol=1e-9)
    assert not np.array_equal(found, np.clip(np.round(rows / grid), -31, 31))


@pytest.mark.parametrize("share", [0.9, 0.51, 0.5, 0.49, 0.3, 0.26, 0.13])
def test_a_finer_grid_still_holds_its_largest_weight(share: float) -> None:
    """A map smaller than the one that it meets gets a power of two that its bits can hold."""
    b = GraphBuilder("spiking", 2)
    rng = np.random.default_rng(0)
    image = b.add(Frames(("c",), (6,)), name="image")
    big = rng.uniform(-1, 1, (1, 6))
    big[0, 0] = 1.0
    small = big[:, ::-1] * share
    maps = [
        b.add(Contract(b.constant(name, array, ("k", "c")), ("c",), ("k",)), [image], name=name)
        for name, array in (("big", big), ("small", small))
    ]
    one, v = b.constant("one", np.array(np.pi)), b.constant("v", np.ones((1, 1)), ("o", "k"))
    fired = b.add(Population(one), [b.add(Sum(), maps)], name="fired")
    graph = b.finish(b.add(Readout(), [b.add(Contract(v, ("k",), ("o",)), [fired])]))
    rounded = round_plainly(graph, 12)
    assert rounded.units.exponent["small"] == {0.9: 0, 0.51: 0, 0.5: 1, 0.49: 1, 0.3: 1}.get(
        share, 1 if share == 0.26 else 2
    )
    # Units may end the grid at 0.7 of the largest weight, where that loses less; here it does not.
    for name, array in (("big", big), ("small", small)):
        step = float(rounded.units.grid(name).array)
        assert np.abs(rounded.integers[name] * step - array).max() <= 0.5 * step * (1 + 1e-9)


@pytest.mark.parametrize("unit", [0.0, -0.0, -1.0])
def test_a_readout_counts_in_a_positive_unit(unit: float) -> None:
    """With a unit of 0 all logits were equal, with one below 0 the least were the largest."""
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("c",), (2,)), name="image")
    w = b.constant("w", np.array([[1, -2]], np.int8), ("k", "c"))
    current = b.add(Contract(w, ("c",), ("k",)), [image])
    with pytest.raises(TypeRuleError, match="not positive"):
        b.add(IntegerReadout(unit=unit), [current])
    b.add(IntegerReadout(unit=1e-300), [current])


@pytest.mark.parametrize(
    ("low", "high", "selects"),
    [(0, 1, True), (-1, 1, True), (-1, 0, True), (-2, 1, False), (-2, 0, False), (-1, 2, False)],
)
def test_only_zero_and_one_step_of_either_sign_select(
    low: float, high: float, selects: bool
) -> None:
    for step in (1.0, 0.25):
        domain = Domain(Values.INTEGER, low * step, high * step, step)
        assert domain.selects is selects
