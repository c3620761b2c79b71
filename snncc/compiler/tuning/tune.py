"""Moves weights to other integers of their grid, so that answers stay those of the network.

The start is the rounded program. Each weight has a real number beside its integer; what the network
computes with is that number rounded (straight-through gradient). Only integers change: units,
thresholds and biases stay, and with them what is proved of folds. The target are the answers and
spikes of the network in real numbers on the same images; labels are not needed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax

from snncc.compiler.tuning.network import answers
from snncc.ir import Graph, Node
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.quantize.calibration import Rounded
from snncc.quantize.units import Bits, Units, largest_weight, row_place

STEPS = 160
"""Of learning, at most."""
BATCH = 40
RATE = 0.01
"""Of learning, in mean sizes of a map's weights."""
MATCH = 0.1
"""How much differing spikes count beside differing answers."""
LOOK = 20
"""Steps between two looks at images that are held back..."""
PATIENCE = 4
"""... of which so many in a row may be no better than the best."""
WARM = 10
"""Steps in which the rate of learning rises."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Tuned:
    """What tuning found.

    Attributes:
        rounded: the start with other integers.
        steps: of learning.
        best: step of the best divergence on images that were held back; 0: the start.
        moved: share of weights with another integer.
    """

    rounded: Rounded
    steps: int
    best: int
    moved: float


def tune(
    graph: Graph,
    bits: Bits,
    start: Rounded,
    images: NDArray[np.uint8],
    held: NDArray[np.uint8],
    seed: int = 0,
    progress: Progress | None = None,
) -> Tuned:
    """Learns integers.

    Args:
        graph: spiking dialect, folded.
        bits: of every map's weights.
        start: what rounding found.
        images: to learn from.
        held: others, which decide what is best and when it is enough.
        seed: of the order in which images are looked at; the same seed gives the same program.
        progress: called with steps done and their total.

    Raises:
        SnnccError: SNN040 for an op that tuning has no form for.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums are split by threads: their number would change bits
    try:
        return _Tuning(graph, bits, start).learn(images, held, seed, progress)
    finally:
        torch.set_num_threads(threads)


class _Tuning:
    """Latent numbers of all weights, in steps of their grids."""

    def __init__(self, graph: Graph, bits: Bits, start: Rounded) -> None:
        self.graph, self.start = graph, start
        self.real = {
            name: torch.from_numpy(np.asarray(array, np.float32).copy())
            for name, array in graph.constants.items()
        }
        self.rounded = dict(self.real)
        self.steps: dict[str, Tensor] = {}
        self.latent: dict[str, Tensor] = {}
        self.largest: dict[str, float] = {}
        self.weights: dict[str, str] = {}
        for node in graph.select(Contract, Convolve):
            if not isinstance(node.op, Contract | Convolve):
                continue
            name, integers = node.name, start.integers[node.name]
            step = _steps(start.units, node, integers.ndim)
            whole = torch.tensor(integers, dtype=torch.float32)
            self.rounded[node.op.weight.name] = whole * step
            if name not in start.units.on_grid and integers.any():
                self.weights[name], self.steps[name] = node.op.weight.name, step
                self.latent[name] = whole.requires_grad_()
                self.largest[name] = largest_weight(bits[name])

    def learn(
        self,
        images: NDArray[np.uint8],
        held: NDArray[np.uint8],
        seed: int,
        progress: Progress | None,
    ) -> Tuned:
        rng = np.random.default_rng(seed)
        shown, judging = (torch.from_numpy(each.astype(np.float32)) for each in (images, held))
        targets, wanted = self._targets(shown), self._targets(judging)
        groups = [
            {"params": [x], "base": RATE * float(x.detach().abs().mean())}
            for x in self.latent.values()
        ]
        optimizer = torch.optim.Adam(groups, lr=0.0)
        best, at, kept = self._judge(judging, wanted[0]), 0, self._integers()
        order, step = np.zeros(0, np.int64), 0
        for step in range(1, STEPS + 1):
            if len(order) < min(BATCH, len(shown)):
                order = rng.permutation(len(shown))
            chosen, order = order[:BATCH], order[BATCH:]
            factor = min(1.0, step / WARM) * 0.5 * (1.0 + np.cos(np.pi * (step - 1) / STEPS))
            for group in optimizer.param_groups:
                group["lr"] = group["base"] * factor
            loss = self._loss(shown[chosen], chosen, targets)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if step % LOOK == 0:
                found = self._judge(judging, wanted[0])
                if found < best:
                    best, at, kept = found, step, self._integers()
                elif step - at >= LOOK * PATIENCE:
                    break
            if progress is not None:
                progress(step, STEPS)
        before = self.start.integers
        moved = sum(int((kept[n] != before[n]).sum()) for n in kept)
        total = sum(each.size for each in before.values())
        rounded = replace(self.start, integers={**before, **kept})
        return Tuned(rounded, step, at, moved / max(1, total))

    def _constants(self) -> Mapping[str, Tensor]:
        """Those of the network whose weights are rounded."""
        found = dict(self.rounded)
        for name, latent in self.latent.items():
            most = self.largest[name]
            inside = torch.clamp(latent, -most, most)
            whole = inside + (torch.round(inside) - inside).detach()
            found[self.weights[name]] = whole * self.steps[name]
        return found

    def _targets(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Answers and spikes of the network in real numbers."""
        logits, spikes = list[Tensor](), dict[str, list[Tensor]]()
        with torch.no_grad():
            for part in images.split(BATCH):
                own, fired = answers(self.graph, part, self.real)
                logits.append(own.flatten(1))
                for name, each in fired.items():
                    spikes.setdefault(name, []).append(each.to(torch.uint8))
        return torch.cat(logits), {name: torch.cat(parts) for name, parts in spikes.items()}

    def _loss(
        self, images: Tensor, chosen: NDArray[np.int64], targets: tuple[Tensor, dict[str, Tensor]]
    ) -> Tensor:
        own, fired = answers(self.graph, images, self._constants())
        lost = _divergence(own.flatten(1), targets[0][chosen])
        for name, spikes in fired.items():
            wanted = targets[1][name][chosen].float()
            usual = max(float(wanted.mean()), 0.01) * len(fired)
            lost = lost + MATCH * ((spikes - wanted) ** 2).mean() / usual
        return lost

    def _judge(self, images: Tensor, wanted: Tensor) -> float:
        with torch.no_grad():
            constants = self._constants()
            parts = [answers(self.graph, p, constants)[0].flatten(1) for p in images.split(BATCH)]
            return float(_divergence(torch.cat(parts), wanted))

    def _integers(self) -> dict[str, NDArray[np.int64]]:
        found: dict[str, NDArray[np.int64]] = {}
        for name, latent in self.latent.items():
            most = self.largest[name]
            whole = torch.round(torch.clamp(latent.detach(), -most, most))
            found[name] = whole.numpy().astype(np.int64)
        return found


def _divergence(own: Tensor, wanted: Tensor) -> Tensor:
    """The mean over images of sum p log(p / q), p the softmax of what is wanted, q of the own."""
    ours, others = log_softmax(own, -1), log_softmax(wanted, -1)
    return kl_div(ours, others, log_target=True, reduction="batchmean")


def _steps(units: Units, node: Node, dimensions: int) -> Tensor:
    """The step of a map's grid over the axes of its weight."""
    grid, place = units.grid(node.name).array, row_place(node)
    shape = [1] * dimensions
    if place is not None:
        shape[place] = grid.size
    return torch.from_numpy(np.asarray(grid, np.float32).reshape(shape).copy())
