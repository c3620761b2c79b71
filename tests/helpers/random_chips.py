"""Random limits of a chip, and descriptions with something changed.

`python tests/helpers/random_chips.py --count 1000` maps so many random programs to random chips and
reads as many changed descriptions.
"""

import argparse
import re
import sys
import tempfile
from collections import Counter
from importlib.resources import files
from pathlib import Path

import numpy as np
from chip_texts import ON_A_MESH, described, small_chip, small_program

from snncc.artifact import Program, program_digest
from snncc.chips.activity import Activity
from snncc.chips.checking.map_checker import check_map
from snncc.chips.checking.mesh import Seen
from snncc.chips.checking.structure import FIELDS
from snncc.chips.mapping import mapped
from snncc.chips.reading import parsed, shipped
from snncc.diagnostics import SnnccError
from snncc.ir.dialects.integer import IntegerPopulation


def outcome(seed: int, folder: Path) -> str:
    """What becomes of a random program on random chips: "mapped", or the code of the refusal.

    Raises:
        AssertionError: a mapping that its checker rejects, or a core over a limit.
    """
    rng = np.random.default_rng([seed, 77])
    limits = {
        "core.neurons": rng.integers(1, 30),
        "core.in_axons": rng.integers(12, 200),
        "core.out_axons": rng.integers(4, 300),
        "core.synapse_memory": rng.integers(600, 20_000),
        "core.thresholds": rng.integers(1, 4),
        "core.synapse_formats": rng.integers(1, 8),
        "synapse.weight_bits": rng.integers(2, 9),
        "neuron.bias_bits": rng.integers(4, 30),
        "chip.cores": rng.integers(2, 41),
        "neuron.delay_steps": rng.integers(0, 4),
    }
    chip = small_chip(folder, *(f"{key}={value}" for key, value in limits.items()), text=ON_A_MESH)
    graph = small_program(seed, int(rng.integers(2, 14)))
    spikes = {
        node.name: rng.integers(0, 9, node.type.neurons) for node in graph.select(IntegerPopulation)
    }
    seen = Activity(3, spikes) if rng.random() < 0.5 else None
    prefer, chips = ("messages", "cores")[int(rng.integers(2))], int(rng.integers(1, 4))
    program = Program(graph, {})
    try:
        record = mapped(program, chip, prefer, chips, seen, seed).record
    except SnnccError as error:
        return ",".join(sorted({finding.code for finding in error.findings}))
    given = None if seen is None else Seen(seen.digest, seen.images, seen.spikes)
    faults = check_map(graph, program_digest(program), described(chip), record, given)
    over = [
        (core["slot"], name)
        for core in record["cores"]
        for name, value in core["load"].items()
        if value > int(limits[FIELDS[name]])
    ]
    if faults or over or len(record["cores"]) > limits["chip.cores"] * chips:
        raise AssertionError((seed, faults, over))
    return "mapped"


def read_changed(seed: int) -> str:
    """What becomes of a shipped description with random changes: "read", or the error's codes."""
    rng = np.random.default_rng([seed, 78])
    name = str(rng.choice(shipped()))
    text = files("snncc.chips").joinpath(f"described/{name}.toml").read_text()
    words = ["-1", "nan", "inf", "1e400", "true", '"x"', "[]", "[1, 2, 3]", "{}", "", "=", "\0"]
    for _ in range(int(rng.integers(1, 4))):
        places = [match.span() for match in re.finditer(r'[A-Za-z_]+|[-0-9.]+|"[^"]*"|\S', text)]
        start, stop = places[int(rng.integers(len(places)))]
        text = text[:start] + str(rng.choice(words)) + text[stop:]
    try:
        parsed(text, name, f"{name}.toml")
    except SnnccError as error:
        return ",".join(sorted({finding.code for finding in error.findings}))
    return "read"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    count: int = parser.parse_args().count
    with tempfile.TemporaryDirectory() as folder:
        maps = Counter(outcome(seed, Path(folder)) for seed in range(count))
    texts = Counter(read_changed(seed) for seed in range(count))
    sys.stdout.write(f"mappings: {dict(maps)}\ndescriptions: {dict(texts)}\n")


if __name__ == "__main__":
    main()
