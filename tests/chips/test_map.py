"""Mappings: within every limit, the same each time, and judged by code that made none of them."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chip_texts import SMALL, described, small_chip, small_program
from executions import with_neurons
from loihi_networks import that_fit
from planted_faults import FAULTS

from snncc.artifact import Program, program_digest, save_program
from snncc.chips.checking.map_checker import check_map
from snncc.chips.facts import Chip
from snncc.chips.mapping import mapping_of
from snncc.chips.reading import chip_named
from snncc.cli.main import run
from snncc.diagnostics import SnnccError
from snncc.ir import Graph
from snncc.ir.dialects.integer import IntegerPopulation

Json = dict[str, Any]


def faults_of(graph: Graph, chip: Chip, record: object) -> list[str]:
    return check_map(graph, program_digest(Program(graph, {})), described(chip), record)


def test_a_mapping_is_accepted_and_the_same_each_time(tmp_path: Path) -> None:
    chip, graph = small_chip(tmp_path), small_program()
    record = mapping_of(Program(graph, {}), chip, "messages")
    assert faults_of(graph, chip, json.loads(json.dumps(record))) == []
    assert mapping_of(Program(graph, {}), chip, "messages") == record
    fewer = mapping_of(Program(graph, {}), chip, "cores")
    assert len(fewer["cores"]) <= len(record["cores"])
    assert {piece["layer"] for core in record["cores"] for piece in core["pieces"]} == {
        *("first", "second", "third", "readout")
    }


def test_500_planted_faults_are_rejected(tmp_path: Path) -> None:
    chip = small_chip(tmp_path)
    seen = dict.fromkeys(FAULTS, 0)
    for seed in range(3):
        graph = small_program(seed)
        right = mapping_of(Program(graph, {}), chip, "messages")
        assert len(right["cores"]) > 8
        rng = np.random.default_rng([seed, 3])
        for number in range(180):
            fault = FAULTS[number % len(FAULTS)]
            record: Json = copy.deepcopy(right)
            fault(record, rng)
            if record == right:
                continue
            assert faults_of(graph, chip, record), (fault.__name__, seed, number)
            seen[fault] += 1
    assert sum(seen.values()) >= 500
    assert min(seen.values()) >= 20


def test_a_mapping_of_another_program_or_chip_is_rejected(tmp_path: Path) -> None:
    chip, graph = small_chip(tmp_path), small_program()
    record = mapping_of(Program(graph, {}), chip, "messages")
    assert faults_of(small_program(1), chip, record) == ["made for another program"]
    other = replace(chip, facts=chip_named("loihi1").facts)
    assert faults_of(graph, other, record) == ["made for another chip, or other facts of it"]


def test_values_that_a_chip_does_not_hold_are_rejected(tmp_path: Path) -> None:
    """The checker's own look at widths: a mapping under the facts of a chip that holds less."""
    graph = small_program()
    right = mapping_of(Program(graph, {}), small_chip(tmp_path), "messages")
    for change, said in (
        (("state_bits=12", "threshold_bits=12"), "a membrane has too many bits"),
        (("threshold_bits=5",), "a threshold has too many bits"),
        (("delay_steps=0",), "spikes wait 1 steps, the chip has 0"),
        (("resets=soft",), "no hard reset"),
        (("threshold_step=1024",), "no multiple of 1024"),
        (("exponents=0,1",), "no exponent"),
        (("core.neurons=3",), "above 3"),
        (("current_bits=9",), "what arrives in a step has too many bits"),
        (("cores=5",), "there is no slot"),
    ):
        chip = small_chip(tmp_path, *change)
        record: Json = copy.deepcopy(right)
        record["chip"]["digest"] = chip.digest
        record["chip"]["limits"] |= {
            key: chip.whole(key) for key in record["chip"]["limits"]
        }  # the file is honest about the chip
        assert any(said in fault for fault in faults_of(graph, chip, record)), change


