"""Descriptions of chips: the shipped ones are whole, bad ones are one error with all faults."""

import re
from pathlib import Path

import pytest

from snncc.chips.facts import Chip
from snncc.chips.fields import FAMILIES, FIELDS
from snncc.chips.reading import LARGEST_FILE, chip_named, facts_of, parsed, shipped
from snncc.diagnostics import SnnccError

NAMES = {
    *("loihi1", "loihi2", "speck2f", "xylo_a2", "xylo_a3", "truenorth", "spinnaker1"),
    *("spinnaker2", "akd1000", "akd1500", "hiaer", "darwin3", "lut_array"),
}
HEAD = 'schema = 1\nname = "x"\nfamily = "synapse-memory"\n'
GOOD = HEAD + '[core]\nneurons = { value = 10, source = "here" }\n'


def faults_of(text: str) -> str:
    with pytest.raises(SnnccError) as caught:
        parsed(text, "x", "x.toml")
    assert {finding.code for finding in caught.value.findings} == {"SNN130"}
    assert caught.value.exit_code == 3
    assert caught.value.findings[-1].help
    return str(caught.value)


def test_these_are_shipped_and_every_number_has_a_source() -> None:
    assert set(shipped()) == NAMES
    for name in NAMES:
        chip = chip_named(name)
        assert chip.family in FAMILIES
        assert chip.title
        for key, fact in chip.facts.items():
            assert key in FIELDS
            assert len(fact.source) > 3, (name, key)
            doubtful = re.search(r"recollection|not read again|likely", fact.source)
            assert fact.value is None or not (doubtful and fact.verified), (name, key)


def test_what_inherits_has_the_facts_of_the_other_and_its_own() -> None:
    a2, a3 = chip_named("xylo_a2"), chip_named("xylo_a3")
    assert a3.whole("core.hidden") == 992
    assert a2.whole("core.hidden") == 1000
    assert a3.fact("neuron.leaks") == a2.fact("neuron.leaks")
    assert a3.title != a2.title
    assert a3.digest != a2.digest
    user = parsed('schema = 1\ninherit = "loihi1"\nname = "mine"\n', "mine", "mine.toml")
    assert user.facts == chip_named("loihi1").facts


def test_what_is_unknown_or_missing_is_never_0() -> None:
    chip = chip_named("loihi2")
    assert chip.whole("core.in_axons") is None
    assert chip.fact("core.in_axons").source == "no public data sheet"
    assert chip.whole("core.inputs") is None
    assert chip.fact("core.inputs").source == "the description does not say"
    assert Chip("x", "x", "synapse-memory", {}).flag("spikes.graded") is None


def test_memory_is_kept_in_bits_whatever_its_unit() -> None:
    assert chip_named("loihi2").whole("core.synapse_memory") == 128 * 1024 * 8
    assert chip_named("akd1000").whole("core.weight_memory") == 44800 * 8


BAD = [
    (HEAD + "[core]\nneurons = 10\n", "write { value"),
    (HEAD + "[core]\nneurons = { value = 10 }\n", "source is missing"),
    (HEAD + '[core]\nneurons = { value = 10, source = " " }\n', "source is missing"),
    (HEAD + '[core]\nneurons = { value = -1, source = "s" }\n', "outside of 1..2^50"),
    (HEAD + '[core]\nneurons = { value = 0, source = "s" }\n', "outside of 1..2^50"),
    (HEAD + '[core]\nneurons = { value = true, source = "s" }\n', "no whole number"),
    (HEAD + '[core]\nneurons = { value = 1.5, source = "s" }\n', "no whole number"),
    (HEAD + '[core]\nneurons = { value = "9", source = "s" }\n', "no whole number"),
    (HEAD + f'[core]\nneurons = {{ value = {10**40}, source = "s" }}\n', "a huge number"),
    (HEAD + '[core]\nneurons = { value = 1, unit = "kB", source = "s" }\n', "without a unit"),
    (HEAD + '[core]\nsynapse_memory = { value = 1, source = "s" }\n', "unit None"),
    (HEAD + '[core]\nsynapse_memory = { value = 1, unit = "kB", source = "s" }\n', "'kB' is"),
    (HEAD + '[core]\nbrains = { value = 1, source = "s" }\n', "there is no such field"),
    (HEAD + '[engine]\nneurons = { value = 1, source = "s" }\n', "there is no such field"),
    (HEAD + '[core]\nkernel_words = { value = [1], source = "s" }\n', "no field of the family"),
    (HEAD + '[core]\nneurons = { value = 1, source = "s", note = "n" }\n', "an entry has"),
    (HEAD + '[core]\nneurons = { value = 1, source = "s", verified = 1 }\n', "true or false"),
    (HEAD + '[core]\nneurons = { unknown = "" }\n', "says why"),
    (HEAD + '[core]\nneurons = { unknown = "u", value = 1 }\n', "an entry has"),
    (HEAD + '[neuron]\nresets = { value = ["medium"], source = "s" }\n', "no list of these"),
    (HEAD + '[neuron]\nresets = { value = [], source = "s" }\n', "no list of these"),
    (HEAD + '[neuron]\ntemporal = { value = 1, source = "s" }\n', "true nor false"),
    (HEAD + '[synapse]\nexponents = { value = [3, 1], source = "s" }\n', "least and a most"),
    (HEAD + '[energy]\nspike = { value = nan, unit = "pJ", source = "s" }\n', "finite"),
    (HEAD + '[energy]\nspike = { value = -1, unit = "pJ", source = "s" }\n', "finite"),
    (HEAD + "voltage = 3\n", "voltage: there is no such key"),
    (GOOD.replace("schema = 1", "schema = 2"), "schema = 1"),
    (GOOD.replace("synapse-memory", "quantum"), "family: one of"),
    (GOOD.replace('name = "x"', "name = 3"), "name: write"),
    (
        GOOD + 'hidden = { value = 6, source = "s" }\n' + 'outputs = { value = 6, source = "s" }',
        "are more than",
    ),
    (
        HEAD + '[chip]\ncores = { value = 9, source = "s" }\n'
        'mesh = { value = [2, 2], source = "s" }\n'
        'cores_per_tile = { value = 2, source = "s" }\n',
        "has places for 8",
    ),
    (
        HEAD + '[neuron]\nstate_bits = { value = 8, source = "s" }\n'
        'threshold_bits = { value = 9, source = "s" }\n',
        "a membrane has 8",
    ),
    (
        HEAD.replace("synapse-memory", "layer-cores")
        + '[chip]\ncores = { value = 2, source = "s" }\n'
        '[core]\nkernel_words = { value = [1, 2, 3], source = "s" }\n',
        "3 numbers for 2 cores",
    ),
    ("inherit = 'moon'\n" + GOOD, "inherit: one of"),
    ("this is no toml", "is no TOML"),
    ("a = " + "[" * 5000 + "]" * 5000, "is no TOML"),
]


