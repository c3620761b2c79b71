"""The stated limits: the same in the text, the loader and the checker; no file gets past them."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lying_programs import honest
from structure_fuzzer import sealed

from snncc.artifact import files, load_program
from snncc.checker import (
    Rejected,
    form,
    moves,
    packed_constants,
    program_file,
    projections,
    windows,
)
from snncc.checker.certificate import expected
from snncc.checker.selections import row_ends
from snncc.checker.values import digits
from snncc.compiler.options import CompileOptions, check_options
from snncc.diagnostics import SnnccError
from snncc.ir import GraphBuilder, limits, names, verify
from snncc.ir.dialects import moves as ir_moves
from snncc.ir.dialects import windows as ir_windows
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames
from snncc.ir.dialects.selections import row_sums
from snncc.ir.op import TypeRuleError
from snncc.mfi.rules import digits_of
from snncc.mfi.widths.proof import prove_widths
from snncc.passes.pipeline import PassResult, run_passes

SAME = {
    "time steps": (limits.MOST_STEPS, form.MOST_STEPS),
    "nodes": (limits.MOST_NODES, form.MOST_NODES),
    "sources of a node": (limits.MOST_INPUTS, form.MOST_SOURCES),
    "terms of a current": (limits.MOST_TERMS, form.MOST_TERMS),
    "sums, gains, gates, windows, taken elements and concats": (limits.DEEPEST, form.DEEPEST),
    "axes of a value": (limits.MOST_AXES, form.MOST_AXES),
    "characters of a name": (names.LONGEST_NAME, form.LONGEST_NAME),
    "elements of a value": (limits.MOST_ELEMENTS, form.MOST_ELEMENTS),
    "stride, dilation": (limits.LARGEST_GEOMETRY, projections.MOST_GEOMETRY),
    "places of all windows": (ir_windows.MOST_PLACES, windows.MOST_PLACES),
    "elements that are taken": (ir_moves.MOST_TAKEN, moves.MOST_TAKEN),
    "neurons that constants": (limits.MOST_NEURON_STEPS, form.MOST_NEURON_STEPS),
    "bytes of constants": (limits.MOST_CONSTANT_BYTES, program_file.MOST_CONSTANT_BYTES),
    "numbers of constants": (limits.MOST_NUMBERS, form.MOST_NUMBERS),
    "bytes of the header": (files.LARGEST_HEADER, program_file.LONGEST_HEADER),
    "nesting of the manifest": (files.DEEPEST_JSON, program_file.DEEPEST_JSON),
}


@pytest.mark.parametrize("what", SAME)
def test_the_text_the_loader_and_the_checker_state_one_limit(what: str, root: Path) -> None:
    text = (root / "docs/program_rules.md").read_text()
    (stated,) = re.findall(rf"^\| {what}[^|]*\| ([^|]+) \|$", text, re.MULTILINE)
    number = stated.split("=")[0].strip().replace(",", "")
    value = 2 ** int(number[2:]) if number.startswith("2^") else int(number)
    assert SAME[what] == (value, value)
    inflated = packed_constants.MOST_INFLATED_BYTES
    assert inflated == files.LARGEST_CONSTANTS == limits.MOST_CONSTANT_BYTES
    assert projections.MOST_PADDED == form.MOST_ELEMENTS
    assert ir_windows.MOST_GEOMETRY == windows.MOST_GEOMETRY == limits.LARGEST_GEOMETRY


@pytest.mark.parametrize(
    ("mine", "theirs", "most"),
    [
        ("MOST_NUMBERS", "MOST_NUMBERS", 9),
        ("MOST_NEURON_STEPS", "MOST_NEURON_STEPS", 5),
        ("MOST_NODES", "MOST_NODES", 4),
        ("MOST_ELEMENTS", "MOST_ELEMENTS", 5),
        ("MOST_AXES", "MOST_AXES", 2),
        ("MOST_INPUTS", "MOST_SOURCES", 0),
        ("MOST_STEPS", "MOST_STEPS", 2),
    ],
)
def test_a_limit_is_held_to_the_last_one(
    mine: str, theirs: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the limit at what the program needs it is accepted, with one less refused by both."""
    path, content = tmp_path / "p.snncc", sealed(*honest())
    path.write_bytes(content)
    for limit, legal in ((most, False), (most + 1, True)):
        monkeypatch.setattr(limits, mine, limit)
        monkeypatch.setattr(form, theirs, limit)
        if legal:
            load_program(path)
            expected(content)
            continue
        with pytest.raises(SnnccError) as caught:
            load_program(path)
        assert caught.value.code == "SNN070"
        with pytest.raises(Rejected):
            expected(content)


