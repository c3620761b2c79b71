"""Learns the units of currents, so that a program's answers stay those of the network.

The start is the rounded program. Its integers stay as they are; what changes is in which real unit
each channel's currents are counted, and so where its thresholds lie between the sums of its
weights. Thresholds and biases of the network stay, and with them what is proved of folds. The
target are answers and spikes of the network in real numbers on the same images: no labels.

Learning integers too was tried and is worse: they make up for one another's rounding, and a few
that move together undo it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax

from snncc.compiler.tuning.network import answers
from snncc.ir import Graph, Node
from snncc.ir.dialects.projections import Contract, Convolve
from snncc.passes.named import Named
from snncc.quantize.calibration import Rounded
from snncc.quantize.units import Units, row_place, unit_classes

STEPS = 100
"""Of learning, at most."""
BATCH = 40
RATE = 0.01
"""Of learning the logarithms of units."""
MATCH = 0.1
"""How much differing spikes count beside differing answers."""
LOOK = 10
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
        rounded: the start with other units.
        steps: of learning.
        best: step of the best divergence on images that were held back; 0: the start.
    """

    rounded: Rounded
    steps: int
    best: int


def tune(
    graph: Graph,
    start: Rounded,
    images: NDArray[np.uint8],
    held: NDArray[np.uint8],
    seed: int = 0,
    progress: Progress | None = None,
) -> Tuned:
    """Learns units.

    Args:
        graph: spiking dialect, folded.
        start: what rounding found, in units of `choose_units`.
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
        return _Tuning(graph, start).learn(images, held, seed, progress)
    finally:
        torch.set_num_threads(threads)


class _Tuning:
    """Logarithms of by how much units change, one for each class of currents that share one."""

    def __init__(self, graph: Graph, start: Rounded) -> None:
        self.graph, self.start = graph, start
        self.real = {
            name: torch.as_tensor(np.asarray(array, np.float32).copy())
            for name, array in graph.constants.items()
        }
        classes, self.axes = unit_classes(graph)
        self.classes = {name: torch.as_tensor(ids) for name, ids in classes.items()}
        count = 1 + max(int(ids.max()) for ids in classes.values())
        self.units = torch.zeros(count, requires_grad=True)
        self.free = torch.ones(count)
        for name in start.units.on_grid:  # of these nothing is rounded
            self.free[self.classes[name]] = 0.0
        self.rounded: dict[str, tuple[str, Tensor, list[int]]] = {}
        for node in graph.select(Contract, Convolve):
            if isinstance(node.op, Contract | Convolve):
                weight = _weight(start, node)
                shape = _by_row(node, weight.dim())
                self.rounded[node.name] = node.op.weight.name, weight, shape

    def learn(
        self,
        images: NDArray[np.uint8],
        held: NDArray[np.uint8],
        seed: int,
        progress: Progress | None,
    ) -> Tuned:
        rng = np.random.default_rng(seed)
        shown, judging = (torch.as_tensor(each.astype(np.float32)) for each in (images, held))
        targets, (wanted, _) = self._targets(shown), self._targets(judging)
        optimizer: Any = torch.optim.Adam([self.units], lr=0.0)
        best, at, kept = self._judge(judging, wanted), 0, self.units.detach().clone()
        order, step = np.zeros(0, np.int64), 0
        for step in range(1, STEPS + 1):
            if len(order) < min(BATCH, len(shown)):
                order = rng.permutation(len(shown))
            chosen, order = order[:BATCH], order[BATCH:]
            falling = 0.5 * (1.0 + float(np.cos(np.pi * (step - 1) / STEPS)))
            for group in optimizer.param_groups:
                group["lr"] = RATE * min(1.0, step / WARM) * falling
            loss = self._loss(shown[chosen], chosen, targets)
            optimizer.zero_grad()
            cast("Any", loss).backward()
            optimizer.step()
            if progress is not None:
                progress(step, STEPS)
            if step % LOOK == 0:
                found = self._judge(judging, wanted)
                if found < best:
                    best, at, kept = found, step, self.units.detach().clone()
                elif step - at >= LOOK * PATIENCE:
                    break
        units = self._changed((kept * self.free).numpy().astype(np.float64))
        return Tuned(replace(self.start, units=units), step, at)

    def _constants(self) -> Mapping[str, Tensor]:
        """Those of the network with rounded weights, in the units as they are now."""
        found, scale = dict(self.real), torch.exp(self.units * self.free)
        for name, (weight, rounded, shape) in self.rounded.items():
            found[weight] = rounded * scale[self.classes[name]].reshape(shape)
        return found

    def _targets(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Answers and spikes of the network in real numbers."""
        logits, spikes = list[Tensor](), dict[str, list[Tensor]]()
        with torch.no_grad():
            for part in torch.split(images, BATCH):
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
            batches = torch.split(images, BATCH)
            parts = [answers(self.graph, p, constants)[0].flatten(1) for p in batches]
            return float(_divergence(torch.cat(parts), wanted))

    def _changed(self, logarithms: NDArray[np.float64]) -> Units:
        """The start's units, each times what was learned of its class."""
        unit: dict[str, Named] = {}
        for name, own in self.start.units.unit.items():
            factor = np.exp(logarithms[self.classes[name].numpy()])
            if len(factor) == 1 or (factor == factor[0]).all():
                unit[name] = own * Named.scalar(float(factor[0]))
            else:
                unit[name] = own * Named((self.axes[name] or "",), factor)
        return replace(self.start.units, unit=unit)


def _weight(start: Rounded, node: Node) -> Tensor:
    """A map's weight as rounded, in real numbers."""
    integers = start.integers[node.name]
    grid = np.asarray(start.units.grid(node.name).array)
    grid = grid.reshape(_by_row(node, integers.ndim)) if grid.size > 1 else grid.reshape(())
    return torch.as_tensor(np.asarray(integers * grid, np.float32))


def _by_row(node: Node, dimensions: int) -> list[int]:
    """Shape of what has a number for each row of a map, over the axes of its weight."""
    shape, place = [1] * dimensions, row_place(node)
    if place is not None:
        shape[place] = -1
    return shape


def _divergence(own: Tensor, wanted: Tensor) -> Tensor:
    """The mean over images of sum p log(p / q), p the softmax of what is wanted, q of the own."""
    ours, others = log_softmax(own, -1), log_softmax(wanted, -1)
    return kl_div(ours, others, log_target=True, reduction="batchmean")
