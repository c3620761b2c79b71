"""Mutated .nir files: each gives a valid traced graph, or one coded error.

`python tests/helpers/nir_fuzzer.py --count 100000` makes more, in processes that may use 1 GB.
"""

import argparse
import io
import random
import resource
import struct
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from nir_files import affine, chain, conv2d, ends, integrate, lif, write_graph

from snncc.diagnostics import SnnccError
from snncc.frontends.frontend import ModelSpec
from snncc.frontends.nir.conventions import CONVENTIONS
from snncc.frontends.registry import read_model
from snncc.ir import verify

CODES = {"SNN001", "SNN070", "SNN150", "SNN151", "SNN152", "SNN153"}
MEMORY = 1 << 30


def originals() -> list[bytes]:
    """A convolutional network, one with a subgraph, and one with a loop and a delay."""
    import h5py

    rng = np.random.default_rng(0)
    field = {k: np.full((3, 4, 4), v[0]) for k, v in integrate(1)[1].items()}
    images: dict[str, Any] = {
        **ends([2, 6, 6], [4]),
        "conv": conv2d(rng.normal(size=(3, 2, 3, 3)), [6, 6]),
        "if": ("IF", field),
        "pool": ("SumPool2d", {"kernel_size": [2, 2], "stride": [2, 2], "padding": [0, 0]}),
        "flat": ("Flatten", {"start_dim": 0, "end_dim": -1}),
        "fc": affine(rng.normal(size=(4, 12))),
        "lif": lif(4),
    }
    inner = ({**ends([3], [3]), "lif": lif(3)}, chain("input", "lif", "output"))
    nested: dict[str, Any] = {
        **ends([2], [3]),
        "fc": affine(rng.normal(size=(3, 2))),
        "sub": ("NIRGraph", inner),
    }
    looped: dict[str, Any] = {
        **ends([2], [3]),
        "fc": affine(rng.normal(size=(3, 2))),
        "lif": lif(3),
        "back": affine(rng.normal(size=(3, 3)), rng.normal(size=3)),
        "wait": ("Delay", {"delay": np.array([1.0, 2.0, 1.0])}),
    }
    around = [*chain("input", "fc", "lif", "wait", "output"), ("lif", "back"), ("back", "lif")]
    found = []
    for nodes, edges in (
        (images, chain("input", "conv", "if", "pool", "flat", "fc", "lif", "output")),
        (nested, chain("input", "fc", "sub", "output")),
        (looped, around),
    ):
        data = io.BytesIO()
        with h5py.File(data, "w") as file:
            file["version"] = "1.0"
            write_graph(file.create_group("node"), nodes, edges)
        found.append(data.getvalue())
    return found


def number_places(whole: bytes) -> list[int]:
    """Bytes at which numbers of nodes stand."""
    import h5py

    found: list[int] = []

    def visit(name: str, each: Any) -> None:
        if isinstance(each, h5py.Dataset) and each.dtype.kind in "if":
            start = each.id.get_offset()
            if start is not None:
                found.extend(range(start, start + each.nbytes, 8))

    with h5py.File(io.BytesIO(whole), "r") as file:
        file.visititems(visit)
    return found


def mutant(rng: random.Random, whole: bytes, numbers: list[int]) -> bytes:
    """The bytes after one to four changes, to numbers or anywhere; most hit what is not zero."""
    data = bytearray(whole)
    anywhere = rng.random() < 0.5
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(data)) if anywhere else rng.choice(numbers)
        while anywhere and rng.random() < 0.9 and not data[place]:
            place = rng.randrange(len(data))
        match rng.randrange(6):
            case 0:
                data[place] ^= 1 << rng.randrange(8)
            case 1:
                data[place] = rng.choice((0, 1, 2, 0x7F, 0x80, 0xFF))
            case 2:
                special = rng.choice((float("nan"), -1.0, 0.0, 1e300, float("inf")))
                at = place // 8 * 8
                data[at : at + 8] = struct.pack("<d", special)
            case 3:
                at = place // 8 * 8
                size = rng.choice((0, 1, 3, 1 << 20, 1 << 40, (1 << 64) - 1))
                data[at : at + 8] = struct.pack("<Q", size)
            case 4:
                data[place : place + 4] = rng.randbytes(4)
            case _ if anywhere and rng.random() < 0.1:
                del data[place:]
                break
            case _:
                at = rng.randrange(len(data))
                data[place : place + 16] = data[at : at + 16]
    return bytes(data)


def outcome(path: Path, convention: str) -> str:
    """ "valid", or the code of the error."""
    dt = None if CONVENTIONS[convention].dt_is == "fixed" else 1.0
    try:
        source = read_model(ModelSpec(path, convention=convention, dt=dt))
        trace = source.trace(source.input_shape or (), 2, "auto")
        verify(trace.graph)
    except SnnccError as error:
        codes = {finding.code for finding in error.findings}
        assert codes <= CODES, codes
        return error.code
    return trace.findings[0].code if trace.findings else "valid"


def fuzz(folder: Path, count: int, seed: int) -> Counter[str]:
    """Outcomes of mutants."""
    rng = random.Random(seed)  # noqa: S311
    whole = [(data, number_places(data)) for data in originals()]
    found = Counter[str]()
    path = folder / "mutant.nir"
    names = ["nir-literal", "spikingjelly", "snntorch-zero", "sinabs"]
    for _ in range(count):
        path.write_bytes(mutant(rng, *rng.choice(whole)))
        found[outcome(path, rng.choice(names))] += 1
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    used = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (2 * MEMORY, used))  # code and libraries take some
    with tempfile.TemporaryDirectory() as folder:
        found = fuzz(Path(folder), given.count, given.seed)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    print(dict(found), f"peak {peak >> 20} MB")
    assert peak < MEMORY


if __name__ == "__main__":
    main()
