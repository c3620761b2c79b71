"""How images enter: every one of them counts, and so does what the host does."""

import json
from pathlib import Path

import numpy as np
import pytest
from random_networks import random_images, random_network

from snncc.artifact import Program
from snncc.artifact.files import save_program
from snncc.cli.main import run
from snncc.compiler.folding import spiking_passes
from snncc.compiler.options import CompileOptions
from snncc.ir import Graph, GraphBuilder, VerifyError, verify
from snncc.ir.dialects.projections import Contract, Frames, Sum
from snncc.ir.dialects.spiking import Population, Readout
from snncc.ir.encodings import encodings_of
from snncc.mfi import Level, Policy, prove
from snncc.mfi.prover import prove_rules
from snncc.passes.pipeline import run_passes
from snncc.quantize.calibration import round_plainly
from snncc.quantize.lower_to_integers import LowerToIntegers


def spiking(*encodings: str) -> Graph:
    """Images of two elements, each with weights of its own; then neurons."""
    b, rng = GraphBuilder("spiking", 3), np.random.default_rng(0)
    images = [b.add(Frames(("f",), (2,), way), name=f"image{i}") for i, way in enumerate(encodings)]

    def dense(name: str, source: str) -> str:
        weight = rng.normal(size=(3, b[source].type.size("f")))
        op = Contract(b.constant(f"{name}.w", weight, ("f", "f")), ("f",), ("f",))
        return b.add(op, [source], name=name)

    current = b.add(Sum(), [dense(f"in{i}", image) for i, image in enumerate(images)], name="sum")
    threshold = b.constant("threshold", np.array(0.5))
    fire = b.add(Population(threshold), [current], name="fire")
    return b.finish(b.add(Readout(), [dense("out", fire)], name="readout"))


def integer(graph: Graph) -> Graph:
    """The lowered graph, verified or not: a program has one image, the prover counts on none."""
    return LowerToIntegers(round_plainly(graph, 8), 8).run(graph).graph


WAYS = [("bit-planes", "host"), ("host", "bit-planes"), ("bit-planes", "bit-planes", "host")]


@pytest.mark.parametrize("dialect", ["spiking", "integer"])
@pytest.mark.parametrize("ways", WAYS)
def test_one_image_on_the_host_is_enough(ways: tuple[str, ...], dialect: str) -> None:
    graph = spiking(*ways)
    verdict = prove_rules(graph if dialect == "spiking" else integer(graph))
    assert verdict.encoding_level is Level.NONE
    assert not Policy(Level.BIT_SERIAL).judge(verdict).holds
    assert Policy(Level.BIT_SERIAL).judge(verdict).host_refused
    assert Policy(Level.STRICT, frozenset(["encoding=host"])).judge(verdict).holds
    for i, way in enumerate(ways):
        assert f"image{i}" in verdict.encoding.partition(f"{way}, ")[0]
    by_host = {op.name: op.encodes for op in verdict.ops if op.name.startswith("in")}
    wanted = {f"in{i}": way == "host" for i, way in enumerate(ways)}
    assert by_host == wanted
    for op in verdict.ops:
        if op.name in wanted:
            assert (op.need.arithmetic == ()) is wanted[op.name]


def test_images_alike_are_as_strict_as_one() -> None:
    one, two = (prove_rules(integer(spiking(*["bit-planes"] * n))) for n in (1, 2))
    assert one.encoding.startswith("bit-planes, inside the program")
    assert two.encoding.startswith("2 images; image0, image1: bit-planes, inside the program")
    assert one.encoding_level is two.encoding_level is Level.STRICT
    assert one.level is two.level is Level.STRICT


def test_a_program_of_several_images_is_none() -> None:
    graph = integer(spiking("bit-planes", "bit-planes"))
    verdict = prove(graph)
    assert verdict.level is Level.NONE
    assert "2 images enter, a program has one" in [op.need.reason for op in verdict.ops]
    with pytest.raises(VerifyError, match="a program has one"):
        verify(graph)


def test_only_pixels_have_an_encoding() -> None:
    graph = spiking("host", "bit-planes")
    assert encodings_of(graph, "image0") == {"host"}
    assert encodings_of(graph, "image1") == {"bit-planes"}
    assert encodings_of(graph, "fire") == encodings_of(graph, "sum") == frozenset()


def test_compile_says_of_the_host_what_verify_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--model", "test_verdict_agreement:make", "--arg", "name=powers"]
    program = str(tmp_path / "p.snncc")
    told = {}
    for encoding in ("bit-planes", "host"):
        options = [*model, "--input-shape", "1,4,4", "--encoding", encoding, "-o", program]
        assert run(["compile", *options, "--json"]) == 0
        compiled = json.loads(capsys.readouterr().out)
        assert run(["verify", program, "--json"]) == (encoding == "host")
        verdict = json.loads(capsys.readouterr().out)
        for key in ("level", "program_level", "input_level"):
            assert compiled[key] == verdict[key], key
        told[encoding] = compiled["level"]
    assert told == {"bit-planes": "strict", "host": "none"}
    assert run(["compile", *options]) == 0
    text = capsys.readouterr().out
    assert "verdict      none  (a multiplication remains)" in text
    assert "left to the host, which multiplies; the rest is strict" in text


def test_counts_tell_of_the_host_s_multiplications(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = random_network(3)
    np.savez(tmp_path / "d.npz", images=random_images(net, 0, 4))
    told = {}
    for encoding in ("bit-planes", "host"):
        graph = integer(run_passes(net, spiking_passes(CompileOptions(encoding=encoding))))
        save_program(tmp_path / "p.snncc", Program(graph, {}))
        arguments = ["count", str(tmp_path / "p.snncc"), f"{tmp_path / 'd.npz'}:images"]
        assert run([*arguments, "--json"]) == 0
        record = json.loads(capsys.readouterr().out)
        macs = record["neurobench"]["synaptic_operations"]["Effective_MACs"]
        assert run(arguments) == 0
        told[encoding] = macs, capsys.readouterr().out
    assert told["bit-planes"][0] == 0
    assert "accumulates, no multiply-accumulate" in told["bit-planes"][1]
    macs, text = told["host"]
    assert macs > 0
    assert f"accumulates, and {macs:,.1f} multiply-accumulates by the host" in text
    assert "no multiply-accumulate" not in text
