"""A few hundred random programs through every executor; `benchmarks/soak.py` runs thousands."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checked_plans import checked_plan
from generators import executors
from generators.executors import Tried, tried
from generators.expressible import features, why_not
from generators.inputs import images
from generators.networks import compiled
from generators.programs import program
from generators.saturation import Driven, reached, saturated
from generators.shrink import shrunk
from random_programs import program_images, random_program

from snncc.backends.cpu.plan.encoding import plan_units
from snncc.backends.cpu.plan.unit_plan import UnitPlan
from snncc.ir import Graph, verify
from snncc.runtime import ALL, Execution, interpret

BUILT, COMPILED, ENDS = range(1000, 1120), range(2000, 2050), range(3000, 3020)
AT_ONCE = 10
CHECKED = 4
"""One plan in so many is checked: a check takes longer than a small program through all ways."""
LONG = 16
"""Of programs with more steps, whose checks take seconds, a fourth of that."""


@pytest.fixture(autouse=True)
def one_plan_in_a_few_is_checked(
    every_plan_is_checked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs have about seven plans each, so that the checks meet every kind of plan."""
    made = count()

    def plan(graph: Graph, *args: Any, **kwargs: Any) -> UnitPlan:
        often = CHECKED if graph.steps <= LONG else 4 * CHECKED
        chosen = plan_units if next(made) % often else checked_plan
        return chosen(graph, *args, **kwargs)

    monkeypatch.setattr("snncc.runtime.simulator.plan_units", plan)


@cache
def graph_of(made: Callable[[int], Graph], seed: int) -> Graph:
    return made(seed)


@cache
def ends_of(seed: int) -> tuple[Driven, ...]:
    """Both ends of one number of a program."""
    return tuple(saturated(program(seed) if seed % 2 else compiled(seed), seed, 1))


@cache
def outcome(made: Callable[[int], Graph], seed: int) -> Tried:
    graph = graph_of(made, seed)
    return tried(graph, images(graph, seed, 4), seed, auto=seed % 40 == 0)


def wrong(made: Callable[[int], Graph], seeds: range) -> list[str]:
    found = [(seed, outcome(made, seed).differences) for seed in seeds]
    return [f"seed {seed}: {'; '.join(map(str, each))}" for seed, each in found if each]


@pytest.mark.parametrize("start", BUILT[::AT_ONCE])
def test_every_executor_gives_the_interpreters_bits(start: int) -> None:
    assert wrong(program, range(start, start + AT_ONCE)) == []


@pytest.mark.parametrize("start", COMPILED[::AT_ONCE])
def test_compiled_networks_are_alike_in_every_executor(start: int) -> None:
    assert wrong(compiled, range(start, start + AT_ONCE)) == []


@pytest.mark.parametrize("start", ENDS[::AT_ONCE])
def test_numbers_at_their_proved_ends_are_alike_in_every_executor(start: int) -> None:
    found: list[str] = []
    for seed in range(start, start + AT_ONCE):
        for driven in ends_of(seed):
            done = tried(driven.graph, driven.images, seed)
            found += [f"seed {seed}: {each}" for each in done.differences]
    assert found == []


def test_ends_are_attained_and_never_passed() -> None:
    ends: Counter[str] = Counter()
    for seed in ENDS:
        for driven in ends_of(seed):
            found = reached(driven, interpret(driven.graph, driven.images, ALL).membranes)
            if found is not None:
                assert driven.holds(found), seed
                ends["attained" if found == driven.bound else "short"] += 1
    assert ends["attained"] >= 3 * ends["short"] > 0


@pytest.mark.parametrize(("made", "seeds"), [(program, BUILT), (compiled, COMPILED)])
def test_compiled_units_are_reached_by_what_they_can_express(
    made: Callable[[int], Graph], seeds: range
) -> None:
    """By all of them; and the host computes something where the generator says that it must."""
    host = {seed: outcome(made, seed).host for seed in seeds}
    expressible = [seed for seed in seeds if not why_not(graph_of(made, seed))]
    assert len(expressible) >= 0.6 * len(seeds)
    assert {seed: host[seed] for seed in expressible if host[seed]} == {}
    assert [seed for seed in seeds if seed not in expressible and not host[seed]] == []


def test_what_generators_used_to_miss_is_drawn() -> None:
    seen = Counter(f for seed in BUILT for f in features(graph_of(program, seed)))
    wanted = {
        *("equal taps", "a hundred equal taps", "groups", "groups dilated"),
        *("a current at 15 bits", "a current at 31 bits", "17 wide", "33 wide", "65 wide"),
        *("1 steps", "64 steps", *(f"side by side, axis {n}" for n in range(3))),
    }
    assert {each for each in wanted if not seen[each]} == set()
    products = sum(outcome(program, seed).dense for seed in BUILT)
    assert products >= len(BUILT) // 2


def test_a_wrong_answer_is_seen_in_every_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison itself: with another reference every way of running must differ."""

    def other(graph: Graph, given: np.ndarray, record: object = None) -> Execution:
        done = interpret(graph, given, ALL)
        return replace(done, readout=done.readout + 1)

    monkeypatch.setattr(executors, "interpret", other)
    graph = random_program(6)
    found = tried(graph, program_images(6, 4), 4)
    assert found.host == {}
    ways = {each.way.split(",")[0] for each in found.differences}
    assert {"event", "dense", "some dense", "resumed stream", "torch"} <= ways


def test_a_fault_is_cut_out_of_the_program_around_it(tmp_path: Path) -> None:
    """Shrinking keeps what shows the fault: here, any program with a gain."""
    graph = next(g for g in map(program, range(50)) if any(_gains(g)) and len(g.nodes) > 15)
    given = images(graph, 0, 4)
    small, few = shrunk(graph, given, lambda g, _: any(_gains(g)))
    verify(small)
    assert any(_gains(small))
    assert len(small.nodes) < len(graph.nodes)
    assert len(few) == 2


def _gains(graph: Graph) -> list[bool]:
    return [node.op.mnemonic == "gain" for node in graph.nodes]
