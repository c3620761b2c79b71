"""Sums of 64 bits in compiled units: random poles, gains and currents; masks of gates."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from snncc.backends.cpu import fields as f
from snncc.backends.cpu.checking import check_plan
from snncc.backends.cpu.plan.encoding import plan_units
from snncc.backends.cpu.plan.wide_sums import equal_terms
from snncc.ir import Graph, GraphBuilder, Param, verify
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.neurons import READ, STATE
from snncc.ir.dialects.projections import Contract, Frames, Sum
from snncc.ir.op import Context
from snncc.ir.populations import population_nodes
from snncc.runtime import ALL, interpret
from snncc.runtime.proofs.plan_inspection import inspect_plans
from snncc.runtime.simulator import Simulator

SEEDS = range(14)
CASES = ((3, 5), (1, 1), (2, 33), (1, 330))
"""Rows and lanes of what is computed: lanes of more than one tile, axes of one element."""


class Drawn:
    """A program of random poles whose sum a population takes, and of gates behind it."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.steps = 1 if seed % 7 == 3 else int(self.rng.integers(2, 7))
        self.sizes = dict(zip(("r", "k"), CASES[seed % len(CASES)], strict=True))
        self.b = GraphBuilder("integer", self.steps, "exact")
        self.names = 0

    def table(self, low: int, high: int, axes: tuple[str, ...], *lead: int) -> NDArray[np.int64]:
        shape = (*lead, *(self.sizes[name] for name in axes))
        return self.rng.integers(low, high + 1, shape)

    def constant(self, array: NDArray[np.int64], *axes: str) -> Param:
        self.names += 1
        return self.b.constant(f"c{self.names}", array, axes)

    def axes(self) -> tuple[str, ...]:
        options: list[tuple[str, ...]] = [("r", "k"), ("k",), ("r",), ()]
        return options[int(self.rng.integers(4))]

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def current(self) -> str:
        """Weights of 24 bits, selected by bits."""
        given = self.b.add(Frames(("t", "f"), (self.steps, 3), domain=(0, 1)), name="frames")
        weight = self.table(-(1 << 23), 1 << 23, ("r", "k"), 3)
        made = self.b.constant("w", np.moveaxis(weight, 0, -1).copy(), ("r", "k", "f"))
        return self.b.add(Contract(made, ("f",), ("r", "k")), [given])

    def pole(self, source: str, turns: bool) -> str:
        places, axes = int(self.rng.integers(8, 15)), self.axes()
        most = (1 << places) - (1 << (places - 5))
        angle = self.rng.uniform(-np.pi, np.pi, self.table(0, 0, axes).shape)
        length = most * (self.rng.random(angle.shape) if self.chance(0.8) else 0.0 * angle)
        p, q = ((length * part).astype(np.int64) for part in (np.cos(angle), np.sin(angle)))
        zero = np.zeros_like(p)
        half, gain = 1 << (places - 1), 1 << (places + int(self.rng.integers(0, 4)))
        c, d = (self.table(-(1 << 13), 1 << 13, axes) for _ in range(2))
        bias = self.table(-900, 900, axes)
        if turns:
            leak, gains, form = [zero, p, p], [0, gain, 0], [zero, c, d]
            reads = [[zero, zero + 1, zero], [zero, zero, -q], [q, zero, zero]]
            biases, shift, carry = [zero, bias, zero], (0, places, places), (0, half, half)
        else:
            leak, gains, form, biases = [p], [gain], [c], [bias]
            reads, shift, carry = None, (places,), (half if self.chance(0.5) else 0,)
        op = IntegerNeuron(
            leak=self.constant(np.array(leak), STATE, *axes),
            gain=self.constant(np.array(gains), STATE),
            form=self.constant(np.array(form), STATE, *axes),
            bias=self.constant(np.array(biases), STATE, *axes) if self.chance(0.5) else None,
            reads=None if reads is None else self.constant(np.array(reads), STATE, READ, *axes),
            shift=shift,
            carry=carry,
            states_within=((0, 0),) * len(shift),
        )
        context = Context(self.steps, self.b.context.constants)
        states, form_of = op.within(self.b[source].type, context)
        return self.b.add(replace(op, states_within=states, membrane=form_of), [source])

    def total(self, source: str) -> str:
        """Two poles or three, a gain, the current itself; sums of sums, with shifts."""
        terms = [self.pole(source, turns=i > 0 or self.chance(0.5)) for i in range(2)]
        if self.chance(0.7):
            axes = self.axes()
            mantissa = self.constant(self.table(-4000, 4000, axes), *axes)
            terms.append(self.b.add(Gain(mantissa, int(self.rng.integers(0, 9))), [source]))
        if self.chance(0.5):
            terms.append(source)
        if self.chance(0.5):
            inner = self.b.add(Sum((0, 3)), [terms.pop(), self.pole(source, turns=True)])
            terms.append(inner)
        shifts = tuple(int(each) for each in self.rng.integers(0, 5, len(terms)))
        return self.b.add(Sum(shifts), terms)

    def population(self, source: str, name: str) -> str:
        """Any rule, with constants by step or not; thresholds where some spikes are likely."""
        low, high = self.b[source].type.range or (0, 0)
        top, strict = max(2, max(-low, high) >> 6), self.chance(0.4)
        timed = self.chance(0.4)

        def own(low: int, high: int) -> Param:
            lead, axes = ([self.steps] if timed else []), self.axes()
            values = self.table(low, high, axes, *lead)
            values[values == 0] += not values.any()  # a polarity of 0 leaves nothing to be wide
            return self.constant(values, *(["t"] * timed), *axes)

        exact = Rounding.exact_for("gt" if strict else "ge")
        op = IntegerPopulation(
            own(1, top),
            bias=own(-top, top) if self.chance(0.5) else None,
            polarity=own(-1, 1) if self.chance(0.5) else None,
            offset=own(-top, top) if self.chance(0.5) else None,
            decay=[(1, 1), (1, 2), (3, 2), (1, 0), (0, 0)][int(self.rng.integers(5))],
            decay_offset=0,
            reset="soft" if self.chance(0.4) else "hard",
            compare="gt" if strict else "ge",
            rounding=Rounding.TO_ZERO if self.chance(0.3) else exact,
        )
        context = Context(self.steps, self.b.context.constants)
        found = op.membrane_range(self.b[source].type, context)
        return self.b.add(replace(op, membrane=found), [source], name=name)


