"""No option of `snncc compile` is silently ignored, on the command line or in Python."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_variants import PLAIN, VARIANTS, lively, saved

from snncc.cli.main import run
from snncc.compiler.driver import compile_checkpoint, trace_checkpoint
from snncc.compiler.given import Given
from snncc.compiler.options import CompileOptions, check_options
from snncc.data.files import open_images
from snncc.diagnostics import SnnccError
from snncc.ir.text import print_graph

LOIHI = "loihi-lava"


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What the command line says when it refuses."""
    assert run(arguments) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "options", "says"),
    [
        (
            "--profile loihi-lava --gain shift-add",
            {"profile": LOIHI, "gain": "shift-add"},
            "--gain",
        ),
        (
            "--profile loihi-lava --decay by-step",
            {"profile": LOIHI, "decay": "by-step"},
            "--decay by-step",
        ),
        ("--profile loihi-lava --weight-bits 9", {"profile": LOIHI, "weight_bits": 9}, "2 to 8"),
        (
            "--profile loihi-lava --layer-bits x=9",
            {"profile": LOIHI, "layer_bits": (("x", 9),)},
            "2 to 8",
        ),
        (
            "--weight-bits 6 --agreement 0.9",
            {"weight_bits": 6, "agreement": 0.9},
            "--agreement goes with --weight-bits auto",
        ),
        (
            "--weight-bits auto --layer-bits head=4",
            {"agreement": 0.99, "layer_bits": (("head", 4),)},
            "--layer-bits does not go with --weight-bits auto",
        ),
        (
            "--normalize 0,1 --preprocess cifar224",
            {"normalize": ((0.0,), (1.0,)), "preprocess": "cifar224"},
            "both given",
        ),
    ],
)
def test_options_that_exclude_each_other(
    words: str,
    options: dict[str, Any],
    says: str,
    root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The command line and Python refuse the same, with the same words."""
    checkpoint = root / "examples/digits_mixer.pth"
    text = said(["compile", str(checkpoint), "-o", str(tmp_path / "x"), *words.split()], capsys)
    assert says in text
    with pytest.raises(SnnccError) as caught:
        compile_checkpoint(checkpoint, CompileOptions(**options))
    assert caught.value.code == "SNN001"
    (finding,) = caught.value.findings
    assert finding.why
    assert finding.help
    for part in (finding.message, finding.why, finding.help):
        assert part in text
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "options",
    [
        {"steps": 0},
        {"steps": -1},
        {"input_shape": ()},
        {"input_shape": (1, 0, 32)},
        {"gain": "none"},
        {"gain": "none", "profile": LOIHI},
        {"agreement": 0.0},
    ],
)
def test_numbers_that_count_as_nothing_are_refused_in_python_too(
    options: dict[str, Any], root: Path
) -> None:
    with pytest.raises(SnnccError) as caught:
        compile_checkpoint(root / "examples/digits_mixer.pth", CompileOptions(**options))
    assert caught.value.code == "SNN001"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"steps": 2.5}, "steps with 2.5"),
        ({"steps": 4.0}, "steps with 4.0"),
        ({"steps": True}, "steps with True"),
        ({"weight_bits": 8.0}, "weight_bits with 8.0"),
        ({"layer_bits": (("head", 4.0),)}, "layer_bits with 4.0"),
        ({"input_shape": (1, 8.0, 8)}, "input_shape with 8.0"),
        ({"normalize": ((0.3,), (0.0,))}, "a standard deviation of 0"),
        ({"normalize": ((0.3,), (0.2, -0.2))}, "a standard deviation of -0.2"),
        ({"normalize": ((0.3,), (math.inf,))}, "a standard deviation of inf"),
        ({"normalize": ((0.3,), (math.nan,))}, "a standard deviation of nan"),
        ({"normalize": ((math.nan,), (1.0,))}, "a mean of nan"),
        ({"normalize": ((0.1, -math.inf), (1.0,))}, "a mean of -inf"),
    ],
)
def test_numbers_that_cannot_be_counted_or_divided_by_are_refused(
    options: dict[str, Any], says: str
) -> None:
    with pytest.raises(SnnccError) as caught:
        check_options(CompileOptions(**options))
    (finding,) = caught.value.findings
    assert finding.code == "SNN001"
    assert finding.message.startswith(says)
    assert finding.why
    assert finding.help


def test_every_mean_and_every_small_deviation_is_taken() -> None:
    check_options(CompileOptions((1, 8, 8), ((-2.0, 0, 3.5), (1e-9, 1, 255)), 1, 2))


@pytest.mark.parametrize("pair", ["0.3,0", "0.3,-1", "nan,1", "0.3,nan", "0.3,inf"])
def test_the_command_line_refuses_the_same_normalisations(
    pair: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = root / "examples/digits_mixer.pth"
    for command in (["compile", "-o", str(tmp_path / "x")], ["verify"]):
        text = said([*command, str(checkpoint), "--normalize", pair], capsys)
        assert "SNN001" in text
        assert "finite numbers, standard deviations above 0" in text


def test_what_is_missing_is_what_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A recognised network needs its checkpoint; --model alone is not enough, but is given."""
    compiling = ["compile", "-o", str(tmp_path / "x")]
    for command in (compiling, ["verify"]):
        text = said([*command, "--model", "mixer-snn"], capsys)
        assert "--model mixer-snn without a checkpoint" in text
        assert "neither" not in text
    assert "neither a checkpoint nor --model" in said(compiling, capsys)


BY_STEP = "--decay by-step: every decay is 0, 1 or 1/m, which is exact as it is"


@pytest.mark.parametrize(("tau", "said_so"), [("2", True), ("1.5", True), ("3", False)])
def test_decays_by_step_say_where_they_change_nothing(tau: str, said_so: bool, root: Path) -> None:
    """1 - 1/tau is 1/2, 1/3 and 2/3: the first two are divisions, in both programs."""
    checkpoint = root / "examples/digits_mixer.pth"
    plain = CompileOptions(normalize=((0.3,), (0.35,)), neuron={"tau": tau})
    usual = compile_checkpoint(checkpoint, plain)
    found = compile_checkpoint(checkpoint, replace(plain, decay="by-step"))
    old, new = usual.program.graph, found.program.graph
    same = print_graph(old) == print_graph(new) and all(
        np.array_equal(array, new.constants[name]) for name, array in old.constants.items()
    )
    assert (BY_STEP in found.notes) == said_so == same
    assert BY_STEP not in usual.notes


def test_the_command_line_says_that_decays_by_step_change_nothing(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["compile", str(root / "examples/digits_mixer.pth"), "-o", str(tmp_path / "x")]
    assert run([*base, "--decay", "by-step"]) == 0
    assert f"note: {BY_STEP}" in capsys.readouterr().err
    assert run([*base, "--decay", "by-step", "--json"]) == 0
    assert BY_STEP in json.loads(capsys.readouterr().out)["notes"]


@pytest.mark.parametrize(
    ("profile", "gain", "wanted"),
    [
        ("exact", None, "shift-add"),
        ("exact", "shift-add", "shift-add"),
        ("exact", "unshared", "unshared"),
        (LOIHI, None, "unshared"),
        (LOIHI, "unshared", "unshared"),
    ],
)
def test_the_gain_that_is_reported_is_the_one_that_is_done(
    profile: str, gain: str | None, wanted: str, root: Path
) -> None:
    options = CompileOptions(normalize=((0.3,), (0.35,)), profile=profile, gain=gain)
    compiled = compile_checkpoint(root / "examples/digits_mixer.pth", options)
    assert compiled.report["gain"] == wanted
    gains = [n for n in compiled.program.graph.nodes if n.op.mnemonic == "gain"]
    assert bool(gains) == (wanted == "shift-add")


@pytest.mark.parametrize("model", [None, "mixer-snn"])
def test_arguments_without_a_factory_are_refused(
    model: str | None, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = root / "examples/digits_mixer.pth"
    more = ["--arg", "width=6", *(["--model", model] if model else [])]
    for command in (["compile", "-o", str(tmp_path / "x")], ["verify"]):
        assert "--arg width" in said([*command, str(checkpoint), *more], capsys)
    given: Mapping[str, str] = {"width": "6"}
    for work in (compile_checkpoint, trace_checkpoint):
        with pytest.raises(SnnccError, match="--arg width") as caught:
            work(checkpoint, CompileOptions(), model=model, model_arguments=given)
        assert caught.value.code == "SNN001"


@pytest.mark.parametrize("option", ["--neuron", "--arg"])
def test_a_key_that_is_given_twice_is_refused(
    option: str, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["compile", str(root / "examples/digits_mixer.pth"), "-o", str(tmp_path / "x")]
    assert "tau is given twice" in said([*base, option, "tau=2", option, "tau=3"], capsys)


def test_a_learned_time_constant_cannot_be_given(tmp_path: Path) -> None:
    learned = VARIANTS["learned tau"]
    path = saved(tmp_path, lively(learned, 4), False)
    with pytest.raises(SnnccError, match="has learned its time constants") as caught:
        compile_checkpoint(path, CompileOptions(neuron={"tau": "2"}))
    assert caught.value.code == "SNN001"
    assert compile_checkpoint(path, CompileOptions(neuron={"compare": ">"}))
    path = saved(tmp_path, lively(PLAIN, 4), False)
    assert compile_checkpoint(path, CompileOptions(neuron={"tau": "3"}))


def test_the_profile_of_lava_searches_the_bits_that_it_has(root: Path) -> None:
    """Never more than the eight of a synapse, also where they do not do."""
    images = open_images(f"{root / 'examples/digits.npz'}:x_cal")[:40]
    checkpoint = root / "examples/digits_mixer.pth"
    options = CompileOptions(normalize=((0.3,), (0.35,)), profile=LOIHI, agreement=0.05)
    report = compile_checkpoint(checkpoint, options, Given(images)).report
    assert report["bit_search"]["trials"][0]["text"] == "8 bits"
    assert report["weight_bits"] < 8
    hard = CompileOptions(profile=LOIHI, agreement=1.0)
    with pytest.raises(SnnccError, match="no width up to 8 bits"):
        compile_checkpoint(checkpoint, hard, Given(images, images))  # judged by all 40
