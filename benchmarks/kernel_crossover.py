"""Event kernels against matrix products: time over activity, and where they cross.

    OMP_NUM_THREADS=1 python benchmarks/kernel_crossover.py [--rows 196] [WIDTH ...]

A square layer of each width, int8 weights, four steps of one image, one processor. The product is
that of onnxruntime where it is installed, otherwise NumPy's.
"""

import argparse

import numpy as np

from snncc.backends.cpu.dense.choice import projections_of_spikes
from snncc.backends.cpu.dense.products import library
from snncc.backends.cpu.dense.timing import Measurement
from snncc.ir import Graph, GraphBuilder
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames

STEPS = 4
WIDTHS = (64, 128, 256, 512, 1024, 2048)
RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)


def layer(rows: int, width: int) -> Graph:
    """Rows of spikes through a square matrix."""
    b = GraphBuilder("integer", STEPS, "exact")
    image = b.add(Frames(("r", "p"), (rows, 1)), name="image")
    threshold = b.constant("k", np.array(100))

    def fire(current: str, name: str) -> str:
        bounds = IntegerPopulation(threshold).membrane_range(b[current].type, b.context)
        return b.add(IntegerPopulation(threshold, membrane=bounds), [current], name=name)

    rng = np.random.default_rng(0)
    spread = b.constant("one", np.ones((width, 1), np.int8), ("f", "p"))
    spikes = fire(b.add(Contract(spread, ("p",), ("f",)), [image]), "first")
    weight = rng.integers(-127, 128, (width, width)).astype(np.int8)
    square = Contract(b.constant("w", weight, ("o", "f")), ("f",), ("o",))
    last = fire(b.add(square, [spikes], name="layer"), "second")
    head = b.constant("h", np.ones((2, width), np.int8), ("c", "o"))
    answer = b.add(Contract(head, ("o",), ("c",), summed=("r",)), [last])
    return b.finish(b.add(IntegerReadout(), [answer]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("widths", nargs="*", type=int, metavar="WIDTH", default=[])
    parser.add_argument("--rows", type=int, default=196)
    options = parser.parse_args()
    print(f"{options.rows} rows, {STEPS} steps, product by {library()}; microseconds")
    columns = "".join(f"{rate:8.0%}" for rate in RATES)
    print(f"width{columns}  product  GMAC/s  adds/s at 20 %  crossover")
    for width in options.widths or WIDTHS:
        graph = layer(options.rows, width)
        measured = Measurement(graph, projections_of_spikes(graph))
        events = [measured.events("layer", rate) for rate in RATES]
        product, times = measured.product("layer"), measured.layer("layer")
        macs = options.rows * STEPS * width * width
        row = "".join(f"{1e6 * seconds:8.0f}" for seconds in events)
        adds = 0.2 * macs / events[RATES.index(0.2)]
        crossover = f"{times.crossover:.0%}" if times.crossover < 1.0 else "none"
        print(
            f"{width:5}{row}{1e6 * product:9.0f}{macs / product / 1e9:8.0f}"
            f"{adds / 1e9:14.0f} G{crossover:>11}",
            flush=True,
        )


if __name__ == "__main__":
    main()