def test_sums_of_weights_are_exact_or_refused() -> None:
    rng = np.random.default_rng(3)
    for _ in range(400):
        bits = int(rng.choice([3, 20, 40, 57, 60, 61]))
        rows = rng.integers(-(2**bits), 2**bits, (int(rng.integers(1, 5)), int(rng.integers(1, 9))))
        negative = min(sum(min(0, int(x)) for x in row) for row in rows)
        positive = max(sum(max(0, int(x)) for x in row) for row in rows)
        assert row_ends(rows) == (negative, positive)
        try:
            assert row_sums(rows) == (negative, positive)
        except TypeRuleError:
            assert max(-negative, positive) >= 2**62
        assert digits(rows) == int(digits_of(rows).max())


def test_four_weights_of_2_to_the_60_do_not_wrap(tmp_path: Path) -> None:
    """16 of them, 255 times, are 0 in 64 bits: no table, no width proof and no checker says so."""
    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("c",), (16,)), name="image")
    op = Contract(b.constant("w", np.full((1, 16), 2**60), ("k", "c")), ("c",), ("k",))
    with pytest.raises(TypeRuleError, match="62 bits"):
        b.add(op, [image])
    legal = b.constant("v", np.full((1, 16), 2**48), ("k", "c"))
    answer = b.finish(b.add(IntegerReadout(), [b.add(Contract(legal, ("c",), ("k",)), [image])]))
    verify(answer)
    (current, readout) = prove_widths(answer)
    assert current.proved == (0, 16 * 255 * 2**48)
    assert readout.proved == (0, 2 * 16 * 255 * 2**48)


def test_the_widest_membrane_that_fits_is_exact(tmp_path: Path) -> None:
    """One step more and it would need 63 bits."""
    steps = 4
    b = GraphBuilder("integer", steps, "exact")
    image = b.add(Frames(("c",), (1,)), name="image")
    weight = b.constant("w", np.array([[2**51]]), ("k", "c"))
    current = b.add(Contract(weight, ("c",), ("k",)), [image])
    op = IntegerPopulation(b.constant("t", np.array(2**61 - 1)), decay=(1, 0))
    context = replace(b.context, steps=4)
    assert op.membrane_range(b[current].type, context) == (0, 4 * 255 * 2**51)
    with pytest.raises(TypeRuleError, match="membrane can need 63 bits"):
        op.membrane_range(b[current].type, replace(context, steps=5))
    assert math.log2(5 * 255 * 2**51) > 61


def test_compiling_beyond_a_limit_is_said_at_once() -> None:
    with pytest.raises(SnnccError) as caught:
        check_options(CompileOptions(steps=4097))
    assert caught.value.code == "SNN070"
    check_options(CompileOptions(steps=4096))


def test_a_pass_that_leaves_a_graph_beyond_a_limit_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Same:
        name = "same"

        def run(self, graph):  # type: ignore[no-untyped-def]
            return PassResult(graph)

    b = GraphBuilder("integer", 2, "exact")
    image = b.add(Frames(("c",), (16,)), name="image")
    weight = b.constant("w", np.ones((1, 16), np.int8), ("k", "c"))
    graph = b.finish(b.add(IntegerReadout(), [b.add(Contract(weight, ("c",), ("k",)), [image])]))
    run_passes(graph, [Same()])
    graph = replace(graph)  # what is known to be legal is not asked again
    monkeypatch.setattr(limits, "MOST_ELEMENTS", 15)
    with pytest.raises(SnnccError) as caught:
        run_passes(graph, [Same()])
    assert caught.value.code == "SNN070"
    assert "16 elements" in caught.value.findings[0].message


def test_a_module_s_odd_name_becomes_one_that_a_program_can_have() -> None:
    """Executors call their own things `cat[0]`; a user's module may be called so too."""
    b = GraphBuilder("integer", 2, "exact")
    made = [
        b.add(Frames(("c",), (1,)), name=name) for name in ("cat[0]", "cat[0]", "a b\n", "größe")
    ]
    assert made == ["cat_0_", "cat_0__2", "a b_", "größe"]
    assert all(map(names.is_name, made))
    long = b.add(Frames(("c",), (1,)), name="m." * 400)
    assert names.is_name(long)
    assert not names.is_axis_name("_")


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    """A place in a file whose name is no Unicode is written with "?"."""
    from snncc.artifact import Program, save_program
    from snncc.ir import Loc

    path = tmp_path / "q.snncc"
    path.write_bytes(sealed(*honest()))
    graph = load_program(path).graph
    nodes = tuple(replace(n, locs=(Loc("m", "odd\udcff.py", 3, "c", "s"),)) for n in graph.nodes)
    save_program(path, Program(replace(graph, nodes=nodes), {}))
    assert load_program(path).graph.nodes[0].locs[0].file == "odd?.py"
