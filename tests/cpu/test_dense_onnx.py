"""The dense ONNX form of a program gives the interpreter's bits: benchmarks compare equal work.

Needs what benchmarks/requirements.txt names (`pip install onnx onnxruntime` is enough).
"""

import numpy as np
import pytest
from random_networks import random_images, random_network

from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.ir import TIME, Graph, GraphBuilder, Kind
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.projections import Contract, Frames
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers
from snncc.runtime import ALL, interpret

HOW = "install onnx and onnxruntime (benchmarks/requirements.txt) to run these tests"
onnxruntime = pytest.importorskip("onnxruntime", reason=HOW)
pytest.importorskip("onnx", reason=HOW)
RAW = CompileOptions(normalize=((0.0,), (1.0 / 255.0,)))
BATCH = 3


def outputs(graph: Graph, images: np.ndarray) -> dict[str, np.ndarray]:
    from dense_onnx import dense_onnx

    model = dense_onnx(graph, len(images), record=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [o.name for o in session.get_outputs()]
    found = session.run(names, {session.get_inputs()[0].name: images})
    return dict(zip(names, found, strict=True))


def check(graph: Graph, images: np.ndarray, what: object) -> int:
    """Compares readout and every spike; returns how many spikes there were."""
    wanted, got = interpret(graph, images, ALL), outputs(graph, images)
    assert np.array_equal(wanted.readout, got["readout"]), what
    for name, spikes in wanted.spikes.items():
        assert np.array_equal(spikes, got[name]), (what, name)
    return sum(wanted.spike_counts.values())


@pytest.mark.parametrize("first", range(0, 120, 12))
def test_random_networks(first: int) -> None:
    spikes = 0
    for seed in range(first, first + 12):
        network = random_network(seed)
        gain = "unshared" if seed % 3 == 0 else "shift-add"
        options = CompileOptions(normalize=RAW.normalize, gain=gain)
        bits = (4, 8, 16)[seed % 3]
        spiking = run_passes(network, spiking_passes(options))
        program = run_passes(spiking, [LowerToIntegers(round_plainly(spiking, bits), bits)])
        spikes += check(program, random_images(network, seed, BATCH), seed)
    assert spikes > 0


@pytest.mark.parametrize("compare", ["ge", "gt"])
@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("decay", [((1, 0), 0), ((0, 0), 0), ((1, 2), 0), ((43691, 17), 4711)])
def test_every_kind_of_neuron(compare: str, reset: str, decay: tuple) -> None:
    """Full-range pixels, weights of every width, thresholds and offsets by step."""
    rng = np.random.default_rng(5)
    for width in (7, 11, 19):
        b = GraphBuilder("integer", 4)
        image = b.add(Frames(("p",), (33,)), name="image")
        reach = 1 << width
        w = b.constant("w", rng.integers(-reach, reach, (9, 33)), ("n", "p"))
        current = b.add(Contract(w, ("p",), ("n",)), [image])
        high = b[current].type.range[1]
        neurons = IntegerPopulation(
            b.constant("v", rng.integers(-high // 64, high // 8, (4, 9)), (TIME, "n")),
            bias=b.constant("b", rng.integers(-high // 16, high // 16, (4, 9)), (TIME, "n")),
            polarity=b.constant("s", rng.choice([-1, 1], 9).astype(np.int8), ("n",)),
            offset=b.constant("o", rng.integers(-999, 999, 9), ("n",)),
            decay=decay[0],
            decay_offset=decay[1],
            reset=reset,
            compare=compare,
            rounding=Rounding.exact_for(compare),
        )
        interval = neurons.membrane_range(b[current].type, b.context)
        neurons = type(neurons)(**{**vars(neurons), "membrane": interval})
        spikes = b.add(neurons, [current])
        assert b[spikes].type.kind is Kind.SPIKE
        last = b.constant("r", rng.integers(-reach, reach, (5, 9)), ("k", "n"))
        graph = b.finish(b.add(IntegerReadout(), [b.add(Contract(last, ("n",), ("k",)), [spikes])]))
        images = rng.integers(0, 256, (BATCH, 33)).astype(np.uint8)
        assert 0 < check(graph, images, width) < BATCH * 4 * 9, "every neuron fires, or none"