@pytest.mark.parametrize(("text", "said"), BAD, ids=[said for _, said in BAD])
def test_a_bad_description_is_refused(text: str, said: str) -> None:
    assert said in faults_of(text)


def test_all_faults_of_a_file_come_at_once() -> None:
    text = faults_of(
        HEAD.replace("schema = 1", "") + "[core]\nneurons = 3\nbrains = 1\n"
        'in_axons = { value = -4, source = "s" }\n'
    )
    assert text.count("error[SNN130]") == 4
    for part in ("schema", "core.neurons", "core.brains", "core.in_axons"):
        assert part in text


def test_files_are_read_and_hostile_ones_refused(tmp_path: Path) -> None:
    good = tmp_path / "mine.toml"
    good.write_text(GOOD)
    assert chip_named(str(good)).name == "mine"
    for content in (b"\xff\xfe", b"#" * (LARGEST_FILE + 1)):
        good.write_bytes(content)
        with pytest.raises(SnnccError, match=r"mine\.toml"):
            chip_named(str(good))
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(SnnccError) as caught:
            chip_named(f"{path}/" if path == tmp_path else str(path))
        assert caught.value.code == "SNN130"
    with pytest.raises(SnnccError) as caught:
        chip_named("loihi9")
    assert caught.value.code == "SNN001"
    assert "loihi1" in str(caught.value)


def test_facts_are_set_by_the_end_of_their_name() -> None:
    chip = chip_named("loihi2", ["cores=7", "core.in_axons=unknown", "resets=soft", "mesh=4,4"])
    assert chip.whole("chip.cores") == 7
    assert chip.fact("chip.cores").source == "--set"
    assert chip.fact("core.in_axons").value is None
    assert chip.words("neuron.resets") == ("soft",)
    assert chip.wholes("chip.mesh") == (4, 4)
    assert chip.digest != chip_named("loihi2").digest


CHANGES = [
    ("cores=-1", "outside of"),
    ("cores=many", "no whole number"),
    ("neurons=3", "chip.neurons or core.neurons"),
    ("brains=3", "no field of this family"),
    ("kernel_words=1,2", "no field of this family"),
    ("cores", "chip.cores"),
    ("several=maybe", "true nor false"),
    ("threshold_bits=60", "a membrane has 24"),
    ("cores=" + "9" * 5000, "no whole number"),
]


@pytest.mark.parametrize(("change", "said"), CHANGES, ids=[said for _, said in CHANGES])
def test_a_change_that_is_none_is_refused(change: str, said: str) -> None:
    with pytest.raises(SnnccError) as caught:
        chip_named("loihi1", [change])
    assert caught.value.code == "SNN001"
    if change != "cores":
        assert said in str(caught.value)


def test_facts_in_json_form_are_all_of_them() -> None:
    chip = chip_named("speck2f")
    record = facts_of(chip)
    assert set(record) == set(chip.facts)
    assert record["core.bias_words"]["value"] == (1024,) * 9