def drawn(seed: int) -> Graph:
    """Of two such populations the second is a gate, inverted or not, of currents of the first."""
    d = Drawn(seed)
    current = d.current()
    spikes = [d.population(d.total(current), f"spikes{i}") for i in range(2)]
    weight = d.constant(d.table(-99, 99, ("k",)), "k")
    x = d.b.add(Contract(weight, shared=("k",)), [spikes[0]], name="x")
    passed = d.b.add(Gate(d.chance(0.5)), [spikes[1], x], name="passed")
    both = d.b.add(Sum((1, 0)), [passed, x])
    last = d.population(both, "last")
    head = d.constant(d.table(-9, 9, ("r", "k"), 2), "o", "r", "k")
    answer = d.b.add(Contract(head, ("r", "k"), ("o",)), [last])
    graph = d.b.finish(d.b.add(IntegerReadout(), [answer]))
    verify(graph)
    return graph


def frames(graph: Graph, count: int) -> NDArray[np.uint8]:
    shape = (count, *graph["frames"].type.shape)
    return np.random.default_rng(9).integers(0, 2, shape).astype(np.uint8)


def test_random_sums_give_the_interpreters_bits() -> None:
    """Spikes and membranes: of batches, of threads that share rows, of resumed streams."""
    loud: list[bool] = []
    for seed in SEEDS:
        graph, simulator = drawn(seed), Simulator(drawn(seed), 2 if seed % 2 else 1)
        given = frames(graph, 3)
        if seed % 2:
            simulator._threads_for = lambda *_: 2  # type: ignore[method-assign]
            given = given[:1]
        assert simulator.host_units == {}, seed
        wanted, found = interpret(graph, given, ALL), simulator.run(given, ALL)
        assert wanted.spike_counts == found.spike_counts
        for name, spikes in wanted.spikes.items():
            assert np.array_equal(spikes, found.spikes[name]), (seed, name)
            assert np.array_equal(wanted.membranes[name], found.membranes[name]), (seed, name)
            loud.append(0.02 < spikes.mean() < 0.98)
        stream = simulator.stream(given[0], ALL)
        for t in range(graph.steps):
            answer = stream.step()
            for name, spikes in wanted.spikes.items():
                assert np.array_equal(spikes[0, t], answer.spikes[name]), (seed, name, t)
                level = answer.membranes[name]
                assert np.array_equal(wanted.membranes[name][0, t], level), (seed, name, t)
            stream = simulator.resume(stream.state(), ALL)
        assert np.array_equal(answer.readout, wanted.readout[0])
    assert np.mean(loud) > 0.6


