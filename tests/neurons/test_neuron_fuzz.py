"""Changed programs with general neurons: what one of loader, prover and checker accepts all do."""

from collections import Counter
from pathlib import Path

import pytest
from neuron_models import MODELS
from neuron_programs import compiled, spiking
from program_outcomes import outcome
from random_neurons import by_neuron, random_model
from structure_fuzzer import changed_program

from snncc.artifact import Program
from snncc.artifact.program import to_manifest

STEPS, WIDE, EACH = 3, 3, 60
NAMES = ("synaptic", "norse lsnn", "alif of sinabs", "starts high")


@pytest.mark.parametrize("part", range(4))
def test_changed_neurons_are_refused_or_right(part: int, tmp_path: Path) -> None:
    first = spiking(MODELS[NAMES[part]], STEPS, WIDE)
    graphs = [
        compiled(first)[0],
        compiled(by_neuron(spiking(random_model(part), STEPS, WIDE), part))[0],
    ]
    bases = [(to_manifest(Program(g, {"of": "fuzz"})), dict(g.constants)) for g in graphs]
    seen: Counter[str] = Counter()
    for seed in range(EACH * part, EACH * (part + 1)):
        content = changed_program(seed, bases[seed % 2])
        found = outcome(content, tmp_path / "p.snncc", run=seed % 8 == 0)
        assert not found.fault, (seed, found.fault)
        seen[found.verdict] += 1
    assert seen["refused"] > EACH // 3
    assert seen["accepted"] > 0
