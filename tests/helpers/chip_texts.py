"""Descriptions of chips for tests, and programs that fit them."""

from pathlib import Path

import numpy as np

from snncc.chips.checking.structure import Described
from snncc.chips.facts import Chip
from snncc.chips.reading import chip_named
from snncc.ir import Graph, GraphBuilder
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.neuron_rule import Rounding
from snncc.ir.dialects.projections import Contract, Frames, Sum

SMALL = """
schema = 1
name = "a small chip"
family = "synapse-memory"
[chip]
cores = { value = 40, source = "a test" }
[core]
neurons = { value = 8, source = "a test" }
in_axons = { value = 60, source = "a test" }
out_axons = { value = 40, source = "a test" }
synapse_memory = { value = 2600, unit = "bit", source = "a test" }
thresholds = { value = 3, source = "a test" }
synapse_formats = { value = 7, source = "a test" }
[synapse]
weight_bits = { value = 4, source = "a test" }
several = { value = true, source = "a test" }
exponents = { value = [0, 20], source = "a test" }
index_bits = { value = 3, source = "a test" }
delay_bits_stored = { value = true, source = "a test" }
group = { value = 4, source = "a test" }
group_header = { value = 5, unit = "bit", source = "a test" }
word = { value = 8, unit = "bit", source = "a test" }
[neuron]
temporal = { value = true, source = "a test" }
state_bits = { value = 30, source = "a test" }
threshold_bits = { value = 30, source = "a test" }
bias_bits = { value = 8, source = "a test" }
resets = { value = ["hard"], source = "a test" }
leaks = { value = ["none", "multiply-toward-zero"], source = "a test" }
decay_bits = { value = 12, source = "a test" }
delay_steps = { value = 3, source = "a test" }
by_step = { value = false, source = "a test" }
"""
ON_A_MESH = SMALL.replace(
    "[core]\n",
    'mesh = { value = [5, 4], source = "a test" }\n'
    'cores_per_tile = { value = 2, source = "a test" }\n[core]\n',
)
"""The same chip with places."""


def small_chip(folder: Path, *changes: str, text: str = SMALL) -> Chip:
    """The chip of a description, with other facts."""
    path = folder / "small.toml"
    path.write_text(text)
    return chip_named(str(path), changes)


def described(chip: Chip) -> Described:
    """The chip as the checker of mappings sees it."""
    values = {key: fact.value for key, fact in chip.facts.items()}
    return Described(chip.name, chip.title, chip.digest, values)


def small_program(seed: int = 0, width: int = 7) -> Graph:
    """Three layers with a skip, weights of 6 bits, two thresholds; it fits `SMALL`."""
    rng = np.random.default_rng([seed, 11])
    b = GraphBuilder("integer", 3, "exact")
    image = b.add(Frames(("c", "h"), (2, 3)), name="image")

    def population(current: str, name: str) -> str:
        low, high = b[current].type.range or (0, 0)
        levels = b.constant(f"{name}.k", rng.integers(1, 3, width) * max(1, high // 6), ("c",))
        op = IntegerPopulation(
            levels, membrane=(3 * low - 9, 3 * high + 9), rounding=Rounding.TO_ZERO
        )
        return b.add(op, (current,), name=name)

    def dense(source: str, inputs: int, name: str) -> str:
        weight = rng.integers(-31, 32, (width, inputs)) * (rng.random((width, inputs)) < 0.7)
        op = Contract(b.constant(f"{name}.w", weight * 2, ("c", "c")), ("c",), ("c",))
        return b.add(op, (source,), name=name)

    first = population(dense(image, 2, "enter"), "first")
    second = population(dense(first, width, "on"), "second")
    both = b.add(Sum((0, 2)), (dense(second, width, "over"), dense(first, width, "skip")))
    third = population(both, "third")
    classes = b.constant("v", rng.integers(-9, 10, (4, width)), ("k", "c"))
    answer = b.add(Contract(classes, ("c",), ("k",), (), ("h",)), (third,), name="answer")
    return b.finish(b.add(IntegerReadout(), (answer,), name="readout"))
