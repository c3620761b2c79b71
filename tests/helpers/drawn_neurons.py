"""Neurons of several states in integers, at random: every field of the op, small and large."""

from dataclasses import replace

import numpy as np

from snncc.ir import Graph, GraphBuilder, Param, VerifyError, verify
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.integer import IntegerReadout
from snncc.ir.dialects.integer_neurons import IntegerNeuron
from snncc.ir.dialects.neurons import READ, STATE
from snncc.ir.dialects.projections import Contract, Frames, Sum
from snncc.ir.op import Context, TooWide
from snncc.ir.types import TIME

BITS = (2, 9, 16, 26)
"""Of shifts; with the last ones sums need more than 32 bits."""


def drawn(
    rng: np.random.Generator, b: GraphBuilder, current: str, fires: bool = True
) -> IntegerNeuron:
    """Neurons that a current over `r` and `k` drives, their intervals as they are reached."""
    n, steps = int(rng.integers(1, 4)), b.context.steps
    bits = int(rng.choice(BITS))

    def maybe(share: float) -> bool:
        return bool(rng.random() < share)

    def param(what: str, low: int, high: int, *lead: str) -> Param:
        """Over the states, and perhaps over the neurons."""
        sizes = {STATE: n, READ: n} | {axis.name: axis.size for axis in b[current].type.axes}
        own: list[tuple[str, ...]] = [(), (), ("k",), ("k", "r")]
        axes = (*lead, *own[int(rng.integers(4))])
        shape = [sizes[axis] for axis in axes]
        values = rng.integers(low, high + 1, shape)
        if lead == (STATE, READ):
            values[np.arange(n), np.arange(n)] = 0
        return b.constant(what, values.astype(np.int64), axes)

    def flags() -> tuple[bool, ...]:
        found = tuple(maybe(0.5) for _ in range(n))
        return found if any(found) else ()

    most = b[current].type.range or (0, 0)
    reach = max(1, -most[0], most[1])
    shift = tuple(int(rng.integers(0, bits + 1)) for _ in range(n))
    unit = 1 << max(shift)
    floor, low = flags(), flags() if fires else ()
    timed = (TIME,) if maybe(0.3) else ()
    op = IntegerNeuron(
        leak=param("leak", -(1 << min(shift)) // 4, 1 << min(shift), STATE),
        gain=param("gain", 0, unit, STATE),
        form=param("form", -1, 3, STATE),
        threshold=param("level", 1, 2 * reach, *timed) if fires else None,
        compare=str(rng.choice(["ge", "gt"])),
        bias=param("bias", -reach, reach, STATE, *timed) if maybe(0.5) else None,
        reads=param("reads", -(unit // 4), unit // 4, STATE, READ) if maybe(0.5) else None,
        late=param("late", -2, reach, STATE) if fires and maybe(0.4) else None,
        keep=param("keep", 0, 3, STATE) if fires and maybe(0.4) else None,
        amount=param("amount", -reach, reach, STATE) if fires and maybe(0.5) else None,
        takes=param("takes", 0, 1, STATE, READ) if fires and maybe(0.3) else None,
        start=param("first", -reach, reach, STATE) if maybe(0.4) else None,
        floor=param("floor", -2 * reach, 0, STATE) if floor else None,
        low=param("low", -2 * reach, 0, STATE) if low else None,
        swallow=flags() if fires and maybe(0.3) else (),
        has_floor=floor,
        has_low=low,
        shift=shift,
        carry=tuple(int(rng.integers(1 << each)) for each in shift) if maybe(0.5) else (),
        reset_shift=tuple(int(rng.integers(0, 3)) for _ in range(n)) if maybe(0.4) else (),
        states_within=((0, 0),) * n,
    )
    context = Context(steps, b.context.constants)
    states, form = op.within(b[current].type, context)
    return replace(op, states_within=states, membrane=form)


def network(seed: int) -> Graph:
    """Two layers of such neurons, each reading its own spikes, perhaps with one that never fires.

    Lanes fill a register, or not; there are one to three rows of them.
    """
    rng = np.random.default_rng(seed)
    while True:
        try:
            return _network(rng)
        except (TooWide, VerifyError):  # of more than 62 bits: another one
            continue


def _network(rng: np.random.Generator) -> Graph:
    steps, wide = int(rng.integers(1, 8)), int(rng.choice([1, 5, 16, 31, 40, 70]))
    b = GraphBuilder("integer", steps, "exact")
    rows = int(rng.integers(1, 4))
    last = b.add(Frames(("t", "r", "f"), (steps, rows, 3), domain=(0, 1)), name="frames")
    axis, size = "f", 3
    for layer in range(2):
        weight = rng.integers(-9, 12, (wide, size)).astype(np.int8)
        given = b.add(Contract(b.constant("w", weight, ("k", axis)), (axis,), ("k",)), [last])
        back = int(rng.integers(1, 4))
        start = b.constant("before", np.ones(wide, np.int8), ("k",))
        past = b.add(Delay(back, "spike", ("r", "k"), (rows, wide), (0, 1), start), name="past")
        own = b.constant("r", rng.integers(-4, 4, (wide, wide)).astype(np.int8), ("k", "k"))
        total = b.add(Sum(), [given, b.add(Contract(own, ("k",), ("k",)), [past])])
        if rng.random() < 0.3:
            total = b.add(drawn(rng, b, total, fires=False), [total], name="silent")
        last = b.add(drawn(rng, b, total), [total], name=f"neurons{layer}")
        b.close(past, last)
        axis, size = "k", wide
    head = b.constant("head", rng.integers(-3, 4, (2, wide)).astype(np.int8), ("o", "k"))
    answer = b.add(Contract(head, ("k",), ("o",)), [last])
    graph = b.finish(b.add(IntegerReadout(), [answer]))
    verify(graph)
    return graph
