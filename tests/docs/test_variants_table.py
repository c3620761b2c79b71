"""The table of the docs: rendered from the facts, of every shipped network, and still true."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import train_digits
import variants_table
from variants_facts import FACTORIES, IMAGES, VARIANTS, Network, Row, row_of, shipped
from variants_table import TABLE, WEIGHT_BITS, differences, facts_of, held_rows, key_of, render

from snncc.frontends.checkpoint import load_checkpoint
from snncc.frontends.mixer_snn.load import load_mixer, steps_of


def test_the_page_is_what_the_script_renders() -> None:
    assert TABLE.read_text() == render(held_rows())


def test_every_shipped_network_has_a_row_at_every_width() -> None:
    networks = shipped()
    keys = [(*network.key, bits) for network in networks for bits in WEIGHT_BITS]
    assert [key_of(row) for row in held_rows()] == keys
    named = {network.variant for network in networks}
    assert named == {*train_digits.VARIANTS, *FACTORIES}
    assert ("patch-cell", 6) in [network.key for network in networks]


@pytest.mark.parametrize("variant", ["strided", "tebn"])
def test_facts_at_8_bits_are_computed_again(variant: str) -> None:
    network = next(n for n in shipped() if n.key == (variant, 4))
    held = next(row for row in held_rows() if key_of(row) == (variant, 4, 8))
    assert differences([held], [row_of(network, 8)]) == []


def test_shipped_logits_are_those_of_the_shipped_checkpoints() -> None:
    with np.load(IMAGES) as file:
        images = file["x_test"][:40]
    for network in shipped():
        if network.factory is not None:
            continue  # tests/docs/test_trained_examples.py
        checkpoint = load_checkpoint(network.checkpoint)
        net, config, _ = load_mixer(checkpoint)
        assert steps_of(checkpoint) == network.steps
        assert config == train_digits.config_of(network.variant, network.steps)
        x = train_digits.network_input(images, network.steps, torch.float64)
        with torch.no_grad():
            logits = net.double()(x).mean(0).numpy()
        # Those of the variants are stored in float32.
        assert np.abs(logits - network.logits[:40]).max() < 1e-5, network.key


def test_shipped_networks_are_trained_and_small() -> None:
    for row in held_rows():
        assert row["correct_original"] / row["images"] > 0.95
    sizes = [path.stat().st_size for path in VARIANTS.iterdir()]
    assert max(sizes) <= 250_000
    assert sum(sizes) <= 1_500_000


def test_more_bits_keep_more_spikes() -> None:
    by_key = {key_of(row): row["flips"] for row in held_rows()}
    for variant, steps, bits in by_key:
        if bits > min(WEIGHT_BITS):
            fewer = WEIGHT_BITS[WEIGHT_BITS.index(bits) - 1]
            assert by_key[variant, steps, bits] < by_key[variant, steps, fewer]


def test_differences_name_row_and_fact_but_not_times() -> None:
    rows = [row for row in held_rows() if row["variant"] == "strided"]
    first, second, third = rows
    slower = {**first, "compile_seconds": first["compile_seconds"] + 1.0}
    assert differences(rows, [slower, second, third]) == []
    assert facts_of(slower) == facts_of(first)
    worse = {**second, "correct": -1}
    assert differences(rows, [first, worse]) == [
        f"strided T = 4 at 8 bits: correct is -1, the JSON has {second['correct']}",
        "strided T = 4 at 16 bits: not shipped",
    ]
    assert differences(rows[:2], rows) == ["strided T = 4 at 16 bits: not in the JSON"]


def run_script(monkeypatch: pytest.MonkeyPatch, changed: dict[str, object], *argv: str) -> int:
    """Runs the command with measurements that repeat what is held, but for what is changed."""
    held = {key_of(row): row for row in held_rows()}

    def measured(network: Network, bits: int) -> Row:
        return {**held[(*network.key, bits)], **changed}

    monkeypatch.setattr(variants_table, "row_of", measured)
    monkeypatch.setattr(sys, "argv", ["variants_table.py", *argv])
    return variants_table.main()


def test_check_exits_1_when_a_fact_or_the_page_differs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    check = ("--only", "strided", "--check")
    assert run_script(monkeypatch, {"run_seconds": 99.0}, *check) == 0
    assert run_script(monkeypatch, {"flips": 7}, *check) == 1
    assert "strided T = 4 at 8 bits: flips is 7" in capsys.readouterr().out
    stale = tmp_path / "variants.md"
    stale.write_text(TABLE.read_text().replace("98", "99"))
    monkeypatch.setattr(variants_table, "TABLE", stale)
    assert run_script(monkeypatch, {}, *check) == 1
    assert "variants.md is not what variants.json renders" in capsys.readouterr().out


def test_only_leaves_other_rows_and_their_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = held_rows()
    for name in ("FACTS", "TABLE"):
        copy = tmp_path / name
        copy.write_text(getattr(variants_table, name).read_text())
        monkeypatch.setattr(variants_table, name, copy)
    assert run_script(monkeypatch, {"flips": 7}, "--only", "strided") == 0
    wanted = [{**row, "flips": 7} if row["variant"] == "strided" else row for row in before]
    assert held_rows() == wanted
    assert (tmp_path / "TABLE").read_text() == render(wanted)
