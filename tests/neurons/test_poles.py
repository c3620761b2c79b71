"""Poles of state spaces: few signed powers of two, and discs that states do not leave."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from certificates import certificate_of, file_of
from neuron_programs import compiled, op_of
from program_outcomes import outcome
from torch import nn

import snncc
from snncc.checker import Rejected, check
from snncc.ir import Graph, GraphBuilder, TypeRuleError, VerifyError, verify
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neurons import State, neuron
from snncc.ir.dialects.projections import Contract, Frames
from snncc.ir.dialects.spiking import Readout
from snncc.ir.digits import signed_digits
from snncc.mfi import Level, prove
from snncc.quantize.poles import MOST_TERMS, TARGET, choose_poles, response_error
from snncc.runtime import interpret
from snncc.semantics.spiking import run_spiking

WIDE = 6
DOMAIN = (-90, 115)


def poles_of(seed: int, size: int = WIDE, slow: float = 5.0) -> np.ndarray:
    """From fast to slow, some real, one of a quarter turn and one that forgets at once."""
    rng = np.random.default_rng(seed)
    lengths = 1.0 - 2.0 ** -rng.uniform(0.1, slow, size)
    found = lengths * np.exp(1j * rng.uniform(-np.pi, np.pi, size))
    found[:3] = 0.75j, 0.0, -0.5
    return found


def pole_graph(poles: np.ndarray, c: np.ndarray, steps: int) -> Graph:
    """Every pole takes a number of its own from each frame; the answer is the sum of Re(C x)."""
    b = GraphBuilder("spiking", steps)
    wide = len(poles)
    frame = b.add(Frames(("t", "f"), (steps, wide), domain=DOMAIN), name="frame")
    current = b.add(Contract(b.constant("one", np.array(1.0))), [frame], name="current")

    def by_pole(stem: str, values: np.ndarray):  # type: ignore[no-untyped-def]
        return b.constant(stem, np.asarray(values, np.float64), ("f",))

    leak = by_pole("real", poles.real)
    states = [
        State(0.0, reads={1: 1.0}),
        State(leak, gain=1.0, reads={2: by_pole("back", -poles.imag)}),
        State(leak, reads={0: by_pole("turn", poles.imag)}),
    ]
    form = {1: by_pole("c", c.real), 2: by_pole("d", -c.imag)}
    op = neuron(b, "n", states, form, None, traced=False)
    graph = b.finish(b.add(Readout(), [b.add(op, [current], name="n")], name="readout"))
    verify(graph)
    return graph


def program_of(seed: int, steps: int) -> tuple[Graph, Graph]:
    rng = np.random.default_rng(seed)
    c = rng.standard_normal(WIDE) + 1j * rng.standard_normal(WIDE)
    real = pole_graph(poles_of(seed), c, steps)
    return real, compiled(real)[0]


def steps_by_hand(op: IntegerNeuron, graph: Graph, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both states of every step in Python's whole numbers, [t, 2, pole], and what is given."""
    leak, reads, form = (graph.constants[p.name] for p in (op.leak, op.reads, op.form))
    shift, carry = op.shift[1], op.carry[1]
    fine = int(graph.constants[op.gain.name][1].max()) >> shift
    found, given = [], []
    for i in range(x.shape[1]):
        p, q = int(leak[1, ..., i]), int(reads[2, 0, ..., i])
        one, two, track = 0, 0, []
        for each in x[:, i].tolist():
            turned = p * one - q * two + carry, q * one + p * two + carry
            one, two = (turned[0] >> shift) + fine * each, turned[1] >> shift
            track.append((one, two))
        found.append(track)
        given.append([int(form[1, ..., i]) * a + int(form[2, ..., i]) * b for a, b in track])
    return np.array(found).transpose(1, 2, 0), np.array(given).T


@pytest.mark.parametrize("steps", [1, 70])
def test_poles_are_near_and_their_discs_hold(steps: int) -> None:
    """By hand, on inputs that push every state as far as they can."""
    for seed in range(4):
        real, program = program_of(seed, steps)
        op, poles = op_of(program), poles_of(seed)
        powers = poles[:, None] ** np.arange(steps)[::-1]
        far = np.where(np.concatenate([powers.real, powers.imag]).T > 0, DOMAIN[1], DOMAIN[0])
        noise = np.random.default_rng(seed).integers(*DOMAIN, (steps, WIDE))
        images = np.stack([far[:, :WIDE], far[:, WIDE:], noise]).astype(np.int8)
        run, values = interpret(program, images), run_spiking(real, images)
        largest = np.zeros(WIDE)
        for image, answer, wanted in zip(images, run.readout, values["readout"], strict=True):
            states, given = steps_by_hand(op, program, image.astype(np.int64))
            assert np.array_equal(given.sum(axis=0), answer)
            most = max(map(abs, op.states_within[1]))
            assert np.abs(states).max() <= most
            largest = np.maximum(largest, np.abs(states).max(axis=(0, 1)))
            size = np.abs(values["n"]).sum(axis=1).max(axis=0)
            assert (
                np.abs(answer * run.logits.max() / run.readout.max() - wanted) <= 0.05 * size
            ).all()
        if steps > 1:
            assert most.bit_length() - int(largest.max()).bit_length() <= 2


