"""Second names of axes: cut as their originals are, and given up where nothing needs them."""

from snncc.frontends.torch_recorder.axis_solver import AxisSolver, Dim
from snncc.frontends.torch_recorder.twins import Twins


def sizes(solver: AxisSolver, dim: Dim) -> list[int]:
    return [solver.size(atom) for atom in solver.roots(dim)]


def made() -> tuple[AxisSolver, Twins, Dim, Dim]:
    solver = AxisSolver()
    twins = Twins(solver)
    tokens = (solver.atom("n", 12),)
    return solver, twins, tokens, twins.twin(tokens)


def test_a_twin_that_never_meets_its_original_is_it() -> None:
    solver, twins, tokens, twin = made()
    assert solver.roots(twin) != solver.roots(tokens)
    twins.settle([(tokens,), (twin,)])
    assert solver.roots(twin) == solver.roots(tokens)


def test_rows_and_columns_of_one_value_stay_two() -> None:
    for values in (True, False):
        solver, twins, tokens, twin = made()
        if not values:
            twins.apart([tokens, twin])
        twins.settle([(tokens, twin)] if values else [])
        assert solver.roots(twin) != solver.roots(tokens)


def test_both_are_cut_alike_whichever_a_reshape_cuts() -> None:
    for which in (0, 1):
        solver, twins, tokens, twin = made()
        other = (solver.atom("k", 12),)
        twins.pair(other, twin)
        twins.apart([tokens, twin, other])
        solver.reshape([(tokens, twin)[which]], (3, 4))
        solver.reshape([other], (6, 2))
        twins.settle([])
        assert sizes(solver, tokens) == sizes(solver, twin) == sizes(solver, other) == [3, 2, 2]
        assert not set(solver.roots(tokens)) & {*solver.roots(twin), *solver.roots(other)}


def test_a_twin_of_a_twin_is_a_third_axis() -> None:
    solver, twins, tokens, twin = made()
    second = twins.twin(twin)
    twins.settle([(tokens, twin), (twin, second)])
    assert len({solver.roots(dim) for dim in (tokens, twin, second)}) == 3
