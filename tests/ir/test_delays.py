"""Delays: their types, the one exception to the order of nodes, and loops that are refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from certificates import certificate_of, file_of
from looped_programs import by_hand, images, looped

from snncc.artifact import load_program
from snncc.artifact.program import Program, from_manifest, to_manifest
from snncc.checker import Rejected, check
from snncc.checker.certificate import expected
from snncc.diagnostics import SnnccError
from snncc.ir import Graph, GraphBuilder, Param, TypeRuleError, VerifyError, verify
from snncc.ir.codec import CodecError
from snncc.ir.cycles import arranged, between_neurons, components
from snncc.ir.dialects.delays import Delay
from snncc.ir.dialects.gates import Gate
from snncc.ir.dialects.integer import IntegerPopulation, IntegerReadout
from snncc.ir.dialects.projections import Contract, Frames, Sum
from snncc.ir.graph import Node
from snncc.ir.text import parse_graph, print_graph, same_graph
from snncc.ir.types import TIME, Axis, Kind, ValueType

BITS = Delay(1, "spike", ("k",), (2,), (0, 1))


def recurrent(op: Delay = BITS) -> Graph:
    """Two neurons that read the image and, through a delay, their own spikes."""
    b = GraphBuilder("integer", 4, "exact")
    image = b.add(Frames(("f",), (3,)), name="image")
    past = b.add(op, name="past")
    w = b.constant("w", np.array([[1, -2, 1], [3, 0, 2]], np.int8), ("k", "f"))
    u = b.constant("u", np.array([[5, -40], [7, 9]], np.int8), ("k", "k"))
    given = b.add(Contract(w, ("f",), ("k",)), [image], name="given")
    own = b.add(Contract(u, ("k",), ("k",)), [past], name="own")
    total = b.add(Sum(), [given, own], name="total")
    level = b.constant("level", np.array([150, 400], np.int16), ("k",))
    fires = IntegerPopulation(level, decay=(1, 1), membrane=(-4000, 4000))
    spikes = b.add(fires, [total], name="spikes")
    b.close(past, spikes)
    h = b.constant("h", np.array([[1, -1]], np.int8), ("o", "k"))
    return b.finish(b.add(IntegerReadout(), [b.add(Contract(h, ("k",), ("o",)), [spikes])]))


def with_node(graph: Graph, name: str, **changes: object) -> Graph:
    nodes = tuple(replace(n, **changes) if n.name == name else n for n in graph.nodes)  # type: ignore[arg-type]
    return replace(graph, nodes=nodes)


def test_a_recurrent_layer_is_legal_and_round_trips(tmp_path: Path) -> None:
    graph = recurrent()
    verify(graph)
    text = print_graph(graph)
    assert "%past = delay(%spikes) {steps = 1, kind = spike" in text
    assert same_graph(parse_graph(text, graph.constants), graph)
    program = Program(graph, {})
    manifest = to_manifest(program)
    assert manifest["schema"] == 3
    assert same_graph(from_manifest(manifest, graph.constants).graph, graph)
    file = file_of(graph, tmp_path)
    assert same_graph(load_program(tmp_path / "program.snncc").graph, graph)
    assert check(file, certificate_of(graph, file))["level"] == "strict"


@pytest.mark.parametrize("schema", [1, 2, 4])
def test_a_file_with_a_delay_says_so(schema: int) -> None:
    graph = recurrent()
    with pytest.raises(CodecError):
        from_manifest({**to_manifest(Program(graph, {})), "schema": schema}, graph.constants)


def test_a_program_without_delays_has_the_schema_that_it_had() -> None:
    b = GraphBuilder("integer", 2, "exact")
    w = b.constant("w", np.ones((1, 3), np.int8), ("o", "f"))
    current = b.add(Contract(w, ("f",), ("o",)), [b.add(Frames(("f",), (3,)))])
    graph = b.finish(b.add(IntegerReadout(), [current]))
    assert to_manifest(Program(graph, {}))["schema"] == 1
    assert arranged(graph) is graph
    assert between_neurons(graph) is graph.nodes


def past_of(source: str, **fields: object) -> Graph:
    return with_node(recurrent(), "past", inputs=(source,), op=replace(BITS, **fields))  # type: ignore[arg-type]


def held(low: int, high: int) -> Graph:
    """A current beside what it was a step ago; its range is -510..1275."""
    b = GraphBuilder("integer", 4, "exact")
    image = b.add(Frames(("f",), (3,)), name="image")
    w = b.constant("w", np.array([[1, -2, 1], [3, 0, 2]], np.int8), ("k", "f"))
    given = b.add(Contract(w, ("f",), ("k",)), [image], name="given")
    past = b.add(Delay(1, "current", ("k",), (2,), (low, high)), [given], name="past")
    return b.finish(b.add(IntegerReadout(), [b.add(Sum(), [given, past])]))


CURRENTS = {"kind": "current", "range": (-5000, 5000)}
REFUSED: dict[str, tuple[Graph, str]] = {
    "itself": (past_of("past"), "no neurons"),
    "unknown": (past_of("nobody"), "before it exists"),
    "range": (held(-510, 1274), "declared"),
    "low range": (held(-509, 1275), "declared"),
    "empty range": (past_of("spikes", range=(1, 0)), "empty"),
    "another range of spikes": (past_of("spikes", range=(0, 2)), "0 or 1"),
    "no range": (past_of("spikes", range=None), "declared"),
    "kind": (past_of("given"), "declared"),
    "images": (
        past_of("image", kind="count", range=(0, 255)),
        "reads an image",
    ),
    "size": (past_of("spikes", shape=(3,)), "declared"),
    "another axis": (past_of("spikes", axes=("j",)), "declared"),
    "time": (past_of("spikes", axes=(TIME,)), "time leads"),
    "no lengths": (past_of("spikes", shape=()), "length"),
    "no steps": (past_of("spikes", steps=0), "at least 1"),
    "negative": (past_of("spikes", steps=-1), "at least 1"),
    "many steps": (past_of("spikes", steps=4097), "the most are 4096"),
    "no source": (with_node(recurrent(), "past", inputs=()), "one source"),
    "two sources": (with_node(recurrent(), "past", inputs=("spikes", "spikes")), "one source"),
    "no delay": (with_node(recurrent(), "own", inputs=("spikes",)), "before it exists"),
    "around sums": (
        with_node(
            with_node(recurrent(), "past", inputs=("total",), op=replace(BITS, **CURRENTS)),  # type: ignore[arg-type]
            "own",
            op=Sum(),
        ),
        "no neurons",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_delay_is_refused_by_all(name: str, tmp_path: Path) -> None:
    graph, says = REFUSED[name]
    op = graph["past"].op
    assert isinstance(op, Delay)
    axes = (Axis(TIME, 4), *(Axis(n, s) for n, s in zip(op.axes, op.shape, strict=False)))
    if op.kind in ("spike", "current") and len(op.axes) == len(op.shape):
        graph = with_node(graph, "past", type=ValueType(Kind(op.kind), axes, op.range))
    with pytest.raises(VerifyError, match=says):
        verify(graph)
    file = file_of(graph, tmp_path)
    with pytest.raises(SnnccError) as error:
        load_program(tmp_path / "program.snncc")
    assert error.value.code in ("SNN017", "SNN070")
    with pytest.raises(Rejected):
        expected(file)


def test_the_checker_says_why(tmp_path: Path) -> None:
    """By its own rules: none of these is only what cannot be read."""
    for name, says in (
        ("itself", "no neurons"),
        ("unknown", "reads what there is not"),
        ("range", "another value than it declares"),
        ("no delay", "before it exists"),
        ("two sources", "not one source"),
    ):
        graph, _ = REFUSED[name]
        op = graph["past"].op
        assert isinstance(op, Delay)
        kind = ValueType(Kind(op.kind), (Axis(TIME, 4), Axis("k", 2)), op.range)
        file = file_of(with_node(graph, "past", type=kind), tmp_path)
        with pytest.raises(Rejected, match=says):
            expected(file)


def test_the_whole_range_is_enough(tmp_path: Path) -> None:
    graph = held(-510, 1275)
    verify(graph)
    file = file_of(graph, tmp_path)
    check(file, certificate_of(graph, file))


def test_a_loop_may_lead_through_anything_between_neurons(tmp_path: Path) -> None:
    """A delayed current: no order of nodes has all that a node reads before it."""
    currents = Delay(2, "current", ("k",), (2,), (-5000, 5000))
    graph = with_node(recurrent(), "past", op=currents, inputs=("own2",))
    kind = ValueType(Kind.CURRENT, (Axis(TIME, 4), Axis("k", 2)), (-5000, 5000))
    u = graph["own"].op
    own = Node("own2", u, ("spikes",), graph["own"].type)
    total = replace(graph["total"], inputs=("given", "past"))
    changed = {"past": replace(graph["past"], type=kind), "total": total}
    nodes = [changed.get(n.name, n) for n in graph.nodes if n.name != "own"]
    at = [n.name for n in nodes].index("spikes") + 1
    total_type = Sum().infer((graph["given"].type, kind), graph.context)
    nodes[at:at] = [own]
    nodes = [replace(n, type=total_type) if n.name == "total" else n for n in nodes]
    wide = replace(graph["spikes"].op, membrane=(-40000, 40000))  # type: ignore[type-var]
    nodes = [replace(n, op=wide) if n.name == "spikes" else n for n in nodes]
    graph = replace(graph, nodes=tuple(nodes))
    verify(graph)
    assert [len(part.nodes) for part in components(graph)] == [1, 1, 4, 1, 1]
    file = file_of(graph, tmp_path)
    check(file, certificate_of(graph, file))
    order = [node.name for node in between_neurons(graph)]
    assert order.index("own2") < order.index("past") < order.index("total")


def doubled(times: int) -> Graph:
    """Sums of a current with its own delay, again and again: twice as many terms each time."""
    b = GraphBuilder("integer", 2, "exact")
    w = b.constant("w", np.ones((1, 3), np.int8), ("o", "f"))
    current = b.add(Contract(w, ("f",), ("o",)), [b.add(Frames(("f",), (3,)))])
    for _ in range(times):
        held = b.add(Delay.of(b[current].type, 1), [current])
        current = b.add(Sum(), [current, held])
    return b.finish(b.add(IntegerReadout(), [current]))


def test_terms_are_counted_through_delays(tmp_path: Path) -> None:
    verify(doubled(12))
    file = file_of(doubled(12), tmp_path)
    check(file, certificate_of(doubled(12), file))
    with pytest.raises(VerifyError, match="terms"):
        verify(doubled(13))
    with pytest.raises(Rejected, match="too many terms"):
        expected(file_of(doubled(13), tmp_path))


def test_what_delays_keep_is_limited(tmp_path: Path) -> None:
    graph = past_of("spikes", steps=4096, shape=(1 << 15,))
    kind = ValueType(Kind.SPIKE, (Axis(TIME, 4), Axis("k", 1 << 15)), (0, 1))
    graph = with_node(graph, "past", type=kind)
    with pytest.raises(VerifyError, match="kept for later steps"):
        verify(graph)
    with pytest.raises(Rejected, match="kept for later steps"):
        expected(file_of(graph, tmp_path))


@pytest.mark.parametrize("start", [[0, 2], [-1, 0]])
def test_a_start_lies_within_the_range(start: list[int], tmp_path: Path) -> None:
    graph = with_node(recurrent(), "past", op=replace(BITS, start=Param("start", ("k",))))
    bad = replace(graph, constants={**graph.constants, "start": np.array(start, np.int8)})
    with pytest.raises(VerifyError):
        verify(bad)
    with pytest.raises(Rejected, match="outside of its range"):
        expected(file_of(bad, tmp_path))
    good = replace(graph, constants={**graph.constants, "start": np.array([0, 1], np.int8)})
    verify(good)
    file = file_of(good, tmp_path)
    check(file, certificate_of(good, file))


def test_builders_close_every_delay() -> None:
    b = GraphBuilder("integer", 2, "exact")
    past = b.add(BITS, name="past")
    image = b.add(Frames(("k",), (2,)), name="image")
    with pytest.raises(ValueError, match="no delay"):
        b.close(image, past)
    with pytest.raises(ValueError, match="no source"):
        b.finish(past)
    b.close(past, past)
    with pytest.raises(ValueError, match="no delay that lacks"):
        b.close(past, past)
    with pytest.raises(TypeRuleError):
        b.add(replace(BITS, steps=0))


def test_components_follow_one_another() -> None:
    """Every node comes after what it reads in other components; none is lost or stands twice."""
    for seed in range(60):
        graph = looped(seed)
        found = [node for part in components(graph) for node in part.nodes]
        assert sorted(n.name for n in found) == sorted(graph.by_name)
        done: set[str] = set()
        for part in components(graph):
            own = {node.name for node in part.nodes}
            outer = {name for node in part.nodes for name in node.inputs} - own
            assert outer <= done
            assert part.cyclic == (len(own) > 1 or bool(own & set(part.nodes[0].inputs)))
            done |= own
        verify(arranged(graph))
        order: set[str] = set()
        for node in between_neurons(graph):
            assert node.op.breaks_loops or set(node.inputs) <= order
            order.add(node.name)


def test_arranging_changes_no_value() -> None:
    for seed in range(10):
        graph, given = looped(seed), images(seed)
        assert np.array_equal(by_hand(graph, given).answer, by_hand(arranged(graph), given).answer)


def test_gates_of_a_loop_are_no_neurons(tmp_path: Path) -> None:
    """AND of spikes around a loop would be a state of its own."""
    graph = recurrent()
    gate = Node("gate", Gate(), ("past", "past"), graph["past"].type)
    loop = with_node(graph, "past", inputs=("gate",))
    nodes = (*loop.nodes[:2], gate, *loop.nodes[2:])
    with pytest.raises(VerifyError, match="no neurons"):
        verify(replace(loop, nodes=nodes))
    with pytest.raises(Rejected, match="no neurons"):
        expected(file_of(replace(loop, nodes=nodes), tmp_path))