def test_terms_are_the_fewest_and_never_leave_the_circle() -> None:
    slow = np.exp(-0.5e-2 + 1j * np.pi * np.arange(16) * 1e-2)
    for poles, steps in ((poles_of(9, 60, 9.0), 64), (slow, 1024)):
        found = choose_poles(poles, steps)
        near = (found.p + 1j * found.q) * 2.0**-found.places
        assert (found.p**2 + found.q**2 < 4**found.places).all()
        lags = np.arange(steps)
        apart = np.abs(near[:, None] ** lags - poles[:, None] ** lags) ** 2
        direct = np.sqrt(apart.sum(axis=1) / (np.abs(poles[:, None] ** lags) ** 2).sum(axis=1))
        assert np.allclose(direct, response_error(near, poles, steps), atol=1e-6)
        assert (direct <= TARGET).all()
        used = [sum(np.abs(d) for d in signed_digits(each)) for each in (found.p, found.q)]
        assert (np.maximum(*used) <= found.terms).all()
        assert found.terms.max() <= MOST_TERMS
    rim = choose_poles(np.array([1.0 - 2.0**-40 + 0j]), 8)
    assert (rim.p**2 + rim.q**2 < 4**rim.places).all()


def changed(program: Graph, **fields: object) -> Graph:
    nodes = [replace(n, op=replace(n.op, **fields)) if n.name == "n" else n for n in program.nodes]
    return replace(program, nodes=tuple(nodes))


def judged(graph: Graph, folder: Path) -> bool:
    """Whether the loader takes a program; the checker says the same, or the test fails."""
    content = file_of(graph, folder)
    found = outcome(content, folder / "p.snncc", run=False)
    assert not found.fault
    return found.verdict == "accepted"


def test_a_pole_is_held_by_the_least_disc_and_by_no_smaller_one(tmp_path: Path) -> None:
    """On both sides of the radius; loader and checker each have a rule of their own."""
    for seed in range(5):
        _, program = program_of(seed, 30)
        op = op_of(program)
        assert prove(program).level is Level.SHIFT_ADD
        assert judged(program, tmp_path)
        low, high = op.states_within[1]
        inner = (op.states_within[0], (low + 1, high), op.states_within[2])
        assert not judged(changed(program, states_within=inner), tmp_path)
        leak = program.constants[op.leak.name].copy()
        turn = np.abs(program.constants[op.reads.name][2, 0]).reshape(-1)
        slowest = int((leak[1].reshape(-1) ** 2.0 + turn**2.0).argmax())
        outside = leak.astype(np.int64)
        outside.reshape(3, -1)[1:, slowest] = 1 << op.shift[1]
        moved = replace(program, constants={**program.constants, op.leak.name: outside})
        with pytest.raises((VerifyError, TypeRuleError)):
            verify(moved)
        content = file_of(moved, tmp_path)
        with pytest.raises(Rejected):
            check(content, certificate_of(program, content))


def test_radii_of_random_poles_are_one_number_for_loader_and_checker(tmp_path: Path) -> None:
    """Constants by hand, up to the rim: what declares the loader's radius the checker takes."""
    _, program = program_of(3, 5)
    op = op_of(program)
    names = {"leak": op.leak.name, "reads": op.reads.name}
    rng, taken = np.random.default_rng(1), 0
    for _ in range(40):
        places = op.shift[1]
        angle, inset = rng.uniform(0.0, 7.0, WIDE), 1.0 - 2.0 ** -rng.uniform(0.0, 12.0, WIDE)
        parts = [np.rint(f(angle) * inset * 2**places).astype(np.int64) for f in (np.cos, np.sin)]
        leak, reads = np.zeros((3, WIDE), np.int64), np.zeros((3, 3, WIDE), np.int64)
        leak[1:], reads[0, 1], reads[1, 2], reads[2, 0] = parts[0], 1, -parts[1], parts[1]
        b = GraphBuilder("integer", program.steps, "exact")
        constants = {**program.constants, names["leak"]: leak, names["reads"]: reads}
        b.share(replace(program, constants=constants))
        frame, current = (program[n] for n in ("frame", "current"))
        b.keep(frame), b.keep(current)
        stored = replace(
            op,
            leak=replace(op.leak, axes=("neuron.state", "f")),
            reads=replace(op.reads, axes=("neuron.state", "neuron.read", "f")),
        )
        states, form = stored.within(current.type, b.context)
        whole = replace(stored, states_within=states, membrane=form)
        last = program[program.output]
        answer = b.add(last.op, [b.add(whole, ["current"], name="n")])
        assert judged(b.finish(answer), tmp_path)
        taken += 1
    assert taken == 40


class Rotor(nn.Module):
    """Two states that turn by a quarter; what holds one of them, or resets both, is no pole's."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.fc = nn.Linear(3, 4, bias=False)
        weight = [[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, -1, 0.5]]
        self.fc.weight.data = torch.tensor(weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # [T, n, 3]
        re = torch.zeros_like(self.fc(x[0]))
        im, total = torch.zeros_like(re), torch.zeros_like(re)
        for frame in x:
            new = 0.0 * re - 0.5 * im + self.fc(frame)
            if self.kind == "held":
                new = torch.clamp(new, max=0.25)
            im, re = 0.0 * im + 0.5 * re, new
            if self.kind == "fires":
                spikes = (re >= 0.5).to(x)
                re, im = re * (1 - spikes), im * (1 - spikes)
            total = total + re
        return total / len(x)


@pytest.mark.parametrize("kind", ["plain", "held", "fires"])
def test_what_turns_and_does_more_is_no_pole(kind: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (8, 3)).astype(np.uint8)
    images[0] = 255
    model = Rotor(kind).eval()
    program = snncc.compile(model, input_shape=(3,), steps=4, layout="sequence", weight_bits=24)
    frames = torch.from_numpy(images / 255.0).repeat(4, 1, 1)
    with torch.no_grad():
        wanted = model.double()(frames).numpy()
    np.testing.assert_allclose(program.run(images).logits, wanted, atol=1e-3)
