"""Programs, their certificates, and attackers that make a changed program look consistent."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from snncc.artifact import Program, program_digest, save_program
from snncc.artifact.program import canonical
from snncc.ir import Graph, GraphBuilder, Param
from snncc.ir.dialects.integer import Gain, IntegerPopulation, IntegerReadout
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.mfi.certificate import statement


def file_of(graph: Graph, folder: Path) -> bytes:
    """The bytes of a program file, with the right sha256 whatever the graph holds."""
    path = folder / "program.snncc"
    save_program(path, Program(graph, {}))
    return path.read_bytes()


def certificate_of(graph: Graph, program: bytes) -> bytes:
    """The certificate; for a graph that `certify` refuses, what it would say if it did not."""
    sha = program_digest(Program(graph, {}))
    record = statement(graph, sha, hashlib.sha256(program).hexdigest())
    return (canonical(record) + "\n").encode()


def by_step() -> Graph:
    """Constants and weights of all kinds that differ from step to step, and a division by 3."""
    rng = np.random.default_rng(7)
    b = GraphBuilder("integer", 3, "exact")
    image = b.add(Frames(("c", "h", "w"), (2, 4, 4)), name="image")

    def some(stem: str, axes: tuple[str, ...], shape: tuple[int, ...]) -> Param:
        return b.constant(stem, rng.integers(-9, 10, shape), axes)

    banks = some("w", ("t", "o", "i", "y", "x"), (3, 4, 1, 3, 3))
    names = ("c", "h", "w", "k", "h", "w")
    current = b.add(Convolve(banks, *names, (2, 1), (1, 0), (1, 1), 2), [image])
    current = b.add(Gain(some("m", ("t", "k"), (3, 4)), 2), [current])
    sign = b.constant("p", np.array([1, -1]), ("h",))
    fields = (some("b", ("t", "h"), (3, 2)), sign, (11, 5), "hard", "ge", (0, 0), 5)
    op = IntegerPopulation(some("th", ("t", "k"), (3, 4)), *fields, some("of", ("k",), (4,)))
    reached = op.membrane_range(b[current].type, b.context)
    spikes = b.add(replace(op, membrane=reached), [current])
    weight = some("v", ("t", "w", "j", "k"), (3, 2, 5, 4))
    current = b.add(Contract(weight, ("k",), ("j",), ("t", "w")), [spikes])
    bare = b.add(Contract(some("u", ("t", "j", "c"), (3, 5, 2)), ("c",), ("j",), ("t",)), [image])
    both = b.add(Concat(("j", "j"), "j"), [current, current])
    fields = None, None, (1, 1), "soft", "gt"
    op = IntegerPopulation(some("tb", ("t", "h"), (3, 2)), *fields, rounding=Rounding.UP)
    reached = op.membrane_range(b[both].type, b.context)
    fired = b.add(replace(op, membrane=reached), [both])
    twice = b.add(Sum((0, 1)), [bare, bare])
    op = IntegerPopulation(some("tw", ("t", "j"), (3, 5)), decay=(1, 0), reset="soft")
    reached = op.membrane_range(b[twice].type, b.context)
    late = b.add(replace(op, membrane=reached), [twice])
    last = b.add(Contract(some("x", ("j", "j"), (5, 5)), ("j",), ("j",), (), ("h", "w")), [late])
    first = b.add(Contract(some("y", ("j", "j"), (5, 10)), ("j",), ("j",), (), ("h",)), [fired])
    return b.finish(b.add(IntegerReadout(), [b.add(Sum((0, 2)), [last, first])]))


def hand_made(**change: object) -> Graph:
    """Every rule that random networks do not reach: odd leaks, negative thresholds, wide gains."""
    given: dict[str, Any] = {
        "decay": (3, 2),
        "reset": "soft",
        "compare": "gt",
        "threshold": -7,
        "mantissa": [5, -3],
        "shift": 3,
        "weight": 3,
        "decay_offset": 0,
        "offset": None,
        **change,
    }
    given.setdefault("rounding", Rounding.exact_for(given["compare"]))
    b = GraphBuilder("integer", 5, "exact")
    image = b.add(Frames(("h", "w"), (2, 3)), name="image")
    weight = np.array([[given["weight"], -2, 1], [4, 5, -6]])
    current = b.add(Contract(b.constant("w", weight, ("k", "w")), ("w",), ("k",)), [image])
    gain = Gain(b.constant("m", np.array(given["mantissa"]), ("k",)), given["shift"])
    scaled = b.add(gain, [current])
    op = IntegerPopulation(
        b.constant("t", np.array([given["threshold"], 40]), ("k",)),
        b.constant("b", np.array([2, -1]), ("h",)),
        b.constant("p", np.array([-1, 0]), ("h",)),
        given["decay"],
        given["reset"],
        given["compare"],
        decay_offset=given["decay_offset"],
        offset=given["offset"] and b.constant("s", np.array(given["offset"]), ("k",)),
        rounding=given["rounding"],
    )
    reached = op.membrane_range(b[scaled].type, b.context)
    fire = b.add(replace(op, membrane=reached), [scaled])
    head = b.constant("h", np.array([[1, -1], [2, 3]]), ("o", "k"))
    answer = b.add(Contract(head, ("k",), ("o",), (), ("h",)), [fire])
    offset = b.constant("o", np.array([3, -4]), ("o",))
    return b.finish(b.add(IntegerReadout(offset, 0.25), [answer]))


RARE: dict[str, Callable[[], Graph]] = {
    "as it is": hand_made,
    "by step": by_step,
    "a division": lambda: hand_made(decay=(11, 5), decay_offset=9),
    "a division upwards": lambda: hand_made(decay=(11, 5), decay_offset=31, compare="ge"),
    "offsets": lambda: hand_made(offset=(7, -900)),
    "hard reset": lambda: hand_made(reset="hard"),
    "at least": lambda: hand_made(compare="ge", threshold=9),
    "toward zero": lambda: hand_made(rounding=Rounding.TO_ZERO),
    "toward zero, a division": lambda: hand_made(
        rounding=Rounding.TO_ZERO, decay=(11, 5), decay_offset=9
    ),
    "shift leak": lambda: hand_made(decay=(1, 3)),
    "even leak": lambda: hand_made(decay=(2, 2)),
    "no memory": lambda: hand_made(decay=(0, 0)),
    "powers of two": lambda: hand_made(mantissa=[4, -8]),
    "sums beyond 64 bits are never formed": lambda: hand_made(weight=2**40, shift=0),
}
