"""What Lava's stock processes do with numbers at the ends of their registers: prints JSON.

Runs in the Lava environment; docs/loihi.md rests on what it prints.
"""

import json

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import Dense
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
from lava.proc.lif.process import LIF, LIFReset
from lava.proc.sparse.process import DelaySparse, Sparse
from lava.utils.weightutils import SignMode
from scipy.sparse import csr_matrix, identity

MIXED = SignMode.MIXED


def run(process: object, steps: int) -> None:
    process.run(RunSteps(steps), Loihi2SimCfg(select_tag="fixed_pt"))  # type: ignore[attr-defined]


def numbers(values: np.ndarray) -> list[int]:
    return np.rint(values).astype(np.int64).reshape(-1).tolist()


def kept_weights(kind: type, weights: list[int], exponent: int) -> list[int]:
    """What one spike brings through synapses of these weights."""
    matrix = np.array(weights)[:, None]
    given = matrix if kind is Dense else csr_matrix(matrix)
    source = Source(data=np.ones((1, 2), int))
    synapses = kind(weights=given, weight_exp=exponent, num_weight_bits=8, sign_mode=MIXED)
    sink = Sink(shape=(len(weights),), buffer=2)
    source.s_out.connect(synapses.s_in)
    synapses.a_out.connect(sink.a_in)
    run(sink, 2)
    arrived = numbers(sink.data.get()[:, 1])
    sink.stop()
    return arrived


def states(currents: list[int]) -> tuple[list[int], list[int]]:
    """u and v of a LIF after one step with these currents and the highest threshold."""
    source = Source(data=np.array(currents)[:, None].repeat(2, 1))
    lif = LIF(shape=(len(currents),), du=4095, dv=2048, vth=131071)
    source.s_out.connect(lif.a_in)
    run(lif, 1)
    found = numbers(lif.u.get()), numbers(lif.v.get())
    lif.stop()
    return found


def biases(mantissas: list[int], exponents: list[int]) -> list[int]:
    lif = LIF(shape=(len(mantissas),), du=4095, dv=0, vth=131071,
              bias_mant=np.array(mantissas), bias_exp=np.array(exponents))  # fmt: skip
    run(lif, 1)
    found = numbers(lif.v.get())
    lif.stop()
    return found


def leaks(start: list[int], dv: int) -> list[int]:
    lif = LIF(shape=(len(start),), du=4095, dv=dv, vth=131071, v=np.array(start))
    run(lif, 1)
    found = numbers(lif.v.get())
    lif.stop()
    return found


def at_the_threshold() -> list[int]:
    """Spikes for currents one below, at and one above vth."""
    source = Source(data=np.array([[99], [100], [101]]))
    lif = LIF(shape=(3,), du=4095, dv=0, vth=100)
    sink = Sink(shape=(3,), buffer=1)
    source.s_out.connect(lif.a_in)
    lif.s_out.connect(sink.a_in)
    run(sink, 1)
    found = numbers(sink.data.get())
    sink.stop()
    return found


def resets() -> list[int]:
    """v after each of 8 steps with a bias of 10 and a reset at steps 3 and 7."""
    lif = LIFReset(shape=(1,), du=4095, dv=0, vth=1000, bias_mant=10, bias_exp=0,
                   reset_interval=4, reset_offset=3)  # fmt: skip
    found = []
    for _ in range(8):
        run(lif, 1)
        found += numbers(lif.v.get())
    lif.stop()
    return found


def delay_line(delay: int) -> list[int]:
    """When one spike comes out of a delay line and the LIF behind it."""
    data = np.zeros((1, 8), int)
    data[0, 0] = 1
    source = Source(data=data)
    one = csr_matrix(identity(1, dtype=np.int64))
    line = DelaySparse(weights=2 * one, delays=(delay - 1) * one, weight_exp=-1,
                       num_weight_bits=8, sign_mode=MIXED)  # fmt: skip
    lif = LIF(shape=(1,), du=4095, dv=4095, vth=0)
    sink = Sink(shape=(1,), buffer=8)
    source.s_out.connect(line.s_in)
    line.a_out.connect(lif.a_in)
    lif.s_out.connect(sink.a_in)
    run(sink, 8)
    found = numbers(sink.data.get())
    sink.stop()
    return found


if __name__ == "__main__":
    odd = [255, -255, 3, -3, 254, -256, 300, -300]
    ends = [100, 40_000, 131_071, 131_072, -131_071, -131_072]
    facts = {
        "dense": kept_weights(Dense, odd, 0),
        "sparse": kept_weights(Sparse, odd, 0),
        "halved": kept_weights(Sparse, odd, -1),
        "u": states(ends)[0],
        "v": states(ends)[1],
        "biases": biases([4095, -4096, 1, -1], [7, 7, 0, 3]),
        "leaks": leaks([1, -1, 3, -3, 8_388_607, -8_388_607], 2048),
        "threshold": at_the_threshold(),
        "resets": resets(),
        "delay": delay_line(3),
    }
    print(json.dumps(facts))
