"""One table of the page: every contender on one network and batch, or the reason why not."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snncc.runtime.counts.synaptic_operations import count_operations
from snncc.runtime.simulator import Simulator
from speed.networks import Network
from speed.rounds import (
    Contender,
    Measured,
    Refused,
    difference,
    measure,
    plain,
    prepared,
    ratios,
    reason,
    tell,
    times,
)

OURS = "ours"
Answer = NDArray[Any]


@dataclass
class CompileTime:
    """Seconds that torch.compile may still take, over all networks."""

    left: float


@dataclass
class Field:
    """Who takes part, and who cannot."""

    taking_part: list[Contender] = field(default_factory=list[Contender])
    refused: dict[str, str] = field(default_factory=dict[str, str])

    def enter(
        self, name: str, make: Callable[[], Contender], check: Callable[[Answer], str] | None = None
    ) -> None:
        """Makes a contender; whatever goes wrong in another library is the reason given.

        Args:
            name: for the page, should it be refused.
            make: the contender.
            check: says how its answer differs from another; may refuse it.
        """
        tell(f"  {name}")
        try:
            made = prepared(make)
            checked = made.checked if check is None else check(made.answer())
            self.taking_part.append(replace(made, checked=checked))
        except Exception as error:  # a library that fails must not end the benchmark of the others
            self.refused[name] = reason(error)

    def rows(self, rounds: int) -> list[dict[str, Any]]:
        """Measures; ours first."""
        tell(f"  {rounds} rounds")
        found = measure(self.taking_part, rounds)
        ours = next(m for m in found if m.contender.name == OURS)
        return [
            *(_row(ours, each) for each in found),
            *({"name": name, "refused": why} for name, why in self.refused.items()),
        ]


def compare(
    network: Network, batch: int, threads: int, rounds: int, compile_time: CompileTime
) -> dict[str, Any]:
    """All contenders on the same images."""
    from speed import onnx_contenders, torch_contenders

    entered = Field()
    simulator, images = Simulator(network.graph, threads), network.images[:batch]
    entered.taking_part.append(
        prepared(lambda: Contender(OURS, lambda: simulator.run(images).readout))
    )
    entered.enter("SpikingJelly", lambda: torch_contenders.spiking_jelly(network, batch))
    original = cache(lambda: torch_contenders.spiking_jelly(network, batch).answer())

    def as_original(answer: Answer) -> str:
        return f"against SpikingJelly: {difference(original(), answer)}"

    def same_bits(answer: Answer) -> str:
        if not np.array_equal(simulator.run(images).readout, answer):
            raise Refused("its answer is not that of ours")
        return "equal bits"

    for name, make in {
        "SpikingJelly, compiled": lambda: _compiled(network, batch, threads, compile_time),
        "snnTorch": lambda: torch_contenders.snn_torch(network, batch),
        "Norse": lambda: torch_contenders.norse(network, batch),
        "float ONNX": lambda: onnx_contenders.float_onnx(network, batch, threads),
    }.items():
        entered.enter(name, make, as_original)
    dense = "dense integer ONNX"
    entered.enter(
        dense, lambda: onnx_contenders.dense_integer_onnx(network, batch, threads), same_bits
    )
    counts = count_operations(network.graph, images)
    return {
        "network": network.name,
        "batch": batch,
        "steps": network.graph.steps,
        "spike_rate": 1 - counts.activation_sparsity,
        "synaptic_operations": counts.total("accumulates"),
        "rows": entered.rows(rounds),
    }


def _compiled(network: Network, batch: int, threads: int, time_left: CompileTime) -> Contender:
    """Compiled ahead by another process, which may be ended; here from its cache."""
    from speed.torch_contenders import compiled_ahead, spiking_jelly

    if time_left.left <= 0:
        raise Refused("no time is left for torch.compile (--compile-limit)")
    start = time.perf_counter()
    try:
        compiled_ahead(network.name, batch, time_left.left, threads)
        contender = spiking_jelly(network, batch, compiled=True)
        contender.answer()
        return contender
    finally:
        time_left.left -= time.perf_counter() - start


def _row(ours: Measured, each: Measured) -> dict[str, Any]:
    return {
        "name": each.contender.name,
        "prepare_s": float(f"{each.contender.prepare_s:.3g}"),
        "warm_up_s": float(f"{each.warm_up_s:.3g}"),
        "seconds": plain(times(each)),
        "ratio": plain(ratios(ours, each)),
        "note": each.contender.note,
        "checked": each.contender.checked,
    }