def test_no_core_is_over_its_limits_on_random_networks(tmp_path: Path) -> None:
    """Networks of the profile, on a chip that cuts them fine: the checker recounts every core."""
    text = SMALL.replace("neurons = { value = 8", "neurons = { value = 24")
    text = text.replace("{ value = 40, source", "{ value = 4000, source")
    text = text.replace("in_axons = { value = 60", "in_axons = { value = 2500")
    text = text.replace("value = 2600, unit", "value = 60000, unit")
    text = text.replace("bias_bits = { value = 8", "bias_bits = { value = 20")
    text = text.replace("delay_steps = { value = 3", "delay_steps = { value = 30")
    text = text.replace("weight_bits = { value = 4", "weight_bits = { value = 7")
    chip = small_chip(tmp_path, text=text)
    mapped = cores = 0
    refused: set[str] = set()
    for _, graph, _ in that_fit(0, 12, 1):
        program = Program(graph, {})
        try:
            record = mapping_of(program, chip, "messages")  # checks itself
        except SnnccError as error:
            refused.add(error.code)
            continue
        neurons = sum(node.type.neurons for node in graph.select(IntegerPopulation))
        assert sum(core["load"]["neurons"] for core in record["cores"]) >= neurons
        mapped, cores = mapped + 1, cores + len(record["cores"])
    assert refused <= {"SNN131"}
    assert mapped >= 6
    assert cores > 40


def test_what_does_not_fit_is_not_mapped(tmp_path: Path) -> None:
    program = Program(small_program(), {})
    for change, said in (("resets=soft", "reset"), ("state_bits=unknown", "not known")):
        with pytest.raises(SnnccError, match="SNN131") as caught:
            mapping_of(program, small_chip(tmp_path, change), "messages")
        assert caught.value.exit_code == 1
        assert said in str(caught.value)
    with pytest.raises(SnnccError, match="SNN001"):
        mapping_of(program, chip_named("speck2f"), "messages")


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    save_program(tmp_path / "p.snncc", Program(small_program(), {}))
    (tmp_path / "small.toml").write_text(SMALL)
    return tmp_path


def test_the_command_writes_and_checks(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["map", "p.snncc", "--chip", "small.toml"]
    assert run([*call, "-o", "net.map.json"]) == 0
    shown = capsys.readouterr().out
    assert "accepted" in shown
    assert "of 40" in shown
    assert run([*call, "--check", "net.map.json"]) == 0
    assert "accepted" in capsys.readouterr().out
    record = json.loads((there / "net.map.json").read_text())
    record["cores"][0]["load"]["neurons"] += 1
    (there / "bad.json").write_text(json.dumps(record))
    assert run([*call, "--check", "bad.json", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert not answer["accepted"]
    assert "the file says" in answer["faults"][0]
    (there / "none.json").write_text("[" * 100_000)
    for name in ("none.json", "small.toml", "missing.json"):
        assert run([*call, "--check", name]) == 3
        assert "error[SNN015]" in capsys.readouterr().err


def test_an_image_is_a_bias_where_one_holds_all_that_it_adds(tmp_path: Path) -> None:
    graph = small_program()
    wide, narrow = small_chip(tmp_path, "bias_bits=30"), small_chip(tmp_path, "bias_bits=15")
    record = mapping_of(Program(graph, {}), wide, "messages")
    assert [each["image"] for each in record["layers"].values()] == ["bias", "", "", ""]
    assert "image" not in record["layers"]["first"]["exponents"]
    by_spikes = mapping_of(Program(graph, {}), narrow, "messages")
    assert by_spikes["layers"]["first"]["image"] == "planes"
    record["chip"]["digest"] = narrow.digest
    assert faults_of(graph, narrow, record) == ["first: an image makes a bias of too many bits"]


def test_constants_by_step_are_not_mapped(tmp_path: Path) -> None:
    graph = small_program()
    op = graph["first"].op
    assert isinstance(op, IntegerPopulation)
    timed = replace(graph, constants={**graph.constants, "b": np.array([0, 1, 2])})
    changed = with_neurons(timed, "first", bias=replace(op.threshold, name="b", axes=("t",)))
    with pytest.raises(SnnccError, match="differ from step to step"):
        mapping_of(Program(changed, {}), small_chip(tmp_path, "by_step=true"), "messages")


def test_weights_above_the_largest_shift_keep_their_zeros(tmp_path: Path) -> None:
    """A weight of 2^3 is 4 * 2^1 where a list shifts by 1 at most, and not a violation."""
    graph, free = small_program(), small_chip(tmp_path)
    most = max(max(each["exponents"].values()) for each in layers_of(graph, free).values())
    assert most == 3
    few = small_chip(tmp_path, "exponents=0,1", "synapse_memory=90000", "bias_bits=30")
    found = layers_of(graph, few)  # the checker recounts what it takes
    assert {e for each in found.values() for e in each["exponents"].values()} == {0, 1}


def layers_of(graph: Graph, chip: Chip) -> dict[str, Json]:
    layers: dict[str, Json] = mapping_of(Program(graph, {}), chip, "messages")["layers"]
    return layers
