"""What host units cost: one network all compiled, and the same with a unit that the host computes.

    python benchmarks/host_units.py [--channels 16 32 32] [--size 16] [--images 32] [--rounds 9]

Spikes of two populations stand side by side before a convolution ("concat"): the same function as
the sum of a convolution of each ("compiled"), with the same answers, which is checked first. With
"wide" the last current needs more than 32 bits: the host adds it up and its population fires there.
"""

import argparse
import statistics
import sys
import time

import numpy as np

from snncc.ir import Graph, GraphBuilder
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Concat, Contract, Convolve, Frames, Sum
from snncc.runtime.simulator import Simulator

STEPS = 4


class _Network:
    def __init__(self, size: int) -> None:
        self.rng = np.random.default_rng(3)
        self.b = GraphBuilder("integer", STEPS, "exact")
        self.image = self.b.add(Frames(("c", "h", "w"), (3, size, size)), name="image")

    def weight(self, outputs: int, inputs: int) -> np.ndarray:
        return self.rng.integers(-127, 128, (outputs, inputs, 3, 3)).astype(np.int8)

    def conv(self, source: str, weight: np.ndarray) -> str:
        w = self.b.constant("w", weight, ("o", "i", "kh", "kw"))
        op = Convolve(w, "c", "h", "w", "c", "h", "w", padding=(1, 1))
        return self.b.add(op, [source])

    def fire(self, current: str, threshold: int) -> str:
        op = IntegerPopulation(self.b.constant("k", np.array(threshold)))
        interval = op.membrane_range(self.b[current].type, self.b.context)
        fitted = IntegerPopulation(op.threshold, membrane=interval)
        return self.b.add(fitted, [current])

    def answer(self, source: str) -> Graph:
        kind = self.b[source].type.without("t")
        ones = self.rng.integers(-127, 128, (10, *kind.shape)).astype(np.int8)
        w = self.b.constant("r", ones, ("class", *kind.names))
        read = self.b.add(Contract(w, kind.names, ("class",)), [source])
        return self.b.finish(self.b.add(IntegerReadout(None, 1.0), [read]))


def network(channels: tuple[int, int, int], size: int, form: str) -> Graph:
    """One of the three: "compiled", "concat" or "wide"."""
    net = _Network(size)
    first, middle, last = channels
    stem = net.fire(net.conv(net.image, net.weight(first, 3)), 60_000)
    parts = [net.fire(net.conv(stem, net.weight(middle, first)), 700) for _ in range(2)]
    weights = [net.weight(last, middle) for _ in range(2)]
    if form == "concat":
        joined = net.b.add(Concat(("c", "c"), "c"), parts)
        current, scale = net.conv(joined, np.concatenate(weights, axis=1)), 1
    else:
        shift, scale = (20, 1 << 20) if form == "wide" else (0, 1)
        sums = [net.conv(part, w) for part, w in zip(parts, weights, strict=True)]
        current = net.b.add(Sum((shift, shift)), sums)
    return net.answer(net.fire(current, 900 * scale))


def main() -> int:
    """Prints a table of milliseconds, by turns, so that load meets all alike."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--channels", type=int, nargs=3, default=(16, 32, 32))
    parser.add_argument("--size", type=int, default=16)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    forms = ("compiled", "concat", "wide")
    made = {form: Simulator(network(tuple(given.channels), given.size, form), 1) for form in forms}
    images = np.random.default_rng(0).integers(0, 256, (given.images, 3, given.size, given.size))
    taken: dict[str, list[float]] = {form: [] for form in forms}
    answers = {form: simulator.run(images.astype(np.uint8)) for form, simulator in made.items()}
    rate = sum(answers["compiled"].spike_counts.values())
    for form in forms:
        if not np.array_equal(answers[form].readout, answers["compiled"].readout):
            print(f"{form} answers otherwise")
            return 1
    for _ in range(given.rounds):
        for form, simulator in made.items():
            start = time.process_time()
            simulator.run(images.astype(np.uint8))
            taken[form].append(time.process_time() - start)
    print(f"{given.images} images, one thread, {rate:,} spikes; processor time, medians\n")
    print("| network | host units | ms | of the compiled one |\n| --- | --- | ---: | ---: |")
    whole = statistics.median(taken["compiled"])
    for form in forms:
        own = statistics.median(taken[form])
        units = ", ".join(made[form].host_units) or "none"
        print(f"| {form} | {units} | {1e3 * own:.1f} | {own / whole:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