def test_plans_of_random_sums_hold() -> None:
    for seed in SEEDS[:6]:
        for proof in inspect_plans(drawn(seed)):
            assert proof.holds, (seed, proof.plan, proof.faults)


UNSEEN = {0: (f.L_P, f.L_Q, f.L_D), 1: (f.L_Q, f.L_D), 3: ()}
"""Coefficients that systems of so many states have not."""


def immaterial(row: NDArray[np.int64], column: int) -> bool:
    """Whether no kernel looks at a cell of a linear system."""
    states = int(row[f.L_STATES])
    unseen = {at + i for at in UNSEEN[states] for i in range(3)}
    unseen |= {0: {f.L_X, f.L_Y, f.L_KEPT, f.L_KEPT_SLOT, f.L_KEPT_ROW}, 1: {f.L_Y}, 3: set()}[
        states
    ]
    for at in (f.L_P, f.L_Q, f.L_C, f.L_D):
        if row[at + 1] == 0 or (row[at + 1] == 1 and states == 0):  # of 1, all is 0 around it
            unseen |= {at, at + 2}
    if row[f.L_KEPT] < 0:
        unseen |= {f.L_KEPT_SLOT, f.L_KEPT_ROW}
    return column in unseen


@pytest.mark.parametrize("stream", [False, True])
def test_the_checker_sees_any_other_cell(stream: bool) -> None:
    """Every number of linear systems and masks, one at a time, and every op on a wide sum."""
    seen = 0
    for seed in (0, 4):
        graph = drawn(seed)
        every = frozenset(node.name for node in population_nodes(graph))
        plan = plan_units(graph, 1 if stream else graph.steps, every, stateful=stream)
        assert check_plan(graph, plan) == ()
        for at in np.ndindex(*plan.linears.shape):
            if not immaterial(plan.linears[at[0]], at[1]) and (at[0] + at[1]) % 2 == stream:
                changed = plan.linears.copy()
                changed[at] += 1
                if at[1] in (f.L_X, f.L_Y, f.L_F):
                    one, next_one = plan.constants[plan.linears[at] :][:2]
                    if np.array_equal(one, next_one):
                        continue
                assert check_plan(graph, replace(plan, linears=changed)), (seed, at)
                seen += 1
        for at in np.ndindex(*plan.masks.shape):
            changed = plan.masks.copy()
            changed[at] = 1 - changed[at] if at[1] == f.M_INVERTED else changed[at] + 8
            if at[1] != f.M_STEP or not stream:
                assert check_plan(graph, replace(plan, masks=changed)), (seed, at)
        moved = ((f.WIDEN, f.O_ADD, 1), (f.WIDEN, f.O_DST, 2), (f.FIRE_WIDE, f.O_DST, 2))
        for kind, column, value in (*moved, (f.WIDEN, f.O_KIND, f.LOAD)):
            changed = plan.ops.copy()
            first = int(np.flatnonzero(plan.ops[:, f.O_KIND] == kind)[0])
            changed[first, column] = value
            assert check_plan(graph, replace(plan, ops=changed)), (seed, kind, column)
    assert seen > 60


def test_numbers_are_equally_many_powers_of_two() -> None:
    values = np.random.default_rng(0).integers(-70000, 70000, (3, 50))
    values[0, :5], values[1, :3] = 0, (1, -1, 1 << 40)
    for some in (values, np.array([[0, 1]]), np.array([[1]]), np.array([[-3, 5]])):
        powers, signs = equal_terms(some)
        assert (powers >= 0).all()
        signed = np.where(signs < 0, -(np.int64(1) << powers), np.int64(1) << powers)
        assert np.array_equal(signed.sum(axis=0), some)
    assert len(equal_terms(np.zeros((2, 2), np.int64))[0]) == 0
