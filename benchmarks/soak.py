"""Random programs through every executor, for as long as there is time: all must give one answer.

    OMP_NUM_THREADS=1 python benchmarks/soak.py --graphs 20000 --images 8 --seed 0 --minutes 60

Programs are built op by op, compiled from random networks, hold general neurons that are drawn
field by field or read from models, counts among what they give, or are loops. Each runs with
event kernels, matrix products in all layers and in some, one thread and two, in single steps and
resumed; one in four also behind sources that drive its numbers to their proved ends. A difference
from the interpreter is printed with its seed, shrunk and written to a folder; the exit code is then
1.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests/helpers")]

from drawn_neurons import network  # noqa: E402
from generators.executors import tried  # noqa: E402
from generators.expressible import features, why_not  # noqa: E402
from generators.inputs import images  # noqa: E402
from generators.networks import compiled  # noqa: E402
from generators.programs import program  # noqa: E402
from generators.saturation import saturated  # noqa: E402
from generators.shrink import shrunk  # noqa: E402
from looped_programs import looped  # noqa: E402
from neuron_programs import compiled as compiled_neurons  # noqa: E402
from neuron_programs import spiking  # noqa: E402
from random_neurons import counting_model, random_model  # noqa: E402

from snncc.artifact import Program, save_program  # noqa: E402
from snncc.diagnostics import SnnccError  # noqa: E402
from snncc.ir import Graph  # noqa: E402
from snncc.ir.dialects.projections import Frames  # noqa: E402
from snncc.runtime import simulator  # noqa: E402

SATURATED = 4
"""One program in so many is saturated."""
EVERY = 20
"""One in so many also runs as "auto" chooses, which measures."""


def stateful(seed: int) -> Graph:
    """General neurons of a random model; of every other seed they fire several times a step."""
    while True:
        model = counting_model(seed) if seed // len(KINDS) % 2 else random_model(seed)
        try:
            return compiled_neurons(spiking(model, 5, 8))[0]
        except SnnccError:  # of numbers beyond what a program holds: another one
            seed += len(KINDS) << 32


DRAWN: dict[str, Callable[[int], Graph]] = {
    "compiled": compiled,
    "built": program,
    "neurons": network,
    "looped": looped,
    "stateful": stateful,
}
KINDS = tuple(DRAWN)


class Soak:
    """Counts of one run.

    Args:
        folder: where programs that differ go.
        count: images of each program.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count
        self.seen: Counter[str] = Counter()
        self.wrong: list[str] = []

    def try_seed(self, seed: int) -> None:
        kind = KINDS[seed % len(KINDS)]
        graph = DRAWN[kind](seed)
        given = images(graph, seed, self.count)
        self.seen[f"{kind} programs"] += 1
        self.seen.update(features(graph))
        expressible = not why_not(graph)
        self.seen["expressible"] += expressible
        rare = seed % EVERY < 2
        self.run(f"{kind} {seed}", graph, given, seed, rare, expressible)
        if seed // len(KINDS) % SATURATED == 0 and not graph.select(Frames)[0].type.temporal:
            for number, driven in enumerate(saturated(graph, seed, 1)):
                self.seen["saturated numbers"] += 1
                self.run(f"{kind} {seed} end {number}", driven.graph, driven.images, seed)

    def run(
        self,
        label: str,
        graph: Graph,
        given: np.ndarray,
        seed: int,
        rare: bool = False,
        expressible: bool = False,
    ) -> None:
        found = tried(graph, given, seed, auto=rare)
        if expressible:
            self.seen["without host units"] += not found.host
        self.seen["with matrix products"] += found.dense
        if not found.differences:
            return
        self.wrong.append(label)
        print(f"{label}: {'; '.join(map(str, found.differences))}", flush=True)

        def wrong(smaller: Graph, pictures: np.ndarray) -> bool:
            return bool(tried(smaller, pictures, seed).differences)

        small, few = shrunk(graph, given, wrong)
        self.folder.mkdir(parents=True, exist_ok=True)
        stem = self.folder / label.replace(" ", "_")
        save_program(stem.with_suffix(".snncc"), Program(small, {}))
        np.save(stem.with_suffix(".npy"), few)
        print(f"  {len(small.nodes)} of {len(graph.nodes)} nodes: {stem}.snncc, {stem}.npy")


def main() -> int:
    """Runs until the graphs or the minutes are used up."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--graphs", type=int, default=20_000)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0, help="the first; the others follow it")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "soak")
    given = parser.parse_args()
    simulator.UPDATES_PER_THREAD = 1  # threads, however small the program is
    soak, start = Soak(given.out, given.images), time.monotonic()
    for done, seed in enumerate(range(given.seed, given.seed + given.graphs)):
        if time.monotonic() - start > 60.0 * given.minutes:
            break
        if done and done % 500 == 0:
            print(f"{done} graphs, {len(soak.wrong)} differences", flush=True)
        soak.try_seed(seed)
    for what, count in sorted(soak.seen.items()):
        print(f"{count:8,} {what}")
    print(f"{len(soak.wrong)} differences in {time.monotonic() - start:.0f} s")
    return 1 if soak.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
