"""Nothing stands in a mapping that its checker does not look at."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from chip_texts import ON_A_MESH, described, small_chip, small_program
from leaves_of_mappings import at_path, changed, leaves, others, reason

from snncc.artifact import Program, program_digest
from snncc.chips.activity import Activity
from snncc.chips.checking.map_checker import check_map
from snncc.chips.checking.mesh import Seen
from snncc.chips.mapping import mapped
from snncc.ir.dialects.integer import IntegerPopulation


@pytest.mark.parametrize("form", ["one chip", "places on chips"])
def test_every_leaf_that_is_changed_is_rejected_or_has_a_reason(tmp_path: Path, form: str) -> None:
    graph = small_program()
    program, digest = Program(graph, {}), program_digest(Program(graph, {}))
    rng, chips = np.random.default_rng(4), 3 if "chips" in form else 1
    chip = small_chip(tmp_path, *(("cores=8",) if chips > 1 else ()), text=ON_A_MESH)
    populations = graph.select(IntegerPopulation)
    spikes = {node.name: rng.integers(1, 9, node.type.neurons) for node in populations}
    activity = Activity(3, spikes) if "places" in form else None
    seen = None if activity is None else Seen(activity.digest, 3, spikes)
    right = mapped(program, chip, "messages", chips, activity).record
    of = described(chip)
    assert check_map(graph, digest, of, json.loads(json.dumps(right)), seen) == []
    paths = [*leaves(right)]
    assert {path[0] for path in paths} == set(right)
    accepted: list[object] = []
    reasons: Counter[str] = Counter()
    for path in paths:
        for value in others(at_path(right, path)):
            if check_map(graph, digest, of, changed(right, path, value), seen):
                continue
            why = reason(right, path, value)
            reasons[why] += 1
            if not why:
                accepted.append((path, value))
    assert accepted == []
    assert reasons
